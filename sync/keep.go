package ordersync

import (
	"context"

	"gapless/shopify"
	"gapless/store"
)

// KeepIn is a door's Keep that makes webhooks durable in s.
func KeepIn(s *store.Store) func(context.Context, *shopify.Webhook) (bool, error) {
	return func(ctx context.Context, w *shopify.Webhook) (bool, error) {
		return s.Append(ctx, &store.Event{
			Shop: w.Shop, Source: store.SourceWebhook, Topic: w.Topic, WebhookID: w.WebhookID, EventID: w.EventID,
			Headers: w.Headers, TriggeredAt: w.TriggeredAt, ReceivedAt: w.ReceivedAt, Body: w.Body,
		})
	}
}

// RefuseIn is a door's Refused that keeps a bounded log of refusals in s.
func RefuseIn(s *store.Store) func(shopify.Refusal) {
	return func(r shopify.Refusal) {
		s.Refuse(store.Refusal{At: r.At, Shop: r.Shop, Topic: r.Topic, Remote: r.Remote, Status: r.Status, Reason: r.Reason})
	}
}
