package ui

import (
	"context"
	"sync"
	"time"

	"github.com/shopspring/decimal"

	"gapless/store"
	"gapless/sync/report"
)

// balances are the balances of today by shop, as far as is known here. Each is
// kept for a little while: twenty times as long as it took to make, so that a
// busy day costs little however many look at it.
type balances struct {
	mu      sync.Mutex
	kept    map[string]keptBalance
	warm    bool          // KeepWarm makes them anew
	changed bool          // something did since they were begun
	wanted  chan struct{} // asks KeepWarm for them
}

type keptBalance struct {
	balance  report.Balance
	midnight time.Time // of its day
	made     time.Time
	until    time.Time
}

// How often KeepWarm makes the figures of the overview anew at most and, where
// nobody looks, at least; and how old one may be that is shown meanwhile.
const (
	warmPause = 500 * time.Millisecond
	warmEvery = time.Minute
	warmFor   = 2 * warmEvery
)

// KeepWarm makes what the overview shows of today until ctx ends, so that nobody
// waits for it: what takes longest grows with the orders of the day.
func (s *Server) KeepWarm(ctx context.Context) {
	changes, cancel := s.Store.Watch(store.Deliveries | store.Gaps)
	defer cancel()
	b := &s.balances
	b.set(func() { b.warm = true })
	defer b.set(func() { b.warm = false })
	for ctx.Err() == nil {
		select {
		case <-changes:
		default:
		}
		switch err := s.warmUp(ctx); {
		case err == nil:
			b.set(func() { b.changed = false }) // what came meanwhile stands in changes
		case ctx.Err() == nil:
			s.Log.Warn("the figures of the overview could not be made ahead", "err", err)
		}
		b.wait(ctx, changes)
	}
}

func (b *balances) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

// wait ends when somebody wants to see balances that have changed, or after a while.
func (b *balances) wait(ctx context.Context, changes <-chan struct{}) {
	again, pause := time.NewTimer(warmEvery), time.NewTimer(warmPause)
	defer again.Stop()
	defer pause.Stop()
	var wanted chan struct{} // nobody is listened to at first
	for {
		select {
		case <-changes:
			b.set(func() { b.changed = true })
		case <-pause.C:
			wanted = b.wanted
		case <-wanted:
			return
		case <-again.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

func (s *Server) warmUp(ctx context.Context) error {
	if _, err := s.hours(ctx); err != nil {
		return err
	}
	for _, name := range s.Shops {
		shop, err := s.Store.Shop(ctx, name)
		if err != nil {
			return err
		}
		now := s.Now()
		if _, err := s.makeBalance(ctx, name, clockOf(shop, now).midnight(), now); err != nil {
			return err
		}
	}
	return nil
}

// today is a shop's balance of the orders that were placed since midnight. One
// that is old, with the time it is of, is being made anew: whoever looks again in a
// second sees that.
func (v *visit) today(ctx context.Context, shop string, midnight time.Time) (today report.Balance, old time.Time, err error) {
	b := &v.balances
	b.mu.Lock()
	kept, warm, changed := b.kept[shop], b.warm, b.changed
	b.mu.Unlock()
	switch {
	case !kept.midnight.Equal(midnight) || v.now.Before(midnight):
	case warm && v.now.Before(kept.made.Add(warmFor)):
		if changed {
			b.want()
			old = kept.made
		}
		return kept.balance, old, nil
	case v.now.Before(kept.until):
		return kept.balance, old, nil
	}
	today, err = v.makeBalance(ctx, shop, midnight, v.now)
	return today, old, err
}

func (b *balances) want() {
	select {
	case b.wanted <- struct{}{}:
	default: // they are wanted already
	}
}

func (s *Server) makeBalance(ctx context.Context, shop string, midnight, now time.Time) (report.Balance, error) {
	begun := time.Now()
	made, err := s.balance(ctx, shop, midnight, now.Add(time.Minute)) // clocks differ
	if err != nil {
		return made, err
	}
	b := &s.balances
	b.mu.Lock()
	defer b.mu.Unlock()
	b.kept[shop] = keptBalance{made, midnight, now, now.Add(20 * time.Since(begun))}
	return made, nil
}

// balance sums up where the orders went that were placed in [from, to). An order
// that a comparison found missing counts as missing, whatever is noted of it.
func (s *Server) balance(ctx context.Context, shop string, from, to time.Time) (report.Balance, error) {
	var b report.Balance
	gaps, err := s.Store.MissingOrders(ctx, shop)
	if err != nil {
		return b, err
	}
	missing := map[int64]bool{}
	for _, g := range gaps {
		missing[g.ID] = true
		if !g.Known && !g.Since.Before(from) && g.Since.Before(to) { // nothing but the gap is known of it
			b.Shopify.Orders++
			b.Missing.Orders++
		}
	}
	err = s.Store.DayOrders(ctx, shop, from, to, func(o store.DayOrder) { count(&b, o, missing[o.ID]) })
	return b, err
}

func count(b *report.Balance, o store.DayOrder, missing bool) {
	total := amount(o.Total)
	add(&b.Shopify, o.Currency, total)
	switch {
	case missing:
		add(&b.Missing, o.Currency, total)
	case o.State == store.StateExcluded:
		add(&b.Excluded, o.Currency, total)
	case o.State == store.StateParked:
		add(&b.Parked, o.Currency, total)
	case o.Cancelled && (o.State == store.StateDelivered || !o.Present):
		add(&b.Cancelled, o.Currency, total)
	case o.State == store.StateDelivered:
		there := total
		if o.ERPTotal != "" {
			there = amount(o.ERPTotal)
		}
		add(&b.ERP, o.Currency, there)
	default:
		add(&b.Pending, o.Currency, total)
	}
}

func add(t *report.Tally, currency string, amount decimal.Decimal) {
	t.Orders++
	t.Add(currency, amount)
}

// amount reads money; what can't be read counts as nothing, and so shows as a
// difference.
func amount(text string) decimal.Decimal {
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Zero
	}
	return d
}
