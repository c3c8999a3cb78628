package ordersync

import (
	"cmp"
	"context"
	"slices"
	"time"

	"gapless/shopify"
	"gapless/store"
)

// intakeBatch is how many events one step decides. Their orders are in memory at
// once; more of them make it no quicker.
const intakeBatch = 128

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
// updates of one order among them become one. A redaction is decided alone:
// what comes before it is stored first, what follows finds it done.
func (e *Engine) Intake(ctx context.Context) (int, error) {
	events, err := e.store.PendingEvents(ctx, intakeBatch)
	if err != nil || len(events) == 0 {
		return 0, err
	}
	heard := hearAll(events)
	if at := slices.IndexFunc(heard, message.redacts); at == 0 {
		return 1, e.redact(ctx, events[0], heard[0])
	} else if at > 0 {
		events = events[:at]
	}
	b := &batch{engine: e, at: e.now(), wanted: map[store.OrderKey]*store.Wanted{}, asked: map[store.OrderKey]bool{}, late: map[string]bool{}}
	b.Heard = map[store.Heard]int64{}
	if err := b.recall(ctx, events, heard); err != nil {
		return 0, err
	}
	for i, ev := range events {
		if err := b.decide(ctx, ev, heard[i]); err != nil {
			return 0, err
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
	b.sign()
	for _, told := range b.overdue {
		e.logged("note that a webhook came late", e.cameLate(ctx, told))
	}
	return len(events), nil
}

// batch gathers what a run of events leads to.
type batch struct {
	store.Intake
	engine   *Engine
	at       time.Time
	latest   map[store.OrderKey]store.Order // what is known of each order, this run's accepted versions included
	redacted map[store.Person]bool
	wanted   map[store.OrderKey]*store.Wanted
	asked    map[store.OrderKey]bool
	numbers  []numbered      // of orders that are new
	late     map[string]bool // shops of which a webhook came late
	overdue  []overdue       // webhooks that a poll may not have waited for
}

// overdue is a webhook of whose change a gap may have been made before it came.
type overdue struct {
	store.OrderKey
	topic             string
	changed, received time.Time
}

// numbered is a new order's number, by which a lost one before it shows.
type numbered struct {
	shop   string
	number int64
}

// recall reads what is known of the orders and people that events are about.
func (b *batch) recall(ctx context.Context, events []store.Event, heard []message) (err error) {
	var keys []store.OrderKey
	var people []store.Person
	for i, ev := range events {
		if id := heard[i].OrderID; id != 0 {
			keys = append(keys, store.OrderKey{Shop: ev.Shop, ID: id})
		}
		people = append(people, everybody(ev))
		if o := heard[i].Order; o != nil {
			people = append(people, buyer(ev, o))
		}
		if asks := heard[i].Redact; asks != nil {
			people = append(people, store.Person{Shop: ev.Shop, CustomerID: asks.CustomerID})
		}
	}
	if b.latest, err = b.engine.store.Known(ctx, keys); err != nil {
		return err
	}
	b.redacted, err = b.engine.store.Redacted(ctx, people)
	return err
}

func everybody(ev store.Event) store.Person { return store.Person{Shop: ev.Shop} }

func buyer(ev store.Event, o *shopify.Order) store.Person {
	if o.Customer == nil {
		return everybody(ev)
	}
	return store.Person{Shop: ev.Shop, CustomerID: o.Customer.ID}
}

func (b *batch) decide(ctx context.Context, ev store.Event, m message) error {
	if ev.Source == store.SourceWebhook {
		b.Heard[store.Heard{Shop: ev.Shop, Hour: ev.ReceivedAt.Truncate(time.Hour)}]++
	}
	key := store.OrderKey{Shop: ev.Shop, ID: m.OrderID}
	if !b.latest[key].RedactedAt.IsZero() || b.redacted[everybody(ev)] {
		b.Forget = append(b.Forget, ev.ID)
	}
	switch {
	case b.engine.shops[ev.Shop] == nil:
		b.note(ev, key, "shop unknown", "the shop is no longer in the config; nothing was done")
	case m.err != nil:
		b.doubt(ev, key, "undecodable", m.err.Error())
	case m.Kind == shopify.KindOrder:
		return b.order(ctx, ev, m.Order, m.content)
	case m.Kind == shopify.KindRefetch:
		b.doubt(ev, key, "incomplete", ev.Topic+" does not hold the whole order")
	case m.Kind == shopify.KindDeleted:
		b.Deleted = append(b.Deleted, store.Gap{Shop: key.Shop, OrderID: key.ID, Kind: store.GapOrphan, Cause: CauseDeleted, FoundBy: foundByWebhook})
		b.note(ev, key, "deleted", "deleted in Shopify; the ERP's document stays, a person must decide about it")
	case m.Kind == shopify.KindUninstalled:
		b.Uninstalled = append(b.Uninstalled, ev.Shop)
		b.note(ev, store.OrderKey{Shop: ev.Shop}, "uninstalled", "the app was removed from the shop; nothing more can be asked or heard until it is installed again")
	case m.Kind == shopify.KindDataRequest:
		if b.redacted[store.Person{Shop: ev.Shop, CustomerID: m.Redact.CustomerID}] { // a late copy
			b.Forget = append(b.Forget, ev.ID)
		}
		b.note(ev, store.OrderKey{Shop: ev.Shop}, "data request", "a customer asks which data is kept; answer within 30 days")
	case m.Kind == shopify.KindBulkFinished:
		b.note(ev, store.OrderKey{Shop: ev.Shop}, "bulk operation", m.Bulk.Status)
	default:
		b.note(ev, key, "not about an order", "stored and shown, nothing to do")
	}
	return nil
}

// order takes a whole order in if it is newer than what is known.
func (b *batch) order(ctx context.Context, ev store.Event, o *shopify.Order, content shopify.Content) error {
	key := store.OrderKey{Shop: ev.Shop, ID: o.ID}
	known, seen := b.latest[key]
	fetchedAt := time.Time{}
	if ev.Source == store.SourceRefetch {
		fetchedAt = ev.TriggeredAt
	}
	// What was redacted, before or for its customer, must not come back by a late copy.
	gone := !known.RedactedAt.IsZero() || b.redacted[buyer(ev, o)]
	if gone {
		if err := b.withoutPerson(ctx, ev, o); err != nil {
			return err
		}
		known, content = b.latest[key], o.Content()
	}
	lacks, fields := withheld(ev)
	whole := lacks == ""
	if !whole && seen && !gone {
		var err error
		if whole, err = b.fill(ctx, o, fields, known); err != nil {
			return err
		}
		if whole {
			content = o.Content()
		}
	}
	grace := cmp.Or(b.engine.shops[ev.Shop].Poll.Grace, b.engine.cfg.Late)
	if ev.Source == store.SourceWebhook && ev.ReceivedAt.Sub(o.UpdatedAt) > grace {
		b.overdue = append(b.overdue, overdue{key, ev.Topic, o.UpdatedAt, ev.ReceivedAt})
	}
	late := ev.Source == store.SourceWebhook && !ev.TriggeredAt.IsZero() && ev.ReceivedAt.Sub(ev.TriggeredAt) > b.engine.cfg.Late
	if seen && !gone && content.Hash != known.Hash {
		supplied, err := b.supply(ctx, ev, o, known)
		if err != nil {
			return err
		}
		if supplied {
			b.note(ev, key, "newer", "it tells what Shopify withheld of its answer")
			return nil
		}
	}
	switch {
	case !seen || o.UpdatedAt.After(known.UpdatedAt):
		outcome := "newer"
		if !seen {
			outcome = "new"
			b.numbers = append(b.numbers, numbered{ev.Shop, o.Number})
		}
		b.accept(ev, o, content, fetchedAt, gone)
		if late {
			b.late[ev.Shop] = true
			b.doubt(ev, key, outcome, "accepted, but it came late: Shopify is asked whether there is something newer still")
			return nil
		}
		b.note(ev, key, outcome, lacks)
	case content.Hash == known.Hash:
		if fetchedAt.After(known.FetchedAt) {
			b.accept(ev, o, content, fetchedAt, gone) // the same, but now Shopify itself has said so
		}
		b.note(ev, key, "same", "this version is known already")
	case !whole && o.UpdatedAt.Equal(known.UpdatedAt):
		b.note(ev, key, "incomplete", "Shopify withheld fields of this version; what is known of it stays")
	case o.UpdatedAt.Before(known.UpdatedAt):
		b.note(ev, key, "older", "a newer version is known already")
	case fetchedAt.After(known.FetchedAt):
		told, err := b.toldAfter(ctx, known, fetchedAt)
		if err != nil {
			return err
		}
		if told {
			b.doubt(ev, key, "tie", "another content of the same second was told after Shopify had been asked")
			return nil
		}
		b.accept(ev, o, content, fetchedAt, gone)
		b.note(ev, key, "newer", cmp.Or(lacks, "fetched later than what was known of the same second"))
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
	told, err := b.engine.store.EventHead(ctx, known.EventID)
	return told.ReceivedAt.After(asked), err
}

// sign passes on what hints at webhooks that are getting lost.
func (b *batch) sign() {
	for _, n := range b.numbers {
		b.engine.signs[n.shop].heard(n.number, b.at)
	}
	for shop := range b.late {
		b.engine.signs[shop].suspect(b.at, foundByLag)
	}
}

func (b *batch) accept(ev store.Event, o *shopify.Order, content shopify.Content, fetchedAt time.Time, redacted bool) {
	w := &store.Wanted{ERP: b.engine.shops[ev.Shop].ERP, Background: ev.Topic == topicBulk, Order: store.Order{
		OrderKey: store.OrderKey{Shop: ev.Shop, ID: o.ID}, Name: o.Name, Version: content.Version, Hash: content.Hash,
		Currency: o.Currency, Total: o.CurrentTotal.Shop.String(), Test: o.Test,
		CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, FetchedAt: fetchedAt, EventID: ev.ID, Content: content.JSON,
	}}
	if o.Customer != nil {
		w.CustomerID = o.Customer.ID
	}
	if o.CancelledAt != nil {
		w.CancelledAt = *o.CancelledAt
	}
	if redacted {
		w.RedactedAt = cmp.Or(b.latest[w.OrderKey].RedactedAt, b.at)
	} else {
		w.Customer = o.People()
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
