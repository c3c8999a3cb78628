package ordersync

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// meddled is an adapter whose reading a test can change.
type meddled struct {
	erp.Adapter
	lookup func(reference string, found []erp.Found, err error) ([]erp.Found, error)
	list   func(since time.Time, yield func(erp.Found) error) error
}

// Lookup looks up, and lets the test change the answer.
func (m *meddled) Lookup(ctx context.Context, reference string, t *erp.Transcript) ([]erp.Found, error) {
	found, err := m.Adapter.Lookup(ctx, reference, t)
	if m.lookup == nil {
		return found, err
	}
	return m.lookup(reference, found, err)
}

// List lists, or has the test do so.
func (m *meddled) List(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
	if m.list == nil {
		return m.Adapter.List(ctx, since, yield)
	}
	return m.list(since, yield)
}

// meddle puts a meddled adapter between the engine and the ERP.
func (a *appliance) meddle() *meddled {
	m := &meddled{Adapter: a.adapter.Adapter}
	a.adapter.Adapter = m
	return m
}

// lose has the ERP lose the document of an order that was brought there, and a
// comparison find and mend it.
func (a *appliance) lose() store.OrderKey {
	a.Helper()
	k := a.place()
	require.True(a, a.erp.Delete(ref(k.Shop, k.ID)))
	a.reconcile(true)
	a.settle()
	require.Equal(a, store.GapHealing, a.gap(k).State)
	return k
}

func TestAGapDoesNotCloseWhileANewerVersionIsOnItsWay(t *testing.T) {
	a := build(t, setup{})
	k := a.lose()
	m := a.meddle()
	m.lookup = func(_ string, found []erp.Found, err error) ([]erp.Found, error) {
		require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag))
		a.hear()
		return found, err
	}
	a.verify()
	require.Equal(t, store.GapHealing, a.gap(k).State)
	require.Equal(t, store.StateDue, a.delivery(k).State)
	m.lookup = nil
	a.settle()
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
}

func TestAGapDoesNotCloseByWhatTheERPHeldBeforeItsOrderMoved(t *testing.T) {
	a := build(t, setup{})
	k := a.lose()
	m := a.meddle()
	m.lookup = func(_ string, found []erp.Found, err error) ([]erp.Found, error) {
		m.lookup = nil
		a.pass(time.Second)
		require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag))
		a.settle()
		return found, err
	}
	a.verify()
	g := a.gap(k)
	require.Equal(t, store.GapHealing, g.State)
	require.NotContains(t, g.Detail, "holds", "an answer from before says nothing of what is wanted now")
}

func TestAGapWhoseOrderSettlesWhileTheERPIsAskedIsAskedAboutAgainAtOnce(t *testing.T) {
	a := build(t, setup{})
	k := a.lose()
	m := a.meddle()
	m.lookup = func(_ string, found []erp.Found, err error) ([]erp.Found, error) {
		m.lookup = nil
		a.pass(time.Second)
		require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag))
		a.settle()
		a.pass(time.Second)
		return found, err
	}
	a.verify()
	require.Equal(t, store.GapHealing, a.gap(k).State)
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
}

// That the ERP holds what was heard says nothing of what was not.
func TestAGapOfAChangeThatWasNotFetchedYetStaysOpen(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.change(k, shopifytest.DoTag)
	a.deliverWebhooksNot()
	a.pass(5 * time.Minute)
	for _, heal := range []bool{false, true} {
		a.reconcile(heal)
		state := a.gap(k).State
		require.Equal(t, map[bool]string{false: store.GapOpen, true: store.GapHealing}[heal], state)
		a.verify()
		require.Equal(t, state, a.gap(k).State)
	}
	a.settle()
	a.verify()
	require.Equal(t, []string{store.GapClosed, "reconcile"}, []string{a.gap(k).State, a.gap(k).HealedBy})
}

// gaveWay says that the gap of an order is closed, and that one about its document
// is open. It returns the first.
func (a *appliance) gaveWay(k store.OrderKey) store.Gap {
	a.Helper()
	gaps := a.gaps(k)
	require.Len(a, gaps, 2)
	require.Equal(a, []string{store.GapClosed, store.GapOpen}, []string{gaps[0].State, gaps[1].State})
	require.Equal(a, store.GapOrphan, gaps[1].Kind)
	return gaps[0]
}

