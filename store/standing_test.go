package store

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// standingsOf are the ids and states that Standings tells, in its order.
func standingsOf(t testing.TB, s *Store, shop, erp string, by Axis, from, to time.Time) (all []string) {
	t.Helper()
	for st, err := range s.Standings(t.Context(), shop, erp, by, from, to) {
		require.NoError(t, err)
		all = append(all, fmt.Sprintf("%d %s", st.ID, st.State))
	}
	return all
}

// Whatever the window and however it is read, Standings tells what a query of the
// whole table does.
func TestStandingsTellWhatIsInTheWindowByAscendingID(t *testing.T) {
	s := open(t)
	day := func(n int) time.Time { return noon.AddDate(0, 0, n) }
	var all []Wanted
	rapid.Check(t, func(r *rapid.T) {
		w := order(rapid.Int64Range(1, 500).Draw(r, "id"), 0)
		w.Shop = rapid.SampledFrom([]string{"acme", "beta"}).Draw(r, "shop")
		w.ERP = rapid.SampledFrom([]string{"books", "else"}).Draw(r, "erp")
		w.CreatedAt = day(rapid.IntRange(-60, 0).Draw(r, "created"))
		w.UpdatedAt = w.CreatedAt.AddDate(0, 0, rapid.IntRange(0, 60).Draw(r, "updated"))
		if slices.ContainsFunc(all, func(o Wanted) bool { return o.OrderKey == w.OrderKey }) {
			return
		}
		intake(t, s, w)
		all = append(all, w)
	})
	rapid.Check(t, func(r *rapid.T) {
		shop := rapid.SampledFrom([]string{"acme", "beta", "gone"}).Draw(r, "shop")
		by := rapid.SampledFrom([]Axis{ByUpdated, ByCreated}).Draw(r, "axis")
		from := day(rapid.IntRange(-61, 30).Draw(r, "from"))
		to := from.AddDate(0, 0, rapid.IntRange(1, 90).Draw(r, "days"))
		var want []string
		slices.SortFunc(all, func(a, b Wanted) int { return int(a.ID - b.ID) })
		for _, w := range all {
			at, state := w.UpdatedAt, ""
			if by == ByCreated {
				at = w.CreatedAt
			}
			if w.ERP == "books" {
				state = StateDue
			}
			if w.Shop == shop && !at.Before(from) && at.Before(to) {
				want = append(want, fmt.Sprintf("%d %s", w.ID, state))
			}
		}
		require.Equal(t, want, standingsOf(t, s, shop, "books", by, from, to))
	})
}

