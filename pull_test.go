package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
	"gapless/store"
	ordersync "gapless/sync"
	"gapless/ui"
)

const pullERP = `
[[erps]]
name = "books"
kind = "pull"
`

// pullWorld is a world whose ERP is behind a firewall.
func pullWorld(t *testing.T, s setup) (w *world, books string) {
	t.Helper()
	s.config = pullERP
	w = newWorld(t, s)
	return w, w.openERP(s)
}

// puller is one with the token that Gapless makes for it.
func (w *world) puller(books string) *puller {
	w.Helper()
	return &puller{feed: "http://" + w.address + "/feed/books", token: w.token("feed"), books: books, desk: &desk{seqs: map[string]int64{}}}
}

func (w *world) token(scope string) string {
	w.Helper()
	secret := w.gapless("token", "add", "--scope", scope, fmt.Sprint("a test's ", scope))
	return secret[:len(secret)-1]
}

// pulls lets pullers run until the function it returns is called.
func (w *world) pulls(pullers ...*puller) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{}, len(pullers))
	for _, p := range pullers {
		go func() { p.run(ctx); ended <- struct{}{} }()
	}
	stop = func() {
		cancel()
		for range pullers {
			<-ended
		}
		pullers = nil
	}
	w.Cleanup(stop)
	return stop
}

// Two pullers at once, each of which dies after fetching, loses acknowledgements,
// says them twice and out of order, while Gapless stops, starts and is killed:
// every order is in the ERP once, at its newest version, and Gapless knows it.
func TestAnERPThatPullsHoldsEveryOrderOnceAtItsNewestVersion(t *testing.T) {
	w, books := pullWorld(t, setup{})
	r := w.start().ready()
	w.eventually(w.subscribed)
	first := w.puller(books)
	second := *first
	first.trouble, second.trouble = troubled(1), troubled(2)
	stop := w.pulls(first, &second)
	w.trade(60)
	r.stop()

	r = w.start().ready()
	w.trade(60)
	r.kill()
	stop() // the ERP is away
	r = w.start().ready()
	w.trade(60)
	stop = w.pulls(first, &second)
	w.trade(20)
	want := w.expected()
	cancelled := 0
	for _, h := range want {
		if h.cancelled {
			cancelled++
		}
	}
	require.NotZero(t, cancelled, "no order was cancelled, so that nothing was tried here")
	w.eventually(w.atRest)
	require.NoError(t, w.compare(want))
	var delivered int
	query(w, &delivered, `SELECT count(*) FROM deliveries WHERE state = 'delivered' AND erp_ref <> '' AND erp_total <> ''`)
	require.Equal(t, len(want), delivered)
	stop()
	r.stop()
}

func TestAnOrderThatTheERPRefusesIsParkedWithItsWordsButNobodysName(t *testing.T) {
	w, books := pullWorld(t, setup{erp: erptest.Options{SKUs: []string{}}})
	r := w.serve()
	w.eventually(w.subscribed)
	id := w.shop.Create()
	require.NoError(t, w.shop.Flush(t.Context()))
	w.pulls(w.puller(books))
	var order ui.Order
	token := w.token("viewer")
	show := func(state string) func() error {
		return func() error {
			order = ui.Order{}
			if status := w.get(fmt.Sprintf("/api/v1/orders/acme/%d", id), token, &order); status != http.StatusOK || order.State != state {
				return fmt.Errorf("%d, %s: %s", status, order.State, order.Reason)
			}
			return nil
		}
	}
	w.eventually(show("parked"))
	require.Contains(t, order.Reason, "the ERP refused the order: unknown article")
	require.Contains(t, order.Field, "lines[0].sku")
	require.NotEmpty(t, order.Hint)
	for _, name := range w.people() {
		if utf8.RuneCountInString(name) > 2 { // shorter ones are not taken out of any text: they would hit everything
			require.NotContains(t, order.Reason, name)
		}
	}

	w.erp.Know()
	w.gapless("replay", "--state", "parked")
	w.eventually(show("delivered"))
	require.NoError(t, w.compare(w.expected()))
	r.stop()
}

// An ERP that does not come is no error: what waits says so in plain words, is a
// gap after a while, and leaves no long history.
func TestOrdersThatAreNotFetchedAreStuckAndWaitQuietly(t *testing.T) {
	w, books := pullWorld(t, setup{environ: []string{"GAPLESS_SHOPS__ACME__RECONCILE__STUCK=1ms"}})
	a := w.opened()
	for range 10 {
		w.shop.Create()
	}
	require.NoError(t, w.shop.Flush(t.Context()))
	waiting := func() error {
		orders, err := a.Store.Orders(t.Context(), store.OrderFilter{State: store.StateUnknown, Limit: 50})
		require.NoError(t, err)
		if len(orders) < 10 {
			return fmt.Errorf("%d orders wait", len(orders))
		}
		for _, o := range orders {
			d, err := a.Store.Delivery(t.Context(), o.OrderKey)
			require.NoError(t, err)
			require.Equal(t, "the order is on offer, and the ERP has not fetched and acknowledged it yet", d.Reason)
			require.Greater(t, time.Until(d.NextAt), 50*time.Minute)
		}
		return nil
	}
	w.eventually(waiting)
	_, err := a.Engine.FindStuck(t.Context(), shopName)
	require.NoError(t, err)
	gaps, err := a.Store.Gaps(t.Context(), store.GapFilter{Kind: store.GapStuck, State: store.Live, Limit: 50})
	require.NoError(t, err)
	require.Len(t, gaps, 10)
	require.Contains(t, gaps[0].Detail, "the ERP has not fetched and acknowledged it yet")
	tries, err := a.Store.Tries(t.Context(), store.TryFilter{Limit: 500})
	require.NoError(t, err)
	require.Len(t, tries, 10, "one attempt an order")

	w.pulls(w.puller(books))
	w.eventually(func() error { return w.compare(w.expected()) })
	w.eventually(w.atRest)
	w.eventually(w.noGaps)
}

