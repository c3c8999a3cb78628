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

// people is what the operator and the ERP's office have in mind.
type people struct {
	mended    int            // rounds of mending
	looked    map[string]int // polls of each shop since the first
	lookAgain time.Time
	// unverified are the references whose document somebody changed in the ERP,
	// or that were last decided under other rules.
	unverified map[string]bool
	finished   bool // nothing is left to mend
}

// mend does what only people can: articles are entered into the ERP, orders that
// somebody changed there are verified, as are all after new rules, and what is
// parked is replayed once no earlier call can take effect any more.
func (w *world) mend() {
	if w.finished {
		return
	}
	w.in(10*time.Minute, w.mend)
	if !w.up() || len(w.proc.cycles) == 0 {
		return
	}
	if w.mended++; w.mended == 1 {
		clear(w.looked)
	}
	w.books.unknown = ""
	for _, m := range w.shops {
		for _, id := range m.shop.Deleted() { // it stays as it is
			delete(w.unverified, ref(m.name, id))
		}
	}
	for _, m := range w.shops {
		for _, told := range m.shop.Orders() {
			if w.unknownPast(m, told) {
				delete(w.unverified, ref(m.name, told.ID))
			}
		}
	}
	for _, v := range w.known() {
		reference := ref(v.Shop, v.ID)
		parked := v.Delivery.State == store.StateParked && v.Delivery.Rule == "" && !w.deleted(v.OrderKey)
		if (parked || w.unverified[reference]) && w.sure(reference) {
			w.operate("operator", func(ctx context.Context) error {
				moved, err := w.proc.engine.Replay(ctx, []store.OrderKey{v.OrderKey}, "operator")
				if moved > 0 {
					delete(w.unverified, reference)
				}
				return err
			})
		}
	}
	if w.mended == 1 || w.mended == w.rounds()-1 {
		w.compareAll()
	}
	w.unignore()
	w.askAgain()
	if w.mended == 1 && w.mix.past > 0 && w.chance(0.5) {
		w.bringIn()
	}
}

// rounds is how often people look after trouble: all that Gapless wrote by a clock
// that was ahead, or that the ERP may not show yet, is compared by then.
func (w *world) rounds() int {
	if w.wasAhead || w.mix.erpLag > waited {
		return 10
	}
	return 4
}

// deleted says whether an order is gone from its shop.
func (w *world) deleted(k store.OrderKey) bool {
	return slices.Contains(w.mallOf(k.Shop).shop.Deleted(), k.ID)
}

// askAgain has orders fetched of which Shopify has kept fields back, now that it
// keeps none back.
func (w *world) askAgain() {
	var asked []store.Refetch
	for _, k := range slices.SortedFunc(maps.Keys(w.withheld), func(a, b store.OrderKey) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }) {
		asked = append(asked, store.Refetch{OrderKey: k, Reason: "operator", AskedAt: w.clock(), NextAt: w.clock()})
	}
	clear(w.withheld)
	if len(asked) > 0 {
		w.operate("operator", func(ctx context.Context) error { return w.proc.store.AskAgain(ctx, asked...) })
	}
}

// sure says that a person who looks into the ERP sees what there is, and that
// no call for the reference is under way that may yet take effect.
func (w *world) sure(reference string) bool {
	if w.books.mayLand(reference) {
		return false
	}
	return !slices.ContainsFunc(w.books.ledger.Documents(reference), func(d erptest.Document) bool {
		return w.now.Sub(d.CreatedAt) < w.mix.erpLag
	})
}

// operate lets somebody do something in Gapless.
func (w *world) operate(who string, do func(context.Context) error) {
	p := w.proc
	if !w.up() {
		return
	}
	w.spawn(p, who, func(*task) { p.tell(do(p.calls)) }, nil)
}

// known are all orders that Gapless knows.
func (w *world) known() []store.OrderView {
	views, err := w.proc.store.Orders(context.Background(), store.OrderFilter{Limit: 1000})
	if err != nil {
		w.fail("listing orders: %v", err)
	}
	return views
}

// replayAll replays everything but what is parked: of that a person would first
// have to make sure.
func (w *world) replayAll() {
	if !w.up() {
		return
	}
	var keys []store.OrderKey
	for _, v := range w.known() {
		if v.Delivery.State != store.StateParked {
			keys = append(keys, v.OrderKey)
		}
	}
	w.operate("operator", func(ctx context.Context) error {
		_, err := w.proc.engine.Replay(ctx, keys, "operator")
		return err
	})
}
