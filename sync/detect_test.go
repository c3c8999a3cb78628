package ordersync

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

// A busy shop loses one webhook now and then. How long until that is a gap, and
// how long until the ERP has been seen to hold the order, at default settings and
// on a simulated clock, also where Shopify's search trails its writes: the figures
// are in docs/benchmarks.md.
func TestALostWebhookIsAGapWithinAMinuteAndMendedTenSecondsLater(t *testing.T) {
	t.Parallel()
	for _, lag := range []time.Duration{0, 5 * time.Second, 20 * time.Second} {
		t.Run("the search trails by "+lag.String(), func(t *testing.T) { lostWebhooks(t, lag) })
	}
}

func lostWebhooks(t *testing.T, lag time.Duration) {
	a := build(t, setup{shop: shopifytest.Options{IndexLag: lag}})
	shop := a.engine.shops["acme"]
	shop.Poll = PollPace{Active: 10 * time.Second, Idle: 10 * time.Minute, Grace: 15 * time.Second}
	a.engine.signs["acme"] = newSigns(shop.Poll.Grace)
	w := &busyShop{appliance: a, random: rand.New(rand.NewPCG(1, 1)), poller: poller{Engine: a.engine, shop: shop, pace: shop.Poll.Idle}}
	for range time.Hour / time.Second {
		w.second()
	}
	found, mended := w.times()
	t.Logf("%d lost: a gap after %s; mended after another %s", len(found), distribution(found), distribution(mended))
	require.Greater(t, len(found), 10)
	require.LessOrEqual(t, slices.Max(found), time.Minute)
	require.LessOrEqual(t, slices.Max(mended), 10*time.Second)
	require.EqualValues(t, len(w.lost), len(found), "each lost webhook is a gap")
	a.judge()
}

// busyShop is a shop with an order every ten seconds or so, whose webhooks come
// within two seconds or, one in twenty, never.
type busyShop struct {
	*appliance
	random *rand.Rand
	poller poller
	lost   []store.OrderKey
}

func (w *busyShop) second() {
	w.pass(time.Second)
	if w.random.IntN(10) == 0 {
		if w.random.IntN(20) == 0 {
			w.lost = append(w.lost, w.unheard())
		} else {
			w.create()
		}
	}
	if w.random.IntN(2) == 0 {
		w.hear()
	}
	w.poller.step(w.Context())
	for w.refetch()+w.send() > 0 {
	}
	_, err := w.engine.VerifyGaps(w.Context())
	require.NoError(w, err)
}

// unheard is a new order of which no webhook is sent.
func (a *appliance) unheard() store.OrderKey {
	subscribed := a.shop.Subscriptions()
	a.deliverWebhooksNot()
	k := a.create()
	for _, s := range subscribed {
		a.shop.Subscribe(s)
	}
	return k
}

// times are how long each gap took to be found, and then to be closed.
func (w *busyShop) times() (found, mended []time.Duration) {
	for _, k := range w.lost {
		g := w.gap(k)
		require.Equal(w, store.GapClosed, g.State)
		found = append(found, g.FirstSeen.Sub(g.Since))
		mended = append(mended, g.ClosedAt.Sub(g.FirstSeen))
	}
	return found, mended
}

func distribution(all []time.Duration) string {
	all = slices.Sorted(slices.Values(all))
	return fmt.Sprintf("%s (p50), %s (p90), %s (most)", all[len(all)/2], all[len(all)*9/10], all[len(all)-1])
}
