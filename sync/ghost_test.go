package ordersync

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

const longest = time.Minute

// in is an ERP of a tier, as a setup.
func in(tier erp.Tier) setup {
	return setup{tier: tier, longest: longest, erp: erptest.Options{NoKey: tier != erp.TierA}}
}

func eachTier(t *testing.T, test func(t *testing.T, tier erp.Tier)) {
	for _, tier := range []erp.Tier{erp.TierA, erp.TierB, erp.TierC} {
		t.Run(string(tier), func(t *testing.T) { test(t, tier) })
	}
}

// unanswered is an order whose change was sent, and no answer came. land has that take
// effect late.
func unanswered(t *testing.T, tier erp.Tier) (a *appliance, k store.OrderKey, land func()) {
	a = build(t, in(tier))
	k = a.place()
	a.change(k, "tag")
	land = a.wire.ghost()
	a.hear()
	a.send()
	require.Equal(t, store.StateUnknown, a.delivery(k).State)
	return a, k, land
}

// The call with version 2 is never answered, and takes effect at the last
// moment it can. Version 3 must not have gone before.
func TestALateEffectNeverEndsUpOverANewerVersion(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a, k, land := unanswered(t, tier)
		gone := a.Now()

		a.change(k, "tag")
		for a.Now().Before(gone.Add(longest)) {
			a.settle()
			a.pass(500 * time.Millisecond)
		}
		require.Len(t, a.versions(k), 1, "version 3 waits until version 2 can't come any more")
		land()
		a.settleLater(longest)
		require.Len(t, a.versions(k), 3)
		a.judge()
	})
}

// Else the order's next version would wait anew after each start.
func TestACallThatCanTakeEffectNoMoreIsForgotten(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a, k, land := unanswered(t, tier)
		land()
		a.settleLater(longest / 2)
		if tier == erp.TierA {
			require.Equal(t, store.StateDelivered, a.delivery(k).State)
			require.NotEmpty(t, a.delivery(k).Ghost, "it may land yet")
		}
		a.pass(longest)
		a.change(k, "tag")
		a.settleLater(longest)
		require.Equal(t, store.StateDelivered, a.delivery(k).State)
		require.Empty(t, a.delivery(k).Ghost)
		a.judge()
	})
}

// A call may take its time before its last request leaves; only from then on
// the ERP's longest request counts.
func TestTheWaitForALateEffectBeginsWhenTheCallIsGivenUp(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a := build(t, in(tier))
		k := a.create()
		land := a.wire.ghostAfter(func() { a.pass(20 * time.Second) })
		a.hear()
		a.send()
		gone := a.Now()
		a.change(k, "tag")
		for a.Now().Before(gone.Add(longest)) {
			a.settle()
			a.pass(time.Second)
		}
		require.Empty(t, a.versions(k))
		land()
		a.settleLater(longest)
		require.Len(t, a.versions(k), 2)
		a.judge()
	})
}

func TestARestartDoesNotForgetThatACallMayTakeEffectLate(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a := build(t, in(tier))
		k := a.place()
		a.change(k, "tag")
		a.hear()
		slow := a.wire.hold()
		sent := make(chan int)
		go func() { sent <- a.send() }()
		<-slow.arrived
		a.reconfigure(func(*Config) {}) // the process died and began anew
		a.change(k, "tag")
		a.hear()
		a.pass(longest / 2)
		require.Len(t, a.versions(k), 1)
		require.Equal(t, store.StateUnknown, a.delivery(k).State)
		require.Positive(t, a.send())
		require.Len(t, a.versions(k), 1, "version 3 waits")
		close(slow.release)
		<-sent
		a.settleLater(2 * longest)
		a.judge()
	})
}

// Tier B: there is no key that keeps the ERP from making a second document, so
// only a look-up after the longest request says that there is none.
func TestTierBWaitsTheLongestRequestOutAndNeverDoubles(t *testing.T) {
	a := build(t, in(erp.TierB))
	k := a.create()
	land := a.wire.ghost()
	a.hear()
	a.send()
	gone, before := a.Now(), len(a.wire.said())
	for a.Now().Before(gone.Add(longest - time.Second)) {
		a.settle()
		a.pass(time.Second)
	}
	require.Len(t, a.wire.said(), before, "not even a look-up: it would tell nothing")
	land()
	a.settleLater(longest)
	require.Equal(t, 1, a.writes(k))
	a.judge()
}

