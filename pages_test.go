package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
	"gapless/store"
	ordersync "gapless/sync"
)

// opened runs an appliance in this process whose pages need no log-in.
func (w *world) opened() *Appliance {
	w.Helper()
	text, err := os.ReadFile(w.config)
	require.NoError(w, err)
	text = []byte(strings.Replace(string(text), `overlap = "1m" }`, `overlap = "1m" }`+"\n"+`reconcile = { every = "1h", settle = "10ms", stuck = "1h" }`, 1))
	require.NoError(w, os.WriteFile(w.config, text, 0o600))
	config, err := (&Program{Environ: w.environ}).config(w.config)
	require.NoError(w, err)
	a, err := openAppliance(w.Context(), config, false, slog.New(slog.DiscardHandler))
	require.NoError(w, err)
	a.Server.Open = true
	listener, err := net.Listen("tcp", w.address)
	require.NoError(w, err)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, listener) }()
	w.Cleanup(func() {
		stop()
		require.NoError(w, <-done)
		require.NoError(w, a.Close())
	})
	w.eventually(w.subscribed)
	w.eventually(func() error { // what it compares at its start is not what the test is about
		_, err := a.Store.LastRun(w.Context(), shopName, store.RunDeep)
		return err
	})
	return a
}

// losing deletes documents of n orders in the ERP, and has the loss found but
// not mended.
func (w *world) losing(a *Appliance, n int) (lost []store.OrderView) {
	w.Helper()
	orders, err := a.Store.Orders(w.Context(), store.OrderFilter{State: store.StateDelivered, Limit: 200})
	require.NoError(w, err)
	for _, o := range orders {
		ref := fmt.Sprintf("%s-%d", o.Shop, o.ID)
		if len(lost) < n && o.CancelledAt.IsZero() && len(w.erp.Live(ref)) == 1 {
			require.True(w, w.erp.Delete(ref))
			lost = append(lost, o)
		}
	}
	require.Len(w, lost, n)
	_, err = a.Engine.Reconcile(w.Context(), shopName, ordersync.Pass{Kind: store.RunReconcile, From: time.Now().Add(-time.Hour), To: time.Now(), By: "the test"})
	require.NoError(w, err)
	return lost
}

// A merchant's walk through the pages, on each kind of screen.
func TestPagesInARealBrowser(t *testing.T) {
	w := newWorld(t, setup{erp: erptest.Options{}})
	b := newBrowser(t, "http://"+w.address)
	a := w.opened()
	w.tradesUntilWhole(a, 60)
	day := w.today(a)
	var lost []store.OrderView
	for _, f := range forms {
		lost = w.walks(a, b, f, "demo")
		_, err := a.Engine.ReplayGaps(t.Context(), liveIDs(t, a.Store), "the test")
		require.NoError(t, err)
		w.eventually(func() error { return nought(int64(liveGaps(t, a))) })
	}
	b.as(1280, "light")
	b.workedByKeys(lost[0])

	t.Log("every page, in all forms, judged by axe")
	lost = w.losing(a, 2)
	live := liveIDs(t, a.Store)
	calls, err := a.Store.Tries(t.Context(), store.TryFilter{Order: lost[0].OrderKey, Limit: 1})
	require.NoError(t, err)
	require.Len(t, calls, 1)
	b.inAllForms(map[string]string{
		"overview": "/", "gaps": "/gaps?state=all", "gap": fmt.Sprintf("/gaps/%d", live[0]), "healed-gap": "/gaps/1", "replay": fmt.Sprintf("/replay?gap=%d&gap=%d", live[0], live[1]),
		"ignore": fmt.Sprintf("/ignore?gap=%d", live[0]), "orders": "/orders",
		"order": fmt.Sprintf("/orders/acme/%d", lost[0].ID), "no-order": "/orders?q=nothing", "call": fmt.Sprintf("/calls/%d", calls[0].ID), "events": "/events", "event": "/events/1", "runs": "/runs", "run": "/runs/1",
		"reports": "/reports", "report": "/reports/" + day, "no-report": "/reports/2020-01-01", "health": "/health",
		"settings": "/settings?when=.test&order=%23" + strings.TrimPrefix(lost[0].Name, "#"), "error": "/gaps/999",
	})

	t.Log("without scripts a page says of when it is")
	for _, f := range forms {
		b.as(f.width, f.theme)
		b.withScripts(false)
		b.look("/")
		b.reads("As of ")
		assert.Empty(t, value[string](b, tooWide), f)
		b.keepShot(fmt.Sprintf("without-scripts-%s", f))
		b.withScripts(true)
	}

	t.Log("the open tab is seen on a phone")
	b.as(360, "light")
	b.look("/gaps?state=all")
	b.sees(`document.readyState === "complete" && document.querySelector(".tabs [aria-current]").getBoundingClientRect().right <= innerWidth`)

	t.Log("the theme that was chosen stays")
	b.as(1280, "light")
	b.look("/")
	b.click("#theme")
	b.look("/gaps")
	require.Equal(t, "rgb(15, 16, 19)", value[string](b, `getComputedStyle(document.body).backgroundColor`))
}

