package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// settledIDs are the orders whose gaps can be verified now.
func settledIDs(t testing.TB, s *Store) (ids []int64) {
	t.Helper()
	gaps, err := s.SettledGaps(t.Context(), "books", s.now().Add(-10*time.Minute), 100)
	require.NoError(t, err)
	for _, g := range gaps {
		ids = append(ids, g.OrderID)
	}
	return ids
}

func TestAGapCanBeVerifiedOnceItsOrderIsAtRest(t *testing.T) {
	for name, c := range map[string]struct {
		gap   func(*Gap)
		state string // of the delivery; empty: there is none
		and   func(*testing.T, *Store)
		want  bool
	}{
		"delivered":              {state: StateDelivered, want: true},
		"excluded":               {state: StateExcluded, want: true},
		"due":                    {state: StateDue},
		"parked":                 {state: StateParked},
		"unknown":                {state: StateUnknown},
		"of another ERP":         {state: StateDelivered, gap: func(g *Gap) { g.ERP = "else" }},
		"of a whole shop":        {state: StateDelivered, gap: func(g *Gap) { g.OrderID, g.Kind = 0, GapSilence }},
		"ignored":                {state: StateDelivered, and: func(t *testing.T, s *Store) { ignore(t, s, 1) }},
		"closed":                 {state: StateDelivered, and: func(t *testing.T, s *Store) { closeGap(t, s, 1, "poll") }},
		"nothing is known of it": {want: true},
		"and nothing came of asking for it": {and: func(t *testing.T, s *Store) {
			_, err := s.HealGaps(t.Context(), "ann", onlyGap(t, s))
			require.NoError(t, err)
			answers["no answer"](t, s, dueRefetches(t, s, s.now())[0])
		}, want: true},
		"and it is asked for": {and: func(t *testing.T, s *Store) {
			_, err := s.HealGaps(t.Context(), "ann", onlyGap(t, s))
			require.NoError(t, err)
		}},
		"a document without an order":             {gap: func(g *Gap) { g.Kind = GapOrphan }, want: true},
		"a document of a refused order":           {gap: func(g *Gap) { g.Kind = GapOrphan }, state: StateParked, want: true},
		"asked about a moment ago":                {state: StateDelivered, and: func(t *testing.T, s *Store) { require.NoError(t, s.CheckedGap(t.Context(), 1, s.now(), "still")) }},
		"asked about, but the ERP did not answer": {state: StateDelivered, and: func(t *testing.T, s *Store) { require.NoError(t, s.CheckedGap(t.Context(), 1, s.now(), "")) }},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &clock{noon}
			s := open(t, func(o *Options) { o.Now = clock.now })
			if c.state != "" {
				intake(t, s, order(1, 1))
				require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), c.state)))
			}
			clock.at = noon.Add(time.Second)
			g := missing(1)
			if c.gap != nil {
				c.gap(&g)
			}
			noted(t, s, g)
			if c.and != nil {
				c.and(t, s)
			}
			clock.at = noon.Add(2 * time.Second)
			require.Equal(t, c.want, len(settledIDs(t, s)) == 1)
		})
	}
}

func TestAGapIsVerifiedAgainWhenItsOrderMovedAndElseLessAndLessOften(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	intake(t, s, order(1, 1))
	deliver(t, s)
	noted(t, s, missing(1))
	pass := func(d time.Duration) []int64 {
		clock.at = clock.at.Add(d)
		return settledIDs(t, s)
	}
	require.Len(t, pass(time.Second), 1)
	require.NoError(t, s.CheckedGap(t.Context(), 1, s.now(), "still not there"))
	g := onlyGap(t, s)
	require.Equal(t, []any{"still not there", clock.at, clock.at}, []any{g.Detail, g.LastSeen, g.CheckedAt})
	require.Empty(t, pass(time.Minute))

	intake(t, s, order(1, 2))
	deliver(t, s)
	require.Len(t, pass(time.Second), 1, "what was to heal it has been done")
	require.NoError(t, s.CheckedGap(t.Context(), 1, s.now(), ""))
	seen := onlyGap(t, s)
	require.Equal(t, []any{g.Detail, g.LastSeen, clock.at}, []any{seen.Detail, seen.LastSeen, seen.CheckedAt}, "nothing was seen")

	require.Len(t, pass(11*time.Minute), 1, "somebody may have mended it in the ERP")
	clock.at = noon.Add(100 * time.Hour)
	require.NoError(t, s.CheckedGap(t.Context(), 1, s.now(), "still not there"))
	require.Empty(t, pass(9*time.Hour))
	require.Len(t, pass(2*time.Hour), 1, "it has been open for days, and is asked about a few times a day")
}

