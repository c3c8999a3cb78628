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
	Seen     int       // orders Shopify says changed
	Fetched  int       // of them, those that we did not know or knew older
	Newest   time.Time // of the changes seen so far, by Shopify's clock
}

// Poll asks a shop which orders changed since the last poll, in light pages,
// and has those fetched that are new or newer than what is known. The window
// overlaps the last one, because Shopify's search lags behind its writes. The
// cursor moves only when everything seen is durable, and only to the newest
// change seen: that is Shopify's own time, and ours may be ahead of it. A window
// with more orders than Shopify lists at once is taken in slices.
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
	from = from.Add(-e.shops[name].PollOverlap)
	result := PollResult{From: from, To: now, Newest: from}
	for to := now; from.Before(now); {
		slice, err := e.pollSlice(ctx, name, from, to, result.Newest)
		if errors.Is(err, shopify.ErrWindowTooLarge) && to.Sub(from) > 2*time.Second {
			to = from.Add(to.Sub(from) / 2)
			continue
		}
		if err != nil {
			return result, e.pollFailed(ctx, name, err)
		}
		result.Seen += slice.Seen
		result.Fetched += slice.Fetched
		result.Newest = slice.Newest
		from, to = to, now
	}
	return result, nil
}

// pollSlice polls one window and moves the cursor to the newest change in it. A
// head may tell of a later one, which the index does not know yet: what else
// changed between the window's end and that was not asked for.
func (e *Engine) pollSlice(ctx context.Context, name string, from, to, newest time.Time) (PollResult, error) {
	result := PollResult{From: from, To: to, Newest: newest}
	var newer []store.Refetch
	err := e.shops[name].Client.OrdersUpdated(ctx, from, to, shopify.Poll, func(page []shopify.OrderHead) error {
		found, err := e.newer(ctx, name, page)
		newer = append(newer, found...)
		result.Seen += len(page)
		for _, head := range page {
			if head.UpdatedAt.After(result.Newest) && head.UpdatedAt.Before(to) {
				result.Newest = head.UpdatedAt
			}
		}
		return err
	})
	if err != nil {
		return result, err
	}
	result.Fetched = len(newer)
	return result, e.store.Polled(ctx, name, result.Newest, newer, "")
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