// What a person started did not help: nobody is told that it is being put right.
func TestAGapThatAReplayDidNotMendIsOpenAgain(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{waits}})
	k := a.create()
	a.settle()
	a.reconcile(false)
	parked := a.gap(k)
	require.Equal(t, []string{store.GapParked, store.GapOpen}, []string{parked.Kind, parked.State})
	_, err := a.engine.ReplayGaps(t.Context(), []int64{parked.ID}, "ann")
	require.NoError(t, err)
	require.Equal(t, store.GapHealing, a.gap(k).State)
	a.refetch()
	a.settle()
	require.Equal(t, store.GapOpen, a.gap(k).State)
	steps, err := a.store.GapSteps(t.Context(), parked.ID)
	require.NoError(t, err)
	require.Equal(t, store.GapStep{At: a.Now(), Step: "seen", Detail: "what was started did not help: " + a.gap(k).Detail}, steps[len(steps)-1], "it was never in order")
}

// Shopify may hide orders that are older than it lets an app read.
func TestAnOldOrderThatShopifyHidesIsNotTakenForDeleted(t *testing.T) {
	a := build(t, setup{tier: erp.TierB, erp: erptest.Options{NoKey: true}})
	k := a.place()
	a.enter(k, a.order(k).Version) // somebody typed it in once more
	a.reconcile(false)
	require.Equal(t, store.GapDoubled, a.gap(k).Kind)
	require.True(t, a.shop.Delete(k.ID))
	a.deliverWebhooksNot()
	a.pass(deepest + time.Hour)
	a.verify()
	require.Equal(t, []string{store.GapDoubled, store.GapOpen}, []string{a.gap(k).Kind, a.gap(k).State})
}

// The same where the shop deletes the order before it was asked for.
func TestAGapOfAChangeOfAnOrderThatIsGoneFromTheShopIsAboutItsDocument(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.deliverWebhooksNot()
	a.change(k, shopifytest.DoTag)
	a.pass(5 * time.Minute)
	a.reconcile(true)
	require.True(t, a.shop.Delete(k.ID))
	a.settle()
	a.verify()
	a.gaveWay(k)
}

// Order and document are gone, and no webhook told of the order.
func TestAGapOfADocumentThatWentWithItsOrderCloses(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.reconcile(false)
	require.Equal(t, store.GapMissing, a.gap(k).Kind)
	a.deliverWebhooksNot()
	require.True(t, a.shop.Delete(k.ID))
	a.verify()
	require.Equal(t, []string{store.GapClosed, "Shopify has no such order any more"}, []string{a.gap(k).State, a.gap(k).HealedBy})
}

// Nobody told that the order is gone; its document was changed by hand.
func TestAGapWhoseOrderIsGoneIsAboutItsDocumentWhateverElseIsWrongWithIt(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.erp.ByHand(ref(k.Shop, k.ID), func(d *erptest.Document) {
		total := erp.NewAmount(d.Total.Add(d.Total.Decimal), -d.Total.Exponent())
		d.Total = &total
	}))
	a.reconcile(false)
	require.Equal(t, store.GapMismatch, a.gap(k).Kind)
	a.deliverWebhooksNot()
	require.True(t, a.shop.Delete(k.ID))
	a.verify()
	a.gaveWay(k)
}

// What was wrong with an order that was deleted in Shopify is over; what is left
// is its document, which a person decides about.
func TestAGapOfAnOrderThatWasDeletedGivesWayToOneAboutItsDocument(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.change(k, shopifytest.DoTag)
	a.deliverWebhooksNot()
	a.pass(5 * time.Minute)
	a.reconcile(false)
	stale := a.gap(k)
	require.Equal(t, store.GapStale, stale.Kind)
	require.True(t, a.shop.Delete(k.ID))
	a.tell("orders/delete", fmt.Appendf(nil, `{"id":%d}`, k.ID))
	a.send()
	a.verify()
	was := a.gaveWay(k)
	require.Equal(t, []string{store.GapStale, "its order was deleted in Shopify"}, []string{was.Kind, was.HealedBy})
	a.pass(time.Hour)
	a.verify()
	a.reconcile(true)
	require.Len(t, a.gaps(k), 2)
}

func TestOneOrderThatTheERPCannotTellOfKeepsNoOtherGapOpen(t *testing.T) {
	a := build(t, setup{})
	bad, good := a.lose(), a.lose()
	a.meddle().lookup = func(reference string, found []erp.Found, err error) ([]erp.Found, error) {
		if reference == ref(bad.Shop, bad.ID) {
			return nil, errors.New("the ERP fails on this one")
		}
		return found, err
	}
	a.pass(time.Second)
	_, err := a.engine.VerifyGaps(t.Context())
	require.ErrorContains(t, err, "fails on this one")
	a.verify()
	require.Equal(t, []string{store.GapHealing, store.GapClosed}, []string{a.gap(bad).State, a.gap(good).State})
}

