package ordersync

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// change makes one change to an order, a second after the last.
func (a *appliance) change(k store.OrderKey, what shopifytest.Action) {
	a.Helper()
	a.pass(time.Second)
	require.True(a, a.shop.Apply(k.ID, what), "the shop can't %s order %d now", what, k.ID)
}

// that makes an order to which what can be done, brings it to the ERP, and
// does it.
func (a *appliance) that(what shopifytest.Action) store.OrderKey {
	a.Helper()
	for range 100 {
		k := a.place()
		a.pass(time.Second)
		if a.shop.Apply(k.ID, what) {
			return k
		}
	}
	a.Fatalf("no order that one can %s", what)
	panic("unreachable")
}

// deafen ends subscriptions, so that these webhooks are lost.
func (a *appliance) deafen(topics ...string) {
	for _, s := range a.shop.Subscriptions() {
		for _, t := range topics {
			if s.Topic == t {
				a.shop.Unsubscribe(s.ID)
			}
		}
	}
}

func TestOneChangeOfManyTopicsIsOneCall(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	require.Greater(t, len(a.history(k)), 1, "webhooks of several topics")
	a.send()
	require.Equal(t, 1, a.writes(k))
	a.judge()
}

func TestAnOlderWebhookAfterANewerChangesNothing(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	older := a.shop.REST(k.ID)
	a.change(k, shopifytest.DoTag)
	a.tell("orders/updated", a.shop.REST(k.ID))
	newer := a.order(k)
	a.tell("orders/create", older)
	require.Equal(t, "older", a.last(k).Outcome)
	require.Equal(t, newer, a.order(k))
	require.Empty(t, a.doubts())
}

func TestAnotherContentOfTheSameSecondIsFetchedAndTheFetchedWins(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	first := a.shop.REST(k.ID)
	require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag)) // within the second
	second := a.shop.REST(k.ID)

	a.tell("orders/create", first)
	before := a.order(k)
	a.tell("orders/updated", second)
	require.Equal(t, "tie", a.last(k).Outcome)
	require.Equal(t, before.Version, a.order(k).Version, "which of the two is newer is not known yet")
	require.Equal(t, 1, a.refetch())
	after := a.order(k)
	require.NotEqual(t, before.Version, after.Version)

	a.tell("orders/create", first)
	require.Equal(t, "tie", a.last(k).Outcome)
	require.Equal(t, 1, a.refetch())
	require.Equal(t, after.Version, a.order(k).Version, "what Shopify itself told stays")
	a.settle()
	a.judge()
}

// Shopify was asked, then the order changed within the same second, and the
// webhook of that change overtakes the answer.
func TestAnAnswerThatWasAskedForBeforeAWebhookOfTheSameSecondDoesNotWin(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	asked := a.Now()
	answer, err := a.clients["acme"].Order(t.Context(), k.ID, shopify.Refetch)
	require.NoError(t, err)
	a.pass(time.Millisecond)
	require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag))
	a.tell("orders/updated", a.shop.REST(k.ID))
	newest := a.order(k).Version

	a.pass(time.Millisecond)
	require.NoError(t, a.store.AppendAnswer(t.Context(), &store.Event{
		Shop: "acme", Source: store.SourceRefetch, Topic: topicRefetch, Headers: "{}", TriggeredAt: asked, ReceivedAt: a.Now(), Body: answer,
	}, store.Refetch{OrderKey: k}))
	a.intake()
	require.Equal(t, newest, a.order(k).Version)
	require.Equal(t, "tie", a.last(k).Outcome)
	require.Equal(t, 1, a.refetch())
	a.settle()
	a.judge()
}

func TestWebhooksWithoutTheWholeOrderHaveItFetched(t *testing.T) {
	for topic, action := range map[string]shopifytest.Action{"orders/edited": shopifytest.DoEdit, "refunds/create": shopifytest.DoRefund} {
		t.Run(topic, func(t *testing.T) {
			a := build(t, setup{})
			a.deafen("orders/updated")
			k := a.that(action)
			known := a.order(k).Version
			a.hear()
			require.Equal(t, "incomplete", a.last(k).Outcome)
			require.Equal(t, known, a.order(k).Version)
			require.Equal(t, 1, a.refetch())
			require.NotEqual(t, known, a.order(k).Version)
			a.settle()
			a.judge()
		})
	}
}

