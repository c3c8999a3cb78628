package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// tell stores a webhook and what intake made of it.
func (s *site) tell(orders ...store.OrderKey) {
	s.Helper()
	in := store.Intake{At: epoch}
	for _, k := range orders {
		e := &store.Event{Shop: k.Shop, Source: store.SourceWebhook, Topic: "orders/create", WebhookID: fmt.Sprint(k), Headers: `{"X-Shopify-Test":"true"}`,
			TriggeredAt: epoch.Add(-time.Second), ReceivedAt: epoch, Body: []byte(`{"id":1}`)}
		_, err := s.store.Append(s.Context(), e)
		require.NoError(s, err)
		in.Through = e.ID
		in.Orders = append(in.Orders, store.Wanted{ERP: "books", Order: store.Order{
			OrderKey: k, Name: fmt.Sprintf("#%d", k.ID%1000), Version: "2026-11-23T09:00:00Z/12345678", Hash: "1234567812345678", Currency: "EUR", Total: "12.50",
			CreatedAt: epoch, UpdatedAt: epoch, EventID: e.ID, Content: []byte(`{"id":1}`),
		}})
		in.Decisions = append(in.Decisions, store.Decision{At: epoch, Shop: k.Shop, OrderID: k.ID, EventID: e.ID, Step: "intake", Outcome: "new"})
	}
	require.NoError(s, s.store.ApplyIntake(s.Context(), in))
}

func keys(shop string, from, to int64) (all []store.OrderKey) {
	for id := from; id <= to; id++ {
		all = append(all, store.OrderKey{Shop: shop, ID: id})
	}
	return all
}

// list walks all pages and returns one line an item.
func (s *site) list(path string, limit int, line func(map[string]any) string) (all []string) {
	s.Helper()
	for cursor := ""; ; {
		page := s.get(fmt.Sprintf("%s?limit=%d&cursor=%s", path, limit, url.QueryEscape(cursor)))
		items := page["items"].([]any)
		require.LessOrEqual(s, len(items), limit)
		for _, i := range items {
			all = append(all, line(i.(map[string]any)))
		}
		next, more := page["next"].(string)
		if !more {
			return all
		}
		cursor = next
	}
}

func TestPagesHoldEveryOrderOnceThoughAllWereSeenAtOnce(t *testing.T) {
	s := newSite(t)
	s.tell(append(keys("acme", 1, 10), keys("beta", 1, 10)...)...) // one instant, equal ids
	for _, limit := range []int{1, 3, 7, 19, 20, 21, 500} {
		seen := map[string]bool{}
		for _, line := range s.list("/api/v1/orders", limit, func(o map[string]any) string { return fmt.Sprint(o["shop"], o["id"]) }) {
			require.False(t, seen[line], "%s twice", line)
			seen[line] = true
		}
		require.Len(t, seen, 20, "pages of %d", limit)
	}
}

func TestPagesHoldEveryEventAndEveryAttemptOnce(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 9)...)
	s.attempt(9)
	for _, path := range []string{"/api/v1/events", "/api/v1/deliveries"} {
		for _, limit := range []int{1, 4, 9, 10} {
			require.Len(t, s.list(path, limit, func(i map[string]any) string { return fmt.Sprint(i["id"]) }), 9, path)
		}
	}
}

// attempt makes n attempts, each with an outcome.
func (s *site) attempt(n int) {
	s.Helper()
	claims, err := s.store.Claim(s.Context(), "books", n, "token", time.Minute)
	require.NoError(s, err)
	for _, c := range claims {
		a := store.Attempt{DeliveryKey: c.DeliveryKey, Token: c.Token, Action: store.ActionDeliver, Ref: "acme-1", Version: c.Order.Version, StartedAt: epoch}
		require.NoError(s, s.store.Begin(s.Context(), &a))
		require.NoError(s, s.store.Settle(s.Context(), store.Settle{
			DeliveryKey: c.DeliveryKey, Token: c.Token, State: store.StateParked, NextAt: epoch, Reason: "unknown article", Field: "lines[0].sku", Hint: "mend it",
			AttemptID: a.ID, Outcome: &store.Outcome{Result: "rejected", Reason: "unknown article", EndedAt: epoch, Duration: 1500 * time.Microsecond, Exchanges: []byte(`[{"request":"PUT"}]`)},
		}))
	}
}

func TestFilters(t *testing.T) {
	s := newSite(t)
	s.tell(append(keys("acme", 1, 5), keys("beta", 5, 7)...)...)
	s.attempt(2)
	for query, want := range map[string]int{
		"": 8, "shop=acme": 5, "shop=beta": 3, "shop=nobody": 0, "state=parked": 2, "state=due": 6, "state=unknown": 0,
		"name=%235": 2, "name=5": 0, "shop=beta&name=%235": 1, "shop=acme&state=due&name=%231000": 0, "unknown=1": 8,
	} {
		require.Len(t, s.get("/api/v1/orders?" + query)["items"], want, query)
	}
	for query, want := range map[string]int{"shop=acme": 5, "topic=orders%2Fcreate": 8, "topic=orders%2Fpaid": 0} {
		require.Len(t, s.get("/api/v1/events?" + query)["items"], want, query)
	}
}