func TestTierBCreatesAgainOnceACallSurelyCameToNothing(t *testing.T) {
	a := build(t, in(erp.TierB))
	k := a.create()
	a.wire.ghost() // which never lands
	a.hear()
	a.send()
	a.settleLater(2 * longest)
	require.Equal(t, 2, a.writes(k))
	a.judge()
}

func TestTierCNeverCreatesAgainByItself(t *testing.T) {
	s := in(erp.TierC)
	s.erp.Lag = time.Hour
	a := build(t, s)
	k := a.create()
	land := a.wire.ghost()
	a.hear()
	a.send()
	land() // the ERP has it, and does not show it for an hour
	a.settleLater(20 * longest)
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Contains(t, d.Hint, "look for the reference "+ref("acme", k.ID))
	require.Equal(t, 1, a.writes(k))
	require.Len(t, a.tries(k), 1+6, "the call, and probes")

	a.pass(time.Hour)
	a.replay(k)
	a.settleLater(longest)
	require.Len(t, a.erp.Documents(ref("acme", k.ID)), 1, "now it shows up")
	a.judge()
}

// The simulator found it: left out while the document did not show, the order
// counted as not there, and was made again when the rule let it go.
func TestTierCLeavesOutNothingThatMayStillTurnUp(t *testing.T) {
	s := in(erp.TierC)
	s.erp.Lag = time.Hour
	a := build(t, s)
	k := a.create()
	a.settle()
	require.Equal(t, store.StateDelivered, a.delivery(k).State)

	a.under(nothing)
	a.replay(k)
	a.settleLater(20 * longest)
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	a.under()
	a.replay(k)
	a.settleLater(20 * longest)
	require.Equal(t, store.StateParked, a.delivery(k).State)
	a.pass(time.Hour)
	a.replay(k)
	a.settleLater(20 * longest)
	require.Len(t, a.erp.Live(ref("acme", k.ID)), 1)
	a.judge()
}

func TestTierCSendsAgainWhenAPersonSaysThatNothingIsThere(t *testing.T) {
	a := build(t, in(erp.TierC))
	k := a.create()
	a.wire.ghost() // which never lands
	a.hear()
	a.send()
	a.settleLater(20 * longest)
	require.Equal(t, store.StateParked, a.delivery(k).State)
	a.replay(k)
	a.settleLater(longest)
	require.Equal(t, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
	require.Equal(t, 2, a.writes(k))
	a.judge()
}

func TestTierCProbesAsOftenAfterALongOutage(t *testing.T) {
	a := build(t, in(erp.TierC))
	k := a.create()
	a.hear()
	for range 10 {
		a.wire.answer(429)
		require.Equal(t, 1, a.send())
		a.pass(time.Hour) // whatever the backoff
	}
	a.wire.ghost()
	require.Equal(t, 1, a.send())
	require.Equal(t, store.StateUnknown, a.delivery(k).State, a.delivery(k).Reason)
	before := len(a.tries(k))
	a.settleLater(20 * longest)
	require.Equal(t, store.StateParked, a.delivery(k).State)
	require.Len(t, a.tries(k), before+6)
}

func TestADoubledDocumentParks(t *testing.T) {
	a := build(t, in(erp.TierB))
	k := a.place()
	a.enter(k, a.order(k).Version) // somebody typed it in once more
	require.Len(t, a.erp.Live(ref("acme", k.ID)), 2)
	a.replay(k)
	a.send()
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Contains(t, d.Reason, "2 live documents")
	require.Equal(t, "ref", d.Field)
	require.Equal(t, 1, a.writes(k))
}

// A store restored from a backup knows less than the ERP.
func TestAnERPThatKnowsANewerVersionIsBelievedUntilShopifyWasAsked(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a := build(t, in(tier))
		k := a.place()
		a.deliverWebhooksNot()
		a.change(k, "tag")
		a.enterUpdate(k, a.told(k).Content().Version)
		a.replay(k)
		a.send()
		require.Equal(t, 1, a.writes(k), "the older version was not sent over the newer")
		require.Contains(t, a.delivery(k).Reason, "newer version")
		require.Equal(t, 1, a.refetch())
		a.pass(time.Second)
		a.send()
		require.Equal(t, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
		require.Equal(t, a.told(k).Content().Version, a.delivery(k).Held)
		for _, v := range a.versions(k)[1:] {
			require.Equal(t, a.told(k).Content().Version, v, "the older version never went over the newer")
		}
	})
}

