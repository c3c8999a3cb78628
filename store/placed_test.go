package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatBecameOfTheOrdersOfADayIsToldFromWhenItWasFinalOn(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	for id := range int64(8) {
		intake(t, s, order(id+1, 1))
	}
	later := order(9, 1)
	later.CreatedAt = noon.Add(24 * time.Hour)
	foreign := order(1, 1)
	foreign.Shop = "beta"
	intake(t, s, later, foreign)
	settled := func(id int64, state string) {
		t.Helper()
		claims, err := s.Claim(t.Context(), "books", 100, "stamp", time.Minute)
		require.NoError(t, err)
		for _, c := range claims {
			r := settle(c, StateDue)
			r.NextAt = noon
			if c.ID == id && c.Shop == "acme" {
				r = settle(c, state)
			}
			require.NoError(t, s.Settle(t.Context(), r))
		}
	}
	settled(1, StateDelivered)
	settled(2, StateParked)
	final := noon.Add(time.Hour)
	c.at = noon.Add(2 * time.Hour)
	settled(3, StateDelivered)
	settled(4, StateParked)
	settled(5, StateExcluded)
	cancelled := order(6, 2)
	cancelled.CancelledAt = noon.Add(90 * time.Minute)
	intake(t, s, cancelled)
	settled(6, StateDelivered)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: c.at, Deleted: []Gap{{Shop: "acme", OrderID: 7, Kind: GapOrphan}}, Refetches: []Refetch{{OrderKey: OrderKey{"acme", 1}}}}))

	found := map[int64]Placed{}
	require.NoError(t, s.Placed(t.Context(), "acme", noon, noon.Add(24*time.Hour), final, func(o Placed) { found[o.ID] = o }))
	require.Len(t, found, 8)
	for id, want := range map[int64]Placed{
		1: {OnTheWay: true, RestedAt: noon}, // Shopify is asked for it
		2: {RestedAt: noon},
		3: {RestedAt: c.at},
		4: {OnTheWay: true, RestedAt: c.at}, // it did not arrive
		5: {OnTheWay: true, RestedAt: c.at}, // nor did it
		6: {RestedAt: c.at, CancelledAt: cancelled.CancelledAt, UpdatedAt: cancelled.UpdatedAt},
		7: {OnTheWay: true, RestedAt: c.at, DeletedAt: c.at},
		8: {OnTheWay: true, RestedAt: c.at},
	} {
		first := order(id, 1)
		want.ID, want.Name, want.Currency, want.Total, want.FirstSeenAt = id, first.Name, "EUR", "10.00", noon
		if want.UpdatedAt.IsZero() {
			want.UpdatedAt = first.UpdatedAt
		}
		require.Equal(t, want, found[id], "order %d", id)
	}

	intake(t, s, order(3, 3)) // it has left again
	require.NoError(t, s.Placed(t.Context(), "acme", noon, noon.Add(24*time.Hour), final, func(o Placed) { found[o.ID] = o }))
	require.Equal(t, []any{true, time.Time{}}, []any{found[3].OnTheWay, found[3].RestedAt})
}
