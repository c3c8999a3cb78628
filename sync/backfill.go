package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gapless/shopify"
	"gapless/store"
)

// Backfill is what brings orders of the past in. It is a run that is kept until
// it is done: a process that is killed goes on with it at its next start.
//
//	asked for ──► Shopify reads the window into a file ──► read, order by order ──► done
//	                    │ fails, or can't                    │ can't be used
//	                    ▼                                    ▼
//	              listed in light pages; what is not known is fetched by id ──► done
//
// Orders that are known at this version already are passed over. The others
// enter by the same door as a fetched order, no faster than intake keeps up, and
// are delivered in the background: today's orders go first.

// backfillPlace is where a backfill goes on.
type backfillPlace struct {
	Operation string `json:"operation"` // Shopify's; empty: none was started
	Tries     int    `json:"tries"`     // operations, and readings of their files, that ended badly since one got on
	Read      int    `json:"read"`      // orders of its file that are done with
	Known     int64  `json:"known"`     // of those, known at this version already
}

const (
	backfillBatch = 100 // orders that are looked at together
	backfillAhead = 500 // events and fetches that wait already: then a backfill waits too
	backfillTries = 3   // bulk operations and readings of their files, before orders are listed instead
	reasonBack    = "backfill"
	topicBulk     = "gapless/bulk"
)

// StartBackfill notes that a shop's orders placed in [from, to) are to be brought
// in. The process that serves carries it out. One that is under way already is
// ErrRunning, and its ID is that of the run returned.
func (e *Engine) StartBackfill(ctx context.Context, shop string, from, to time.Time, by string) (store.Run, error) {
	if e.shops[shop] == nil {
		return store.Run{}, fmt.Errorf("there is no shop named %q in the config", shop)
	}
	if !from.Before(to) {
		return store.Run{}, fmt.Errorf("the window from %s to %s is empty", version(from), version(to))
	}
	run := store.Run{Shop: shop, Kind: store.RunBackfill, By: by, From: from, To: to, Heal: true}
	err := e.store.BeginRun(ctx, &run)
	return run, err
}

// backfiller carries a shop's backfills on, one after the other, oldest first. Its
// own notes of how far one is wake it at once, as every change of a run does: so it
// keeps in mind when Shopify is to be asked next.
type backfiller struct {
	*Engine
	shop *Shop
	run  int64         // the backfill that it is at
	next time.Time     // when that one goes on
	wait time.Duration // after its last failure; 0: it did not fail
}

// step carries the oldest backfill on if it is time to, and says how long it is
// until then; 0: there is none.
func (f *backfiller) step(ctx context.Context) time.Duration {
	run, err := f.store.FirstRunning(ctx, f.shop.Name, store.RunBackfill)
	switch {
	case errors.Is(err, store.ErrNotFound) || ctx.Err() != nil:
		return 0
	case err != nil:
		f.logged("look for backfills", err)
		return time.Second
	case run.ID != f.run: // the one before is done, or somebody cancelled it
		f.run, f.next, f.wait = run.ID, time.Time{}, 0
	}
	if wait := f.next.Sub(f.now()); wait > 0 {
		return wait
	}
	wait := f.carryOn(ctx, run)
	f.next = f.now().Add(wait)
	return max(wait, time.Millisecond)
}

// carryOn takes a backfill as far as it gets now, and says for how long to let it
// be. One that fails is left for longer each time.
func (f *backfiller) carryOn(ctx context.Context, run store.Run) time.Duration {
	const first, longest = 30 * time.Second, 10 * time.Minute
	b := &backfill{Engine: f.Engine, shop: f.shop, run: run}
	if err := json.Unmarshal(run.Data, &b.place); err != nil {
		b.place = backfillPlace{} // from the start: what is known is passed over
	}
	wait, err := b.step(ctx)
	if err == nil || ctx.Err() != nil || errors.Is(err, store.ErrEnded) { // ended: somebody cancelled it
		f.wait = 0
		return wait
	}
	f.wait = min(max(2*f.wait, first), longest)
	f.log.Warn("a backfill could not go on; it is tried again", "shop", f.shop.Name, "run", run.ID, "in", f.wait, "err", err)
	b.run.Note = err.Error()
	if err := b.save(ctx); !errors.Is(err, store.ErrEnded) {
		f.logged("note how far a backfill is", err)
	}
	return f.wait
}

