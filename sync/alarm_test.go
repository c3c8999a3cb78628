package ordersync

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/store"
)

// watched is an appliance whose people hear of comparisons that keep failing. One
// was complete.
func watched(t *testing.T) (*appliance, *meddled, *postbox) {
	t.Helper()
	box := &postbox{}
	a := build(t, setup{})
	a.reconfigure(func(c *Config) { c.Alerts = AlertConfig{Channels: []Channel{box}, Remind: 24 * time.Hour} })
	require.NoError(t, a.byClock())
	return a, a.meddle(), box
}

// hours lets some pass, each with what the clock does in it, and says how many
// letters people have.
func (a *appliance) hours(n int, box *postbox) int {
	a.Helper()
	for range n {
		_ = a.byClock() // fails where the test has it so
		a.alarms(box)
		a.pass(time.Hour)
	}
	return len(box.got)
}

// alarms tells people what they should hear of now, and says how many letters they
// have.
func (a *appliance) alarms(box *postbox) int {
	a.Helper()
	require.NoError(a, a.engine.tellBlind(a.Context()))
	require.NoError(a, a.engine.sendLetters(a.Context(), "postbox"))
	return len(box.got)
}

func noList(time.Time, func(erp.Found) error) error { return errors.New("the list is broken") }

// noListFarBack has the ERP fail to list what is old.
func (a *appliance) noListFarBack(m *meddled) {
	m.list = func(since time.Time, yield func(erp.Found) error) error {
		if a.Now().Sub(since) > deepest/2 {
			return errors.New("the list of old documents is broken")
		}
		return m.Adapter.List(a.Context(), since, yield)
	}
}

func TestPeopleHearOfComparisonsThatKeepFailingAndThatTheyWorkAgain(t *testing.T) {
	a, meddled, box := watched(t)
	meddled.list = noList
	require.Zero(t, a.hours(3, box), "it may be over soon")
	require.Equal(t, 1, a.hours(1, box))
	require.Contains(t, box.got[0].Subject, "acme can't be compared with books since 2026-11-23T")
	require.Contains(t, box.got[0].Text, "The regular comparison fails.")
	require.Contains(t, box.got[0].Text, "the list is broken")
	a.reconfigure(func(*Config) {}) // as after a restart
	require.Equal(t, 1, a.hours(23, box))
	require.Equal(t, 2, a.hours(1, box), "a day later, again")
	meddled.list = nil
	require.Equal(t, 3, a.hours(1, box))
	require.Equal(t, "Gapless: acme can be compared with books again", box.got[2].Subject)
	require.Equal(t, 3, a.hours(5, box))
}

// The deep one is tried every six hours only, and failed before people were told.
func TestPeopleHearThatAnOutageIsOverBeforeTheDeepComparisonIsTriedAgain(t *testing.T) {
	a, meddled, box := watched(t)
	require.Zero(t, a.hours(20, box))
	meddled.list = noList
	require.Equal(t, 1, a.hours(12, box))
	meddled.list = nil
	require.Equal(t, 2, a.hours(1, box))
	require.Equal(t, "Gapless: acme can be compared with books again", box.got[1].Subject)
	require.Contains(t, box.got[1].Text, "The regular comparison of recent orders is complete again.")
}

func TestPeopleHearOfDeepComparisonsThatKeepFailingWhileTheRegularOnesDoNot(t *testing.T) {
	a, meddled, box := watched(t)
	a.noListFarBack(meddled)
	require.Zero(t, a.hours(24+9, box), "a second try may do")
	require.Equal(t, 1, a.hours(1, box))
	require.Contains(t, box.got[0].Subject, "the last 60 days of acme can't be compared with books since 2026-11-24T")
	require.Contains(t, box.got[0].Text, "the regular one of recent orders does not")
	require.Contains(t, box.got[0].Text, "the list of old documents is broken")
	require.Equal(t, 1, a.hours(23, box))
	require.Equal(t, 2, a.hours(1, box), "a day later, again")
	meddled.list = nil
	require.Equal(t, 3, a.hours(6, box))
	require.Equal(t, "Gapless: the last 60 days of acme can be compared with books again", box.got[2].Subject)
	require.Equal(t, 3, a.hours(48, box))
}

func TestADeepComparisonThatFailsOnceAlertsNobody(t *testing.T) {
	a, meddled, box := watched(t)
	a.hours(24, box)
	a.noListFarBack(meddled)
	a.hours(1, box)
	meddled.list = nil
	require.Zero(t, a.hours(48, box))
}

// They were told that recent orders are compared still.
func TestPeopleWhoKnowThatTheDeepComparisonFailsHearWhenTheRegularOneDoes(t *testing.T) {
	a, meddled, box := watched(t)
	a.noListFarBack(meddled)
	require.Equal(t, 1, a.hours(34, box))
	meddled.list = noList
	require.Equal(t, 2, a.hours(5, box))
	require.Contains(t, box.got[1].Subject, "Gapless: acme can't be compared with books since")
	a.noListFarBack(meddled)
	require.Equal(t, 3, a.hours(5, box), "the deep one fails still, as they know")
	require.Equal(t, "Gapless: acme can be compared with books again", box.got[2].Subject)
	meddled.list = nil
	require.Equal(t, 4, a.hours(6, box))
	require.Equal(t, "Gapless: the last 60 days of acme can be compared with books again", box.got[3].Subject)
}

// askedFor compares five minutes, as a person has asked for.
func (a *appliance) askedFor() Reconciliation {
	a.Helper()
	r, err := a.engine.Reconcile(a.Context(), "acme", Pass{Kind: store.RunReconcile, From: a.Now().Add(-5 * time.Minute), To: a.Now(), By: "ann"})
	require.NoError(a, err)
	return r
}

func TestAComparisonThatAPersonAsksForDoesNotEndTheAlarm(t *testing.T) {
	a, meddled, box := watched(t)
	meddled.list = noList
	require.Equal(t, 1, a.hours(4, box))
	meddled.list = nil
	require.True(t, a.askedFor().Complete)
	require.Equal(t, 1, a.alarms(box), "five minutes are not the day")
	require.Equal(t, 2, a.hours(1, box))
}

func TestComparisonsThatAPersonAsksForRaiseNoAlarm(t *testing.T) {
	a, meddled, box := watched(t)
	meddled.list = noList
	for range 5 {
		require.False(t, a.askedFor().Complete)
		a.pass(time.Hour)
		require.Zero(t, a.alarms(box))
	}
}
