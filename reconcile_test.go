package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
	"gapless/ui"
)

// deaf stands before the webhooks and, while it is on, swallows them: the shop
// is told that they were taken.
type deaf struct {
	next http.RoundTripper
	on   atomic.Bool
}

func (d *deaf) RoundTrip(r *http.Request) (*http.Response, error) {
	if !d.on.Load() {
		return d.next.RoundTrip(r)
	}
	r.Body.Close()
	return &http.Response{StatusCode: http.StatusOK, Body: http.NoBody, Request: r}, nil
}

// rarely keeps polls and regular comparisons away, so that what a test starts is
// what finds things, and lets nothing count as on its way.
var rarely = []string{"GAPLESS_SHOPS__ACME__POLL__ACTIVE=1h", "GAPLESS_SHOPS__ACME__POLL__IDLE=1h", "GAPLESS_SHOPS__ACME__POLL__GRACE=0s", "GAPLESS_SHOPS__ACME__RECONCILE__SETTLE=0s"}

// lossy is a world whose webhooks vanish while d is on.
func lossy(t *testing.T, d *deaf) *world {
	t.Helper()
	return newWorld(t, setup{
		environ: rarely, shop: shopifytest.Options{Zone: time.FixedZone("", 0)},
		hook: func(next http.RoundTripper) http.RoundTripper { d.next = next; return d },
	})
}

// brought places n orders and waits until the ERP holds them.
func (w *world) brought(n int) {
	w.Helper()
	w.eventually(w.subscribed)
	w.eventually(w.polledOnce)
	w.placed(n)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	w.eventually(w.atRest)
}

func (w *world) placed(n int) {
	w.Helper()
	for range n {
		w.shop.Create()
	}
	require.NoError(w, w.shop.Flush(w.Context()))
}

// reconciles runs the command and wants an exit code.
func (w *world) reconciles(want int, args ...string) (stdout, stderr string) {
	w.Helper()
	code, stdout, stderr := w.try(append([]string{"reconcile"}, args...)...)
	require.Equal(w, want, code, "%s%s", stdout, stderr)
	return stdout, stderr
}

func TestReconcileFindsLostOrdersAndHasThemMended(t *testing.T) {
	d := &deaf{}
	w := lossy(t, d)
	w.serve()
	w.brought(5)
	said, _ := w.reconciles(0)
	require.Contains(t, said, "acme: balanced\n")
	require.Contains(t, said, "5 orders in Shopify = 5 in the ERP + 0 cancelled + 0 excluded + 0 pending + 0 parked + 0 missing\n")
	require.Regexp(t, `compared Shopify, Gapless and books: orders that changed from \S+Z to \S+Z`, said)
	require.NotContains(t, said, "why:")

	d.on.Store(true)
	w.placed(2)
	said, told := w.reconciles(3, "--heal=false")
	require.Equal(t, "gapless: 2 gaps found in acme\n", told)
	require.Contains(t, said, "acme: NOT BALANCED\n")
	require.Contains(t, said, "7 orders in Shopify = 5 in the ERP + 0 cancelled + 0 excluded + 0 pending + 0 parked + 2 missing\n")
	require.Regexp(t, `\d+: Missing in the ERP, open, for \d+ s \(gap \d+ of acme\)\n +why:  no webhook told of it: Shopify lists #1007`, said)
	require.Regexp(t, `next: waits for a replay`, said)
	require.Len(t, w.erp.All(), 5, "to look changes nothing")

	said, _ = w.reconciles(3)
	require.Regexp(t, `Missing in the ERP, healing, .*\n.*\n +next: Gapless is putting it right`, said)
	require.NotContains(t, said, "start gapless serve")
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	w.eventually(w.noGaps)
	said, _ = w.reconciles(0)
	require.Contains(t, said, "7 orders in Shopify = 7 in the ERP")

	closed := w.gapless("gaps", "--state", "closed")
	require.Regexp(t, `acme +#1007 +missing +closed .* no webhook told of it`, closed)
	require.Regexp(t, `(?s)#100[67]: Missing in the ERP, .*AT +STEP.*opened +reconcile.*healing +reconcile.*closed +reconcile`, w.gapless("gaps", "1"))
	runs := w.gapless("runs", "--kind", "reconcile")
	require.Equal(t, 4, strings.Count(runs, "the command line"), runs)
}

