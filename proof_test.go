package main

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
	"gapless/ui"
)

// shiftedClock is a shop's clock that can be set back.
type shiftedClock struct{ shift atomic.Int64 }

func (c *shiftedClock) now() time.Time { return time.Now().Add(time.Duration(c.shift.Load())) }

func TestABackfillBringsInWhatWasPlacedBeforeGaplessBegan(t *testing.T) {
	clock := &shiftedClock{}
	clock.shift.Store(int64(-72 * time.Hour))
	w := newWorld(t, setup{shop: shopifytest.Options{Now: clock.now, Zone: time.UTC, BulkTime: time.Millisecond}})
	for range 20 {
		w.shop.Act()
	}
	old := len(w.shop.Orders())
	clock.shift.Store(0)
	r := w.serve()
	w.eventually(w.subscribed)
	w.eventually(w.comparedOnce) // it leaves them alone
	require.Empty(t, w.erp.All())

	day := time.Now().Add(-96 * time.Hour).UTC().Format(time.DateOnly)
	require.Contains(t, w.gapless("backfill", "--from", day, "--dry-run"), fmt.Sprintf("%d of them would be brought in", old))
	token := w.token("operator")
	require.Equal(t, old, w.unknown(token))
	told := w.gapless("backfill", "--from", day)
	require.Contains(t, told, fmt.Sprintf("%d orders, 0 of them known already", old))
	w.eventually(w.inERP)

	require.Zero(t, w.unknown(token))
	var started ui.StartedRun
	require.Equal(t, 202, w.post("/api/v1/runs", token, `{"kind":"backfill","since":"120h"}`, &started))
	w.eventually(func() error {
		var run ui.RunDetail
		if w.get(fmt.Sprintf("/api/v1/runs/%d", started.ID), token, &run); run.State != "done" || run.Kind != "backfill" {
			return fmt.Errorf("the run is %s: %s", run.State, run.Note)
		}
		return nil
	})
	var problem struct{ Detail string }
	require.Equal(t, 422, w.post("/api/v1/runs", token, `{"kind":"backfill"}`, &problem))
	require.Contains(t, problem.Detail, "say from when on")
	r.stop()

	code, _, stderr := w.try("backfill", "--from", "2031-01-01")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--from must be earlier")
	code, _, _ = w.try("backfill", "--from", "soon")
	require.Equal(t, exitUsage, code)
	code, _, stderr = w.try("backfill")
	require.Equal(t, exitUsage, code)
	require.Contains(t, stderr, "--cancel")

	code, _, stderr = w.try("backfill", "--from", "2016-01-01")
	require.Equal(t, exitFailed, code, "nobody carries it out")
	require.Contains(t, oneSentence(t, stderr), "start `gapless serve`")
	require.Contains(t, w.gapless("backfill", "--cancel"), "is cancelled")
	require.Contains(t, w.gapless("runs", "--kind", "backfill"), "stopped")
	code, _, stderr = w.try("backfill", "--cancel")
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "no backfill of acme is under way")
}

// notedBackfill is a backfill from a day on, in UTC, that somebody asked for some
// time ago and that has brought in so many orders.
func (w *world) notedBackfill(day string, ago time.Duration, done int64) {
	w.Helper()
	from, err := time.Parse(time.DateOnly, day)
	require.NoError(w, err)
	then := func() time.Time { return time.Now().UTC().Add(-ago) }
	s, err := store.Open(w.Context(), store.Options{Path: filepath.Join(w.dir, "gapless.db"), Guest: true, Now: then})
	require.NoError(w, err)
	defer func() { require.NoError(w, s.Close()) }()
	run := store.Run{Shop: shopName, Kind: store.RunBackfill, By: byCommand, From: from, To: then()}
	require.NoError(w, s.BeginRun(w.Context(), &run))
	run.Done = done
	require.NoError(w, s.SaveRun(w.Context(), &run))
}

// running are the ids of the backfills under way, oldest first.
func (w *world) running() (all []string) {
	for line := range strings.Lines(w.gapless("runs", "--kind", "backfill")) {
		if fields := strings.Fields(line); fields[3] == "running" {
			all = append(all, fields[0])
		}
	}
	slices.Reverse(all)
	return all
}

