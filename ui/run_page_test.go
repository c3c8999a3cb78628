package ui

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// hasRun keeps a run that has ended.
func (s *site) hasRun(r store.Run, state, data string) store.Run {
	s.Helper()
	r.Shop = "acme"
	require.NoError(s, s.store.BeginRun(s.Context(), &r))
	r.State, r.Data = state, json.RawMessage(data)
	require.NoError(s, s.store.SaveRun(s.Context(), &r))
	return r
}

func TestARunTellsWhatItSawAndFound(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	r := s.hasRun(store.Run{Kind: store.RunReconcile, By: "schedule", From: epoch.Add(-24 * time.Hour), To: epoch, Heal: true, Done: 40, Found: 3}, store.RunDone,
		`{"balance":{"shopify":{"orders":40,"money":[{"currency":"EUR","amount":"100.00"}]},"erp":{"orders":38,"money":[{"currency":"EUR","amount":"95.00"}]},
		"missing":{"orders":2,"money":[{"currency":"EUR","amount":"5.00"}]}},"by_rule":[],"faults":{"missing":2,"stale":1},"opened":2,"complete":true,"notes":["one order was passed over at 2026-11-23T08:00:00Z"]}`)
	for id := range int64(2) {
		_, err := s.store.FoundGaps(t.Context(), "reconcile", store.Fault{Gap: store.Gap{Shop: "acme", OrderID: id + 1, ERP: "books", Kind: store.GapMissing, FoundBy: "reconcile", RunID: r.ID}})
		require.NoError(t, err)
	}
	page := s.html("GET", fmt.Sprintf("/runs/%d", r.ID), "").body
	for _, told := range []string{
		"Compared Shopify and the ERP", "3 gaps found", "by a regular look", "22 Nov, 09:00", "Balance it saw", "95.00 EUR", "Missing in the ERP", "Older version in the ERP",
		"1 fault of these had been found before", "One order was passed over at 08:00:00", `href="/gaps/1"`, `href="/gaps/2"`, `href="/runs"`,
	} {
		require.Contains(t, page, told)
	}
	link := fmt.Sprintf(`href="/runs/%d"`, r.ID)
	for _, path := range []string{"/", "/runs", "/gaps/1", fmt.Sprintf("/gaps?run=%d", r.ID)} {
		require.Contains(t, s.html("GET", path, "").body, link, path)
	}
	require.NotContains(t, s.html("GET", "/gaps?run=99", "").body, `href="/gaps/1"`)
}

func TestARunSaysHowItEnded(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	for i, c := range []struct {
		kind, state, data string
		told              []string
	}{
		{store.RunDeep, store.RunDone, `{"balance":{},"complete":true}`, []string{"Nothing was wrong", "Nothing."}},
		{store.RunReconcile, store.RunPartial, `{"balance":{},"notes":["the ERP could not be read whole: no answer"]}`, []string{"In part only", "nothing counts as checked", "The ERP could not be read whole"}},
		{store.RunDay, store.RunFailed, `[`, []string{"Failed", "the next run looks again"}},
		{store.RunReconcile, store.RunStopped, `{}`, []string{"Stopped"}},
		{store.RunReconcile, store.RunDone, `{"balance":{"shopify":{"orders":1}},"complete":true}`, []string{"Does not add up"}},
		{store.RunReconcile, store.RunDone, `{"balance":{"shopify":{"orders":3},"pending":{"orders":3},"overdue":2},"complete":true}`, []string{"2 orders on the way for too long</h2>", `<th scope="row"><bdi>On the way for too long</bdi></th><td class="num">2`}},
		{store.RunPoll, store.RunDone, `{"seen":30,"fetched":20,"lost":0,"young":4}`, []string{"Done", "Changed, says Shopify</dt><dd><bdi>30", "Message may still come</dt><dd><bdi>4"}},
		{store.RunBackfill, store.RunDone, `{"known":12}`, []string{"Known here already</dt><dd><bdi>12", "orders placed from"}},
		{store.RunBackfill, store.RunRunning, `{}`, []string{"Under way", "250 of 1,000"}},
	} {
		r := store.Run{Kind: c.kind, By: "ann", From: epoch.Add(-time.Duration(i+2) * time.Hour), To: epoch, Done: 250, Total: 1000}
		page := s.html("GET", fmt.Sprintf("/runs/%d", s.hasRun(r, c.state, c.data).ID), "").body
		for _, told := range c.told {
			require.Contains(t, page, told, "%s %s", c.kind, c.state)
		}
	}
}
