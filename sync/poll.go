package ordersync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gapless/shopify"
	"gapless/store"
)

// Why an order is asked for, where a poll asks.
const (
	reasonPoll    = "poll"    // it is new or newer in Shopify
	reasonConfirm = "confirm" // it may be
)

// PollResult is what one poll saw.
type PollResult struct {
	From, To time.Time
	Seen     int // orders Shopify says changed
	Fetched  int // of them, those that we did not know or knew older
}

// Poll asks a shop which orders changed since the last poll, in light pages,
// and has those fetched that are new or newer than what is known. The window
// overlaps the last one, because Shopify's search lags behind its writes. The
// cursor moves only when everything seen is durable.
func (e *Engine) Poll(ctx context.Context, name string) (PollResult, error) {
	state, err := e.store.Shop(ctx, name)
	if err != nil {
		return PollResult{}, err
	}
	now := e.now().UTC()
	from := state.PollCursor
	if from.IsZero() { // the first poll looks back no further than the overlap; older orders come by backfill
		from = now
	}
	result := PollResult{From: from.Add(-e.shops[name].PollOverlap), To: now}
	var newer []store.Refetch
	window := shopify.Window{By: shopify.ByUpdated, From: result.From, To: result.To}
	err = e.shops[name].Client.Orders(ctx, window, shopify.Poll, func(page []shopify.OrderHead) error {
		found, err := e.newer(ctx, name, page)
		newer = append(newer, found...)
		result.Seen += len(page)
		return err
	})
	if err == nil {
		err = e.store.Polled(ctx, name, now, newer, "")
	}
	if err != nil {
		return result, e.pollFailed(ctx, name, err)
	}
	result.Fetched = len(newer)
	return result, nil
}

// pollFailed notes why; the cursor stays.
func (e *Engine) pollFailed(ctx context.Context, name string, err error) error {
	if ctx.Err() == nil {
		err = errors.Join(err, e.store.Polled(ctx, name, time.Time{}, nil, err.Error()))
	}
	return fmt.Errorf("poll %s: %w", name, err)
}

// newer picks the orders of a page that Shopify knows, or may know, newer than
// we do. Its clock for orders has whole seconds: after the change a webhook told
// of, another may have come in the same second, whose webhook was lost. So a
// version counts as final only once it was fetched after its second was over.
func (e *Engine) newer(ctx context.Context, shop string, page []shopify.OrderHead) ([]store.Refetch, error) {
	keys := make([]store.OrderKey, len(page))
	for i, head := range page {
		keys[i] = store.OrderKey{Shop: shop, ID: head.ID}
	}
	known, err := e.store.Known(ctx, keys)
	if err != nil {
		return nil, err
	}
	var newer []store.Refetch
	for i, head := range page {
		have, seen := known[keys[i]]
		final := have.FetchedAt.After(have.UpdatedAt.Add(time.Second))
		reason := reasonPoll
		if seen && !head.UpdatedAt.After(have.UpdatedAt) {
			if final {
				continue
			}
			reason = reasonConfirm
		}
		newer = append(newer, store.Refetch{OrderKey: keys[i], Reason: reason, AskedAt: e.now(), NextAt: e.now()})
	}
	return newer, nil
}
