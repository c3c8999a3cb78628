package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

func TestDeliveriesAreFilteredAsTheirNeighboursAre(t *testing.T) {
	s := newSite(t)
	s.tell(append(keys("acme", 1, 5), keys("beta", 5, 7)...)...)
	s.attempt(7)
	claims, err := s.store.Claim(t.Context(), "books", 1, "token", 0)
	require.NoError(t, err)
	cut := store.Attempt{DeliveryKey: claims[0].DeliveryKey, Token: claims[0].Token, Action: store.ActionDeliver, Ref: "x", StartedAt: epoch}
	require.NoError(t, s.store.Begin(t.Context(), &cut))
	acme := 0
	for _, line := range s.list("/api/v1/deliveries", 3, func(i map[string]any) string { return fmt.Sprint(i["shop"]) }) {
		if line == "acme" {
			acme++
		}
	}
	for query, want := range map[string]int{
		"": 8, "shop=acme": acme, "shop=beta": 8 - acme, "shop=nobody": 0, "erp=books": 8, "erp=none": 0, "action=deliver": 8, "action=lookup": 0,
		"result=rejected": 7, "result=created": 0, "shop=acme&order=5": 1, "shop=beta&order=5": 1, "shop=acme&order=6": 0, "shop=acme&order=5&erp=none": 0,
	} {
		require.Len(t, s.get("/api/v1/deliveries?" + query)["items"], want, query)
	}
	for _, limit := range []int{1, 3, 7, 8} {
		require.Len(t, s.list("/api/v1/deliveries", limit, func(i map[string]any) string { return fmt.Sprint(i["id"]) }), 8)
	}
	first := s.get("/api/v1/deliveries?result=rejected&limit=4")
	require.Len(t, s.get("/api/v1/deliveries?result=rejected&limit=4&cursor=" + first["next"].(string))["items"], 3, "the pages of one result")
	for query, says := range map[string]string{"order=5": "acme, beta", "order=x": "order", "order=-1": "order", "result=lost": "result", "action=guess": "action"} {
		a := s.ask("GET", "/api/v1/deliveries?"+query, "", s.as("viewer")...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, query)
		require.Contains(t, a.body, says, query)
	}
}

func TestADryRunOfARunOrOfIgnoringStartsNothing(t *testing.T) {
	s := newSite(t)
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 1)...)
	a := s.ask("POST", "/api/v1/runs", `{"kind":"reconcile","shop":"acme","dry_run":true}`, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.JSONEq(t, `{"plan":{"kind":"reconcile","shop":"acme","from":"2026-11-23T09:00:00Z","to":"2026-11-23T09:00:00Z","heal":true}}`, a.body)
	require.Empty(t, s.actions.run.Kind, "nothing was started")

	a = s.ask("POST", "/api/v1/gaps/1/ignore", `{"reason":"paid in cash","dry_run":true}`, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	var would map[string]any
	require.NoError(t, json.Unmarshal([]byte(a.body), &would))
	require.Equal(t, []any{true, "ignored", "paid in cash", "token a operator"}, []any{would["dry_run"], would["state"], would["reason"], would["ignored_by"]})
	require.Empty(t, s.actions.ignored)
	require.Equal(t, "open", s.get("/api/v1/gaps/1")["state"])

	s.actions.err = WrongRequest("the window is empty")
	a = s.ask("POST", "/api/v1/runs", `{"kind":"reconcile","shop":"acme","dry_run":true}`, s.as("operator")...)
	require.Equal(t, http.StatusUnprocessableEntity, a.status)
	require.Contains(t, a.body, "the window is empty")
	require.Equal(t, 404, s.ask("POST", "/api/v1/gaps/9/ignore", `{"reason":"x","dry_run":true}`, s.as("operator")...).status)
}

// described is the part of an OpenAPI document that the test reads.
type described struct {
	Paths map[string]map[string]struct {
		Summary    string
		Parameters []struct{ Name, In string }
		Responses  map[string]struct {
			Headers map[string]any
			Content map[string]any
		}
	}
}

func TestTheDescriptionTellsOfTagsAndErrorsInPlainWords(t *testing.T) {
	s := newSite(t)
	var told described
	require.NoError(t, json.Unmarshal([]byte(s.ask("GET", "/api/openapi.json", "").body), &told))
	for _, r := range routes {
		o := told.Paths[r.path][strings.ToLower(r.method)]
		require.NotEmpty(t, o.Summary, r.path)
		require.NotRegexp(t, `(?i)api v1|^(get|post|list) `, o.Summary, r.path)
		for _, status := range []string{"401", "403", "503"} {
			require.Contains(t, o.Responses[status].Content, "application/problem+json", "%s %s: %s", r.method, r.path, status)
		}
		if strings.Contains(r.path, "{") {
			require.Contains(t, o.Responses, "404", r.path)
		}
		if r.method != http.MethodGet || r.path == streamPath {
			continue
		}
		require.Contains(t, o.Responses, "304", r.path)
		require.Contains(t, o.Responses["200"].Headers, "ETag", r.path)
		require.Contains(t, o.Parameters, struct{ Name, In string }{"If-None-Match", "header"}, r.path)
	}
}

func TestAProgramIsAnsweredInItsOwnTermsWhereThereIsNothing(t *testing.T) {
	s := newSite(t)
	for _, c := range []struct {
		method, path, accept string
		status               int
	}{
		{"GET", "/api/v1/nothing", "", 404}, {"GET", "/api/v2/orders", "text/html", 404}, {"POST", "/api/nothing", "", 404}, {"GET", "/feed/depot/nothing", "", 404},
		{"DELETE", "/api/v1/orders", "", 405}, {"PUT", "/feed/depot/ack", "", 405},
	} {
		a := s.ask(c.method, c.path, "", "Accept", c.accept)
		require.Equal(t, c.status, a.status, c.path)
		require.Equal(t, "application/problem+json", a.header.Get("Content-Type"), c.path)
		var told struct {
			Status int
			Detail string
		}
		require.NoError(t, json.Unmarshal([]byte(a.body), &told))
		require.Equal(t, c.status, told.Status)
		require.NotEmpty(t, told.Detail)
	}
	require.Equal(t, "GET", s.ask("POST", "/livez", "").header.Get("Allow")[:3])
}

func TestHeadIsAnsweredAsGetWithoutABody(t *testing.T) {
	s := newPages(t, func(o *Options) { o.Webhook = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}) })
	for _, r := range promised {
		if r.method != http.MethodGet {
			continue
		}
		head := s.ask(http.MethodHead, r.path, "") // the stream too, which would not end
		require.Empty(t, head.body, r.path)
		if r.path == streamPath {
			require.Equal(t, "text/event-stream", head.header.Get("Content-Type"))
			continue
		}
		get := s.ask(http.MethodGet, r.path, "")
		require.Equal(t, get.status, head.status, r.path)
		for _, name := range []string{"Content-Type", "Content-Security-Policy", "Content-Disposition"} {
			require.Equal(t, get.header.Get(name), head.header.Get(name), "%s: %s", r.path, name)
		}
	}
	require.Equal(t, http.StatusNotFound, s.ask(http.MethodHead, "/nowhere", "").status)
	require.Equal(t, http.StatusUnauthorized, newSite(t).ask(http.MethodHead, "/api/v1/orders", "").status)
}
