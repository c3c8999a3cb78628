package ordersync

import (
	"context"
	"fmt"
	"slices"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// mostNamed is how many orders of a day that were cancelled are told one by one.
const mostNamed = 20

// afterwards is what has become of a day's orders since it is final.
type afterwards struct {
	known     report.Tally   // those that were known then and are still in Shopify, by what they are worth now
	changed   time.Time      // when Shopify last changed one of them since; zero: it did not
	cancelled []store.Placed // in Shopify since
	onTheWay  bool           // some are, or did not arrive
	arrived   int64          // those that have come to rest since
	rested    time.Time      // when the last one did that was on the way then
}

func (e *Engine) afterwards(ctx context.Context, r report.Report) (a afterwards, err error) {
	err = e.store.Placed(ctx, r.Shop, r.From, r.To, r.FrozenAt, func(o store.Placed) { a.take(o, r.FrozenAt) })
	slices.SortFunc(a.cancelled, func(a, b store.Placed) int { return a.CancelledAt.Compare(b.CancelledAt) })
	return a, err
}

// take takes an order in. What one is worth that was not known then makes no
// difference: its gap tells of it.
func (a *afterwards) take(o store.Placed, final time.Time) {
	known := !o.FirstSeenAt.After(final)
	if at := later(o.UpdatedAt, o.DeletedAt); known && at.After(final) {
		a.changed = later(a.changed, at)
	}
	a.onTheWay = a.onTheWay || o.OnTheWay
	if !o.DeletedAt.IsZero() {
		return
	}
	if known {
		add(&a.known, o.Currency, amountOf(o.Total))
	}
	if o.CancelledAt.After(final) {
		a.cancelled = append(a.cancelled, o)
	}
	if o.RestedAt.IsZero() || o.RestedAt.After(final) {
		a.arrived++
	}
	a.rested = later(a.rested, o.RestedAt)
}

// amendments tells in words what has become of the orders of a frozen report.
func (a afterwards) amendments(r report.Report) (all []report.Amendment) {
	tell := func(at time.Time, what string) {
		all = append(all, report.Amendment{At: later(at, r.FrozenAt), What: what})
	}
	if !a.changed.IsZero() { // else a change of before was heard late
		for _, what := range a.known.Revalued(*r.Known) {
			tell(a.changed, what)
		}
	}
	for _, o := range a.cancelled[:min(len(a.cancelled), mostNamed)] {
		tell(o.CancelledAt, o.Name+" was cancelled in Shopify")
	}
	if more := len(a.cancelled) - mostNamed; more > 0 {
		tell(a.cancelled[len(a.cancelled)-1].CancelledAt, fmt.Sprintf("cancelled in Shopify, too: %d more orders of this day", more))
	}
	// Of a change that only Shopify's list told of, its order rested here.
	if pending := r.Balance.Pending.Orders; pending > 0 && !a.onTheWay && a.arrived >= pending {
		tell(a.rested, "what was on the way when the day became final has arrived")
	}
	return all
}
