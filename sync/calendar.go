package ordersync

import (
	"context"
	"fmt"
	"time"
)

// Here are the days of a shop's own calendar. Dates are counted in UTC, where
// each has 24 hours; only their borders are moments of the shop's zone.

// Yesterday is the day of a shop's own calendar that ended last.
func (e *Engine) Yesterday(ctx context.Context, shop string) (day string, err error) {
	zone, err := e.Zone(ctx, shop)
	if err != nil {
		return "", err
	}
	return date(e.now().In(zone)).AddDate(0, 0, -1).Format(time.DateOnly), nil
}

// Midnight is when a day of a shop's own calendar begins.
func (e *Engine) Midnight(ctx context.Context, shop, day string) (time.Time, error) {
	zone, err := e.Zone(ctx, shop)
	if err != nil {
		return time.Time{}, err
	}
	from, _, err := DayBounds(day, zone)
	return from, err
}

// Zone is a shop's time zone. Where it is not known yet, the shop is asked.
func (e *Engine) Zone(ctx context.Context, name string) (*time.Location, error) {
	shop := e.shops[name]
	if shop == nil {
		return nil, fmt.Errorf("there is no shop named %q in the config", name)
	}
	state, err := e.store.Shop(ctx, name)
	if err != nil {
		return nil, err
	}
	if state.Timezone == "" {
		if err := e.learnShop(ctx, shop); err != nil {
			return nil, err
		}
		if state, err = e.store.Shop(ctx, name); err != nil {
			return nil, err
		}
	}
	zone, err := time.LoadLocation(state.Timezone)
	if err != nil {
		return nil, fmt.Errorf("the time zone of %s: %w", name, err)
	}
	return zone, nil
}

// dayOf is a shop's time zone, and when one of its days begins and ends.
func (e *Engine) dayOf(ctx context.Context, shop, day string) (zone *time.Location, from, to time.Time, err error) {
	if zone, err = e.Zone(ctx, shop); err == nil {
		from, to, err = DayBounds(day, zone)
	}
	return zone, from, to, err
}

// DayBounds are when a day of a zone's calendar begins and ends; each day begins
// where the one before it ends. Days with a change of the clock have 23 or 25
// hours, and one that the zone skipped has none.
func DayBounds(day string, zone *time.Location) (from, to time.Time, err error) {
	d, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return from, to, fmt.Errorf("%q is not a day; write it like 2026-11-22", day)
	}
	return shows(d, zone), shows(d.AddDate(0, 0, 1), zone), nil
}

// date is the date of a moment, by the clock it is told in.
func date(local time.Time) time.Time {
	y, m, d := local.Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// shows is the first moment at which the clocks of a zone show a date and time,
// which is told as if it were UTC, or a later one: the clock may jump over it.
func shows(wall time.Time, zone *time.Location) time.Time {
	const farthest = 48 * time.Hour // no clock is that far from UTC
	for at := wall.Add(-farthest).In(zone); ; {
		_, offset := at.Zone()
		_, until := at.ZoneBounds()
		first := later(at, wall.Add(-time.Duration(offset)*time.Second))
		if until.IsZero() || first.Before(until) {
			return first.UTC()
		}
		at = until
	}
}
