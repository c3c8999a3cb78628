package ordersync

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"gapless/store"
)

// Here people do something at the worst moment: with the very order of which a
// call is on its way, or an attempt stands still.

// meddling is what they do with it; changes come most.
func meddling() []func(*mall, store.OrderView) {
	changes := func(m *mall, v store.OrderView) { m.changes(v.ID) }
	return []func(*mall, store.OrderView){
		changes, changes, changes, changes,
		func(m *mall, v store.OrderView) { m.deletes(v.ID) },
		func(m *mall, v store.OrderView) {
			if told, there := m.shop.Order(v.ID); there {
				m.forgets(told)
			}
		},
		func(m *mall, v store.OrderView) { m.replayOrder(v, "replay", 1) },
		func(m *mall, v store.OrderView) { m.replayOrder(v, "double click", 2) },
		func(m *mall, _ store.OrderView) { m.ruleOtherwise() },
		func(m *mall, _ store.OrderView) { m.backup() },
		func(m *mall, _ store.OrderView) { m.restore() },
		func(m *mall, _ store.OrderView) { m.restore() },
	}
}

// meddle lets somebody do something within a while, now and then, with the order
// of an attempt or, without one, with some order.
func (w *world) meddle(c *store.Claim, within time.Duration) {
	if w.calm || !w.chance(0.5) {
		return
	}
	w.in(w.upTo(within), func() {
		v, any := w.some()
		if !any || w.calm {
			return
		}
		if c != nil {
			v = w.viewOf(c.DeliveryKey.OrderKey)
		}
		w.note("somebody meddles with order %d of %s", v.ID, v.Shop)
		one(w.rand, meddling())(w.mallOf(v.Shop), v)
	})
}

// viewOf is an order that Gapless knows, or knew before a restore.
func (w *world) viewOf(k store.OrderKey) store.OrderView {
	for _, v := range w.known() {
		if v.OrderKey == k {
			return v
		}
	}
	return store.OrderView{Order: store.Order{OrderKey: k}}
}

func (w *world) mallOf(name string) *mall {
	return w.shops[slices.IndexFunc(w.shops, func(m *mall) bool { return m.name == name })]
}

// edits lets an order change while it is fetched: within a second, between its
// first page and the next.
func (m *mall) edits(body []byte) {
	asked := orderAskedFor.FindSubmatch(body)
	if asked == nil || m.calm || m.wasAhead || !m.chance(0.1) {
		return
	}
	id, _ := strconv.ParseInt(string(asked[1]), 10, 64) // digits
	m.meets("edited while fetched", "shop Order")
	m.shop.Mutate(id)
	m.in(m.upTo(500*time.Millisecond), func() {
		m.shop.Mutate(id)
		m.knock()
	})
}

var orderAskedFor = regexp.MustCompile(`query Order\b.*gid://shopify/Order/(\d+)`)