// noGaps says that some gaps are not closed yet.
func (w *world) noGaps() error {
	if said := w.gapless("gaps", "--json"); said != "[]\n" {
		return fmt.Errorf("gaps: %s", said)
	}
	return nil
}

func TestReconcileWithoutAnApplianceSaysWhoCarriesItOut(t *testing.T) {
	w := lossy(t, &deaf{})
	r := w.serve()
	w.brought(3)
	r.stop()
	lost := w.shop.Orders()[1]
	require.True(t, w.erp.Delete(fmt.Sprintf("%s-%d", shopName, lost.ID)))
	said, _ := w.reconciles(3)
	require.Contains(t, said, "it was in the ERP and is no longer there")
	require.Contains(t, said, "No appliance runs on this store: start gapless serve, which carries this out.\n")
	w.serve()
	want := w.expected()
	w.eventually(func() error { return w.compareLive(want) })
	w.eventually(w.noGaps)
	w.reconciles(0)
}

// compareLive says which order has no live document, or several.
func (w *world) compareLive(want map[string]holding) error {
	for ref, h := range want {
		if n := len(w.erp.Live(ref)); n != 1 {
			return fmt.Errorf("order %s has %d live documents", h.name, n)
		}
	}
	return nil
}

func TestASideThatCannotBeReadExitsWithOne(t *testing.T) {
	w := lossy(t, &deaf{})
	w.serve()
	w.brought(2)
	var out, errs bytes.Buffer
	code := w.program(&out, &errs, []string{"GAPLESS_ERPS__BOOKS__URL=http://127.0.0.1:9"}, "reconcile").Run(t.Context())
	require.Equal(t, 1, code)
	require.Contains(t, out.String(), "acme: could not be compared whole\n")
	require.Contains(t, out.String(), "not seen: the ERP could not be read whole")
	require.Contains(t, oneSentence(t, errs.String()), "mend this and reconcile again")
	w.shop.Break(50, shopifytest.Outage{Status: http.StatusForbidden})
	said, _ := w.reconciles(1)
	require.Contains(t, said, "not seen: Shopify could not be read whole")
}

func TestWindowsThatCannotBeMeantAreUsageErrors(t *testing.T) {
	w := lossy(t, &deaf{})
	w.serve()
	w.brought(1)
	for _, c := range []struct {
		says string
		args []string
	}{
		{"in the future", []string{"--from", "2126-11-22"}},
		{"is empty", []string{"--from", "2026-01-02", "--to", "2026-01-02"}},
		{"is empty", []string{"--from", "2026-01-02T10:00:00Z", "--to", "2026-01-02T10:00:00+01:00"}},
		{"not by both", []string{"--since", "24h", "--from", "2026-01-02"}},
		{"say where the window begins", []string{"--to", "2026-01-02"}},
		{"write it like 2026-11-22", []string{"--from", "yesterday"}},
		{"write it like 2026-11-22", []string{"--from", "2026-02-30"}},
		{`write it like "90m"`, []string{"--since", "soon"}},
		{`write it like "90m"`, []string{"--since", "0s"}},
		{"no shop named", []string{"--shop", "acne"}},
	} {
		_, stderr := w.reconciles(2, c.args...)
		require.Contains(t, oneSentence(t, stderr), c.says, c.args)
	}
	require.NotContains(t, w.gapless("runs", "--kind", "reconcile"), "the command line", "nothing was begun")
}

func TestReconcileTellsItAsJSON(t *testing.T) {
	d := &deaf{}
	w := lossy(t, d)
	w.serve()
	w.brought(1)
	d.on.Store(true)
	w.placed(1)
	said, _ := w.reconciles(3, "--json", "--since", "1d", "--shop", "acme")
	var told []struct {
		Shop, ERP          string
		From, To           time.Time
		Balanced, Complete bool
		Balance            struct{ Shopify, Missing struct{ Orders int } }
		Faults             map[string]int
		Notes              []string
		Gaps               []ui.Gap
		RunID              int64 `json:"run_id"`
	}
	require.NoError(t, json.Unmarshal([]byte(said), &told))
	require.Len(t, told, 1)
	r := told[0]
	require.Equal(t, []any{"acme", "books", false, true, 2, 1}, []any{r.Shop, r.ERP, r.Balanced, r.Complete, r.Balance.Shopify.Orders, r.Balance.Missing.Orders})
	require.Equal(t, 24*time.Hour, r.To.Sub(r.From))
	require.Equal(t, map[string]int{"missing": 1}, r.Faults)
	require.Len(t, r.Gaps, 1)
	require.Equal(t, store.GapHealing, r.Gaps[0].State)
	require.Equal(t, r.RunID, r.Gaps[0].RunID)
	require.NotNil(t, r.Notes)
}

