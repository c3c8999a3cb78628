package ordersync

import (
	"errors"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/shopify/shopifytest"
	"gapless/store"
	"gapless/sync/report"
)

// killedAt leaves a comparison of a day under way, as a command does that is killed.
func (a *appliance) killedAt(day string) {
	a.Helper()
	from, to, err := report.DayBounds(day, time.UTC)
	require.NoError(a, err)
	guest, err := store.Open(a.Context(), store.Options{Path: a.path, Guest: true, Now: a.clock.Now})
	require.NoError(a, err)
	require.NoError(a, guest.BeginRun(a.Context(), &store.Run{Shop: "acme", Kind: store.RunDay, By: "the command line", From: from, To: to}))
	require.NoError(a, guest.Close())
}

func (a *appliance) kept(day string) store.Report {
	a.Helper()
	r, err := a.store.Report(a.Context(), "acme", day)
	require.NoError(a, err)
	return r
}

// reporting is an appliance in UTC whose report is due at seven, and goes to box.
func reporting(t *testing.T) (*appliance, *postbox) {
	box := &postbox{}
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	a.reconfigure(func(c *Config) { c.Report = ReportConfig{At: 7 * time.Hour, Channels: []Channel{box}} })
	a.place()
	return a, box
}

func (a *appliance) lettersSent() {
	a.Helper()
	require.NoError(a, a.engine.sendLetters(a.Context(), "postbox"))
}

// toldUnchecked has the report of the epoch's day say that the day can't be checked:
// the ERP's list is broken.
func (a *appliance) toldUnchecked() *meddled {
	a.Helper()
	meddled := a.meddle()
	meddled.list = noList
	require.Error(a, a.engine.reportsDue(a.Context()))
	a.pass(uncheckedIn + time.Hour)
	require.Error(a, a.engine.reportsDue(a.Context()))
	require.True(a, a.kept("2026-11-23").Partial)
	return meddled
}

func TestADayWhoseComparisonWasKilledDoesNotStopTheReports(t *testing.T) {
	a, box := reporting(t)
	a.until(4, 9, 0)
	a.killedAt("2026-11-23")
	require.ErrorContains(t, a.engine.reportsDue(t.Context()), store.ErrRunning.Error())
	a.lettersSent()
	require.Len(t, box.got, 3, "24, 25 and 26 November")

	a.pass(time.Hour)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	a.lettersSent()
	require.Len(t, box.got, 4)
	require.True(t, a.kept("2026-11-23").Balanced)
}

func TestADayThatCanNotBeCheckedIsTriedLaterAndLater(t *testing.T) {
	a, _ := reporting(t)
	a.until(1, 7, 0)
	tries := 0
	a.meddle().list = func(time.Time, func(erp.Found) error) error {
		tries++
		return errors.New("the list is broken")
	}
	for range 24 * 60 {
		a.engine.reportsDue(t.Context())
		a.pass(time.Minute)
	}
	require.Less(t, tries, 120, "on the first day")
	require.Greater(t, tries, 24)
}

func TestPeopleHearThatADayCanNotBeCheckedAndWhenItIs(t *testing.T) {
	a, box := reporting(t)
	a.until(1, 7, 0)
	meddled := a.meddle()
	meddled.list = noList
	require.ErrorContains(t, a.engine.reportsDue(t.Context()), "waits until all sides can be read")
	a.pass(uncheckedIn - time.Minute)
	require.Error(t, a.engine.reportsDue(t.Context()))
	a.lettersSent()
	require.Empty(t, box.got, "it may be over soon")

	a.pass(2 * time.Hour)
	require.Error(t, a.engine.reportsDue(t.Context()))
	a.pass(2 * time.Hour)
	require.Error(t, a.engine.reportsDue(t.Context()))
	a.lettersSent()
	require.Len(t, box.got, 1, "once")
	require.Equal(t, "acme, 23 November 2026, COULD NOT BE CHECKED: the ERP could not be read whole: the list is broken.", box.got[0].Subject)
	require.Contains(t, box.got[0].Text, "Gapless goes on trying")
	told := a.kept("2026-11-23")
	require.Equal(t, []bool{false, true}, []bool{told.Balanced, told.Partial})

	a.until(15, 9, 0) // long after days that were missed are given up
	meddled.list = nil
	require.NoError(t, a.engine.reportsDue(t.Context()))
	a.lettersSent()
	done := a.kept("2026-11-23")
	require.Equal(t, []any{2, true, false}, []any{done.Revision, done.Balanced, done.Partial})
	r := a.report("2026-11-23")
	require.True(t, r.Complete)
	require.Len(t, r.Amendments, 1)
	require.Contains(t, r.Amendments[0].What, "said that it could not be: the ERP could not be read whole: the list is broken")
	require.Equal(t, r.Headline(), box.got[1].Subject)
}

func TestTheReportOfADayThatCouldNotBeCheckedIsNotFinal(t *testing.T) {
	a, _ := reporting(t)
	a.until(1, 7, 0)
	meddled := a.toldUnchecked()
	r, err := a.engine.LastReport(t.Context(), "acme", "2026-11-23")
	require.NoError(t, err)
	require.NotEmpty(t, r.Unchecked)
	meddled.list = nil
	require.Empty(t, a.report("2026-11-23").Unchecked, "asked for, it is compared anew")
}

