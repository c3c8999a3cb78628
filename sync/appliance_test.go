package ordersync

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// appliance is everything but the process: pretend shops and a pretend ERP
// over real HTTP, the real door, store, clients and adapter. Most tests drive
// it step by step (steps_test.go) on a clock that they move.
type appliance struct {
	testing.TB
	*clock
	shop    *shopifytest.Shop // the first
	shops   map[string]*shopifytest.Shop
	clients map[string]*shopify.Client
	erp     *erptest.ERP
	wire    *wire // between the adapter and the ERP
	store   *store.Store
	path    string // of the store's file
	engine  *Engine
	door    *httptest.Server
	config  Config
	adapter *counted
}

// setup says how an appliance differs from the usual one: a shop and a Tier A
// ERP without faults, and a clock that stands still.
type setup struct {
	names       []string // of the shops; one, "acme"
	shop        shopifytest.Options
	erp         erptest.Options
	faults      erptest.Mix
	rules       []erp.Rule
	store       store.Options
	mapping     string // jq
	tier        erp.Tier
	longest     time.Duration
	timeout     time.Duration
	retryMax    time.Duration
	concurrency int
	rate        rate.Limit
	circuit     CircuitConfig
	clock       *clock
}

func (s setup) withDefaults() setup {
	if s.names == nil {
		s.names = []string{"acme"}
	}
	if s.clock == nil {
		s.clock = still()
	}
	if s.timeout == 0 {
		s.timeout = 30 * time.Second
	}
	if s.retryMax == 0 {
		s.retryMax = time.Hour
	}
	if s.concurrency == 0 {
		s.concurrency = 8
	}
	if s.circuit.Failures == 0 {
		s.circuit.Failures = 1000
	}
	if s.shop.BucketSize == 0 {
		s.shop.BucketSize, s.shop.RestoreRate = 10_000_000, 10_000_000
	}
	s.shop.Now, s.erp.Now, s.store.Now = s.clock.Now, s.clock.Now, s.clock.Now
	return s
}

// start builds an appliance and lets it run until the test ends.
func start(t testing.TB, s setup) *appliance {
	a := build(t, s)
	a.run()
	return a
}

// run lets the engine run until the test ends, or stop is called.
func (a *appliance) run() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	finished := make(chan error, 1)
	go func() { finished <- a.engine.Run(ctx); close(finished) }()
	stop = func() {
		cancel()
		require.NoError(a, <-finished)
	}
	a.Cleanup(stop)
	return stop
}

// build builds an appliance whose steps the test takes itself.
func build(t testing.TB, s setup) *appliance {
	t.Helper()
	s = s.withDefaults()
	a := &appliance{TB: t, clock: s.clock, path: filepath.Join(t.TempDir(), "gapless.db"),
		shops: map[string]*shopifytest.Shop{}, clients: map[string]*shopify.Client{}}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("GAPLESS_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, nil))
	}
	s.store.Path, s.store.Log = a.path, log
	var err error
	a.store, err = store.Open(t.Context(), s.store)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, a.store.Close()) })
	a.openERP(s)
	rules, err := erp.CompileRules(s.rules)
	require.NoError(t, err)
	a.config = Config{
		ERPs: []ERP{{Name: "books", Adapter: a.adapter, Concurrency: s.concurrency, Rate: s.rate, Timeout: s.timeout, Longest: s.longest,
			RetryFirst: 5 * time.Millisecond, RetryMax: s.retryMax, Circuit: s.circuit}},
		Rules: rules, Now: s.clock.Now, Random: rand.New(rand.NewPCG(1, 1)), Log: log,
	}
	if s.clock.speed == 0 {
		a.config.Steady = s.clock.Steady
	}
	for _, name := range s.names {
		a.openShop(name, s.shop, log)
	}
	a.shop = a.shops[s.names[0]]
	a.openDoor(s.names)
	a.engine, err = New(a.store, a.config)
	require.NoError(t, err)
	for _, name := range s.names {
		require.NoError(t, a.engine.Subscribe(t.Context(), name))
	}
	return a
}

