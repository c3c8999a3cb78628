package main

import (
	"context"

	"gapless/store"
	ordersync "gapless/sync"
	"gapless/ui"
)

// actions is the engine as the API asks it.
type actions struct{ engine *ordersync.Engine }

func (a actions) Replay(ctx context.Context, orders []store.OrderKey, by string) (int64, error) {
	return a.engine.Replay(ctx, orders, by)
}

func (a actions) Plan(ctx context.Context, order store.OrderKey) (ui.Plan, error) {
	p, err := a.engine.Plan(ctx, order)
	plan := ui.Plan{Order: p.Order, Ref: p.Ref, Action: p.Action, Reason: p.Reason, Hint: p.Hint, Calls: []ui.PlanCall{}}
	for _, c := range p.Calls {
		plan.Calls = append(plan.Calls, ui.PlanCall(c))
	}
	return plan, err
}

func (a actions) metrics() ui.EngineMetrics {
	m := a.engine.Metrics()
	told := ui.EngineMetrics{Events: m.Events, Accepted: m.Accepted, Fetched: m.Fetched, Attempts: map[ui.AttemptKind]ui.AttemptCount{}, Circuits: map[string]bool{}}
	for k, n := range m.Attempts {
		told.Attempts[ui.AttemptKind(k)] = ui.AttemptCount(n)
	}
	for name, c := range m.Circuits {
		told.Circuits[name] = !c.Until.IsZero()
	}
	return told
}
