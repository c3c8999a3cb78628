package ordersync

import (
	"context"

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

// confirm looks the reference up before anybody is told that something is wrong:
// lists skip and repeat. Where too much looks wrong at once, the list is believed.
func (r *reconciler) confirm(ctx context.Context, l line, v verdict) (line, verdict, error) {
	unlisted := len(l.docs) == 0 && l.known != nil && l.known.WrittenAt.Before(r.listed)
	if r.confirmed >= mostConfirmed {
		if unlisted { // the list could not show it
			v.class, v.kind = classERP, ""
		}
		return l, v, nil
	}
	r.confirmed++
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