func TestDaysBeginAtTheShopsMidnight(t *testing.T) {
	zone, err := time.LoadLocation("Asia/Kolkata")
	require.NoError(t, err)
	now := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		asked    window
		from, to string
	}{
		{window{From: "2026-11-21", To: "2026-11-22"}, "2026-11-20T18:30:00Z", "2026-11-21T18:30:00Z"},
		{window{From: "2026-11-23"}, "2026-11-22T18:30:00Z", "2026-11-23T09:00:00Z"},
		{window{From: "2026-11-23", To: "2026-11-24"}, "2026-11-22T18:30:00Z", "2026-11-23T09:00:00Z"},
		{window{From: "2026-11-23T07:00:00+01:00", To: "2026-11-23T08:00:00Z"}, "2026-11-23T06:00:00Z", "2026-11-23T08:00:00Z"},
		{window{}, "2026-11-22T09:00:00Z", "2026-11-23T09:00:00Z"},
		{window{Since: "1w"}, "2026-11-16T09:00:00Z", "2026-11-23T09:00:00Z"},
	} {
		from, to, err := c.asked.of(zone, now)
		require.NoError(t, err, c.asked)
		require.Equal(t, []string{c.from, c.to}, []string{from.Format(time.RFC3339), to.Format(time.RFC3339)}, c.asked)
	}
}

func TestGapsAreIgnoredAndReplayed(t *testing.T) {
	w := lossy(t, &deaf{})
	w.serve()
	w.brought(2)
	for _, o := range w.shop.Orders() {
		require.True(t, w.erp.Delete(fmt.Sprintf("%s-%d", shopName, o.ID)))
	}
	w.reconciles(3, "--heal=false")
	require.Regexp(t, `(?m)^1 +acme +#100\d +missing +open .* it was in the ERP and is no longer there$`, w.gapless("gaps"))
	require.Equal(t, "[]\n", w.gapless("gaps", "--json", "--kind", "stale"))

	w.gapless("gaps", "ignore", "1", "--reason", "settled in cash")
	require.Contains(t, w.gapless("gaps", "1"), "next: nothing; ignored by the command line: settled in cash")
	var live []ui.Gap
	require.NoError(t, json.Unmarshal([]byte(w.gapless("gaps", "--json")), &live))
	require.Len(t, live, 1)

	planned := w.gapless("replay", "--gap", "2", "--dry-run")
	require.Regexp(t, `^#100\d \(acme-\d+\): send\n\n  PUT http`, planned)
	require.Equal(t, "1 of 1 gaps are being mended\n", w.gapless("replay", "--gap", "2"))
	w.eventually(w.noGaps)
	var detail ui.GapDetail
	require.NoError(t, json.Unmarshal([]byte(w.gapless("gaps", "2", "--json")), &detail))
	require.Equal(t, []string{store.GapClosed, byCommand}, []string{detail.State, detail.HealedBy})
	require.Len(t, detail.Steps, 3)

	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "no gap 99", []string{"gaps", "99"}},
		{1, "no gap 99", []string{"gaps", "ignore", "99", "--reason", "x"}},
		{1, "closed already", []string{"gaps", "ignore", "2", "--reason", "x"}},
		{2, "--reason", []string{"gaps", "ignore", "1"}},
		{2, "say why", []string{"gaps", "ignore", "1", "--reason", " "}},
		{2, "--kind", []string{"gaps", "--kind", "lost"}},
		{1, "no gap 99", []string{"replay", "--gap", "2", "--gap", "99"}},
	} {
		code, _, stderr := w.try(c.args...)
		require.Equal(t, c.code, code, c.args)
		require.Contains(t, oneSentence(t, stderr), c.says, c.args)
	}
}

