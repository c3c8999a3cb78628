package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// ran keeps a run that ended in a state with a result.
func (s *site) ran(shop, kind, state, result string) int64 {
	s.Helper()
	r := store.Run{Shop: shop, Kind: kind, By: "ann", From: epoch.Add(-24 * time.Hour), To: epoch}
	require.NoError(s, s.store.BeginRun(s.Context(), &r))
	r.State, r.Done, r.Found, r.Data, r.Note = state, 412, 2, json.RawMessage(result), "the ERP answered 503"
	require.NoError(s, s.store.SaveRun(s.Context(), &r))
	return r.ID
}

const (
	balanced = `{"balance":{"shopify":{"orders":1,"money":[{"currency":"EUR","amount":"2.50"}]},"erp":{"orders":1,"money":[{"currency":"EUR","amount":"2.50"}]}}}`
	missing  = `{"balance":{"shopify":{"orders":1},"missing":{"orders":1}}}`
)

func TestRunsAreListedAndShown(t *testing.T) {
	s := newSite(t)
	s.ran("acme", store.RunReconcile, store.RunDone, balanced)
	s.ran("acme", store.RunDeep, store.RunPartial, `{}`)
	s.ran("beta", store.RunReconcile, store.RunFailed, `{}`)
	poll := store.Run{Shop: "beta", Kind: store.RunPoll, By: "ann"}
	require.NoError(t, s.store.BeginRun(t.Context(), &poll))
	for query, want := range map[string]int{"": 4, "shop=acme": 2, "kind=reconcile": 2, "state=running": 1, "state=partial": 1, "shop=beta&kind=deep": 0} {
		require.Len(t, s.get("/api/v1/runs?" + query)["items"], want, query)
	}
	require.Len(t, s.list("/api/v1/runs", 3, func(r map[string]any) string { return fmt.Sprint(r["id"]) }), 4)
	require.Equal(t, http.StatusUnprocessableEntity, s.ask("GET", "/api/v1/runs?kind=nap", "", s.as("viewer")...).status)

	run := s.get("/api/v1/runs/1")
	require.Equal(t, []any{"reconcile", "done", 412.0, 2.0, "2026-11-22T09:00:00Z"}, []any{run["kind"], run["state"], run["done"], run["found"], run["from"]})
	require.Contains(t, run["result"], "balance")
	require.Nil(t, s.get("/api/v1/runs/4")["from"], "a poll that is under way")
	require.Equal(t, http.StatusNotFound, s.ask("GET", "/api/v1/runs/9", "", s.as("viewer")...).status)
}

func TestARunIsStartedAndNamed(t *testing.T) {
	s := newSite(t)
	a := s.ask("POST", "/api/v1/runs", `{"kind":"reconcile","shop":"beta","from":"2026-11-22","to":"2026-11-23","heal":false}`, s.as("operator")...)
	require.Equal(t, http.StatusAccepted, a.status, a.body)
	require.JSONEq(t, `{"id":17}`, a.body)
	no := false
	require.Equal(t, RunRequest{Kind: "reconcile", Shop: "beta", From: "2026-11-22", To: "2026-11-23", Heal: &no}, s.actions.run)
	require.Equal(t, "token a operator", s.actions.by)
	require.Equal(t, http.StatusForbidden, s.ask("POST", "/api/v1/runs", `{"kind":"poll","shop":"acme"}`, s.as("viewer")...).status)
	require.Equal(t, http.StatusAccepted, s.ask("POST", "/api/v1/runs", `{"kind":"backfill","shop":"beta","since":"30d"}`, s.as("operator")...).status)
	require.Equal(t, RunRequest{Kind: "backfill", Shop: "beta", Since: "30d"}, s.actions.run)

	for body, want := range map[string]string{
		`{"kind":"poll"}`: "acme, beta", `{"kind":"poll","shop":"nobody"}`: "acme, beta", `{"kind":"deep","shop":"acme"}`: "kind", `{}`: "kind",
	} {
		a := s.ask("POST", "/api/v1/runs", body, s.as("operator")...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status, body)
		require.Contains(t, a.body, want, body)
	}
	for _, c := range []struct {
		err  error
		want int
		says string
	}{
		{WrongRequest("the window is empty"), 422, "the window is empty"},
		{fmt.Errorf("reconcile acme: %w", store.ErrRunning), 409, "under way already"},
		{fmt.Errorf("secret detail"), 503, "could not be started"},
	} {
		s.actions.err = c.err
		a := s.ask("POST", "/api/v1/runs", `{"kind":"poll","shop":"acme"}`, s.as("operator")...)
		require.Equal(t, c.want, a.status)
		require.Contains(t, a.body, c.says)
		require.NotContains(t, a.body, "secret")
	}
}

func TestTheOneShopNeedNoName(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Shops = []string{"acme"} })
	require.Equal(t, http.StatusAccepted, s.ask("POST", "/api/v1/runs", `{"kind":"poll"}`, s.as("operator")...).status)
	require.Equal(t, "acme", s.actions.run.Shop)
}

func TestStatsTellGapsAndTheLastReconciliation(t *testing.T) {
	s := newSite(t)
	stats := s.get("/api/v1/stats")
	require.Equal(t, 0.0, stats["gaps_open"])
	nothing := map[string]any{"at": nil, "complete_through": nil, "balanced": false}
	require.Equal(t, map[string]any{"acme": nothing, "beta": nothing}, stats["last_reconcile"].(map[string]any)["shops"])

	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 3)...)
	s.lose(store.GapParked, "order_refused", keys("acme", 4, 4)...)
	closeGap(t, s.store, 1, "reconcile")
	_, err := s.store.IgnoreGap(t.Context(), 2, "ann", "settled in cash")
	require.NoError(t, err)
	stats = s.get("/api/v1/stats")
	require.Equal(t, 2.0, stats["gaps_open"])
	require.Equal(t, map[string]any{"missing": 1.0, "parked": 1.0}, stats["gaps"])
}

func TestTheLastReconciliationIsTheLeastGoodOfAllShops(t *testing.T) {
	s := newSite(t)
	last := func() map[string]any { return s.get("/api/v1/stats")["last_reconcile"].(map[string]any) }
	s.ran("acme", store.RunReconcile, store.RunDone, balanced)
	require.NoError(t, s.store.Complete(t.Context(), "acme", epoch.Add(-time.Hour), epoch))
	require.Nil(t, last()["at"], "one shop was never compared")
	require.Equal(t, map[string]any{"at": "2026-11-23T09:00:00Z", "complete_through": "2026-11-23T09:00:00Z", "balanced": true, "run": 1.0}, last()["shops"].(map[string]any)["acme"])

	s.ran("beta", store.RunDeep, store.RunDone, balanced)
	require.NoError(t, s.store.Complete(t.Context(), "beta", epoch.Add(-time.Hour), epoch.Add(-time.Minute)))
	require.Equal(t, []any{"2026-11-23T09:00:00Z", "2026-11-23T08:59:00Z", true}, []any{last()["at"], last()["complete_through"], last()["balanced"]})
	for state, result := range map[string]string{store.RunDone: missing, store.RunPartial: balanced, store.RunFailed: `{}`} {
		s.ran("beta", store.RunReconcile, state, result)
		require.Equal(t, false, last()["balanced"], state)
		s.ran("beta", store.RunReconcile, store.RunDone, balanced)
		require.Equal(t, true, last()["balanced"])
	}
}
