package ordersync

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// large is a shop that notes how its orders are listed.
type large struct {
	ShopClient
	paged, bulk int
	breaks      bool // a bulk file, behind some of its orders
}

func (l *large) Orders(ctx context.Context, w shopify.Window, p shopify.Priority, page func([]shopify.OrderHead) error) error {
	l.paged++
	return l.ShopClient.Orders(ctx, w, p, page)
}

func (l *large) OrdersInBulk(ctx context.Context, w shopify.Window, meanwhile func() error, page func([]shopify.OrderHead) error) error {
	l.bulk++
	if err := l.ShopClient.OrdersInBulk(ctx, w, meanwhile, page); err != nil || !l.breaks {
		return err
	}
	return errors.New("the bulk file broke off")
}

func (a *appliance) deep() Reconciliation {
	a.Helper()
	a.pass(25 * time.Hour)
	pass, err := a.engine.nextPass(a.Context(), a.engine.shops["acme"])
	require.NoError(a, err)
	require.Equal(a, store.RunDeep, pass.Kind)
	r, err := a.engine.Reconcile(a.Context(), "acme", pass)
	require.NoError(a, err)
	require.True(a, r.Complete, r.Notes)
	return r
}

func TestTheDeepPassOfALargeShopIsReadInBulk(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{BulkTime: -time.Minute}})
	shop := &large{ShopClient: a.clients["acme"]}
	a.engine.shops["acme"].Client, a.engine.bulkFrom = shop, 5
	var orders []store.OrderKey
	for range 4 {
		orders = append(orders, a.place())
	}
	a.deep()
	require.Equal(t, []int{1, 0}, []int{shop.paged, shop.bulk}, "nothing is known of its size")
	orders = append(orders, a.place())
	a.deep()
	require.Equal(t, []int{2, 0}, []int{shop.paged, shop.bulk}, "four are few")

	lost := a.unheard()
	gone := orders[2]
	require.True(t, a.erp.Delete(ref(gone.Shop, gone.ID)))
	r := a.deep()
	require.Equal(t, []int{2, 1}, []int{shop.paged, shop.bulk})
	require.EqualValues(t, 6, r.Balance.Shopify.Orders)
	require.EqualValues(t, 6, r.Run.Done)
	require.Equal(t, []string{store.GapMissing, CauseNeverCame}, []string{a.gap(lost).Kind, a.gap(lost).Cause})
	require.Equal(t, []string{store.GapMissing, CauseERPLost}, []string{a.gap(gone).Kind, a.gap(gone).Cause})
	a.settle()

	t.Log("a file that breaks off")
	shop.breaks = true
	again := a.deep()
	require.Equal(t, []int{3, 2}, []int{shop.paged, shop.bulk}, "then it goes page by page")
	require.EqualValues(t, 6, again.Run.Done, "and what the file told is not counted twice")
	require.EqualValues(t, 6, again.Balance.Shopify.Orders)
	require.True(t, again.Balance.Balanced())
	a.judge()

	t.Log("no other comparison")
	a.reconcile(true)
	require.Equal(t, []int{4, 2}, []int{shop.paged, shop.bulk})
}
