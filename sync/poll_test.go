package ordersync

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

func (a *appliance) poll() PollResult {
	a.Helper()
	a.pass(2 * time.Second) // so that the newest second is over
	result, err := a.engine.Poll(a.Context(), "acme")
	require.NoError(a, err)
	return result
}

func (a *appliance) cursor() store.Shop {
	a.Helper()
	shop, err := a.store.Shop(a.Context(), "acme")
	require.NoError(a, err)
	return shop
}

func TestAPollFindsWhatNoWebhookTold(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{Faults: shopifytest.Faults{Drop: 1}}})
	for range 30 {
		a.shop.Act()
		a.pass(time.Second)
	}
	a.hear()
	require.Zero(t, a.stats().Orders)
	require.Equal(t, len(a.shop.Orders()), a.poll().Fetched)
	a.settle()
	a.judge()
	require.Zero(t, a.poll().Fetched, "a second poll has nothing to ask for")
}

func TestWindowsOverlapTheLagOfTheSearchIndex(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{IndexLag: time.Minute, Faults: shopifytest.Faults{Drop: 1}}})
	a.shop.Create()
	a.pass(10 * time.Second)
	require.Zero(t, a.poll().Seen, "the search does not know the order yet")
	a.pass(time.Minute)
	require.Equal(t, 1, a.poll().Fetched)
	a.settle()
	a.judge()
}

func TestAChangeOfTheSameSecondWhoseWebhookWasLostIsFoundToo(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.deafen("orders/updated")
	require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag))
	require.Equal(t, a.order(k).UpdatedAt, a.shop.Orders()[0].UpdatedAt, "nothing in the list tells the two apart")
	require.Equal(t, 1, a.poll().Fetched)
	a.settle()
	a.judge()
	require.Zero(t, a.poll().Fetched, "what was fetched after its second is final")
}

func TestAPollThatFailsLeavesTheCursor(t *testing.T) {
	a := build(t, setup{})
	a.poll()
	before := a.cursor().PollCursor
	k := a.create()
	a.deliverWebhooksNot()
	a.pass(time.Minute)
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusBadGateway})
	_, err := a.engine.Poll(t.Context(), "acme")
	require.ErrorContains(t, err, "502")
	require.Equal(t, before, a.cursor().PollCursor)
	require.Contains(t, a.cursor().PollError, "502")
	a.poll()
	require.Greater(t, a.cursor().PollCursor, before)
	require.Empty(t, a.cursor().PollError)
	a.refetch()
	require.NotEmpty(t, a.order(k).Version)
}

func TestTheCursorMovesOnlyWithWhatWasSeen(t *testing.T) {
	a := build(t, setup{})
	a.poll()
	before := a.cursor().PollCursor
	a.create()
	a.deliverWebhooksNot()
	a.pass(time.Second)
	allow := a.refuse("refetches")
	_, err := a.engine.Poll(t.Context(), "acme")
	require.ErrorContains(t, err, "full")
	require.Equal(t, before, a.cursor().PollCursor)
	allow()
	require.Equal(t, 1, a.poll().Fetched)
	a.refetch()
	a.send()
	a.judge()
}

// While our clock is ahead, a poll asks for more than has happened. The cursor
// must not go there, or what happens until then is never asked for.
func TestAPollWithAClockThatIsAheadSkipsNothing(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{Faults: shopifytest.Faults{Drop: 1}}})
	a.poll()
	a.reconfigure(func(c *Config) { c.Now = func() time.Time { return a.Now().Add(time.Hour) } })
	a.poll()
	a.create()
	a.pass(15 * time.Minute) // longer than windows overlap
	a.reconfigure(func(c *Config) { c.Now = a.Now })
	require.Equal(t, 1, a.poll().Fetched)
	a.settle()
	a.judge()
}

// The window ends before a change, but the search finds the order by an earlier
// one, and its head tells of the later.
func TestTheCursorStaysWithinTheWindow(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{IndexLag: 5 * time.Minute, Faults: shopifytest.Faults{Drop: 1}}})
	k := a.create()
	a.poll()
	a.pass(5 * time.Minute)
	lost := a.create()
	a.pass(15 * time.Minute)
	a.shop.Apply(k.ID, shopifytest.DoTag)
	a.reconfigure(func(c *Config) { c.Now = func() time.Time { return a.Now().Add(-18 * time.Minute) } })
	require.Equal(t, 1, a.poll().Seen)
	a.reconfigure(func(c *Config) { c.Now = a.Now })
	a.pass(5 * time.Minute)
	a.poll()
	a.refetch()
	require.NotEmpty(t, a.order(lost).Version)
}

