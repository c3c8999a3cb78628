package ordersync

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// comparedAhead has all compared while the clock is ten days ahead, and sets it right.
func comparedAhead(t *testing.T) *appliance {
	const ahead = 10 * 24 * time.Hour
	a := build(t, setup{})
	require.NoError(t, a.engine.Recover(t.Context()))
	a.pass(ahead)
	require.Equal(t, store.RunDeep, a.due().Kind)
	require.NoError(t, a.byClock())
	a.leap(-ahead)
	return a
}

func TestAClockThatWasAheadSwitchesNoDeepPassOff(t *testing.T) {
	a := comparedAhead(t)
	require.Equal(t, store.RunDeep, a.due().Kind)
	require.NoError(t, a.byClock())
	a.pass(time.Hour)
	require.Equal(t, store.RunReconcile, a.due().Kind, "it was made by the right clock")

	a.pass(10 * 24 * time.Hour)
	a.tried(store.RunDeep)
	require.Equal(t, store.RunReconcile, a.due().Kind, "it was just tried")
	a.leap(-time.Hour)
	require.Equal(t, store.RunDeep, a.due().Kind, "by a clock that was ahead")
}

func TestHoursThatAClockThatWasAheadCalledComparedAreComparedAgain(t *testing.T) {
	a := comparedAhead(t)
	require.Zero(t, a.cursor().CompleteThrough, "nobody knows what was compared")
	began := a.cursor().BeganAt
	a.pass(3 * 24 * time.Hour)
	a.tried(store.RunDeep)
	pass := a.due()
	require.Equal(t, store.RunReconcile, pass.Kind)
	require.Equal(t, began, pass.From, "as if no comparison had been complete")

	lost := a.create()
	a.deliverWebhooksNot()
	a.pass(36 * time.Hour)
	a.tried(store.RunDeep)
	require.NoError(t, a.byClock())
	require.Equal(t, store.GapMissing, a.gap(lost).Kind)
	require.Equal(t, a.Now().Add(-10*time.Minute), a.cursor().CompleteThrough)
	a.pass(time.Hour)
	require.Equal(t, a.Now().Add(-24*time.Hour), a.due().From)
}

// Else every order that is lost until then would count as somebody else's.
func TestAShopThatAClockAheadBeganWithBeginsAnew(t *testing.T) {
	const ahead = 10 * 24 * time.Hour
	a := build(t, setup{})
	a.pass(ahead)
	require.NoError(t, a.engine.Recover(t.Context()))
	a.leap(-ahead)
	a.deliverWebhooksNot()
	k := a.create()
	a.pass(time.Hour)
	require.NoError(t, a.byClock())
	require.Equal(t, []time.Time{a.Now(), a.Now().Add(-24 * time.Hour)}, []time.Time{a.cursor().StartedAt, a.cursor().BeganAt})
	a.settle()
	a.judge()
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
}

func TestPollsThatAClockAheadBeganGoOnOnceItIsRight(t *testing.T) {
	const ahead = 10 * 24 * time.Hour
	a := build(t, setup{})
	a.pass(ahead)
	a.poll()
	a.leap(-ahead)
	a.deliverWebhooksNot()
	k := a.create()
	a.poll()
	a.pass(time.Minute)
	require.Equal(t, a.Now().Add(2*time.Second), a.poll().To, "the first poll has moved the cursor")
	require.NotZero(t, a.cursor().PollCursor)
	a.settle()
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
}

func TestReportsThatAClockThatWasAheadHasMadeAreMadeAgain(t *testing.T) {
	a, box := reporting(t)
	a.until(2, 9, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	require.True(t, a.kept("2026-11-24").Balanced)
	a.lettersSent()
	a.leap(-36 * time.Hour) // the clock is set right
	require.NoError(t, a.engine.reportsDue(t.Context()))
	_, err := a.store.Report(t.Context(), "acme", "2026-11-24")
	require.ErrorIs(t, err, store.ErrNotFound, "the day has not begun")
	a.pass(6 * time.Hour)
	a.place()
	a.until(2, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	require.EqualValues(t, 1, a.report("2026-11-24").Balance.Shopify.Orders)
	a.lettersSent()
	require.Equal(t, 4, len(box.got), "two too early, and two")
}

func TestADayThatAClockThatWasAheadPostponedIsTriedInTime(t *testing.T) {
	now := time.Now()
	require.True(t, postponed{next: now.Add(time.Minute)}.waits(now))
	require.False(t, postponed{next: now}.waits(now))
	require.False(t, postponed{next: now.Add(25 * time.Hour)}.waits(now))
}

// Else orders that failed meanwhile would wait for days, and nobody would hear of it.
func TestWhatFailedWhileTheClockWasAheadDoesNotWaitForIt(t *testing.T) {
	const ahead = 10 * 24 * time.Hour
	for name, right := range map[string]func(*appliance){
		"set right":                 func(a *appliance) { a.leap(-ahead); require.NoError(t, a.engine.takeBack(t.Context())) },
		"set right while it is off": func(a *appliance) { a.pass(-ahead); a.reconfigure(func(*Config) {}); a.pass(24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{retryMax: time.Minute})
			a.leap(ahead)
			told, unheard := a.create(), a.create()
			a.hear()
			for range 2 {
				a.wire.answer(http.StatusServiceUnavailable)
				a.settle()
			}
			require.NoError(t, a.store.AskAgain(t.Context(), store.Refetch{OrderKey: unheard, Reason: "poll", AskedAt: a.Now(), NextAt: a.Now().Add(time.Minute)}))
			right(a)
			a.pass(time.Minute)
			require.Len(t, a.doubts(), 1)
			a.settleLater(time.Minute)
			require.Equal(t, store.StateDelivered, a.delivery(told).State)
			a.judge()
		})
	}
}
