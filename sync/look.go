package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
	"gapless/sync/report"
)

// Neutral is a stored order as rules and mapping see it.
func (e *Engine) Neutral(ctx context.Context, k store.OrderKey) (erp.Order, error) {
	o, err := e.store.Order(ctx, k)
	if err != nil {
		return erp.Order{}, err
	}
	if o.Content == nil {
		return erp.Order{}, fmt.Errorf("the content of %s is no longer kept: %w", o.Name, store.ErrNotFound)
	}
	var content shopify.Order
	if err := json.Unmarshal(o.Content, &content); err != nil {
		return erp.Order{}, fmt.Errorf("read the content of %s: %w", o.Name, err)
	}
	zone, err := e.Zone(ctx, k.Shop)
	if err != nil {
		return erp.Order{}, err
	}
	return neutralIn(zone, k.Shop, &content)
}

// Found asks the ERP of a shop which documents it holds of an order.
func (e *Engine) Found(ctx context.Context, k store.OrderKey) ([]erp.Found, error) {
	shop := e.shops[k.Shop]
	if shop == nil {
		return nil, fmt.Errorf("there is no shop named %q in the config", k.Shop)
	}
	return e.lanes[shop.ERP].lookUp(ctx, ref(k.Shop, k.ID))
}

// Decide says which rule matches an order, or nil.
func (e *Engine) Decide(o erp.Order) (*erp.Rule, error) { return e.rules.Decide(o) }

// LastReport is the report of a shop's day without comparing it: the one that
// was kept, with what has happened since, or what the day's last comparison saw.
// Where there is neither, it is store.ErrNotFound.
func (e *Engine) LastReport(ctx context.Context, shop, day string) (report.Report, error) {
	kept, err := e.frozen(ctx, shop, day)
	if !errors.Is(err, store.ErrNotFound) {
		return kept, err
	}
	zone, from, to, err := e.dayOf(ctx, shop, day)
	if err != nil {
		return report.Report{}, err
	}
	run, err := e.store.LastOver(ctx, shop, store.RunDay, from)
	if err != nil {
		return report.Report{}, err
	}
	var saw Reconciliation
	if err := json.Unmarshal(run.Data, &saw); err != nil {
		return report.Report{}, fmt.Errorf("read what run %d saw: %w", run.ID, err)
	}
	return e.told(ctx, report.Report{Shop: shop, Day: day, Timezone: zone.String(), From: from, To: to, MadeAt: run.StartedAt}, saw)
}

// StartDay begins to compare the orders of a shop's day, and mends what it finds.
func (e *Engine) StartDay(ctx context.Context, shop, day, by string) (id int64, err error) {
	_, from, to, err := e.dayOf(ctx, shop, day)
	if err != nil {
		return 0, err
	}
	return e.StartReconcile(ctx, shop, Pass{Kind: store.RunDay, Axis: store.ByCreated, From: from, To: earlier(to, e.now()), Heal: true, By: by})
}