// onOffer is a new order, as the puller finds it on offer.
func (w *world) onOffer(p *puller) (id int64, o ui.Offer) {
	w.Helper()
	id = w.shop.Create()
	require.NoError(w, w.shop.Flush(w.Context()))
	var told ui.Offers
	require.NoError(w, p.ask(w.Context(), http.MethodGet, p.feed+"/orders?wait=60", nil, &told))
	require.Len(w, told.Orders, 1)
	return id, told.Orders[0]
}

// The comparison sets what the ERP acknowledged beside Shopify.
func TestTheComparisonGoesByWhatTheERPAcknowledged(t *testing.T) {
	w, books := pullWorld(t, setup{})
	a := w.opened()
	p := w.puller(books)
	id, offer := w.onOffer(p)
	ack, err := p.write(t.Context(), offer)
	require.NoError(t, err)
	ack.Total = "0.07"
	answers, err := p.ack(t.Context(), ack)
	require.NoError(t, err)
	require.True(t, answers[0].OK)
	w.eventually(w.atRest)
	reconcile := func() (kinds []string) {
		_, err = a.Engine.Reconcile(t.Context(), shopName, ordersync.Pass{Kind: store.RunReconcile, From: time.Now().Add(-time.Hour), To: time.Now(), Heal: true, By: "the test"})
		require.NoError(t, err)
		gaps, err := a.Store.Gaps(t.Context(), store.GapFilter{State: store.Live, Shop: shopName, OrderID: id, Limit: 10})
		require.NoError(t, err)
		for _, g := range gaps {
			kinds = append(kinds, g.Kind)
		}
		return kinds
	}
	w.eventually(func() error { // once the change has settled
		if kinds := reconcile(); fmt.Sprint(kinds) != "[mismatch]" {
			return fmt.Errorf("gaps %s", kinds)
		}
		return nil
	})
	o, _ := w.shop.Order(id)
	ack.Total = o.Total // somebody has put it right, and the script says so
	_, err = p.ack(t.Context(), ack)
	require.NoError(t, err)
	w.eventually(w.noGaps)
}

// The puller wrote the order and died: it hears of the cancellation all the same.
func TestADeletedOrderThatIsOnOfferIsTakenBack(t *testing.T) {
	w, books := pullWorld(t, setup{})
	a := w.opened()
	p := w.puller(books)
	id, offer := w.onOffer(p)
	ack, err := p.write(t.Context(), offer) // and dies before it acknowledges
	require.NoError(t, err)
	require.True(t, w.shop.Delete(id))
	require.NoError(t, w.shop.Flush(t.Context()))
	w.eventually(func() error {
		d, err := a.Store.Delivery(t.Context(), store.OrderKey{Shop: shopName, ID: id})
		require.NoError(t, err)
		if d.State != store.StateExcluded {
			return fmt.Errorf("it is %s", d.State)
		}
		return nil
	})
	stop := w.pulls(p)
	w.eventually(func() error {
		if n := len(w.erp.Live(ack.Ref)); n > 0 {
			return fmt.Errorf("%d live documents", n)
		}
		return nil
	})
	stop()
}

// What was mapped before its customer was redacted is on offer no more; the order
// is, without them.
func TestOfARedactedCustomerNothingStaysOnOffer(t *testing.T) {
	w, books := pullWorld(t, setup{})
	w.opened()
	p := w.puller(books)
	id, offer := w.onOffer(p)
	var order struct {
		Email    string
		Customer struct{ ID int64 }
	}
	require.NoError(t, json.Unmarshal(w.shop.REST(id), &order))
	require.NotEmpty(t, order.Email)
	require.Contains(t, string(offer.Order), order.Email)
	w.shop.Subscribe(shopifytest.Subscription{Topic: "customers/redact", URI: "http://" + w.address + "/webhooks/shopify", FromTOML: true})
	w.shop.Send("customers/redact", w.shop.CustomersRedact(order.Customer.ID, id))
	require.NoError(t, w.shop.Flush(t.Context()))
	w.eventually(func() error {
		var again ui.Offers
		require.NoError(t, p.ask(t.Context(), http.MethodGet, p.feed+"/orders?wait=1", nil, &again))
		if len(again.Orders) == 0 || again.Orders[0].Seq == offer.Seq {
			return errors.New("the order was not offered anew")
		}
		require.NotContains(t, string(again.Orders[0].Order), order.Email)
		require.Equal(t, offer.Ref, again.Orders[0].Ref)
		return nil
	})
}
