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

// supply takes from a webhook what Shopify withheld of the answer that told what is
// known, and says whether there was anything to take. A webhook of the same state
// tells it for good; one of an older state only where nothing is known yet, and until
// a better one comes.
func (b *batch) supply(ctx context.Context, ev store.Event, o *shopify.Order, known store.Order) (bool, error) {
	if ev.Source != store.SourceWebhook || known.FetchedAt.IsZero() || o.UpdatedAt.After(known.UpdatedAt) {
		return false, nil
	}
	answer, err := b.engine.store.EventHead(ctx, known.EventID)
	if err != nil {
		return false, err
	}
	_, fields := withheld(answer)
	if len(fields) == 0 {
		return false, nil
	}
	whole, err := b.contentOf(ctx, known)
	if err != nil {
		return false, err
	}
	take := whole.Complete
	if o.UpdatedAt.Equal(known.UpdatedAt) {
		take, answer = whole.Correct, ev
	}
	if !take(o, fields) {
		return false, nil
	}
	content := whole.Content()
	if content.Hash == known.Hash {
		return false, nil
	}
	b.accept(answer, whole, content, known.FetchedAt, false)
	b.wanted[known.OrderKey].Supplied = true
	return true, nil
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
