package ordersync

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

// lateInNewYork is a shop there, at half past eleven in the evening of the 23rd.
func lateInNewYork(t *testing.T) *appliance {
	zone := zoneNamed(t, "America/New_York")
	a := build(t, setup{shop: shopifytest.Options{Zone: zone}})
	a.moveTo(time.Date(2026, 11, 23, 23, 30, 0, 0, zone))
	return a
}

// dateSent is the date of an order as the ERP was told it last.
func (a *appliance) dateSent(k store.OrderKey) string {
	a.Helper()
	writes := a.erp.All()[k.Ref()][0].Writes
	var told struct{ Date string }
	require.NoError(a, json.Unmarshal(a.wire.sent[writes[len(writes)-1].IdempotencyKey], &told))
	return told.Date
}

func TestAnOrderIsDatedByTheShopsOwnCalendar(t *testing.T) {
	a := lateInNewYork(t)
	k := a.place()
	require.Equal(t, "2026-11-23", a.dateSent(k), "in UTC it is the 24th")
	seen, err := a.engine.Neutral(t.Context(), k)
	require.NoError(t, err)
	require.Equal(t, "2026-11-23", seen.Date, "rules and pages see it too")
}

// A date that was sent stays in the books, so that none is guessed.
func TestOrdersWaitUntilTheShopHasToldItsTimeZone(t *testing.T) {
	a := lateInNewYork(t)
	a.shop.SetAPIFaults(shopifytest.APIFaults{Status: 1, Statuses: []int{http.StatusServiceUnavailable}})
	k := a.create()
	a.hear()
	a.send()
	d := a.delivery(k)
	require.Equal(t, store.StateDue, d.State)
	require.Contains(t, d.Reason, "time zone")
	require.True(t, d.NextAt.After(a.Now()))
	require.Empty(t, a.erp.All())

	a.shop.SetAPIFaults(shopifytest.APIFaults{})
	a.settleLater(time.Minute)
	require.Equal(t, "2026-11-23", a.dateSent(k))
	a.judge()
}

func TestAShopThatMovesToAnotherTimeZoneHasNothingSentAgain(t *testing.T) {
	a := lateInNewYork(t)
	k := a.place()
	require.NoError(t, a.store.LearnShop(t.Context(), store.Shop{Name: "acme", Timezone: "Europe/Berlin"}))
	a.pass(time.Hour)
	require.True(t, a.reconcile(true).Balanced())
	require.Zero(t, a.refetch()+a.send())
	require.Equal(t, "2026-11-23", a.dateSent(k))
	require.Equal(t, 1, a.writes(k))
}
