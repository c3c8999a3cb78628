package ordersync

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// reconcile compares the last day, once what moved has settled.
func (a *appliance) reconcile(heal bool) Reconciliation {
	a.Helper()
	a.pass(5 * time.Minute)
	r, err := a.engine.Reconcile(a.Context(), "acme", Pass{Kind: store.RunReconcile, From: a.Now().Add(-24 * time.Hour), To: a.Now(), Heal: heal, By: "test"})
	require.NoError(a, err)
	return r
}

// gaps are the gaps of an order, oldest first.
func (a *appliance) gaps(k store.OrderKey) []store.Gap {
	a.Helper()
	gaps, err := a.store.Gaps(a.Context(), store.GapFilter{Shop: k.Shop, OrderID: k.ID, Limit: 100})
	require.NoError(a, err)
	for i, j := 0, len(gaps)-1; i < j; i, j = i+1, j-1 {
		gaps[i], gaps[j] = gaps[j], gaps[i]
	}
	return gaps
}

// gap is the one gap of an order.
func (a *appliance) gap(k store.OrderKey) store.Gap {
	a.Helper()
	gaps := a.gaps(k)
	require.Len(a, gaps, 1)
	return gaps[0]
}

// verify asks the ERP about all gaps that may be healed.
func (a *appliance) verify() {
	a.Helper()
	a.pass(time.Second)
	_, err := a.engine.VerifyGaps(a.Context())
	require.NoError(a, err)
}

func TestAHealthyDayBalancesAndCostsFewRequests(t *testing.T) {
	a := build(t, setup{})
	for range 30 {
		a.shop.Act()
	}
	a.settle()
	before := len(a.wire.said())
	r := a.reconcile(true)
	require.True(t, r.Balanced(), "%+v", r)
	require.EqualValues(t, len(a.shop.Orders()), r.Balance.Shopify.Orders)
	require.Empty(t, r.Faults)
	for _, call := range a.wire.said()[before:] {
		require.Contains(t, call, "GET orders", "the ERP is listed, no document is looked up")
	}
	require.Equal(t, a.Now().Add(-10*time.Minute), a.cursor().CompleteThrough, "what Shopify may not show yet was not compared")
}

func TestReconciliationFindsAndHealsEachFault(t *testing.T) {
	for name, c := range map[string]struct {
		tier   erp.Tier
		break_ func(*appliance, store.OrderKey)
		kind   string
		cause  string
		class  func(Reconciliation) int64
	}{
		"an order nobody told of": {
			break_: nil, kind: store.GapMissing, cause: CauseNeverCame, class: func(r Reconciliation) int64 { return r.Balance.Missing.Orders },
		},
		"a change nobody told of": {
			break_: func(a *appliance, k store.OrderKey) {
				a.pass(time.Second)
				require.True(a, a.shop.Apply(k.ID, shopifytest.DoTag))
				a.deliverWebhooksNot()
			}, kind: store.GapStale, cause: CauseNeverCame, class: func(r Reconciliation) int64 { return r.Balance.Wrong },
		},
		"a document that was deleted": {
			break_: func(a *appliance, k store.OrderKey) { require.True(a, a.erp.Delete(ref(k.Shop, k.ID))) },
			kind:   store.GapMissing, cause: CauseERPLost, class: func(r Reconciliation) int64 { return r.Balance.Missing.Orders },
		},
		"a document that was cancelled": {
			break_: func(a *appliance, k store.OrderKey) { require.True(a, a.erp.Cancel(ref(k.Shop, k.ID))) },
			kind:   store.GapMissing, cause: CauseERPCancelled, class: func(r Reconciliation) int64 { return r.Balance.Missing.Orders },
		},
		"a document of another total": {
			break_: func(a *appliance, k store.OrderKey) {
				require.True(a, a.erp.Reprice(ref(k.Shop, k.ID), erp.NewAmount(decimal.RequireFromString("1.23"), 2)))
			}, kind: store.GapMismatch, cause: CauseERPEdited, class: func(r Reconciliation) int64 { return r.Balance.Wrong },
		},
		"an older version": {
			break_: func(a *appliance, k store.OrderKey) { a.enterUpdate(k, "2026-11-22T00:00:00Z/00000000") },
			kind:   store.GapStale, cause: CauseNotUpdated, class: func(r Reconciliation) int64 { return r.Balance.Wrong },
		},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{tier: c.tier})
			var k store.OrderKey
			if c.break_ == nil {
				k = a.create()
				a.deliverWebhooksNot()
			} else {
				k = a.place()
				c.break_(a, k)
			}
			looked := a.reconcile(false)
			require.False(t, looked.Balanced())
			require.EqualValues(t, 1, looked.Faults[c.kind])
			require.EqualValues(t, 1, looked.Opened)
			require.EqualValues(t, 1, c.class(looked))
			g := a.gap(k)
			require.Equal(t, []string{c.kind, c.cause, store.GapOpen}, []string{g.Kind, g.Cause, g.State}, g.Detail)
			require.Zero(t, a.refetch()+a.send(), "looking changes nothing")

			healing := a.reconcile(true)
			require.Zero(t, healing.Opened, "it is known")
			require.Equal(t, store.GapHealing, a.gap(k).State)
			a.settle()
			require.Equal(t, store.GapHealing, a.gap(k).State, "only the ERP itself closes a gap")
			a.verify()
			require.Equal(t, store.GapClosed, a.gap(k).State, a.gap(k).Detail)
			require.Equal(t, store.RunReconcile, a.gap(k).HealedBy)
			a.judge()

			again := a.reconcile(true)
			require.True(t, again.Balanced(), "%+v", again)
			require.Empty(t, again.Faults)
			require.Zero(t, a.refetch()+a.send(), "reconciling again changes nothing")
		})
	}
}