// Which of two versions of one second is the newer Shopify alone can tell: a
// restored copy may know the first of them, and the ERP hold the second. Found by
// the simulator.
func TestAnotherVersionOfTheSameSecondInTheERPIsBelievedUntilShopifyWasAsked(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.deliverWebhooksNot()
	require.True(t, a.shop.Apply(k.ID, "tag"))
	newest := a.told(k).Content().Version
	a.enterUpdate(k, newest)
	a.replay(k)
	a.send()
	require.Equal(t, 1, a.writes(k), "neither was sent over the other")
	require.Equal(t, 1, a.refetch())
	a.settleLater(time.Hour)
	require.Equal(t, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
	require.Equal(t, newest, a.delivery(k).Held)
}

// What a rule says of the older version says nothing of the newer.
func TestARuleDoesNotTakeOutADocumentThatIsNewerThanWhatWeKnow(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.deliverWebhooksNot()
	a.change(k, "tag")
	a.enterUpdate(k, a.told(k).Content().Version)
	a.under(nothing)
	a.replay(k)
	a.send()
	require.Len(t, a.erp.Live(ref("acme", k.ID)), 1)
	require.Contains(t, a.delivery(k).Reason, "newer version")
	a.refetch()
	a.settleLater(time.Minute)
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	require.Empty(t, a.erp.Live(ref("acme", k.ID)))
}

// The newer version may be the order's cancellation.
func TestACancelledDocumentThatIsNewerIsNotBroughtBackToLife(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a := build(t, in(tier))
		k := a.place()
		backup := filepath.Join(t.TempDir(), "copy.db")
		require.NoError(t, a.store.Backup(t.Context(), backup))
		a.pass(time.Minute)
		require.True(t, a.shop.Apply(k.ID, shopifytest.DoCancel))
		a.settleLater(time.Minute)
		require.Empty(t, a.erp.Live(ref("acme", k.ID)))

		a.reopen(backup)
		a.replay(k)
		a.pass(longest)
		a.send()
		require.Empty(t, a.erp.Live(ref("acme", k.ID)), "the older version was not sent over the newer")
		require.Contains(t, a.delivery(k).Reason, "newer version")
		a.refetch()
		a.settleLater(time.Minute)
		a.judge()
	})
}

// Somebody deleted the document, and the order's next change finds that out.
func TestAChangeOfADocumentThatIsGoneLooksItUpAndMakesItAnew(t *testing.T) {
	a := build(t, in(erp.TierB))
	k := a.place()
	require.True(t, a.erp.Remove(ref("acme", k.ID)))
	a.change(k, "tag")
	a.hear()
	a.send()
	require.Equal(t, store.StateUnknown, a.delivery(k).State)
	a.settleLater(2 * longest)
	a.judge()
}

// Shopify can't say more of an order that was deleted there.
func TestAVersionThatShopifyNeverTellsOfParksForAPerson(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.enterUpdate(k, epoch.AddDate(1, 0, 0).Format(time.RFC3339)+"/0badf00d")
	a.deliverWebhooksNot()
	a.shop.Delete(k.ID)
	a.replay(k)
	a.settleLater(time.Hour)
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Contains(t, d.Reason, "newer version")
	require.Contains(t, d.Hint, ref("acme", k.ID))
	require.Equal(t, 1, a.writes(k))
}

func TestADocumentThatTheERPLostIsMadeAnewOnReplay(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.replay(k)
	a.wire.nextOfAny(http.NotFound) // to the look-up
	a.send()
	require.Equal(t, 2, a.writes(k))
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
}
