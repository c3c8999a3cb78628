package store

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestOfConcurrentClaimersEachRowGoesToOne(t *testing.T) {
	const orders, claimers = 40, 8
	s := open(t)
	for id := range int64(orders) {
		intake(t, s, order(id+1, 1))
	}
	var mu sync.Mutex
	tokens, times := map[string]bool{}, map[int64]int{}
	var claiming sync.WaitGroup
	for n := range claimers {
		claiming.Go(func() {
			for round := 0; ; round++ {
				claims, err := s.Claim(t.Context(), "books", 3, fmt.Sprint(n, "-", round), time.Minute)
				if err != nil || len(claims) == 0 {
					if err != nil {
						t.Error(err)
					}
					return
				}
				mu.Lock()
				for _, c := range claims {
					tokens[c.Token] = true
					times[c.ID]++
				}
				mu.Unlock()
			}
		})
	}
	claiming.Wait()
	require.Len(t, tokens, orders)
	require.Len(t, times, orders)
	for id, n := range times {
		require.Equal(t, 1, n, "order %d", id)
	}
}

func TestAClaimHoldsTheOrderAndTheDeliveryOfOneMoment(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	require.Equal(t, StateSending, c.State)
	require.Equal(t, noon.Add(time.Minute), c.LeaseUntil)
	require.Equal(t, order(1, 1).Content, c.Order.Content)
	require.Equal(t, c.Wanted, c.Order.Version)
	require.Equal(t, c.Delivery, delivery(t, s, 1))
}

func TestAClaimTakesOnlyWhatIsDueForItsERPOldestFirst(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	for id, wait := range map[int64]time.Duration{1: time.Hour, 2: 2 * time.Second, 3: time.Second} {
		intake(t, s, order(id, 1))
		c := claimed(t, s)
		r := settle(c, StateDue)
		r.NextAt = noon.Add(wait)
		require.NoError(t, s.Settle(t.Context(), r))
	}
	foreign := order(4, 1)
	foreign.ERP = "else"
	intake(t, s, foreign)

	next, err := s.NextDue(t.Context(), "books")
	require.NoError(t, err)
	require.Equal(t, noon.Add(time.Second), next)
	claims, err := s.Claim(t.Context(), "books", 10, "early", time.Minute)
	require.NoError(t, err)
	require.Empty(t, claims)

	clock.at = noon.Add(2 * time.Second)
	claims, err = s.Claim(t.Context(), "books", 10, "late", time.Minute)
	require.NoError(t, err)
	require.Len(t, claims, 2)
	require.EqualValues(t, 3, claims[0].ID)
	require.EqualValues(t, 2, claims[1].ID)
}

func TestOneDamagedOrderKeepsNoOtherWaiting(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1), order(2, 1))
	_, err := second(t, s.path).Exec(`UPDATE contents SET content = x'ff00' WHERE id = 1`)
	require.NoError(t, err)
	claims, err := s.Claim(t.Context(), "books", 10, "stamp", time.Minute)
	require.NoError(t, err)
	require.Len(t, claims, 2)
	require.Nil(t, claims[0].Order.Content)
	require.Equal(t, order(2, 1).Content, claims[1].Order.Content)
}

func TestAnIntentIsDurableBeforeTheCallAndOnlyForTheCurrentToken(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	a := begun(t, s, c)
	require.Equal(t, "v1", one[string](t, second(t, s.path), `SELECT version FROM attempts WHERE id = $1`, a.ID))
	require.Equal(t, noon, delivery(t, s, 1).SentAt)

	stale := a
	stale.Token = "another"
	require.ErrorIs(t, s.Begin(t.Context(), &stale), ErrStale)
	require.NoError(t, s.Settle(t.Context(), settle(c, StateDelivered)))
	require.ErrorIs(t, s.Begin(t.Context(), &a), ErrStale, "the attempt has ended")
	require.Equal(t, 1, one[int](t, second(t, s.path), `SELECT count(*) FROM attempts`))
}

func TestALookUpIsNoIntent(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	a := Attempt{DeliveryKey: c.DeliveryKey, Token: c.Token, Action: ActionLookup, StartedAt: noon}
	require.NoError(t, s.Begin(t.Context(), &a))
	require.Zero(t, delivery(t, s, 1).SentAt)
}

