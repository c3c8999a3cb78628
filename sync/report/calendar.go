package report

import (
	"fmt"
	"time"
)

// Here is what a day is. Dates are counted in UTC, where each has 24 hours; only
// their borders are moments of a zone.

// DayBounds are when a day of a zone's calendar begins and ends; each day begins
// where the one before it ends. Days with a change of the clock have 23 or 25
// hours, and one that the zone skipped has none.
func DayBounds(day string, zone *time.Location) (from, to time.Time, err error) {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return from, to, fmt.Errorf("%q is not a day; write it like 2026-11-22", day)
	}
	return Shows(d, zone), Shows(d.AddDate(0, 0, 1), zone), nil
}

// DateOf is the date of a moment, by the clock it is told in.
func DateOf(local time.Time) time.Time {
	y, m, d := local.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// Shows is the first moment at which the clocks of a zone show a date and time,
// which is told as if it were UTC, or a later one: the clock may jump over it.
func Shows(wall time.Time, zone *time.Location) time.Time {
	const farthest = 48 * time.Hour // no clock is that far from UTC
	for at := wall.Add(-farthest).In(zone); ; {
		_, offset := at.Zone()
		_, until := at.ZoneBounds()
		first := wall.Add(-time.Duration(offset) * time.Second)
		if first.Before(at) {
			first = at
		}
		if until.IsZero() || first.Before(until) {
			return first.UTC()
		}
		at = until
	}
}