func TestPollTellsTheGapsItFinds(t *testing.T) {
	d := &deaf{}
	w := lossy(t, d)
	w.serve()
	w.brought(1)
	d.on.Store(true)
	w.placed(2)
	said := w.gapless("poll")
	require.Regexp(t, `; \d are fetched\nacme: no webhook told of 2 of them:\n  \d+: Missing in the ERP, healing`, said)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	w.eventually(w.noGaps)
}

// post sends JSON to the API as an operator does.
func (w *world) post(path, token, body string, into any) int {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodPost, "http://"+w.address+path, strings.NewReader(body))
	require.NoError(w, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	require.NoError(w, err)
	defer resp.Body.Close()
	said, err := io.ReadAll(resp.Body)
	require.NoError(w, err)
	require.NoError(w, json.Unmarshal(said, into), "%s", said)
	return resp.StatusCode
}

func TestAReconciliationIsStartedOverTheAPI(t *testing.T) {
	d := &deaf{}
	w := lossy(t, d)
	w.serve()
	w.brought(2)
	token := strings.TrimSpace(w.gapless("token", "add", "ops", "--scope", "operator"))
	d.on.Store(true)
	w.placed(1)
	for _, kind := range []string{"reconcile", "poll"} {
		var started ui.StartedRun
		require.Equal(t, http.StatusAccepted, w.post("/api/v1/runs", token, `{"kind":"`+kind+`"}`, &started))
		var run ui.RunDetail
		w.eventually(func() error {
			require.Equal(t, 200, w.get(fmt.Sprintf("/api/v1/runs/%d", started.ID), token, &run))
			if run.State != store.RunDone {
				return fmt.Errorf("run %d is %s: %s", run.ID, run.State, run.Note)
			}
			return nil
		})
		require.Equal(t, []string{kind, "token ops"}, []string{run.Kind, run.By})
	}
	w.eventually(w.noGaps)
	var stats ui.Stats
	require.Equal(t, 200, w.get("/api/v1/stats", token, &stats))
	require.Zero(t, stats.GapsOpen)
	require.NotNil(t, stats.LastReconcile.At)
	require.NotNil(t, stats.LastReconcile.CompleteThrough)
	var problem struct{ Detail string }
	require.Equal(t, 422, w.post("/api/v1/runs", token, `{"kind":"reconcile","from":"2126-01-01"}`, &problem))
	require.Contains(t, problem.Detail, "in the future")
	require.Equal(t, 422, w.post("/api/v1/runs", token, `{"kind":"poll","since":"1h"}`, &problem))
	require.Contains(t, problem.Detail, "leave since, from and to out")
}

// A client that listens to changes hears of an order until Gapless stops, and
// does not keep it from stopping.
func TestAListenerHearsOfOrdersAndDoesNotHoldUpTheEnd(t *testing.T) {
	w := lossy(t, &deaf{})
	r := w.serve("GAPLESS_SERVER__READ_TIMEOUT=1s", "GAPLESS_SERVER__SHUTDOWN_TIMEOUT=60s")
	w.eventually(w.subscribed)
	token := strings.TrimSpace(w.gapless("token", "add", "screen"))
	conn := w.dial("GET /api/v1/stream HTTP/1.1\r\nHost: gapless\r\nAuthorization: Bearer " + token + "\r\n\r\n")
	defer conn.Close()
	_, err := io.ReadFull(conn, make([]byte, len("HTTP/1.1 200")))
	require.NoError(t, err)
	w.placed(1)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	began := time.Now()
	r.stop()
	require.Less(t, time.Since(began), 30*time.Second, "the drain did not wait for it")
	said, err := io.ReadAll(conn)
	require.NoError(t, err)
	require.Contains(t, string(said), "event: order\n")
	require.Contains(t, string(said), `"name":"#1001"`)
}

func TestCheckFailsWhereShopifyAnswersWithAnotherVersion(t *testing.T) {
	w := lossy(t, &deaf{})
	var out, errs bytes.Buffer
	code := w.program(&out, &errs, []string{"GAPLESS_SHOPS__ACME__API_VERSION=2025-04"}, "check").Run(t.Context())
	require.Equal(t, 1, code)
	require.Contains(t, out.String(), `FAIL  API version of acme: Shopify answers with 2026-01 where 2025-04 is asked for, which it no longer serves; set api_version = "2026-01", or a newer one`)
}
