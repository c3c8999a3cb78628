package ordersync

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
	"gapless/store"
	"gapless/sync/report"
)

// whats are the amendments of a day in words.
func (a *appliance) whats(day string) (all []string) {
	a.Helper()
	for _, amended := range a.report(day).Amendments {
		all = append(all, amended.What)
	}
	return all
}

func TestAmendmentsTellWhatTheOrdersOfADayAreWorthNowAndWhichWereCancelled(t *testing.T) {
	a, _ := reporting(t)
	edited, cancelled, tagged := a.place(), a.place(), a.place()
	a.until(1, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	frozen := a.report("2026-11-23")
	require.Empty(t, frozen.Amendments)
	require.Equal(t, frozen.Balance.Shopify, *frozen.Known)

	a.until(1, 8, 0)
	a.change(tagged, shopifytest.DoTag)
	a.settle()
	require.Empty(t, a.whats("2026-11-23"), "nothing that the report told of is otherwise now")
	a.until(1, 9, 0)
	a.change(edited, shopifytest.DoEdit)
	a.settle()
	now, err := a.engine.compareDay(t.Context(), "acme", "2026-11-23", false, "test")
	require.NoError(t, err)
	worth := now.Balance.Shopify.Revalued(frozen.Balance.Shopify)
	require.Len(t, worth, 1)
	r := a.report("2026-11-23")
	require.Equal(t, []report.Amendment{{At: a.order(edited).UpdatedAt, What: worth[0]}}, r.Amendments)
	require.Equal(t, frozen.Balance, r.Balance, "the figures stay")

	a.until(1, 10, 0)
	a.change(cancelled, shopifytest.DoCancel)
	a.settle()
	require.Contains(t, a.whats("2026-11-23"), a.order(cancelled).Name+" was cancelled in Shopify")
	require.Empty(t, a.whats("2026-11-24"))
}

func TestManyOrdersThatWereCancelledAreToldByNameAndThenByNumber(t *testing.T) {
	final := epoch.Add(time.Hour)
	var many afterwards
	for i := range 23 {
		many.take(store.Placed{Name: fmt.Sprint("#", i), UpdatedAt: final, CancelledAt: final.Add(time.Duration(i) * time.Minute)}, final)
	}
	told := many.amendments(report.Report{FrozenAt: final, Known: &report.Tally{}})
	require.Len(t, told, 21)
	require.Equal(t, report.Amendment{At: final.Add(time.Minute), What: "#1 was cancelled in Shopify"}, told[0], "not one that was cancelled before")
	require.Equal(t, report.Amendment{At: final.Add(22 * time.Minute), What: "cancelled in Shopify, too: 2 more orders of this day"}, told[20])
}

// What was not known then, or was deleted before, is in neither sum; what was heard
// late, of before, is no change since.
func TestOnlyWhatChangedInShopifySinceADayIsFinalChangesWhatItIsWorth(t *testing.T) {
	final := epoch.Add(time.Hour)
	known := store.Placed{Currency: "EUR", Total: "10.00", FirstSeenAt: epoch, UpdatedAt: epoch}
	before := report.Tally{}
	add(&before, "EUR", amountOf("10.00"))
	for name, c := range map[string]struct {
		change func(*store.Placed)
		worth  string // now; empty: nothing is told
	}{
		"the same":                 {func(*store.Placed) {}, ""},
		"changed":                  {func(o *store.Placed) { o.Total, o.UpdatedAt = "4.00", final.Add(time.Minute) }, "4.00 EUR"},
		"changed, for as much":     {func(o *store.Placed) { o.UpdatedAt = final.Add(time.Minute) }, ""},
		"deleted":                  {func(o *store.Placed) { o.DeletedAt = final.Add(time.Minute) }, "0.00 EUR"},
		"changed before":           {func(o *store.Placed) { o.Total = "4.00" }, ""},
		"changed, another came up": {func(o *store.Placed) { o.Total, o.UpdatedAt = "4.00", final.Add(time.Minute) }, "4.00 EUR"},
	} {
		t.Run(name, func(t *testing.T) {
			o, unknown := known, known
			c.change(&o)
			unknown.FirstSeenAt, unknown.UpdatedAt = final.Add(time.Second), final.Add(time.Hour)
			var since afterwards
			since.take(o, final)
			since.take(unknown, final)
			told := since.amendments(report.Report{FrozenAt: final, Known: &before})
			if c.worth == "" {
				require.Empty(t, told)
				return
			}
			require.Equal(t, []report.Amendment{{At: final.Add(time.Minute), What: "the orders of this day are worth " + c.worth + " now, not 10.00 EUR, by changes in Shopify since"}}, told)
		})
	}
}

const hasArrived = "what was on the way when the day became final has arrived"

// pendingAtSeven is an order of the day before that is on the way when its report
// becomes final.
func pendingAtSeven(t *testing.T) (*appliance, store.OrderKey) {
	a, _ := reporting(t)
	k := a.place()
	a.until(1, 6, 55)
	a.erp.SetFaults(erptest.Mix{erptest.Unavailable: 1})
	a.change(k, shopifytest.DoTag)
	a.settle()
	a.until(1, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	r := a.report("2026-11-23")
	require.True(t, r.Balanced())
	require.EqualValues(t, 1, r.Balance.Pending.Orders)
	require.Empty(t, r.Amendments)
	return a, k
}

func TestAnAmendmentTellsThatWhatWasOnTheWayHasArrived(t *testing.T) {
	a, k := pendingAtSeven(t)
	a.until(1, 8, 0)
	a.send()
	require.Empty(t, a.whats("2026-11-23"), "it is on the way still")
	a.erp.SetFaults(nil)
	a.settleLater(2 * time.Hour)
	arrived := []report.Amendment{{At: a.delivery(k).ChangedAt, What: hasArrived}}
	require.Equal(t, arrived, a.report("2026-11-23").Amendments)
	a.until(2, 9, 0)
	require.Equal(t, arrived, a.report("2026-11-23").Amendments)
}

func TestWhatWasOnTheWayAndIsParkedHasNotArrived(t *testing.T) {
	a, k := pendingAtSeven(t)
	a.until(1, 8, 0)
	a.erp.SetFaults(nil)
	rules, err := erp.CompileRules([]erp.Rule{waits})
	require.NoError(t, err)
	a.reconfigure(func(c *Config) { c.Rules = rules })
	a.settleLater(2 * time.Hour)
	require.Equal(t, store.StateParked, a.delivery(k).State)
	told := a.whats("2026-11-23")
	require.Len(t, told, 1, "%v", told)
	require.Contains(t, told[0], a.order(k).Name+" was found later")
}

func TestWhatWasOnTheWayAndIsDeletedHasNotArrived(t *testing.T) {
	a, k := pendingAtSeven(t)
	a.until(1, 8, 0)
	a.erp.SetFaults(nil)
	a.change(k, shopifytest.DoDelete)
	a.settleLater(2 * time.Hour)
	require.False(t, a.order(k).DeletedAt.IsZero())
	require.NotContains(t, a.whats("2026-11-23"), hasArrived)
}

// Of a change that Shopify lists, and of which nothing was heard yet, the order rests
// here: what it is on the way with comes later.
func TestWhatShopifyListedWhenADayBecameFinalHasArrivedOnlyOnceItWasHeardOf(t *testing.T) {
	final := epoch.Add(time.Hour)
	unheard, heard := store.Placed{RestedAt: epoch}, store.Placed{}
	due := store.Placed{RestedAt: final.Add(time.Minute)}
	for name, c := range map[string]struct {
		orders []store.Placed
		told   bool
	}{
		"nothing was heard of it":      {[]store.Placed{unheard}, false},
		"nor of it, beside an arrival": {[]store.Placed{unheard, due}, false},
		"both have arrived":            {[]store.Placed{heard, due}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var since afterwards
			for _, o := range c.orders {
				since.take(o, final)
			}
			r := report.Report{FrozenAt: final, Known: &report.Tally{}, Balance: report.Balance{Pending: report.Tally{Orders: int64(len(c.orders))}}}
			require.Equal(t, c.told, len(since.amendments(r)) == 1)
		})
	}
}

func TestAReportThatAnOlderVersionFrozeTellsNothingNewOfItsOrders(t *testing.T) {
	a, _ := reporting(t)
	k := a.place()
	a.until(1, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	var fields map[string]any
	require.NoError(t, json.Unmarshal(a.kept("2026-11-23").Content, &fields))
	delete(fields, "known")
	content, err := json.Marshal(fields)
	require.NoError(t, err)
	require.NoError(t, a.store.SaveReport(t.Context(), &store.Report{Shop: "acme", Day: "2026-11-23", Balanced: true, Content: content}))
	a.change(k, shopifytest.DoCancel)
	a.settle()
	require.Empty(t, a.whats("2026-11-23"))
}
