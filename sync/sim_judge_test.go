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
			if w.unknownPast(m, told) {
				continue
			}
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
		w.judgeContent(m, told, order, documents[len(documents)-1])
	}
	w.judgePrivacy(m, told, order)
}

// judgeContent compares what the ERP holds with what Shopify tells. Of somebody
// who was to be forgotten, now or before a restore, the ERP may have what it was
// given before, or since.
func (w *world) judgeContent(m *mall, told shopifytest.Snapshot, order *shopify.Order, d erptest.Document) {
	if d.Total.String() != told.Total || d.Currency != told.Currency || d.Cancelled != told.Cancelled {
		w.fail("3: the ERP holds %s at %s %s, cancelled %v; Shopify tells %s %s, %v", d.Ref, d.Total, d.Currency, d.Cancelled, told.Total, told.Currency, told.Cancelled)
	}
	got, want := w.books.holds(d), w.document(m, order)
	forgotten := w.isForgotten(m, order) || w.holes[d.Ref] && order.Customer != nil
	if got != want && !(forgotten && got == w.document(m, redacted(order))) {
		w.fail("3: the ERP holds version %s of %s and the newest is %s: %s", d.Version, d.Ref, order.Content().Version, differing(got, want))
	}
}

// document is what an order should be in the ERP.
func (w *world) document(m *mall, order *shopify.Order) string {
	document, err := neutral(m.name, order)
	if err != nil {
		w.fail("3: order %s of %s: %v", order.Name, m.name, err)
		return ""
	}
	document.Date = dayIn(m.zone, order)
	body, err := w.books.adapter.Map(document)
	if err != nil {
		w.fail("3: order %s of %s: %v", order.Name, m.name, err)
	}
	return withoutVersion(body)
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
