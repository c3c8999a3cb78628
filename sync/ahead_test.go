package ordersync

import (
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
	a.pass(-ahead)
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
	a.pass(-time.Hour)
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
	a.pass(-ahead)
	a.deliverWebhooksNot()
	k := a.create()
	a.pass(time.Hour)
	require.NoError(t, a.byClock())
	require.Equal(t, []time.Time{a.Now(), a.Now().Add(-24 * time.Hour)}, []time.Time{a.cursor().StartedAt, a.cursor().BeganAt})
	a.settle()
	a.judge()
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
}
