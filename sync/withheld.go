package ordersync

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gapless/shopify"
	"gapless/store"
)

// A token may lack a scope, as read_customers: then Shopify's answers come without
// some fields, and webhooks come with them. Here the two are put together.

// Headers that tell, on an event of our own, what Shopify left out of an answer:
// in words, and by the names of the fields.
const (
	headerWithheld = "Gapless-Withheld"
	headerFields   = "Gapless-Withheld-Fields"
)

func noteWithheld(e *shopify.APIError) string {
	text, err := json.Marshal(map[string]string{headerWithheld: e.Message, headerFields: strings.Join(e.Withheld, " ")})
	if err != nil { // a map of strings: it can't
		return "{}"
	}
	return string(text)
}

// withheld is what Shopify left out of the answer in ev, in words and by the names
// of the fields; nothing, where ev tells all.
func withheld(ev store.Event) (words string, fields []string) {
	var headers map[string]string
	if ev.Source != store.SourceRefetch || json.Unmarshal([]byte(ev.Headers), &headers) != nil {
		return "", nil
	}
	return headers[headerWithheld], strings.Fields(headers[headerFields])
}

// fill takes what Shopify withheld of its answer from what is known of the order,
// and says whether that was all.
func (b *batch) fill(ctx context.Context, o *shopify.Order, fields []string, known store.Order) (bool, error) {
	if len(fields) == 0 {
		return false, nil
	}
	was, err := b.contentOf(ctx, known)
	if err != nil {
		return false, err
	}
	return o.Complete(was, fields), nil
}

// supplied is what is known of an order with what Shopify withheld of it, as a
// webhook tells it; nil: that tells nothing of the kind.
func (b *batch) supplied(ctx context.Context, ev store.Event, o *shopify.Order, known store.Order) (*shopify.Order, error) {
	if ev.Source != store.SourceWebhook || known.FetchedAt.IsZero() || o.UpdatedAt.After(known.UpdatedAt) {
		return nil, nil
	}
	answer, err := b.engine.store.Event(ctx, known.EventID)
	if err != nil {
		return nil, err
	}
	_, fields := withheld(answer)
	if len(fields) == 0 {
		return nil, nil
	}
	whole, err := b.contentOf(ctx, known)
	if err != nil || !whole.Complete(o, fields) || whole.Content().Hash == known.Hash {
		return nil, err
	}
	return whole, nil
}

// contentOf is the order as it is known.
func (b *batch) contentOf(ctx context.Context, known store.Order) (*shopify.Order, error) {
	if known.Content == nil {
		var err error
		if known, err = b.engine.store.Order(ctx, known.OrderKey); err != nil {
			return nil, err
		}
	}
	o := new(shopify.Order)
	if err := json.Unmarshal(known.Content, o); err != nil {
		return nil, fmt.Errorf("read what is known of order %d of %s: %w", known.ID, known.Shop, err)
	}
	return o, nil
}
