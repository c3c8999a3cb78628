package ordersync

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// backup copies the store; what is reopened from the copy does not know what came later.
func (a *appliance) backup() (path string) {
	a.Helper()
	path = filepath.Join(a.TempDir(), "copy.db")
	require.NoError(a, a.store.Backup(a.Context(), path))
	return path
}

func TestOrdersThatARestoredBackupDoesNotKnowAreFetchedWithoutAGap(t *testing.T) {
	a := build(t, setup{})
	a.place()
	copied := a.backup()
	a.pass(time.Hour)
	unknown, behind := a.place(), a.place()
	a.change(behind, shopifytest.DoTag) // the ERP does not hold it yet
	a.deliverWebhooksNot()
	a.reopen(copied)
	writes := a.writes(store.OrderKey{})
	r := a.reconcile(true)
	require.Equal(t, map[string]int64{store.GapStale: 1}, r.Faults)
	require.Empty(t, a.gaps(unknown))
	require.Equal(t, store.GapStale, a.gap(behind).Kind)
	require.EqualValues(t, 3, r.Balance.ERP.Orders)
	a.settle()
	a.verify()
	require.Equal(t, 1, a.writes(store.OrderKey{})-writes, "only what was behind is sent")
	require.True(t, a.reconcile(true).Balanced())
	a.judge()
}

// The simulator found it: a backfill had brought the order in, and the copy was
// from before.
func TestAnOrderOfThePastThatARestoredBackupDoesNotKnowIsFetched(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.deliverWebhooksNot()
	a.pass(48 * time.Hour)
	a.reconfigure(func(c *Config) { c.Shops[0].Webhooks = true }) // Gapless begins
	copied := a.backup()
	a.ask(k)
	a.settle()
	require.Len(t, a.erp.Live(ref(k.Shop, k.ID)), 1)

	a.reopen(copied)
	a.pass(time.Hour)
	r, err := a.engine.Reconcile(t.Context(), "acme", deepPass(a.Now()))
	require.NoError(t, err)
	require.True(t, r.Balanced(), "%+v", r)
	require.EqualValues(t, 1, r.Balance.ERP.Orders)
	a.settle()
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
	require.Equal(t, 1, a.writes(k))
}

// untagged is a mapping that passes tags over.
const untagged = `{ref, total, currency, lines, cancelled_at}`

// tagged is an order that changed in nothing that the mapping uses: no call was
// made, and the ERP still holds the version before.
func (a *appliance) tagged() store.OrderKey {
	a.Helper()
	k := a.place()
	a.change(k, shopifytest.DoTag)
	a.settle()
	d := a.delivery(k)
	require.Equal(a, store.StateDelivered, d.State)
	require.NotEqual(a, d.Held, a.erp.Live(ref(k.Shop, k.ID))[0].Version)
	return k
}

func TestAChangeThatTheMappingPassesOverIsNotStale(t *testing.T) {
	a := build(t, setup{mapping: untagged})
	k := a.tagged()
	for range 2 {
		r := a.reconcile(true)
		require.True(t, r.Balanced(), "%+v", r)
		require.Empty(t, r.Faults)
	}
	require.Equal(t, 1, a.writes(k))
}

func TestAChangeThatTheMappingPassesOverIsNotStaleInARestoredBackupEither(t *testing.T) {
	a := build(t, setup{mapping: untagged})
	copied := a.backup()
	k := a.place()
	a.pass(time.Hour)
	a.reopen(copied)
	a.reconcile(true)
	a.settle()
	require.Equal(t, 1, a.writes(k), "it was fetched, and found in the ERP")
	a.change(k, shopifytest.DoTag)
	a.ask(k)
	a.settle()
	require.Equal(t, 1, a.writes(k))
	require.NotEqual(t, a.delivery(k).Held, a.erp.Live(ref(k.Shop, k.ID))[0].Version)
	r := a.reconcile(true)
	require.True(t, r.Balanced(), "%+v", r)
	require.Equal(t, 1, a.writes(k))
}

// The ERP lists what changed lately; an order that only changed in Shopify is not
// among it.
func TestOrdersThatTheERPsListIsTooShortForAreFoundAllTheSame(t *testing.T) {
	for name, c := range map[string]struct {
		orders, lookups int
		since           time.Duration
	}{
		"a few are looked up":         {10, 10, 24 * time.Hour},
		"for many the list is longer": {mostUnlisted + 5, 0, 30 * 24 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{mapping: untagged, concurrency: 50})
			var all []store.OrderKey
			for range c.orders {
				all = append(all, a.create())
			}
			a.settle()
			a.pass(30 * 24 * time.Hour)
			for _, k := range all {
				require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag))
			}
			a.settle()
			m, listed := a.meddle(), time.Time{}
			m.list = func(since time.Time, yield func(erp.Found) error) error {
				listed = since
				return m.Adapter.List(t.Context(), since, yield)
			}
			before := len(a.wire.said())
			r := a.reconcile(true)
			require.True(t, r.Balanced(), "%+v", r)
			require.EqualValues(t, c.orders, r.Balance.ERP.Orders)
			require.Equal(t, c.lookups, countCalls(a.wire.said()[before:], "GET acme-"))
			require.InDelta(t, c.since.Hours(), a.Now().Sub(listed).Hours(), 0.2)

			require.True(t, a.erp.Delete(ref(all[3].Shop, all[3].ID)))
			require.Equal(t, map[string]int64{store.GapMissing: 1}, a.reconcile(true).Faults)
			a.settle()
			a.judge()
		})
	}
}

