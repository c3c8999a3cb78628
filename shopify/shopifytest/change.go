package shopifytest

import (
	"fmt"
	"time"
)

// Action is a kind of change to an order.
type Action string

// The changes that a Generator makes.
const (
	DoCreate Action = "create"
	DoPay    Action = "pay"
	DoEdit   Action = "edit"
	DoFulfil Action = "fulfil"
	DoRefund Action = "refund"
	DoCancel Action = "cancel"
	DoTag    Action = "tag"
	DoMove   Action = "address"
	DoClose  Action = "close"
	DoDelete Action = "delete"
)

// Change is what became of an order by one action.
type Change struct {
	Action Action
	Refund *Refund    // on a refund or a cancellation that gave something back
	Edit   *OrderEdit // on an edit
}

// OrderEdit lists what an edit added and took away, in units.
type OrderEdit struct {
	ID                  int64
	Additions, Removals []FulfilledLine
}

// Mutate changes the order by some action that fits its state.
func (g *Generator) Mutate(o *Order, at time.Time) Change {
	actions := []Action{DoPay, DoPay, DoFulfil, DoFulfil, DoEdit, DoRefund, DoCancel, DoTag, DoMove, DoClose}
	g.r.Shuffle(len(actions), func(i, j int) { actions[i], actions[j] = actions[j], actions[i] })
	for _, a := range actions {
		if c, ok := g.Apply(o, a, at); ok {
			return c
		}
	}
	c, _ := g.Apply(o, DoTag, at)
	return c
}

// Apply makes one change and tells what it was; false where the order's state
// does not allow it, and nothing changed. UpdatedAt moves to the second of at,
// which may be the second it already stood at.
func (g *Generator) Apply(o *Order, a Action, at time.Time) (Change, bool) {
	at = at.UTC().Truncate(time.Second)
	c, ok := Change{Action: a}, false
	switch a {
	case DoPay:
		ok = g.pay(o, at)
	case DoEdit:
		c.Edit, ok = g.edit(o)
	case DoFulfil:
		ok = g.fulfil(o, at)
	case DoRefund:
		c.Refund, ok = g.refund(o, at)
	case DoCancel:
		c.Refund, ok = g.cancel(o, at)
	case DoTag:
		ok = g.tag(o)
	case DoMove:
		ok = g.move(o)
	case DoClose:
		ok = closeOrder(o, at)
	}
	if !ok {
		return Change{}, false
	}
	o.Version++
	if at.After(o.UpdatedAt) {
		o.UpdatedAt = at
	}
	return c, true
}

// pay takes what is due, sometimes only a part of it.
func (g *Generator) pay(o *Order, at time.Time) bool {
	due := o.Outstanding()
	if o.Cancelled() || due.Shop <= 0 || due.Presentment <= 0 {
		return false
	}
	if g.chance(20) && due.Shop > 100 && due.Presentment > 100 {
		g.take(o, at, "paypal", due.Share(1, 2), Bag{})
		return true
	}
	g.payAll(o, at, pick(g.r, gateways))
	return true
}

// payAll takes all that is due. Cash in the shop's own money is rounded to
// five hundredths where the currency has them.
func (g *Generator) payAll(o *Order, at time.Time, gateway string) {
	due, rounding := o.Outstanding(), Bag{}
	if gateway == "cash" && o.Currency == o.Presentment && digits(o.Currency) == 2 {
		off := ratio(due.Shop, 1, 5)*5 - due.Shop
		rounding = Bag{off, off}
	}
	g.take(o, at, gateway, due, rounding)
}

func (g *Generator) take(o *Order, at time.Time, gateway string, amount, rounding Bag) {
	t := Transaction{ID: g.id(), Kind: "sale", Status: "success", Gateway: gateway, At: at, Amount: amount, Rounding: rounding}
	for _, before := range o.Transactions {
		if before.Kind == "authorization" {
			t.Kind, t.ParentID, t.Gateway = "capture", before.ID, before.Gateway
		}
	}
	o.Transactions = append(o.Transactions, t)
}

// edit adds a line, or takes units off one that waits for its parcel.
func (g *Generator) edit(o *Order) (*OrderEdit, bool) {
	if o.Cancelled() {
		return nil, false
	}
	e := &OrderEdit{ID: g.id()}
	if g.chance(50) {
		for _, i := range g.r.Perm(len(o.Lines)) {
			if l := &o.Lines[i]; l.open() > 0 {
				n := 1 + g.r.Int64N(l.open())
				l.Current -= n
				e.Removals = append(e.Removals, FulfilledLine{l.ID, n})
				break
			}
		}
	}
	if len(e.Removals) == 0 || g.chance(30) {
		l := g.line(g.exchange(o))
		l.Added = true
		g.taxLine(g.region(o), &l)
		o.Lines = append(o.Lines, l)
		e.Additions = append(e.Additions, FulfilledLine{l.ID, l.Quantity})
	}
	o.Edited = true
	return e, true
}

// exchange finds the rate that the order was placed at.
func (g *Generator) exchange(o *Order) *Exchange {
	for i := range g.market.Exchange {
		if e := &g.market.Exchange[i]; e.Currency == o.Presentment && o.Presentment != o.Currency {
			return e
		}
	}
	return nil
}

// region finds the region that taxed the order, by the rates on its lines.
func (g *Generator) region(o *Order) *Region {
	for i := range g.market.Regions {
		if r := &g.market.Regions[i]; r.Locale == o.Locale && r.Included == o.TaxesIncluded && taxedBy(o, r) {
			return r
		}
	}
	return &Region{Included: o.TaxesIncluded}
}

func taxedBy(o *Order, r *Region) bool {
	sums := o.taxes(false)
	if len(sums) == 0 {
		return false
	}
	for _, set := range r.Sets {
		for _, rate := range set {
			if rate == sums[0].rate {
				return true
			}
		}
	}
	return false
}

// fulfil sends a parcel with all that is open, or with one line of it.
func (g *Generator) fulfil(o *Order, at time.Time) bool {
	if o.Cancelled() {
		return false
	}
	f, partly := Fulfillment{At: at}, g.chance(30)
	for i := range o.Lines {
		l := &o.Lines[i]
		if n := l.open(); n > 0 && (!partly || len(f.Lines) == 0) {
			l.Fulfilled += n
			f.Lines = append(f.Lines, FulfilledLine{l.ID, n})
		}
	}
	if len(f.Lines) == 0 {
		return false
	}
	f.ID = g.id()
	f.Tracking = fmt.Sprintf("PT%d", f.ID)
	o.Fulfillments = append(o.Fulfillments, f)
	return true
}

func (g *Generator) tag(o *Order) bool {
	if len(o.Tags) > 0 && g.chance(40) {
		o.Tags = append([]string(nil), o.Tags[1:]...)
		return true
	}
	before := len(o.Tags)
	addTag(o, pick(g.r, tags))
	if len(o.Tags) == before {
		o.Note = pick(g.r, words) + fmt.Sprintf(" (%d)", g.id())
	}
	return true
}

// move sends the order elsewhere in the same region, so that taxes stay.
func (g *Generator) move(o *Order) bool {
	if o.Shipping == nil || o.Cancelled() {
		return false
	}
	for was := *o.Shipping; *o.Shipping == was; { // who moves has another address
		o.Shipping = g.address(was.FirstName, was.LastName, was.Place)
	}
	return true
}

func closeOrder(o *Order, at time.Time) bool {
	if !o.ClosedAt.IsZero() || o.FulfillmentStatus() != "fulfilled" {
		return false
	}
	o.ClosedAt = at
	return true
}