func (a *appliance) openERP(s setup) {
	var err error
	a.erp, err = erptest.NewERP(s.erp)
	require.NoError(a, err)
	a.erp.SetFaults(s.faults)
	a.wire = &wire{erp: a.erp}
	server := httptest.NewServer(a.wire)
	a.Cleanup(func() { a.erp.Close(); server.CloseClientConnections(); server.Close() })
	settings := httperp.Settings{URL: server.URL, Tier: s.tier, Body: s.mapping}
	if s.tier == erp.TierB || s.tier == erp.TierC {
		settings.Method = "POST"
	}
	adapter, err := httperp.New(settings, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 32}}, s.clock.Now)
	require.NoError(a, err)
	a.adapter = &counted{Adapter: adapter}
}

func (a *appliance) openShop(name string, o shopifytest.Options, log *slog.Logger) {
	o.Domain, o.ID = name+".myshopify.com", int64(len(a.shops)+1)
	shop := shopifytest.New(o)
	server := httptest.NewServer(shop)
	a.Cleanup(server.Close)
	a.Cleanup(shop.Close)
	client, err := shopify.NewClient(shopify.ClientConfig{
		Domain: o.Domain, AccessToken: "pretend-token", APIVersion: "2026-10", APIURL: server.URL, Log: log, Now: a.Now,
		Wait: func(ctx context.Context, _ time.Duration) error { return ctx.Err() },
	})
	require.NoError(a, err)
	a.shops[name], a.clients[name] = shop, client
	a.config.Shops = append(a.config.Shops, Shop{Name: name, ERP: "books", Client: client, APIVersion: "2026-10", Domain: o.Domain, Webhooks: true, PollOverlap: 10 * time.Minute,
		Reconcile: ReconcileConfig{Window: 24 * time.Hour, Settle: 2 * time.Minute, Stuck: 15 * time.Minute}})
}

func (a *appliance) openDoor(names []string) {
	var shops []shopify.DoorShop
	for _, name := range names {
		shops = append(shops, shopify.DoorShop{Name: name, Domain: name + ".myshopify.com", Secrets: []string{secret}})
	}
	door, err := shopify.NewDoor(shops)
	require.NoError(a, err)
	door.Keep, door.Refused, door.Now = KeepIn(a.store), RefuseIn(a.store), a.Now
	a.door = httptest.NewServer(door)
	a.Cleanup(a.door.Close)
	a.config.WebhookURI = a.door.URL
}

// judge compares the two private ledgers: every order of the shops is in the
// ERP exactly once, with the content that Shopify tells now and Shopify's total;
// nothing else is.
func (a *appliance) judge() {
	a.Helper()
	docs := a.erp.All()
	for name, shop := range a.shops {
		for _, told := range shop.Orders() {
			reference := ref(name, told.ID)
			held := docs[reference]
			d, _ := a.store.Delivery(a.Context(), store.OrderKey{Shop: name, ID: told.ID})
			require.Len(a, held, 1, "documents for order %s (cancelled %v): %s %s; %v", told.Name, told.Cancelled, d.State, d.Reason, a.history(store.OrderKey{Shop: name, ID: told.ID}))
			last := held[0].Writes[len(held[0].Writes)-1]
			require.Equal(a, a.newest(name, told.ID), a.wire.content(last.IdempotencyKey), "content of order %s", told.Name)
			require.Equal(a, told.Total, last.Total.String(), "total of order %s", told.Name)
			require.Equal(a, told.Cancelled, held[0].Cancelled, "order %s cancelled", told.Name)
			delete(docs, reference)
		}
	}
	require.Empty(a, docs, "documents for orders that Shopify doesn't have")
	require.Empty(a, a.adapter.overlaps(), "calls for one order at the same time")
}

// newest is the document that the order should be, as Shopify tells it now.
func (a *appliance) newest(shop string, id int64) string {
	a.Helper()
	told := a.told(store.OrderKey{Shop: shop, ID: id})
	zone, err := a.engine.Zone(a.Context(), shop)
	require.NoError(a, err)
	order, err := neutral(shop, told)
	require.NoError(a, err)
	order.Date = dayIn(zone, told)
	doc, err := a.adapter.Map(order)
	require.NoError(a, err)
	return withoutVersion(doc)
}

// dayIn is the day that an order belongs to by a shop's clock.
func dayIn(zone *time.Location, o *shopify.Order) string {
	if o.ProcessedAt.IsZero() {
		return o.CreatedAt.In(zone).Format(time.DateOnly)
	}
	return o.ProcessedAt.In(zone).Format(time.DateOnly)
}
