package ordersync

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// mostOrders bounds a world, for the sake of speed.
const mostOrders = 4

// acts are what people do, and chance, each with its weight.
var acts = []struct {
	weight int
	do     func(*world)
}{
	{30, (*world).change},
	{2, (*world).deletes},
	{2, (*world).asksToBeForgotten},
	{4, (*world).spoilSubscription},
	{2, func(w *world) { w.outage(w.books.route) }},
	{2, func(w *world) { w.outage(one(w.rand, w.shops).route) }},
	{4, (*world).typeIn},
	{2, (*world).forgetArticle},
	{4, (*world).replaySome},
	{2, (*world).clickTwice},
	{2, (*world).tryOut},
	{2, (*world).ruleOtherwise},
	{6, (*world).mendGap},
	{4, (*world).compareOnly},
	{3, (*world).bringIn},
	{2, (*world).backup},
	{2, (*world).restore},
}

// act does one of them.
func (w *world) act() {
	if w.calm {
		return
	}
	sum := 0
	for _, a := range acts {
		sum += a.weight
	}
	x := w.rand.IntN(sum)
	for _, a := range acts {
		if x -= a.weight; x < 0 {
			a.do(w)
			return
		}
	}
}

// change places an order or changes one, now and then twice within a second.
func (w *world) change() {
	m := one(w.rand, w.shops)
	orders := m.shop.Orders()
	if n := len(orders) + len(m.shop.Deleted()); len(orders) == 0 || n < mostOrders && w.chance(0.4) {
		m.shop.Create()
	} else {
		m.changes(one(w.rand, orders).ID)
	}
	m.knock()
}

// changes changes an order. Which of two versions of one second is final is told
// by our clock: for the second one it must not be ahead.
func (m *mall) changes(id int64) {
	if m.tooSoon(id) {
		return
	}
	m.shop.Mutate(id)
	if m.skew <= 0 && m.chance(0.3) {
		m.in(m.upTo(900*time.Millisecond), func() {
			m.shop.Mutate(id)
			m.knock()
		})
	}
	m.knock()
}

// tooSoon says that an order may not change once more within its second: Gapless's clock
// is ahead, and by that the first of the two versions is final.
func (m *mall) tooSoon(id int64) bool {
	told, there := m.shop.Order(id)
	return there && m.skew > 0 && told.UpdatedAt.Truncate(time.Second).Equal(m.now.Truncate(time.Second))
}

func (w *world) deletes() {
	m := one(w.rand, w.shops)
	if orders := m.shop.Orders(); len(orders) > 0 {
		m.deletes(one(w.rand, orders).ID)
	}
}

func (m *mall) deletes(id int64) {
	m.shop.Delete(id)
	m.knock()
	if m.chance(0.5) { // somebody does not know that a replay is no help
		m.soon(m.upTo(10*time.Minute), m.mendOrphan)
	}
}

// spoilSubscription removes a subscription, or makes it one that keeps things
// back, or doubles it.
func (w *world) spoilSubscription() {
	m := one(w.rand, w.shops)
	all := slices.DeleteFunc(m.shop.Subscriptions(), func(s shopifytest.Subscription) bool { return s.FromTOML })
	if len(all) == 0 {
		return
	}
	s := one(w.rand, all)
	how := one(w.rand, []string{"subscription removed", "subscription spoilt", "subscription doubled"})
	w.meets(how, s.Topic)
	w.note("%s: %s %s", m.name, how, s.Topic)
	if how != "subscription doubled" {
		m.shop.Unsubscribe(s.ID)
	}
	if how == "subscription spoilt" {
		s.Filter = "id:1"
	}
	if how != "subscription removed" {
		m.shop.Subscribe(s)
	}
}

// outage lets nobody answer for a while.
func (w *world) outage(l *route) {
	l.down = w.now.Add(w.upTo(one(w.rand, []time.Duration{30 * time.Minute, 30 * time.Minute, 3 * time.Hour})))
	w.note("an outage until %s", l.down.Format(time.TimeOnly))
}

// typeIn lets somebody change the ERP's document by hand.
func (w *world) typeIn() {
	var live []string
	all := w.books.ledger.All()
	for _, reference := range slices.Sorted(maps.Keys(all)) {
		if len(w.books.ledger.Live(reference)) > 0 {
			live = append(live, reference)
		}
	}
	if len(live) == 0 {
		return
	}
	w.typeInto(one(w.rand, live))
}

// typeInto lets somebody change a document by hand.
func (w *world) typeInto(reference string) {
	how := one(w.rand, []string{"edited in the ERP", "cancelled in the ERP", "deleted in the ERP"})
	w.touched[reference] = true
	w.note("%s: %s", reference, how)
	w.meets(how, w.stateOf(reference))
	switch how {
	case "edited in the ERP":
		w.books.ledger.ByHand(reference, func(d *erptest.Document) {
			total := erp.NewAmount(d.Total.Add(d.Total.Decimal), -d.Total.Exponent())
			d.Total = &total
		})
	case "cancelled in the ERP":
		w.books.ledger.ByHand(reference, func(d *erptest.Document) { d.Cancelled = true })
	default:
		w.books.ledger.Remove(reference)
	}
}