func TestADoubledOrderIsAGapUntilAPersonHasCancelledOne(t *testing.T) {
	a := build(t, setup{tier: erp.TierB, erp: erptest.Options{NoKey: true}})
	k := a.place()
	a.enter(k, a.order(k).Version)
	r := a.reconcile(true)
	require.EqualValues(t, 1, r.Faults[store.GapDoubled])
	require.Equal(t, store.GapOpen, a.gap(k).State, "nobody cancels a document but a person")
	require.Zero(t, a.send())
	a.verify()
	require.Equal(t, store.GapOpen, a.gap(k).State)
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.pass(verifyAgain)
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
	require.True(t, a.reconcile(true).Balanced())
}

func TestAnOrderDeletedInShopifyKeepsItsDocumentAndAsksAPerson(t *testing.T) {
	for name, told := range map[string]bool{"with its webhook": true, "without": false} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			k := a.place()
			require.True(t, a.shop.Delete(k.ID))
			if told {
				a.hear()
				require.Equal(t, []string{CauseDeleted, store.GapOpen}, []string{a.gap(k).Cause, a.gap(k).State}, "a person is asked at once")
			} else {
				a.deliverWebhooksNot()
			}
			r := a.reconcile(true)
			require.EqualValues(t, 1, r.Faults[store.GapOrphan])
			require.Equal(t, CauseDeleted, a.gap(k).Cause)
			require.Zero(t, a.refetch()+a.send())
			require.Len(t, a.erp.Live(ref(k.Shop, k.ID)), 1, "the document stays")
			for range 2 {
				a.verify()
				require.Equal(t, store.GapOpen, a.gap(k).State, "the document is still there")
				a.pass(verifyAgain)
			}
			require.True(t, a.erp.Cancel(ref(k.Shop, k.ID)))
			a.verify()
			require.Equal(t, []string{store.GapClosed, "a person, in the ERP"}, []string{a.gap(k).State, a.gap(k).HealedBy})
			require.Empty(t, a.reconcile(true).Faults)
		})
	}
}

// The simulator found it: the order itself had left the window, and only its
// document, cancelled in the ERP, was still in it.
func TestADocumentIsNotRevivedForAnOrderDeletedBeforeTheWindow(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.shop.Delete(k.ID))
	a.deliverWebhooksNot()
	a.pass(25 * time.Hour)
	require.True(t, a.erp.Cancel(ref(k.Shop, k.ID)))
	require.Empty(t, a.reconcile(true).Faults, "%v", a.gaps(k))
	require.Zero(t, a.refetch()+a.send())
	require.Empty(t, a.erp.Live(ref(k.Shop, k.ID)))
}

