package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatWasBeingSentIsFreedByStartAndByExpiredLease(t *testing.T) {
	start := func(s *Store) (int64, error) { return s.Recover(t.Context()) }
	after := func(d time.Duration) func(*Store) (int64, error) {
		return func(s *Store) (int64, error) { return s.TakeBack(t.Context(), noon.Add(d)) }
	}
	for name, c := range map[string]struct {
		free   func(*Store) (int64, error)
		intent bool
		freed  int64
		state  string
	}{
		"at a start, with an intent":            {start, true, 1, StateUnknown},
		"at a start, without":                   {start, false, 1, StateDue},
		"the lease has run out, with an intent": {after(time.Minute), true, 1, StateUnknown},
		"the lease has run out, without":        {after(time.Minute), false, 1, StateDue},
		"the lease still holds":                 {after(time.Minute - time.Microsecond), true, 0, StateSending},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &clock{noon}
			s := open(t, func(o *Options) { o.Now = clock.now })
			intake(t, s, order(1, 1))
			claim := claimed(t, s)
			if c.intent {
				begun(t, s, claim)
			}
			clock.at = noon.Add(time.Hour)
			freed, err := c.free(s)
			require.NoError(t, err)
			require.Equal(t, c.freed, freed)

			d := delivery(t, s, 1)
			require.Equal(t, c.state, d.State)
			switch c.state {
			case StateUnknown:
				require.Equal(t, "v1", d.Ghost)
				require.Equal(t, clock.at, d.GhostAt)
				require.NotEmpty(t, d.Reason)
			case StateDue:
				require.Empty(t, d.Ghost+d.Reason)
			}
			if c.freed == 1 {
				claimed(t, s) // it can be taken again
			}
		})
	}
}

// The simulator found it in world 4225.
func TestALeaseOfAClockThatIsSetBackMeanwhileIsLeftAlone(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	clock.at = noon.Add(-time.Hour)
	intake(t, s, order(1, 1))
	claimed(t, s) // for a minute
	freed, err := s.TakeBack(t.Context(), noon)
	require.NoError(t, err)
	require.Zero(t, freed)
}

func TestRecoverLeavesWhatIsNotBeingSent(t *testing.T) {
	for _, state := range []string{StateDue, StateDelivered, StateParked, StateExcluded, StateUnknown} {
		t.Run(state, func(t *testing.T) {
			s := open(t)
			intake(t, s, order(1, 1))
			walkTo(t, s, state)
			before := delivery(t, s, 1)
			freed, err := s.Recover(t.Context())
			require.NoError(t, err)
			require.Zero(t, freed)
			require.Equal(t, before, delivery(t, s, 1))
		})
	}
}

func TestReplayAsksToVerifyWhateverTheState(t *testing.T) {
	for from, to := range map[string]string{
		StateDue: StateDue, StateDelivered: StateDue, StateParked: StateDue, StateExcluded: StateDue,
		StateUnknown: StateUnknown, StateSending: StateSending,
	} {
		t.Run(from, func(t *testing.T) {
			s := open(t)
			intake(t, s, order(1, 1))
			walkTo(t, s, from)
			before := delivery(t, s, 1)
			moved, err := s.Replay(t.Context(), []DeliveryKey{before.DeliveryKey}, "ann")
			require.NoError(t, err)
			d := delivery(t, s, 1)
			require.Equal(t, to, d.State)
			decisions, err := s.Decisions(t.Context(), before.OrderKey, 10)
			require.NoError(t, err)
			if from == StateSending {
				require.Zero(t, moved)
				require.Equal(t, before, d)
				require.Empty(t, decisions)
				return
			}
			require.EqualValues(t, 1, moved)
			require.True(t, d.Verify)
			require.Empty(t, d.HeldBody+d.Reason+d.Rule)
			require.Equal(t, before.Held, d.Held)
			require.Equal(t, "by ann", decisions[0].Detail)
			claimed(t, s)
		})
	}
}

func TestReplayOfWhatIsNotThereMovesNothing(t *testing.T) {
	s := open(t)
	moved, err := s.Replay(t.Context(), []DeliveryKey{{OrderKey{"acme", 404}, "books"}}, "ann")
	require.NoError(t, err)
	require.Zero(t, moved)
}
