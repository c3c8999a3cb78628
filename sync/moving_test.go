package ordersync

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// What moves while a pass runs makes its later sides newer, and is no fault. Each
// of these happens after Shopify was read, before the ERP is.
func TestWhatMovesWhileAPassRunsIsNoGap(t *testing.T) {
	for name, happens := range map[string]func(*appliance, store.OrderKey){
		"an order is placed and delivered": func(a *appliance, _ store.OrderKey) { a.place() },
		"an order changes its total and is delivered": func(a *appliance, k store.OrderKey) {
			total := a.order(k).Total
			for a.order(k).Total == total {
				a.pass(time.Second)
				a.shop.Mutate(k.ID)
				a.settle()
			}
		},
		"an order is cancelled": func(a *appliance, k store.OrderKey) {
			a.change(k, shopifytest.DoCancel)
			a.settle()
		},
		"an order changes, and is on its way": func(a *appliance, k store.OrderKey) {
			a.change(k, shopifytest.DoTag)
			a.hear()
		},
		"an order changes, and nobody has heard of it yet": func(a *appliance, k store.OrderKey) {
			a.change(k, shopifytest.DoTag)
			a.deliverWebhooksNot()
		},
		"an order is placed, and nobody has heard of it yet": func(a *appliance, _ store.OrderKey) {
			a.create()
			a.deliverWebhooksNot()
		},
	} {
		for _, when := range []string{"before the ERP is read", "while it is read", "after it was read"} {
			t.Run(name+", "+when, func(t *testing.T) {
				a := build(t, setup{})
				a.place()
				k := a.place()
				m := a.meddle()
				m.list = func(since time.Time, yield func(erp.Found) error) error {
					m.list = nil
					if when == "before the ERP is read" {
						happens(a, k)
					}
					err := m.List(t.Context(), since, func(f erp.Found) error {
						if when == "while it is read" {
							when = ""
							happens(a, k)
						}
						return yield(f)
					})
					if when == "after it was read" {
						happens(a, k)
					}
					return err
				}
				r := a.reconcile(true)
				require.Empty(t, r.Faults, "%v", a.gaps(k))
				require.True(t, r.Balanced(), "%+v", r)
				require.EqualValues(t, 2, r.Balance.Shopify.Orders)
			})
		}
	}
}

func TestAListThatSkipsAndRepeatsIsNotBelievedWithoutALookUp(t *testing.T) {
	for name, c := range map[string]struct {
		times   func(place int) int // how often each document is listed
		lookups int
	}{
		"skips some": {func(place int) int { return min(place%3, 1) }, 4},
		"repeats":    {func(int) int { return 3 }, 0},
		"is empty":   {func(int) int { return 0 }, 10},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			for range 10 {
				a.place()
			}
			place := 0
			m := a.meddle()
			m.list = func(since time.Time, yield func(erp.Found) error) error {
				return m.Adapter.List(t.Context(), since, func(f erp.Found) error {
					times := c.times(place)
					place++
					for range times {
						if err := yield(f); err != nil {
							return err
						}
					}
					return nil
				})
			}
			before := len(a.wire.said())
			r := a.reconcile(true)
			require.Empty(t, r.Faults)
			require.True(t, r.Balanced(), "%+v", r)
			require.EqualValues(t, 10, r.Balance.ERP.Orders)
			require.Equal(t, c.lookups, countCalls(a.wire.said()[before:], "GET acme-"), "only what looks wrong is looked up")
		})
	}
}

func countCalls(calls []string, prefix string) (n int) {
	for _, call := range calls {
		if len(call) >= len(prefix) && call[:len(prefix)] == prefix {
			n++
		}
	}
	return n
}

