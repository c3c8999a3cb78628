package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// caller asks a shop over real HTTP.
type caller struct {
	t      *testing.T
	shop   *Shop
	clock  *clock
	server *httptest.Server
	token  string
}

func serve(t *testing.T, opt Options) *caller {
	t.Helper()
	c := &clock{opened}
	opt.Now = c.now
	s := New(opt)
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	return &caller{t: t, shop: s, clock: c, server: server, token: "pretend-token"}
}

type reply struct {
	status int
	header http.Header
	body   []byte
	Data   map[string]json.RawMessage
	Errors []struct {
		Message    string
		Path       []any
		Extensions map[string]any
	}
	Extensions struct {
		Cost struct {
			RequestedQueryCost int
			ActualQueryCost    *int
			ThrottleStatus     struct{ MaximumAvailable, CurrentlyAvailable, RestoreRate float64 }
		}
	}
}

func (c *caller) try(query string, variables map[string]any) (*reply, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	noError(c.t, err)
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodPost, c.server.URL+"/admin/api/2026-10/graphql.json", bytes.NewReader(body))
	noError(c.t, err)
	req.Header.Set("X-Shopify-Access-Token", c.token)
	resp, err := c.server.Client().Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	r := &reply{status: resp.StatusCode, header: resp.Header}
	if r.body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	if resp.StatusCode == http.StatusOK {
		noError(c.t, json.Unmarshal(r.body, r))
	}
	return r, nil
}

func (c *caller) ask(query string, variables map[string]any) *reply {
	c.t.Helper()
	r, err := c.try(query, variables)
	noError(c.t, err)
	return r
}

func (r *reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	code, _ := r.Errors[0].Extensions["code"].(string)
	return code
}