// more makes orders 1 to n, each updated a second after the one before.
func more(t testing.TB, s *Store, n int) {
	t.Helper()
	db := second(t, s.path)
	for _, statement := range []string{
		`INSERT INTO orders SELECT 'acme', i, '#'||i, 'v1', 'h', 'EUR', '10.00', 0, 0, $2, $2 + i * 1000000, 0, 0, 0, 0, $2, 0 FROM n`,
		`INSERT INTO deliveries (shop, order_id, erp, state, wanted, claimed, held, held_body, verify, present, token, lease_until,
			sent_at, sent, ghost, ghost_at, tries, next_at, since, seen_at, changed_at, reason, field, hint, rule, erp_ref, erp_total, written_at)
			SELECT 'acme', i, 'books', 'delivered', 'v1', 'v1', 'v1', 'b', 0, 1, '', 0, 0, 'v1', '', 0, 0, $2, $2, $2, $2, '', '', '', '', 'SO'||i, '10.00', $2 + i * 1000000 FROM n`,
	} {
		_, err := db.Exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) `+statement, n, micros(noon))
		require.NoError(t, err)
	}
}

func TestPagesOfStandingsJoinWithoutHoleOrRepeat(t *testing.T) {
	for _, orders := range []int{standingPage - 1, standingPage, standingPage + 1, 2*standingPage + 7} {
		s := open(t)
		more(t, s, orders)
		for name, days := range map[string]int{"narrow": 1, "wide": 60} {
			for _, by := range []Axis{ByUpdated, ByCreated} {
				next := int64(1)
				for st, err := range s.Standings(t.Context(), "acme", "books", by, noon, noon.AddDate(0, 0, days)) {
					require.NoError(t, err)
					require.Equal(t, next, st.ID, "%s of %d", name, orders)
					next++
				}
				require.EqualValues(t, orders+1, next, "%s of %d", name, orders)
			}
		}
	}
}

func TestStandingsMayBeLeftEarlyAndEndWithTheirContext(t *testing.T) {
	s := open(t)
	more(t, s, standingPage+1)
	for range s.Standings(t.Context(), "acme", "books", ByUpdated, noon, noon.AddDate(0, 0, 1)) {
		break
	}
	require.Zero(t, s.readers.Stats().InUse, "no cursor is left open")
	stop(t, s)
	var last error
	for _, err := range s.Standings(t.Context(), "acme", "books", ByUpdated, noon, noon.AddDate(0, 0, 1)) {
		last = err
	}
	require.ErrorContains(t, last, "read what is known of the orders of acme")
}

func TestAStandingTellsAllThatAComparisonAsks(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	w := order(1, 1)
	w.CancelledAt = noon.Add(-time.Minute)
	intake(t, s, w, order(2, 1), order(3, 1), order(4, 1))
	clock.at = noon.Add(time.Minute)
	c := claimed(t, s)
	begun(t, s, c)
	r := settle(c, StateDelivered)
	r.Present, r.ERPTotal, r.WrittenAt = true, "9.99", clock.at
	require.NoError(t, s.Settle(t.Context(), r))
	require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), StateParked)))
	require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), StateExcluded)))
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Deleted: []Gap{{Shop: "acme", OrderID: 4, Kind: GapOrphan}}}))

	known, err := s.StandingsOf(t.Context(), "books", []OrderKey{{"acme", 1}, {"acme", 2}, {"acme", 3}, {"acme", 4}, {"acme", 5}, {"beta", 1}})
	require.NoError(t, err)
	require.Len(t, known, 4, "what is not known is left out")
	require.Equal(t, Standing{OrderKey: OrderKey{"acme", 1}, Name: "#1", Version: "v1", Currency: "EUR", Total: "10.00", CreatedAt: noon, UpdatedAt: noon.Add(time.Second),
		CancelledAt: noon.Add(-time.Minute), ERP: "books", State: StateDelivered, Wanted: "v1", Held: "v1", Sent: "v1", Present: true, Since: noon,
		ChangedAt: clock.at, WrittenAt: clock.at, ERPTotal: "9.99"}, known[OrderKey{"acme", 1}])
	require.Equal(t, "refused", known[OrderKey{"acme", 2}].Reason)
	require.Equal(t, "test orders", known[OrderKey{"acme", 3}].Rule)
	require.Equal(t, noon, known[OrderKey{"acme", 4}].DeletedAt)
	var streamed []Standing
	for st, err := range s.Standings(t.Context(), "acme", "books", ByCreated, noon, noon.Add(time.Second)) {
		require.NoError(t, err)
		streamed = append(streamed, st)
	}
	require.Len(t, streamed, 4)
	for _, st := range streamed {
		require.Equal(t, known[st.OrderKey], st)
	}

	elsewhere, err := s.StandingsOf(t.Context(), "else", []OrderKey{{"acme", 1}})
	require.NoError(t, err)
	require.Empty(t, elsewhere[OrderKey{"acme", 1}].State, "no such delivery")
}

func TestUnlistedOrdersAreThoseThatOnlyALongerListShows(t *testing.T) {
	s := open(t)
	more(t, s, 100) // all placed at noon; order i was written i seconds after it
	db := second(t, s.path)
	for _, change := range []string{
		`UPDATE deliveries SET state = 'due' WHERE order_id = 1`,
		`UPDATE orders SET created_at = created_at + 60000000 WHERE id = 2`, // placed later, so the time of writing is wrong
		`UPDATE deliveries SET erp = 'else' WHERE order_id = 3`,
		`UPDATE deliveries SET written_at = 0 WHERE order_id = 90`,
		`UPDATE deliveries SET written_at = 1 WHERE order_id = 100`,
	} {
		_, err := db.Exec(change)
		require.NoError(t, err)
	}
	at := func(second int) time.Time { return noon.Add(time.Duration(second) * time.Second) }
	for name, c := range map[string]struct {
		from, to, reach, since int
		n                      int64
		oldest                 time.Time
	}{
		"all of the window are listed":        {10, 20, 0, 10, 0, time.Time{}},
		"some are older":                      {10, 20, 0, 15, 5, at(10)},
		"some are too old for any list":       {10, 20, 12, 15, 3, at(12)},
		"all of them are":                     {10, 20, 15, 15, 0, time.Time{}},
		"not those that do not count":         {1, 6, 0, 50, 2, at(4)},
		"one of an unknown time was placed":   {85, 95, 0, 85, 1, at(0)},
		"it was placed too long ago":          {85, 95, 1, 85, 0, time.Time{}},
		"the window's end is not of it":       {10, 90, 0, 10, 0, time.Time{}},
		"nothing is older than it was placed": {100, 101, 0, 50, 1, at(0)},
	} {
		t.Run(name, func(t *testing.T) {
			n, oldest, err := s.Unlisted(t.Context(), "acme", "books", at(c.from), at(c.to), at(c.reach), at(c.since))
			require.NoError(t, err)
			require.Equal(t, []any{c.n, c.oldest}, []any{n, oldest})
		})
	}
}

func TestAnOrderThatWasDeletedBeforeItWasHeardOfIsDeleted(t *testing.T) {
	s := open(t)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Deleted: []Gap{{Shop: "acme", OrderID: 1, Kind: GapOrphan}}}))
	known, err := s.Known(t.Context(), []OrderKey{{"acme", 1}})
	require.NoError(t, err)
	require.Empty(t, known)
	intake(t, s, order(1, 1), order(2, 1))
	intake(t, s, order(1, 2)) // a late copy does not bring it back
	known, err = s.Known(t.Context(), []OrderKey{{"acme", 1}, {"acme", 2}})
	require.NoError(t, err)
	require.Equal(t, noon, known[OrderKey{"acme", 1}].DeletedAt)
	require.Zero(t, known[OrderKey{"acme", 2}].DeletedAt)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon.Add(time.Hour), Deleted: []Gap{{Shop: "acme", OrderID: 1, Kind: GapOrphan}}}))
	known, err = s.Known(t.Context(), []OrderKey{{"acme", 1}})
	require.NoError(t, err)
	require.Equal(t, noon, known[OrderKey{"acme", 1}].DeletedAt, "it was deleted once")
}

func TestAnOrderOfThePastIsBehindTodaysUntilItIsTried(t *testing.T) {
	s := open(t)
	past := order(1, 1)
	past.Background = true
	intake(t, s, past, order(2, 1))
	behind := func(id int64) bool {
		known, err := s.StandingsOf(t.Context(), "books", []OrderKey{{"acme", id}})
		require.NoError(t, err)
		return known[OrderKey{"acme", id}].Behind
	}
	require.Equal(t, []bool{true, false}, []bool{behind(1), behind(2)})
	deliver(t, s) // today's goes first
	r := settle(claimed(t, s), StateDue)
	r.Tries = 1
	require.NoError(t, s.Settle(t.Context(), r))
	require.False(t, behind(1))
}
