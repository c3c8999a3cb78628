package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
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
	w.settledIn()
	w.placed(n)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	w.eventually(w.atRest)
}

// settledIn waits for what the start sets going: subscriptions, a poll, a comparison,
// which would find orders on their way.
func (w *world) settledIn() {
	w.Helper()
	w.eventually(w.subscribed)
	w.eventually(w.polledOnce)
	w.eventually(w.comparedOnce)
}

// comparedOnce says that the first comparison, which the start makes, is not yet
// over.
func (w *world) comparedOnce() error {
	var done int
	query(w, &done, `SELECT count(*) FROM runs WHERE kind = 'deep' AND state = 'done'`)
	if done == 0 {
		return os.ErrNotExist
	}
	return nil
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
	require.Regexp(t, `\d+: Missing in the ERP, open, for \d+ s \(gap \d+ of acme\)\n +why:  no message from Shopify told of it: Shopify lists #1007`, said)
	require.Regexp(t, `next: the next comparison brings it into the ERP; a replay does so at once`, said)
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
	require.Regexp(t, `acme +#1007 +missing +closed .* no message from Shopify told of it`, closed)
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

// Nobody fetches the orders: they are accounted for, and that is not enough.
func TestReconcileIsNotBalancedWhileOrdersAreOnTheWayForTooLong(t *testing.T) {
	w, books := pullWorld(t, setup{environ: append([]string{"GAPLESS_SHOPS__ACME__RECONCILE__STUCK=1ms"}, rarely...), shop: shopifytest.Options{Zone: time.FixedZone("", 0)}})
	w.serve()
	w.settledIn()
	w.placed(2)
	w.eventually(func() error {
		var offered int
		if query(w, &offered, `SELECT count(*) FROM deliveries WHERE state = 'unknown'`); offered < 2 {
			return fmt.Errorf("%d orders are on offer", offered)
		}
		return nil
	})
	said, told := w.reconciles(3)
	require.Contains(t, said, "acme: NOT BALANCED\n")
	require.Contains(t, said, "+ 2 pending +")
	require.Contains(t, said, "of those pending, 2 are on the way for too long\n")
	require.Contains(t, oneSentence(t, told), "2 orders on the way for too long, in acme; gapless gaps --kind stuck says why")

	w.eventually(func() error {
		if said := w.gapless("gaps", "--kind", "stuck", "--json"); strings.Count(said, `"stuck"`) < 2 {
			return fmt.Errorf("stuck: %s", said)
		}
		return nil
	})
	for _, id := range []string{"1", "2"} {
		w.gapless("gaps", "ignore", id, "--reason", "the ERP moves house")
	}
	said, _ = w.reconciles(0)
	require.Contains(t, said, "acme: balanced but for 2 gaps that people ignored\n")

	w.pulls(w.puller(books))
	w.eventually(w.atRest)
	said, _ = w.reconciles(0)
	require.Contains(t, said, "acme: balanced\n")
	require.NotContains(t, said, "too long")
}

// With the ERP out of reach, nobody knows: the report says so in its first line.
func TestAReportOfADayThatCannotBeCheckedExitsWithOne(t *testing.T) {
	w := lossy(t, &deaf{})
	w.serve()
	w.brought(1)
	var out, errs bytes.Buffer
	today := time.Now().UTC().Format(time.DateOnly)
	code := w.program(&out, &errs, []string{"GAPLESS_ERPS__BOOKS__URL=http://127.0.0.1:9"}, "report", "--day", today).Run(t.Context())
	require.Equal(t, 1, code)
	require.Contains(t, strings.SplitN(out.String(), "\n", 2)[0], "COULD NOT BE CHECKED: the ERP could not be read whole")
	require.Contains(t, oneSentence(t, errs.String()), "ask for the report again")
}

// Shopify hides old orders without a word.
func TestADayThatShopifyHidesFailsUntilTheAppMayReadIt(t *testing.T) {
	w := lossy(t, &deaf{})
	w.serve()
	w.brought(1)
	old := time.Now().UTC().AddDate(0, 0, -70)
	day, next := old.Format(time.DateOnly), old.AddDate(0, 0, 1).Format(time.DateOnly)
	for _, args := range [][]string{{"report", "--day", day}, {"reconcile", "--from", day, "--to", next}} {
		var out, errs bytes.Buffer
		require.Equal(t, 1, w.program(&out, &errs, nil, args...).Run(t.Context()), args)
		require.NotContains(t, out.String(), "balanced.")
		require.Contains(t, oneSentence(t, errs.String()), "give it the scope read_all_orders and install it again", args)
	}
	w.shop.Grant("read_all_orders")
	require.Contains(t, w.gapless("report", "--day", day), "balanced. No orders in Shopify.")
	require.Contains(t, w.gapless("reconcile", "--from", day, "--to", next), "acme: balanced\n")
}

func TestAGapThatWasIgnoredIsNoReasonToFail(t *testing.T) {
	w := lossy(t, &deaf{})
	w.serve()
	w.brought(2)
	lost := w.shop.Orders()[0]
	require.True(t, w.erp.Delete(fmt.Sprintf("%s-%d", shopName, lost.ID)))
	w.reconciles(3, "--heal=false")
	w.gapless("gaps", "ignore", "1", "--reason", "settled in cash")
	said, _ := w.reconciles(0, "--heal=false")
	require.Contains(t, said, "acme: balanced but for 1 gap that people ignored\n")
	require.Contains(t, said, "1 missing\n")
	require.True(t, w.erp.Delete(fmt.Sprintf("%s-%d", shopName, w.shop.Orders()[1].ID)))
	_, told := w.reconciles(3, "--heal=false")
	require.Equal(t, "gapless: 1 gap found in acme\n", told, "the ignored one does not count")
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
