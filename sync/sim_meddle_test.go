package ordersync

import (
	"regexp"
	"slices"
	"strconv"
	"time"

	"gapless/erp"
	"gapless/shopify/shopifytest"
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
		func(m *mall, _ store.OrderView) { m.pollNow() },
		func(m *mall, _ store.OrderView) { m.compareOnly() },
		func(m *mall, _ store.OrderView) { m.ruleOtherwise() },
		func(m *mall, _ store.OrderView) { m.backup() },
		func(m *mall, _ store.OrderView) { m.restore() },
		func(m *mall, _ store.OrderView) { m.restore() },
		(*mall).changesAndIsSeen,
		(*mall).changesAndIsSeen,
		(*mall).changesForTheWorse,
		(*mall).changesForTheWorse,
	}
}

// clockIsSet has the clock leap by more than the ERP's longest request, and now and
// then Gapless's process ends by it.
func (w *world) clockIsSet() {
	if !w.up() {
		return
	}
	w.setClock(min(w.skew+w.between(waited, farthest), farthest))
	if w.chance(0.5) {
		w.in(w.upTo(100*time.Millisecond), func() { w.crashFor(time.Second) })
	}
}

// changesAndIsSeen changes an order, and lets somebody compare who wants nothing mended.
func (m *mall) changesAndIsSeen(v store.OrderView) {
	m.changes(v.ID)
	m.soon(m.mix.settle+m.upTo(time.Minute), m.compareOnly)
}

// changesForTheWorse changes an order that the ERP then refuses, and that a rule may
// come to take out.
func (m *mall) changesForTheWorse(v store.OrderView) {
	told, there := m.shop.Order(v.ID)
	if !there {
		return
	}
	if lines := m.tells(told).Lines; len(lines) > 0 {
		m.isUnknown(one(m.rand, lines).SKU)
	}
	m.changes(v.ID)
	m.soon(m.upTo(10*time.Minute), func() {
		if told, there := m.shop.Order(v.ID); there {
			m.ruleOn(m.tells(told))
		}
	})
}

// isTakenOut tags the order of an attempt until a rule matches, which comes into force
// where it was not.
func (t *task) isTakenOut() {
	m, id := t.mallOf(t.claim.Shop), t.claim.ID
	defer m.knock()
	for range 10 {
		told, there := m.shop.Order(id)
		if !there {
			return
		}
		o := m.tells(told)
		if slices.ContainsFunc(ruleBook, func(r ruling) bool { return r.Then == erp.Exclude && r.matches(o) }) {
			if m.rule(o) == nil {
				m.ruleOn(o)
			}
			return
		}
		if m.tooSoon(id) {
			return
		}
		m.shop.Apply(id, shopifytest.DoTag)
	}
}

// meddle lets people do something within a while, now and then, with the order
// that a task is at work on or, without one, with some order.
func (w *world) meddle(reference string, within time.Duration) {
	if w.calm || !w.chance(0.5) {
		return
	}
	for range 1 + w.rand.IntN(2) {
		w.in(w.upTo(within), func() {
			if v, any := w.someOf(reference); any && !w.calm {
				w.note("somebody meddles with order %d of %s", v.ID, v.Shop)
				one(w.rand, meddling())(w.mallOf(v.Shop), v)
			}
		})
	}
}

// soon lets people do something in a while, unless faults have stopped by then.
func (w *world) soon(in time.Duration, do func()) {
	w.in(in, func() {
		if !w.calm {
			do()
		}
	})
}

// concerns is the reference of the order that a task is at work on, as far as is known.
func (t *task) concerns() string {
	if t.claim != nil {
		return t.reference()
	}
	return t.about
}

// someOf is the order with a reference or, where Gapless knows none, some order.
func (w *world) someOf(reference string) (store.OrderView, bool) {
	if !w.up() {
		return store.OrderView{}, false
	}
	for _, v := range w.known() {
		if ref(v.Shop, v.ID) == reference {
			return v, true
		}
	}
	return w.some()
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
	m.note("%s: order %d changes while it is fetched", m.name, id)
	m.shop.Mutate(id)
	m.in(m.upTo(500*time.Millisecond), func() {
		m.shop.Apply(id, shopifytest.DoEdit)
		m.knock()
	})
}

var orderAskedFor = regexp.MustCompile(`query Order\b.*gid://shopify/Order/(\d+)`)
