package ordersync

import (
	"context"
	"maps"
	"slices"
	"strings"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// judge compares the private ledgers of both sides, once all is at rest.
func (w *world) judge() {
	if w.failure != "" {
		return
	}
	documents := w.held()
	for _, m := range w.shops {
		for _, told := range m.shop.Orders() {
			reference := ref(m.name, told.ID)
			w.judgeOrder(m, told, documents[reference])
			delete(documents, reference)
		}
	}
	for _, reference := range slices.Sorted(maps.Keys(documents)) {
		w.fail("2: the ERP holds %s, and no shop has such an order", reference)
	}
	w.durable()
}

// judgeOrder holds invariants 2, 3 and 6 for one order.
func (w *world) judgeOrder(m *mall, told shopifytest.Snapshot, documents []erptest.Document) {
	reference, order := ref(m.name, told.ID), m.tells(told)
	rule := w.rule(order)
	live := slices.DeleteFunc(slices.Clone(documents), func(d erptest.Document) bool { return d.Cancelled })
	held := rule != nil && rule.Then == erp.Hold
	if want := index(rule == nil && !told.Cancelled); len(live) != want && !(held && len(live) < 2) {
		w.fail("2: %d live documents for %s (cancelled %v, rule %v), want %d", len(live), reference, told.Cancelled, rule, want)
	}
	if d := w.standing(m.name, told.ID); d.State != store.StateDelivered && d.State != store.StateExcluded && !(held && d.State == store.StateParked) {
		w.fail("6: %s is %s at rest: %s", reference, d.State, d.Reason)
	}
	if rule == nil && len(documents) > 0 {
		w.judgeContent(reference, told, order, documents[len(documents)-1])
	}
}

// judgeContent compares what the ERP holds with what Shopify tells.
func (w *world) judgeContent(reference string, told shopifytest.Snapshot, order *shopify.Order, d erptest.Document) {
	if d.Total.String() != told.Total || d.Currency != told.Currency || d.Cancelled != told.Cancelled {
		w.fail("3: the ERP holds %s at %s %s, cancelled %v; Shopify tells %s %s, %v", reference, d.Total, d.Currency, d.Cancelled, told.Total, told.Currency, told.Cancelled)
	}
	shop, _, _ := strings.Cut(reference, "-")
	document, err := neutral(shop, order)
	if err != nil {
		w.fail("3: %s: %v", reference, err)
		return
	}
	want, err := w.books.adapter.Map(document)
	if err != nil {
		w.fail("3: %s: %v", reference, err)
		return
	}
	if got := w.books.holds(d); got != withoutVersion(want) {
		w.fail("3: the ERP holds version %s of %s and the newest is %s: %s", d.Version, reference, order.Content().Version, differing(got, withoutVersion(want)))
	}
}

// differing are the lines that two texts don't share.
func differing(got, want string) string {
	var lines []string
	has, should := strings.Split(got, "\n"), strings.Split(want, "\n")
	for _, l := range has {
		if !slices.Contains(should, l) {
			lines = append(lines, "has "+l)
		}
	}
	for _, l := range should {
		if !slices.Contains(has, l) {
			lines = append(lines, "should have "+l)
		}
	}
	return strings.Join(lines, "; ")
}

// standing is the delivery of an order as Gapless sees it.
func (w *world) standing(shop string, id int64) store.Delivery {
	d, err := w.proc.store.Delivery(context.Background(), store.OrderKey{Shop: shop, ID: id})
	if err != nil {
		return store.Delivery{State: "not known", Reason: err.Error()}
	}
	return d
}
