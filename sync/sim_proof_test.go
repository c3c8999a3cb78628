package ordersync

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

// Here the books are audited: what Gapless says of gaps, of how far it has
// compared, and of a day's balance, against the private ledgers.

// liveGaps are the gaps that are open or healing.
func (w *world) liveGaps() []store.Gap { return w.gaps(store.Live) }

func (w *world) gaps(state string) []store.Gap {
	gaps, err := w.proc.store.Gaps(context.Background(), store.GapFilter{State: state, Limit: 1000})
	if err != nil {
		w.fail("listing gaps: %v", err)
	}
	return gaps
}

// isPersons says that a gap stays until a person has decided: the document of an
// order that was deleted in Shopify, an order that a rule holds.
func (w *world) isPersons(g store.Gap) bool {
	if g.OrderID == 0 {
		return false
	}
	if g.State == store.GapIgnored && w.deleted(g.Key()) { // nobody is left to mend it
		return true
	}
	d := w.standing(g.Shop, g.OrderID)
	return g.Kind == store.GapOrphan && w.deleted(g.Key()) || d.State == store.StateParked && (w.deleted(g.Key()) || d.Rule != "")
}

// closedRightly is called after gaps were closed. A gap of an order closes only
// when the ERP holds what it should.
func (w *world) closedRightly() {
	closed := w.gaps(store.GapClosed)
	for _, g := range closed {
		if !g.ClosedAt.Equal(w.closed[g.ID]) {
			w.closed[g.ID] = g.ClosedAt
			w.note("gap %d, %s of order %d of %s, is closed: %s", g.ID, g.Kind, g.OrderID, g.Shop, g.HealedBy)
			w.healed(g)
		}
	}
}

func (w *world) healed(g store.Gap) {
	reference := ref(g.Shop, g.OrderID)
	if g.OrderID == 0 || w.touched[reference] || w.deleted(g.Key()) || w.mix.erpLag > waited {
		return
	}
	d, err := w.proc.store.Delivery(context.Background(), g.Key())
	if err != nil || d.State != store.StateDelivered {
		return // it has moved on meanwhile
	}
	o, err := w.proc.store.Order(context.Background(), g.Key())
	if err != nil {
		w.fail("reading an order: %v", err)
		return
	}
	if about, _, _ := strings.Cut(g.About, "/"); about > version(o.UpdatedAt) {
		w.fail("14: the gap %s of %s is about %s, and is closed at %s", g.Kind, reference, g.About, o.Version)
	}
	if n := len(w.books.ledger.Live(reference)); n != index(o.CancelledAt.IsZero()) {
		w.fail("14: the gap %s of %s is closed, and the ERP holds %d live documents", g.Kind, reference, n)
	}
}

// completeRightly is called after it was noted how far all was compared: each
// change up to there is known here, or noted as a gap, or asked for.
func (w *world) completeRightly() {
	if w.wasAhead {
		return // by its own clock it may be right
	}
	for _, m := range w.shops {
		state, err := w.proc.store.Shop(context.Background(), m.name)
		if err != nil {
			w.fail("reading a shop: %v", err)
			return
		}
		for _, told := range m.shop.Orders() {
			if told.UpdatedAt.Before(state.CompleteThrough) && !w.past[ref(m.name, told.ID)] {
				w.accountedFor(m, told, "compared")
			}
		}
	}
}

// polledRightly is called after it was noted how far a poll has come: none
// looks again at what changed before this one's window, or more than an overlap
// before the cursor, so that is known here, or noted as a gap, or asked for.
func (w *world) polledRightly(by search) {
	for _, m := range w.shops {
		state, err := w.proc.store.Shop(context.Background(), m.name)
		if err != nil {
			w.fail("reading a shop: %v", err)
			return
		}
		from, polled := w.polled[m.name]
		switch {
		case state.PollCursor.IsZero():
			continue
		case !polled:
			w.polled[m.name] = state.PolledAt.Add(-w.mix.overlap) // the first poll looks back no further
			continue
		}
		through := state.PollCursor.Add(-w.mix.overlap)
		if by.shop == m.name {
			through = later(through, by.from)
		}
		for _, told := range m.shop.Orders() {
			if told.UpdatedAt.Before(through) && !told.UpdatedAt.Before(from) && !w.past[ref(m.name, told.ID)] {
				w.accountedFor(m, told, "polled")
			}
		}
	}
}

