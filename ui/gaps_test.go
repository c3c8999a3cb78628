package ui

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// lose notes gaps: one of kind for each order, found two minutes after it began.
func (s *site) lose(kind, cause string, orders ...store.OrderKey) {
	s.Helper()
	var faults []store.Fault
	for _, k := range orders {
		faults = append(faults, store.Fault{Gap: store.Gap{
			Shop: k.Shop, OrderID: k.ID, ERP: "books", Kind: kind, About: "v1", Cause: cause, Detail: "the evidence", FoundBy: store.RunReconcile, RunID: 3,
			Since: epoch.Add(-2 * time.Minute),
		}})
	}
	_, err := s.store.FoundGaps(s.Context(), store.RunReconcile, faults...)
	require.NoError(s, err)
}

func TestAnOrderOfManyGapsLeadsToAllOfThem(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	k, other := store.OrderKey{Shop: "acme", ID: 1}, store.OrderKey{Shop: "beta", ID: 1}
	s.tell(k, other)
	s.lose(store.GapMissing, "erp_lost", other)
	found := func(from, to int) {
		for n := from; n <= to; n++ {
			_, err := s.store.FoundGaps(t.Context(), store.RunReconcile, store.Fault{Gap: store.Gap{
				Shop: k.Shop, OrderID: k.ID, ERP: "books", Kind: store.GapMissing, Subject: fmt.Sprint(n), About: "v1", Cause: "erp_lost", FoundBy: store.RunReconcile, Since: epoch,
			}})
			require.NoError(t, err)
		}
	}
	found(1, mostGaps)
	require.NotContains(t, s.html("GET", "/orders/acme/1", "").body, "These are the newest")
	found(mostGaps+1, mostGaps+1)
	page := s.html("GET", "/orders/acme/1?all=yes", "").body
	all := "/gaps?order=1&shop=acme&state=all"
	require.Contains(t, page, `These are the newest, here and under What happened. <a href="`+html.EscapeString(all)+`">See all</a>`)
	require.NotContains(t, page, `"/gaps/2"`, "the oldest is not told")
	require.Len(t, s.rows(all), mostGaps+1)
	list := s.html("GET", all, "").body
	require.Contains(t, list, `Only those of <a href="/orders/acme/1">`)
	require.Contains(t, list, `<input type="hidden" name="order" value="1">`, "another filter keeps to the order")
	require.Contains(t, s.html("GET", "/gaps?order=7", "").body, "Only those of one order.")
}

func TestAGapIsToldByTheNamesOfTheContract(t *testing.T) {
	s := newSite(t)
	key := store.OrderKey{Shop: "acme", ID: 9007199254740993}
	s.tell(key)
	s.lose(store.GapMissing, "erp_lost", key)
	a := s.ask("GET", "/api/v1/gaps/1", "", s.as("viewer")...)
	require.Equal(t, http.StatusOK, a.status)
	require.Contains(t, a.body, `"order_id":9007199254740993`, "to the last digit")
	var gap map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &gap))
	for name, want := range map[string]any{
		"id": 1.0, "kind": "missing", "shop": "acme", "name": "#993", "cause": "erp_lost", "found_by": "reconcile", "first_seen": "2026-11-23T09:00:00Z",
		"detected_after_s": 120.0, "state": "open", "healed_by": "", "closed_at": nil, "reason": "",
		"cause_text": "it was in the ERP and is no longer there", "kind_text": "Missing in the ERP", "detail": "the evidence",
		"total": "12.50", "currency": "EUR", "since": "2026-11-23T08:58:00Z", "erp": "books",
	} {
		require.Contains(t, gap, name)
		require.Equal(t, want, gap[name], name)
	}
	require.NotEmpty(t, gap["next"])
	require.Len(t, gap["steps"], 1)
	require.Equal(t, "opened", gap["steps"].([]any)[0].(map[string]any)["step"])

	closeGap(t, s.store, 1, "reconcile")
	closed := s.get("/api/v1/gaps/1")
	require.Equal(t, []any{"closed", "reconcile", "2026-11-23T09:00:00Z"}, []any{closed["state"], closed["healed_by"], closed["closed_at"]})
	require.Len(t, closed["steps"], 2)
	require.Equal(t, http.StatusNotFound, s.ask("GET", "/api/v1/gaps/2", "", s.as("viewer")...).status)
}

