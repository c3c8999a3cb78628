package ordersync

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// appliance is everything but the process: a pretend shop and a pretend ERP
// over real HTTP, the real door, store, client and adapter.
type appliance struct {
	testing.TB
	shop   *shopifytest.Shop
	erp    *erptest.ERP
	store  *store.Store
	engine *Engine
	client *shopify.Client
	door   *httptest.Server
}

type setup struct {
	shop    shopifytest.Options
	erp     erptest.Options
	faults  erptest.Mix
	rules   []erp.Rule
	store   store.Options
	tier    erp.Tier
	longest time.Duration
	now     func() time.Time
}

// start builds an appliance and lets it run until the test ends.
func start(t testing.TB, s setup) *appliance {
	a := build(t, s)
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error, 1)
	go func() { finished <- a.engine.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		require.NoError(t, <-finished)
	})
	return a
}

// build builds an appliance whose steps the test takes itself.
func build(t testing.TB, s setup) *appliance {
	t.Helper()
	a := &appliance{TB: t}
	if s.now == nil {
		s.now = time.Now
	}
	var err error
	s.store.Path = filepath.Join(t.TempDir(), "gapless.db")
	s.store.Now = s.now
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("GAPLESS_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	s.store.Log = log
	a.store, err = store.Open(t.Context(), s.store)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.store.Close()) })

	a.erp, err = erptest.NewERP(s.erp)
	require.NoError(t, err)
	a.erp.SetFaults(s.faults)
	erpServer := httptest.NewServer(a.erp)
	t.Cleanup(func() { a.erp.Close(); erpServer.CloseClientConnections(); erpServer.Close() })

	s.shop.Now = s.now
	if s.shop.BucketSize == 0 {
		s.shop.BucketSize, s.shop.RestoreRate = 20_000, 20_000
	}
	a.shop = shopifytest.New(s.shop)
	shopServer := httptest.NewServer(a.shop)
	t.Cleanup(shopServer.Close)
	t.Cleanup(a.shop.Close)

	a.client, err = shopify.NewClient(shopify.ClientConfig{Domain: "pretend.myshopify.com", AccessToken: "pretend-token", APIVersion: "2026-10", APIURL: shopServer.URL, Log: log, Now: s.now})
	require.NoError(t, err)
	adapter, err := httperp.New(httperp.Settings{URL: erpServer.URL, Tier: s.tier}, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}, s.now)
	require.NoError(t, err)
	rules, err := erp.CompileRules(s.rules)
	require.NoError(t, err)

	door, err := shopify.NewDoor([]shopify.DoorShop{{Name: "acme", Domain: "pretend.myshopify.com", Secrets: []string{"pretend-secret"}}})
	require.NoError(t, err)
	door.Keep = KeepIn(a.store)
	door.Refused = RefuseIn(a.store)
	a.door = httptest.NewServer(door)
	t.Cleanup(a.door.Close)

	a.engine, err = New(a.store, Config{
		Shops: []Shop{{Name: "acme", ERP: "books", Client: a.client, Webhooks: true, PollOverlap: 10 * time.Minute}},
		ERPs: []ERP{{Name: "books", Adapter: adapter, Concurrency: 8, Timeout: 500 * time.Millisecond, Longest: s.longest,
			RetryFirst: 5 * time.Millisecond, RetryMax: 100 * time.Millisecond, Circuit: CircuitConfig{Failures: 1000}}},
		Rules: rules, WebhookURI: a.door.URL, Now: s.now, Log: log,
	})
	require.NoError(t, err)
	require.NoError(t, a.engine.Subscribe(t.Context(), "acme"))
	return a
}

// deliverWebhooks sends everything the shop has to say, faults included.
func (a *appliance) deliverWebhooks() {
	a.Helper()
	require.NoError(a, a.shop.Flush(a.Context()))
}

// eventually waits until check is content, looking whenever the store changes.
func (a *appliance) eventually(what string, check func() string) {
	a.Helper()
	changes, cancel := a.store.Watch(store.Events | store.Refetches | store.Deliveries)
	defer cancel()
	deadline := time.NewTimer(2 * time.Minute)
	defer deadline.Stop()
	again := time.NewTicker(100 * time.Millisecond) // what others changed, the store doesn't tell
	defer again.Stop()
	for why := check(); why != ""; why = check() {
		select {
		case <-changes:
		case <-again.C:
		case <-deadline.C:
			a.Fatalf("%s: %s", what, why)
		}
	}
}

// moreThan says that more than n deliveries wait, or "".
func (a *appliance) moreThan(n int64) string {
	st, err := a.store.Stats(context.Background(), time.Now().Add(-time.Hour))
	if err != nil {
		return err.Error()
	}
	if waiting := st.PendingEvents + st.States[store.StateDue]; waiting > n {
		return fmt.Sprintf("%d wait", waiting)
	}
	return ""
}

// atRest says what is still under way, or "".
func (a *appliance) atRest() string {
	st, err := a.store.Stats(context.Background(), time.Now().Add(-time.Hour))
	if err != nil {
		return err.Error()
	}
	moving := st.PendingEvents + st.Refetching + st.States[store.StateDue] + st.States[store.StateSending] + st.States[store.StateUnknown]
	if moving > 0 {
		return fmt.Sprintf("%d events to decide, %d orders to fetch, deliveries %v", st.PendingEvents, st.Refetching, st.States)
	}
	return ""
}

// judge compares the two private ledgers: every order of the shop is in the ERP
// exactly once, at its newest version, with Shopify's total; nothing else is.
func (a *appliance) judge() {
	a.Helper()
	docs := a.erp.All()
	for _, told := range a.shop.Orders() {
		reference := ref("acme", told.ID)
		held := docs[reference]
		d, _ := a.store.Delivery(a.Context(), store.OrderKey{Shop: "acme", ID: told.ID})
		require.Len(a, held, 1, "documents for order %s (cancelled %v): %s %s", told.Name, told.Cancelled, d.State, d.Reason)
		last := held[0].Writes[len(held[0].Writes)-1]
		body, err := a.client.Order(a.Context(), told.ID, shopify.Refetch)
		require.NoError(a, err)
		want, err := shopify.DecodeGraphQLOrder(body)
		require.NoError(a, err)
		require.Equal(a, want.Version(), last.Version, "version of order %s", told.Name)
		require.Equal(a, told.Total, last.Total.String(), "total of order %s", told.Name)
		require.Equal(a, told.Cancelled, held[0].Cancelled, "order %s cancelled", told.Name)
		delete(docs, reference)
	}
	require.Empty(a, docs, "documents for orders that Shopify doesn't have")
}