// accountedFor says that a change is known, or noted as a gap, or asked for, as
// it must be once it counts as looked at.
func (w *world) accountedFor(m *mall, told shopifytest.Snapshot, looked string) {
	k := store.OrderKey{Shop: m.name, ID: told.ID}
	o, err := w.proc.store.Order(context.Background(), k)
	if err == nil && !o.UpdatedAt.Before(told.UpdatedAt.Truncate(time.Second)) {
		return
	}
	for _, g := range w.gaps("") {
		if g.Key() == k && g.State != store.GapClosed {
			return
		}
	}
	if w.awaited() {
		return
	}
	w.fail("15: all is said to be %s, and nothing is known of the change of %s at %s", looked, told.Name, told.UpdatedAt)
}

// audit has the three sides compared once all is at rest, twice: the comparison
// agrees with the ledgers, and finds nothing but what a person must decide; and
// the second one changes nothing.
func (w *world) audit() {
	if w.failure != "" {
		return
	}
	if w.mix.erpLag > waited { // longer than the config tells: what was written last is shown by then
		w.until(w.now.Add(w.mix.erpLag), func() bool { return false })
	}
	before := w.writes()
	for _, again := range []bool{false, true} {
		for _, m := range w.shops {
			w.compared(m, again)
		}
	}
	if n := w.writes(); n > before {
		w.fail("9: two comparisons led to %d writes", n-before)
	}
}

func (w *world) compared(m *mall, again bool) {
	var r Reconciliation
	var err error
	for heard := -1; heard != len(w.acknowledged) && w.failure == ""; { // a late webhook that comes meanwhile ends the rest
		w.until(w.now.Add(calmTime), func() bool { return w.unrest() == "" }) // the clock may be comparing, too
		heard = len(w.acknowledged)
		r, err = w.comparison(m)
	}
	switch {
	case w.failure != "":
	case err != nil:
		w.fail("the comparison at rest: %v", err)
	case !r.Balanced():
		w.fail("16: at rest the comparison of %s finds %v: %+v, %v", m.name, r.Faults, r.Balance, r.Notes)
	case again && r.Opened > 0 && !w.heardOfDeleted(m):
		w.fail("9: the second comparison of %s opens %d gaps: %v", m.name, r.Opened, r.Faults)
	default:
		w.agrees(m, r)
	}
	for _, g := range w.liveGaps() {
		if !w.isPersons(g) {
			w.fail("16: at rest a comparison finds %s of order %d of %s: %s", g.Kind, g.OrderID, g.Shop, g.Detail)
		}
	}
}

// comparison has a shop compared by somebody who waits until all that changed counts.
func (w *world) comparison(m *mall) (r Reconciliation, err error) {
	done := false
	w.in(w.mix.settle+time.Minute, func() {
		w.spawn(w.proc, "audit", func(*task) {
			r, err = w.proc.engine.Reconcile(w.proc.calls, m.name, deepPass(w.clock()))
		}, func() { done = true })
	})
	if !w.until(w.now.Add(time.Hour), func() bool { return done }) {
		w.fail("13: a comparison does not end")
	}
	return r, err
}

// heardOfDeleted says that a late webhook has told of an order that is gone from its
// shop: a person decides about the document that was made of it.
func (w *world) heardOfDeleted(m *mall) bool {
	return slices.ContainsFunc(w.liveGaps(), func(g store.Gap) bool { return g.Shop == m.name && g.Kind == store.GapOrphan && w.isPersons(g) })
}

// agrees holds a balance against the ledgers.
func (w *world) agrees(m *mall, r Reconciliation) {
	var shop, books, cancelled int64
	for _, told := range m.shop.Orders() {
		if w.unknownPast(m, told) {
			continue
		}
		shop++
		switch n := len(w.books.ledger.Live(ref(m.name, told.ID))); {
		case n == 1:
			books++
		case told.Cancelled && w.rule(m.tells(told)) == nil:
			cancelled++
		}
	}
	b := r.Balance
	before := int64(0)
	for _, e := range r.ByRule {
		if e.Rule == ruleBefore {
			before = e.Tally.Orders
		}
	}
	if b.Shopify.Orders-before != shop || b.ERP.Orders+b.Parked.Orders < books || b.Cancelled.Orders != cancelled {
		w.fail("16: the balance of %s tells of %d orders, %d in the ERP and %d cancelled; the ledgers of %d, %d and %d", m.name, b.Shopify.Orders-before, b.ERP.Orders, b.Cancelled.Orders, shop, books, cancelled)
	}
}

// unknownPast says that an order was placed before Gapless began, and that
// nothing has brought it to its notice since.
func (w *world) unknownPast(m *mall, told shopifytest.Snapshot) bool {
	if !w.past[ref(m.name, told.ID)] {
		return false
	}
	_, err := w.proc.store.Order(context.Background(), store.OrderKey{Shop: m.name, ID: told.ID})
	return err != nil
}

