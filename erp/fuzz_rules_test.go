package erp_test

import (
	"errors"
	"testing"

	"gapless/erp"
	"gapless/erp/erptest"
)

// Whatever somebody writes as a condition, it is refused with its key, or it
// decides, or the order parks with something that a person can act on.
func FuzzRule(f *testing.F) {
	f.Add(`.test`)
	f.Add(`.source == "pos" and (.total | tonumber) > 100`)
	f.Add(`.lines[] | select(.sku == null)`)
	f.Add(`def f: f; f`)
	f.Add(`[limit(3; repeat(1))] | .[0] / .[1] // error`)
	order := erptest.Order("acme-1")
	f.Fuzz(func(t *testing.T, when string) {
		rules, err := erp.CompileRules([]erp.Rule{{Name: "fuzzed", When: when, Then: erp.Exclude}})
		var setting *erp.SettingError
		if err != nil {
			if !errors.As(err, &setting) || setting.Key != "rules[0].when" {
				t.Fatalf("%q is refused without its key: %v", when, err)
			}
			return
		}
		rule, err := rules.Decide(order)
		var problem *erp.Problem
		if err != nil && (!errors.As(err, &problem) || problem.Hint == "" || rule != nil) {
			t.Fatalf("%q: %v is nothing a person can act on", when, err)
		}
	})
}
