package shopify_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
)

// standstill is a clock that only waiting moves.
type standstill struct {
	mu  sync.Mutex
	now time.Time
}

func (s *standstill) Now() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *standstill) Wait(ctx context.Context, d time.Duration) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
	return ctx.Err()
}

// open starts a pretend shop in which a hundred things happened, and a client
// of it with the client credentials grant.
func open(t *testing.T, opt shopifytest.Options) (*shopifytest.Shop, *shopify.Client, *standstill) {
	t.Helper()
	clock := &standstill{now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}
	opt.Seed, opt.Now, opt.ClientID, opt.ClientSecret = 7, clock.Now, "id", "secret"
	shop := shopifytest.New(opt)
	for range 100 {
		shop.Act()
	}
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	client, err := shopify.NewClient(shopify.ClientConfig{
		Domain: "pretend.myshopify.com", ClientID: "id", ClientSecret: "secret", APIVersion: "2026-10",
		APIURL: server.URL, HTTP: server.Client(), Now: clock.Now, Wait: clock.Wait,
	})
	require.NoError(t, err)
	return shop, client, clock
}

func TestPretendShopIsReadThroughAllFaults(t *testing.T) {
	shop, client, clock := open(t, shopifytest.Options{})
	all := shop.Orders()
	window := shopify.Window{From: clock.Now().Add(-time.Hour), To: clock.Now().Add(time.Hour)}

	about, err := client.Shop(t.Context())
	require.NoError(t, err)
	require.Equal(t, "pretend.myshopify.com", about.Domain)
	require.Contains(t, about.Scopes, "read_orders")
	require.Equal(t, "2026-10", client.SeenVersion())

	shop.RevokeTokens()
	n, exact, err := client.OrdersCount(t.Context(), window)
	require.NoError(t, err)
	require.True(t, exact)
	require.Equal(t, len(all), n)

	shop.Break(2, shopifytest.Outage{Status: 502})
	shop.Break(1, shopifytest.Outage{Cut: true})
	var ids []int64
	require.NoError(t, client.Orders(t.Context(), window, shopify.Reconcile, func(page []shopify.OrderHead) error {
		for _, head := range page {
			ids = append(ids, head.ID)
		}
		return nil
	}))
	require.Len(t, ids, len(all))

	heads, err := client.OrdersByID(t.Context(), append(ids, 5), shopify.Reconcile)
	require.NoError(t, err)
	require.Len(t, heads, len(ids), "one does not exist")
	_, err = client.Order(t.Context(), 5, shopify.Refetch)
	require.ErrorIs(t, err, shopify.ErrNotFound)

	shop.Break(1, shopifytest.Outage{Deny: "customer"})
	body, err := client.Order(t.Context(), ids[0], shopify.Refetch)
	var refusal *shopify.APIError
	require.ErrorAs(t, err, &refusal)
	require.True(t, refusal.Partial)
	o, err := shopify.DecodeGraphQLOrder(body)
	require.NoError(t, err)
	require.Equal(t, ids[0], o.ID)
	require.Nil(t, o.Customer)
}

func TestPretendShopHidesOldOrdersFromAnAppWithoutTheScopeForThem(t *testing.T) {
	shop, client, clock := open(t, shopifytest.Options{})
	orders := shop.Orders()
	window := shopify.Window{By: shopify.ByCreated, From: clock.Now().Add(-time.Hour), To: clock.Now().Add(time.Hour)}
	require.NoError(t, clock.Wait(t.Context(), 61*24*time.Hour))
	look := func() (sees bool, listed int, err error) {
		about, err := client.Shop(t.Context())
		require.NoError(t, err)
		require.NoError(t, client.Orders(t.Context(), window, shopify.Reconcile, func(page []shopify.OrderHead) error {
			listed += len(page)
			return nil
		}))
		_, err = client.Order(t.Context(), orders[0].ID, shopify.Refetch)
		return about.SeesAllOrders(), listed, err
	}
	sees, listed, err := look()
	require.False(t, sees)
	require.Zero(t, listed)
	require.ErrorIs(t, err, shopify.ErrNotFound)

	shop.Grant("read_all_orders")
	sees, listed, err = look()
	require.True(t, sees)
	require.Equal(t, len(orders), listed)
	require.NoError(t, err)
}

func TestPretendShopIsSubscribedToOnce(t *testing.T) {
	shop, client, _ := open(t, shopifytest.Options{})
	const uri = "https://orders.example.com/webhooks/shopify"
	changes, err := client.Subscribe(t.Context(), uri, shopify.Topics)
	require.NoError(t, err)
	require.Len(t, changes, len(shopify.Topics))
	subscriptions := shop.Subscriptions()
	require.Len(t, subscriptions, len(shopify.Topics))

	require.True(t, shop.Unsubscribe(subscriptions[3].ID)) // as Shopify does after eight failures
	changes, err = client.Subscribe(t.Context(), uri, shopify.Topics)
	require.NoError(t, err)
	require.Len(t, changes, 1)
	require.Equal(t, "created", changes[0].Action)
}

// direct answers requests without a network, so that synctest can keep the time.
type direct struct{ http.Handler }

func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := httptest.NewRecorder()
	d.ServeHTTP(answer, r)
	return answer.Result(), nil
}

// A small bucket, a hundred callers at once: everyone gets an answer in the end,
// and hardly anyone is refused on the way.
func TestPretendShopsRateLimitIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		shop := shopifytest.New(shopifytest.Options{Seed: 7, BucketSize: 1000, RestoreRate: 50, Now: time.Now})
		for range 100 {
			shop.Create()
		}
		client, err := shopify.NewClient(shopify.ClientConfig{
			Domain: "pretend.myshopify.com", AccessToken: "pretend-token", APIVersion: "2026-10",
			HTTP: &http.Client{Transport: direct{shop}},
		})
		require.NoError(t, err)
		_, err = client.Order(t.Context(), shop.Orders()[0].ID, shopify.Refetch) // learn what it costs
		require.NoError(t, err)
		before := shop.Calls()

		var callers sync.WaitGroup
		for i, snapshot := range shop.Orders() {
			callers.Go(func() {
				body, err := client.Order(t.Context(), snapshot.ID, shopify.Priority(i%5))
				if err != nil {
					t.Errorf("order %s: %v", snapshot.Name, err)
					return
				}
				if o, err := shopify.DecodeGraphQLOrder(body); err != nil || o.ID != snapshot.ID {
					t.Errorf("order %s: decoded to %v, %v", snapshot.Name, o, err)
				}
			})
		}
		callers.Wait()
		require.Less(t, shop.Calls()-before, 110, "calls for 100 orders")
	})
}