// placedBefore lets the shops have orders from before Gapless begins.
func (w *world) placedBefore() {
	began := w.now
	w.now = began.Add(-48 * time.Hour)
	for _, m := range w.shops {
		for range w.mix.past {
			m.shop.Create()
		}
		for _, told := range m.shop.Orders() {
			w.past[ref(m.name, told.ID)] = true
		}
	}
	w.now = began
}

// bringIn has the orders of the past brought in.
func (w *world) bringIn() {
	if !w.up() {
		return
	}
	m := one(w.rand, w.shops)
	from := w.mix.start.Add(-one(w.rand, []time.Duration{72 * time.Hour, 73 * time.Hour, 74 * time.Hour})) // asked for again, or with other days
	w.note("a backfill of %s", m.name)
	w.operate("operator", func(ctx context.Context) error {
		_, err := w.proc.engine.StartBackfill(ctx, m.name, from, w.clock(), "operator")
		return err
	})
}

// broughtInWhole holds invariant 20 once a backfill says that it is done: every
// order of the past that the shop still has is known, or about to be.
func (w *world) broughtInWhole() {
	runs, err := w.proc.store.Runs(context.Background(), store.RunFilter{Kind: store.RunBackfill, State: store.RunDone, Limit: 1000})
	if err != nil {
		w.fail("reading runs: %v", err)
	}
	for _, r := range runs {
		name := fmt.Sprint(r.ID, " of ", r.StartedAt)
		if w.broughtIn[name] {
			continue
		}
		w.broughtIn[name] = true
		m := w.mallOf(r.Shop)
		for _, told := range m.shop.Orders() {
			if w.unknownPast(m, told) && !w.awaited() {
				w.fail("20: backfill %s is done, and nothing is known of %s", name, told.Name)
			}
		}
	}
}

// awaited says that something is asked for or was told, and is not stored as an order yet.
func (w *world) awaited() bool {
	st, err := w.proc.store.Stats(context.Background(), w.clock())
	return err == nil && st.Refetching+st.PendingEvents > 0
}

// mendGap replays a gap, or has it ignored.
func (w *world) mendGap() {
	if !w.up() {
		return
	}
	live := w.liveGaps()
	if len(live) == 0 {
		return
	}
	g := one(w.rand, live)
	reference := ref(g.Shop, g.OrderID)
	if w.chance(0.3) {
		w.note("gap %d is ignored", g.ID)
		w.operate("operator", func(ctx context.Context) error { return w.proc.engine.IgnoreGap(ctx, g.ID, "operator", "I know of it") })
		return
	}
	if g.OrderID != 0 && !w.sure(reference) {
		return
	}
	w.replayGap(g)
}

// mendOrphan replays a gap of an order that is deleted in Shopify.
func (w *world) mendOrphan() {
	if !w.up() {
		return
	}
	orphans := slices.DeleteFunc(w.liveGaps(), func(g store.Gap) bool { return g.Kind != store.GapOrphan })
	if len(orphans) > 0 {
		w.replayGap(one(w.rand, orphans))
	}
}

func (w *world) replayGap(g store.Gap) {
	w.note("gap %d is replayed", g.ID)
	w.operate("operator", func(ctx context.Context) error {
		_, err := w.proc.engine.ReplayGaps(ctx, []int64{g.ID}, "operator")
		return err
	})
}

// compareAll has everything compared, as somebody would who comes back after
// trouble: what was deleted in the ERP of older orders is found once a day only.
func (w *world) compareAll() { w.compare(true) }

// compareOnly has everything compared by somebody who wants to know, and nothing mended.
func (w *world) compareOnly() { w.compare(false) }

func (w *world) compare(heal bool) {
	for _, m := range w.shops {
		w.operate("operator", func(ctx context.Context) error {
			pass := deepPass(w.clock())
			pass.Heal = heal
			_, err := w.proc.engine.Reconcile(ctx, m.name, pass)
			return err
		})
	}
}

// pollNow has every shop polled by somebody who does not want to wait.
func (w *world) pollNow() {
	for _, m := range w.shops {
		w.operate("operator", func(ctx context.Context) error {
			_, err := w.proc.engine.Poll(ctx, m.name)
			return err
		})
	}
}

// unignore has gaps replayed that somebody had ignored.
func (w *world) unignore() {
	for _, g := range w.gaps(store.GapIgnored) {
		if w.isPersons(g) || g.OrderID != 0 && !w.sure(ref(g.Shop, g.OrderID)) {
			continue
		}
		w.replayGap(g)
	}
}