func TestGapsOfAnERPThatIsNoLongerInTheConfigKeepNoOtherOpen(t *testing.T) {
	a := build(t, setup{})
	var old []store.Fault
	for id := range int64(30) {
		old = append(old, store.Fault{Gap: store.Gap{Shop: "acme", OrderID: id + 1, ERP: "old", Kind: store.GapOrphan, FoundBy: "test"}})
	}
	_, err := a.store.FoundGaps(t.Context(), "test", old...)
	require.NoError(t, err)
	k := a.lose()
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
}

func TestAnERPThatIsDownIsNotAskedAboutGaps(t *testing.T) {
	a := build(t, setup{circuit: CircuitConfig{Failures: 2, Pause: time.Minute}})
	k := a.lose()
	a.erp.SetFaults(erptest.Mix{erptest.Unavailable: 1})
	a.create()
	a.create()
	a.hear()
	a.send()
	require.NotZero(t, a.engine.Metrics().Circuits["books"].Until)
	before := len(a.wire.said())
	a.verify()
	require.Len(t, a.wire.said(), before)
	a.erp.SetFaults(nil)
	a.settleLater(time.Hour)
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
}

func TestAMissingOrderThatIsDeletedInShopifyIsNoGapAnyMore(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.deliverWebhooksNot()
	a.reconcile(true)
	require.Equal(t, store.GapHealing, a.gap(k).State)
	require.True(t, a.shop.Delete(k.ID))
	a.deliverWebhooksNot()
	require.Equal(t, 1, a.refetch(), "Shopify does not show it")
	a.verify()
	g := a.gap(k)
	require.Equal(t, []string{store.GapClosed, "Shopify has no such order any more"}, []string{g.State, g.HealedBy})
}

// A gap that was only noted, of an order that nobody has asked for, was not looked
// at again: the simulator found one that stayed open for ever.
func TestAMissingOrderThatWasOnlyNotedIsNoGapOnceItIsDeleted(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.deliverWebhooksNot()
	a.pass(5 * time.Minute)
	a.reconcile(false)
	require.Equal(t, []string{store.GapMissing, store.GapOpen}, []string{a.gap(k).Kind, a.gap(k).State})
	a.verify()
	require.Equal(t, store.GapOpen, a.gap(k).State)
	require.True(t, a.shop.Delete(k.ID))
	a.deliverWebhooksNot()
	a.pass(time.Hour)
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
}

// A gap may be looked at again between the answer on a fetch and its intake.
func TestAMissingOrderThatShopifyShowsIsAGapUntilItIsInTheERP(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.deliverWebhooksNot()
	a.reconcile(true)
	for _, r := range a.doubts() {
		require.NoError(t, a.engine.Refetch(t.Context(), r))
	}
	a.verify()
	require.Equal(t, store.GapHealing, a.gap(k).State)
	a.settle()
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
}

func TestWhyNothingWasHeardOfAnOrder(t *testing.T) {
	refused := func(a *appliance) {
		a.store.Refuse(store.Refusal{At: a.Now(), Shop: "acme.myshopify.com", Reason: "bad signature"})
		require.Eventually(a, func() bool { all, _ := a.store.Refusals(a.Context(), 1); return len(all) == 1 }, 10*time.Second, time.Millisecond)
	}
	restart := func(a *appliance) { a.pass(time.Minute); a.reconfigure(func(*Config) {}) }
	for cause, happens := range map[string][]func(*appliance){
		CauseRefused:   {refused},
		CauseNeverCame: {},
		CauseDown:      {restart},
		"gapless_was_down, though it heard of another": nil,
	} {
		t.Run(cause, func(t *testing.T) {
			a := build(t, setup{})
			k := a.create()
			a.deliverWebhooksNot()
			if happens == nil { // a webhook of that time shows that somebody was there
				cause = CauseNeverCame
				a.pass(time.Second)
				a.tell("orders/create", rest(4711, "1.00", "1.00"))
				restart(a)
			}
			for _, what := range happens {
				what(a)
			}
			a.reconcile(false)
			require.Equal(t, cause, a.gap(k).Cause)
		})
	}
}

