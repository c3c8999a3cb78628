package shopifytest_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
)

var opened = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// lived is a shop with orders in all states, a client of it, and the clock.
func lived(t *testing.T, opt shopifytest.Options, acts int) (*shopifytest.Shop, *shopify.Client, *time.Time) {
	t.Helper()
	now := opened
	opt.Now = func() time.Time { return now }
	opt.BucketSize, opt.RestoreRate = 2_000_000_000, 2_000_000_000
	shop := shopifytest.New(opt)
	for n := range acts {
		shop.Act()
		if n%3 == 0 {
			now = now.Add(time.Second)
		}
	}
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	client, err := shopify.NewClient(shopify.ClientConfig{
		Domain: "pretend.myshopify.com", AccessToken: "pretend-token", APIVersion: "2026-10", APIURL: server.URL,
		HTTP: server.Client(), Now: opt.Now, Wait: func(context.Context, time.Duration) error { return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return shop, client, &now
}

// The heart of it: whichever way an order comes, by webhook, by its id or by bulk,
// it is the same order.
func TestAllRenderingsDecodeToEqualOrders(t *testing.T) {
	acts := 1400
	if testing.Short() {
		acts = 200
	}
	yen := shopifytest.SimpleMarket("JPY", 10000, 8000)
	yen.Exchange = []shopifytest.Exchange{{Currency: "USD", Rate: 66}, {Currency: "KWD", Rate: 20}}
	for name, market := range map[string]shopifytest.Market{
		"dollars, all over the world": shopifytest.DefaultMarket(),
		"euros, plain":                shopifytest.SimpleMarket("EUR", 21000, 10000),
		"yen":                         yen,
		"dinars":                      shopifytest.SimpleMarket("KWD", 5000),
	} {
		t.Run(name, func(t *testing.T) {
			shop, client, now := lived(t, shopifytest.Options{Market: market, Seed: 42}, acts)
			compared, orders := 0, map[int64]*shopify.Order{}
			for _, o := range shop.Orders() {
				orders[o.ID] = byID(t, client, o)
				if compareRenderings(t, shop, o, orders[o.ID]) {
					compared++
				}
			}
			if compared < len(orders)*4/5 {
				t.Fatalf("only %d of %d orders could be compared", compared, len(orders))
			}
			compareBulk(t, client, finished(t, client, now), orders)
		})
	}
}

// compareRenderings compares an order by its id with what the shop knows of it
// and with its webhook; false where the webhook leaves something open.
func compareRenderings(t *testing.T, shop *shopifytest.Shop, o shopifytest.Snapshot, graphQL *shopify.Order) bool {
	t.Helper()
	if graphQL.ID != o.ID || !graphQL.UpdatedAt.Equal(o.UpdatedAt) || graphQL.Test != o.Test || (graphQL.CancelledAt != nil) != o.Cancelled {
		t.Fatalf("%s: the shop says %+v, the decoder %+v", o.Name, o, graphQL)
	}
	if got := graphQL.CurrentTotal.Shop; !got.Equal(decimal.RequireFromString(o.Total)) {
		t.Fatalf("%s: total %s, want %s", o.Name, got, o.Total)
	}
	rest, err := shopify.DecodeRESTOrder(shop.REST(o.ID))
	if errors.Is(err, shopify.ErrRefundMoney) && graphQL.Currency != graphQL.PresentmentCurrency {
		return false // only GraphQL can tell
	}
	if err != nil {
		t.Fatalf("REST %s: %v", o.Name, err)
	}
	sameOrder(t, rest, graphQL)
	return true
}

// compareBulk compares the file of a bulk operation with all orders by their
// ids. Those with refunds come as heads; all others must be whole.
func compareBulk(t *testing.T, client *shopify.Client, op shopify.BulkOperation, want map[int64]*shopify.Order) {
	t.Helper()
	last, whole, all := int64(0), 0, len(want)
	err := client.ReadBulk(t.Context(), op, 0, func(b shopify.BulkOrder) error {
		o := want[b.ID]
		if o == nil || b.ID <= last || b.Name != o.Name || !b.UpdatedAt.Equal(o.UpdatedAt) || (b.Body == nil) != (len(o.Refunds) > 0) {
			t.Fatalf("after %d came order %d, %s, %s, whole: %v", last, b.ID, b.Name, b.UpdatedAt, b.Body != nil)
		}
		last = b.ID
		delete(want, b.ID)
		if b.Body != nil {
			whole++
			sameOrder(t, decoded(t, b), o)
		}
		return nil
	})
	if err != nil || len(want) > 0 || op.Orders != int64(all) || whole < all/2 {
		t.Fatalf("%d of %d orders are missing, %d were whole; %v", len(want), all, whole, err)
	}
}

func decoded(t *testing.T, b shopify.BulkOrder) *shopify.Order {
	t.Helper()
	o, err := shopify.DecodeGraphQLOrder(b.Body)
	if err != nil {
		t.Fatalf("bulk %s: %v", b.Name, err)
	}
	return o
}

func byID(t *testing.T, client *shopify.Client, o shopifytest.Snapshot) *shopify.Order {
	t.Helper()
	body, err := client.Order(t.Context(), o.ID, 0)
	if err != nil {
		t.Fatalf("fetching %s: %v", o.Name, err)
	}
	order, err := shopify.DecodeGraphQLOrder(body)
	if err != nil {
		t.Fatalf("GraphQL %s: %v", o.Name, err)
	}
	return order
}

func sameOrder(t *testing.T, one, other *shopify.Order) {
	t.Helper()
	if want, got := one.Content(), other.Content(); string(want.JSON) != string(got.JSON) || want.Hash != got.Hash {
		t.Fatalf("%s differs\n%s\n%s", one.Name, want.JSON, got.JSON)
	}
}

func TestTheClientListsEveryOrderOfAWindow(t *testing.T) {
	shop, client, now := lived(t, shopifytest.Options{Seed: 3}, 1500)
	got := map[int64]time.Time{}
	err := client.Orders(t.Context(), shopify.Window{From: opened, To: now.Add(time.Hour)}, 0, func(page []shopify.OrderHead) error {
		for _, h := range page {
			got[h.ID] = h.UpdatedAt
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	orders := shop.Orders()
	if len(got) != len(orders) {
		t.Fatalf("listed %d of %d orders", len(got), len(orders))
	}
	for _, o := range orders {
		if !got[o.ID].Equal(o.UpdatedAt) {
			t.Fatalf("%s listed at %s, not %s", o.Name, got[o.ID], o.UpdatedAt)
		}
	}
}

func TestAWindowOfTenThousandOrdersCostsFortyRequests(t *testing.T) {
	shop, client, now := lived(t, shopifytest.Options{}, 0)
	want := map[int64]string{}
	for range 10_000 {
		shop.Create()
		*now = now.Add(100 * time.Millisecond)
	}
	for _, o := range shop.Orders() {
		want[o.ID] = o.Name
	}
	last := int64(0)
	err := client.Orders(t.Context(), shopify.Window{By: shopify.ByCreated, From: opened, To: *now}, shopify.Reconcile, func(page []shopify.OrderHead) error {
		for _, h := range page {
			if h.ID <= last || want[h.ID] != h.Name || h.Name != fmt.Sprintf("#%d", h.Number) {
				t.Errorf("after order %d came %d, %s, number %d", last, h.ID, h.Name, h.Number)
			}
			last = h.ID
			delete(want, h.ID)
		}
		shop.Mutate(last) // an order that was told moves no other
		return nil
	})
	if err != nil || len(want) > 0 {
		t.Fatalf("%d orders are missing; %v", len(want), err)
	}
	if shop.Calls() != 40 {
		t.Fatalf("%d requests", shop.Calls())
	}
}

func TestTheClientSubscribesOnce(t *testing.T) {
	shop, client, _ := lived(t, shopifytest.Options{}, 0)
	topics := []string{"orders/create", "orders/updated", "refunds/create"}
	for _, want := range []int{3, 0} {
		changes, err := client.Subscribe(t.Context(), "https://orders.example.com/webhooks/shopify", topics)
		if err != nil || len(changes) != want {
			t.Fatalf("%d changes, want %d; %v", len(changes), want, err)
		}
	}
	var got []string
	for _, s := range shop.Subscriptions() {
		got = append(got, s.Topic)
	}
	if !slices.Equal(got, topics) {
		t.Fatalf("subscribed to %v", got)
	}
}

// The real door checks what the sender signs, and the decoder takes all bodies.
func TestTheDoorTakesWhatTheShopSends(t *testing.T) {
	door, err := shopify.NewDoor([]shopify.DoorShop{{Name: "acme", Domain: "pretend.myshopify.com", Secrets: []string{"pretend-secret"}}})
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[shopify.Kind]int{}
	door.Keep = func(_ context.Context, w *shopify.Webhook) (bool, error) {
		m, err := shopify.DecodeWebhook(w.Topic, w.Body)
		if err != nil {
			t.Errorf("%s: %v", w.Topic, err)
		}
		kinds[m.Kind]++
		return false, nil
	}
	receiver := httptest.NewServer(http.Handler(door))
	defer receiver.Close()
	shop := shopifytest.New(shopifytest.Options{Now: func() time.Time { return opened }, Client: receiver.Client()})
	for _, topic := range []string{
		"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled", "orders/edited", "orders/delete",
		"refunds/create", "app/uninstalled", "bulk_operations/finish", "customers/redact", "customers/data_request", "shop/redact",
	} {
		shop.Subscribe(shopifytest.Subscription{Topic: topic, URI: receiver.URL, FromTOML: true})
	}
	for range 200 {
		shop.Act()
	}
	shop.Delete(shop.Orders()[0].ID)
	shop.Send("app/uninstalled", shop.Uninstalled())
	shop.Send("bulk_operations/finish", shop.BulkFinished(1, "completed"))
	shop.Send("customers/redact", shop.CustomersRedact(1, 2))
	shop.Send("customers/data_request", shop.CustomersDataRequest(1, 2))
	shop.Send("shop/redact", shop.ShopRedact())
	if err := shop.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, k := range []shopify.Kind{
		shopify.KindOrder, shopify.KindRefetch, shopify.KindDeleted, shopify.KindUninstalled, shopify.KindBulkFinished,
		shopify.KindRedactCustomer, shopify.KindDataRequest, shopify.KindRedactShop,
	} {
		if kinds[k] == 0 {
			t.Errorf("no webhook of kind %s got through", k)
		}
	}
	if c := shop.Counts(); c[shopifytest.Failed] > 0 || c[shopifytest.Sent] != c[shopifytest.Queued] {
		t.Errorf("counts: %v", c)
	}
}
