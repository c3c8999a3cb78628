package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

func zoneNamed(t testing.TB, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	return zone
}

// Where the clock jumps at midnight, each day gets its report all the same, at
// the time of day that was asked for.
func TestReportsFollowTheClockOfAShopWhoseDaysBeginAtOne(t *testing.T) {
	santiago := zoneNamed(t, "America/Santiago")
	a := build(t, setup{shop: shopifytest.Options{Zone: santiago}})
	require.NoError(t, a.store.LearnShop(t.Context(), store.Shop{Name: "acme", Timezone: santiago.String()}))
	a.reconfigure(func(c *Config) { c.Report.At = 7 * time.Hour })
	a.moveTo(time.Date(2027, 9, 4, 12, 0, 0, 0, santiago))
	a.engine.started = a.Now()
	for _, day := range []int{4, 5, 6} { // the clock jumps as the 5th begins
		text := time.Date(2027, 9, day, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
		a.moveTo(time.Date(2027, 9, day+1, 6, 59, 0, 0, santiago))
		require.NoError(t, a.engine.reportsDue(t.Context()))
		_, err := a.store.Report(t.Context(), "acme", text)
		require.ErrorIs(t, err, store.ErrNotFound, text)
		a.moveTo(time.Date(2027, 9, day+1, 7, 0, 0, 0, santiago))
		require.NoError(t, a.engine.reportsDue(t.Context()))
		_, err = a.store.Report(t.Context(), "acme", text)
		require.NoError(t, err, text)
	}
}

func (a *appliance) moveTo(at time.Time) {
	a.Helper()
	require.True(a, at.After(a.Now()))
	a.pass(at.Sub(a.Now()))
}