func TestACancelledOrderIsCancelledInTheBalanceUnlessItsDocumentLives(t *testing.T) {
	a := build(t, setup{})
	k := a.that(shopifytest.DoCancel)
	a.settle()
	orders := int64(len(a.shop.Orders()))
	r := a.reconcile(true)
	require.True(t, r.Balanced(), "%+v", r)
	require.EqualValues(t, 1, r.Balance.Cancelled.Orders)
	require.EqualValues(t, orders-1, r.Balance.ERP.Orders)

	a.enterUpdate(k, a.delivery(k).Held) // somebody brings it back to life
	require.Len(t, a.erp.Live(ref(k.Shop, k.ID)), 1)
	r = a.reconcile(true)
	require.Equal(t, map[string]int64{store.GapStale: 1}, r.Faults)
	require.Equal(t, []int64{0, orders, 1}, []int64{r.Balance.Cancelled.Orders, r.Balance.ERP.Orders, r.Balance.Wrong})
	a.settle()
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
	a.judge()
	require.True(t, a.reconcile(true).Balanced())
}

func TestAnExcludedOrderThatLivesInTheERPIsThereAndWrong(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{{Name: "all", When: "true", Then: erp.Exclude}}})
	k := a.create()
	a.settle()
	require.EqualValues(t, 1, a.reconcile(true).Balance.Excluded.Orders)
	a.enter(k, a.order(k).Version)
	r := a.reconcile(true)
	require.Equal(t, map[string]int64{store.GapStale: 1}, r.Faults)
	require.Equal(t, []int64{0, 1, 1}, []int64{r.Balance.Excluded.Orders, r.Balance.ERP.Orders, r.Balance.Wrong})
	require.False(t, r.Balanced())
	a.settle()
	require.Empty(t, a.erp.Live(ref(k.Shop, k.ID)), "it was cancelled")
	a.verify()
	require.Equal(t, []string{store.GapClosed, "the rule all"}, []string{a.gap(k).State, a.gap(k).HealedBy})
	require.EqualValues(t, 1, a.reconcile(true).Balance.Excluded.Orders)
}

func TestWhatLiesWithinTheToleranceIsNoDifference(t *testing.T) {
	for name, c := range map[string]struct {
		off      string
		balanced bool
	}{
		"nothing": {"0", true}, "a cent": {"0.01", true}, "two cents": {"0.02", true}, "less by two": {"-0.02", true},
		"three cents": {"0.03", false}, "less by three": {"-0.03", false},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			a.reconfigure(func(c *Config) { c.Shops[0].Reconcile.Tolerance = decimal.RequireFromString("0.02") })
			k := a.place()
			total := decimal.RequireFromString(a.order(k).Total)
			require.True(t, a.erp.Reprice(ref(k.Shop, k.ID), erp.NewAmount(total.Add(decimal.RequireFromString(c.off)), 2)))
			r := a.reconcile(false)
			require.Equal(t, c.balanced, r.Balanced(), "%+v", r)
			require.Equal(t, c.balanced, len(a.gaps(k)) == 0)
			require.Equal(t, c.balanced, r.Balance.Difference().Empty(), "a difference shows its money")
		})
	}
}

func TestADocumentOfAnotherCurrencyIsAGap(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	m := a.meddle()
	m.list = func(since time.Time, yield func(erp.Found) error) error {
		return m.Adapter.List(t.Context(), since, func(f erp.Found) error { f.Currency = "CHF"; return yield(f) })
	}
	m.lookup = func(_ string, found []erp.Found, err error) ([]erp.Found, error) {
		for i := range found {
			found[i].Currency = "CHF"
		}
		return found, err
	}
	r := a.reconcile(false)
	require.Equal(t, store.GapMismatch, a.gap(k).Kind)
	require.Contains(t, a.gap(k).Detail, "CHF in the ERP")
	require.Len(t, r.Balance.Difference().Money, 2)
}

// An ERP that can't keep versions, totals or currencies is believed that it
// holds what it was given.
func TestAnERPThatTellsLittleIsNotWrong(t *testing.T) {
	a := build(t, setup{})
	a.place()
	m := a.meddle()
	m.list = func(since time.Time, yield func(erp.Found) error) error {
		return m.Adapter.List(t.Context(), since, func(f erp.Found) error { return yield(erp.Found{Ref: f.Ref, ID: f.ID}) })
	}
	r := a.reconcile(true)
	require.True(t, r.Balanced(), "%+v", r)
}

// The ERP may know more than we do: a copy that lags behind it.
func TestAnERPThatHoldsANewerVersionHasShopifyAsked(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	copied := a.backup()
	a.change(k, shopifytest.DoTag)
	a.settle()
	a.reopen(copied)
	a.engine.shops["acme"].Client = blind{a.clients["acme"]} // its list lags too
	r := a.reconcile(true)
	require.Equal(t, map[string]int64{store.GapStale: 1}, r.Faults)
	require.EqualValues(t, 1, len(a.doubts()))
	writes := a.writes(k)
	a.settle()
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State, a.gap(k).Detail)
	require.Equal(t, writes, a.writes(k), "it was there all the time")
}

// blind is a shop whose list shows nothing.
type blind struct{ ShopClient }

func (blind) Orders(context.Context, shopify.Window, shopify.Priority, func([]shopify.OrderHead) error) error {
	return nil
}
