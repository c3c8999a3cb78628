package main

import (
	"cmp"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
	"gapless/store"
)

// front is a proxy before Gapless, which can answer in its place.
type front struct {
	*httptest.Server
	answers atomic.Int64 // the status of its own answers; 0: it passes all on
	pages   atomic.Int64 // the same for all but streams
	streams atomic.Int64 // that are open
	asked   atomic.Int64 // for streams
}

func newFront(w *world) *front {
	w.Helper()
	behind, err := url.Parse("http://" + w.address)
	require.NoError(w, err)
	transport := &http.Transport{}
	pass := &httputil.ReverseProxy{Transport: transport, FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(behind); r.Out.Host = r.In.Host }}
	f := &front{}
	f.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		status := f.answers.Load()
		if strings.HasSuffix(r.URL.Path, "/stream") {
			f.asked.Add(1)
			f.streams.Add(1)
			defer f.streams.Add(-1)
		} else {
			status = cmp.Or(status, f.pages.Load())
		}
		if status != 0 {
			http.Error(rw, "the server behind is away", int(status))
			return
		}
		pass.ServeHTTP(rw, r)
	}))
	w.Cleanup(func() { f.CloseClientConnections(); f.Close(); transport.CloseIdleConnections() })
	return f
}

// fails cuts all connections and answers with an error from now on.
func (f *front) fails(status int) {
	f.answers.Store(int64(status))
	f.CloseClientConnections()
}

func TestAPageGoesOnAfterItsStreamWasLost(t *testing.T) {
	w := newWorld(t, setup{erp: erptest.Options{}})
	f := newFront(w)
	b := newBrowser(t, f.URL)
	a := w.opened()
	w.trade(20)
	w.eventually(w.atRest)
	gaps := func() int64 {
		n, err := a.Store.LiveGaps(t.Context())
		require.NoError(t, err)
		return n
	}
	w.eventually(func() error { return nought(gaps()) })

	b.as(360, "light")
	b.look("/")
	b.sees(`document.getElementById("live").textContent === "Live"`)
	b.reads("Nothing is missing")
	require.Greater(t, value[float64](b, `document.getElementById("live").getBoundingClientRect().width`), 4.0, "a phone shows it too")
	value[int](b, `window.sameVisit = 1`)

	t.Log("the stream is refused, as by a proxy whose server starts anew, and by a server that is full")
	for i, status := range []int{http.StatusBadGateway, http.StatusServiceUnavailable} {
		f.fails(status)
		b.sees(`document.getElementById("live").textContent === "Reconnecting"`)
		asked := f.asked.Load()
		w.eventually(func() error { return atLeast(f.asked.Load(), asked+2) })
		require.Empty(t, b.faults(), "while it is lost")
		require.True(t, value[bool](b, inBar))
		b.keepShot([]string{"lost-360", "full-360"}[i])
		w.losing(a, 2)
		f.answers.Store(0)
		b.sees(`document.getElementById("live").textContent === "Live"`)
		b.reads([]string{"2 orders are missing in the ERP", "4 orders are missing in the ERP"}[i])
	}

	t.Log("nothing is asked for while nobody looks")
	w.eventually(func() error { return atLeast(f.streams.Load(), 1) })
	value[int](b, hide+`(true)`)
	w.eventually(func() error { return nought(f.streams.Load()) })
	_, err := a.Store.IgnoreGaps(t.Context(), "ann", "paid in cash", liveIDs(t, a.Store)...)
	require.NoError(t, err)
	value[int](b, hide+`(false)`)
	b.reads("No open gaps")
	w.eventually(func() error { return atLeast(f.streams.Load(), 1) })
	require.Equal(t, 1, value[int](b, `window.sameVisit ?? 0`), "the page was not loaded anew")

	t.Log("the stream goes on while the page itself is refused")
	f.pages.Store(http.StatusServiceUnavailable)
	lost := w.losing(a, 1)
	b.sees(`document.getElementById("live").textContent === "Reconnecting"`)
	require.Equal(t, int64(1), f.streams.Load())
	f.pages.Store(0)
	b.sees(`document.getElementById("live").textContent === "Live"`)
	b.reads("1 order is missing in the ERP")

	t.Log("an ERP is asked for its lines, and no answer comes")
	b.look(fmt.Sprintf("/orders/acme/%d", lost[0].ID))
	b.reads("ERP, asked")
	f.pages.Store(http.StatusBadGateway)
	for range 2 {
		b.click(`[data-ask]`)
		b.sees(`!document.getElementById("lines").ariaBusy && document.querySelectorAll("#lines [data-unanswered]").length === 1`)
	}
	b.reads("Try again by “Ask the ERP for its lines now”")
	require.Empty(t, b.faults())
	b.keepShot("unanswered-360")
	f.pages.Store(0)
	b.click(`[data-ask]`)
	b.sees(`!document.querySelector("#lines [data-unanswered]") && document.getElementById("lines").innerText.includes("ERP, asked")`)
	require.Equal(t, " · asking …", value[string](b, `(lines => { lines.ariaBusy = "true"; return JSON.parse(getComputedStyle(lines.querySelector("h2"), "::after").content) })(document.getElementById("lines"))`))
	require.Equal(t, "none", value[string](b, `getComputedStyle(document.querySelector("#lines h2"), "::after").animationName`), "nothing moves for who wants it so")
	require.Empty(t, b.faults(), "while it is asked")
	b.keepShot("asking-360")
}

