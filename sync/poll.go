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
	Lost    int       `json:"lost"`    // of those, orders of which no webhook told in time
	Opened  int       `json:"opened"`  // of them, new gaps: nobody knew that they were lost
	// Young are changes whose webhook may still be on its way; they are looked
	// for again.
	Young  int       `json:"young"`
	Newest time.Time `json:"-"` // of the changes seen, by Shopify's clock
}

// Poll asks a shop which orders changed since the last poll, in light pages,
// and has those fetched that are new or newer than what is known. The window
// overlaps the last one, because Shopify's search lags behind its writes. The
// cursor moves only when everything seen is durable, to the newest change seen:
// that is Shopify's own time, and ours may be ahead of it. It does not move past
// a change whose webhook may still be on its way.
func (e *Engine) Poll(ctx context.Context, name string) (PollResult, error) {
	return e.poll(ctx, name, store.RunPoll)
}

func (e *Engine) poll(ctx context.Context, name, foundBy string) (PollResult, error) {
	shop := e.shops[name]
	state, err := e.store.Shop(ctx, name)
	if err != nil {
		return PollResult{}, err
	}
	decided, err := e.store.DecidedThrough(ctx)
	if err != nil {
		return PollResult{}, err
	}
	now := e.now().UTC()
	from := state.PollCursor
	if from.IsZero() { // the first poll looks back no further than the overlap; older orders come by backfill
		from = now
	}
	from = from.Add(-shop.PollOverlap)
	p := &polling{Engine: e, shop: shop, foundBy: foundBy, decided: decided, judged: now, PollResult: PollResult{From: from, To: now, Newest: from}}
	window := shopify.Window{By: shopify.ByUpdated, From: p.From, To: p.To}
	err = shop.Client.Orders(ctx, window, shopify.Poll, func(page []shopify.OrderHead) error { return p.page(ctx, page) })
	switch {
	case err == nil:
		return p.PollResult, e.store.Polled(ctx, name, state.PollCursor, earlier(p.judged, p.Newest), "")
	case ctx.Err() == nil:
		err = errors.Join(err, e.store.Polled(ctx, name, state.PollCursor, state.PollCursor, err.Error()))
	}
	return p.PollResult, fmt.Errorf("poll %s: %w", name, err)
}

// polling is a poll under way.
type polling struct {
	*Engine
	shop    *Shop
	foundBy string
	decided time.Time // webhooks that came later may be stored, and not decided yet
	judged  time.Time // of every change before it, it is known whether it was lost
	PollResult
}

// page picks the orders that Shopify knows, or may know, newer than we do, and
// makes durable what is to be done about them: after the change a webhook told of,
// another may have come in the same second, whose webhook was lost.
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
	var asks []store.Refetch
	var lost []store.Fault
	for i, head := range page {
		if head.UpdatedAt.Before(p.To) { // a head may tell of a change that the index does not know yet
			p.Newest = later(p.Newest, head.UpdatedAt)
		}
		have, seen := known[keys[i]]
		newer := !seen || head.UpdatedAt.After(have.UpdatedAt)
		switch {
		case newer && !p.shop.Webhooks:
			asks = append(asks, p.ask(keys[i], reasonPoll))
		case newer && p.decided.Sub(head.UpdatedAt) < p.shop.Poll.Grace:
			p.Young++
			p.judged = earlier(p.judged, head.UpdatedAt)
		case newer:
			f, err := p.lost(ctx, p.shop, head, have, seen, p.foundBy)
			if err != nil {
				return err
			}
			lost = append(lost, f)
		case !have.Final():
			asks = append(asks, p.ask(keys[i], reasonConfirm))
		}
	}
	p.Fetched += len(lost) + len(asks)
	p.Lost += len(lost)
	opened, err := p.store.FoundGaps(ctx, p.foundBy, lost...)
	if err != nil {
		return err
	}
	p.Opened += opened
	return p.store.AskAgain(ctx, asks...)
}

func (p *polling) ask(k store.OrderKey, reason string) store.Refetch {
	return store.Refetch{OrderKey: k, Reason: reason, AskedAt: p.now(), NextAt: p.now()}
}