func TestALateWebhookIsTakenAndShopifyIsAskedForWhatIsNewerStill(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	late, triggered := a.shop.REST(k.ID), a.Now()
	a.deafen("orders/create", "orders/paid", "orders/updated")
	a.change(k, shopifytest.DoTag) // and its webhook is lost
	a.pass(3 * time.Minute)
	require.Equal(t, http.StatusOK, a.post("orders/create", late, triggered))
	a.intake()
	require.Equal(t, "new", a.last(k).Outcome)
	first := a.order(k).Version
	require.Equal(t, 1, a.refetch())
	require.NotEqual(t, first, a.order(k).Version)
	a.deliverWebhooksNot()
	a.send()
	a.judge()
}

// deliverWebhooksNot drops what the shops still have to say.
func (a *appliance) deliverWebhooksNot() {
	for _, shop := range a.shops {
		for _, s := range shop.Subscriptions() {
			shop.Unsubscribe(s.ID)
		}
	}
}

func TestTwentyUpdatesWhileTheERPIsDownAreOneCall(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.erp.SetFaults(erptest.Mix{erptest.Unavailable: 1})
	for range 20 {
		a.change(k, shopifytest.DoTag)
		a.hear()
		a.send()
	}
	require.Equal(t, store.StateDue, a.delivery(k).State)
	a.erp.SetFaults(nil)
	a.settleLater(10 * time.Hour)
	require.Len(t, a.versions(k), 2, "the order as placed, and as it is now")
	a.judge()
}

func TestUpdatesDuringASlowCallAreOneMoreCall(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	slow := a.wire.hold()
	a.hear()
	sent := make(chan int)
	go func() { sent <- a.send() }()
	<-slow.arrived
	for range 5 {
		a.change(k, shopifytest.DoTag)
		a.hear()
	}
	require.Zero(t, a.send(), "the order is being sent: nothing else may be")
	close(slow.release)
	<-sent
	require.Equal(t, store.StateDue, a.delivery(k).State, "the newer version is still wanted")
	a.settle()
	require.Equal(t, 2, a.writes(k))
	a.judge()
}

func TestADeletedOrderKeepsItsDocument(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.shop.Delete(k.ID))
	a.settle()
	require.Equal(t, a.Now(), a.order(k).DeletedAt)
	require.Contains(t, a.last(k).Detail, "a person must decide")
	require.Len(t, a.erp.Live(ref("acme", k.ID)), 1)
	require.Equal(t, 1, a.writes(k))
}

func TestARemovedAppIsNotedUntilItIsInstalledAgain(t *testing.T) {
	a := build(t, setup{})
	a.shop.Send("app/uninstalled", a.shop.Uninstalled())
	a.hear()
	shop, err := a.store.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, a.Now(), shop.UninstalledAt)
	require.NoError(t, a.engine.Subscribe(t.Context(), "acme"))
	shop, err = a.store.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Zero(t, shop.UninstalledAt)
}

func TestATopicNobodyKnowsIsKeptAndShown(t *testing.T) {
	a := build(t, setup{})
	a.tell("products/update", []byte(`{"id": 7}`))
	events, err := a.store.Events(t.Context(), store.EventFilter{Topic: "products/update", Limit: 10})
	require.NoError(t, err)
	require.Len(t, events, 1)
	kept, err := a.store.Event(t.Context(), events[0].ID)
	require.NoError(t, err)
	require.JSONEq(t, `{"id": 7}`, string(kept.Body))
	require.Empty(t, a.doubts())
}

func TestATopicThatNamesAnOrderHasItFetched(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.tell("fulfillments/create", fmt.Appendf(nil, `{"id": 7, "order_id": %d}`, k.ID))
	require.Equal(t, "incomplete", a.last(k).Outcome)
	require.Equal(t, 1, a.refetch())
	require.NotEmpty(t, a.order(k).Version)
}

func TestWhatAForgottenShopSaysHoldsNobodyUp(t *testing.T) {
	a := build(t, setup{names: []string{"acme", "former"}})
	former := store.OrderKey{Shop: "former", ID: a.shops["former"].Create()}
	mine := a.create()
	a.deliverWebhooks()
	a.reconfigure(func(c *Config) { c.Shops = c.Shops[:1] })
	a.intake()
	require.Equal(t, "shop unknown", a.last(former).Outcome)
	_, err := a.store.Order(t.Context(), former)
	require.ErrorIs(t, err, store.ErrNotFound)
	a.send()
	require.Equal(t, store.StateDelivered, a.delivery(mine).State)
}
