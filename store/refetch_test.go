package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func ask(id int64, reason string) Refetch {
	return Refetch{OrderKey: OrderKey{"acme", id}, Reason: reason, AskedAt: noon, NextAt: noon}
}

func dueRefetches(t *testing.T, s *Store, now time.Time) []Refetch {
	t.Helper()
	due, err := s.DueRefetches(t.Context(), "acme", now, 10)
	require.NoError(t, err)
	return due
}

// answers are the two ways in which a refetch ends.
var answers = map[string]func(*testing.T, *Store, Refetch){
	"an answer": func(t *testing.T, s *Store, r Refetch) {
		e := webhook("")
		e.Source = SourceRefetch
		require.NoError(t, s.AppendAnswer(t.Context(), e, r))
		require.NotZero(t, e.ID)
	},
	"no answer": func(t *testing.T, s *Store, r Refetch) {
		require.NoError(t, s.DropRefetch(t.Context(), r, Decision{At: noon, Shop: r.Shop, OrderID: r.ID, Step: "refetch", Outcome: "gone"}))
	},
}

func TestARequestMadeWhileOneIsUnderWaySurvivesIt(t *testing.T) {
	for name, end := range answers {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			require.NoError(t, s.AskAgain(t.Context(), ask(1, "first")))
			underWay := dueRefetches(t, s, noon)[0]
			require.NoError(t, s.AskAgain(t.Context(), ask(1, "second")))
			end(t, s, underWay)

			left := dueRefetches(t, s, noon)
			require.Len(t, left, 1)
			require.Equal(t, "second", left[0].Reason)
			end(t, s, left[0])
			require.Empty(t, dueRefetches(t, s, noon))
		})
	}
}

func TestAnAnswerIsAnEventThatIntakeWillSee(t *testing.T) {
	s := open(t)
	require.NoError(t, s.AskAgain(t.Context(), ask(1, "doubt")))
	answers["an answer"](t, s, dueRefetches(t, s, noon)[0])
	events, err := s.PendingEvents(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
	require.Equal(t, SourceRefetch, events[0].Source)
}

func TestARefetchThatFailedWaitsAndKeepsWhy(t *testing.T) {
	s := open(t)
	require.NoError(t, s.AskAgain(t.Context(), ask(1, "doubt")))
	require.NoError(t, s.PostponeRefetch(t.Context(), dueRefetches(t, s, noon)[0], noon.Add(time.Minute), "throttled"))
	require.Empty(t, dueRefetches(t, s, noon.Add(59*time.Second)))
	later := dueRefetches(t, s, noon.Add(time.Minute))
	require.Len(t, later, 1)
	require.Equal(t, 1, later[0].Tries)
	require.Equal(t, "throttled", later[0].Error)

	require.NoError(t, s.AskAgain(t.Context(), ask(1, "new doubt")), "a new request is in a hurry again")
	require.Len(t, dueRefetches(t, s, noon), 1)
}

func TestRefetchesAreOfOneShopAndOldestFirst(t *testing.T) {
	s := open(t)
	late, early, foreign := ask(1, ""), ask(2, ""), ask(3, "")
	late.NextAt, foreign.Shop = noon.Add(time.Second), "other"
	require.NoError(t, s.AskAgain(t.Context(), late, early, foreign))
	due := dueRefetches(t, s, noon.Add(time.Hour))
	require.Len(t, due, 2)
	require.EqualValues(t, 2, due[0].ID)
	require.EqualValues(t, 1, due[1].ID)
}