// backfill is one such run being carried on.
type backfill struct {
	*Engine
	shop  *Shop
	run   store.Run
	place backfillPlace
}

func (b *backfill) window() shopify.Window {
	return shopify.Window{By: shopify.ByCreated, From: b.run.From, To: b.run.To}
}

// step takes the backfill as far as it gets now, and says for how long Shopify is
// to be left alone.
func (b *backfill) step(ctx context.Context) (time.Duration, error) {
	const busy, look = time.Minute, 5 * time.Second
	if b.place.Tries >= backfillTries {
		return 0, b.list(ctx)
	}
	operation, err := b.operation(ctx)
	switch {
	case errors.Is(err, shopify.ErrBulkBusy):
		b.run.Note = "it waits until another bulk operation of this app ends; Shopify runs no more at once"
		return busy, b.save(ctx)
	case errors.Is(err, shopify.ErrBulkGone):
		return 0, b.again(ctx, "its file is no longer kept")
	case err != nil:
		return 0, err
	case !operation.Done():
		b.run.Note = fmt.Sprintf("Shopify has read %d orders so far", operation.Orders)
		return look, b.save(ctx)
	case operation.Status != shopify.BulkCompleted:
		return 0, b.again(ctx, fmt.Sprintf("Shopify ended it as %s %s", operation.Status, operation.ErrorCode))
	}
	b.run.Total = operation.Orders
	return 0, b.read(ctx, operation)
}

// operation is the bulk operation of this backfill; one is started where there is none.
func (b *backfill) operation(ctx context.Context) (shopify.BulkOperation, error) {
	if b.place.Operation != "" {
		return b.shop.Client.BulkOperation(ctx, b.place.Operation)
	}
	operation, err := b.shop.Client.BulkOrders(ctx, b.window())
	var refusal *shopify.APIError
	if errors.As(err, &refusal) && refusal.Denied() {
		b.place.Tries = backfillTries
	}
	if err != nil {
		return operation, err
	}
	b.place.Operation = operation.ID
	return operation, b.save(ctx)
}

// again gives the operation up, and has another one started.
func (b *backfill) again(ctx context.Context, why string) error {
	b.place = backfillPlace{Tries: b.place.Tries + 1}
	b.run.Done = 0
	b.run.Note = "the bulk operation did not help, " + why
	return b.save(ctx)
}

// read takes in the operation's file, from where it was left. A file that can't be
// read, or holds what can't be used, counts as a try that ended badly.
func (b *backfill) read(ctx context.Context, o shopify.BulkOperation) error {
	var batch []shopify.BulkOrder
	begun := b.place.Read
	var unkept error // why the last batch could not be kept, which is not the file's fault
	flush := func() error {
		if unkept = b.take(ctx, o.CreatedAt, batch); unkept != nil {
			return unkept
		}
		b.place.Read += len(batch)
		b.run.Done, batch = int64(b.place.Read), batch[:0]
		unkept = b.save(ctx)
		return unkept
	}
	err := b.shop.Client.ReadBulk(ctx, o, b.place.Read, func(order shopify.BulkOrder) error {
		if batch = append(batch, order); len(batch) < backfillBatch {
			return nil
		}
		return flush()
	})
	switch {
	case errors.Is(err, shopify.ErrBulkGone):
		return b.again(ctx, "its file is no longer kept")
	case err != nil && unkept != nil:
		return err
	case err != nil && b.place.Read > begun:
		b.place.Tries = 0 // a large file takes hours, and its way breaks now and then
		return err
	case err != nil:
		b.place.Tries++
		return err
	}
	if err := flush(); err != nil {
		return err
	}
	if b.run.Done < o.Orders {
		return b.again(ctx, fmt.Sprintf("its file held %d of %d orders", b.run.Done, o.Orders))
	}
	return b.end(ctx)
}

