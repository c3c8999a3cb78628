package shopify

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func newBudget(at time.Time) (*budget, *clock) {
	clock := &clock{now: at}
	return &budget{now: clock.Now, wait: clock.Wait, costs: map[string]float64{}}, clock
}

func costing(cost, left float64) *queryCost {
	return &queryCost{Requested: cost, Status: throttleStatus{MaximumAvailable: 1000, CurrentlyAvailable: left, RestoreRate: 100}}
}

func TestNothingIsHeldBackBeforeShopifySpoke(t *testing.T) {
	b, clock := newBudget(time.Unix(0, 0))
	for range 100 {
		_, err := b.take(t.Context(), "x", Backfill)
		require.NoError(t, err)
	}
	require.Empty(t, clock.waited())
}

func TestLowPrioritiesLeaveHeadroom(t *testing.T) {
	for _, c := range []struct {
		p    Priority
		left float64
		wait time.Duration
	}{
		{Refetch, 100, 0},
		{Refetch, 40, 600 * time.Millisecond},
		{Heal, 200, 0},
		{Heal, 100, time.Second},
		{Poll, 300, 0},
		{Poll, 200, time.Second},
		{Reconcile, 450, 0},
		{Reconcile, 350, time.Second},
		{Backfill, 600, 0},
		{Backfill, 100, 5 * time.Second},
	} {
		b, clock := newBudget(time.Unix(0, 0))
		b.settle("x", 0, costing(100, c.left))
		cost, err := b.take(t.Context(), "x", c.p)
		require.NoError(t, err)
		require.Equal(t, 100.0, cost)
		var waited time.Duration
		for _, d := range clock.waited() {
			waited += d
		}
		require.Equal(t, c.wait, waited, "priority %d with %v points left", c.p, c.left)
	}
}

func TestAClockThatIsSetBackHoldsNothingUp(t *testing.T) {
	b, clock := newBudget(time.Unix(10_000, 0))
	b.settle("x", 0, costing(100, 500))
	require.NoError(t, clock.Wait(t.Context(), -9000*time.Second))
	_, err := b.take(t.Context(), "x", Reconcile)
	require.NoError(t, err)
	require.Len(t, clock.waited(), 1, "the jump")
}

func TestQueriesUnderWayAreCounted(t *testing.T) {
	b, _ := newBudget(time.Unix(0, 0))
	b.settle("x", 0, costing(400, 1000))
	for range 2 {
		_, short := b.tryTake("x", Refetch)
		require.Zero(t, short)
	}
	_, short := b.tryTake("x", Refetch)
	require.Equal(t, 2*time.Second, short, "200 left of 1000")
	b.settle("x", 400, nil) // one failed: its points are free again
	_, short = b.tryTake("x", Refetch)
	require.Zero(t, short)
}

func TestADearQueryStillGetsItsTurn(t *testing.T) {
	b, clock := newBudget(time.Unix(0, 0))
	b.settle("x", 0, costing(5000, 900))
	_, err := b.take(t.Context(), "x", Backfill)
	require.NoError(t, err)
	require.Equal(t, []time.Duration{time.Second}, clock.waited(), "with a full bucket")
}

func TestWaitingForTheBudgetEndsWithTheContext(t *testing.T) {
	b, _ := newBudget(time.Unix(0, 0))
	b.settle("x", 0, costing(100, 0))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := b.take(ctx, "x", Poll)
	require.ErrorIs(t, err, context.Canceled)
	b.wait = func(context.Context, time.Duration) error { return context.DeadlineExceeded }
	_, err = b.take(t.Context(), "x", Poll)
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

func TestRefillIsBounded(t *testing.T) {
	require.Equal(t, time.Second, refill(100, 0))
	require.Equal(t, 50*time.Millisecond, refill(1e-9, 100))
	require.Equal(t, time.Minute, refill(1e18, 1e-9))
}

// A shop with a bucket of its own refuses whoever overdraws it. Many callers
// share a client that must not be refused more often than it learns costs.
func TestTheBucketIsNotOverdrawn(t *testing.T) {
	const size, rate, cost = 1000.0, 100.0, 90.0
	clock := &clock{now: time.Unix(1000, 0)}
	var mu sync.Mutex
	left, at, refused := size, clock.Now(), 0
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
		mu.Lock()
		defer mu.Unlock()
		now := clock.Now()
		left, at = min(size, left+rate*now.Sub(at).Seconds()), now
		if left < cost {
			refused++
			say(w, `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],"extensions":{"cost":{"requestedQueryCost":%v,
				"throttleStatus":{"maximumAvailable":%v,"currentlyAvailable":%v,"restoreRate":%v}}}}`, cost, size, left, rate)
			return
		}
		left -= cost
		say(w, `{"data":{"shop":{"name":"Acme"}},"extensions":{"cost":{"requestedQueryCost":%v,
			"throttleStatus":{"maximumAvailable":%v,"currentlyAvailable":%v,"restoreRate":%v}}}}`, cost, size, left, rate)
	}, func(c *ClientConfig) { c.Now, c.Wait = clock.Now, clock.Wait })

	for range 50 {
		_, err := client.Shop(t.Context())
		require.NoError(t, err)
	}
	require.Zero(t, refused, "one after another: the budget knows the bucket exactly")
}

// panicking is a network with a defect.
type panicking struct{}

func (panicking) RoundTrip(*http.Request) (*http.Response, error) { panic("a defect") }

func TestAPanicKeepsNoPointsOfTheBudget(t *testing.T) {
	client, _ := serve(t, func(http.ResponseWriter, asked) {}, func(c *ClientConfig) { c.HTTP = &http.Client{Transport: panicking{}} })
	client.budget.costs[shopDocument.name] = 100
	require.Panics(t, func() { _, _ = client.Shop(t.Context()) })
	require.Zero(t, client.budget.pending)
}
