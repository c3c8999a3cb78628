package main

import (
	"context"
	"time"

	"gapless/store"
	ordersync "gapless/sync"
	"gapless/ui"
)

// actions is the engine as the API asks it.
type actions struct{ *Appliance }

func (a actions) Replay(ctx context.Context, orders []store.OrderKey, by string) (int64, error) {
	return a.Engine.Replay(ctx, orders, by)
}

func (a actions) Plan(ctx context.Context, order store.OrderKey) (ui.Plan, error) {
	p, err := a.Engine.Plan(ctx, order)
	return planTold(p), err
}

func (a actions) ReplayGaps(ctx context.Context, ids []int64, by string) (int64, error) {
	return a.Engine.ReplayGaps(ctx, ids, by)
}

func (a actions) PlanGap(ctx context.Context, id int64) (ui.Plan, error) {
	p, err := a.Engine.PlanGap(ctx, id)
	return planTold(p), err
}

func planTold(p ordersync.Plan) ui.Plan {
	plan := ui.Plan{Order: p.Order, Ref: p.Ref, Action: p.Action, Reason: p.Reason, Hint: p.Hint, Calls: []ui.PlanCall{}}
	for _, c := range p.Calls {
		plan.Calls = append(plan.Calls, ui.PlanCall(c))
	}
	return plan
}

func (a actions) IgnoreGap(ctx context.Context, id int64, by, reason string) error {
	return a.Engine.IgnoreGap(ctx, id, by, reason)
}

func (a actions) StartRun(ctx context.Context, run ui.RunRequest, by string) (int64, error) {
	asked := window{run.Since, run.From, run.To}
	if run.Kind == store.RunPoll && asked != (window{}) {
		return 0, ui.WrongRequest("a poll goes on where the last one ended; leave since, from and to out")
	}
	if run.Kind == store.RunPoll {
		return a.Engine.StartPoll(ctx, run.Shop, by)
	}
	zone, err := a.Engine.Zone(ctx, run.Shop)
	if err != nil {
		return 0, err
	}
	from, to, err := asked.of(zone, time.Now())
	if err != nil {
		return 0, ui.WrongRequest(err.Error())
	}
	return a.Engine.StartReconcile(ctx, run.Shop, ordersync.Pass{
		Kind: store.RunReconcile, From: from, To: to, Heal: run.Heal == nil || *run.Heal, By: by,
	})
}

func (a actions) metrics() ui.EngineMetrics {
	m := a.Engine.Metrics()
	told := ui.EngineMetrics{
		Events: m.Events, Accepted: m.Accepted, Fetched: m.Fetched, Attempts: map[ui.AttemptKind]ui.AttemptCount{}, Circuits: map[string]bool{}, Paces: m.Paces,
	}
	for k, n := range m.Attempts {
		told.Attempts[ui.AttemptKind(k)] = ui.AttemptCount(n)
	}
	for name, c := range m.Circuits {
		told.Circuits[name] = !c.Until.IsZero()
	}
	return told
}
