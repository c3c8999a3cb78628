package ordersync

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
)

// Here a pass reads the two outer sides, each into a spool.

// readShopify spools the heads of the window. A failure is noted, and the pass
// goes on with what the other two sides tell.
func (r *reconciler) readShopify(ctx context.Context) {
	window := shopify.Window{By: shopify.Axis(r.pass.Axis), From: r.pass.From, To: r.pass.To}
	err := r.list(ctx, window, func(page []shopify.OrderHead) error {
		for _, h := range page {
			if err := r.heads.add(entryOfHead(h)); err != nil {
				return err
			}
			r.giveWay(ctx)
		}
		r.run.Done += int64(len(page))
		return r.progress(ctx)
	})
	if err == nil {
		err = r.shownWhole(ctx)
	}
	r.shopify = err == nil
	if err != nil {
		r.out.Notes = append(r.out.Notes, "Shopify could not be read whole: "+err.Error())
	}
}

// shownWhole is an error where Shopify hides orders of the window from this app: it
// leaves them out of its list and says nothing.
func (r *reconciler) shownWhole(ctx context.Context) error {
	edge := r.run.StartedAt.Add(-deepest)
	if r.pass.Kind != store.RunDay { // it may have waited for its turn since somebody asked for the last 60 days
		edge = edge.Add(-time.Hour)
	}
	if !r.pass.From.Before(edge) {
		return nil
	}
	told, err := r.shop.Client.Shop(ctx)
	switch {
	case err != nil:
		return fmt.Errorf("whether it shows this app orders placed more than 60 days ago: %w", err)
	case !told.SeesAllOrders():
		return errors.New("it shows this app no orders placed more than 60 days ago; give it the scope read_all_orders and install it again")
	}
	return nil
}

// bulkFrom is the number of orders in a deep pass, a hundred pages, from which on
// the next one reads them by a bulk operation.
const bulkFrom = 25_000

// list lists the heads of the window, page by page or, in the deep pass of a large
// shop, by a bulk operation. Where that can't be had, they come in pages all the
// same.
func (r *reconciler) list(ctx context.Context, w shopify.Window, page func([]shopify.OrderHead) error) error {
	if r.large(ctx) {
		err := r.shop.Client.OrdersInBulk(ctx, w, func() error { return r.progress(ctx) }, page)
		if err == nil || ctx.Err() != nil {
			return err
		}
		r.log.Warn("orders could not be listed by a bulk operation, and are listed page by page", "shop", r.shop.Name, "err", err)
		r.run.Done = 0
		if err := r.heads.empty(); err != nil {
			return err
		}
	}
	return r.shop.Client.Orders(ctx, w, shopify.Reconcile, page)
}

// large says that the deep pass before this one has seen many orders.
func (r *reconciler) large(ctx context.Context) bool {
	if r.pass.Kind != store.RunDeep {
		return false
	}
	before, err := r.store.LastRun(ctx, r.shop.Name, store.RunDeep)
	return err == nil && before.Done >= r.bulkFrom
}

// giveWay lets webhooks go first: while writes wait in the store, a comparison
// rests for longer than it works.
func (r *reconciler) giveWay(ctx context.Context) {
	const stint, most = 200, 100 * time.Millisecond // so many orders are worked through in between
	if r.worked++; r.worked < stint {
		return
	}
	if waiting, _ := r.store.Queued(); waiting > 0 {
		rest := time.NewTimer(min(6*r.now().Sub(r.rested), most))
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
	}
	r.worked, r.rested = 0, r.now()
}

// progress notes how far the pass is, once a second.
func (r *reconciler) progress(ctx context.Context) error {
	if r.now().Sub(r.noted) < time.Second {
		return nil
	}
	r.noted = r.now()
	return r.store.SaveRun(ctx, &r.run)
}

// readERP spools the ERP's documents that changed since the window began, or
// since an older one of its orders was written.
func (r *reconciler) readERP(ctx context.Context) error {
	var err error
	if r.listed, err = r.listFrom(ctx); err != nil {
		return err
	}
	r.asked = r.shownSince()
	err = r.lane.Adapter.List(erp.WithPace(ctx, r.lane.limiter.Wait), r.listed, func(f erp.Found) error {
		id, ours := orderOf(r.shop.Name, f.Ref)
		if !ours {
			return nil
		}
		r.giveWay(ctx)
		return r.docs.add(entryOf(id, f))
	})
	r.erp = err == nil
	if err != nil {
		r.out.Notes = append(r.out.Notes, "the ERP could not be read whole: "+err.Error())
	}
	return nil
}

// listFrom is from when on the ERP is to list its documents.
func (r *reconciler) listFrom(ctx context.Context) (time.Time, error) {
	since := r.pass.From.Add(-r.lane.longest() - time.Minute) // clocks differ
	if r.pass.Axis == store.ByCreated {
		return since, nil // nothing was written before it was placed
	}
	n, oldest, err := r.store.Unlisted(ctx, r.shop.Name, r.shop.ERP, r.pass.From, r.pass.To, r.now().Add(-deepest), since)
	if err != nil || n <= mostUnlisted {
		return since, err
	}
	return oldest.Add(-time.Minute), nil
}

// shownSince is from when on the ERP may not show yet what was written to it.
func (r *reconciler) shownSince() time.Time { return r.now().Add(-r.lane.settle()) }

func entryOfHead(h shopify.OrderHead) entry {
	return entry{order: h.ID, name: h.Name, total: h.Total.String(), currency: h.Currency, created: h.CreatedAt, updated: h.UpdatedAt, cancelled: h.CancelledAt != nil}
}

func entryOf(id int64, f erp.Found) entry {
	return entry{order: id, name: f.ID, version: f.Version, total: amountText(f.Total), currency: f.Currency, updated: f.UpdatedAt, cancelled: f.Cancelled}
}

// orderOf tells the order from a reference, where it is one of this shop's.
func orderOf(shop, reference string) (id int64, ours bool) {
	digits, ours := strings.CutPrefix(reference, shop+"-")
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, ours && err == nil && ref(shop, id) == reference
}
