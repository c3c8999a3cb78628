package ordersync

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gapless/erp/erptest"
	"gapless/store"
)

// calmDown ends all faults. What is under way still lands, late webhooks still
// come, and people mend what is theirs to mend.
func (w *world) calmDown() {
	if w.failure != "" {
		return
	}
	w.note("calm")
	w.calm = true
	w.books.down = time.Time{}
	for _, m := range w.shops {
		m.down = time.Time{}
	}
	w.in(latestLate+2*patience, func() {
		w.setClock(0)
		w.mend()
	})
}

// converged says that all is at rest, and was looked at since people began to mend.
func (w *world) converged() bool {
	if w.mended < w.rounds() || w.now.Before(w.lookAgain) {
		return false
	}
	w.lookAgain = w.now.Add(time.Minute)
	return w.unrest() == ""
}

// unrest says what is still under way, or "".
func (w *world) unrest() string {
	if w.proc.dead {
		return "Gapless is down"
	}
	for _, m := range w.shops {
		if w.looked[m.name] < 2 {
			return m.name + " is not polled"
		}
	}
	for _, reference := range slices.Sorted(maps.Keys(w.unverified)) {
		return reference + " waits for its replay"
	}
	st, err := w.proc.store.Stats(context.Background(), w.clock())
	if err != nil {
		return err.Error()
	}
	moving := st.PendingEvents + st.Refetching + st.States[store.StateDue] + st.States[store.StateSending] + st.States[store.StateUnknown]
	if moving > 0 {
		return fmt.Sprintf("%d events to decide, %d orders to fetch, deliveries %v", st.PendingEvents, st.Refetching, st.States)
	}
	for _, v := range w.parked() {
		return fmt.Sprintf("%s is parked: %s", v.Name, v.Delivery.Reason)
	}
	for _, g := range append(w.liveGaps(), w.gaps(store.GapIgnored)...) {
		if !w.isPersons(g) {
			return fmt.Sprintf("gap %d, %s of order %d of %s, is %s: %s", g.ID, g.Kind, g.OrderID, g.Shop, g.State, g.Detail)
		}
	}
	if runs, err := w.proc.store.Runs(context.Background(), store.RunFilter{State: store.RunRunning, Limit: 1}); err != nil || len(runs) > 0 {
		return fmt.Sprintf("runs are under way: %v, %v", runs, err)
	}
	return ""
}

// aftermath lets the latest webhooks come, and has everything verified again:
// nothing may change by either.
func (w *world) aftermath() {
	if w.failure != "" {
		return
	}
	w.note("aftermath")
	w.finished, w.mix.poll = true, 6*time.Hour
	before, held := w.writes(), w.held()
	quiet := func() bool { return !w.expecting() && len(w.tasks) == 0 && w.unrest() == "" }
	if !w.until(w.now.Add(48*time.Hour), quiet) {
		w.fail("13: still not at rest: %s, %d tasks, webhooks to come: %v", w.unrest(), len(w.tasks), w.expecting())
	}
	if n := w.writes(); n > before {
		w.fail("9: late webhooks led to %d writes more", n-before)
	}
	w.replayAll()
	if !w.until(w.now.Add(calmTime), quiet) {
		w.fail("13: not at rest after all was replayed: %s", w.unrest())
	}
	if is, was := w.standings(w.held()), w.standings(held); is != was && w.failure == "" {
		w.fail("9: a replay of everything changed the ERP: %s", differing(is, was))
	}
	w.durable()
}

// expecting says whether webhooks are still to come.
func (w *world) expecting() bool {
	for _, m := range w.shops {
		if _, waits := m.shop.NextDue(); waits {
			return true
		}
	}
	return false
}

// parked are the orders that wait for a person, those aside that a rule holds.
func (w *world) parked() (all []store.OrderView) {
	views, err := w.proc.store.Orders(w.proc.calls, store.OrderFilter{State: store.StateParked, Limit: 1000})
	if err != nil {
		w.fail("listing parked orders: %v", err)
	}
	for _, v := range views {
		if v.Delivery.Rule == "" && !w.deleted(v.OrderKey) {
			all = append(all, v)
		}
	}
	return all
}

// writes counts what took effect in the ERP, for orders that the shops still
// have, and of buyers who are not to be forgotten: these are sent once more.
func (w *world) writes() (n int) {
	for _, m := range w.shops {
		for _, told := range m.shop.Orders() {
			if w.isForgotten(m, m.tells(told)) {
				continue
			}
			for _, d := range w.books.ledger.Documents(ref(m.name, told.ID)) {
				n += len(d.Writes)
			}
		}
	}
	return n
}

// standings is what the ERP holds of them, as text. What is cancelled has no
// content that counts; what a replay sends of somebody who was to be forgotten no
// longer names them.
func (w *world) standings(documents map[string][]erptest.Document) string {
	var b strings.Builder
	for _, m := range w.shops {
		for _, told := range m.shop.Orders() {
			for _, d := range documents[ref(m.name, told.ID)] {
				worth, content := d.Total.String()+" "+d.Currency, w.books.holds(d)
				switch {
				case d.Cancelled: // and nobody reads it any more
					worth, content = "", ""
				case w.isForgotten(m, m.tells(told)):
					content = ""
				}
				fmt.Fprintln(&b, d.Ref, d.ID, d.Cancelled, worth, content)
			}
		}
	}
	return b.String()
}

// held are the documents of the orders that the shops still have. What becomes
// of one that was deleted there, a person must decide.
func (w *world) held() map[string][]erptest.Document {
	all := w.books.ledger.All()
	for _, m := range w.shops {
		for _, id := range m.shop.Deleted() {
			delete(all, ref(m.name, id))
		}
	}
	return all
}
