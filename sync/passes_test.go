package ordersync

import (
	"context"
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

func TestAWindowMustNotBeEmpty(t *testing.T) {
	a := build(t, setup{})
	pass := a.lastDay()
	pass.From = pass.To
	_, err := a.engine.Reconcile(t.Context(), "acme", pass)
	require.ErrorContains(t, err, "empty")
	_, err = a.engine.Reconcile(t.Context(), "nobody", a.lastDay())
	require.ErrorContains(t, err, "no shop named")
	runs, err := a.store.Runs(t.Context(), store.RunFilter{Limit: 1})
	require.NoError(t, err)
	require.Empty(t, runs)
}

func TestAWindowInTheFutureCompletesNothing(t *testing.T) {
	a := build(t, setup{})
	a.reconcile(true)
	complete := a.cursor().CompleteThrough
	pass := a.lastDay()
	pass.From, pass.To = a.Now().Add(time.Hour), a.Now().Add(2*time.Hour)
	r, err := a.engine.Reconcile(t.Context(), "acme", pass)
	require.NoError(t, err)
	require.Zero(t, r.Balance.Shopify.Orders)
	require.Equal(t, complete, a.cursor().CompleteThrough)

	pass.From = a.Now().Add(-time.Hour)
	_, err = a.engine.Reconcile(t.Context(), "acme", pass)
	require.NoError(t, err)
	require.Equal(t, a.Now().Add(-10*time.Minute), a.cursor().CompleteThrough, "and not the time to come")
}

func TestTheLastMinuteAloneCompletesNothing(t *testing.T) {
	a := build(t, setup{})
	a.reconcile(true)
	before := a.cursor()
	a.pass(time.Second)
	pass := a.lastDay()
	pass.From = a.Now().Add(-time.Minute)
	_, err := a.engine.Reconcile(t.Context(), "acme", pass)
	require.NoError(t, err)
	require.Equal(t, before, a.cursor())
}

func TestWebhooksThatAreNotDecidedYetCompleteNothing(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.deliverWebhooks()
	heard := a.Now()
	a.pass(20 * time.Minute)
	r := a.reconcile(true)
	require.Empty(t, r.Faults)
	require.EqualValues(t, 1, r.Balance.Pending.Orders)
	require.Equal(t, heard.Add(-2*time.Minute), a.cursor().CompleteThrough)
	a.settle()
	require.Empty(t, a.gaps(k))
	require.EqualValues(t, 1, a.reconcile(true).Balance.ERP.Orders)
}

func TestShopsWhoseNamesBeginAlikeDoNotSeeEachOthersDocuments(t *testing.T) {
	a := build(t, setup{names: []string{"acme", "acme-eu"}, shop: shopifytest.Options{Seed: 3}})
	eu := a.shops["acme-eu"]
	for range 5 {
		a.pass(time.Second)
		a.shop.Create()
		eu.Create()
	}
	a.settle()
	lost := eu.Orders()[2].ID
	require.True(t, a.erp.Delete(ref("acme-eu", lost)))
	require.Empty(t, a.reconcile(true).Faults)
	r, err := a.engine.Reconcile(t.Context(), "acme-eu", a.lastDay())
	require.NoError(t, err)
	require.Equal(t, map[string]int64{store.GapMissing: 1}, r.Faults)
	require.Equal(t, store.OrderKey{Shop: "acme-eu", ID: lost}, a.gap(store.OrderKey{Shop: "acme-eu", ID: lost}).Key())
	require.Empty(t, a.gaps(store.OrderKey{Shop: "acme", ID: lost}))
	a.settle()
	a.judge()
}

func TestAReferenceIsOfOneShop(t *testing.T) {
	for reference, want := range map[string]struct {
		shop string
		id   int64
	}{
		"acme-5": {"acme", 5}, "acme-eu-5": {"acme-eu", 5}, "acme-1-5": {"acme-1", 5},
		"acme-9223372036854775807": {"acme", 9223372036854775807},
	} {
		for _, shop := range []string{"acme", "acme-eu", "acme-1", "acm", "eu"} {
			id, ours := orderOf(shop, reference)
			require.Equal(t, shop == want.shop, ours, "%s of %s", reference, shop)
			if ours {
				require.Equal(t, want.id, id)
			}
		}
	}
	for _, reference := range []string{"", "acme", "acme-", "acme-05", "acme-+5", "acme-5 ", "acme-0x5", "acme-99999999999999999999", "SO-1"} {
		_, ours := orderOf("acme", reference)
		require.False(t, ours, reference)
	}
}

// A scheduled pass looks for nothing that was placed before Gapless began; a
// person may.
func TestOrdersPlacedBeforeGaplessBeganAreLeftOutByTheClockOnly(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.deliverWebhooksNot()
	a.pass(48 * time.Hour)
	a.reconfigure(func(c *Config) { c.Shops[0].Webhooks = true }) // Gapless begins
	pass := deepPass(a.Now())
	r, err := a.engine.Reconcile(t.Context(), "acme", pass)
	require.NoError(t, err)
	require.True(t, r.Balanced(), "%+v", r)
	require.EqualValues(t, 1, r.Balance.Excluded.Orders)
	require.Equal(t, ruleBefore, r.ByRule[0].Rule)
	require.Empty(t, a.gaps(k))

	a.pass(time.Second)
	pass.From, pass.To, pass.By = pass.From.Add(time.Second), pass.To.Add(time.Second), "ann"
	r, err = a.engine.Reconcile(t.Context(), "acme", pass)
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Faults[store.GapMissing])
	a.settle()
	a.judge()
}

