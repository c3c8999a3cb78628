package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// hour is an hour of the day before noon's.
func hour(n int) time.Time {
	return time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Hour)
}

func TestWhatIsCompleteHasNoHole(t *testing.T) {
	for name, c := range map[string]struct {
		windows [][2]int // hours that were compared, in this order
		want    [2]int
	}{
		"the first":                       {[][2]int{{2, 5}}, [2]int{2, 5}},
		"the next":                        {[][2]int{{2, 5}, {5, 7}}, [2]int{2, 7}},
		"overlapping":                     {[][2]int{{2, 5}, {3, 7}}, [2]int{2, 7}},
		"within":                          {[][2]int{{2, 7}, {3, 5}}, [2]int{2, 7}},
		"the same again":                  {[][2]int{{2, 5}, {2, 5}}, [2]int{2, 5}},
		"around":                          {[][2]int{{3, 5}, {2, 7}}, [2]int{2, 7}},
		"the one before":                  {[][2]int{{5, 7}, {2, 5}}, [2]int{2, 7}},
		"one before that overlaps":        {[][2]int{{4, 7}, {2, 5}}, [2]int{2, 7}},
		"one before, behind a hole":       {[][2]int{{5, 7}, {2, 4}}, [2]int{5, 7}},
		"one after, behind a hole":        {[][2]int{{2, 4}, {5, 7}}, [2]int{5, 7}},
		"an empty one":                    {[][2]int{{2, 4}, {5, 5}}, [2]int{2, 4}},
		"one that is the wrong way round": {[][2]int{{2, 4}, {7, 5}}, [2]int{2, 4}},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			for _, w := range c.windows {
				require.NoError(t, s.Complete(t.Context(), "acme", hour(w[0]), hour(w[1])))
			}
			shop, err := s.Shop(t.Context(), "acme")
			require.NoError(t, err)
			require.Equal(t, []time.Time{hour(c.want[0]), hour(c.want[1])}, []time.Time{shop.CompleteFrom, shop.CompleteThrough})
		})
	}
}

// A clock that was ahead has told of hours as compared that were still to come.
func TestWhatIsCompleteInTheFutureDoesNotCount(t *testing.T) {
	clock := &clock{noon.Add(10 * 24 * time.Hour)}
	s := open(t, func(o *Options) { o.Now = clock.now })
	complete := func() []time.Time {
		t.Helper()
		shop, err := s.Shop(t.Context(), "acme")
		require.NoError(t, err)
		return []time.Time{shop.CompleteFrom, shop.CompleteThrough}
	}
	ahead := []time.Time{clock.at.Add(-48 * time.Hour), clock.at}
	require.NoError(t, s.Complete(t.Context(), "acme", ahead[0], ahead[1]))
	require.Equal(t, ahead, complete())

	clock.at = noon
	require.Equal(t, []time.Time{{}, {}}, complete(), "nobody knows what was compared")
	for _, window := range [][2]int{{2, 5}, {4, 7}} { // which lie before all that was noted so far
		require.NoError(t, s.Complete(t.Context(), "acme", hour(window[0]), hour(window[1])))
	}
	require.Equal(t, []time.Time{hour(2), hour(7)}, complete())

	clock.at = ahead[1]
	require.Equal(t, []time.Time{hour(2), hour(7)}, complete(), "and it does not come back")
}

func TestAShopIsNothingUntilSomethingIsKnownOfIt(t *testing.T) {
	s := open(t)
	shop, err := s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, Shop{Name: "acme"}, shop)

	told := Shop{Name: "acme", ShopifyID: "gid://shopify/Shop/1", Domain: "acme.myshopify.com", Timezone: "Europe/Berlin"}
	require.NoError(t, s.LearnShop(t.Context(), told))
	require.NoError(t, s.Began(t.Context(), "acme", hour(5), hour(6)))
	require.NoError(t, s.NumbersSeen(t.Context(), "acme", 1005))
	want := told
	want.StartedAt, want.BeganAt, want.NumberSeen = hour(6), hour(5), 1005
	shop, err = s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, want, shop)

	require.NoError(t, s.Began(t.Context(), "acme", hour(7), hour(9)), "only ever earlier")
	require.NoError(t, s.NumbersSeen(t.Context(), "acme", 1001), "only ever higher")
	shop, err = s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, want, shop)
	require.NoError(t, s.Began(t.Context(), "acme", hour(1), hour(4)), "which leaves a hole")
	require.NoError(t, s.Began(t.Context(), "acme", hour(3), hour(5)))
	shop, err = s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, []time.Time{hour(6), hour(3)}, []time.Time{shop.StartedAt, shop.BeganAt}, "it started once")
}