func TestABackfillAskedForAgainIsShownAndNotBegunTwice(t *testing.T) {
	w := newWorld(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	w.serve().stop() // nobody carries backfills out
	w.notedBackfill("2016-01-01", 3*time.Hour, 42)
	w.notedBackfill("2016-06-01", time.Hour, 0)
	noted := w.running()
	require.Len(t, noted, 2)
	code, stdout, _ := w.try("backfill", "--from", "2016-01-01")
	require.Equal(t, exitFailed, code, "nobody carries it out")
	require.Contains(t, stdout, "42 orders")
	require.Equal(t, noted, w.running())
	w.try("backfill", "--from", "2016-01-01", "--to", "2016-02-01")
	require.Len(t, w.running(), 3, "other days")
}

func TestCancelEndsTheBackfillThatIsCarriedOut(t *testing.T) {
	w := newWorld(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	w.serve().stop()
	w.notedBackfill("2016-01-01", 3*time.Hour, 42)
	w.notedBackfill("2016-06-01", time.Hour, 0)
	noted := w.running()
	told := w.gapless("backfill", "--cancel")
	require.Contains(t, told, "from 2016-01-01T00:00:00Z")
	require.Contains(t, told, "the 42 orders it has read so far stay")
	require.Equal(t, noted[1:], w.running())
}

// unknown is how many orders a backfill of the last days would bring in, as the API
// tells.
func (w *world) unknown(token string) int {
	w.Helper()
	var would ui.StartedRun
	require.Equal(w, 202, w.post("/api/v1/runs", token, `{"kind":"backfill","since":"120h","dry_run":true}`, &would))
	require.Zero(w, would.ID)
	require.NotNil(w, would.Plan)
	return *would.Plan.Unknown
}

func TestTheReportOfADayInEveryFormat(t *testing.T) {
	w := newWorld(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	r := w.serve()
	w.eventually(w.subscribed)
	w.trade(10)
	w.eventually(w.inERP)
	today := time.Now().UTC().Format(time.DateOnly)
	text := w.gapless("report", "--day", today)
	require.Contains(t, text, "acme, ")
	require.Contains(t, text, "checked through", "the day is not over")
	var told struct {
		Balanced bool
		Complete bool
		Balance  struct{ Shopify struct{ Orders int } }
	}
	require.NoError(t, json.Unmarshal([]byte(w.gapless("report", "--day", today, "--format", "json")), &told))
	require.True(t, told.Balanced)
	require.False(t, told.Complete)
	require.Equal(t, len(w.shop.Orders()), told.Balance.Shopify.Orders)
	require.Contains(t, w.gapless("report", "--day", today, "--format", "csv"), "shop,day,")
	require.Contains(t, w.gapless("report", "--day", today, "--format", "html"), "<html")
	w.gapless("report") // yesterday, which had no orders
	r.stop()

	for _, wrong := range []struct {
		code int
		args []string
	}{
		{exitFailed, []string{"--day", "2031-01-01"}}, {exitUsage, []string{"--day", "x"}}, {exitUsage, []string{"--shop", "nobody"}},
		{exitUsage, []string{"--format", "pdf"}}, {exitUsage, []string{"--day", today, "--email"}},
	} {
		code, _, stderr := w.try(append([]string{"report"}, wrong.args...)...)
		require.Equal(t, wrong.code, code, wrong.args)
		require.NotEmpty(t, stderr)
	}
}

func TestARestoredStoreDoublesNothing(t *testing.T) {
	w := newWorld(t, setup{})
	r := w.serve()
	w.eventually(w.subscribed)
	w.trade(10)
	w.eventually(w.inERP)
	backup := filepath.Join(w.dir, "backup.db")
	w.gapless("backup", backup)
	w.trade(10)
	w.eventually(w.inERP)
	code, _, stderr := w.try("restore", backup)
	require.Equal(t, exitFailed, code)
	require.Contains(t, stderr, "stop it first")
	r.stop()

	require.Contains(t, w.gapless("restore", backup), "restored and verified")
	r = w.serve()
	w.trade(5)
	w.eventually(w.inERP)
	for ref, docs := range w.erp.All() {
		require.Len(t, docs, 1, ref)
	}
	r.stop()
}

// inERP says in what the ERP's ledger differs from the shop's, now.
func (w *world) inERP() error { return w.compare(w.expected()) }
