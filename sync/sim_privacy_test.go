package ordersync

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// person is a customer of a shop.
type person struct {
	shop string
	id   int64
}

// asksToBeForgotten lets the buyer of some order do so.
func (w *world) asksToBeForgotten() {
	m := one(w.rand, w.shops)
	orders := m.shop.Orders()
	if len(orders) > 0 {
		m.forgets(one(w.rand, orders))
	}
}

func (m *mall) forgets(told shopifytest.Snapshot) {
	if customer := m.tells(told).Customer; customer != nil {
		m.note("%s: the buyer of %s asks to be forgotten", m.name, told.Name)
		m.shop.Send("customers/redact", m.shop.CustomersRedact(customer.ID, told.ID))
		m.knock()
	}
}

// heardOf notes whom an acknowledged webhook asks to forget.
func (w *world) heardOf(shop string, r *http.Request, body []byte) {
	var asked struct{ Customer struct{ ID int64 } }
	if r.Header.Get("X-Shopify-Topic") == "customers/redact" && json.Unmarshal(body, &asked) == nil {
		w.forgotten[person{shop, asked.Customer.ID}] = true
	}
}

// judgePrivacy holds invariant 11 for an order whose buyer was to be forgotten:
// nothing that Gapless keeps names the person any more.
func (w *world) judgePrivacy(m *mall, told shopifytest.Snapshot, order *shopify.Order) {
	if !w.isForgotten(m, order) {
		return
	}
	ctx, k := context.Background(), store.OrderKey{Shop: m.name, ID: told.ID}
	kept, err := w.proc.store.Order(ctx, k)
	if err != nil {
		w.fail("11: reading an order: %v", err)
		return
	}
	w.namesNobody(order, "the order", kept.Content)
	events, _ := w.proc.store.Events(ctx, store.EventFilter{Shop: m.name, OrderID: told.ID, Limit: 1000})
	for _, e := range events {
		e, _ = w.proc.store.Event(ctx, e.ID)
		w.namesNobody(order, "an event", e.Body)
	}
	tries, _ := w.proc.store.Tries(ctx, store.TryFilter{Order: k, Limit: 1000, Full: true})
	for _, x := range tries {
		if x.Outcome != nil {
			w.namesNobody(order, "a transcript", x.Outcome.Exchanges)
		}
	}
}

// remembersAgain notes the orders whose buyer is named again by a copy from before
// they were to be forgotten: their older content comes back.
func (w *world) remembersAgain(then map[person]bool) {
	for _, m := range w.shops {
		for _, told := range m.shop.Orders() {
			if order := m.tells(told); w.isForgotten(m, order) && !then[person{m.name, order.Customer.ID}] {
				w.holes[ref(m.name, told.ID)] = true
			}
		}
		for _, id := range m.shop.Deleted() { // whose buyers nobody can tell any more
			w.holes[ref(m.name, id)] = true
		}
	}
}

func (w *world) isForgotten(m *mall, order *shopify.Order) bool {
	return order.Customer != nil && w.forgotten[person{m.name, order.Customer.ID}]
}

func (w *world) namesNobody(order *shopify.Order, where string, text []byte) {
	if email := order.Customer.Email; email != "" && bytes.Contains(text, []byte(email)) {
		w.fail("11: %s of %s still names its buyer", where, order.Name)
	}
}

// redacted is an order without the person.
func redacted(order *shopify.Order) *shopify.Order {
	var o shopify.Order
	text, err := json.Marshal(order)
	if err == nil {
		err = json.Unmarshal(text, &o)
	}
	if err != nil {
		panic(err)
	}
	o.Redact()
	return &o
}