func TestAClockThatWasAheadHasNoGapAskedAboutAllTheTime(t *testing.T) {
	clock := &clock{noon.Add(time.Hour)}
	s := open(t, func(o *Options) { o.Now = clock.now })
	intake(t, s, order(1, 1))
	deliver(t, s)
	clock.at = noon
	noted(t, s, missing(1))
	clock.at = clock.at.Add(time.Second)
	require.NoError(t, s.CheckedGap(t.Context(), 1, s.now(), "still not there"))
	clock.at = clock.at.Add(time.Second)
	require.Empty(t, settledIDs(t, s))
	clock.at = clock.at.Add(11 * time.Minute)
	require.Len(t, settledIDs(t, s), 1)
}

// stuckIDs are the orders that wait for more than a quarter of an hour.
func stuckIDs(t testing.TB, s *Store) (ids []int64) {
	t.Helper()
	waiting, err := s.Stuck(t.Context(), "acme", "books", s.now().Add(-15*time.Minute), 100)
	require.NoError(t, err)
	for _, d := range waiting {
		ids = append(ids, d.ID)
	}
	return ids
}

func TestWhatWaitsTooLongForItsERPIsStuckUntilItIsAGap(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	for id, state := range []string{StateDue, StateUnknown, StateDelivered, StateParked, StateExcluded} {
		intake(t, s, order(int64(id+1), 1))
		r := settle(claimed(t, s), state)
		r.NextAt = noon.Add(time.Hour)
		require.NoError(t, s.Settle(t.Context(), r))
	}
	foreign := order(6, 1)
	foreign.Shop = "beta"
	past := order(7, 1)
	past.Background = true // it waits for its turn, and that may take hours
	intake(t, s, foreign, past)
	require.Empty(t, stuckIDs(t, s))
	clock.at = noon.Add(16 * time.Minute)
	require.Equal(t, []int64{1, 2}, stuckIDs(t, s))

	g := missing(1)
	g.Kind = GapStuck
	noted(t, s, g)
	require.Equal(t, []int64{2}, stuckIDs(t, s))
	ignore(t, s, onlyGap(t, s).ID)
	require.Equal(t, []int64{2}, stuckIDs(t, s), "nobody wants to hear of it again")
	closeGap(t, s, onlyGap(t, s).ID, "poll")
	require.Equal(t, []int64{1, 2}, stuckIDs(t, s))
}

func TestAnOrderOfThePastThatFailsIsStuckLikeAnyOther(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	past := order(1, 1)
	past.Background = true
	intake(t, s, past)
	r := settle(claimed(t, s), StateDue)
	r.Tries = 1
	require.NoError(t, s.Settle(t.Context(), r))
	clock.at = noon.Add(16 * time.Minute)
	require.Equal(t, []int64{1}, stuckIDs(t, s))
}

// A parked order waits for a person, not for its ERP.
func TestAnOrderWaitsForItsERPOnlySinceItIsNoLongerParked(t *testing.T) {
	for name, again := range map[string]func(*testing.T, *Store){
		"a new version": func(t *testing.T, s *Store) { intake(t, s, order(1, 2)) },
		"a replay": func(t *testing.T, s *Store) {
			_, err := s.Replay(t.Context(), []DeliveryKey{{OrderKey{"acme", 1}, "books"}}, "ann")
			require.NoError(t, err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &clock{noon}
			s := open(t, func(o *Options) { o.Now = clock.now })
			intake(t, s, order(1, 1))
			require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), StateParked)))
			clock.at = noon.Add(24 * time.Hour)
			again(t, s)
			require.Equal(t, StateDue, delivery(t, s, 1).State)
			require.Equal(t, clock.at, delivery(t, s, 1).Since)
			require.Empty(t, stuckIDs(t, s))
		})
	}
}
