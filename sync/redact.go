package ordersync

import (
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

// redactContent takes the personal fields out of a stored order.
func redactContent(content []byte) ([]byte, error) {
	var o shopify.Order
	if err := json.Unmarshal(content, &o); err != nil {
		return nil, fmt.Errorf("read a stored order: %w", err)
	}
	o.Redact()
	return o.Content().JSON, nil
}
