package ordersync

import (
	"cmp"
	"context"
	"errors"

	"gapless/erp"
	"gapless/store"
)

// Plan is what delivering an order now would come to, or replaying a gap.
type Plan struct {
	Order  string // its name; empty: not about one order, or one that is not known yet
	Ref    string
	Action string // send, nothing, exclude or park; of a gap also ask, subscribe or poll
	Reason string // why, except for send
	Hint   string
	Calls  []erp.Call
	// Document is the order as the mapping of today makes it, JSON; nil where it
	// does not come to that.
	Document []byte
}

// Replay has orders verified in their ERP and sent again where it does not hold
// what it should. It returns how many it set in motion: orders being sent just
// now are not among them.
func (e *Engine) Replay(ctx context.Context, orders []store.OrderKey, by string) (int64, error) {
	keys := make([]store.DeliveryKey, 0, len(orders))
	for _, k := range orders {
		if shop := e.shops[k.Shop]; shop != nil {
			keys = append(keys, store.DeliveryKey{OrderKey: k, ERP: shop.ERP})
		}
	}
	return e.store.Replay(ctx, keys, by)
}

// Plan runs an order through rules and mapping and asks the adapter which
// writing calls it would make. It reads from the ERP and changes nothing.
func (e *Engine) Plan(ctx context.Context, k store.OrderKey) (Plan, error) {
	order, err := e.store.Order(ctx, k)
	if err != nil {
		return Plan{}, err
	}
	delivery, err := e.store.Delivery(ctx, k)
	if err != nil {
		return Plan{}, err
	}
	l := e.lanes[delivery.ERP]
	if l == nil {
		return Plan{Order: order.Name, Action: "nothing", Reason: "the ERP " + delivery.ERP + " is no longer in the config"}, nil
	}
	delivery.Verify = true // as a replay would have it
	a := &attempt{lane: l, calls: ctx, stop: ctx, claim: store.Claim{Delivery: delivery, Order: order}}
	for _, step := range []func() *store.Settle{a.mapOrder, a.applyRules, a.letGhostsPass} {
		if s := step(); s != nil {
			return a.planned(s), nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	found, err := l.Adapter.Lookup(ctx, a.doc.Ref, nil)
	if err != nil {
		return Plan{}, err
	}
	if s := a.judge(found); s != nil {
		return a.planned(s), nil
	}
	calls, err := l.Adapter.Plan(ctx, a.doc)
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Order: order.Name, Ref: a.doc.Ref, Action: "send", Calls: calls, Document: a.doc.Body}
	if len(calls) == 0 {
		p.Action, p.Reason = "nothing", "the ERP holds this version already"
	}
	return p, nil
}

// PlanGap says what replaying a gap now would come to. It changes nothing.
func (e *Engine) PlanGap(ctx context.Context, id int64) (Plan, error) {
	g, err := e.store.Gap(ctx, id)
	switch {
	case err != nil:
		return Plan{}, err
	case g.State == store.GapClosed:
		return Plan{Order: g.OrderName, Action: "nothing", Reason: "the gap is closed"}, nil
	case g.Kind == store.GapSubscription:
		return Plan{Action: "subscribe", Reason: "the webhook subscription " + g.Subject + " is made, or set right"}, nil
	case g.Kind == store.GapSilence:
		return Plan{Action: "poll", Reason: "Shopify is asked what changed lately"}, nil
	}
	plan, err := e.Plan(ctx, g.Key())
	if errors.Is(err, store.ErrNotFound) {
		return Plan{Ref: ref(g.Shop, g.OrderID), Action: "ask", Reason: "Shopify is asked for the order first; what the ERP gets is known then"}, nil
	}
	return plan, err
}

// planned says in words how an order would settle without a call.
func (a *attempt) planned(s *store.Settle) Plan {
	p := Plan{Order: a.claim.Order.Name, Ref: a.doc.Ref, Reason: s.Reason, Hint: s.Hint}
	switch s.State {
	case store.StateExcluded:
		p.Action, p.Reason = "exclude", "by the rule "+s.Rule
	case store.StateParked:
		p.Action = "park"
	default:
		p.Action, p.Reason, p.Document = "nothing", cmp.Or(s.Reason, "the ERP holds this version already"), a.doc.Body
	}
	return p
}
