package ordersync

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"gapless/shopify"
	"gapless/store"
)

// intakeBatch is how many events one step decides.
const intakeBatch = 256

// topicRefetch is the topic of events that hold Shopify's answer on a refetch.
const topicRefetch = "gapless/order"

func (e *Engine) intakeAll(ctx context.Context) time.Duration {
	for {
		n, err := e.Intake(ctx)
		if err != nil {
			if ctx.Err() == nil {
				e.log.Error("events could not be taken in; they stay stored and are tried again", "err", err)
			}
			return time.Second
		}
		if n == 0 {
			return 0
		}
	}
}

// Intake decides the next events and returns how many they were. Several
// updates of one order among them become one.
func (e *Engine) Intake(ctx context.Context) (int, error) {
	events, err := e.store.PendingEvents(ctx, intakeBatch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	b := &batch{engine: e, at: e.now(), latest: map[store.OrderKey]store.Order{}, wanted: map[store.OrderKey]*store.Wanted{}, asked: map[store.OrderKey]bool{}}
	heard := make([]message, len(events))
	var keys []store.OrderKey
	for i, ev := range events {
		heard[i] = hear(ev)
		if id := heard[i].OrderID; id != 0 {
			keys = append(keys, store.OrderKey{Shop: ev.Shop, ID: id})
		}
	}
	if b.latest, err = e.store.Known(ctx, keys); err != nil {
		return 0, err
	}
	for i, ev := range events {
		if err := b.decide(ctx, ev, heard[i]); err != nil {
			return 0, err
		}
		if len(b.Redactions) > 0 {
			events = events[:i+1] // what follows must find the redaction done
			break
		}
	}
	b.Through, b.At = events[len(events)-1].ID, b.at
	for _, w := range b.wanted {
		b.Orders = append(b.Orders, *w)
	}
	slices.SortFunc(b.Orders, func(x, y store.Wanted) int { return cmp.Compare(x.EventID, y.EventID) }) // what was heard first is due first
	if err := e.store.ApplyIntake(ctx, b.Intake); err != nil {
		return 0, err
	}
	e.metrics.intake(len(events), len(b.Orders))
	if len(b.Redactions) > 0 {
		e.unpurged.Store(true)
		e.purge(ctx)
	}
	return len(events), nil
}

// message is an event as its body tells it, or why it can't be told.
type message struct {
	shopify.Message
	err error
}

// hear reads an event's body. An error leaves the order's id, if it can be found.
func hear(ev store.Event) (m message) {
	defer func() {
		if what := recover(); what != nil { // a defect of ours must not stop the events behind it
			m = message{err: fmt.Errorf("reading the body failed in an unforeseen way: %v", what)}
			m.OrderID = shopify.OrderIDOf(ev.Body)
		}
	}()
	if ev.Body == nil {
		return message{err: fmt.Errorf("the body is gone")}
	}
	if ev.Source == store.SourceRefetch {
		order, err := shopify.DecodeGraphQLOrder(ev.Body)
		m := message{Message: shopify.Message{Topic: ev.Topic, Kind: shopify.KindOrder, Order: order}, err: err}
		if err == nil {
			m.OrderID = order.ID
		}
		return m
	}
	told, err := shopify.DecodeWebhook(ev.Topic, ev.Body)
	if err != nil {
		told.OrderID = shopify.OrderIDOf(ev.Body)
	}
	return message{told, err}
}

// batch gathers what a run of events leads to. latest is what is known of each
// order, this run's accepted versions included.
type batch struct {
	store.Intake
	engine *Engine
	at     time.Time
	latest map[store.OrderKey]store.Order
	wanted map[store.OrderKey]*store.Wanted
	asked  map[store.OrderKey]bool
}

func (b *batch) decide(ctx context.Context, ev store.Event, m message) error {
	key := store.OrderKey{Shop: ev.Shop, ID: m.OrderID}
	if !b.latest[key].RedactedAt.IsZero() {
		b.Forget = append(b.Forget, ev.ID)
	}
	switch {
	case b.engine.shops[ev.Shop] == nil:
		b.note(ev, key, "shop unknown", "the shop is no longer in the config; nothing was done")
	case m.err != nil:
		b.doubt(ev, key, "undecodable", m.err.Error())
	case m.Kind == shopify.KindOrder:
		return b.order(ctx, ev, m.Order)
	case m.Kind == shopify.KindRefetch:
		b.doubt(ev, key, "incomplete", ev.Topic+" does not hold the whole order")
	case m.Kind == shopify.KindDeleted:
		b.Deleted = append(b.Deleted, key)
		b.note(ev, key, "deleted", "deleted in Shopify; the ERP's document stays, a person must decide about it")
	case m.Kind == shopify.KindUninstalled:
		b.Uninstalled = append(b.Uninstalled, ev.Shop)
		b.note(ev, store.OrderKey{Shop: ev.Shop}, "uninstalled", "the app was removed from the shop; nothing more can be asked or heard until it is installed again")
	case m.Kind == shopify.KindRedactCustomer, m.Kind == shopify.KindRedactShop:
		b.redact(ev, m)
	case m.Kind == shopify.KindDataRequest:
		b.note(ev, store.OrderKey{Shop: ev.Shop}, "data request", "a customer asks which data is kept; answer within 30 days")
	case m.Kind == shopify.KindBulkFinished:
		b.note(ev, store.OrderKey{Shop: ev.Shop}, "bulk operation", m.Bulk.Status)
	default:
		b.note(ev, key, "not about an order", "stored and shown, nothing to do")
	}
	return nil
}

// order takes a whole order in if it is newer than what is known.
func (b *batch) order(ctx context.Context, ev store.Event, o *shopify.Order) error {
	key := store.OrderKey{Shop: ev.Shop, ID: o.ID}
	known, seen := b.latest[key]
	fetchedAt := time.Time{}
	if ev.Source == store.SourceRefetch {
		fetchedAt = ev.TriggeredAt
	}
	gone, err := b.mustForget(ctx, key, known, o)
	if err != nil {
		return err
	}
	if gone {
		o.Redact()
		b.Forget = append(b.Forget, ev.ID) // again, where the order itself is redacted: it does no harm
	}
	hash := o.Hash()
	late := ev.Source == store.SourceWebhook && !ev.TriggeredAt.IsZero() && ev.ReceivedAt.Sub(ev.TriggeredAt) > b.engine.cfg.Late
	switch {
	case !seen || o.UpdatedAt.After(known.UpdatedAt):
		outcome := "newer"
		if !seen {
			outcome = "new"
		}
		b.accept(ev, o, hash, fetchedAt, gone)
		if late {
			b.doubt(ev, key, outcome, "accepted, but it came late: Shopify is asked whether there is something newer still")
			return nil
		}
		b.note(ev, key, outcome, withheld(ev))
	case seen && o.UpdatedAt.Equal(known.UpdatedAt) && withheld(ev) != "":
		b.note(ev, key, "incomplete", "Shopify withheld fields of this version; what is known of it stays")
	case o.UpdatedAt.Before(known.UpdatedAt):
		b.note(ev, key, "older", "a newer version is known already")
	case hash == known.Hash:
		if fetchedAt.After(known.FetchedAt) {
			b.accept(ev, o, hash, fetchedAt, gone) // the same, but now Shopify itself has said so
		}
		b.note(ev, key, "same", "this version is known already")
	case fetchedAt.After(known.FetchedAt):
		told, err := b.toldAfter(ctx, known, fetchedAt)
		if err != nil {
			return err
		}
		if told {
			b.doubt(ev, key, "tie", "another content of the same second was told after Shopify had been asked")
			return nil
		}
		b.accept(ev, o, hash, fetchedAt, gone)
		b.note(ev, key, "newer", cmp.Or(withheld(ev), "fetched later than what was known of the same second"))
	default:
		b.doubt(ev, key, "tie", "another content of the same second is known")
	}
	return nil
}

// toldAfter says whether a webhook told what is known after Shopify was asked:
// then its answer may be the older of the two.
func (b *batch) toldAfter(ctx context.Context, known store.Order, asked time.Time) (bool, error) {
	if !known.FetchedAt.IsZero() {
		return false, nil
	}
	told, err := b.engine.store.Event(ctx, known.EventID)
	return told.ReceivedAt.After(asked), err
}

// mustForget says whether personal data of this order was redacted, before or
// for its customer, so that a late copy must not bring it back.
func (b *batch) mustForget(ctx context.Context, key store.OrderKey, known store.Order, o *shopify.Order) (bool, error) {
	if !known.RedactedAt.IsZero() {
		return true, nil
	}
	customer := int64(-1)
	if o.Customer != nil {
		customer = o.Customer.ID
	}
	return b.engine.store.Redacted(ctx, key.Shop, customer)
}

func (b *batch) accept(ev store.Event, o *shopify.Order, hash string, fetchedAt time.Time, redacted bool) {
	content, err := json.Marshal(o)
	if err != nil { // plain data: it can't
		panic(fmt.Sprintf("an order does not become JSON: %v", err))
	}
	w := &store.Wanted{ERP: b.engine.shops[ev.Shop].ERP, Order: store.Order{
		OrderKey: store.OrderKey{Shop: ev.Shop, ID: o.ID}, Name: o.Name, Version: o.Version(), Hash: hash,
		Currency: o.Currency, Total: o.CurrentTotal.Shop.String(), Test: o.Test,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, FetchedAt: fetchedAt, EventID: ev.ID, Content: content,
	}}
	if o.Customer != nil {
		w.CustomerID = o.Customer.ID
	}
	if o.CancelledAt != nil {
		w.CancelledAt = *o.CancelledAt
	}
	if redacted {
		w.RedactedAt = b.at
	}
	b.latest[w.OrderKey] = w.Order
	b.wanted[w.OrderKey] = w
}

// doubt asks Shopify for the order by id, once a batch.
func (b *batch) doubt(ev store.Event, key store.OrderKey, outcome, why string) {
	if key.ID == 0 {
		b.note(ev, key, outcome, why+"; it names no order, so none can be fetched")
		return
	}
	if !b.asked[key] {
		b.asked[key] = true
		b.Refetches = append(b.Refetches, store.Refetch{OrderKey: key, Reason: outcome, AskedAt: b.at, NextAt: b.at})
	}
	b.note(ev, key, outcome, why)
}

func (b *batch) note(ev store.Event, key store.OrderKey, outcome, detail string) {
	b.Decisions = append(b.Decisions, store.Decision{At: b.at, Shop: ev.Shop, OrderID: key.ID, EventID: ev.ID, Step: "intake", Outcome: outcome, Detail: detail})
}

func (b *batch) redact(ev store.Event, m message) {
	b.Redactions = append(b.Redactions, store.Redaction{
		Shop: ev.Shop, WholeShop: m.Kind == shopify.KindRedactShop, CustomerID: m.Redact.CustomerID, OrderIDs: m.Redact.OrderIDs,
		EventID: ev.ID, Redact: redactContent,
	})
	b.Decisions = append(b.Decisions, store.Decision{At: b.at, Shop: ev.Shop, EventID: ev.ID, Step: "redact", Outcome: string(m.Kind), Detail: "personal data removed"})
}

// redactContent takes the personal fields out of a stored order.
func redactContent(content []byte) ([]byte, error) {
	var o shopify.Order
	if err := json.Unmarshal(content, &o); err != nil {
		return nil, fmt.Errorf("read a stored order: %w", err)
	}
	o.Redact()
	return json.Marshal(&o)
}