// inBar says that what is in the bar at the top has room there.
const inBar = `(bar => bar.scrollWidth <= bar.clientWidth)(document.querySelector(".bar"))`

func nought(n int64) error {
	if n != 0 {
		return fmt.Errorf("there are %d", n)
	}
	return nil
}

func atLeast(n, least int64) error {
	if n < least {
		return fmt.Errorf("there are %d of %d", n, least)
	}
	return nil
}

// hide has the page believe that its tab is hidden, or seen: the driver's only tab
// always is.
const hide = `(hidden => { Object.defineProperty(document, "hidden", {configurable: true, value: hidden}); document.dispatchEvent(new Event("visibilitychange")); return 1 })`

func liveIDs(t *testing.T, s *store.Store) (ids []int64) {
	t.Helper()
	gaps, err := s.Gaps(t.Context(), store.GapFilter{State: store.Live, Limit: 50})
	require.NoError(t, err)
	for _, g := range gaps {
		ids = append(ids, g.ID)
	}
	return ids
}

func TestAPageWhoseLogInHasEndedOffersAnother(t *testing.T) {
	const password = "four words in a row"
	w := newWorld(t, setup{erp: erptest.Options{}})
	f := newFront(w)
	b := newBrowser(t, f.URL)
	a := w.opened()
	a.Server.Open = false
	secret, err := a.Store.SetupLink(t.Context())
	require.NoError(t, err)
	b.as(1280, "light")
	b.makeOwner(secret, password)
	b.look("/gaps?state=all")
	b.sees(`document.getElementById("live").textContent === "Live"`)

	value[int](b, `fetch("/logout", {method: "POST"}).then(() => { window.loggedOut = true }); 1`) // as another tab would
	b.sees(`window.loggedOut`)
	f.CloseClientConnections()
	b.sees(`document.querySelector("#live a")?.textContent === "Log in again"`)
	require.Empty(t, b.faults())
	b.as(360, "dark")
	require.Empty(t, b.faults())
	b.keepShot("log-in-again-360")
	require.True(t, value[bool](b, inBar))
	b.click("#live a")
	b.fill("#name", "owner")
	b.fill("#password", password)
	b.enter()
	b.sees(`location.pathname + location.search === "/gaps?state=all"`)
	b.sees(`document.getElementById("live").textContent === "Live"`)

	t.Log("a reason that was typed before the log-in ended is there after the next one")
	w.trade(20)
	w.eventually(w.atRest)
	w.losing(a, 1)
	b.look("/gaps")
	b.click(`tbody tr:nth-child(1) input`)
	b.click(`.bulk [formaction="/ignore"]`)
	b.reads("Why may it stay as it is?")
	b.fill("#reason", "paid in cash")
	value[int](b, `fetch("/logout", {method: "POST"}).then(() => { window.loggedOut = true }); 1`)
	b.sees(`window.loggedOut`)
	b.click(`form[method="post"] .button.main`)
	b.reads("You were logged out, so nothing was done.")
	require.Empty(t, b.faults())
	b.keepShot("login-undone-360")
	b.fill("#name", "owner")
	b.fill("#password", password)
	b.enter()
	b.reads("You had been logged out, so nothing was done. Please do it again.")
	require.Equal(t, "paid in cash", value[string](b, `document.getElementById("reason").value`))
	require.Empty(t, b.faults())
	b.keepShot("ignore-undone-360")
	require.Len(t, liveIDs(t, a.Store), 1)
	b.click(`form[method="post"] .button.main`)
	b.reads("Left as it is: 1 gap.")
	require.Equal(t, 0, value[int](b, `sessionStorage.length`))
	require.Empty(t, liveIDs(t, a.Store))
}
