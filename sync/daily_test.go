package ordersync

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
	"gapless/sync/alert"
	"gapless/sync/report"
)

// postbox is a channel that keeps what it is given, or refuses it.
type postbox struct {
	refuses error
	got     []alert.Message
	tried   []string // the ids of all that came, refused or not
}

func (p *postbox) Name() string { return "postbox" }

func (p *postbox) Send(_ context.Context, m alert.Message) error {
	p.tried = append(p.tried, m.ID)
	if p.refuses != nil {
		return p.refuses
	}
	p.got = append(p.got, m)
	return nil
}

// until moves the clock to a time of the epoch's day, or of a later one.
func (a *appliance) until(day, hour, minute int) {
	a.Helper()
	at := time.Date(epoch.Year(), epoch.Month(), epoch.Day()+day, hour, minute, 0, 0, time.UTC)
	require.True(a, at.After(a.Now()))
	a.pass(at.Sub(a.Now()))
}

func (a *appliance) report(day string) report.Report {
	a.Helper()
	r, err := a.engine.Report(a.Context(), "acme", day, false, "test")
	require.NoError(a, err)
	return r
}

func TestADayThatIsNotOverIsCheckedSoFar(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	a.place()
	a.pass(time.Hour)
	r := a.report("2026-11-23")
	require.False(t, r.Complete)
	require.Equal(t, a.Now().Add(-10*time.Minute), r.CompleteThrough)
	require.Contains(t, r.Headline(), "checked through")
	_, err := a.engine.Report(t.Context(), "acme", "2026-11-24", false, "test")
	require.ErrorContains(t, err, "has not begun")
	_, err = a.engine.Report(t.Context(), "acme", "yesterday", false, "test")
	require.ErrorContains(t, err, "not a day")
	_, err = a.engine.Report(t.Context(), "nobody", "2026-11-23", false, "test")
	require.ErrorContains(t, err, "no shop named")
}

func TestTheReportIsMadeInTheMorningFrozenAndSentOnce(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	a.reconfigure(func(c *Config) { c.Report = ReportConfig{At: 7 * time.Hour, Channels: []Channel{box}} })
	a.place()
	lost := a.create()
	a.deliverWebhooksNot()
	a.until(1, 6, 59)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	_, err := a.store.Report(t.Context(), "acme", "2026-11-23")
	require.ErrorIs(t, err, store.ErrNotFound, "not before its time")

	a.until(1, 7, 0)
	mended := a.whileResting()
	require.NoError(t, a.engine.reportsDue(t.Context()))
	mended()
	frozen, err := a.store.Report(t.Context(), "acme", "2026-11-23")
	require.NoError(t, err)
	require.True(t, frozen.Balanced, string(frozen.Content))
	r := a.report("2026-11-23")
	require.EqualValues(t, 2, r.Balance.ERP.Orders)
	require.Equal(t, []string{"missing"}, []string{r.Gaps[0].Kind})
	require.Equal(t, lost.ID, r.Gaps[0].OrderID)

	require.NoError(t, a.engine.reportsDue(t.Context()))
	require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
	require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
	require.Len(t, box.got, 1)
	require.Equal(t, r.Headline(), box.got[0].Subject)
	require.Contains(t, box.got[0].Text, "2 orders in Shopify")
	require.Contains(t, box.got[0].HTML, "<html")
}

// whileResting does, in the background, what the engine's loops would, until the
// report's own look finds everything at rest.
func (a *appliance) whileResting() (stop func()) {
	ctx, cancel := context.WithCancel(a.Context())
	done := make(chan struct{})
	changes, unwatch := a.store.Watch(store.Refetches | store.Deliveries | store.Events)
	go func() {
		defer close(done)
		for {
			select {
			case <-ctx.Done():
				return
			case <-changes:
			}
			for _, r := range a.doubts() {
				a.engine.Refetch(ctx, r)
			}
			a.engine.Intake(ctx)
			a.send()
			a.engine.VerifyGaps(ctx)
		}
	}()
	return func() { cancel(); <-done; unwatch() }
}

