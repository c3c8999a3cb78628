package ordersync

import (
	"context"
	"slices"
	"strings"
	"time"

	"gapless/erp"
	"gapless/store"
)

// Here each settlement of a delivery, and each end of a question to Shopify, is
// held against what is so.

// settlesRightly is called after an attempt has settled its delivery.
func (t *task) settlesRightly(d store.Delivery) {
	switch d.State {
	case store.StateParked:
		t.parksForGood(d)
		t.restsAtNewest(d, t.claim.Order.Version)
	case store.StateExcluded:
		t.restsAtNewest(d, t.claim.Order.Version)
		t.isSo(0)
		t.staysSo()
		t.books.leftOut(t.reference())
	case store.StateDelivered:
		t.restsAtNewest(d, d.Held)
		t.isSo(index(t.claim.Order.CancelledAt.IsZero()))
	default:
		t.waitsBriefly(d)
	}
}

// parksForGood holds invariant 6: only what a person must decide parks. What
// passes by itself is tried again, for ever.
func (t *task) parksForGood(d store.Delivery) {
	if d.Rule != "" {
		return
	}
	// A document was refused, or somebody has changed it in the ERP, or only a
	// person can tell whether it is there, or Shopify does not tell of its version.
	person := t.refused || t.touched[t.reference()] || t.mix.tier == erp.TierC || strings.Contains(d.Reason, "newer version")
	if !person {
		t.fail("6: %s is parked for something that passes: %s", t.reference(), d.Reason)
	}
}

// restsAtNewest holds invariant 17: a delivery comes to rest with the version that
// is wanted, not with an older one.
func (t *task) restsAtNewest(d store.Delivery, with string) {
	if d.Wanted != with {
		t.fail("17: %s is %s with %s, and %s is wanted", t.reference(), d.State, with, d.Wanted)
	}
}

// isSo holds invariant 17: the ERP holds as many live documents as a delivery that
// comes to rest says. In tier C it may not show, and people have their own will.
func (t *task) isSo(live int) {
	if n := len(t.books.ledger.Live(t.reference())); n != live && t.mix.tier != erp.TierC && !t.touched[t.reference()] {
		t.fail("17: %s is %s, and the ERP holds %d live documents", t.reference(), t.delivery().State, n)
	}
}

// staysSo holds invariant 17: an order is not called left out while a call may still
// make its document. The late call of one that is cancelled in Shopify, too, makes
// what is there already.
func (t *task) staysSo() {
	if t.books.mayLand(t.reference()) && t.claim.Order.CancelledAt.IsZero() {
		t.fail("17: %s is left out, and a call for it may still take effect", t.reference())
	}
}

// waitsBriefly holds invariant 13: no delivery waits longer than the longest
// backoff, the ERP's longest request, or what the ERP asked for within an hour.
func (t *task) waitsBriefly(d store.Delivery) {
	most := max(waited, retryMax, min(t.toldWait, longestRetryAfter))
	if wait := d.NextAt.Sub(t.clock()); wait > most+time.Second && !t.clockSet {
		t.fail("13: %s waits for %s: %s", t.reference(), wait, d.Reason)
	}
}

// remembersCalls holds invariant 8: of a call that nobody waits for, and that may
// still take effect, the store knows.
func (w *world) remembersCalls() {
	if w.books.underway() == 0 {
		return
	}
	for _, v := range w.known() {
		if !w.books.mayLand(ref(v.Shop, v.ID)) {
			continue
		}
		if d := w.standing(v.Shop, v.ID); d.State != store.StateSending && d.Ghost == "" {
			w.fail("8: a call for %s, which is %s, may still take effect, and nobody knows of it", ref(v.Shop, v.ID), d.State)
		}
	}
}

// asked is how often the order of a fetch is asked for; 0: it is not.
func (t *task) asked() int64 {
	if t.asks == nil {
		return 0
	}
	all, err := t.proc.store.DueRefetches(context.Background(), t.asks.Shop, t.clock().AddDate(1, 0, 0), 1000)
	if err != nil {
		t.fail("reading what is asked for: %v", err)
	}
	if i := slices.IndexFunc(all, func(r store.Refetch) bool { return r.OrderKey == t.asks.OrderKey }); i >= 0 {
		return all[i].Asked
	}
	return 0
}

// endsRightly holds invariant 18: a question ends with an answer that was asked for
// after it, or with the order.
func (t *task) endsRightly(step string) {
	switch {
	case t.asks == nil || t.asked() > 0:
	case t.doubts > t.asks.Asked:
		t.fail("18: a doubt about %s that came during a fetch ends with the older answer", ref(t.asks.Shop, t.asks.ID))
	case step == "DropRefetch" && !t.deleted(t.asks.OrderKey):
		t.fail("18: %s is asked for no more, and there was no answer", ref(t.asks.Shop, t.asks.ID))
	}
}

// foundRightly holds invariant 19: a gap calls only those orders deleted that are.
func (w *world) foundRightly() {
	for _, g := range w.liveGaps() {
		if g.Cause == CauseDeleted && !w.deleted(g.Key()) {
			w.fail("19: a gap calls order %d of %s deleted, and it is not: %s", g.OrderID, g.Shop, g.Detail)
		}
	}
}
