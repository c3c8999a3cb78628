package ordersync

import (
	"bytes"
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// person makes an order of somebody with an email address, and brings it to the ERP.
func (a *appliance) person() (k store.OrderKey, customer int64, email string) {
	a.Helper()
	k, customer, email = a.stranger()
	a.settle()
	require.Equal(a, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
	return k, customer, email
}

// stranger makes an order of somebody with an email address, of which nobody heard yet.
func (a *appliance) stranger() (k store.OrderKey, customer int64, email string) {
	a.Helper()
	for range 100 {
		k = a.create()
		told, err := shopify.DecodeRESTOrder(a.shop.REST(k.ID))
		if err == nil && told.Customer != nil && told.Customer.Email != "" {
			return k, told.Customer.ID, told.Customer.Email
		}
	}
	a.Fatal("nobody has an email address")
	panic("unreachable")
}

// ordersOf are the orders found by a customer's address.
func (a *appliance) ordersOf(email string) (keys []store.OrderKey) {
	a.Helper()
	views, err := a.store.OrdersOf(a.Context(), email, "", 100)
	require.NoError(a, err)
	for _, v := range views {
		keys = append(keys, v.OrderKey)
	}
	return keys
}

// forgotten requires that nothing in the store tells of a person any more.
func (a *appliance) forgotten(k store.OrderKey, email string) {
	a.Helper()
	require.NotContains(a, string(a.order(k).Content), email)
	require.Equal(a, a.order(k).RedactedAt.IsZero(), false)
	require.Empty(a, a.ordersOf(email))
	for _, try := range a.tries(k) {
		require.NotContains(a, string(try.Outcome.Exchanges), email)
	}
	events, err := a.store.Events(a.Context(), store.EventFilter{Limit: 1000})
	require.NoError(a, err)
	for _, e := range events {
		kept, err := a.store.Event(a.Context(), e.ID)
		require.NoError(a, err)
		require.NotContains(a, string(kept.Body), email, "the body of event %d, %s", e.ID, e.Topic)
	}
	for _, file := range []string{a.path, a.path + "-wal"} {
		raw, err := os.ReadFile(file)
		require.NoError(a, err)
		require.False(a, bytes.Contains(raw, []byte(email)), "%s holds the address", file)
	}
}

func TestARedactedCustomerIsForgottenAndDoesNotComeBack(t *testing.T) {
	a := build(t, setup{})
	k, customer, email := a.person()
	old := a.shop.REST(k.ID)
	require.Contains(t, string(a.order(k).Content), email)
	require.Contains(t, a.ordersOf(email), k)
	a.tell("customers/redact", a.shop.CustomersRedact(customer, k.ID))
	a.forgotten(k, email)

	a.tell("orders/updated", old)
	a.forgotten(k, email)
	a.tell("orders/updated", old[:len(old)*9/10])
	a.forgotten(k, email)
	a.deliverWebhooksNot()
	a.change(k, shopifytest.DoTag)
	a.tell("orders/updated", a.shop.REST(k.ID))
	a.forgotten(k, email)
	a.ask(k)
	a.settle()
	a.forgotten(k, email)
}

func TestWhatComesTogetherWithTheRedactionIsForgottenToo(t *testing.T) {
	a := build(t, setup{})
	k, customer, email := a.person()
	a.deliverWebhooksNot()
	a.change(k, shopifytest.DoTag)
	body := a.shop.REST(k.ID)
	a.post("orders/updated", body, a.Now())
	a.post("customers/redact", a.shop.CustomersRedact(customer, k.ID), a.Now())
	a.post("orders/paid", body, a.Now())
	a.post("orders/updated", body[:len(body)*9/10], a.Now())
	a.intake() // all of them in one batch
	a.forgotten(k, email)
}

func TestAnOrderThatComesAfterItsCustomersRedactionIsTakenWithoutThePerson(t *testing.T) {
	first := build(t, setup{})
	k, customer, email := first.person()
	late := build(t, setup{}) // whose store never heard of the order
	late.tell("customers/redact", first.shop.CustomersRedact(customer, k.ID))
	late.tell("orders/create", first.shop.REST(k.ID))
	late.forgotten(k, email)
	require.Equal(t, customer, late.order(k).CustomerID, "a later request still finds the order")
}

// What names the person and not the order's content was kept before anybody could
// tell whose order it is.
func TestBodiesOfAnOrderNotKnownYetGoOnceItsBuyerIsKnown(t *testing.T) {
	first := build(t, setup{})
	k, customer, email := first.person()
	whole := first.shop.REST(k.ID)

	late := build(t, setup{shop: shopifytest.Options{Seed: 1}})
	late.tell("customers/redact", late.shop.CustomersRedact(customer, k.ID))
	late.tell("orders/updated", whole[:len(whole)*9/10])
	late.tell("orders/create", whole)
	late.forgotten(k, email)
}

// An attempt has the order in hand, and its call is under way, while its buyer
// is forgotten. What it heard is not kept, and what has not left stays.
func TestAnAttemptUnderWayDoesNotBringBackAForgottenPerson(t *testing.T) {
	for name, left := range map[string]bool{"before its call": false, "during its call": true} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			k, customer, email := a.person()
			a.change(k, shopifytest.DoTag)
			a.hear()
			l, sent, slow := a.engine.lanes["books"], make(chan struct{}), a.wire.hold()
			claims, _ := l.take(t.Context())
			require.Len(t, claims, 1)
			attempt := func() { l.attempt(t.Context(), t.Context(), claims[0]); close(sent) }
			if left {
				go attempt()
				<-slow.arrived
			} else {
				defer close(slow.release)
			}
			a.pass(time.Second)
			a.tell("customers/redact", a.shop.CustomersRedact(customer, k.ID))
			if left {
				close(slow.release)
			} else {
				a.wire.answer(http.StatusUnprocessableEntity) // in place of the one that waits
				attempt()
				require.Equal(t, 1, a.writes(k), "it was not sent")
				a.wire.take(http.MethodPut)
			}
			<-sent
			a.forgotten(k, email)
			a.settleLater(time.Minute)
			require.Equal(t, store.StateDelivered, a.delivery(k).State)
			a.forgotten(k, email)
		})
	}
}

