package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNothingWaitsForAClockThatWasSetBack(t *testing.T) {
	const day = 24 * time.Hour
	for name, c := range map[string]struct {
		by, after time.Duration // set back by, and then waits for
	}{
		"by as much":                 {9*day + 23*time.Hour, time.Hour},
		"by more than it waits":      {11 * day, 0},
		"by nobody knows how much":   {0, 2 * time.Hour},
		"by less than the rest says": {day, 2 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			clock := &clock{noon.Add(10 * day)}
			s := open(t, func(o *Options) { o.Now = clock.now })
			require.NoError(t, s.Began(t.Context(), "acme", noon, noon))
			intake(t, s, order(1, 1))
			r := settle(claimed(t, s), StateDue)
			r.NextAt = clock.at
			require.NoError(t, s.Settle(t.Context(), r))
			require.NoError(t, s.AskAgain(t.Context(), Refetch{OrderKey: OrderKey{"acme", 2}, Reason: "poll", AskedAt: clock.at, NextAt: clock.at}))
			require.NoError(t, s.LetterFailed(t.Context(), posted(t, s, "email").ID, nil, clock.at, "busy"))

			clock.at = noon
			require.NoError(t, s.ClockSetBack(t.Context(), []string{"books"}, c.by, 2*time.Hour))
			d := delivery(t, s, 1)
			require.Equal(t, c.after, max(0, d.NextAt.Sub(noon)))
			require.Equal(t, noon, d.Since)
			clock.at = noon.Add(c.after)
			asked, err := s.DueRefetches(t.Context(), "acme", clock.at, 10)
			require.NoError(t, err)
			require.Len(t, asked, 1)
			require.Len(t, dueLetters(t, s, "email"), 1)
		})
	}
}
