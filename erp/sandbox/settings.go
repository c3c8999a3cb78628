package sandbox

import (
	"errors"
	"time"

	"gapless/erp"
)

// Settings shape the sandbox. The zero value keeps everything in memory and
// never fails.
type Settings struct {
	Path       string        `toml:"path"`        // of the ledger's file; empty: memory only
	Latency    time.Duration `toml:"latency"`     // of each call
	FailRate   float64       `toml:"fail_rate"`   // 0 to 1: share of writes that fail for a while
	RefuseRate float64       `toml:"refuse_rate"` // 0 to 1: share of writes that are refused for good
	RefuseSKUs []string      `toml:"refuse_skus"` // articles the sandbox claims not to know
	Seed       int64         `toml:"seed"`        // replays the same faults
}

// Check finds every setting that can't be used. The error joins one
// *erp.SettingError for each.
func (s Settings) Check() error {
	var bad []error
	refuse := func(when bool, key, problem, fix string) {
		if when {
			bad = append(bad, &erp.SettingError{Key: key, Problem: problem, Fix: fix})
		}
	}
	share := func(x float64) bool { return x >= 0 && x <= 1 }
	refuse(!share(s.FailRate), "fail_rate", "it is not a share", "write a number from 0 to 1")
	refuse(!share(s.RefuseRate), "refuse_rate", "it is not a share", "write a number from 0 to 1")
	refuse(share(s.FailRate) && share(s.RefuseRate) && s.FailRate+s.RefuseRate > 1,
		"refuse_rate", "with fail_rate it passes 1", "lower one of the two")
	refuse(s.Latency < 0, "latency", "it is negative", `write a duration such as "50ms"`)
	return errors.Join(bad...)
}

// mix spreads the rates over the faults. Hangs are left out: they would hold
// the demo until its calls time out.
func (s Settings) mix() Faults {
	passing := []Fault{Down, Busy, CutBefore, CutAfter, Ignored}
	m := Faults{Refused: s.RefuseRate}
	for _, f := range passing {
		m[f] = s.FailRate / float64(len(passing))
	}
	return m
}