// An order comes without its buyer, who was forgotten already, and is sent; its next
// version tells whose it is. What the ERP was told is forgotten, and what an attempt
// has in hand is not sent any more.
func TestABuyerWhoIsLearntLateIsForgottenByAttemptsToo(t *testing.T) {
	for name, sent := range map[string]bool{"before the call": false, "after it": true} {
		t.Run(name, func(t *testing.T) {
			first := build(t, setup{})
			k, customer, email := first.person()
			a := build(t, setup{}) // whose store never heard of the order
			a.tell("customers/redact", first.shop.CustomersRedact(customer, 1))
			a.tell("orders/create", withoutBuyer(t, first.shop.REST(k.ID)))
			l := a.engine.lanes["books"]
			claims, _ := l.take(t.Context())
			require.Len(t, claims, 1)
			attempt := func() { l.attempt(t.Context(), t.Context(), claims[0]) }
			if sent {
				attempt()
				require.Contains(t, string(a.tries(k)[0].Outcome.Exchanges), email)
			}
			first.change(k, shopifytest.DoTag)
			a.pass(time.Second)
			a.tell("orders/updated", first.shop.REST(k.ID))
			if !sent {
				attempt()
				require.Zero(t, a.writes(k), "the person was sent")
			}
			a.forgotten(k, email)
			a.pass(time.Second)
			a.send()
			require.Equal(t, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
			tries := a.tries(k)
			require.NotNil(t, tries[len(tries)-1].Outcome.Exchanges, "what names nobody is kept")
			a.forgotten(k, email)
		})
	}
}

// Shopify told an order without its buyer, as an app may not read customers; a late
// webhook tells who it is, and that is somebody who was forgotten.
func TestABuyerWhomOnlyALateWebhookNamesIsForgotten(t *testing.T) {
	for name, c := range map[string]struct{ edited, together bool }{
		"of the same state": {}, "of an older state": {edited: true}, "in one batch": {edited: true, together: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			a.shop.Withhold("customer")
			a.deliverWebhooksNot()
			k, customer, email := a.stranger()
			body := a.shop.REST(k.ID)
			a.tell("customers/redact", a.shop.CustomersRedact(customer, 1))
			if c.edited {
				a.pass(time.Minute)
				a.change(k, shopifytest.DoEdit)
			}
			a.poll()
			if c.together {
				require.NoError(t, a.engine.Refetch(t.Context(), a.doubts()[0]))
			} else {
				a.settle()
				require.Contains(t, string(a.order(k).Content), email)
			}
			a.tell("orders/create", body)
			a.forgotten(k, email)
			require.Equal(t, customer, a.customer(k), "a later request finds the order")
			a.ask(k)
			a.settle()
			require.Equal(t, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
			a.forgotten(k, email)
		})
	}
}

// withoutBuyer is an order that does not tell who its customer is.
func withoutBuyer(t *testing.T, body []byte) []byte {
	var o map[string]json.RawMessage // ids of 18 digits stay whole
	require.NoError(t, json.Unmarshal(body, &o))
	o["customer"] = json.RawMessage("null")
	body, err := json.Marshal(o)
	require.NoError(t, err)
	return body
}

// The order no longer names the customer whom an older body, in the same batch
// as the redaction, still does.
func TestABodyBehindTheRedactionIsJudgedByIt(t *testing.T) {
	a := build(t, setup{})
	a.tell("orders/create", rest(7, "1.00", "1.00"))
	k := store.OrderKey{Shop: "acme", ID: 7}
	older := bytes.ReplaceAll(rest(7, "1.00", "1.00"), []byte(`"2026-11-23T09:00:00Z"`), []byte(`"2026-11-22T09:00:00Z"`))
	older = append(bytes.TrimSuffix(older, []byte("}")), `,"customer":{"id":5,"email":"ada@example.com"}}`...)
	a.post("customers/redact", a.shop.CustomersRedact(5, 1), a.Now())
	a.post("orders/updated", older, a.Now())
	a.intake()
	require.Equal(t, "older", a.last(k).Outcome)
	event, err := a.store.Event(t.Context(), a.last(k).EventID)
	require.NoError(t, err)
	require.Empty(t, event.Body)
}

func TestARedactedShopIsForgotten(t *testing.T) {
	a := build(t, setup{})
	k, _, email := a.person()
	body := a.shop.REST(k.ID)
	a.tell("orders/updated", []byte("<html>"+email)) // about no order that one can tell
	a.tell("shop/redact", a.shop.ShopRedact())
	a.forgotten(k, email)
	a.tell("orders/updated", body)
	a.forgotten(k, email)
	a.tell("orders/updated", []byte("<html>"+email))
	a.forgotten(k, email)
}

func TestADataRequestDoesNotOutliveItsCustomersRedaction(t *testing.T) {
	a := build(t, setup{})
	k, customer, email := a.person()
	other, another, kept := a.person()
	a.tell("customers/data_request", a.shop.CustomersDataRequest(customer, k.ID))
	a.tell("customers/update", a.shop.CustomersDataRequest(customer, k.ID)) // a topic nobody asked for
	a.tell("customers/data_request", a.shop.CustomersDataRequest(another, other.ID))
	a.tell("customers/redact", a.shop.CustomersRedact(customer, k.ID))
	a.forgotten(k, email)
	a.tell("customers/data_request", a.shop.CustomersDataRequest(customer, k.ID))
	a.forgotten(k, email)
	require.NoError(t, a.store.Purge(t.Context()))

	events, err := a.store.Events(t.Context(), store.EventFilter{Topic: "customers/data_request", Limit: 10})
	require.NoError(t, err)
	var bodies int
	for _, e := range events {
		told, err := a.store.Event(t.Context(), e.ID)
		require.NoError(t, err)
		if bytes.Contains(told.Body, []byte(kept)) {
			bodies++
		}
	}
	require.Equal(t, 1, bodies, "the other customer's is kept")
}

func TestADataRequestIsKeptForAPersonToAnswer(t *testing.T) {
	a := build(t, setup{})
	k, customer, _ := a.person()
	a.tell("customers/data_request", a.shop.CustomersDataRequest(customer, k.ID))
	events, err := a.store.Events(t.Context(), store.EventFilter{Topic: "customers/data_request", Limit: 10})
	require.NoError(t, err)
	require.Len(t, events, 1)
	kept, err := a.store.Event(t.Context(), events[0].ID)
	require.NoError(t, err)
	require.NotEmpty(t, kept.Body)
	a.pass(time.Minute)
	require.NotEmpty(t, a.order(k).Content)
	require.Zero(t, a.order(k).RedactedAt)
}
