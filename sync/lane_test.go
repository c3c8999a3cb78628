package ordersync

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"gapless/erp/erptest"
	"gapless/store"
)

func TestAsManyCallsAtOnceAsAllowedAndNoMore(t *testing.T) {
	const most, orders = 3, 30
	arrived, release := make(chan struct{}, orders), make(chan struct{})
	a := start(t, setup{clock: fast(1), concurrency: most, erp: erptest.Options{Wait: func(time.Duration) {
		arrived <- struct{}{}
		<-release
	}}})
	for range orders {
		a.shop.Create()
	}
	a.deliverWebhooks()
	for range most { // they all get there while nobody has an answer
		<-arrived
	}
	for range orders - most { // and each answer lets one more go
		release <- struct{}{}
		<-arrived
	}
	close(release)
	a.eventually("at rest", a.atRest)
	require.Equal(t, most, a.adapter.busiest())
	a.judge()
}

func TestTheRateIsKept(t *testing.T) {
	a := build(t, setup{clock: fast(1), concurrency: 2, rate: rate.Every(1000 * time.Hour)})
	stop := a.run()
	for range 10 {
		a.shop.Create()
	}
	a.deliverWebhooks()
	a.eventually("what may go at once has gone", func() string {
		st := a.stats()
		if st.PendingEvents > 0 || st.States[store.StateDelivered] < 2 {
			return fmt.Sprint(st.States)
		}
		return ""
	})
	stop()
	require.Len(t, a.wire.said(), 2)
	require.EqualValues(t, 8, a.stats().States[store.StateDue], "the others wait their turn, a stop included")
}

func TestTheRateCountsAttempts(t *testing.T) {
	a := build(t, setup{clock: fast(1), concurrency: 2, rate: rate.Every(1000 * time.Hour)})
	stop := a.run()
	k := a.create()
	a.deliverWebhooks()
	delivered := func() string {
		if st := a.stats(); st.PendingEvents > 0 || st.States[store.StateDelivered] < 1 || len(a.erp.Live(ref(k.Shop, k.ID))) < 1 {
			return fmt.Sprint(st.States)
		}
		return ""
	}
	a.eventually("it is there", delivered)
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.replay(k)
	a.eventually("a look-up does not wait again for the call behind it", delivered)
	stop()
}

func TestTheRateCountsThePagesOfAList(t *testing.T) {
	a := build(t, setup{concurrency: 2, rate: rate.Every(1000 * time.Hour)}) // two at once
	a.place()
	a.pass(5 * time.Minute)
	listed := func() int { return countCalls(a.wire.said(), "GET orders") }
	require.True(t, a.reconcile(true).Balanced())
	require.Equal(t, 1, listed())
	soon, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := a.engine.Reconcile(soon, "acme", Pass{Kind: store.RunReconcile, From: a.Now().Add(-time.Hour), To: a.Now()})
	require.NoError(t, err)
	require.False(t, r.Complete)
	require.Contains(t, r.Notes[0], "the ERP could not be read whole")
	require.Equal(t, 1, listed(), "the next one waits for longer than it may take")
}

// A claim that waits longer for the rate than its lease is good for is taken back
// without having done anything: with enough of them, nothing would ever be sent.
func TestNoMoreIsClaimedThanTheRateLetsGoWithinTheLease(t *testing.T) {
	for name, c := range map[string]struct {
		limit rate.Limit
		want  []int // claims, while those before still wait
	}{
		"no limit":       {0, []int{13, 13}},
		"ten a second":   {10, []int{13, 13}},
		"one a minute":   {rate.Every(time.Minute), []int{6, 0}},
		"one in an hour": {rate.Every(time.Hour), []int{4, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			e := &Engine{now: time.Now}
			l := newLane(e, ERP{Name: "books", Concurrency: 4, Rate: c.limit, Timeout: 2 * time.Minute})
			require.Equal(t, 540*time.Second, l.lease())
			for _, want := range c.want {
				n, wait := l.paced(l.inHand())
				require.Equal(t, want, n)
				require.Equal(t, n == 0, wait > 0)
				l.unpaced.Add(int64(n))
			}
			l.unpaced.Store(0)
			require.True(t, l.limiter.AllowN(time.Now(), 4))
			n, wait := l.paced(l.inHand())
			if c.limit == rate.Every(time.Hour) {
				require.Zero(t, n)
				require.InDelta(t, (time.Hour - 135*time.Second).Seconds(), wait.Seconds(), 5)
			}
		})
	}
}

func TestAStopLetsCallsUnderWayFinishAndRecordsThem(t *testing.T) {
	a := build(t, setup{clock: fast(1)})
	stop := a.run()
	slow := a.wire.hold()
	k := a.create()
	a.deliverWebhooks()
	<-slow.arrived
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	close(slow.release)
	<-stopped
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
	a.judge()
}