func TestADocumentThatNobodyOrderedIsAnOrphan(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	stranger := store.OrderKey{Shop: "acme", ID: 4711}
	answer := httptest.NewRecorder()
	body := strings.NewReader(`{"ref": "acme-4711", "version": "v", "total": "1.00", "currency": "EUR"}`)
	a.erp.ServeHTTP(answer, httptest.NewRequest(http.MethodPut, "/orders/acme-4711", body))
	require.Equal(t, http.StatusCreated, answer.Code)
	r := a.reconcile(true)
	require.EqualValues(t, 1, r.Faults[store.GapOrphan])
	require.Equal(t, CauseNotOurs, a.gap(stranger).Cause)
	require.Empty(t, a.gaps(k))
	a.verify()
	require.Equal(t, store.GapOpen, a.gap(stranger).State)
	require.True(t, a.erp.Delete(ref("acme", 4711)))
	a.pass(verifyAgain)
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(stranger).State)
}

func TestASideThatCannotBeReadClosesNothingAndCompletesNothing(t *testing.T) {
	for name, blind := range map[string]func(*appliance){
		"Shopify": func(a *appliance) { a.shop.Break(20, shopifytest.Outage{Status: http.StatusForbidden}) },
		"the ERP": func(a *appliance) { a.erp.SetReadFaults(erptest.Mix{erptest.ServerError: 1}) },
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			k := a.place()
			require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
			through := a.reconcile(false).Run.To
			require.Equal(t, store.GapOpen, a.gap(k).State)
			complete := a.cursor().CompleteThrough
			require.False(t, complete.After(through))
			blind(a)
			r := a.reconcile(true)
			require.False(t, r.Complete)
			require.False(t, r.Balanced())
			require.Equal(t, store.RunPartial, r.Run.State)
			require.Contains(t, r.Notes[0], name)
			require.Equal(t, complete, a.cursor().CompleteThrough)
			require.NotEqual(t, store.GapClosed, a.gap(k).State)
		})
	}
}

func TestOrdersWithoutADocumentStandWhereTheyBelong(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{{Name: "dear", When: ".total | tonumber > 0", Then: erp.Exclude}}})
	a.create()
	a.settle()
	r := a.reconcile(true)
	require.True(t, r.Balanced(), "%+v", r)
	require.EqualValues(t, 1, r.Balance.Excluded.Orders)
	require.Equal(t, "dear", r.ByRule[0].Rule)
}

func TestAParkedOrderIsAGapThatClosesOnceTheERPHoldsIt(t *testing.T) {
	a := build(t, setup{erp: erptest.Options{SKUs: []string{}}})
	k := a.create()
	a.settle()
	g := a.gap(k)
	require.Equal(t, []string{store.GapParked, CauseOrderRefused, store.GapOpen}, []string{g.Kind, g.Cause, g.State})
	r := a.reconcile(true)
	require.EqualValues(t, 1, r.Balance.Parked.Orders)
	require.True(t, r.Balanced(), "a parked order is accounted for")
	require.Equal(t, store.GapOpen, a.gap(k).State)
}

