package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheGapsOfADayAreItsOrdersAndItsOwnAndAllOfThem(t *testing.T) {
	c := &clock{noon.Add(24 * time.Hour)}
	s := open(t, func(o *Options) { o.Now = c.now })
	from, to := noon.Add(-12*time.Hour), noon.Add(12*time.Hour)
	placed := order(1, 1)
	placed.CreatedAt = noon
	intake(t, s, placed)
	run := Run{Shop: "acme", Kind: RunDay, From: from, To: to}
	require.NoError(t, s.BeginRun(t.Context(), &run))

	ofItsOrder, began, found, seenByIt, foreign, other := missing(1), missing(2), missing(3), missing(4), missing(5), missing(6)
	ofItsOrder.Since, began.Since, found.Since, seenByIt.Since, foreign.Since, other.Since = c.at, noon, to, to, noon, to
	seenByIt.RunID, foreign.Shop = run.ID, "beta"
	noted(t, s, ofItsOrder, began, seenByIt, foreign, other)
	c.at = noon
	noted(t, s, found)
	gaps, err := s.DayGaps(t.Context(), "acme", from, to)
	require.NoError(t, err)
	require.Equal(t, []int64{1, 2, 4, 3}, aboutOrders(gaps))

	many := make([]Gap, 5_100)
	for i := range many {
		many[i] = missing(int64(100 + i))
	}
	noted(t, s, many...)
	gaps, err = s.DayGaps(t.Context(), "acme", from, to)
	require.NoError(t, err)
	require.Len(t, gaps, len(many)+4)
	require.EqualValues(t, 1, gaps[0].OrderID)

	c.at = noon.Add(time.Minute)
	closeGap(t, s, gaps[0].ID, "poll")
	steps, err := s.DaySteps(t.Context(), "acme", from, to, noon)
	require.NoError(t, err)
	require.Equal(t, DayStep{gaps[0].ID, GapStep{At: c.at, Step: "closed", By: "poll"}}, steps[len(steps)-1])
}

func aboutOrders(gaps []Gap) (ids []int64) {
	for _, g := range gaps {
		ids = append(ids, g.OrderID)
	}
	return ids
}

func TestWhatTheComparisonOfADayFindsOfAnotherDaysOrderIsNoMatterOfThatDay(t *testing.T) {
	c := &clock{noon.Add(24 * time.Hour)}
	s := open(t, func(o *Options) { o.Now = c.now })
	from, to := noon.Add(-12*time.Hour), noon.Add(12*time.Hour)
	older := order(1, 1)
	older.CreatedAt = from.Add(-time.Hour)
	intake(t, s, older)
	run := Run{Shop: "acme", Kind: RunDay, From: from, To: to}
	require.NoError(t, s.BeginRun(t.Context(), &run))
	stranger, ofAnotherDay := missing(2), missing(1)
	stranger.RunID, ofAnotherDay.RunID = run.ID, run.ID
	noted(t, s, ofAnotherDay, stranger)
	gaps, err := s.DayGaps(t.Context(), "acme", from, to)
	require.NoError(t, err)
	require.Equal(t, []int64{2}, aboutOrders(gaps), "nothing else is known of that one")
}

// It was in order on the days before, and is found on the day once more.
func TestAGapThatComesBackIsOfEachDayOnWhichItWasFound(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	older := order(1, 1)
	older.CreatedAt = noon.AddDate(0, 0, -10)
	intake(t, s, older)
	g := missing(1)
	for range 2 { // on the first day and the third
		noted(t, s, g)
		c.at = c.at.Add(time.Minute)
		closeGap(t, s, 1, "poll")
		c.at = c.at.AddDate(0, 0, 2)
	}
	for day, want := range map[int][]int64{-1: nil, 0: {1}, 1: nil, 2: {1}, 3: nil} {
		from := noon.AddDate(0, 0, day).Add(-12 * time.Hour)
		gaps, err := s.DayGaps(t.Context(), "acme", from, from.Add(24*time.Hour))
		require.NoError(t, err)
		require.Equal(t, want, aboutOrders(gaps), "day %d", day)
	}
}
