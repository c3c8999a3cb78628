package ordersync

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

func (a *appliance) subscriptionGaps() []store.Gap {
	a.Helper()
	gaps, err := a.store.Gaps(a.Context(), store.GapFilter{Kind: store.GapSubscription, Limit: 100})
	require.NoError(a, err)
	return gaps
}

func TestTheFirstSubscriptionsAreNoGaps(t *testing.T) {
	a := build(t, setup{})
	require.Empty(t, a.subscriptionGaps())
	require.NoError(t, a.engine.Subscribe(t.Context(), "acme"))
	require.Empty(t, a.subscriptionGaps())
}

func TestASubscriptionThatIsGoneIsAGapIsMadeAnewAndAllSinceIsPolled(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 0)
	whole := a.cursor().SubscribedAt
	k := a.place()
	a.poll()
	a.deafen("orders/updated", "orders/create")
	a.pass(time.Hour)
	a.change(k, shopifytest.DoTag)
	a.hear()
	a.pass(time.Hour)
	p := a.poller()
	p.next = a.Now().Add(time.Hour)
	require.NoError(t, a.engine.Subscribe(t.Context(), "acme"))

	gaps := a.subscriptionGaps()
	require.Len(t, gaps, 2)
	for _, g := range gaps {
		require.Equal(t, []any{store.GapClosed, CauseRemoved, whole, a.Now()}, []any{g.State, g.Cause, g.Since, g.FirstSeen})
		require.Contains(t, g.Detail, g.Subject)
	}
	require.Equal(t, whole, a.cursor().PollCursor, "everything since they were last seen is to be polled")
	require.True(t, a.engine.signs["acme"].troubled(a.Now()))
	p.step(t.Context())
	require.Equal(t, []string{store.GapStale, store.GapSubscription}, []string{a.gap(k).Kind, a.gap(k).FoundBy})
	a.settle()
	a.judge()
}

func TestASubscriptionThatSomebodyChangedIsAGapAndAllSinceIsPolled(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 0)
	whole := a.cursor().SubscribedAt
	k := a.place()
	a.poll()
	a.deafen("orders/updated")
	a.shop.Subscribe(shopifytest.Subscription{Topic: "orders/updated", URI: a.door.URL, Filter: "id:1"})
	a.pass(time.Hour)
	a.change(k, shopifytest.DoTag)
	require.NoError(t, a.engine.Subscribe(t.Context(), "acme"))

	gaps := a.subscriptionGaps()
	require.Len(t, gaps, 1)
	require.Equal(t, []any{store.GapClosed, CauseChanged, whole, "orders/updated"}, []any{gaps[0].State, gaps[0].Cause, gaps[0].Since, gaps[0].Subject})
	require.Contains(t, gaps[0].Detail, "it had a filter")
	require.Equal(t, whole, a.cursor().PollCursor)
	a.pass(time.Minute)
	a.poller().step(t.Context())
	require.Equal(t, store.GapStale, a.gap(k).Kind)
	a.settle()
	a.judge()
}

// Gapless may die between making a subscription anew and closing its gap.
func TestASubscriptionGapClosesWhereTheSubscriptionIsThereAgain(t *testing.T) {
	for name, again := range map[string]func(*appliance, int64) error{
		"at the next look": func(a *appliance, _ int64) error { return a.engine.Subscribe(a.Context(), "acme") },
		"at a person's word": func(a *appliance, id int64) error {
			_, err := a.engine.ReplayGaps(a.Context(), []int64{id}, "ann")
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			_, err := a.store.FoundGaps(t.Context(), "schedule", store.Fault{Gap: store.Gap{
				Shop: "acme", ERP: "books", Kind: store.GapSubscription, Subject: "orders/create", About: "then", Cause: CauseRemoved, FoundBy: "schedule"}})
			require.NoError(t, err)
			require.NoError(t, again(a, a.subscriptionGaps()[0].ID))
			require.Equal(t, store.GapClosed, a.subscriptionGaps()[0].State)
		})
	}
}

func TestASubscriptionGapStaysOpenWhileShopifyCannotBeAsked(t *testing.T) {
	a := build(t, setup{})
	_, err := a.store.FoundGaps(t.Context(), "schedule", store.Fault{Gap: store.Gap{
		Shop: "acme", ERP: "books", Kind: store.GapSubscription, Subject: "orders/create", About: "then", Cause: CauseRemoved, FoundBy: "schedule"}})
	require.NoError(t, err)
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusBadGateway})
	_, err = a.engine.ReplayGaps(t.Context(), []int64{a.subscriptionGaps()[0].ID}, "ann")
	require.ErrorContains(t, err, "502")
	require.Equal(t, store.GapHealing, a.subscriptionGaps()[0].State)
}

// halfway is a shop that can't be asked any more once some subscriptions are made.
type halfway struct{ ShopClient }

func (h halfway) Subscribe(ctx context.Context, uri string, topics []string) ([]shopify.SubscriptionChange, error) {
	changes, err := h.ShopClient.Subscribe(ctx, uri, topics)
	return changes, errors.Join(err, errors.New("the connection broke"))
}

func TestWhatWasMadeAnewBeforeAFailureIsAGapToo(t *testing.T) {
	a := build(t, setup{})
	whole := a.cursor().SubscribedAt
	a.poll()
	a.deafen("orders/updated")
	a.pass(time.Hour)
	a.poll()
	a.engine.shops["acme"].Client = halfway{a.clients["acme"]}
	require.ErrorContains(t, a.engine.Subscribe(t.Context(), "acme"), "broke")
	require.Len(t, a.subscriptionGaps(), 1)
	require.Equal(t, store.GapOpen, a.subscriptionGaps()[0].State)
	require.Equal(t, whole, a.cursor().SubscribedAt)
	require.False(t, a.cursor().PollCursor.After(whole))
	a.engine.shops["acme"].Client = a.clients["acme"]
	require.NoError(t, a.engine.Subscribe(t.Context(), "acme"))
	require.Equal(t, store.GapClosed, a.subscriptionGaps()[0].State)
}

func TestSubscriptionsAreLookedAfterEveryHourAndSoonAgainAfterAFailure(t *testing.T) {
	a := build(t, setup{})
	look := &subscriber{Engine: a.engine, shop: "acme"}
	var failed, looked []int // minutes
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusForbidden})
	for minute := range 200 {
		calls := a.shop.Calls()
		switch err := look.step(t.Context()); {
		case err != nil:
			failed = append(failed, minute)
		case a.shop.Calls() > calls:
			looked = append(looked, minute)
		}
		a.pass(time.Minute)
	}
	require.Equal(t, []int{0, 1, 3, 7}, failed)
	require.Equal(t, []int{15, 75, 135, 195}, looked)
}

// The subscriptions of several shops are each their own.
func TestASubscriptionThatIsGoneConcernsItsShopAlone(t *testing.T) {
	a := build(t, setup{names: []string{"acme", "beta"}})
	a.pass(time.Minute)
	a.deafen(shopify.Topics...)
	for _, shop := range []string{"beta", "acme"} {
		require.NoError(t, a.engine.Subscribe(t.Context(), shop))
	}
	gaps := a.subscriptionGaps()
	require.Len(t, gaps, len(shopify.Topics))
	for _, g := range gaps {
		require.Equal(t, "acme", g.Shop)
	}
}