func TestWhatCannotBeMeantIsRefusedInPlainWords(t *testing.T) {
	s := newSite(t)
	long := strings.Repeat("x", 5000)
	for _, path := range []string{
		"/api/v1/orders?limit=0", "/api/v1/orders?limit=-1", "/api/v1/orders?limit=501", "/api/v1/orders?limit=many", "/api/v1/orders?limit=99999999999999999999",
		"/api/v1/orders?state=lost", "/api/v1/orders?shop=" + long, "/api/v1/orders?name=" + long, "/api/v1/orders?cursor=" + long,
		"/api/v1/orders?cursor=%00", "/api/v1/orders?cursor=AAAA", "/api/v1/orders?cursor=MS4x0", "/api/v1/orders?cursor='%20OR%201=1",
		"/api/v1/events?cursor=x", "/api/v1/events?cursor=-5", "/api/v1/events?cursor=0", "/api/v1/deliveries?cursor=1.5", "/api/v1/deliveries?limit=0",
		"/api/v1/orders/acme/x", "/api/v1/orders/acme/1.5", "/api/v1/events/x", "/api/v1/events/99999999999999999999",
	} {
		a := s.ask("GET", path, "", s.as("viewer")...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, "%.60s: %.200s", path, a.body)
		require.Equal(t, "application/problem+json", a.header.Get("Content-Type"))
		var problem struct{ Title, Detail string }
		require.NoError(t, json.Unmarshal([]byte(a.body), &problem))
		require.NotEmpty(t, problem.Detail)
	}
}

func TestHostileQueriesFindNothingAndBreakNothing(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 3)...)
	for _, query := range []string{"shop='%20OR%20'1'='1", "name=%25", "name=%00", "shop=acme%27--", "name=%F0%9F%92%A9", "shop=%ff%fe", "name=<script>"} {
		require.Empty(t, s.get("/api/v1/orders?" + query)["items"], query)
	}
	require.Len(t, s.get("/api/v1/orders")["items"], 3)
}

func TestOneOrderWithItsHistory(t *testing.T) {
	s := newSite(t)
	s.tell(store.OrderKey{Shop: "acme", ID: 9007199254740993})
	s.attempt(1)
	a := s.ask("GET", "/api/v1/orders/acme/9007199254740993", "", s.as("operator")...)
	require.Contains(t, a.body, `"id":9007199254740993`, "to the last digit")
	var o struct {
		State, Reason, Field, Hint string
		Content                    map[string]any
		Decisions                  []Decision
		Events                     []Event
		Attempts                   []Attempt
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &o))
	require.Equal(t, []string{"parked", "unknown article", "lines[0].sku", "mend it"}, []string{o.State, o.Reason, o.Field, o.Hint})
	require.Equal(t, "new", o.Decisions[0].Outcome)
	require.Len(t, o.Events, 1)
	require.Equal(t, 1.5, o.Attempts[0].DurationMS)
	require.JSONEq(t, `[{"request":"PUT"}]`, string(o.Attempts[0].Exchanges))
	require.Equal(t, http.StatusNotFound, s.ask("GET", "/api/v1/orders/beta/9007199254740993", "", s.as("viewer")...).status, "another shop's order is not this one")
}

// Names that CONTRACT.md promises to outside tools.
func TestTheNamesOfTheContract(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 1)...)
	order := s.get("/api/v1/orders")["items"].([]any)[0].(map[string]any)
	for _, name := range strings.Fields("shop id name version state wanted held erp erp_ref total currency updated_at created_at reason hint") {
		require.Contains(t, order, name)
	}
	require.IsType(t, "", order["total"], "amounts are strings")
	require.Equal(t, "2026-11-23T09:00:00Z", order["updated_at"])
	stats := s.get("/api/v1/stats")
	for _, name := range strings.Fields("shops events_last_hour deliveries_last_hour retrying due unknown parked webhook_lag_s") {
		require.Contains(t, stats, name)
	}
	require.Equal(t, []any{"acme", "beta"}, stats["shops"])
	require.Equal(t, map[string]any{"received": 1.0, "duplicate": 0.0, "rejected": 0.0}, stats["events_last_hour"])
	require.Equal(t, map[string]any{"p50": 1.0, "p99": 1.0}, stats["webhook_lag_s"])
	require.Equal(t, 1.0, stats["due"])
}