func TestAWebhookThatComesAfterAllChangesTheCauseOfItsGap(t *testing.T) {
	for name, closed := range map[string]bool{"while it is open": false, "once it is closed": true} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			a.gracious(15*time.Second, 10*time.Minute)
			k := a.create()
			placed := a.Now()
			body := a.shop.REST(k.ID)
			a.deliverWebhooksNot()
			a.pass(time.Minute)
			require.Equal(t, 1, a.poll().Lost)
			require.Equal(t, CauseNeverCame, a.gap(k).Cause)
			if closed {
				a.settle()
				a.verify()
				require.Equal(t, store.GapClosed, a.gap(k).State)
			}
			a.pass(15 * time.Minute)
			a.postAt("orders/create", body, placed)
			require.Equal(t, CauseLate, a.gap(k).Cause)
			steps, err := a.store.GapSteps(t.Context(), a.gap(k).ID)
			require.NoError(t, err)
			require.Contains(t, steps[len(steps)-1].Detail, "orders/create came 16m")
			a.postAt("orders/updated", body, placed)
			again, err := a.store.GapSteps(t.Context(), a.gap(k).ID)
			require.NoError(t, err)
			require.Equal(t, steps, again, "once is enough")
		})
	}
}

// postAt posts a webhook that was triggered at some time, and takes it in.
func (a *appliance) postAt(topic string, body []byte, triggered time.Time) {
	a.Helper()
	require.Equal(a, 200, a.post(topic, body, triggered))
	a.intake()
}

// A webhook of an older change, however late, says nothing of a newer one.
func TestALateWebhookOfAnOlderChangeLeavesTheCause(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	older, then := a.shop.REST(k.ID), a.Now()
	a.settle()
	a.change(k, shopifytest.DoTag)
	a.deliverWebhooksNot()
	a.pass(time.Minute)
	require.Equal(t, 1, a.poll().Lost)
	a.pass(time.Hour)
	a.postAt("orders/create", older, then)
	require.Equal(t, CauseNeverCame, a.gap(k).Cause)
}

func TestAPersonReplaysGaps(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.reconcile(false)
	id := a.gap(k).ID
	n, err := a.engine.ReplayGaps(t.Context(), []int64{id}, "ann")
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	a.settle()
	a.verify()
	require.Equal(t, []string{store.GapClosed, "ann"}, []string{a.gap(k).State, a.gap(k).HealedBy})
	a.judge()

	n, err = a.engine.ReplayGaps(t.Context(), []int64{id}, "ann")
	require.NoError(t, err)
	require.Zero(t, n, "it is closed")
	_, err = a.engine.ReplayGaps(t.Context(), []int64{id, 99}, "ann")
	require.ErrorIs(t, err, store.ErrNotFound)
	require.ErrorIs(t, a.engine.IgnoreGap(t.Context(), id, "ann", "whatever"), ErrNoGap)
}

func TestAGapThatComesBackIsNotHealedByWhatHealedItBefore(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	lost := func() {
		require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
		a.reconcile(false)
		require.Equal(t, store.GapOpen, a.gap(k).State)
	}
	lost()
	_, err := a.engine.ReplayGaps(t.Context(), []int64{a.gap(k).ID}, "ann")
	require.NoError(t, err)
	a.settle()
	a.verify()
	require.Equal(t, "ann", a.gap(k).HealedBy)
	lost()
	require.Equal(t, []any{1, a.Now()}, []any{a.gap(k).Reopened, a.gap(k).FirstSeen})
	a.replay(k)
	a.settle()
	a.verify()
	require.Equal(t, "a webhook or a new version", a.gap(k).HealedBy)
	require.Equal(t, time.Second, a.gap(k).ClosedAt.Sub(a.gap(k).FirstSeen))
}

func TestAReplayOfAParkedOrderOpensNothingStuck(t *testing.T) {
	a := build(t, setup{erp: erptest.Options{SKUs: []string{}}})
	k := a.create()
	a.settle()
	require.Equal(t, store.GapParked, a.gap(k).Kind)
	a.pass(24 * time.Hour)
	_, err := a.engine.ReplayGaps(t.Context(), []int64{a.gap(k).ID}, "ann")
	require.NoError(t, err)
	n, err := a.engine.FindStuck(t.Context(), "acme")
	require.NoError(t, err)
	require.Zero(t, n)
}

func TestManyGapsCloseInOneGo(t *testing.T) {
	a := build(t, setup{})
	var lost []store.OrderKey
	for range 45 {
		k := a.place()
		require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
		lost = append(lost, k)
	}
	require.EqualValues(t, 45, a.reconcile(true).Healing)
	for range 3 {
		a.settle()
		a.verify()
	}
	for _, k := range lost {
		require.Equal(t, store.GapClosed, a.gap(k).State, fmt.Sprint(k))
	}
}
