package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
	"gapless/ui"
)

func TestGapsAreIgnoredAndReplayed(t *testing.T) {
	w := lossy(t, &deaf{})
	w.serve()
	w.brought(2)
	for _, o := range w.shop.Orders() {
		require.True(t, w.erp.Delete(fmt.Sprintf("%s-%d", shopName, o.ID)))
	}
	w.reconciles(3, "--heal=false")
	require.Regexp(t, `(?m)^1 +acme +#100\d +missing +open +\S+ +\d[\d,]*\.\d\d USD +it was in the ERP and is no longer there$`, w.gapless("gaps"))
	require.Equal(t, "[]\n", w.gapless("gaps", "--json", "--kind", "stale"))

	w.gapless("gaps", "ignore", "1", "--reason", "settled in cash")
	require.Contains(t, w.gapless("gaps", "1"), "next: nothing; ignored by the command line: settled in cash")
	var live []ui.Gap
	require.NoError(t, json.Unmarshal([]byte(w.gapless("gaps", "--json")), &live))
	require.Len(t, live, 1)

	planned := w.gapless("replay", "--gap", "2", "--dry-run")
	require.Regexp(t, `^#100\d \(acme-\d+\): send\n\n  PUT http`, planned)
	require.Equal(t, planned, w.gapless("replay", "--gaps", "missing", "--shop", "acme", "--dry-run"), "gap 1 is ignored")
	require.Equal(t, "0 of 0 gaps are being mended\n", w.gapless("replay", "--gaps", "stale"))
	require.Equal(t, "1 of 1 gaps are being mended\n", w.gapless("replay", "--gaps", "all", "--gap", "2"))
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
		{2, "--gaps", []string{"replay", "--gaps", "lost"}},
		{2, "acne", []string{"replay", "--gaps", "all", "--shop", "acne"}},
		{2, "--from", []string{"replay", "--gaps", "all", "--from", "2026-11-22"}},
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
