package ordersync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gapless/shopify"
	"gapless/store"
)

// Why an order is asked for, beside what intake says.
const (
	reasonPoll      = "poll"      // a poll found it new or newer in Shopify
	reasonReconcile = "reconcile" // a comparison did
	reasonConfirm   = "confirm"   // it may be newer
)

// PollResult is what one poll saw.
type PollResult struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Seen    int       `json:"seen"`    // orders Shopify says changed
	Fetched int       `json:"fetched"` // of them, those that we did not know or knew older
	Lost    int       `json:"lost"`    // of those, orders of which no webhook told in time: gaps
	// Young are changes whose webhook may still be on its way; they are looked
	// for again.
	Young  int       `json:"young"`
	Newest time.Time `json:"-"` // of the changes seen, by Shopify's clock
}

// Poll asks a shop which orders changed since the last poll, in light pages,
// and has those fetched that are new or newer than what is known. The window
// overlaps the last one, because Shopify's search lags behind its writes. The
// cursor moves only when everything seen is durable, and only to the newest
// change seen: that is Shopify's own time, and ours may be ahead of it.
func (e *Engine) Poll(ctx context.Context, name string) (PollResult, error) {
	return e.poll(ctx, name, store.RunPoll)
}

func (e *Engine) poll(ctx context.Context, name, foundBy string) (PollResult, error) {
	shop := e.shops[name]
	state, err := e.store.Shop(ctx, name)
	if err != nil {
		return PollResult{}, err
	}
	now := e.now().UTC()
	from := state.PollCursor
	if from.IsZero() { // the first poll looks back no further than the overlap; older orders come by backfill
		from = now
	}
	from = from.Add(-shop.PollOverlap)
	p := &polling{Engine: e, shop: shop, foundBy: foundBy, PollResult: PollResult{From: from, To: now, Newest: from}}
	window := shopify.Window{By: shopify.ByUpdated, From: p.From, To: p.To}
	if err := shop.Client.Orders(ctx, window, shopify.Poll, func(page []shopify.OrderHead) error { return p.page(ctx, page) }); err != nil {
		return p.PollResult, e.pollFailed(ctx, name, err)
	}
	return p.PollResult, p.keep(ctx)
}

// pollFailed notes why; the cursor stays.
func (e *Engine) pollFailed(ctx context.Context, name string, err error) error {
	if ctx.Err() == nil {
		err = errors.Join(err, e.store.Polled(ctx, name, time.Time{}, nil, err.Error()))
	}
	return fmt.Errorf("poll %s: %w", name, err)
}

// polling is a poll under way.
type polling struct {
	*Engine
	shop    *Shop
	foundBy string
	asks    []store.Refetch
	lost    []store.Fault
	PollResult
}

// page picks the orders that Shopify knows, or may know, newer than we do. Its
// clock for orders has whole seconds: after the change a webhook told of, another
// may have come in the same second, whose webhook was lost. So a version counts
// as final only once it was fetched after its second was over.
func (p *polling) page(ctx context.Context, page []shopify.OrderHead) error {
	keys := make([]store.OrderKey, len(page))
	for i, head := range page {
		keys[i] = store.OrderKey{Shop: p.shop.Name, ID: head.ID}
	}
	known, err := p.store.Known(ctx, keys)
	if err != nil {
		return err
	}
	p.Seen += len(page)
	for i, head := range page {
		p.Newest = later(p.Newest, head.UpdatedAt)
		have, seen := known[keys[i]]
		switch {
		case !seen || head.UpdatedAt.After(have.UpdatedAt):
			if err := p.newer(ctx, head, have, seen); err != nil {
				return err
			}
		case !have.FetchedAt.After(have.UpdatedAt.Add(time.Second)):
			p.ask(keys[i], reasonConfirm)
		}
	}
	return nil
}

// newer takes in an order of which Shopify knows more than we do. Where webhooks
// should have told, it is a gap.
func (p *polling) newer(ctx context.Context, head shopify.OrderHead, have store.Order, seen bool) error {
	switch {
	case !p.shop.Webhooks:
		p.ask(store.OrderKey{Shop: p.shop.Name, ID: head.ID}, reasonPoll)
	case p.now().Sub(head.UpdatedAt) < p.shop.Poll.Grace:
		p.Young++
	default:
		f, err := p.Engine.lost(ctx, p.shop, head, have, seen, p.foundBy)
		if err != nil {
			return err
		}
		p.lost = append(p.lost, f)
		p.Lost++
		p.Fetched++
	}
	return nil
}

func (p *polling) ask(k store.OrderKey, reason string) {
	p.asks = append(p.asks, store.Refetch{OrderKey: k, Reason: reason, AskedAt: p.now(), NextAt: p.now()})
	p.Fetched++
}

// keep stores what was found, and then the cursor. What was too young to judge
// lies within the next poll's overlap.
func (p *polling) keep(ctx context.Context) error {
	if _, err := p.store.FoundGaps(ctx, p.foundBy, p.lost...); err != nil {
		return p.pollFailed(ctx, p.shop.Name, err)
	}
	return p.store.Polled(ctx, p.shop.Name, p.Newest, p.asks, "")
}