// tradesUntilWhole lets the shop live for n acts, until no order is on its way and
// no gap is live.
func (w *world) tradesUntilWhole(a *Appliance, n int) {
	w.Helper()
	w.trade(n)
	w.eventually(func() error {
		if n := liveGaps(w, a); n > 0 { // a webhook that was slow under load
			gaps, err := a.Store.Gaps(w.Context(), store.GapFilter{State: store.Live, Limit: 10})
			return fmt.Errorf("%d gaps are live: %+v, %w", n, gaps, err)
		}
		return w.atRest()
	})
}

// walks is the merchant's walk on one screen: orders are lost, gaps are seen to,
// and the day's report is read.
func (w *world) walks(a *Appliance, b *browser, f form, who string) (lost []store.OrderView) {
	w.Helper()
	w.Logf("%s, on a screen of %s", who, f)
	b.as(f.width, f.theme)
	lost = w.losing(a, 5)
	w.mendsGaps(a, b, "paid in cash, "+f.String(), who)
	w.findsAnOrder(b, lost[0])
	w.readsAReport(b, w.today(a), lost[0])
	return lost
}

func liveGaps(t testing.TB, a *Appliance) int {
	t.Helper()
	n, err := a.Store.LiveGaps(t.Context())
	require.NoError(t, err)
	return int(n)
}

// today is the present day of the shop.
func (w *world) today(a *Appliance) string {
	w.Helper()
	zone, err := a.Engine.Zone(w.Context(), shopName)
	require.NoError(w, err)
	return time.Now().In(zone).Format(time.DateOnly)
}

// mendsGaps sees to five missing orders: one alone, two at once, one is left as
// it is for a reason, and one stays.
func (w *world) mendsGaps(a *Appliance, b *browser, reason, who string) {
	w.Helper()
	require.Equal(w, 5, liveGaps(w, a))
	b.look("/")
	b.reads("5 orders are missing in the ERP")
	b.sees(`document.getElementById("live").textContent === "Live"`)
	b.click(`a[href="/gaps?kind=missing"]`)
	b.sees(`location.pathname === "/gaps" && document.readyState === "complete"`)
	b.reads("Missing in the ERP")

	w.Log("one gap, by the keyboard: what a replay would send, then until it is closed")
	b.keys("j")
	b.sees(`document.activeElement.matches("a.row")`)
	b.enter()
	b.reads("What happens next")
	b.click(`form[action="/replay"] .button.main`)
	b.reads("Sends this to the ERP")
	b.sees(`document.querySelector(".code figcaption").innerText.includes("/orders/acme-") && document.querySelector(".code code").textContent.includes('"lines"')`)
	require.Equal(w, 5, liveGaps(w, a), "a preview changes nothing")
	assert.Empty(w, b.faults(), "a preview with calls")
	b.click(`form[action="/replay"] .button.main`)
	b.reads("Started: 1 gap.")
	value[int](b, `window.sameVisit = 1`)
	b.sees(`document.querySelector(".head .badge").textContent === "Healed"`)
	require.Equal(w, 1, value[int](b, `window.sameVisit ?? 0`), "the page was not loaded anew")
	require.Equal(w, 4, liveGaps(w, a))

	w.Log("two gaps at once")
	b.look("/gaps")
	b.click(`[data-all]`)
	b.sees(`document.querySelector("[data-picked]").textContent === "4 selected"`)
	b.click(`[data-all]`)
	b.sees(`document.querySelector("[data-needs]").disabled`)
	b.click(`tbody tr:nth-child(1) input`)
	b.click(`tbody tr:nth-child(2) input`)
	b.click(`.bulk .button.main`)
	b.reads("Replay 2 gaps")
	b.click(`form[method="post"] .button.main`)
	b.reads("Started: 2 gaps.")
	b.sees(`document.querySelectorAll("tbody tr").length === 2`)
	require.Equal(w, 2, liveGaps(w, a))

	w.Log("one is left as it is")
	b.click(`tbody tr:nth-child(1) input`)
	b.click(`.bulk [formaction="/ignore"]`)
	b.reads("Why may it stay as it is?")
	b.fill("#reason", reason)
	b.click(`form[method="post"] .button.main`)
	b.reads("Left as it is: 1 gap.")
	b.look("/gaps?state=ignored")
	b.reads(reason + " (" + who + ")")
	require.Equal(w, 1, liveGaps(w, a))
}

