package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// fill appends large webhooks until the database is full, and returns how many
// were stored.
func fill(t *testing.T, s *Store) int {
	t.Helper()
	for i := range 1000 {
		e := webhook(fmt.Sprint("fill-", i))
		e.Body = noise(20 << 10)
		if _, err := s.Append(t.Context(), e); err != nil {
			require.ErrorContains(t, err, "full")
			return i
		}
	}
	require.Fail(t, "the database never became full")
	return 0
}

// enlarge lets a full database grow again.
func enlarge(t *testing.T, s *Store) {
	t.Helper()
	require.NoError(t, s.writer.apply(t.Context(), 0, func(x *tx) error { return x.exec(`PRAGMA max_page_count = 100000`) }))
}

func small(o *Options) { o.MaxBytes = 1 << 20 }

func TestAFullDiskRefusesWebhooksWholeAndTakesThemOnceThereIsRoom(t *testing.T) {
	s := open(t, small)
	stored := fill(t, s)
	refused := fmt.Sprint("fill-", stored)
	other := second(t, s.path)
	require.Equal(t, stored, one[int](t, other, `SELECT count(*) FROM events`))
	require.Equal(t, stored, one[int](t, other, `SELECT count(*) FROM bodies`))
	require.Equal(t, "ok", one[string](t, other, `PRAGMA integrity_check`))

	enlarge(t, s)
	appended(t, s, refused)
	requireDuplicate(t, s, "fill-0")
}

func TestAFullDiskLeavesADeliveryAsItWasAndItSettlesOnceThereIsRoom(t *testing.T) {
	s := open(t, small)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	a := begun(t, s, c)
	fill(t, s)
	before := delivery(t, s, 1)
	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome = a.ID, &Outcome{Result: "created", EndedAt: noon, Exchanges: noise(200 << 10)}

	require.ErrorContains(t, s.Settle(t.Context(), r), "full")
	require.Equal(t, before, delivery(t, s, 1))
	require.Zero(t, one[int](t, second(t, s.path), `SELECT count(*) FROM outcomes`))

	enlarge(t, s)
	require.NoError(t, s.Settle(t.Context(), r))
	require.Equal(t, StateDelivered, delivery(t, s, 1).State)
}

func TestAFullDiskLosesTheWholeGroupSoThatEachMemberLearnsIt(t *testing.T) {
	s := open(t, small)
	fill(t, s)
	release := hold(t, s)
	results := make(chan error, 2)
	go func() { results <- s.AskAgain(t.Context(), Refetch{OrderKey: OrderKey{"acme", 1}, NextAt: noon}) }()
	waitQueued(t, s, 1)
	go func() {
		e := webhook("large")
		e.Body = noise(200 << 10)
		_, err := s.Append(t.Context(), e)
		results <- err
	}()
	waitQueued(t, s, 2)
	release()
	require.ErrorContains(t, <-results, "full")
	require.ErrorContains(t, <-results, "full")

	enlarge(t, s)
	due, err := s.DueRefetches(t.Context(), "acme", noon.Add(time.Hour), 10)
	require.NoError(t, err)
	require.Empty(t, due)
	appended(t, s, "large")
}
