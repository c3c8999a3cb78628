package shopify

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// registry keeps webhook subscriptions as Shopify does, three to a page.
type registry struct {
	subs   []map[string]any
	nextID int
	refuse string // a topic that may not be subscribed to
}

func (g *registry) add(topic, uri string, more map[string]any) {
	g.nextID++
	sub := map[string]any{"id": fmt.Sprintf("gid://shopify/WebhookSubscription/%d", g.nextID), "topic": topic, "uri": uri, "format": "JSON"}
	for key, value := range more {
		sub[key] = value
	}
	g.subs = append(g.subs, sub)
}

func (g *registry) answer(w http.ResponseWriter, r asked) {
	id, _ := r.Vars["id"].(string)
	input, _ := r.Vars["subscription"].(map[string]any)
	at := slices.IndexFunc(g.subs, func(s map[string]any) bool { return s["id"] == id })
	switch r.Operation {
	case "Subscriptions":
		g.list(w, r)
	case "SubscriptionCreate":
		topic := r.Vars["topic"].(string)
		if topic == g.refuse {
			say(w, `{"data":{"webhookSubscriptionCreate":{"webhookSubscription":null,"userErrors":[{"field":["topic"],"message":"You may not"}]}}}`)
			return
		}
		g.add(topic, input["uri"].(string), nil)
		say(w, `{"data":{"webhookSubscriptionCreate":{"webhookSubscription":{"id":%q},"userErrors":[]}}}`, g.subs[len(g.subs)-1]["id"])
	case "SubscriptionUpdate":
		for key, value := range input {
			g.subs[at][key] = value
		}
		say(w, `{"data":{"webhookSubscriptionUpdate":{"webhookSubscription":{"id":%q},"userErrors":[]}}}`, id)
	case "SubscriptionDelete":
		g.subs = slices.Delete(g.subs, at, at+1)
		say(w, `{"data":{"webhookSubscriptionDelete":{"deletedWebhookSubscriptionId":%q,"userErrors":[]}}}`, id)
	}
}

func (g *registry) list(w http.ResponseWriter, r asked) {
	start := 0
	if after, ok := r.Vars["after"].(string); ok {
		_, _ = fmt.Sscan(after, &start)
	}
	end := min(len(g.subs), start+3)
	var nodes []string
	for _, s := range g.subs[start:end] {
		fields, _ := s["includeFields"].([]string)
		nodes = append(nodes, fmt.Sprintf(`{"id":%q,"topic":%q,"uri":%q,"format":%q,"filter":%q,"includeFields":[%s]}`,
			s["id"], s["topic"], s["uri"], s["format"], fmt.Sprint(s["filter"]), strings.Join(fields, ",")))
	}
	page := fmt.Sprintf(`{"pageInfo":{"hasNextPage":%t,"endCursor":"%d"},"nodes":[%s]}`, end < len(g.subs), end, strings.Join(nodes, ","))
	say(w, `{"data":{"webhookSubscriptions":%s}}`, strings.ReplaceAll(page, `"<nil>"`, "null"))
}

const ours = "https://orders.example.com/webhooks/shopify"

func TestSubscribeCreatesWhatIsMissing(t *testing.T) {
	shop := &registry{}
	client, _ := serve(t, shop.answer)
	changes, err := client.Subscribe(t.Context(), ours, append([]string{"customers/redact", "shop/redact"}, Topics...))
	require.NoError(t, err)
	require.Len(t, changes, len(Topics), "compliance topics are not in the API")
	require.Equal(t, SubscriptionChange{"orders/create", "created", "gid://shopify/WebhookSubscription/1", "there was none"}, changes[0])
	require.Len(t, shop.subs, len(Topics))
	require.Equal(t, "ORDERS_PARTIALLY_FULFILLED", shop.subs[6]["topic"])

	changes, err = client.Subscribe(t.Context(), ours, Topics)
	require.NoError(t, err)
	require.Empty(t, changes, "a second call finds all well")
}

func TestSubscribeSetsRightWhatIsWrong(t *testing.T) {
	shop := &registry{}
	shop.add("ORDERS_CREATE", "https://old.example.com/webhooks/shopify", nil)
	shop.add("ORDERS_UPDATED", ours, map[string]any{"filter": "total_price:>100"})
	shop.add("ORDERS_PAID", ours, map[string]any{"includeFields": []string{`"id"`}})
	shop.add("ORDERS_CANCELLED", ours, map[string]any{"format": "XML"})
	shop.add("ORDERS_EDITED", ours, nil)
	shop.add("ORDERS_EDITED", ours, nil)
	shop.add("ORDERS_EDITED", "https://other.example.com/", nil)
	shop.add("ORDERS_DELETE", "pubsub://project:topic", nil)
	shop.add("PRODUCTS_UPDATE", "https://other.example.com/", nil)
	client, _ := serve(t, shop.answer)

	changes, err := client.Subscribe(t.Context(), ours, []string{
		"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/edited", "orders/delete",
	})
	require.NoError(t, err)
	var said []string
	for _, c := range changes {
		said = append(said, c.Topic+" "+c.Action+": "+c.Reason)
	}
	require.Equal(t, []string{
		"orders/create updated: it led to another address",
		"orders/updated updated: it had a filter",
		"orders/paid updated: it left fields out",
		"orders/cancelled updated: its format was not JSON",
		"orders/edited deleted: it was there twice",
		"orders/delete created: there was none",
	}, said)
	require.Len(t, shop.subs, 9, "what others made is left alone")
	require.Equal(t, ours, shop.subs[0]["uri"])
	require.Equal(t, "", shop.subs[1]["filter"])
	require.Equal(t, []any{}, shop.subs[2]["includeFields"])
	require.Equal(t, "JSON", shop.subs[3]["format"])
}

func TestSubscribeGoesOnAfterARefusal(t *testing.T) {
	shop := &registry{refuse: "ORDERS_PAID"}
	client, _ := serve(t, shop.answer)
	changes, err := client.Subscribe(t.Context(), ours, []string{"orders/create", "orders/paid", "orders/updated"})
	require.ErrorContains(t, err, "subscribing to orders/paid: shopify: acme.myshopify.com refuses: You may not")
	require.Len(t, changes, 2)
}

func TestSubscribeNeedsHTTPS(t *testing.T) {
	client, _ := serve(t, func(http.ResponseWriter, asked) { t.Error("asked all the same") })
	for _, uri := range []string{"", "http://orders.example.com/", "orders.example.com"} {
		_, err := client.Subscribe(t.Context(), uri, Topics)
		require.ErrorContains(t, err, "public_url")
	}
}
