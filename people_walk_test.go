package main

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
)

// The one-time link, the first admin, and all that only they may see, until they
// log out and in again.
func TestTheFirstAdminInARealBrowser(t *testing.T) {
	for _, f := range []form{{1280, "light"}, {360, "dark"}} {
		t.Run(f.String(), func(t *testing.T) { firstAdmin(t, f) })
	}
}

func firstAdmin(t *testing.T, f form) {
	const password = "four words in a row"
	w := newWorld(t, setup{erp: erptest.Options{}})
	b := newBrowser(t, "http://"+w.address)
	a := w.opened()
	a.Server.Open = false
	w.trade(5)
	w.eventually(w.atRest)
	secret, err := a.Store.SetupLink(t.Context())
	require.NoError(t, err)
	b.inAllForms(map[string]string{"setup": "/setup/" + secret})
	b.as(f.width, f.theme)

	b.makeOwner(secret, password)
	b.reads("Nothing is missing")
	b.reads("Log out")
	b.look("/setup/" + secret)
	require.NotContains(t, value[string](b, `document.body.innerText`), "make the first admin", "the link works once")

	t.Log("somebody is added, and a token made")
	b.look("/settings/people")
	b.fill("#name", "kim@example.com")
	b.click(`form[action="/settings/people"] .button.main`)
	b.reads("Give this link to kim@example.com")
	b.look("/settings/tokens")
	b.fill("#name", "nightly export")
	b.click(`form[action="/settings/tokens"] .button.main`)
	b.reads("It is shown this once")
	require.Regexp(t, `^gapless_`, value[string](b, `document.querySelector("code.once").innerText`))

	t.Log("a condition is tried on an order")
	orders := w.shop.Orders()
	b.look("/settings")
	b.fill("#order", orders[0].Name)
	b.fill("#when", ".name == \""+orders[0].Name+"\"")
	b.click("#try .button")
	b.reads("is true of it")

	b.inAllForms(map[string]string{
		"account": "/settings/account", "code": "/settings/account/code", "people": "/settings/people", "tokens": "/settings/tokens", "audit": "/settings/audit",
	})

	t.Log("out, and in again")
	b.as(f.width, f.theme)
	b.look("/settings/audit")
	b.reads("nightly export")
	b.logsOut()
	b.look("/orders")
	b.logsIn("owner", password)
	b.sees(`location.pathname === "/orders"`)
	b.reads(orders[0].Name)
}

// The merchant's walk where people must log in: by the form, as somebody who may
// act, and out again.
func TestAnOperatorsWalkInARealBrowser(t *testing.T) {
	const name, password = "kim@example.com", "four words in a row"
	w := newWorld(t, setup{erp: erptest.Options{}})
	b := newBrowser(t, "http://"+w.address)
	a := w.opened()
	a.Server.Open = false
	w.tradesUntilWhole(a, 40)
	secret, err := a.Store.AddUser(t.Context(), name, "operator", "the test")
	require.NoError(t, err)
	b.look("/setup/" + secret)
	b.fill("#password", password)
	b.fill("#again", password)
	b.enter()
	b.reads(name)
	b.logsOut()

	t.Log("who is not logged in comes back to where they wanted to go")
	b.look("/gaps?kind=missing")
	b.logsIn(name, password)
	b.sees(`location.pathname + location.search === "/gaps?kind=missing"`)
	w.walks(a, b, forms[0], name)

	b.logsOut()
	order := w.shop.Orders()[0]
	for _, path := range []string{"/", "/gaps", fmt.Sprintf("/orders/acme/%d", order.ID), "/reports/" + w.today(a) + ".csv"} {
		b.look(path)
		b.sees(`location.pathname === "/login" && document.readyState === "complete"`)
		require.NotContains(t, value[string](b, `document.body.innerText`), order.Name)
	}
}

// logsIn fills in the form that the page shows.
func (b *browser) logsIn(name, password string) {
	b.Helper()
	b.sees(`location.pathname === "/login" && document.readyState === "complete"`)
	b.fill("#name", name)
	b.fill("#password", password)
	b.enter()
	b.sees(`location.pathname !== "/login" && document.readyState === "complete"`)
}

func (b *browser) logsOut() {
	b.Helper()
	b.click(`form[action="/logout"] button`)
	b.sees(`location.pathname === "/login"`)
}
