package ui

import (
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/dustin/go-humanize"
	"github.com/shopspring/decimal"

	"gapless/store"
	"gapless/sync/report"
)

// moment is a time as a page shows it: by the shop's clock, with its age.
type moment struct {
	ISO  string // for scripts
	Text string // "14:05", "22 Nov, 14:05"
	Full string // "Sunday, 22 November 2026, 14:05:09 CET"
	Age  string // "3 min ago"
}

// clock tells times in one zone, seen from now.
type clock struct {
	zone *time.Location
	now  time.Time
}

// clock is a shop's. Where its zone is not known yet, it is UTC.
func (v *visit) clock(shop store.Shop) clock { return clockOf(shop, v.now) }

func clockOf(shop store.Shop, now time.Time) clock {
	zone, err := time.LoadLocation(shop.Timezone)
	if err != nil || shop.Timezone == "Local" {
		zone = time.UTC
	}
	return clock{zone, now}
}

// clocks are those of all shops, by name.
func (v *visit) clocks() (func(shop string) clock, error) {
	all := map[string]clock{}
	for _, name := range v.Shops {
		shop, err := v.Store.Shop(v.Context(), name)
		if err != nil {
			return nil, err
		}
		all[name] = v.clock(shop)
	}
	return func(shop string) clock {
		if c, known := all[shop]; known {
			return c
		}
		return clock{time.UTC, v.now}
	}, nil
}

// at is nil where there is no such time.
func (c clock) at(t time.Time) *moment {
	if t.IsZero() {
		return nil
	}
	local, today := t.In(c.zone), c.now.In(c.zone)
	text := local.Format("2 Jan 2006, 15:04")
	switch {
	case local.Format(time.DateOnly) == today.Format(time.DateOnly):
		text = local.Format("15:04")
	case local.Year() == today.Year():
		text = local.Format("2 Jan, 15:04")
	}
	return &moment{t.UTC().Format(time.RFC3339), text, local.Format("Monday, 2 January 2006, 15:04:05 MST"), age(c.now.Sub(t))}
}

// stamped is how times stand in the sentences of the engine.
var stamped = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ`)

// tell is a sentence of the engine, with a capital, and its times by this clock.
func (c clock) tell(text string) string {
	text = stamped.ReplaceAllStringFunc(text, func(stamp string) string {
		t, err := time.Parse(time.RFC3339, stamp)
		if err != nil {
			return stamp
		}
		return c.second(t)
	})
	first, size := utf8.DecodeRuneInString(text)
	if size == 0 {
		return ""
	}
	return string(unicode.ToUpper(first)) + text[size:]
}

// second is a time to the second, without its day where that is today.
func (c clock) second(t time.Time) string {
	local := t.In(c.zone)
	if local.Format(time.DateOnly) == c.now.In(c.zone).Format(time.DateOnly) {
		return local.Format("15:04:05")
	}
	return local.Format("2 Jan 2006, 15:04:05")
}

// version is a version of an order for people: when Shopify changed it, and what
// tells it from another one of that second.
func (c clock) version(v string) string {
	stamp, hash, _ := strings.Cut(v, "/")
	t, err := time.Parse(time.RFC3339, stamp)
	if err != nil {
		return v
	}
	return strings.TrimSpace(c.second(t) + " " + hash)
}

// midnight begins the shop's present day.
func (c clock) midnight() time.Time {
	return report.Shows(report.DateOf(c.now.In(c.zone)), c.zone).In(c.zone)
}

// age is "3 min ago", or "in 3 min".
func age(d time.Duration) string {
	switch {
	case d < 0 && d > -time.Second, d >= 0 && d < 5*time.Second:
		return "just now"
	case d < 0:
		return "in " + rough(-d)
	}
	return rough(d) + " ago"
}

// rough is a span in its largest unit.
func rough(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return report.Span(max(d, time.Second))
	case d < time.Hour:
		return report.Span(d.Truncate(time.Minute))
	case d < 2*day:
		return report.Span(d.Truncate(time.Hour))
	}
	return report.Span(d.Truncate(day))
}

// span is how long something took: "0.4 s", "2 h 5 min".
func span(d time.Duration) string {
	switch {
	case d <= 0:
		return "0 s"
	case d < 100*time.Millisecond:
		return "under 0.1 s"
	}
	if d < 10*time.Second {
		return decimal.NewFromInt(d.Milliseconds()).Shift(-3).Round(1).String() + " s"
	}
	return report.Span(d)
}

func number(n int64) string { return humanize.Comma(n) }

// plural is "1 order" or "2 orders".
func plural(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return number(n) + " " + thing + "s"
}

// size is "12 MB".
func size(bytes int64) string { return humanize.Bytes(uint64(max(bytes, 0))) }

// short cuts a text that could be of any length.
func short(text string, most int) string {
	runes := []rune(text)
	if len(runes) <= most {
		return text
	}
	return strings.TrimSpace(string(runes[:most])) + "…"
}
