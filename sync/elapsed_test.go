package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gapless/erp"
	"gapless/store"
)

// The simulator found it in world 3440: the machine slept while a call was under way
// that had looked and not sent yet. Its lease was over by the clock, the next attempt
// looked, too, and both sent.
func TestAClockThatLeapsEndsNoLease(t *testing.T) {
	a := build(t, in(erp.TierB))
	k := a.create()
	a.hear()
	slow := a.wire.holdAny()
	sent := make(chan int)
	go func() { sent <- a.send() }()
	<-slow.arrived

	a.leap(41 * time.Minute)
	require.NoError(t, a.engine.takeBack(t.Context()))
	require.Equal(t, 0, a.send(), "the first attempt still has the order")
	close(slow.release)
	<-sent
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
	require.Equal(t, 1, a.writes(k))
	a.judge()
}

func TestALeaseEndsThoughTheClockLeapt(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	l := a.engine.lanes["books"]
	_, err := l.Claim(t.Context(), 1)
	require.NoError(t, err)
	a.leap(41 * time.Minute)
	for _, passes := range []time.Duration{0, l.lease() - time.Millisecond} {
		a.pass(passes)
		require.NoError(t, a.engine.takeBack(t.Context()))
		require.Equal(t, store.StateSending, a.delivery(k).State)
	}
	a.pass(time.Millisecond)
	require.NoError(t, a.engine.takeBack(t.Context()))
	require.Equal(t, store.StateDue, a.delivery(k).State)
	a.settle()
	a.judge()
}

// A call that was never answered may take effect for as long after the clock was set
// as before.
func TestAClockThatLeapsShortensNoWaitForALateEffect(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		for name, leap := range map[string]func(*appliance){
			"ahead":          func(a *appliance) { a.leap(time.Hour) },
			"back":           func(a *appliance) { a.leap(-time.Hour) },
			"to and fro":     func(a *appliance) { a.leap(time.Hour); a.engine.now(); a.leap(-time.Hour) },
			"and it crashes": func(a *appliance) { a.leap(time.Hour); a.reconfigure(func(*Config) {}) },
		} {
			t.Run(name, func(t *testing.T) {
				a, k, land := unanswered(t, tier)
				gone := a.Steady()
				a.change(k, "tag")
				leap(a)
				for a.Steady() < gone+longest {
					a.settle()
					a.pass(500 * time.Millisecond)
				}
				require.Len(t, a.versions(k), 1, "version 3 waits until version 2 can't come any more")
				land()
				a.pass(2 * time.Hour) // the clock may be back
				a.settleLater(longest)
				require.Len(t, a.versions(k), 3)
				a.judge()
			})
		}
	})
}

// A leap too small to be noticed came after two opposite ones: rapid found it.
func TestLeapsThatUndoEachOtherTellLittleTooMuch(t *testing.T) {
	now := epoch
	e := newElapsed(func() time.Time { return now }, func() time.Duration { return 0 }, time.Time{})
	shown := e.now()
	for _, leap := range []time.Duration{1969 * time.Millisecond, -time.Hour, time.Hour, 32 * time.Millisecond} {
		now = now.Add(leap)
		e.now()
	}
	require.LessOrEqual(t, e.since(shown), 2*unnoticed)
}

// However the clock leaps, no more time seems to have passed than has; and what passes
// after its last leap counts in any case.
func TestElapsedNeverTellsTooMuch(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		passes := rapid.OneOf(spans(0, time.Hour), spans(0, 3*time.Second))
		leaps := rapid.OneOf(spans(-time.Hour, time.Hour), spans(-3*time.Second, 3*time.Second), spans(-unnoticed, unnoticed))
		past := spans(-20*24*time.Hour, 20*24*time.Hour)
		type stamp struct {
			shown time.Time
			at    time.Duration // 0: of an earlier process, whatever its clock showed
		}
		var at, off time.Duration
		clock := func() time.Time { return epoch.Add(at + off) }
		e := newElapsed(clock, func() time.Duration { return at }, time.Time{})
		stamps := []stamp{{shown: clock().Add(past.Draw(t, "past"))}}
		sure := func(least time.Duration) {
			for _, s := range stamps {
				told := e.since(s.shown)
				if told > at-s.at+2*unnoticed || told < least && s.shown.Before(e.shown) {
					t.Fatalf("%s is told to be %s ago, and it is %s", s.shown, told, at-s.at)
				}
			}
		}
		for range rapid.IntRange(1, mostLeaps+20).Draw(t, "leaps") {
			for range rapid.IntRange(1, 3).Draw(t, "steps") {
				at += passes.Draw(t, "passes")
				stamps = append(stamps, stamp{clock(), at})
			}
			if rapid.Bool().Draw(t, "looks") {
				sure(-years)
			}
			e.now() // of two leaps between looks nobody knows
			off += leaps.Draw(t, "leap")
		}
		sure(-years)
		at += time.Hour
		sure(time.Hour - unnoticed)
	})
}

func spans(least, most time.Duration) *rapid.Generator[time.Duration] {
	return rapid.Custom(func(t *rapid.T) time.Duration {
		return time.Duration(rapid.Int64Range(int64(least), int64(most)).Draw(t, "span"))
	})
}

const years = 26 * 365 * 24 * time.Hour

// The clock of a machine that starts may be years behind until the network is there.
func TestAClockSetByYearsAfterTheStartMakesNoWaitLongerThanItsOwn(t *testing.T) {
	a := build(t, in(erp.TierB))
	k := a.create()
	land := a.wire.ghost()
	a.hear()
	a.send()
	a.leap(-years)
	a.reconfigure(func(*Config) {})
	a.pass(time.Second)
	a.leap(years)
	a.settle()
	require.Zero(t, len(a.versions(k)))
	land()
	a.settleLater(longest)
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
	a.judge()
}
