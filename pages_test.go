package main

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
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

func TestPagesInARealBrowser(t *testing.T) {
	w := newWorld(t, setup{erp: erptest.Options{}})
	b := newBrowser(t, "http://"+w.address)
	a := w.opened()
	w.trade(60)
	live := func() int {
		n, err := a.Store.LiveGaps(w.Context())
		require.NoError(t, err)
		return int(n)
	}
	w.eventually(func() error {
		if n := live(); n > 0 { // a webhook that was slow under load
			gaps, err := a.Store.Gaps(w.Context(), store.GapFilter{State: store.Live, Limit: 10})
			return fmt.Errorf("%d gaps are live: %+v, %w", n, gaps, err)
		}
		return w.atRest()
	})
	lost := w.losing(a, 5)
	require.Equal(t, 5, live())

	b.as(1280, "light")
	b.look("/")
	b.reads("5 orders are missing in the ERP")
	b.sees(`document.getElementById("live").textContent === "Live"`)
	b.click(`a[href="/gaps?kind=missing"]`)
	b.reads("Missing in the ERP")

	t.Log("one gap, by the keyboard: what a replay would send, then until it is closed")
	b.keys("j")
	b.sees(`document.activeElement.matches("a.row")`)
	b.enter()
	b.reads("What happens next")
	b.click(`form[action="/replay"] .button.main`)
	b.reads("Sends this to the ERP")
	b.sees(`document.querySelector(".code figcaption").innerText.includes("/orders/acme-") && document.querySelector(".code code").textContent.includes('"lines"')`)
	require.Equal(t, 5, live(), "a preview changes nothing")
	assert.Empty(t, b.faults(), "a preview with calls")
	b.click(`form[action="/replay"] .button.main`)
	b.reads("Started: 1 gap.")
	value[int](b, `window.sameVisit = 1`)
	w.eventually(func() error {
		if n := live(); n != 4 {
			d, _ := a.Store.Delivery(t.Context(), lost[0].OrderKey)
			return fmt.Errorf("%d gaps are live: %+v %+v", n, d, a.Engine.Metrics())
		}
		return nil
	})
	b.sees(`document.querySelector(".head .badge").textContent === "Healed"`)
	require.Equal(t, 1, value[int](b, `window.sameVisit ?? 0`), "the page was not loaded anew")
	require.Equal(t, 4, live())

	t.Log("two gaps at once")
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
	require.Equal(t, 2, live())

	t.Log("one is left as it is")
	b.click(`tbody tr:nth-child(1) input`)
	b.click(`.bulk [formaction="/ignore"]`)
	b.reads("Why may it stay as it is?")
	b.click(`#reason`)
	b.keys("paid in cash")
	b.click(`form[method="post"] .button.main`)
	b.reads("Left as it is: 1 gap.")
	b.look("/gaps?state=ignored")
	b.reads("paid in cash (demo)")
	require.Equal(t, 1, live())

	t.Log("an order, found by its name, with all that happened")
	b.look("/reports")
	b.sees(`document.readyState === "complete"`)
	b.keys("go")
	b.sees(`location.pathname === "/orders" && document.readyState === "complete"`)
	b.keys("/")
	b.sees(`document.activeElement.matches("main input[type=search]")`)
	value[string](b, `document.activeElement.value = ""`) // the driver types the key all the same
	t.Log("the keys tell of themselves, and can be switched off")
	b.click("body")
	b.keys("?")
	b.sees(`document.getElementById("keys").matches(":popover-open")`)
	assert.Empty(t, b.faults(), "the keys")
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
	b.keys(lost[0].Name)
	b.enter()
	b.sees(fmt.Sprintf(`location.pathname === "/orders/acme/%d"`, lost[0].ID))
	b.reads("Created in the ERP")
	b.reads("Missing in the ERP: found")
	b.click(`details[id^="call-"] summary`)
	b.sees(`document.querySelector("details[open] pre").textContent.length > 10`)

	t.Log("the report of a day, and its file")
	shop, err := a.Store.Shop(t.Context(), shopName)
	require.NoError(t, err)
	zone, err := time.LoadLocation(shop.Timezone)
	require.NoError(t, err)
	day := time.Now().In(zone).Format(time.DateOnly)
	b.look("/reports")
	b.click(`a[href^="/reports/` + day + `"]`)
	b.reads("No report of this day yet")
	b.click(`form[method="post"] .button.main`)
	b.reads("Documents wrong in the ERP")
	rows := w.csv("/reports/" + day + ".csv")
	require.Greater(t, len(rows), 5)

	t.Log("every page, at both sizes and in both themes, judged by axe")
	b.inAllForms(map[string]string{
		"overview": "/", "gaps": "/gaps?state=all", "gap": "/gaps/1", "replay": "/replay?gap=5&gap=4", "ignore": "/ignore?gap=5", "orders": "/orders",
		"order": fmt.Sprintf("/orders/acme/%d", lost[0].ID), "no-order": "/orders?q=nothing", "events": "/events", "event": "/events/1", "runs": "/runs", "run": "/runs/1",
		"reports": "/reports", "report": "/reports/" + day, "no-report": "/reports/2020-01-01", "health": "/health",
		"settings": "/settings?when=.test&order=%23" + strings.TrimPrefix(lost[0].Name, "#"), "error": "/gaps/999",
	})

	t.Log("the theme that was chosen stays")
	b.as(1280, "light")
	b.look("/")
	b.click("#theme")
	b.look("/gaps")
	require.Equal(t, "rgb(15, 16, 19)", value[string](b, `getComputedStyle(document.body).backgroundColor`))
}

// csv reads a file of a report.
func (w *world) csv(path string) [][]string {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.address+path, nil)
	require.NoError(w, err)
	resp, err := w.http.Do(req)
	require.NoError(w, err)
	defer resp.Body.Close()
	require.Equal(w, http.StatusOK, resp.StatusCode)
	require.Contains(w, resp.Header.Get("Content-Disposition"), "attachment")
	r := csv.NewReader(resp.Body)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	require.NoError(w, err)
	_, err = io.Copy(io.Discard, resp.Body)
	require.NoError(w, err)
	return rows
}