func TestAnAmendmentTellsWhenAGapWasLeftAsItIs(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	require.NoError(t, a.engine.Recover(t.Context()))
	k := a.place()
	require.True(t, a.shop.Delete(k.ID))
	a.hear()
	a.reconcile(true)
	require.Equal(t, store.GapOrphan, a.gap(k).Kind)
	a.until(1, 7, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	a.until(1, 9, 0)
	ignored := a.Now()
	require.NoError(t, a.engine.IgnoreGap(t.Context(), a.gap(k).ID, "ann", "settled in cash"))
	a.until(1, 15, 0)
	r := a.report("2026-11-23")
	require.Len(t, r.Amendments, 1)
	require.Equal(t, ignored, r.Amendments[0].At)
}

func TestReportsOfDaysThatWereMissedAreCaughtUpWith(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	a.reconfigure(func(c *Config) { c.Report = ReportConfig{At: 7 * time.Hour, Channels: []Channel{box}} })
	a.place()
	a.until(4, 9, 0)
	require.NoError(t, a.engine.reportsDue(t.Context()))
	require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
	require.Len(t, box.got, 4, "23, 24, 25 and 26 November; not the days before Gapless began")
	all, err := a.store.Reports(t.Context(), "acme", "2026-11-01", "2026-11-30")
	require.NoError(t, err)
	require.Len(t, all, 4)
}

func TestAReportWaitsUntilBothEndsCanBeRead(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	require.NoError(t, a.engine.Recover(t.Context()))
	a.place()
	a.until(1, 7, 0)
	require.NoError(t, a.engine.learnShop(t.Context(), a.engine.shops["acme"]))
	a.shop.Break(100, shopifytest.Outage{Status: http.StatusForbidden})
	require.ErrorContains(t, a.engine.reportsDue(t.Context()), "waits until all sides can be read")
	_, err := a.store.Report(t.Context(), "acme", "2026-11-23")
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestPeopleHearOfGapsThatStayAndThatTheyAreClosed(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{})
	a.reconfigure(func(c *Config) {
		c.Alerts = AlertConfig{Channels: []Channel{box}, After: 15 * time.Minute, Remind: 24 * time.Hour}
	})
	tell := func() int {
		require.NoError(t, a.engine.tellGaps(t.Context()))
		require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
		return len(box.got)
	}
	k, other := a.place(), a.place()
	for _, gone := range []store.OrderKey{k, other} {
		require.True(t, a.erp.Delete(ref(gone.Shop, gone.ID)))
	}
	a.reconcile(false)
	require.Zero(t, tell(), "a gap that heals soon alerts nobody")
	a.pass(15 * time.Minute)
	require.Equal(t, 1, tell(), "one letter for both")
	require.Contains(t, box.got[0].Subject, "2 new")
	require.Contains(t, box.got[0].Text, a.order(k).Name)
	a.pass(time.Hour)
	require.Equal(t, 1, tell())
	a.pass(24 * time.Hour)
	require.Equal(t, 2, tell())
	require.Contains(t, box.got[1].Subject, "2 still open")
	a.replay(k)
	a.settle()
	a.verify()
	a.pass(alertPause)
	require.Equal(t, 3, tell())
	require.Contains(t, box.got[2].Subject, "1 closed")
	a.pass(time.Hour)
	require.Equal(t, 3, tell())
}

func TestALetterThatIsNotTakenIsSentLater(t *testing.T) {
	box := &postbox{refuses: &alert.Error{Channel: "postbox", Reason: "busy", After: 10 * time.Minute}}
	a := build(t, setup{})
	a.reconfigure(func(c *Config) { c.Report.Channels = []Channel{box} })
	_, err := a.engine.SendReport(t.Context(), report.Report{Shop: "acme", Day: "2026-11-23", Timezone: "UTC"})
	require.NoError(t, err)
	require.ErrorContains(t, a.engine.sendLetters(t.Context(), "postbox"), "busy")
	n, why, err := a.store.UnsentLetters(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Contains(t, why, "busy")
	box.refuses = nil
	require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
	require.Empty(t, box.got, "the channel asked to be left alone")
	a.pass(10 * time.Minute)
	require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
	require.Len(t, box.got, 1)
	box.refuses = errors.New("off")
	require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"), "what was taken is not sent again")
}

// slow is a channel that takes nothing until it is let, and then tells.
type slow struct {
	name  string
	let   chan struct{}
	taken chan string
}

func (c slow) Name() string { return c.name }

func (c slow) Send(ctx context.Context, m alert.Message) error {
	select {
	case <-c.let:
		c.taken <- m.Subject
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func TestAChannelThatDoesNotAnswerHoldsUpNoOther(t *testing.T) {
	dead := slow{"email", make(chan struct{}), nil}
	alive := slow{"slack", make(chan struct{}), make(chan string, 2)}
	close(alive.let)
	a := build(t, setup{})
	a.reconfigure(func(c *Config) { c.Report.Channels = []Channel{dead, alive} })
	for _, day := range []string{"2026-11-22", "2026-11-23"} {
		_, err := a.engine.SendReport(t.Context(), report.Report{Shop: "acme", Day: day, Timezone: "UTC"})
		require.NoError(t, err)
	}
	a.run()
	require.Contains(t, <-alive.taken, "22 November")
	require.Contains(t, <-alive.taken, "23 November")
}

func TestAReportWritesInEveryFormat(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{Zone: time.UTC}})
	a.place()
	a.pass(time.Hour)
	for _, format := range []string{report.FormatText, report.FormatHTML, report.FormatCSV, report.FormatJSON} {
		var b bytes.Buffer
		require.NoError(t, a.report("2026-11-23").Write(&b, format))
		require.True(t, slices.Contains(b.Bytes(), '1'), format)
	}
}
