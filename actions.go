package main

import (
	"context"
	"encoding/json"
	"time"

	"gapless/erp"
	"gapless/store"
	ordersync "gapless/sync"
	"gapless/sync/report"
	"gapless/ui"
)

// actions is the engine as the API and the pages ask it.
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
	plan := ui.Plan{Order: p.Order, Ref: p.Ref, Action: p.Action, Reason: p.Reason, Hint: p.Hint, Document: p.Document, Calls: []ui.PlanCall{}}
	for _, c := range p.Calls {
		plan.Calls = append(plan.Calls, ui.PlanCall(c))
	}
	return plan
}

func (a actions) IgnoreGap(ctx context.Context, id int64, by, reason string) error {
	return a.Engine.IgnoreGap(ctx, id, by, reason)
}

func (a actions) IgnoreGaps(ctx context.Context, ids []int64, by, reason string) (int64, error) {
	return a.Engine.IgnoreGaps(ctx, ids, by, reason)
}

func (a actions) StartRun(ctx context.Context, run ui.RunRequest, by string) (int64, error) {
	p, err := a.runAsked(ctx, run)
	if err != nil {
		return 0, err
	}
	switch p.Kind {
	case store.RunPoll:
		return a.Engine.StartPoll(ctx, p.Shop, by)
	case store.RunBackfill:
		r, err := a.Engine.StartBackfill(ctx, p.Shop, *p.From, *p.To, by)
		return r.ID, err
	}
	return a.Engine.StartReconcile(ctx, p.Shop, ordersync.Pass{Kind: p.Kind, From: *p.From, To: *p.To, Heal: p.Heal, By: by})
}

// PlanRun counts what a backfill would bring in, as its dry run does.
func (a actions) PlanRun(ctx context.Context, run ui.RunRequest) (ui.RunPlan, error) {
	p, err := a.runAsked(ctx, run)
	if err != nil || p.Kind != store.RunBackfill {
		return p, err
	}
	all, unknown, err := a.Engine.Unknown(ctx, p.Shop, *p.From, *p.To)
	p.Orders, p.Unknown = &all, &unknown
	return p, err
}

// runAsked is the run that somebody asks for, with its window.
func (a actions) runAsked(ctx context.Context, run ui.RunRequest) (ui.RunPlan, error) {
	asked, plan := window{run.Since, run.From, run.To}, ui.RunPlan{Kind: run.Kind, Shop: run.Shop, Heal: run.Heal == nil || *run.Heal}
	if run.Kind == store.RunPoll {
		if asked != (window{}) {
			return plan, ui.WrongRequest("a poll goes on where the last one ended; leave since, from and to out")
		}
		return plan, nil
	}
	if run.Kind == store.RunBackfill && run.Since == "" && run.From == "" {
		return plan, ui.WrongRequest("say from when on orders are to be brought in: since, like 30d, or from, like 2026-11-22")
	}
	zone, err := a.Engine.Zone(ctx, run.Shop)
	if err != nil {
		return plan, err
	}
	now := time.Now().UTC()
	if run.Kind == store.RunBackfill {
		now = now.Truncate(time.Minute) // asking again soon asks for the same
	}
	from, to, err := asked.of(zone, now)
	if err != nil {
		return plan, ui.WrongRequest(err.Error())
	}
	plan.From, plan.To = &from, &to
	return plan, nil
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

// Neutral is an order as rules and mapping see it.
func (a actions) Neutral(ctx context.Context, order store.OrderKey) (json.RawMessage, error) {
	o, err := a.Engine.Neutral(ctx, order)
	if err != nil {
		return nil, err
	}
	return json.Marshal(o)
}

func (a actions) Documents(ctx context.Context, order store.OrderKey) ([]ui.Document, error) {
	found, err := a.Engine.Found(ctx, order)
	if err != nil {
		return nil, err
	}
	documents := make([]ui.Document, len(found))
	for i, f := range found {
		documents[i] = ui.Document{ID: f.ID, Version: f.Version, Total: amountTold(f.Total), Currency: f.Currency, Cancelled: f.Cancelled, Bare: f.Bare}
		for _, l := range f.Lines {
			documents[i].Lines = append(documents[i].Lines, ui.DocumentLine{SKU: l.SKU, Title: l.Title, Quantity: l.Quantity, Amount: amountTold(l.Amount), Extra: l.Extra})
		}
	}
	return documents, nil
}

func amountTold(a *erp.Amount) string {
	if a == nil {
		return ""
	}
	return a.String()
}

func (a actions) TryRule(ctx context.Context, order store.OrderKey, when string) (ui.Trial, error) {
	o, err := a.Engine.Neutral(ctx, order)
	if err != nil {
		return ui.Trial{}, err
	}
	rule, err := a.Engine.Decide(o)
	if err != nil {
		return ui.Trial{}, ui.WrongRequest(err.Error())
	}
	trial := ui.Trial{Asked: when != ""}
	if rule != nil {
		trial.Rule, trial.Then = rule.Name, rule.Then
	}
	if when == "" {
		return trial, nil
	}
	asked, err := erp.CompileRules([]erp.Rule{{Name: "your condition", When: when, Then: erp.Exclude}})
	if err != nil {
		return trial, ui.WrongRequest(err.Error())
	}
	matched, err := asked.Decide(o)
	if err != nil {
		return trial, ui.WrongRequest(err.Error())
	}
	trial.Matches = matched != nil
	return trial, nil
}

func (a actions) Report(ctx context.Context, shop, day string) (report.Report, error) {
	return a.Engine.LastReport(ctx, shop, day)
}

func (a actions) StartDay(ctx context.Context, shop, day, by string) (int64, error) {
	return a.Engine.StartDay(ctx, shop, day, by)
}
