package ordersync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"gapless/shopify"
	"gapless/store"
)

// redacts says whether a message asks to forget people.
func (m message) redacts() bool {
	return m.err == nil && (m.Kind == shopify.KindRedactCustomer || m.Kind == shopify.KindRedactShop)
}

// redact removes people's data. Only then is its event decided, and its body,
// which names the person, removed: cut off anywhere, it is found again and goes on.
func (e *Engine) redact(ctx context.Context, ev store.Event, m message) error {
	if err := e.store.Redact(ctx, store.Redaction{
		Shop: ev.Shop, WholeShop: m.Kind == shopify.KindRedactShop, CustomerID: m.Redact.CustomerID, OrderIDs: m.Redact.OrderIDs,
		EventID: ev.ID, Redact: redactContent,
	}); err != nil {
		return err
	}
	at := e.now()
	if err := e.store.ApplyIntake(ctx, store.Intake{
		Through: ev.ID, At: at, Forget: []int64{ev.ID},
		Decisions: []store.Decision{{At: at, Shop: ev.Shop, EventID: ev.ID, Step: "redact", Outcome: string(m.Kind), Detail: "personal data removed"}},
	}); err != nil {
		return err
	}
	e.metrics.intake(1, 0)
	e.unpurged.Store(true)
	e.purge(ctx)
	return nil
}

// withoutPerson takes the person out of an order as ev tells it and, where nobody
// could tell before whose order it is, as it is known.
func (b *batch) withoutPerson(ctx context.Context, ev store.Event, o *shopify.Order) error {
	o.Redact()
	b.Forget = append(b.Forget, ev.ID) // again, where the order itself is redacted: it does no harm
	known, seen := b.latest[store.OrderKey{Shop: ev.Shop, ID: o.ID}]
	if !seen || !known.RedactedAt.IsZero() {
		return nil
	}
	return b.disown(ctx, known, o.Customer)
}

// disown has an order stored once more as it is known, without the person. Its version
// stays, as with every redaction: the ERP is not called for it.
func (b *batch) disown(ctx context.Context, known store.Order, buyer *shopify.Customer) error {
	told, err := b.engine.store.EventHead(ctx, known.EventID)
	if err != nil {
		return err
	}
	o, err := b.contentOf(ctx, known)
	if err != nil {
		return err
	}
	o.Redact()
	o.Customer = cmp.Or(buyer, o.Customer)
	b.accept(told, o, shopify.Content{JSON: o.Content().JSON, Hash: known.Hash, Version: known.Version}, known.FetchedAt, true)
	b.wanted[known.OrderKey].Supplied = true
	return nil
}

// redactContent takes the personal fields out of a stored order.
func redactContent(content []byte) ([]byte, error) {
	var o shopify.Order
	if err := json.Unmarshal(content, &o); err != nil {
		return nil, fmt.Errorf("read a stored order: %w", err)
	}
	o.Redact()
	return o.Content().JSON, nil
}