func TestSubscribeCreatesMendsAndRecords(t *testing.T) {
	a := build(t, setup{})
	changes, err := a.store.SubscriptionChanges(t.Context(), 100)
	require.NoError(t, err)
	require.Len(t, changes, len(a.shop.Subscriptions()), "each was created when the appliance was built")
	require.Equal(t, a.Now(), a.cursor().SubscribedAt)

	a.deafen("orders/updated")
	a.pass(time.Hour)
	require.NoError(t, a.engine.Subscribe(t.Context(), "acme"))
	changes, err = a.store.SubscriptionChanges(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, store.SubscriptionChange{At: a.Now(), Shop: "acme", Topic: "orders/updated", Change: "created", Detail: "there was none"}, changes[0])
	require.Equal(t, a.Now(), a.cursor().SubscribedAt)

	a.pass(time.Hour)
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusServiceUnavailable})
	require.Error(t, a.engine.Subscribe(t.Context(), "acme"))
	require.Contains(t, a.cursor().SubscribeError, "503")
	require.Equal(t, a.Now().Add(-time.Hour), a.cursor().SubscribedAt, "when they were last seen whole")
}

// gracious gives webhooks some time before a poll calls a change lost, and lets
// polls overlap by no more than that.
func (a *appliance) gracious(grace, overlap time.Duration) {
	a.Helper()
	a.reconfigure(func(c *Config) {
		c.Shops[0].Poll, c.Shops[0].PollOverlap = PollPace{Active: 10 * time.Second, Idle: 10 * time.Minute, Grace: grace}, overlap
	})
}

func TestAChangeThatIsTooYoungIsLookedForAgainHoweverLittlePollsOverlap(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 0)
	a.poll()
	k := a.create()
	a.deliverWebhooksNot()
	young := a.poll()
	require.Equal(t, []int{1, 0}, []int{young.Young, young.Lost}, "its webhook may still come")
	require.Empty(t, a.gaps(k))
	a.pass(time.Minute)
	require.Equal(t, 1, a.poll().Lost)
	require.Equal(t, []string{store.GapMissing, CauseNeverCame, store.RunPoll}, []string{a.gap(k).Kind, a.gap(k).Cause, a.gap(k).FoundBy})
	a.settle()
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
}

// After a crash, or in a flood, webhooks are stored that intake has not come to yet.
func TestWhatWasHeardButNotDecidedYetIsNotLost(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	a.poll()
	k := a.create()
	a.pass(time.Second)
	a.deliverWebhooks()
	a.pass(time.Minute)
	waiting := a.poll()
	require.Equal(t, []int{1, 0}, []int{waiting.Young, waiting.Lost})
	a.intake()
	require.Zero(t, a.poll().Lost)
	require.Empty(t, a.gaps(k))
}

func TestAPollUnderWayDoesNotTakeBackThatMoreIsToBePolled(t *testing.T) {
	a := build(t, setup{})
	a.poll()
	a.pass(time.Hour)
	a.create()
	a.deliverWebhooksNot()
	before := a.cursor().PollCursor.Add(-24 * time.Hour)
	client := &meddler{ShopClient: a.clients["acme"], listed: func() {
		require.NoError(t, a.store.PollAgainFrom(t.Context(), "acme", before)) // a subscription was found gone
	}}
	a.reconfigure(func(c *Config) { c.Shops[0].Client = client })
	a.poll()
	require.Equal(t, before, a.cursor().PollCursor)
	client.listed = func() {}
	require.Equal(t, before.Add(-10*time.Minute), a.poll().From)
}

// meddler is a shop's client that lets a test act while it lists.
type meddler struct {
	ShopClient
	listed func()
}

// Orders lists, and acts after each page.
func (m *meddler) Orders(ctx context.Context, w shopify.Window, p shopify.Priority, page func([]shopify.OrderHead) error) error {
	return m.ShopClient.Orders(ctx, w, p, func(heads []shopify.OrderHead) error {
		err := page(heads)
		m.listed()
		return err
	})
}