func TestASettlementThatRestsGoesOnWhereANewerVersionIsWanted(t *testing.T) {
	for _, state := range []string{StateDelivered, StateParked, StateExcluded} {
		t.Run(state, func(t *testing.T) {
			s := open(t)
			intake(t, s, order(1, 1))
			c := claimed(t, s)
			intake(t, s, order(1, 2))
			require.NoError(t, s.Settle(t.Context(), settle(c, state)))

			d := delivery(t, s, 1)
			require.Equal(t, StateDue, d.State)
			require.Empty(t, d.Token+d.Reason+d.Rule)
			require.Equal(t, "v2", claimed(t, s).Order.Version)
		})
	}
}

func TestASettlementOfTheVersionWantedRests(t *testing.T) {
	for _, state := range []string{StateDelivered, StateParked, StateExcluded, StateUnknown, StateDue} {
		t.Run(state, func(t *testing.T) {
			s := open(t)
			intake(t, s, order(1, 1))
			require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), state)))
			d := delivery(t, s, 1)
			require.Equal(t, state, d.State)
			require.Empty(t, d.Token)
			require.Zero(t, d.LeaseUntil)
		})
	}
}

func TestAStaleSettlementKeepsItsOutcomeAndChangesNothingElse(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	a := begun(t, s, c)
	clock.at = noon.Add(2 * time.Minute)
	freed, err := s.TakeBack(t.Context(), clock.at)
	require.NoError(t, err)
	require.EqualValues(t, 1, freed)
	before := delivery(t, s, 1)

	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome = a.ID, &Outcome{Result: "created", EndedAt: clock.at, Exchanges: json.RawMessage(`["said"]`)}
	r.Decision, r.Refetch = &Decision{At: noon, Shop: "acme", OrderID: 1, Step: "deliver"}, &Refetch{OrderKey: c.OrderKey, NextAt: noon}
	require.ErrorIs(t, s.Settle(t.Context(), r), ErrStale)

	require.Equal(t, before, delivery(t, s, 1))
	tries, err := s.Tries(t.Context(), TryFilter{Order: c.OrderKey, Limit: 10, Full: true})
	require.NoError(t, err)
	require.Len(t, tries, 1)
	require.False(t, tries[0].Outcome.Applied)
	require.JSONEq(t, `["said"]`, string(tries[0].Outcome.Exchanges))
	require.Empty(t, dueRefetches(t, s, clock.at))
	decisions, err := s.Decisions(t.Context(), c.OrderKey, 10)
	require.NoError(t, err)
	require.Empty(t, decisions)
}

func TestASettlementKeepsOutcomeDecisionAndRefetchTogether(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	a := begun(t, s, c)
	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome = a.ID, &Outcome{Result: "created", ERPRef: "SO1", EndedAt: noon, Duration: 7 * time.Millisecond}
	r.Decision, r.Refetch = &Decision{At: noon, Shop: "acme", OrderID: 1, Step: "deliver", Outcome: "created"}, &Refetch{OrderKey: c.OrderKey, NextAt: noon}
	require.NoError(t, s.Settle(t.Context(), r))

	tries, err := s.Tries(t.Context(), TryFilter{Order: c.OrderKey, Limit: 10})
	require.NoError(t, err)
	applied := *r.Outcome
	applied.Applied = true
	require.Equal(t, []Try{{Attempt: a, Outcome: &applied}}, tries)
	require.Len(t, dueRefetches(t, s, noon), 1)
	decisions, err := s.Decisions(t.Context(), c.OrderKey, 10)
	require.NoError(t, err)
	require.Equal(t, "created", decisions[0].Outcome)
}

func TestACallThatWasNeverAnsweredIsAGhost(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	begun(t, s, c)
	r := settle(c, StateUnknown)
	r.Ambiguous, r.Ghost = true, true
	require.NoError(t, s.Settle(t.Context(), r))
	d := delivery(t, s, 1)
	require.Equal(t, "v1", d.Ghost)
	require.Equal(t, noon, d.GhostAt)
	require.Equal(t, noon, d.SentAt)
	require.True(t, claimed(t, s).Verify, "an unknown one is looked up first")
}
