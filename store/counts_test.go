package store

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestTheOrdersBehindAShopsGapsAreCounted(t *testing.T) {
	s := open(t)
	none, err := s.ShopGaps(t.Context(), "acme")
	require.NoError(t, err)
	require.Zero(t, none)
	for id, kinds := range map[int64][]string{
		1: {GapMissing}, 2: {GapMissing, GapStuck}, 3: {GapStale, GapMismatch}, 4: {GapDoubled}, 5: {GapOrphan}, 6: {GapParked}, 7: {GapStale}, 8: {GapMissing}, 0: {GapSubscription, GapSilence},
	} {
		for _, kind := range kinds {
			noted(t, s, Gap{Shop: "acme", OrderID: id, ERP: "books", Kind: kind, FoundBy: "poll"})
		}
	}
	noted(t, s, Gap{Shop: "beta", OrderID: 1, ERP: "books", Kind: GapMissing, FoundBy: "poll"})
	for _, g := range []GapFilter{{OrderID: 7, Limit: 1}, {OrderID: 8, Limit: 1}} {
		found, err := s.Gaps(t.Context(), g)
		require.NoError(t, err)
		if found[0].Kind == GapStale {
			closeGap(t, s, found[0].ID, "poll")
		} else {
			ignore(t, s, found[0].ID)
		}
	}
	got, err := s.ShopGaps(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, ShopGaps{Missing: 2, Wrong: 3, Stuck: 1, Parked: 1, Unheard: 2}, got)
	got, err = s.ShopGaps(t.Context(), "beta")
	require.NoError(t, err)
	require.Equal(t, ShopGaps{Missing: 1}, got)
}

func TestAShopsGapsAreCountedByTheIndexOfTheLiveOnes(t *testing.T) {
	s := open(t)
	require.Contains(t, strings.Join(plan(t, second(t, s.path), shopGaps), "\n"), "gaps_state (state=?)")
}

func TestLiveGapsTellSinceWhenTheyAre(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	early, late := missing(1), missing(2)
	early.Since, late.Since = noon.Add(-2*time.Hour), noon.Add(-time.Hour)
	noted(t, s, late, early)
	kinds, err := s.LiveGapKinds(t.Context())
	require.NoError(t, err)
	require.Equal(t, []GapCount{{GapMissing, 2, early.Since}}, kinds)
	orders, err := s.MissingOrders(t.Context(), "acme")
	require.NoError(t, err)
	require.ElementsMatch(t, []MissingOrder{{1, early.Since, true}, {2, late.Since, false}}, orders)
}