func TestGapsAreListedByEachFilterAndPage(t *testing.T) {
	s := newSite(t)
	s.lose(store.GapMissing, "webhook_never_came", keys("acme", 1, 5)...)
	s.lose(store.GapMismatch, "erp_edited", keys("beta", 1, 3)...)
	closeGap(t, s.store, 1, "reconcile")
	_, err := s.store.HealGaps(t.Context(), "ann", store.Gap{ID: 2})
	require.NoError(t, err)
	_, err = s.store.IgnoreGap(t.Context(), 3, "ann", "settled in cash")
	require.NoError(t, err)
	for query, want := range map[string]int{
		"": 8, "shop=acme": 5, "shop=nobody": 0, "kind=missing": 5, "kind=mismatch": 3, "kind=stale": 0, "state=closed": 1, "state=healing": 1,
		"state=ignored": 1, "state=open": 5, "state=live": 6, "shop=acme&kind=missing&state=live": 3,
	} {
		require.Len(t, s.get("/api/v1/gaps?" + query)["items"], want, query)
	}
	for _, limit := range []int{1, 3, 8, 9} {
		require.Len(t, s.list("/api/v1/gaps", limit, func(g map[string]any) string { return fmt.Sprint(g["id"]) }), 8)
	}
	for _, wrong := range []string{"kind=lost", "state=gone", "cursor=x", "limit=0"} {
		require.Equal(t, http.StatusUnprocessableEntity, s.ask("GET", "/api/v1/gaps?"+wrong, "", s.as("viewer")...).status, wrong)
	}
}

func TestAGapIsReplayedOrPlanned(t *testing.T) {
	s := newSite(t)
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 2)...)
	for _, body := range []string{"", "{}"} {
		a := s.ask("POST", "/api/v1/gaps/1/replay", body, s.as("operator")...)
		require.Equal(t, http.StatusAccepted, a.status, a.body)
		require.JSONEq(t, `{"started":1}`, a.body)
		require.Equal(t, []int64{1}, s.actions.gaps)
		require.Equal(t, "token a operator", s.actions.by)
	}
	s.actions.gaps, s.actions.plan = nil, Plan{Ref: "acme-1", Action: "ask", Reason: "Shopify is asked first", Calls: []PlanCall{}}
	a := s.ask("POST", "/api/v1/gaps/1/replay", `{"dry_run":true}`, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.JSONEq(t, `{"started":0,"plans":[{"order":"","ref":"acme-1","action":"ask","reason":"Shopify is asked first","calls":[]}]}`, a.body)
	require.Empty(t, s.actions.gaps, "a dry run starts nothing")

	closeGap(t, s.store, 2, "reconcile")
	for path, want := range map[string]int{"/api/v1/gaps/2/replay": 409, "/api/v1/gaps/3/replay": 404, "/api/v1/gaps/x/replay": 422} {
		require.Equal(t, want, s.ask("POST", path, "", s.as("operator")...).status, path)
	}
	require.Empty(t, s.actions.gaps)
	require.Equal(t, http.StatusForbidden, s.ask("POST", "/api/v1/gaps/1/replay", "", s.as("viewer")...).status)
}

func TestGapsAndOrdersAreReplayedTogether(t *testing.T) {
	s := newSite(t)
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 2)...)
	a := s.ask("POST", "/api/v1/replays", `{"gaps":[1,2],"orders":[{"shop":"beta","id":7}]}`, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.JSONEq(t, `{"started":3}`, a.body)
	require.Equal(t, []int64{1, 2}, s.actions.gaps)
	require.Equal(t, []store.OrderKey{{Shop: "beta", ID: 7}}, s.actions.replayed)
	s.actions.gaps = nil
	a = s.ask("POST", "/api/v1/replays", `{"gaps":[1,99]}`, s.as("operator")...)
	require.Equal(t, http.StatusNotFound, a.status)
	require.Contains(t, a.body, "no gap 99")
	require.Empty(t, s.actions.gaps, "all or nothing")
	require.Len(t, s.planned(`{"dry_run":true,"gaps":[1,2]}`), 2)
}

func (s *site) planned(body string) []Plan {
	s.Helper()
	var told Replayed
	require.NoError(s, json.Unmarshal([]byte(s.ask("POST", "/api/v1/replays", body, s.as("operator")...).body), &told))
	return told.Plans
}

func TestAGapIsIgnoredWithAReason(t *testing.T) {
	s := newSite(t)
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 2)...)
	a := s.ask("POST", "/api/v1/gaps/1/ignore", `{"reason":" settled in cash "}`, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.Equal(t, map[int64]string{1: "settled in cash"}, s.actions.ignored)
	require.Equal(t, "token a operator", s.actions.by)
	closeGap(t, s.store, 2, "reconcile")
	for path, c := range map[string]struct {
		body string
		want int
	}{
		"1 without a reason": {`{}`, 422}, "1 with an empty one": {`{"reason":""}`, 422}, "1 with a blank one": {`{"reason":"  "}`, 422},
		"1 with a long one": {`{"reason":"` + strings.Repeat("x", 1001) + `"}`, 422}, "2 closed": {`{"reason":"x"}`, 409}, "3 unknown": {`{"reason":"x"}`, 404},
	} {
		require.Equal(t, c.want, s.ask("POST", "/api/v1/gaps/"+path[:1]+"/ignore", c.body, s.as("operator")...).status, path)
	}
	require.Equal(t, http.StatusForbidden, s.ask("POST", "/api/v1/gaps/1/ignore", `{"reason":"x"}`, s.as("viewer")...).status)
	s.actions.err = errors.New("secret detail")
	a = s.ask("POST", "/api/v1/gaps/1/ignore", `{"reason":"x"}`, s.as("operator")...)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.NotContains(t, a.body, "secret")
}