// cursor is up to when the changes of a shop were polled.
func cursor(t testing.TB, s *Store) time.Time {
	t.Helper()
	shop, err := s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	return shop.PollCursor
}

func TestThePollCursorMovesBackOnlyWhereItIsToldTo(t *testing.T) {
	s := open(t)
	require.NoError(t, s.Polled(t.Context(), "acme", time.Time{}, hour(5), ""), "the first poll")
	require.Equal(t, hour(5), cursor(t, s))
	require.NoError(t, s.Polled(t.Context(), "acme", hour(5), hour(4), ""))
	require.Equal(t, hour(5), cursor(t, s))
	require.NoError(t, s.Polled(t.Context(), "acme", hour(5), hour(6), "Shopify was down"))
	shop, err := s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, []any{hour(5), noon, "Shopify was down"}, []any{shop.PollCursor, shop.PolledAt, shop.PollError})
	require.NoError(t, s.PollAgainFrom(t.Context(), "acme", hour(7)))
	require.Equal(t, hour(5), cursor(t, s))
	require.NoError(t, s.PollAgainFrom(t.Context(), "acme", hour(2)))
	require.Equal(t, hour(2), cursor(t, s))
}

func TestAPollUnderWayDoesNotTakeBackThatOlderChangesAreToBePolled(t *testing.T) {
	s := open(t)
	require.NoError(t, s.Polled(t.Context(), "acme", time.Time{}, hour(5), ""))
	require.NoError(t, s.PollAgainFrom(t.Context(), "acme", hour(2)))
	require.NoError(t, s.Polled(t.Context(), "acme", hour(5), hour(6), ""), "it began before")
	require.Equal(t, hour(2), cursor(t, s))
	require.NoError(t, s.Polled(t.Context(), "acme", hour(2), hour(7), ""))
	require.Equal(t, hour(7), cursor(t, s))
}

func TestHabitsAreCountedByShopAndHour(t *testing.T) {
	s := open(t)
	for range 2 {
		require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Heard: map[Heard]int64{{"acme", hour(1)}: 3, {"acme", hour(2)}: 1, {"beta", hour(1)}: 50}}))
	}
	counts, err := s.Habit(t.Context(), "acme", []time.Time{hour(1).Add(59 * time.Minute), hour(2), hour(3)})
	require.NoError(t, err)
	require.Equal(t, []int64{6, 2, 0}, counts)
}

func TestWhatTheDoorSawIsToldByTime(t *testing.T) {
	s := open(t)
	s.Refuse(Refusal{At: noon, Shop: "acme.myshopify.com"})
	s.Refuse(Refusal{At: noon, Shop: "acme.myshopify.com"})
	s.tally.flush()
	for domain, want := range map[string]bool{"acme.myshopify.com": true, "beta.myshopify.com": false} {
		yes, err := s.RefusedBetween(t.Context(), domain, noon, noon.Add(time.Second))
		require.NoError(t, err)
		require.Equal(t, want, yes)
	}
	yes, err := s.RefusedBetween(t.Context(), "acme.myshopify.com", noon.Add(-time.Hour), noon)
	require.NoError(t, err)
	require.False(t, yes, "the end is not of the span")
	n, err := s.Counted(t.Context(), CountRefused, noon)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)
	n, err = s.Counted(t.Context(), CountRefused, noon.Add(time.Minute))
	require.NoError(t, err)
	require.Zero(t, n)

	appended(t, s, "a") // at noon
	answers["an answer"](t, s, ask(1, "doubt"))
	for from, want := range map[time.Time]bool{noon: true, noon.Add(-time.Hour): false, noon.Add(time.Second): false} {
		yes, err := s.HeardBetween(t.Context(), from, from.Add(time.Hour))
		require.NoError(t, err)
		require.Equal(t, want, yes, from)
	}
}