// Where very much looks wrong, the ERP is not asked about each.
func TestThreeHundredFaultsAtOnce(t *testing.T) {
	t.Parallel()
	a := build(t, setup{concurrency: 50})
	var all []store.OrderKey
	for range 300 {
		all = append(all, a.create())
	}
	a.settle()
	for _, k := range all {
		require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	}
	before := len(a.wire.said())
	r := a.reconcile(true)
	require.Equal(t, mostConfirmed, countCalls(a.wire.said()[before:], "GET acme-"))
	require.EqualValues(t, 300, r.Faults[store.GapMissing])
	require.EqualValues(t, 300, r.Balance.Missing.Orders)
	require.EqualValues(t, 300, r.Opened)
	require.EqualValues(t, 300, r.Healing)
	require.EqualValues(t, 300, r.Run.Found)
	a.settle()
	for n := 1; n > 0; {
		var err error
		a.pass(time.Second)
		n, err = a.engine.VerifyGaps(t.Context())
		require.NoError(t, err)
	}
	live, err := a.store.Gaps(t.Context(), store.GapFilter{State: store.Live, Limit: 1})
	require.NoError(t, err)
	require.Empty(t, live)
	a.judge()
	require.True(t, a.reconcile(true).Balanced())
}

func TestHealingAnOrderThatIsJustBeingSentWaitsForItsAttempt(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.change(k, shopifytest.DoTag)
	a.hear()
	claims, err := a.store.Claim(t.Context(), "books", 1, "stamp", time.Hour)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	a.change(k, shopifytest.DoTag) // and nobody hears of it
	a.deliverWebhooksNot()
	r := a.reconcile(true)
	require.EqualValues(t, 1, r.Faults[store.GapStale])
	require.Equal(t, store.StateSending, a.delivery(k).State)
	a.engine.lanes["books"].attempt(t.Context(), t.Context(), claims[0])
	a.settle()
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
	a.judge()
}

func TestAPassThatIsCutOffEndsAsStoppedAndSaysNothing(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.pass(5 * time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	m := a.meddle()
	m.list = func(time.Time, func(erp.Found) error) error { cancel(); return ctx.Err() }
	r, err := a.engine.Reconcile(ctx, "acme", a.lastDay())
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, r.Complete)
	run, err := a.store.Run(t.Context(), r.Run.ID)
	require.NoError(t, err)
	require.Equal(t, store.RunStopped, run.State)
	require.Equal(t, a.Now(), run.EndedAt)
	require.Zero(t, a.cursor().CompleteThrough)
	require.Empty(t, a.gaps(k))
}

// lastDay is a pass over the last day that somebody asks for.
func (a *appliance) lastDay() Pass {
	return Pass{Kind: store.RunReconcile, From: a.Now().Add(-24 * time.Hour), To: a.Now(), Heal: true, By: "ann"}
}

func TestTheSamePassIsNotUnderWayTwice(t *testing.T) {
	a := build(t, setup{})
	a.place()
	a.pass(5 * time.Minute)
	pass := a.lastDay()
	m := a.meddle()
	m.list = func(since time.Time, yield func(erp.Found) error) error {
		_, err := a.engine.Reconcile(t.Context(), "acme", pass)
		require.ErrorIs(t, err, store.ErrRunning)
		return m.Adapter.List(t.Context(), since, yield)
	}
	r, err := a.engine.Reconcile(t.Context(), "acme", pass)
	require.NoError(t, err)
	require.True(t, r.Balanced())
	m.list = nil
	_, err = a.engine.Reconcile(t.Context(), "acme", pass)
	require.NoError(t, err, "it is over")
}

// An ERP whose look-ups lag does not show at once what it was given.
func TestWhatALaggingERPDoesNotShowYetIsNoGap(t *testing.T) {
	a := build(t, setup{tier: erp.TierC, longest: 10 * time.Minute, erp: erptest.Options{NoKey: true, Lag: 8 * time.Minute}})
	k := a.create()
	a.settle()
	r := a.reconcile(true)
	require.Empty(t, r.Faults, "%v", a.gaps(k))
	require.True(t, r.Balanced(), "%+v", r)
	a.pass(10 * time.Minute)
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	require.EqualValues(t, 1, a.reconcile(false).Faults[store.GapMissing], fmt.Sprint(a.gaps(k)))
}
