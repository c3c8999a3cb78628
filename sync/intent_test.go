package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

func TestWithoutADurableIntentThereIsNoCall(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	allow := a.refuse("attempts")
	require.Equal(t, 1, a.send())
	require.Empty(t, a.wire.said())
	require.Equal(t, store.StateDue, a.delivery(k).State)
	require.Contains(t, a.delivery(k).Reason, "the intent could not be stored")
	allow()
	a.settleLater(time.Second)
	require.Equal(t, 1, a.writes(k))
	a.judge()
}

func TestWithoutADurableIntentThereIsNoLookUpEither(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.wire.ghost()
	a.hear()
	a.send()
	before := len(a.wire.said())
	defer a.refuse("attempts")()
	a.pass(time.Minute)
	a.send()
	require.Len(t, a.wire.said(), before)
	require.Equal(t, store.StateUnknown, a.delivery(k).State, "what was in doubt stays in doubt")
}

func TestAResultThatCannotBeStoredIsKeptInHandUntilItCan(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	slow := a.wire.hold()
	sent := make(chan int)
	go func() { sent <- a.send() }()
	<-slow.arrived
	allow := a.refuse("outcomes")
	close(slow.release)
	a.eventually("the ERP has the document", func() string {
		if len(a.erp.Documents(ref("acme", k.ID))) == 0 {
			return "no document yet"
		}
		return ""
	})
	require.Equal(t, store.StateSending, a.delivery(k).State, "deliveries pause")
	allow()
	<-sent
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
	require.Equal(t, 1, a.writes(k))
	a.judge()
}

func TestOnlyTheHolderOfTheCurrentTokenWritesAResult(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	slow := a.wire.hold()
	sent := make(chan int)
	go func() { sent <- a.send() }()
	<-slow.arrived

	a.pass(a.engine.lanes["books"].lease() + time.Millisecond)
	require.NoError(t, a.engine.takeBack(t.Context()))
	a.send()
	second := a.delivery(k)
	require.Equal(t, store.StateDelivered, second.State, second.Reason)

	close(slow.release)
	<-sent
	first := a.tries(k)[0]
	require.Equal(t, "updated", first.Outcome.Result)
	require.False(t, first.Outcome.Applied, "it is kept, and changes nothing")
	require.Equal(t, second, a.delivery(k))
}

// Whatever moment the process dies at, the next one finds out in the ERP what
// became of the call.
func TestACallCutOffByTheEndOfTheProcessIsLookedUpFirst(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	claims, err := a.engine.lanes["books"].Claim(t.Context(), 1)
	require.NoError(t, err)
	intent := store.Attempt{DeliveryKey: claims[0].DeliveryKey, Token: claims[0].Token, Action: store.ActionDeliver, Version: claims[0].Order.Version, StartedAt: a.Now()}
	require.NoError(t, a.store.Begin(t.Context(), &intent))

	a.reconfigure(func(*Config) {}) // the process that begins anew recovers
	require.Equal(t, store.StateUnknown, a.delivery(k).State)
	a.settleLater(time.Minute)
	require.Equal(t, store.ActionLookup, a.tries(k)[1].Action)
	a.judge()
}

func TestAClaimCutOffBeforeItsIntentIsSimplyDueAgain(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	_, err := a.engine.lanes["books"].Claim(t.Context(), 1)
	require.NoError(t, err)
	a.reconfigure(func(*Config) {})
	require.Equal(t, store.StateDue, a.delivery(k).State)
	a.settle()
	require.Equal(t, 1, len(a.wire.said()))
	a.judge()
}
