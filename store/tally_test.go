package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestRefusalsAreALogOfTheNewestThousand(t *testing.T) {
	s := open(t)
	for round := range 2 { // once over the limit in memory, once in the table
		for i := range keptRefusals + 100 {
			s.Refuse(Refusal{At: noon, Shop: "acme", Status: 401, Reason: fmt.Sprint(round, "-", i)})
		}
		s.tally.flush()
		require.Equal(t, keptRefusals, one[int](t, s.readers, `SELECT count(*) FROM refusals`))
	}
	newest, err := s.Refusals(t.Context(), 2)
	require.NoError(t, err)
	require.Equal(t, "1-1099", newest[0].Reason)
	require.Equal(t, "1-1098", newest[1].Reason)
	st, err := s.Stats(t.Context(), noon)
	require.NoError(t, err)
	require.EqualValues(t, 2*(keptRefusals+100), st.Refused, "all are counted")
}

func TestCountsAreKeptByTheMinuteAndThroughAStop(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	appended(t, s, "a")
	requireDuplicate(t, s, "a")
	s.tally.flush()
	requireDuplicate(t, s, "a")
	clock.at = noon.Add(time.Minute)
	requireDuplicate(t, s, "a")
	stop(t, s)

	s = open(t, at(s.path))
	for since, want := range map[time.Time]int64{noon: 3, noon.Add(time.Minute): 1, noon.Add(time.Hour): 0} {
		st, err := s.Stats(t.Context(), since)
		require.NoError(t, err)
		require.Equal(t, want, st.Duplicates)
	}
}

func TestOldCountsAreForgotten(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	hours := []time.Time{noon, noon.Add(time.Hour)}
	require.NoError(t, s.LearnShop(t.Context(), Shop{Name: "acme", Timezone: "UTC"}))
	for _, hour := range hours {
		clock.at = hour
		s.Count("acme", CountDuplicate)
		require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: hour, Heard: map[Heard]int64{{"acme", hour}: 7}}))
	}
	s.tally.flush()
	require.NoError(t, s.ForgetCounts(t.Context(), hours[1]))
	n, err := s.Counted(t.Context(), CountDuplicate, noon)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	habit, err := s.Habit(t.Context(), "acme", hours)
	require.NoError(t, err)
	require.Equal(t, []int64{0, 7}, habit)
}

func TestCountsAndRefusalsThatCouldNotBeWrittenAreWrittenLater(t *testing.T) {
	s := open(t)
	refuse := func(reason string) {
		s.Refuse(Refusal{At: noon, Shop: "acme", Status: 503, Reason: reason})
		s.tally.flush()
	}
	other := second(t, s.path)
	_, err := other.Exec(`CREATE TRIGGER full BEFORE INSERT ON refusals BEGIN SELECT RAISE(ABORT, 'the disk is full'); END`)
	require.NoError(t, err)
	refuse("a")
	refuse("b")
	_, err = other.Exec(`DROP TRIGGER full`)
	require.NoError(t, err)
	refuse("c")

	kept, err := s.Refusals(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, kept, 3)
	require.Equal(t, []string{"c", "b", "a"}, []string{kept[0].Reason, kept[1].Reason, kept[2].Reason})
	n, err := s.Counted(t.Context(), CountRefused, time.Time{})
	require.NoError(t, err)
	require.EqualValues(t, 3, n)
}