// take stores orders that are new or newer, as Shopify told them. Those that came
// without their whole content are fetched by id.
func (b *backfill) take(ctx context.Context, asked time.Time, orders []shopify.BulkOrder) error {
	keys := make([]store.OrderKey, len(orders))
	for i, o := range orders {
		keys[i] = store.OrderKey{Shop: b.shop.Name, ID: o.ID}
	}
	known, err := b.store.Known(ctx, keys)
	if err != nil {
		return err
	}
	if err := b.room(ctx); err != nil {
		return err
	}
	var asks []store.Refetch
	passed := int64(0)
	for i, o := range orders {
		have, seen := known[keys[i]]
		switch {
		case seen && !o.UpdatedAt.After(have.UpdatedAt):
			passed++
		case o.Body == nil:
			asks = append(asks, b.ask(keys[i]))
		default:
			err := b.store.AppendFetched(ctx, &store.Event{
				Shop: b.shop.Name, Source: store.SourceRefetch, Topic: topicBulk, Headers: "{}", TriggeredAt: asked, ReceivedAt: b.now(), Body: o.Body,
			})
			if err != nil {
				return err
			}
		}
	}
	if err := b.store.AskAgain(ctx, asks...); err != nil {
		return err
	}
	b.place.Known += passed
	return nil
}

func (b *backfill) ask(k store.OrderKey) store.Refetch {
	return store.Refetch{OrderKey: k, Reason: reasonBack, AskedAt: b.now(), NextAt: b.now()}
}

// room waits until intake and fetches have caught up.
func (b *backfill) room(ctx context.Context) error {
	changes, cancel := b.store.Watch(store.Deliveries | store.Refetches)
	defer cancel()
	for {
		ahead, err := b.store.Ahead(ctx, b.shop.Name)
		if err != nil || ahead < backfillAhead {
			return err
		}
		timer := time.NewTimer(time.Second)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-changes:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// list goes without a bulk operation: light pages, and each order that is not
// known by its id.
func (b *backfill) list(ctx context.Context) error {
	b.run.Done, b.place.Known = 0, 0
	err := b.shop.Client.Orders(ctx, b.window(), shopify.Backfill, func(page []shopify.OrderHead) error {
		orders := make([]shopify.BulkOrder, len(page))
		for i, h := range page {
			orders[i] = shopify.BulkOrder{ID: h.ID, Name: h.Name, UpdatedAt: h.UpdatedAt}
		}
		if err := b.take(ctx, b.now(), orders); err != nil {
			return err
		}
		b.run.Done += int64(len(page))
		return b.save(ctx)
	})
	if err != nil {
		return err
	}
	return b.end(ctx)
}

// end notes that the orders of the window are Gapless's from now on. Before, a
// comparison would take those still to come for lost. A window that ends before
// Gapless began claims nothing: what was placed between the two is another's.
func (b *backfill) end(ctx context.Context) error {
	if err := b.store.Began(ctx, b.shop.Name, b.run.From, b.run.To); err != nil {
		return err
	}
	b.run.State, b.run.Total = store.RunDone, b.run.Done
	b.run.Note = fmt.Sprintf("%d orders, %d of them known already", b.run.Done, b.place.Known)
	return b.save(ctx)
}

func (b *backfill) save(ctx context.Context) error {
	var err error
	if b.run.Data, err = json.Marshal(b.place); err != nil {
		return err
	}
	return b.store.SaveRun(ctx, &b.run)
}

// Unknown counts the orders that Shopify placed in a window, and those of them
// that a backfill would bring in.
func (e *Engine) Unknown(ctx context.Context, name string, from, to time.Time) (all, unknown int, err error) {
	shop := e.shops[name]
	if shop == nil {
		return 0, 0, fmt.Errorf("there is no shop named %q in the config", name)
	}
	window := shopify.Window{By: shopify.ByCreated, From: from, To: to}
	err = shop.Client.Orders(ctx, window, shopify.Backfill, func(page []shopify.OrderHead) error {
		keys := make([]store.OrderKey, len(page))
		for i, h := range page {
			keys[i] = store.OrderKey{Shop: name, ID: h.ID}
		}
		known, err := e.store.Known(ctx, keys)
		for i, h := range page {
			if have, seen := known[keys[i]]; !seen || h.UpdatedAt.After(have.UpdatedAt) {
				unknown++
			}
		}
		all += len(page)
		return err
	})
	return all, unknown, err
}
