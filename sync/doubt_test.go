package ordersync

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

func TestABodyThatCannotBeReadIsKeptAndItsOrderFetched(t *testing.T) {
	for name, spoil := range map[string]func([]byte) []byte{
		"truncated":     func(b []byte) []byte { return b[:len(b)*2/3] },
		"not JSON":      func(b []byte) []byte { return append([]byte("<html>"), b...) },
		"invalid UTF-8": func(b []byte) []byte { return append([]byte{0xff, 0xfe}, b...) },
		"nested deeply": func(b []byte) []byte {
			return append(append(bytes.TrimSuffix(b, []byte("}")), `,"deep":`...), strings.Repeat("[", 100_000)+strings.Repeat("]", 100_000)+"}"...)
		},
		"two objects":       func(b []byte) []byte { return append(b, b...) },
		"as large as taken": func(b []byte) []byte { return append(b, bytes.Repeat([]byte("x"), shopify.MaxBody-len(b))...) },
		"an amount in words": func(b []byte) []byte {
			return bytes.Replace(b, []byte(`"current_total_price_set":{`), []byte(`"current_total_price_set":{"shop_money":{"amount":"dear"},"x":{`), 1)[:len(b)]
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			k := a.create()
			body := spoil(bytes.Clone(a.shop.REST(k.ID)))
			a.tell("orders/create", body)
			require.Equal(t, "undecodable", a.last(k).Outcome)
			kept, err := a.store.Event(t.Context(), a.last(k).EventID)
			require.NoError(t, err)
			require.True(t, bytes.Equal(body, kept.Body), "the body is kept as it came")
			require.Equal(t, 1, a.refetch())
			a.deliverWebhooksNot()
			a.send()
			a.judge()
		})
	}
}

func TestABodyThatNamesNoOrderIsKeptAndShown(t *testing.T) {
	a := build(t, setup{})
	a.tell("orders/create", []byte("null"))
	events, err := a.store.Events(t.Context(), store.EventFilter{Topic: "orders/create", Limit: 10})
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Empty(t, a.doubts())
}

func TestAnOrderWhoseWebhookWasTooLargeIsFoundByThePoll(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	require.Equal(t, http.StatusRequestEntityTooLarge, a.post("orders/create", make([]byte, shopify.MaxBody+1), a.Now()))
	a.deliverWebhooksNot()
	a.poll()
	a.refetch()
	a.send()
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
}

func TestAnOrderShopifyDoesNotShowIsNotAskedForAgain(t *testing.T) {
	a := build(t, setup{})
	k := store.OrderKey{Shop: "acme", ID: 12345}
	a.tell("refunds/create", []byte(`{"id": 1, "order_id": 12345}`))
	require.Equal(t, 1, a.refetch())
	require.Equal(t, "not found", a.last(k).Outcome)
	require.Empty(t, a.doubts())
}

func TestAFetchThatFailsIsTriedAgainLater(t *testing.T) {
	a := build(t, setup{})
	k := a.that(shopifytest.DoEdit)
	a.hear()
	a.ask(k)
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusServiceUnavailable}) // the client itself tries four times
	require.Equal(t, 1, a.refetch())
	require.Empty(t, a.doubts(), "it waits")
	a.pass(10 * time.Minute)
	later := a.doubts()
	require.Len(t, later, 1)
	require.Equal(t, 1, later[0].Tries)
	require.Contains(t, later[0].Error, "503")
	a.settle()
	a.judge()
}

func TestADoubtThatComesDuringAFetchIsFetchedAnew(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.ask(k)
	under := a.doubts()[0]
	a.ask(k)
	require.NoError(t, a.engine.Refetch(t.Context(), under))
	require.Len(t, a.doubts(), 1, "the answer may be older than the second doubt")
}

func TestFieldsThatShopifyWithholdsAreNotedAndTheRestIsTaken(t *testing.T) {
	a := build(t, setup{})
	k := a.that(shopifytest.DoEdit)
	a.deliverWebhooksNot()
	known := a.order(k).Version
	a.ask(k)
	a.shop.Break(1, shopifytest.Outage{Deny: "email"})
	require.Equal(t, 1, a.refetch())
	require.NotEqual(t, known, a.order(k).Version, "the answer is used")
	require.Contains(t, a.last(k).Detail, "Shopify withholds")
	require.Contains(t, a.last(k).Detail, "email")
	require.Empty(t, a.doubts())
	event, err := a.store.Event(t.Context(), a.last(k).EventID)
	require.NoError(t, err)
	require.Contains(t, event.Headers, "Shopify withholds")
}

// ask has an order fetched.
func (a *appliance) ask(k store.OrderKey) {
	a.Helper()
	require.NoError(a, a.store.AskAgain(a.Context(), store.Refetch{OrderKey: k, Reason: "test", AskedAt: a.Now(), NextAt: a.Now()}))
}
