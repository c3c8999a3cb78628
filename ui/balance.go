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
	mu   sync.Mutex
	kept map[string]keptBalance
}

type keptBalance struct {
	balance report.Balance
	day     time.Time // its midnight
	until   time.Time
}

// today is a shop's balance of the orders that were placed since midnight.
func (v *visit) today(ctx context.Context, shop string, midnight time.Time) (report.Balance, error) {
	b := &v.balances
	b.mu.Lock()
	defer b.mu.Unlock()
	if kept := b.kept[shop]; kept.day.Equal(midnight) && v.now.Before(kept.until) && !v.now.Before(midnight) {
		return kept.balance, nil
	}
	begun := time.Now()
	made, err := v.Server.balance(ctx, shop, midnight, v.now.Add(time.Minute)) // clocks differ
	if err != nil {
		return made, err
	}
	if b.kept == nil {
		b.kept = map[string]keptBalance{}
	}
	b.kept[shop] = keptBalance{made, midnight, v.now.Add(20 * time.Since(begun))}
	return made, nil
}

// mostMissing bounds the gaps that are looked at for a balance.
const mostMissing = 5000

// balance sums up where the orders went that were placed in [from, to). An order
// that a comparison found missing counts as missing, whatever is noted of it.
func (s *Server) balance(ctx context.Context, shop string, from, to time.Time) (report.Balance, error) {
	var b report.Balance
	gaps, err := s.Store.Gaps(ctx, store.GapFilter{Shop: shop, Kind: store.GapMissing, State: store.Live, Limit: mostMissing})
	if err != nil {
		return b, err
	}
	missing := map[int64]bool{}
	for _, g := range gaps {
		missing[g.OrderID] = true
		if g.OrderName == "" && !g.Since.Before(from) && g.Since.Before(to) { // nothing but the gap is known of it
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
