package ordersync

import (
	"context"
	"fmt"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// Here are the days of a shop's own calendar; report.DayBounds says what a day is.

// Yesterday is the day of a shop's own calendar that ended last.
func (e *Engine) Yesterday(ctx context.Context, shop string) (day string, err error) {
	zone, err := e.Zone(ctx, shop)
	if err != nil {
		return "", err
	}
	return report.DateOf(e.now().In(zone)).AddDate(0, 0, -1).Format(time.DateOnly), nil
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

// zone is the shop's, by which the order is dated. A shop is asked for it once;
// where it can't tell yet, its orders wait: a date would not be corrected later.
func (a *attempt) zone() (*time.Location, *store.Settle) {
	const patience, again = 20 * time.Second, time.Minute // well within the lease
	ctx, cancel := context.WithTimeout(a.stop, patience)
	defer cancel()
	zone, err := a.engine.Zone(ctx, a.claim.Shop)
	switch {
	case err == nil:
		return zone, nil
	case a.stop.Err() != nil:
		return nil, a.putBack("")
	}
	s := a.putBack("its date is not known before the shop's time zone is: " + err.Error())
	s.NextAt = a.engine.now().Add(a.engine.backoff(0, again, again))
	return nil, s
}

// dayOf is a shop's time zone, and when one of its days begins and ends.
func (e *Engine) dayOf(ctx context.Context, shop, day string) (zone *time.Location, from, to time.Time, err error) {
	if zone, err = e.Zone(ctx, shop); err == nil {
		from, to, err = report.DayBounds(day, zone)
	}
	return zone, from, to, err
}