func TestAnswersHoldWhatWasAskedForAndNothingElse(t *testing.T) {
	c := serve(t, Options{})
	id := c.shop.Create()
	r := c.ask(`query One($id: ID!, $n: Int = 1) {
	  mine: order(id: $id) { __typename number: name lineItems(first: $n) { edges { cursor node { ...L } } } ...Rest }
	}
	fragment L on LineItem { quantity }
	fragment Rest on Order { test customer { id } ... on Order { currencyCode } currentTotalPriceSet { shopMoney { amount } } }`,
		map[string]any{"id": gid("Order", id)})
	var order map[string]any
	noError(t, json.Unmarshal(r.Data["mine"], &order))
	var keys []string
	for key := range order {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	equal(t, []string{"__typename", "currencyCode", "currentTotalPriceSet", "customer", "lineItems", "number", "test"}, keys, "keys")
	equal(t, "#1001", order["number"], "alias")
	equal(t, 1, len(order["lineItems"].(map[string]any)["edges"].([]any)), "lines by the variable's default")
	equal(t, "2026-10", r.header.Get("X-Shopify-API-Version"), "version")
}

func TestMistakesInADocumentAreErrors(t *testing.T) {
	c := serve(t, Options{})
	for query, want := range map[string]string{
		`{ order(id: "x") { id nmae } }`:                                       "Field 'nmae' doesn't exist on type 'Order'",
		`{ shop { plan { publicDisplayName price } } }`:                        "Field 'price' doesn't exist on type 'ShopPlan'",
		`{ orders(first: 1) { nodes { ...F } } } fragment F on Order { totl }`: "Field 'totl' doesn't exist on type 'Order'",
		`{ orders { nodes { id } } }`:                                          "you must provide one of first or last",
		`{ order(id: "x", name: "y") { id } }`:                                 "Field 'order' doesn't accept argument 'name'",
		`{ order(id: "x") }`:                                                   "Field must have selections (field 'order' returns Order but has no selections)",
		`{ order(id: "x") { id { x } } }`:                                      "Selections can't be made on scalars (field 'id' has selections)",
		`{ order(id: "x") { ...Gone } }`:                                       "Fragment Gone was used, but not defined",
		`query($id: ID!) { order(id: $id) { id } }`:                            "Variable $id of type ID! was provided invalid value",
		`{ order(id: "x") { ... on Refund { id } } }`:                          "Fragment on Refund can't be spread inside Order",
	} {
		r := c.ask(query, nil)
		check(t, len(r.Errors) == 1 && r.Errors[0].Message == want, "%s: %s", query, r.body)
		check(t, r.Data == nil, "data in spite of an error: %s", r.body)
	}
	check(t, strings.HasPrefix(c.ask(`{ order(`, nil).Errors[0].Message, "syntax error"), "a syntax error")
	loop := c.ask(`{ shop { ...A } } fragment A on Shop { name ...B } fragment B on Shop { ...A }`, nil)
	equal(t, "infiniteLoop", loop.code(), "code of fragments in a circle")
	unknown := c.ask(`{ shop { nmae } }`, nil)
	equal(t, "undefinedField", unknown.code(), "code")
	equal(t, []any{"query", "shop", "nmae"}, unknown.Errors[0].Path, "path")
}

func TestPricesFitThoseThatShopifyCharges(t *testing.T) {
	// The numbers stand in facts/shopify.md, section 2.
	s := New(Options{})
	for _, c := range []struct {
		query string
		want  int
	}{
		{`{ orders(first: 250) { pageInfo { endCursor } nodes { id currentTotalPriceSet { shopMoney { amount } } } } }`, 13},
		{`{ order(id: "x") { lineItems(first: 100) { nodes { id customAttributes { key } originalUnitPriceSet { shopMoney { amount } }
		   discountAllocations { allocatedAmountSet { shopMoney { amount } } discountApplication { index } } taxLines { title } } } } }`, 48},
		{`{ webhookSubscriptions(first: 100) { nodes { id metafields { key } apiVersion { handle } } } }`, 29},
		{`{ shop { plan { shopifyPlus } shopAddress { countryCodeV2 } } currentAppInstallation { app { id } accessScopes { handle } } publicApiVersions { handle } }`, 7},
		{`mutation { webhookSubscriptionDelete(id: "x") { userErrors { message } } }`, 10},
	} {
		q := newQuery(s.schema, c.query, "", nil)
		check(t, len(q.errors) == 0, "%v", q.errors)
		equal(t, c.want, q.cost(), c.query)
	}
}

func TestTheBucketThrottlesAndRefills(t *testing.T) {
	c := serve(t, Options{BucketSize: 30, RestoreRate: 10})
	for range 100 {
		c.shop.Create()
	}
	full := c.ask(pageQuery, map[string]any{"first": 250})
	equal(t, 13, full.Extensions.Cost.RequestedQueryCost, "requested")
	equal(t, 11, *full.Extensions.Cost.ActualQueryCost, "actual: 2 + scale(100)")
	equal(t, 19.0, full.Extensions.Cost.ThrottleStatus.CurrentlyAvailable, "left")
	c.ask(pageQuery, map[string]any{"first": 250})
	dry := c.ask(pageQuery, map[string]any{"first": 250})
	equal(t, http.StatusOK, dry.status, "status")
	equal(t, "THROTTLED", dry.code(), "code")
	check(t, dry.Data == nil && dry.Extensions.Cost.ActualQueryCost == nil, "a throttled query must not run: %s", dry.body)
	c.clock.advance(time.Second)
	equal(t, "", c.ask(pageQuery, map[string]any{"first": 250}).code(), "code after a second")
}

func TestDearQueriesAreRefused(t *testing.T) {
	c := serve(t, Options{MaxCost: 12})
	r := c.ask(pageQuery, map[string]any{"first": 250})
	equal(t, "MAX_COST_EXCEEDED", r.code(), "code")
	equal(t, "", c.ask(pageQuery, map[string]any{"first": 100}).code(), "half the page")
}

func TestSubscriptionsThroughTheAPI(t *testing.T) {
	c := serve(t, Options{})
	const create = `mutation($topic: WebhookSubscriptionTopic!, $sub: WebhookSubscriptionInput!) {
	  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $sub) { webhookSubscription { id topic uri } userErrors { field message } } }`
	ask := func(topic, uri string) string {
		return string(c.ask(create, map[string]any{"topic": topic, "sub": map[string]any{"uri": uri}}).Data["webhookSubscriptionCreate"])
	}
	good := ask("ORDERS_PARTIALLY_FULFILLED", "https://a.example/hook")
	check(t, strings.Contains(good, `"userErrors":[]`) && strings.Contains(good, `"topic":"ORDERS_PARTIALLY_FULFILLED"`), "%s", good)
	for want, got := range map[string]string{
		"already been taken": ask("ORDERS_PARTIALLY_FULFILLED", "https://a.example/hook"),
		"Address is invalid": ask("ORDERS_PAID", "http://a.example/hook"),
		"Topic is invalid":   ask("CUSTOMERS_REDACT", "https://a.example/hook"),
	} {
		check(t, strings.Contains(got, want) && strings.Contains(got, `"webhookSubscription":null`), "want %q: %s", want, got)
	}
	c.shop.Subscribe(Subscription{Topic: "orders/paid", URI: "https://toml.example", FromTOML: true})
	id := gid("WebhookSubscription", c.shop.Subscriptions()[0].ID)
	r := c.ask(`mutation($id: ID!) { webhookSubscriptionUpdate(id: $id, webhookSubscription: {uri: "https://b.example", includeFields: ["id", "updated_at"]}) { webhookSubscription { uri includeFields } userErrors { message } } }`, map[string]any{"id": id})
	equal(t, `{"userErrors":[],"webhookSubscription":{"includeFields":["id","updated_at"],"uri":"https://b.example"}}`, string(r.Data["webhookSubscriptionUpdate"]), "update")
	r = c.ask(`{ webhookSubscriptions(first: 10) { nodes { uri } } }`, nil)
	equal(t, `{"nodes":[{"uri":"https://b.example"}]}`, string(r.Data["webhookSubscriptions"]), "list without those of the TOML")
	const remove = `mutation($id: ID!) { webhookSubscriptionDelete(id: $id) { deletedWebhookSubscriptionId userErrors { message } } }`
	check(t, strings.Contains(string(c.ask(remove, map[string]any{"id": id}).Data["webhookSubscriptionDelete"]), id), "delete")
	check(t, strings.Contains(string(c.ask(remove, map[string]any{"id": id}).Data["webhookSubscriptionDelete"]), "does not exist"), "delete twice")
}

func TestTokens(t *testing.T) {
	c := serve(t, Options{ClientID: "id", ClientSecret: "secret", TokenTTL: time.Minute})
	const query = `{ shop { name } }`
	c.token = "wrong"
	equal(t, http.StatusUnauthorized, c.ask(query, nil).status, "status of a wrong token")
	grant := func(body string) (int, string) {
		resp, err := c.server.Client().Post(c.server.URL+"/admin/oauth/access_token", "application/json", strings.NewReader(body))
		noError(t, err)
		defer resp.Body.Close()
		var got struct {
			AccessToken string `json:"access_token"`
			ExpiresIn   int    `json:"expires_in"`
		}
		noError(t, json.NewDecoder(resp.Body).Decode(&got))
		if resp.StatusCode == http.StatusOK {
			equal(t, 60, got.ExpiresIn, "expires_in")
		}
		return resp.StatusCode, got.AccessToken
	}
	status, _ := grant(`{"client_id":"id","client_secret":"guess","grant_type":"client_credentials"}`)
	equal(t, http.StatusBadRequest, status, "status of a wrong secret")
	status, c.token = grant(`{"client_id":"id","client_secret":"secret","grant_type":"client_credentials"}`)
	equal(t, http.StatusOK, status, "status of the grant")
	equal(t, http.StatusOK, c.ask(query, nil).status, "status of a fresh token")
	c.clock.advance(time.Minute)
	equal(t, http.StatusUnauthorized, c.ask(query, nil).status, "status of an expired token")
	c.token = "pretend-token"
	c.shop.RevokeTokens()
	equal(t, http.StatusUnauthorized, c.ask(query, nil).status, "status of a revoked token")
}

func TestOutages(t *testing.T) {
	waited := make(chan time.Duration, 1)
	c := serve(t, Options{After: func(d time.Duration) <-chan time.Time {
		waited <- d
		done := make(chan time.Time)
		close(done)
		return done
	}})
	id := c.shop.Create()
	const query = `query($id: ID!) { order(id: $id) { name customer { id } } }`
	vars := map[string]any{"id": gid("Order", id)}
	for _, status := range []int{502, 402, 423} {
		c.shop.Break(1, Outage{Status: status})
		r := c.ask(query, vars)
		equal(t, status, r.status, "status")
		check(t, bytes.Contains(r.body, []byte("<html>")), "not HTML: %s", r.body)
	}
	c.shop.Break(1, Outage{Cut: true})
	_, err := c.try(query, vars)
	check(t, err != nil, "a cut connection must not answer in full")
	c.shop.Break(1, Outage{Slow: time.Minute})
	equal(t, http.StatusOK, c.ask(query, vars).status, "status of a slow answer")
	equal(t, time.Minute, <-waited, "wait")
	c.shop.Break(1, Outage{Deny: "customer"})
	r := c.ask(query, vars)
	equal(t, "ACCESS_DENIED", r.code(), "code")
	equal(t, `{"customer":null,"name":"#1001"}`, string(r.Data["order"]), "partial data")
	equal(t, "", c.ask(query, vars).code(), "code when all is over")
}

func FuzzQuery(f *testing.F) {
	f.Add(`{ orders(first: 3, query: "updated_at:>='2026-11-23T10:00:00Z'") { edges { node { id } } } }`, "", int64(1))
	f.Add(`query($n: Int = 2) { ordersCount(limit: $n, query: "x:") { count } nodes(ids: ["gid://shopify/Order/1"]) { id ... on Order { name } } }`, "n", int64(-1))
	f.Add(`{ order(id: "x") { ...F } } fragment F on Order { refunds(first: 1) { order { ...F } } }`, "", int64(0))
	s := New(Options{Now: func() time.Time { return opened }})
	for range 5 {
		s.Create()
	}
	f.Fuzz(func(t *testing.T, text, name string, n int64) {
		answer := s.GraphQL(text, map[string]any{name: json.Number(fmt.Sprint(n))})
		var doc struct{ Data, Errors json.RawMessage }
		noError(t, json.Unmarshal(answer, &doc))
		check(t, doc.Data != nil || doc.Errors != nil, "neither data nor errors: %s", answer)
	})
}