func gapNamed(r report.Report, id int64) report.Gap {
	for _, g := range r.Gaps {
		if g.OrderID == id {
			return g
		}
	}
	return report.Gap{}
}

// A day's report tells of the gaps of its own orders, whenever they were found.
func TestAReportListsWhatIsMissingOfItsDayThoughItWasFoundLater(t *testing.T) {
	a, _ := reporting(t)
	require.NoError(t, a.engine.Recover(t.Context()))
	k := a.place()
	a.until(3, 9, 0)
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	r := a.report("2026-11-23")
	require.EqualValues(t, 1, r.Balance.Missing.Orders)
	require.Equal(t, store.GapMissing, gapNamed(r, k.ID).Kind)
	require.Zero(t, gapNamed(a.report("2026-11-25"), k.ID), "it is no matter of another day")
}

func TestAnAmendmentTellsOfWhatIsLostAndFoundAgain(t *testing.T) {
	a, _ := reporting(t)
	require.NoError(t, a.engine.Recover(t.Context()))
	k := a.place()
	a.until(1, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	require.Empty(t, a.report("2026-11-23").Amendments)
	before := a.report("2026-11-23").Balance
	lost := func() {
		t.Helper()
		a.pass(time.Hour)
		require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
		later, err := a.engine.compareDay(t.Context(), "acme", "2026-11-23", true, "test")
		require.NoError(t, err)
		require.False(t, later.Balance.Balanced())
	}
	mended := func() {
		t.Helper()
		a.pass(time.Hour)
		a.settle()
		a.verify()
		require.Equal(t, store.GapClosed, a.gap(k).State)
	}
	lost()
	mended()
	lost()
	mended()
	r := a.report("2026-11-23")
	require.Equal(t, before, r.Balance, "the figures stay")
	require.Len(t, r.Amendments, 4)
	for i, what := range []string{"was found later", "is in order since", "is no longer in order", "is in order since"} {
		require.Contains(t, r.Amendments[i].What, what)
	}
}

func TestAReplayThatDidNotHelpIsNoAmendment(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}, rules: []erp.Rule{waits}})
	a.reconfigure(func(c *Config) { c.Report = ReportConfig{At: 7 * time.Hour, Channels: []Channel{box}} })
	k := a.create()
	a.settle()
	a.until(1, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	a.until(1, 9, 0)
	_, err := a.engine.ReplayGaps(t.Context(), []int64{a.gap(k).ID}, "ann")
	require.NoError(t, err)
	a.settle()
	require.Equal(t, []string{store.GapParked, store.GapOpen}, []string{a.gap(k).Kind, a.gap(k).State})
	require.Empty(t, a.report("2026-11-23").Amendments, "it was not in order before either")
}

func TestAnAmendmentStaysThoughItsGapComesBackOnAnotherDay(t *testing.T) {
	a, _ := reporting(t)
	k := a.place()
	edited := func() {
		require.True(t, a.erp.Reprice(ref(k.Shop, k.ID), erp.NewAmount(decimal.RequireFromString("1.23"), 2)))
	}
	found := func() {
		t.Helper()
		_, err := a.engine.compareDay(t.Context(), "acme", "2026-11-23", false, "test")
		require.NoError(t, err)
		require.Equal(t, store.GapOpen, a.gap(k).State)
	}
	a.until(1, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	a.until(1, 22, 0)
	edited()
	a.until(2, 6, 0)
	found()
	a.until(2, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	require.NotZero(t, gapNamed(a.report("2026-11-24"), k.ID), "it began on that day")
	a.until(2, 9, 0)
	a.settle()
	a.verify()
	a.until(4, 8, 0)
	edited()
	a.until(4, 9, 0)
	found()
	r := a.report("2026-11-24")
	require.Len(t, r.Amendments, 2)
	require.Contains(t, r.Amendments[0].What, "is in order since")
	require.Contains(t, r.Amendments[1].What, "is no longer in order")
	require.Equal(t, a.Now(), gapNamed(a.report("2026-11-27"), k.ID).FirstSeen, "and that day's report tells of it, too")
}

func TestALargerWindowOfComparisonsLosesNoReport(t *testing.T) {
	a, box := reporting(t)
	a.until(2, 6, 30)
	a.reconfigure(func(c *Config) { c.Shops[0].Reconcile.Window = 7 * 24 * time.Hour })
	a.until(2, 9, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	a.lettersSent()
	require.Len(t, box.got, 2, "23 and 24 November")
}

// What was placed then was another's to carry.
func TestABackfillBringsNoReportsOfDaysBeforeGaplessWasThere(t *testing.T) {
	a, box := reporting(t)
	run, err := a.engine.StartBackfill(t.Context(), "acme", epoch.AddDate(0, 0, -5), a.Now(), "test")
	require.NoError(t, err)
	a.pass(time.Second)
	require.Equal(t, store.RunDone, a.carryOn(run).State)
	require.Equal(t, epoch.AddDate(0, 0, -5), a.cursor().BeganAt)
	a.until(1, 9, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	a.lettersSent()
	require.Len(t, box.got, 1, "23 November")
}