// A shop without webhooks loses none: what changed since the last poll is found by the next.
func TestWhatAPollIsStillToFindIsNoGap(t *testing.T) {
	a := build(t, setup{})
	a.reconfigure(func(c *Config) {
		c.Shops[0].Webhooks, c.Shops[0].Poll.Active, c.Shops[0].Poll.Idle = false, 10*time.Second, 10*time.Minute
	})
	a.poll()
	a.pass(time.Minute)
	k := a.create()
	a.deliverWebhooksNot()
	r := a.reconcile(true)
	require.Empty(t, r.Faults)
	require.EqualValues(t, 1, r.Balance.Pending.Orders)
	require.Empty(t, a.gaps(k))
	a.settle()
	a.judge()
}

// While polls fail, nothing is polled up to now.
func TestWhatFailedPollsAreStillToFindIsNoGap(t *testing.T) {
	a := build(t, setup{})
	a.reconfigure(func(c *Config) {
		c.Shops[0].Webhooks, c.Shops[0].Poll.Active, c.Shops[0].Poll.Idle = false, 10*time.Second, 10*time.Minute
	})
	a.poll()
	a.deliverWebhooksNot()
	k := a.create()
	a.pass(2 * time.Hour)
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusServiceUnavailable}) // the client itself tries four times
	_, err := a.engine.Poll(t.Context(), "acme")
	require.Error(t, err)
	a.pass(time.Hour)
	r := a.reconcile(true)
	require.Empty(t, r.Faults)
	require.Empty(t, a.gaps(k))
	a.settle()
	a.judge()
}

// Who looks at a day from before Gapless began does not claim its orders.
func TestLookingAtAnOldDayClaimsNothing(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.deliverWebhooksNot()
	day := a.Now()
	a.pass(72 * time.Hour)
	a.reconfigure(func(*Config) {}) // Gapless begins
	r, err := a.engine.Reconcile(t.Context(), "acme", Pass{Kind: store.RunDay, Axis: store.ByCreated, From: day.Add(-time.Hour), To: day.Add(time.Hour), Heal: true, By: "ann"})
	require.NoError(t, err)
	require.EqualValues(t, 1, r.Balance.Excluded.Orders)
	require.Empty(t, a.gaps(k))
	require.Zero(t, a.refetch()+a.send())
}

// While a backfill is under way, the orders that it is still to bring in are not lost.
func TestOrdersThatABackfillIsToBringInAreNoGaps(t *testing.T) {
	a := past(t, 40, shopifytest.Options{})
	orders := len(a.shop.Orders())
	a.pass(48 * time.Hour)
	a.reconfigure(func(*Config) {})
	run, err := a.engine.StartBackfill(t.Context(), "acme", epoch.Add(-time.Hour), a.Now(), "test")
	require.NoError(t, err)
	a.backfiller().step(t.Context())
	deep := func() Reconciliation {
		a.pass(5 * time.Minute)
		r, err := a.engine.Reconcile(t.Context(), "acme", deepPass(a.Now()))
		require.NoError(t, err)
		require.Empty(t, r.Faults)
		require.True(t, r.Balanced(), "%+v", r)
		return r
	}
	require.EqualValues(t, orders, deep().Balance.Excluded.Orders)
	a.carryOn(run)
	require.EqualValues(t, orders, deep().Balance.Pending.Orders)
	a.settle()
	require.Zero(t, deep().Balance.Pending.Orders)
	a.judge()
}

// due is the pass that is due now by the clock.
func (a *appliance) due() Pass {
	a.Helper()
	pass, err := a.engine.nextPass(a.Context(), a.engine.shops["acme"])
	require.NoError(a, err)
	require.Equal(a, []any{true, store.BySchedule, a.Now()}, []any{pass.Heal, pass.By, pass.To})
	return pass
}

// byClock does what the clock does every hour.
func (a *appliance) byClock() error {
	return a.engine.reconcileDue(a.Context(), a.engine.shops["acme"])
}

