package ordersync

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// One order, from the webhook to the ERP, with nobody driving the steps.
func TestOneOrderReachesTheERP(t *testing.T) {
	a := start(t, setup{clock: fast(1)})
	a.shop.Create()
	a.deliverWebhooks()
	a.eventually("at rest", a.atRest)
	a.judge()
}

// 2,000 orders, with everything going wrong that can go wrong on both sides.
// What webhooks lost, a poll finds. The clock runs fast, so that the waits that
// faults ask for are short.
func TestThousandsOfOrdersWithEveryFault(t *testing.T) {
	t.Parallel()
	orders := 2000
	if testing.Short() {
		orders = 100
	}
	a := start(t, setup{
		clock: fast(10), timeout: time.Second, longest: 20 * time.Second, retryMax: time.Second,
		shop: shopifytest.Options{Seed: 7, KeepLog: 1, RetryScale: 0.000001, Faults: shopifytest.Faults{
			Drop: 0.05, Repeat: 0.1, Twin: 0.05, Delay: 0.1, Reorder: 0.2, Corrupt: 0.05, CorruptLost: 0.3, Stale: 0.1, NewID: 0.1, MaxDelay: time.Second,
		}},
		faults: erptest.Mix{erptest.TimeoutBeforeEffect: 0.004, erptest.TimeoutAfterEffect: 0.004, erptest.TimeoutLateEffect: 0.004, erptest.TooManyRequests: 0.02, erptest.ServerError: 0.02, erptest.Unavailable: 0.02,
			erptest.HTML: 0.02, erptest.CutBeforeEffect: 0.02, erptest.CutAfterEffect: 0.03, erptest.OKButNothing: 0.02},
	})
	_, err := a.engine.Poll(t.Context(), "acme") // polls go back to the last one, however slow the machine is
	require.NoError(t, err)
	a.shop.SetAPIFaults(shopifytest.APIFaults{Status: 0.05, Throttle: 0.05, Cut: 0.05, Empty: 0.05, Drift: 0.05, Lag: 0.2, MaxLag: time.Second})
	sending, stop := context.WithCancel(t.Context())
	sent := make(chan struct{})
	go func() { a.shop.Run(sending); close(sent) }()
	for placed := 0; placed < orders; placed = len(a.shop.Orders()) {
		for range 50 {
			a.shop.Act()
		}
		a.eventually("room for more", func() string { return a.moreThan(500) })
	}
	stop()
	<-sent
	a.deliverWebhooks()
	a.erp.SetFaults(nil)
	a.shop.SetAPIFaults(shopifytest.APIFaults{})
	for range 2 { // what the search learnt late, the second one sees
		_, err = a.engine.Poll(t.Context(), "acme")
		require.NoError(t, err)
		a.eventually("at rest", a.atRest)
	}
	a.judge()
	for _, f := range erptest.Faults {
		t.Logf("%-24s met %d times", f, a.erp.Met()[f])
		require.True(t, testing.Short() || a.erp.Met()[f] > 0, f)
	}
}

// moreThan says that more than n events and deliveries wait, or "".
func (a *appliance) moreThan(n int64) string {
	st := a.stats()
	if waiting := st.PendingEvents + st.States[store.StateDue]; waiting > n {
		return fmt.Sprintf("%d wait", waiting)
	}
	return ""
}
