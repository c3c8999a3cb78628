package ordersync

import (
	"cmp"
	"context"

	"gapless/erp"
	"gapless/store"
)

// Plan is what delivering an order now would come to.
type Plan struct {
	Order  string // its name
	Ref    string
	Action string // send, nothing, exclude or park
	Reason string // why nothing, exclude or park
	Hint   string
	Calls  []erp.Call
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
	p := Plan{Order: order.Name, Ref: a.doc.Ref, Action: "send", Calls: calls}
	if len(calls) == 0 {
		p.Action, p.Reason = "nothing", "the ERP holds this version already"
	}
	return p, nil
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
		p.Action, p.Reason = "nothing", cmp.Or(s.Reason, "the ERP holds this version already")
	}
	return p
}
