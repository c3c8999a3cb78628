package ordersync

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// tagsOld is an appliance whose orders were written to the ERP longer ago than its
// list is asked for, and were tagged today, which the mapping passes over.
func tagsOld(t *testing.T, orders int) (*appliance, []store.OrderKey) {
	a := build(t, setup{mapping: untagged, concurrency: 50})
	a.shop.Grant("read_all_orders")
	var all []store.OrderKey
	for range orders {
		all = append(all, a.create())
	}
	a.settle()
	a.pass(deepest + 24*time.Hour)
	a.tagAll(all)
	return a, all
}

func (a *appliance) tagAll(all []store.OrderKey) {
	a.Helper()
	for _, k := range all {
		require.True(a, a.shop.Apply(k.ID, shopifytest.DoTag))
	}
	a.settle()
}

// lookedUp are the references that the ERP was asked about since it was asked n things.
func (a *appliance) lookedUp(n int) map[string]bool {
	refs := map[string]bool{}
	for _, call := range a.wire.said()[n:] {
		if reference, looked := strings.CutPrefix(call, "GET "); looked && strings.HasPrefix(reference, "acme-") {
			refs[reference] = true
		}
	}
	return refs
}

func TestDocumentsThatTheERPsListCanNotShowAreLookedUpInTurn(t *testing.T) {
	t.Parallel()
	const orders = mostConfirmed + 50
	a, all := tagsOld(t, orders)
	last := all[0]
	for _, k := range all {
		if k.ID > last.ID {
			last = k
		}
	}
	require.True(t, a.erp.Delete(ref(last.Shop, last.ID)))
	m, listed := a.meddle(), time.Time{}
	m.list = func(since time.Time, yield func(erp.Found) error) error {
		listed = since
		return m.Adapter.List(t.Context(), since, yield)
	}
	before := len(a.wire.said())
	r := a.reconcile(false)
	require.Len(t, a.lookedUp(before), mostConfirmed)
	require.Empty(t, r.Faults)
	require.Equal(t, []string{"documents that are older than the ERP's list shows, and were not looked up this time: 50"}, r.Notes)
	require.True(t, r.Complete, "what changed in Shopify was compared")
	require.InDelta(t, 24, a.Now().Sub(listed).Hours(), 0.2, "a longer list would not show them either")

	r = a.reconcile(false)
	require.Len(t, a.lookedUp(before), orders, "all were looked up by now")
	require.Equal(t, map[string]int64{store.GapMissing: 1}, r.Faults)
	require.Equal(t, CauseERPLost, a.gap(last).Cause)

	half := len(a.wire.said())
	a.reconcile(false)
	require.Len(t, a.lookedUp(half), mostConfirmed, "and round again")
}

func TestDocumentsThatTheERPsListCanNotShowLeaveTheOthersTheirLookUps(t *testing.T) {
	t.Parallel()
	a, old := tagsOld(t, mostConfirmed+100)
	young := map[string]bool{}
	for range 8 {
		k := a.place()
		young[ref(k.Shop, k.ID)] = true
	}
	a.pass(48 * time.Hour)
	a.tagAll(old)
	for range 8 {
		k := a.place()
		young[ref(k.Shop, k.ID)] = true
	}
	m := a.meddle()
	m.list = func(since time.Time, yield func(erp.Found) error) error { // it skips them
		return m.Adapter.List(t.Context(), since, func(f erp.Found) error {
			if young[f.Ref] {
				return nil
			}
			return yield(f)
		})
	}
	before := len(a.wire.said())
	r := a.reconcile(true)
	require.Empty(t, r.Faults, "what the list skips is looked up before anybody is told")
	require.EqualValues(t, len(old)+8, r.Balance.ERP.Orders)
	require.Len(t, a.lookedUp(before), mostConfirmed+8)
}
