package main

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Rate is a number of events in a span of time, written "5/s", "100/min" or
// "1000/h". The zero Rate sets no limit.
type Rate struct {
	Events int
	Per    time.Duration
}

var rateUnits = map[string]time.Duration{"s": time.Second, "min": time.Minute, "h": time.Hour}

// PerSecond returns the rate in events a second, 0 for no limit.
func (r Rate) PerSecond() float64 {
	if r.Per == 0 {
		return 0
	}
	return float64(r.Events) / r.Per.Seconds()
}

// String writes the rate as the config does.
func (r Rate) String() string {
	for unit, per := range rateUnits {
		if r.Per == per {
			return strconv.Itoa(r.Events) + "/" + unit
		}
	}
	return ""
}

// UnmarshalText reads "5/s"; empty text sets no limit.
func (r *Rate) UnmarshalText(text []byte) error {
	if *r = (Rate{}); len(text) == 0 {
		return nil
	}
	number, unit, _ := strings.Cut(string(text), "/")
	events, err := strconv.Atoi(number)
	per, known := rateUnits[unit]
	if err != nil || events < 1 || !known {
		return Problem{Problem: "is not a rate", Fix: `write it like "5/s", "100/min" or "1000/h"`}
	}
	*r = Rate{events, per}
	return nil
}

// Size is a number of bytes, written "10MiB", "500KB" or as a plain number.
type Size int64

var sizeUnits = []struct {
	name  string
	bytes float64
}{
	{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"B", 1}, {"", 1},
}

// String writes the size in the largest binary unit that divides it.
func (s Size) String() string {
	for _, unit := range sizeUnits[:3] {
		if n := int64(unit.bytes); s >= Size(n) && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalText reads "10MiB".
func (s *Size) UnmarshalText(text []byte) error {
	for _, unit := range sizeUnits {
		number, ok := strings.CutSuffix(string(text), unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if bytes := n * unit.bytes; err == nil && bytes >= 0 && bytes < math.MaxInt64 {
			*s = Size(bytes)
			return nil
		}
		break
	}
	return Problem{Problem: "is not a size", Fix: `write it like "10MiB"`}
}

// Amount is money without a currency, written "0.05".
type Amount struct{ decimal.Decimal }

// UnmarshalText reads "0.05"; negative amounts are refused.
func (a *Amount) UnmarshalText(text []byte) error {
	d, err := decimal.NewFromString(string(text))
	if err != nil || d.IsNegative() {
		return Problem{Problem: "is not an amount", Fix: `write it like "0" or "0.05"`}
	}
	a.Decimal = d
	return nil
}

var weeksAndDays = regexp.MustCompile(`^(?:(\d{1,3})w)?(?:(\d{1,4})d)?(.*)$`)

// parseDuration reads what time.ParseDuration does and, in front of it, weeks
// and days of 24 hours: "1w", "90d", "1d12h", "10s".
func parseDuration(text string) (time.Duration, error) {
	parts := weeksAndDays.FindStringSubmatch(text)
	if text == "" || parts == nil {
		return 0, errDuration
	}
	weeks, _ := strconv.Atoi("0" + parts[1])
	days, _ := strconv.Atoi("0" + parts[2])
	d := time.Duration(7*weeks+days) * 24 * time.Hour
	if parts[3] == "" {
		return d, nil
	}
	rest, err := time.ParseDuration(parts[3])
	if err != nil || rest < 0 || d+rest < 0 {
		return 0, errDuration
	}
	return d + rest, nil
}

var errDuration = Problem{Problem: "is not a duration", Fix: `write it like "10s", "5m", "2h", "90d" or "1w"`}

// formatDuration writes a duration as an operator would: "90d", "10m", "1h30m".
func formatDuration(d time.Duration) string {
	const day = 24 * time.Hour
	if d > 0 && d%day == 0 {
		return strconv.Itoa(int(d/day)) + "d"
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