func TestAStopPutsBackWhatHasNotLeft(t *testing.T) {
	a := build(t, setup{clock: fast(1), concurrency: 1})
	stop := a.run()
	slow := a.wire.hold()
	for range 4 {
		a.create()
	}
	a.deliverWebhooks()
	<-slow.arrived
	a.eventually("more claims than slots", func() string {
		if n := a.stats().States[store.StateSending]; n < 4 {
			return fmt.Sprintf("%d in hand", n)
		}
		return ""
	})
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	a.eventually("the others are back", func() string {
		if n := a.stats().States[store.StateDue]; n < 3 {
			return fmt.Sprintf("%d due", n)
		}
		return ""
	})
	close(slow.release)
	<-stopped
	require.Len(t, a.wire.said(), 1)
}

func TestTheNextIntentIsDurableWhileACallIsUnderWay(t *testing.T) {
	a := build(t, setup{clock: fast(1), concurrency: 1})
	stop := a.run()
	slow := a.wire.hold()
	first, second := a.create(), a.create()
	a.deliverWebhooks()
	<-slow.arrived
	a.eventually("both have an intent", func() string {
		if len(a.tries(first)) == 0 || len(a.tries(second)) == 0 {
			return "one has none"
		}
		return ""
	})
	stopped := make(chan struct{})
	go func() { stop(); close(stopped) }()
	a.eventually("one is back", func() string {
		if n := a.stats().States[store.StateDue]; n < 1 {
			return fmt.Sprintf("%d due", n)
		}
		return ""
	})
	close(slow.release)
	<-stopped
	require.Len(t, a.wire.said(), 1)
	for _, k := range []store.OrderKey{first, second} {
		if d := a.delivery(k); d.State == store.StateDue {
			require.Zero(t, d.SentAt, "no call is in doubt")
			require.False(t, d.Verify)
			require.Equal(t, "Gapless was stopped before the call was made", a.tries(k)[0].Outcome.Reason)
		}
	}
}

func TestACallThatGetsNoSlotInTimeIsNotMade(t *testing.T) {
	a := build(t, setup{concurrency: 1, timeout: time.Millisecond})
	k := a.create()
	a.hear()
	lane := a.engine.lanes["books"]
	taken, err := lane.slots.take(t.Context())
	require.NoError(t, err)
	require.Equal(t, 1, a.send())
	require.Empty(t, a.wire.said())
	d := a.delivery(k)
	require.Equal(t, store.StateDue, d.State)
	require.Contains(t, d.Reason, "busy with other calls")
	require.Zero(t, d.SentAt)
	taken()
	lane.Timeout = time.Minute
	a.settleLater(time.Minute)
	require.Equal(t, 1, a.writes(k))
	a.judge()
}

func TestTheLeaseOutlivesEverythingAnAttemptMayDo(t *testing.T) {
	l := build(t, setup{timeout: time.Minute}).engine.lanes["books"]
	require.Greater(t, l.lease(), 2*l.Timeout, "a look-up and a call, before the intent prolongs it")
}

// The simulator found this: the clock was set back just after the lease had run out, by
// which the call seemed to be in time.
func TestACallWhoseLeaseRanOutIsNotMadeThoughTheClockIsSetBack(t *testing.T) {
	a := build(t, setup{concurrency: 1})
	k := a.create()
	a.hear()
	lane := a.engine.lanes["books"]
	release, err := lane.slots.take(t.Context())
	require.NoError(t, err)
	sent := make(chan int)
	go func() { sent <- a.send() }()
	a.eventuallyBegun(k)
	a.pass(lane.lease() + time.Millisecond)
	require.NoError(t, a.engine.takeBack(t.Context()))
	a.leap(-time.Hour)
	release()
	<-sent
	require.Empty(t, a.wire.said())
	a.settleLater(time.Hour)
	require.Equal(t, 1, a.writes(k))
	a.judge()
}

func TestACallTakesAsLongAsTheERPDoes(t *testing.T) {
	a := build(t, setup{concurrency: 1})
	k := a.create()
	a.hear()
	release, err := a.engine.lanes["books"].slots.take(t.Context())
	require.NoError(t, err)
	sent := make(chan int)
	go func() { sent <- a.send() }()
	a.eventuallyBegun(k)
	a.pass(10 * time.Second)
	release()
	<-sent
	require.Zero(t, a.tries(k)[0].Outcome.Duration, "the wait for a slot is not the ERP's")
	a.judge()
}

func TestAPlaceIsNotTakenOnceAStopHasBegun(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for range 100 {
		_, err := make(places, 1).take(ctx)
		require.ErrorIs(t, err, context.Canceled)
	}
}
