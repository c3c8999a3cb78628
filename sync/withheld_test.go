package ordersync

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// customer is whose order it is, as far as is known.
func (a *appliance) customer(k store.OrderKey) int64 {
	a.Helper()
	return a.order(k).CustomerID
}

func TestWhatShopifyWithholdsStaysAsAWebhookToldIt(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	whose := a.customer(k)
	require.NotZero(t, whose)
	a.shop.Withhold("customer")
	a.deliverWebhooksNot()
	a.pass(time.Minute)
	a.change(k, shopifytest.DoEdit)
	before := a.order(k).Version
	require.Equal(t, 1, a.poll().Fetched)
	a.settle()
	require.NotEqual(t, before, a.order(k).Version)
	require.Equal(t, whose, a.customer(k), "the ERP would lose the customer")
	require.Equal(t, a.order(k).Version, a.delivery(k).Held)
}

func TestALateWebhookSuppliesWhatShopifyWithheld(t *testing.T) {
	for name, edited := range map[string]bool{"of the same state": false, "of an older state": true} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			a.shop.Withhold("customer")
			a.deliverWebhooksNot()
			k := a.create()
			body := a.shop.REST(k.ID)
			if edited {
				a.pass(time.Minute)
				a.change(k, shopifytest.DoEdit)
			}
			a.poll()
			a.settle()
			require.Zero(t, a.customer(k))
			a.tell("orders/create", body)
			require.NotZero(t, a.customer(k))
			require.Equal(t, "newer", a.last(k).Outcome)
			known := a.order(k).Version
			a.settle()
			require.Equal(t, known, a.delivery(k).Held)

			a.ask(k) // an answer without the customer takes nothing back
			a.settle()
			require.Equal(t, known, a.order(k).Version)
			require.Equal(t, "same", a.last(k).Outcome)
			a.shop.Withhold()
			a.ask(k)
			a.settle()
			a.judge()
		})
	}
}

// What was filled in from an older state must not stay for good.
func TestALateWebhookCorrectsWhatWasFilledInFromAnOlderState(t *testing.T) {
	for name, heardAtFirst := range map[string]bool{"told in time": true, "told late, in Shopify's order": false} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			a.shop.Withhold("shippingAddress")
			k, old := store.OrderKey{}, []byte(nil)
			if heardAtFirst {
				k = a.place()
				a.deliverWebhooksNot()
			} else {
				a.deliverWebhooksNot()
				k = a.create()
				old = a.shop.REST(k.ID)
			}
			a.pass(time.Minute)
			a.change(k, shopifytest.DoMove)
			a.poll()
			a.settle()
			if !heardAtFirst {
				a.tell("orders/create", old)
			}
			a.settle()
			require.NotEqual(t, a.shipping(k), a.movedTo(k), "no more is known")
			a.tell("orders/updated", a.shop.REST(k.ID))
			a.settle()
			require.Equal(t, a.movedTo(k), a.shipping(k))
			require.Equal(t, a.order(k).Version, a.delivery(k).Held)
			if !heardAtFirst {
				a.tell("orders/create", old)
			}
			a.ask(k)
			a.settle()
			require.Equal(t, a.movedTo(k), a.shipping(k), "neither an older webhook nor an answer without it takes it back")
			a.shop.Withhold()
			a.ask(k)
			a.settle()
			a.judge()
		})
	}
}

// shipping is where an order goes, as far as is known.
func (a *appliance) shipping(k store.OrderKey) *shopify.Address {
	a.Helper()
	o, err := a.store.Order(a.Context(), k)
	require.NoError(a, err)
	var known shopify.Order
	require.NoError(a, json.Unmarshal(o.Content, &known))
	return known.Shipping
}

// movedTo is where it goes in Shopify.
func (a *appliance) movedTo(k store.OrderKey) *shopify.Address {
	a.Helper()
	o, err := shopify.DecodeRESTOrder(a.shop.REST(k.ID))
	require.NoError(a, err)
	return o.Shipping
}

// A poll confirms what a webhook told; without a scope it must come to an end too.
func TestAnOrderWithWithheldFieldsIsConfirmedOnce(t *testing.T) {
	a := build(t, setup{})
	a.shop.Withhold("customer")
	k := a.place()
	require.Equal(t, 1, a.poll().Fetched)
	a.settle()
	require.Zero(t, a.poll().Fetched)
	require.NotZero(t, a.customer(k))
}

func TestAnOrderThatCannotBeFetchedKeepsItsBackoffAndTellsWhy(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	a.poll()
	a.deliverWebhooksNot()
	k := a.create()
	a.pass(time.Minute)
	require.Equal(t, 1, a.poll().Lost)
	for range 5 {
		a.shop.Break(4, shopifytest.Outage{Status: http.StatusServiceUnavailable}) // the client itself tries four times
		require.Equal(t, 1, a.refetch())
		a.pass(time.Minute)
	}
	again := a.poll()
	require.Equal(t, []int{1, 1, 0}, []int{again.Fetched, again.Lost, again.Opened}, "it is known to be lost")
	require.Contains(t, a.gap(k).Detail, "could not be fetched so far")
	require.Contains(t, a.gap(k).Detail, "503")
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusServiceUnavailable})
	a.refetch()
	turn := a.turn(k)
	a.poll()
	require.Equal(t, turn, a.turn(k), "it is not brought forward")
	a.pass(10 * time.Minute)
	a.settle()
	a.judge()
}

// turn is when Shopify is asked next for an order, the only one it is asked for.
func (a *appliance) turn(k store.OrderKey) time.Time {
	a.Helper()
	asked, err := a.store.DueRefetches(a.Context(), k.Shop, a.Now().Add(time.Hour), 2)
	require.NoError(a, err)
	require.Len(a, asked, 1)
	return asked[0].NextAt
}
