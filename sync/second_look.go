package ordersync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"gapless/shopify"
	"gapless/store"
)

// Here a pass looks twice at what a list alone does not tell.

// lookAgain looks up, in batches, what stands here of orders that only another
// side told of, and asks Shopify by id for those that it did not list.
func (r *reconciler) lookAgain(ctx context.Context) error {
	lines := r.later
	r.later = nil
	if err := r.knownOutside(ctx, lines); err != nil {
		return err
	}
	shown, err := r.shownByShopify(ctx, lines)
	if err != nil {
		return err
	}
	for _, l := range lines {
		shows, asked := shown[l.id]
		switch {
		case asked && shows && l.known == nil: // a copy from a backup does not know it
			if err := r.fault(ctx, store.Fault{Refetch: r.refetch(l.id)}); err != nil {
				return err
			}
			continue
		case asked && !shows && l.known != nil && l.known.DeletedAt.IsZero() && r.now().Sub(l.known.CreatedAt) < deepest:
			l.known.DeletedAt = r.now() // whatever became of it, a person must decide about its document
		}
		if err := r.settle(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// knownOutside adds what stands here of orders outside the window.
func (r *reconciler) knownOutside(ctx context.Context, lines []line) error {
	var keys []store.OrderKey
	for _, l := range lines {
		if l.known == nil {
			keys = append(keys, store.OrderKey{Shop: r.shop.Name, ID: l.id})
		}
	}
	known, err := r.store.StandingsOf(ctx, r.shop.ERP, keys)
	if err != nil {
		return err
	}
	for i, l := range lines {
		if st, ok := known[store.OrderKey{Shop: r.shop.Name, ID: l.id}]; ok && l.known == nil {
			lines[i].known, lines[i].outside = &st, true
		}
	}
	return nil
}

// shownByShopify asks for orders that the list did not show, though it should
// have or though something is wrong with them: they may be deleted there. The map
// holds those that were asked for.
func (r *reconciler) shownByShopify(ctx context.Context, lines []line) (map[int64]bool, error) {
	shown := map[int64]bool{}
	var ids []int64
	for _, l := range lines {
		if l.head == nil && (!l.outside || r.judge(l).kind != "") {
			ids = append(ids, l.id)
		}
	}
	if len(ids) == 0 || !r.shopify {
		return shown, nil
	}
	heads, err := r.shop.Client.OrdersByID(ctx, ids, shopify.Reconcile)
	if err != nil {
		r.shopify = false
		r.out.Notes = append(r.out.Notes, "Shopify could not be asked for the orders it did not list: "+err.Error())
		return shown, ctx.Err()
	}
	for _, id := range ids {
		shown[id] = false
	}
	for _, h := range heads {
		shown[h.ID] = true
	}
	return shown, nil
}

// tooOld says that the ERP's list can't show a document of the order, because it
// was not written since the list begins.
func (r *reconciler) tooOld(l line) bool {
	return len(l.docs) == 0 && l.known != nil && later(l.known.WrittenAt, l.known.CreatedAt).Before(r.listed)
}

// lastTurn is the last order whose turn it was in the last complete pass of a kind:
// passes of one kind look at much the same orders.
func (e *Engine) lastTurn(ctx context.Context, shop, kind string) (int64, error) {
	last, err := e.store.LastRun(ctx, shop, kind)
	if errors.Is(err, store.ErrNotFound) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	var saw Reconciliation
	if err := json.Unmarshal(last.Data, &saw); err != nil {
		return 0, fmt.Errorf("read what run %d of %s saw: %w", last.ID, shop, err)
	}
	return saw.Turn, nil
}

// takeTurn keeps a line whose document is too old for the ERP's list, until it is
// known which of them are looked up: those next behind the last one that was, and
// round again, so that over the passes all are. The others count as still there,
// and the pass as complete all the same: what was changed in the ERP its list shows,
// so all that goes unseen is that one of them was deleted there.
func (r *reconciler) takeTurn(ctx context.Context, l line) error {
	place := func(l line) uint64 { return uint64(l.id - r.after - 1) }
	i, _ := slices.BinarySearchFunc(r.old, l, func(a, b line) int { return cmp.Compare(place(a), place(b)) })
	r.old = slices.Insert(r.old, i, l)
	if len(r.old) <= mostConfirmed {
		return nil
	}
	l, r.old = r.old[mostConfirmed], r.old[:mostConfirmed]
	r.unseen++
	return r.enter(ctx, l, verdict{class: classERP})
}

// lookUpOld looks up the documents whose turn it is.
func (r *reconciler) lookUpOld(ctx context.Context) error {
	for _, l := range r.old {
		v := r.judge(l)
		if r.erp {
			var err error
			if l, v, err = r.confirm(ctx, l, v); err != nil {
				return err
			}
			r.out.Turn = l.id
		}
		if err := r.enter(ctx, l, v); err != nil {
			return err
		}
	}
	if r.unseen > 0 {
		r.out.Notes = append(r.out.Notes, fmt.Sprintf("documents that are older than the ERP's list shows, and were not looked up this time: %d", r.unseen))
	}
	return nil
}

// confirm looks the reference up before anybody is told that something is wrong:
// lists skip and repeat, and are not endless.
func (r *reconciler) confirm(ctx context.Context, l line, v verdict) (line, verdict, error) {
	asked := r.shownSince()
	found, err := r.lane.lookUp(ctx, ref(r.shop.Name, l.id))
	if err != nil {
		r.erp = false
		r.out.Notes = append(r.out.Notes, "the ERP could not be asked about a document: "+err.Error())
		return l, verdict{class: v.class}, ctx.Err()
	}
	known, err := r.store.StandingsOf(ctx, r.shop.ERP, []store.OrderKey{{Shop: r.shop.Name, ID: l.id}})
	if err != nil {
		return l, v, err
	}
	if st, ok := known[store.OrderKey{Shop: r.shop.Name, ID: l.id}]; ok {
		if st.DeletedAt.IsZero() && l.known != nil {
			st.DeletedAt = l.known.DeletedAt
		}
		l.known = &st
	}
	l.docs = nil
	for _, f := range found {
		l.docs = withDocument(l.docs, entryOf(l.id, f))
	}
	c := r.comparison
	c.asked = asked
	return l, c.judge(l), nil
}
