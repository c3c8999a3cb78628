package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gapless/sync/report"
)

// window is a span of time, as somebody names it: since, or from and to.
type window struct {
	Since string `help:"How far back; default: 24h." placeholder:"24h"`
	From  string `help:"From here on: RFC 3339, or a day, which begins at the shop's midnight." placeholder:"2026-11-22"`
	To    string `help:"Until here, like --from; default: now." placeholder:"2026-11-23"`
}

const usualWindow = 24 * time.Hour

// of tells the span for a shop in this time zone, by which days begin. What lies
// in the future is cut off.
func (w window) of(zone *time.Location, now time.Time) (from, to time.Time, err error) {
	if w.From == "" && w.To == "" {
		back, err := w.back()
		return now.Add(-back), now, err
	}
	switch {
	case w.Since != "":
		return from, to, errors.New("name the window by --since, or by --from and --to, not by both")
	case w.From == "":
		return from, to, errors.New("say where the window begins: --from 2026-11-22")
	}
	if from, err = moment(w.From, zone); err != nil {
		return from, to, err
	}
	to = now
	if w.To != "" {
		if to, err = moment(w.To, zone); err != nil {
			return from, to, err
		}
	}
	if !from.Before(now) {
		return from, to, fmt.Errorf("the window begins at %s, which is in the future", w.From)
	}
	if to.After(now) {
		to = now
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("the window from %s to %s is empty", w.From, w.To)
	}
	return from, to, nil
}

func (w window) back() (time.Duration, error) {
	if w.Since == "" {
		return usualWindow, nil
	}
	d, err := parseDuration(w.Since)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf(`%q is not how far back; write it like "90m", "24h" or "7d"`, w.Since)
	}
	return d, nil
}

// midnight is when a day of a shop's calendar begins. A day that is none is a
// usageError.
func (a *Appliance) midnight(ctx context.Context, shop, day string) (time.Time, error) {
	zone, err := a.Engine.Zone(ctx, shop)
	if err != nil {
		return time.Time{}, err
	}
	from, _, err := report.DayBounds(day, zone)
	if err != nil {
		return time.Time{}, usageError{err}
	}
	return from, nil
}

// moment reads RFC 3339, or a day, which begins at midnight.
func moment(text string, zone *time.Location) (time.Time, error) {
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		at, _, err = report.DayBounds(text, zone)
	}
	if err != nil {
		return at, fmt.Errorf("%q is no moment; write it like 2026-11-22 or 2026-11-22T09:30:00+01:00", text)
	}
	return at.UTC(), nil
}