func TestTheDeepPassRunsOnceADay(t *testing.T) {
	a := build(t, setup{})
	var kinds []string
	for range 50 {
		kinds = append(kinds, a.due().Kind)
		require.NoError(t, a.byClock())
		a.pass(time.Hour)
	}
	for i, kind := range kinds {
		require.Equal(t, i%24 == 0, kind == store.RunDeep, "hour %d", i)
	}
	require.Equal(t, deepest, func() time.Duration { a.pass(24 * time.Hour); p := a.due(); return p.To.Sub(p.From) }())
}

func TestAfterDowntimeTheNextPassBeginsWhereTheLastCompleteOneEnded(t *testing.T) {
	a := build(t, setup{})
	require.NoError(t, a.byClock())
	a.pass(time.Hour)
	require.NoError(t, a.byClock())
	through := a.cursor().CompleteThrough
	a.pass(3 * 24 * time.Hour)

	// A person looks at the last day first: that hides no hour before it.
	_, err := a.engine.Reconcile(t.Context(), "acme", a.lastDay())
	require.NoError(t, err)
	require.Equal(t, through, a.cursor().CompleteThrough)

	a.tried(store.RunDeep)
	pass := a.due()
	require.Equal(t, store.RunReconcile, pass.Kind)
	require.Equal(t, through, pass.From)
	from := a.cursor().CompleteFrom
	require.NoError(t, a.byClock())
	require.Equal(t, []time.Time{from, a.Now().Add(-10 * time.Minute)}, []time.Time{a.cursor().CompleteFrom, a.cursor().CompleteThrough})
	a.pass(time.Hour)
	require.Equal(t, a.Now().Add(-24*time.Hour), a.due().From, "at least the window")

	a.pass(100 * 24 * time.Hour)
	a.tried(store.RunDeep)
	require.Equal(t, a.Now().Add(-deepest), a.due().From, "Shopify shows no more")
}

// Found by the simulator: the first comparisons failed for longer than the window.
func TestUntilAComparisonIsCompleteTheNextPassBeginsWhereGaplessBegan(t *testing.T) {
	a := build(t, setup{})
	require.NoError(t, a.engine.Recover(t.Context()))
	began := a.cursor().BeganAt
	require.False(t, began.IsZero())
	a.pass(3 * 24 * time.Hour)
	a.tried(store.RunDeep)
	require.Equal(t, began, a.due().From)
}

// tried is a pass of a kind that was begun just now and did not end well.
func (a *appliance) tried(kind string) {
	a.Helper()
	run := store.Run{Shop: "acme", Kind: kind, From: a.Now().Add(-deepest), To: a.Now()}
	require.NoError(a, a.store.BeginRun(a.Context(), &run))
	run.State = store.RunFailed
	require.NoError(a, a.store.SaveRun(a.Context(), &run))
}

// An ERP that can't list 60 days may well list one.
func TestADeepPassThatFailsLeavesTheOthersTheirTurn(t *testing.T) {
	for every, tries := range map[time.Duration]int{
		time.Hour:      4, // it is tried again every six hours
		6 * time.Hour:  12,
		12 * time.Hour: 12,
	} {
		t.Run(every.String(), func(t *testing.T) {
			a := build(t, setup{})
			a.engine.shops["acme"].Reconcile.Every = every
			m := a.meddle()
			m.list = func(since time.Time, yield func(erp.Found) error) error {
				if a.Now().Sub(since) > 30*24*time.Hour {
					return errors.New("that is too much to list")
				}
				return m.Adapter.List(t.Context(), since, yield)
			}
			k := a.place()
			require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
			require.ErrorContains(t, a.byClock(), "too much")
			require.Zero(t, a.cursor().CompleteThrough)
			deep := 1
			for range 23 {
				a.pass(every)
				if a.due().Kind == store.RunDeep {
					require.Error(t, a.byClock())
					deep++
					continue
				}
				require.NoError(t, a.byClock())
			}
			require.Equal(t, store.GapHealing, a.gap(k).State)
			require.NotZero(t, a.cursor().CompleteThrough)
			require.Equal(t, tries, deep)
		})
	}
}

func TestAShopThatNoLongerTellsItsTimeZoneIsComparedAllTheSame(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.engine.shops["acme"].Client = noZone{a.clients["acme"]}
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.pass(5 * time.Minute)
	require.ErrorContains(t, a.byClock(), "time zone")
	require.Equal(t, store.GapHealing, a.gap(k).State)
	require.NotZero(t, a.cursor().CompleteThrough)
}

// noZone is a shop whose app may not ask for its settings.
type noZone struct{ ShopClient }

func (noZone) Shop(context.Context) (shopify.Shop, error) {
	return shopify.Shop{}, &shopify.APIError{Message: "access denied for shop"}
}
