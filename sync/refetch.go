package ordersync

import (
	"context"
	"errors"
	"fmt"
	"time"

	"gapless/shopify"
	"gapless/store"
)

// refetchBatch is how many orders one step asks for, at once.
const refetchBatch = 8

// refetchDue asks Shopify for the orders of shop that are in doubt and returns
// when to look again.
func (e *Engine) refetchDue(ctx context.Context, shop *Shop) time.Duration {
	for {
		due, err := e.store.DueRefetches(ctx, shop.Name, e.now(), refetchBatch)
		if err != nil && ctx.Err() == nil {
			e.log.Error("the orders to be fetched could not be listed; tried again", "shop", shop.Name, "err", err)
		}
		if len(due) == 0 {
			return time.Second
		}
		done := make(chan error, len(due))
		for _, r := range due {
			go func() { done <- e.Refetch(ctx, r) }()
		}
		for range due {
			err = errors.Join(err, <-done)
		}
		if err != nil {
			if ctx.Err() == nil {
				e.log.Warn("orders could not be fetched from Shopify; they are asked for again", "shop", shop.Name, "err", err)
			}
			return time.Second
		}
	}
}

// Refetch asks Shopify for one order by id. Its answer enters by the same door
// as a webhook: as an event.
func (e *Engine) Refetch(ctx context.Context, r store.Refetch) error {
	shop := e.shops[r.Shop]
	asked := e.now()
	priority, topic := shopify.Refetch, topicRefetch
	switch r.Reason {
	case reasonPoll, reasonReconcile:
		priority = shopify.Heal
	case reasonConfirm:
		priority = shopify.Reconcile
	case reasonBack:
		priority, topic = shopify.Backfill, topicBulk
	}
	body, err := shop.Client.Order(ctx, r.ID, priority)
	headers := "{}"
	if withheld := (*shopify.APIError)(nil); errors.As(err, &withheld) && withheld.Partial && body != nil {
		headers, err = noteWithheld(withheld), nil
		e.log.Warn("an order came without some of its fields", "shop", r.Shop, "order", r.ID, "err", withheld)
	}
	if err == nil {
		_, err = shopify.DecodeGraphQLOrder(body) // an answer that can't be read is none: the order stays asked for
	}
	switch {
	case errors.Is(err, shopify.ErrNotFound):
		return e.store.DropRefetch(ctx, r, store.Decision{At: e.now(), Shop: r.Shop, OrderID: r.ID, Step: "refetch", Outcome: "not found",
			Detail: "Shopify does not show this order: it was deleted, or it is older than the app may read"})
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		wait := e.backoff(r.Tries, 2*time.Second, 10*time.Minute)
		if err := e.store.PostponeRefetch(ctx, r, e.now().Add(wait), err.Error()); err != nil {
			return err
		}
		return fmt.Errorf("order %d of %s: %w", r.ID, r.Shop, err)
	}
	e.metrics.refetched()
	return e.store.AppendAnswer(ctx, &store.Event{
		Shop: r.Shop, Source: store.SourceRefetch, Topic: topic, Headers: headers,
		TriggeredAt: asked, ReceivedAt: e.now(), Body: body,
	}, r)
}
