package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

const mayReadAll = "give it the scope read_all_orders and install it again"

func TestADayThatShopifyHidesIsNotCalledBalanced(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	a.place()
	a.pass(70 * 24 * time.Hour)
	r := a.report("2026-11-23")
	require.Contains(t, r.Unchecked, mayReadAll)
	require.Contains(t, r.Headline(), "COULD NOT BE CHECKED")
	require.False(t, r.Complete || r.Balanced())
	require.Zero(t, r.Balance.Shopify.Orders)

	a.shop.Grant("read_all_orders")
	r = a.report("2026-11-23")
	require.Empty(t, r.Unchecked)
	require.True(t, r.Complete && r.Balanced())
	require.EqualValues(t, 1, r.Balance.Shopify.Orders)
}

// Of a window that Shopify shows in part, what it shows is judged and counted, and
// nothing is concluded from what it does not.
func TestAWindowThatShopifyHidesInPartIsNotComplete(t *testing.T) {
	a := build(t, setup{})
	hidden := a.unheard() // as a copy from a backup does not know it
	a.enter(hidden, "2026-11-23T09:00:00Z/0badf00d")
	a.pass(40 * 24 * time.Hour)
	shown := a.place()
	a.pass(21 * 24 * time.Hour)
	require.NoError(t, a.byClock())
	require.True(t, a.erp.Delete(ref(shown.Shop, shown.ID)))
	before := a.cursor()
	pass := Pass{Kind: store.RunReconcile, From: epoch.Add(-time.Hour), To: a.Now(), By: "ann"}
	compare := func() Reconciliation {
		t.Helper()
		r, err := a.engine.Reconcile(t.Context(), "acme", pass)
		require.NoError(t, err)
		return r
	}
	r := compare()
	require.False(t, r.Complete)
	require.Equal(t, store.RunPartial, r.Run.State)
	require.Equal(t, []string{"Shopify could not be read whole: it shows this app no orders placed more than 60 days ago; " + mayReadAll}, r.Notes)
	require.Equal(t, map[string]int64{store.GapMissing: 1}, r.Faults)
	require.Empty(t, a.gaps(hidden), "nobody knows whether there is such an order")
	require.EqualValues(t, 1, r.Balance.Shopify.Orders)
	require.Equal(t, before, a.cursor())

	a.shop.Grant("read_all_orders")
	pass.Heal = true
	r = compare()
	require.True(t, r.Complete, "%v", r.Notes)
	require.EqualValues(t, 2, r.Balance.Shopify.Orders)
	require.Equal(t, pass.From, a.cursor().CompleteFrom)
}

func TestAComparisonOfTheLastSixtyDaysIsCompleteAndAsksForNoScope(t *testing.T) {
	a := build(t, setup{})
	m := a.metered()
	a.pass(70 * 24 * time.Hour)
	asked := a.Now()
	for _, kind := range []string{store.RunDeep, store.RunReconcile} { // the second has waited for its turn
		r, err := a.engine.Reconcile(t.Context(), "acme", Pass{Kind: kind, From: asked.Add(-deepest), To: asked, By: "ann"})
		require.NoError(t, err)
		require.True(t, r.Complete, "%v", r.Notes)
		a.pass(40 * time.Minute)
	}
	require.NotContains(t, m.since(0), "Shop")
}

// Until it could be checked, its first hours have left the 60 days.
func TestADayWhoseFirstHoursShopifyHidesIsNotFinal(t *testing.T) {
	a, box := reporting(t)
	a.until(1, 7, 0)
	meddled := a.toldUnchecked()
	a.lettersSent()
	told := len(box.got)

	a.until(60, 0, 30)
	meddled.list = nil
	require.ErrorContains(t, a.engine.reportsDue(t.Context()), mayReadAll)
	require.True(t, a.kept("2026-11-23").Partial)
	a.shop.Grant("read_all_orders")
	a.pass(2 * time.Hour)
	a.engine.reportsDue(t.Context())
	require.Equal(t, []bool{true, false}, []bool{a.kept("2026-11-23").Balanced, a.kept("2026-11-23").Partial})
	a.lettersSent()
	require.Greater(t, len(box.got), told)
}
