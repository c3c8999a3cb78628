package ordersync

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/store"
)

// meter counts what a shop is asked for.
type meter struct {
	shop http.Handler

	mu    sync.Mutex
	asked []string // the operations
}

var operation = regexp.MustCompile(`(?:query|mutation) (\w+)`)

// ServeHTTP notes the operation and passes it on.
func (m *meter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	m.mu.Lock()
	name := "none"
	if found := operation.FindSubmatch(body); found != nil {
		name = string(found[1])
	}
	m.asked = append(m.asked, name)
	m.mu.Unlock()
	m.shop.ServeHTTP(w, r)
}

// since are the operations after the first n.
func (m *meter) since(n int) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.asked[n:]...)
}

// metered puts a meter between the engine and the first shop.
func (a *appliance) metered() *meter {
	a.Helper()
	m := &meter{shop: a.shop}
	server := httptest.NewServer(m)
	a.Cleanup(server.Close)
	client, err := shopify.NewClient(shopify.ClientConfig{Domain: "acme.myshopify.com", AccessToken: "pretend-token", APIVersion: "2026-10", APIURL: server.URL, Now: a.Now})
	require.NoError(a, err)
	a.clients["acme"] = client
	a.reconfigure(func(c *Config) { c.Shops[0].Client = client })
	return m
}

func TestComparingADayOfTenThousandOrdersCostsFortyOneRequestsAtMost(t *testing.T) {
	const orders, most = 10_000, 41
	a := build(t, setup{})
	a.deliverWebhooksNot()
	for range orders {
		a.shop.Create()
	}
	require.NoError(t, a.store.Began(t.Context(), "acme", a.Now().Add(time.Hour), a.Now().Add(time.Hour))) // so that they are not Gapless's, and nothing is fetched
	m := a.metered()
	a.pass(5 * time.Minute)
	r, err := a.engine.Reconcile(t.Context(), "acme", Pass{Kind: store.RunReconcile, From: a.Now().Add(-24 * time.Hour), To: a.Now(), Heal: true, By: store.BySchedule})
	require.NoError(t, err)
	require.True(t, r.Complete, "%v", r.Notes)
	require.EqualValues(t, orders, r.Balance.Shopify.Orders)
	require.LessOrEqual(t, len(m.since(0)), most)
}

func TestAnIdleShopCostsOneLightQueryAPoll(t *testing.T) {
	a := build(t, setup{})
	for range 20 {
		a.place()
	}
	m := a.metered()
	a.poll() // those of the last minutes are confirmed once
	for a.refetch() > 0 {
	}
	for range 10 {
		before := len(m.since(0))
		a.pass(time.Minute)
		a.poll()
		require.Zero(t, a.refetch())
		require.Equal(t, []string{"OrdersPage"}, m.since(before))
	}
}