func TestABodyThatIsNoTextComesInBase64(t *testing.T) {
	s := newSite(t)
	for body, want := range map[string]string{"{}": "{}", "\xff\xfe": "//4="} {
		e := &store.Event{Shop: "acme", Source: store.SourceWebhook, Topic: "x", WebhookID: body, Headers: "not JSON", ReceivedAt: epoch, Body: []byte(body)}
		_, err := s.store.Append(t.Context(), e)
		require.NoError(t, err)
		got := s.get(fmt.Sprintf("/api/v1/events/%d", e.ID))
		require.Equal(t, want, got["body"])
		require.Equal(t, body != want, got["base64"] == true)
		require.Equal(t, map[string]any{}, got["headers"], "what is no JSON does not break the answer")
	}
	require.Equal(t, http.StatusNotFound, s.ask("GET", "/api/v1/events/99", "", s.as("viewer")...).status)
}

func TestAnAnswerThatDidNotChangeIsNotSentAgain(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 1)...)
	first := s.ask("GET", "/api/v1/orders", "", s.as("viewer")...)
	tag := first.header.Get("ETag")
	require.NotEmpty(t, tag)
	for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
		a := s.ask("GET", "/api/v1/orders", "", append(s.as("viewer"), "If-None-Match", known)...)
		require.Equal(t, http.StatusNotModified, a.status, known)
		require.Empty(t, a.body)
		require.Equal(t, tag, a.header.Get("ETag"))
	}
	require.Equal(t, http.StatusUnauthorized, s.ask("GET", "/api/v1/orders", "", "If-None-Match", tag).status, "not without a token")
	s.tell(keys("acme", 2, 2)...)
	a := s.ask("GET", "/api/v1/orders", "", append(s.as("viewer"), "If-None-Match", tag)...)
	require.Equal(t, http.StatusOK, a.status)
	require.NotEqual(t, tag, a.header.Get("ETag"))
}

func TestReplays(t *testing.T) {
	s := newSite(t)
	body := `{"orders":[{"shop":"acme","id":9007199254740993},{"shop":"beta","id":2}]}`
	a := s.ask("POST", "/api/v1/replays", body, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.JSONEq(t, `{"started":2}`, a.body)
	require.Equal(t, []store.OrderKey{{Shop: "acme", ID: 9007199254740993}, {Shop: "beta", ID: 2}}, s.actions.replayed)
	require.Equal(t, "token a operator", s.actions.by)
}

func TestADryRunTellsThePlansAndStartsNothing(t *testing.T) {
	s := newSite(t)
	s.actions.plan = Plan{Order: "#1", Ref: "acme-1", Action: "send", Calls: []PlanCall{{Method: "PUT", URL: "http://erp/orders/acme-1", Body: "{}"}}}
	body := `{"dry_run":true,"orders":[{"shop":"acme","id":1}]}`
	a := s.ask("POST", "/api/v1/replays", body, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.JSONEq(t, `{"started":0,"plans":[{"order":"#1","ref":"acme-1","action":"send","calls":[{"method":"PUT","url":"http://erp/orders/acme-1","body":"{}"}]}]}`, a.body)
	require.Empty(t, s.actions.replayed)
	s.actions.err = store.ErrNotFound
	require.Equal(t, http.StatusNotFound, s.ask("POST", "/api/v1/replays", body, s.as("operator")...).status)
}

func TestReplaysThatMakeNoSenseAreRefused(t *testing.T) {
	s := newSite(t)
	many := strings.TrimSuffix(strings.Repeat(`{"shop":"acme","id":1},`, 501), ",")
	for body, want := range map[string]int{
		`{`: 400, `[]`: 422, `{}`: 422, `{"orders":[]}`: 422, `{"orders":[` + many + `]}`: 422, `{"orders":[{"shop":"acme"}]}`: 422,
		`{"orders":[{"shop":"acme","id":"one"}]}`: 422, `{"orders":"` + strings.Repeat("x", 2<<20) + `"}`: 413,
	} {
		require.Equal(t, want, s.ask("POST", "/api/v1/replays", body, s.as("operator")...).status, "%.60s", body)
	}
	require.Empty(t, s.actions.replayed)
}

// The description lists every route of the API, and no other.
func TestTheDescriptionListsEveryRoute(t *testing.T) {
	s := newSite(t)
	a := s.ask("GET", "/api/openapi.json", "")
	require.Equal(t, http.StatusOK, a.status)
	var told struct {
		OpenAPI string
		Info    struct{ Version string }
		Paths   map[string]map[string]struct{ Security []any }
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &told))
	require.True(t, strings.HasPrefix(told.OpenAPI, "3.1."), told.OpenAPI)
	require.Equal(t, "1.2.3", told.Info.Version)
	described := 0
	for _, methods := range told.Paths {
		described += len(methods)
	}
	require.Equal(t, len(routes), described)
	s.ui.EndStreams()
	for _, r := range routes {
		require.Contains(t, told.Paths[r.path], strings.ToLower(r.method), r.path)
		require.NotEqual(t, http.StatusMethodNotAllowed, s.ask(r.method, r.example, "", s.as("admin")...).status)
		require.NotContains(t, s.ask(r.method, r.example, "", s.as("admin")...).body, "404 page not found")
	}
}
