package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestStatsCountWhatIsThere(t *testing.T) {
	s := shelf(t)
	require.NoError(t, s.AskAgain(t.Context(), ask(1, "doubt")))
	st, err := s.Stats(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, map[string]int64{StateDue: 1, StateDelivered: 3, StateParked: 1, StateExcluded: 1}, st.States)
	require.EqualValues(t, 7, st.Orders)
	require.EqualValues(t, 1, st.Refetching)
	require.Zero(t, st.Retrying)
}

func TestStatsOfAnEmptyStoreAreNought(t *testing.T) {
	st, err := open(t).Stats(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, Stats{States: map[string]int64{}, Gaps: map[GapGroup]int64{}}, st)
}

func TestStatsCountEventsThatAreOfTheHourAndThoseThatWait(t *testing.T) {
	s := open(t)
	for i, at := range []time.Time{noon.Add(-time.Microsecond), noon, noon.Add(time.Minute)} {
		e := webhook(fmt.Sprint(i))
		e.ReceivedAt = at
		_, err := s.Append(t.Context(), e)
		require.NoError(t, err)
	}
	answers["an answer"](t, s, ask(1, "not a webhook"))
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Through: 1}))
	st, err := s.Stats(t.Context(), noon)
	require.NoError(t, err)
	require.EqualValues(t, 2, st.Received)
	require.EqualValues(t, 3, st.PendingEvents)
}

func TestStatsTellCallsThatHelpedFromThoseThatFailedAndWhatIsRetried(t *testing.T) {
	s := open(t)
	for id, result := range []string{"created", "updated", "unchanged", "rejected", "retry", "unknown", "found", "absent"} {
		intake(t, s, order(int64(id+1), 1))
		c := claimed(t, s)
		a := begun(t, s, c)
		r := settle(c, StateDue)
		r.NextAt, r.Tries = noon.Add(time.Hour), id%2
		r.AttemptID, r.Outcome = a.ID, &Outcome{Result: result, EndedAt: noon}
		require.NoError(t, s.Settle(t.Context(), r))
	}
	st, err := s.Stats(t.Context(), noon)
	require.NoError(t, err)
	require.EqualValues(t, 3, st.Sent)
	require.EqualValues(t, 3, st.Failed)
	require.EqualValues(t, 4, st.Retrying)
	st, err = s.Stats(t.Context(), noon.Add(time.Microsecond))
	require.NoError(t, err)
	require.Zero(t, st.Sent+st.Failed)
}

func TestLagIsOfTheHoursWebhooksThatSayWhenTheyWereTriggered(t *testing.T) {
	s := open(t)
	heard := func(id string, lag time.Duration, received time.Time) {
		e := webhook(id)
		e.ReceivedAt, e.TriggeredAt = received, received.Add(-lag)
		_, err := s.Append(t.Context(), e)
		require.NoError(t, err)
	}
	for i := range 100 { // in an order of no meaning
		heard(fmt.Sprint(i), time.Duration((i*37)%100+1)*time.Second, noon)
	}
	heard("of the hour before", time.Hour, noon.Add(-time.Microsecond))
	silent := webhook("does not say")
	silent.TriggeredAt = time.Time{}
	_, err := s.Append(t.Context(), silent)
	require.NoError(t, err)

	st, err := s.Stats(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, 50*time.Second, st.LagP50)
	require.Equal(t, 99*time.Second, st.LagP99)
}

func TestThePercentileOfFew(t *testing.T) {
	require.Zero(t, percentile(nil, 99))
	require.Equal(t, 5*time.Microsecond, percentile([]int64{5}, 50))
	require.Equal(t, 5*time.Microsecond, percentile([]int64{5}, 99))
	require.Equal(t, 5*time.Microsecond, percentile([]int64{5, 9}, 50))
	require.Equal(t, 9*time.Microsecond, percentile([]int64{5, 9}, 99))
}

// many fills a store with n orders, each with a delivery, an event of the last
// hour, an attempt and its outcome, as a shop of some years has them.
func many(t testing.TB, s *Store, n int) {
	t.Helper()
	db := second(t, s.path)
	for _, statement := range []string{
		`INSERT INTO events SELECT i, 'acme', 'webhook', 'orders/updated', 'w'||i, 'e'||i, '{"X-Shopify-Api-Version":"2026-10"}', $2 + i, $2 + i + 1000000, 12000 FROM n`,
		`INSERT INTO orders SELECT 'acme', i, '#'||i, 'v1', 'h', 'EUR', '10.00', 0, i % 1000, $2, $2, 0, 0, 0, 0, $2 + i, i FROM n`,
		`INSERT INTO contents SELECT 'acme', i, zeroblob(1500) FROM n`,
		`INSERT INTO deliveries SELECT 'acme', i, 'books', CASE i % 100 WHEN 0 THEN 'parked' WHEN 1 THEN 'due' ELSE 'delivered' END, 'v1', 'v1', 'v1', 'b', 0, 1, '', 0, 0, '', '', 0,
			i % 2, $2, $2, $2 + i, $2, 'r', '', '', '', 'SO'||i, '10.00', $2 FROM n`,
		`INSERT INTO attempts SELECT i, 'acme', i, 'books', 't', 'deliver', 'ref'||i, 'v1', 'b', $2 + i FROM n`,
		`INSERT INTO outcomes SELECT i, 'created', '', '', '', 'SO'||i, 1, CASE WHEN i % 10 = 0 THEN $2 + i ELSE 0 END, 1000 FROM n`,
		`INSERT INTO meta (key, value) SELECT 'intake', CAST(max(i) AS TEXT) FROM n`,
	} {
		_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `+statement, n, micros(noon))
		require.NoError(t, err)
	}
	require.NoError(t, s.Purge(t.Context()))
}

func BenchmarkStatsAmongManyOrders(b *testing.B) {
	s := open(b)
	many(b, s, 200_000)
	b.ResetTimer()
	for b.Loop() {
		_, err := s.Stats(b.Context(), noon)
		require.NoError(b, err)
	}
}