// findsAnOrder looks a lost order up by its name, with all that happened.
func (w *world) findsAnOrder(b *browser, lost store.OrderView) {
	w.Helper()
	b.look("/orders")
	b.fill("main input[type=search]", lost.Name)
	b.enter()
	b.sees(fmt.Sprintf(`location.pathname === "/orders/acme/%d"`, lost.ID))
	b.reads("Created in the ERP")
	b.reads("Missing in the ERP: found")
	b.click(`details[id^="call-"] summary`)
	b.sees(`document.querySelector("details[open] pre").textContent.length > 10`)
}

// readsAReport opens a day in the calendar, has it compared where it has no
// report yet, and takes the file for the spreadsheet along.
func (w *world) readsAReport(b *browser, day string, lost store.OrderView) {
	w.Helper()
	b.look("/reports")
	b.click(`a[href^="/reports/` + day + `"]`)
	b.reads("Report")
	if value[bool](b, `document.body.innerText.includes("No report of this day yet")`) {
		b.click(`form[method="post"] .button.main`)
	}
	b.reads("Documents wrong in the ERP")
	name, file := b.downloads(`a[href^="/reports/` + day + `.csv"]`)
	require.Equal(w, "gapless-acme-"+day+".csv", name)
	rows, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	require.NoError(w, err)
	require.Equal(w, []string{"shop", "day", "timezone", "section", "item", "order"}, rows[0][:6])
	told := map[string]string{} // the count, by section, item and order
	for _, row := range rows[1:] {
		require.Equal(w, []string{shopName, day}, row[:2])
		told[strings.Join(row[3:6], " ")] += row[7]
	}
	require.Equal(w, fmt.Sprint(len(w.shop.Orders())), told["balance shopify "])
	require.Contains(w, told, "gap missing "+lost.Name)
}

// workedByKeys goes about by keys, which tell of themselves and can be switched
// off.
func (b *browser) workedByKeys(known store.OrderView) {
	b.Helper()
	b.look("/reports")
	b.sees(`document.readyState === "complete"`)
	b.keys("go")
	b.sees(`location.pathname === "/orders" && document.readyState === "complete"`)
	b.keys("/")
	b.sees(`document.activeElement.matches("main input[type=search]")`)
	value[string](b, `document.activeElement.value = ""`) // the driver types the key all the same
	b.click("body")
	b.keys("?")
	b.sees(`document.getElementById("keys").matches(":popover-open")`)
	assert.Empty(b, b.faults(), "the keys")
	b.click("#keys-on")
	b.look("/reports")
	b.sees(`document.readyState === "complete" && document.documentElement.dataset.keys === "off"`)
	b.keys("go?/")
	b.sees(`location.pathname === "/reports" && document.activeElement === document.body && !document.querySelector("#keys:popover-open")`)
	b.click(`[popovertarget="keys"]`)
	b.click("#keys-on")
	b.look("/orders")
	b.sees(`document.readyState === "complete" && document.documentElement.dataset.keys === "on"`)
	b.keys("/")
	value[string](b, `document.activeElement.value = ""`)
	b.keys(known.Name)
	b.enter()
	b.sees(fmt.Sprintf(`location.pathname === "/orders/acme/%d"`, known.ID))
}