func TestAnOrderThatWaitsTooLongIsAGap(t *testing.T) {
	a := build(t, setup{faults: erptest.Mix{erptest.ServerError: 1}})
	k := a.create()
	a.settle()
	n, err := a.engine.FindStuck(t.Context(), "acme")
	require.NoError(t, err)
	require.Zero(t, n)
	a.pass(20 * time.Minute)
	for _, want := range []int{1, 0} {
		n, err = a.engine.FindStuck(t.Context(), "acme")
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
	require.Equal(t, CauseERPFailed, a.gap(k).Cause)
	a.erp.SetFaults(nil)
	a.settleLater(2 * time.Hour)
	a.verify()
	require.Equal(t, store.GapClosed, a.gap(k).State)
	a.judge()
}

func TestADayIsNotBalancedWhileItsOrdersAreOnTheWayForTooLong(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	a.reconfigure(func(c *Config) { c.Report = ReportConfig{At: 7 * time.Hour, Channels: []Channel{box}} })
	a.place()
	a.erp.SetFaults(erptest.Mix{erptest.Unavailable: 1})
	k := a.create()
	a.settle()
	r := a.reconcile(true)
	require.True(t, r.Balanced(), "within the time allowed")
	require.Equal(t, []int64{1, 0}, []int64{r.Balance.Pending.Orders, r.Balance.Overdue})
	a.pass(15 * time.Minute)
	r = a.reconcile(true)
	require.False(t, r.Balanced())
	require.Equal(t, []int64{1, 1}, []int64{r.Balance.Pending.Orders, r.Balance.Overdue})
	require.Empty(t, r.Faults, "the look for stuck orders finds the gap")
	require.Empty(t, a.gaps(k))

	a.until(1, 7, 0)
	day, err := a.engine.compareDay(t.Context(), "acme", "2026-11-23", true, "test")
	require.NoError(t, err)
	require.False(t, day.Balanced())
	require.Equal(t, "acme, 23 November 2026, NOT BALANCED: 1 order on the way for too long.", day.Headline())
	a.erp.SetFaults(nil)
	a.settleLater(2 * time.Hour)
	require.True(t, a.reconcile(true).Balanced())
	require.True(t, a.report("2026-11-23").Balanced())
}

func TestAnOrderWhoseBeingStuckWasIgnoredUnbalancesNothingUntilItIsAboutSomethingNew(t *testing.T) {
	a := build(t, setup{})
	a.erp.SetFaults(erptest.Mix{erptest.Unavailable: 1})
	k := a.create()
	a.settle()
	a.pass(20 * time.Minute)
	stuck := func() int {
		n, err := a.engine.FindStuck(t.Context(), "acme")
		require.NoError(t, err)
		return n
	}
	require.Equal(t, 1, stuck())
	require.False(t, a.reconcile(false).Balanced())
	require.NoError(t, a.engine.IgnoreGap(t.Context(), a.gap(k).ID, "ann", "the ERP moves house"))
	r := a.reconcile(false)
	require.True(t, r.Balanced())
	require.Equal(t, []int64{1, 0, 1}, []int64{r.Balance.Pending.Orders, r.Balance.Overdue, r.IgnoredStuck})
	require.Zero(t, stuck())

	a.change(k, shopifytest.DoTag)
	a.settle()
	a.pass(20 * time.Minute)
	require.EqualValues(t, 1, a.reconcile(false).Balance.Overdue)
	require.Equal(t, 1, stuck(), "people hear of it")
	require.Equal(t, store.GapOpen, a.gap(k).State)
}

// A backfill takes hours, and today's orders go first.
func TestOrdersOfThePastThatWaitForTheirTurnAreNotOnTheWayForTooLong(t *testing.T) {
	a := past(t, 5, shopifytest.Options{})
	n := int64(len(a.shop.Orders()))
	require.Equal(t, store.RunDone, a.carryOn(a.backfill()).State)
	a.pass(time.Hour)
	r := a.reconcile(true)
	require.True(t, r.Balanced(), "%+v", r)
	require.Equal(t, []int64{n, 0}, []int64{r.Balance.Pending.Orders, r.Balance.Overdue})
	a.erp.SetFaults(erptest.Mix{erptest.Unavailable: 1})
	a.send() // their turn has come, and the ERP does not take them
	r = a.reconcile(true)
	require.False(t, r.Balanced())
	require.Equal(t, []int64{n, n}, []int64{r.Balance.Pending.Orders, r.Balance.Overdue})
}

func TestAnIgnoredGapStaysIgnoredUntilItIsAboutSomethingNew(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.reconcile(false)
	require.ErrorContains(t, a.engine.IgnoreGap(t.Context(), a.gap(k).ID, "ann", " "), "say why")
	require.NoError(t, a.engine.IgnoreGap(t.Context(), a.gap(k).ID, "ann", "settled in cash"))
	a.reconcile(true)
	require.Equal(t, store.GapIgnored, a.gap(k).State)
	require.Zero(t, a.send(), "what is ignored is left alone")
	a.pass(time.Second)
	require.True(t, a.shop.Apply(k.ID, shopifytest.DoTag))
	a.settle()
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.reconcile(true)
	require.Equal(t, store.GapHealing, a.gap(k).State)
}

func TestAGapThatComesBackIsOpenedAgain(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	for range 2 {
		require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
		a.reconcile(true)
		a.settle()
		a.verify()
	}
	g := a.gap(k)
	require.Equal(t, store.GapClosed, g.State)
	require.Equal(t, 1, g.Reopened)
	steps, err := a.store.GapSteps(t.Context(), g.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"opened", "healing", "closed", "reopened", "healing", "closed"}, names(steps))
}

func names(steps []store.GapStep) (all []string) {
	for _, s := range steps {
		all = append(all, s.Step)
	}
	return all
}