// forgetArticle has the ERP not know an article.
func (w *world) forgetArticle() { w.isUnknown(one(w.rand, shopifytest.DefaultCatalog()).SKU) }

func (w *world) isUnknown(sku string) {
	w.books.unknown = sku
	w.note("the ERP does not know %s", sku)
}

// some picks an order that Gapless knows.
func (w *world) some() (store.OrderView, bool) {
	if !w.up() {
		return store.OrderView{}, false
	}
	known := w.known()
	if len(known) == 0 {
		return store.OrderView{}, false
	}
	return one(w.rand, known), true
}

// replaySome replays an order. Of a parked one people make sure first.
func (w *world) replaySome() { w.replay("replay", 1) }

// clickTwice is a replay by somebody in a hurry.
func (w *world) clickTwice() { w.replay("double click", 2) }

func (w *world) replay(how string, clicks int) {
	if v, any := w.some(); any {
		w.replayOrder(v, how, clicks)
	}
}

func (w *world) replayOrder(v store.OrderView, how string, clicks int) {
	if v.Delivery.State == store.StateParked && !w.sure(ref(v.Shop, v.ID)) {
		return
	}
	w.meets(how, v.Delivery.State)
	for range clicks {
		w.operate("operator", func(ctx context.Context) error {
			_, err := w.proc.engine.Replay(ctx, []store.OrderKey{v.OrderKey}, "operator")
			return err
		})
	}
}

// tryOut asks what a replay would do; it must do nothing.
func (w *world) tryOut() {
	if v, any := w.some(); any {
		w.meets("dry run", v.Delivery.State)
		w.operate("dry run", func(ctx context.Context) error {
			_, err := w.proc.engine.Plan(ctx, v.OrderKey)
			return err
		})
	}
}

// ruleOtherwise changes the rules.
func (w *world) ruleOtherwise() { w.ruleBy(w.rand.Perm(len(ruleBook))[:w.rand.IntN(len(ruleBook))]) }

// ruleOn makes rules of all that matches an order.
func (w *world) ruleOn(o *shopify.Order) {
	var rules []int
	for i, r := range ruleBook {
		if r.matches(o) {
			rules = append(rules, i)
		}
	}
	w.ruleBy(rules)
}

// ruleBy sets the rules, which takes a restart.
func (w *world) ruleBy(rules []int) {
	if !w.up() {
		return
	}
	w.halt(func(path string) {
		w.rules = rules
		for _, reference := range w.references() {
			w.unverified[reference] = true
		}
		w.note("the rules are now %v", w.rules)
		w.restart(path)
	})
}

// references are those of all orders.
func (w *world) references() (all []string) {
	for _, m := range w.shops {
		for _, told := range m.shop.Orders() {
			all = append(all, ref(m.name, told.ID))
		}
	}
	return all
}

// backup is a copy of the store, and which webhooks it holds.
type backup struct {
	path         string
	acknowledged map[string]bool
	forgotten    map[person]bool
}

// backup copies the store while it is in use.
func (w *world) backup() {
	if !w.up() || w.calm {
		return
	}
	path := filepath.Join(w.dir, fmt.Sprintf("backup-%d.db", w.planned))
	if err := w.proc.store.Backup(context.Background(), path); err != nil {
		w.fail("backup: %v", err)
	}
	w.note("a backup")
	w.copies = append(w.copies, backup{path, maps.Clone(w.acknowledged), maps.Clone(w.forgotten)})
	if w.chance(0.5) {
		w.in(w.upTo(w.mix.span/2), w.restore)
	}
}

// restore goes on from an old copy, as after the loss of a disk.
func (w *world) restore() {
	if len(w.copies) == 0 || w.proc.dead || w.calm {
		return
	}
	b := one(w.rand, w.copies)
	w.meets("restore", "any")
	w.note("the disk is lost; a backup is restored")
	if w.skew < 0 { // who restores looks at the clock: orders from before that moment are told by it
		w.skew = 0
	}
	next := w.proc.take(b.path)
	w.endOf(w.proc)
	w.remembersAgain(b.forgotten)
	w.acknowledged, w.forgotten = maps.Clone(b.acknowledged), maps.Clone(b.forgotten)
	clear(w.polled) // the copy may be from before the first poll
	if w.chance(0.5) {
		w.outage(one(w.rand, w.shops).route) // which cannot tell what has become of its orders since
	}
	if w.chance(0.3) {
		w.deletes() // nor does a restored copy know of that
	}
	if w.chance(0.5) {
		w.movesOn()
	}
	w.in(w.downtime(), func() {
		w.boot(next)
		if w.chance(0.5) { // who wants to be sure
			w.soon(w.upTo(time.Minute), w.replayAll)
		}
	})
}

// movesOn changes the orders of which a call is under way.
func (w *world) movesOn() {
	for _, m := range w.shops {
		for _, told := range m.shop.Orders() {
			if w.books.mayLand(ref(m.name, told.ID)) {
				m.changes(told.ID)
			}
		}
	}
}

// stateOf is the state of the delivery behind a reference.
func (w *world) stateOf(reference string) string {
	if w.proc.dead {
		return "any"
	}
	for _, v := range w.known() {
		if ref(v.Shop, v.ID) == reference {
			return v.Delivery.State
		}
	}
	return "not known"
}
