package store

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func names(views []OrderView) (all []string) {
	for _, v := range views {
		all = append(all, v.Name)
	}
	return all
}

func TestOrdersOfADayAreListedPageByPageAndByState(t *testing.T) {
	s := open(t)
	for i := range int64(6) {
		w := order(i+1, 1)
		w.CreatedAt = noon.Add(time.Duration(i) * time.Hour)
		intake(t, s, w)
	}
	other := order(1, 1)
	other.Shop, other.CreatedAt = "beta", noon.Add(time.Hour)
	intake(t, s, other)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Deleted: []Gap{{Shop: "acme", OrderID: 5, Kind: GapOrphan}}}))
	day := OrderFilter{Shop: "acme", From: noon.Add(time.Hour), To: noon.Add(5 * time.Hour), Limit: 2}
	first, err := s.Orders(t.Context(), day)
	require.NoError(t, err)
	require.Equal(t, []string{"#4", "#3"}, names(first), "without what was deleted, or placed at another time")
	day.Before = Cursor{first[1].CreatedAt, first[1].ID, "acme"}
	rest, err := s.Orders(t.Context(), day)
	require.NoError(t, err)
	require.Equal(t, []string{"#2"}, names(rest))

	c := claimed(t, s)
	sending, err := s.Orders(t.Context(), OrderFilter{Shop: "acme", From: noon, To: noon.Add(24 * time.Hour), State: StateSending, Limit: 9})
	require.NoError(t, err)
	require.Len(t, sending, 1)
	require.Equal(t, c.OrderKey, sending[0].OrderKey)
}

func TestOrdersOfACustomerAreFoundByState(t *testing.T) {
	s := open(t)
	for i := range int64(5) {
		w := order(i+1, 1)
		w.Customer = []string{"Tom Lee"}
		intake(t, s, w)
	}
	c := claimed(t, s)
	for _, states := range [][]string{{StateSending}, {StateParked, StateSending}} {
		found, err := s.OrdersOf(t.Context(), "tom", "", 1, states...)
		require.NoError(t, err)
		require.Len(t, found, 1, states)
		require.Equal(t, c.OrderKey, found[0].OrderKey)
	}
	found, err := s.OrdersOf(t.Context(), "tom", "", 9, StateDue, StateUnknown)
	require.NoError(t, err)
	require.Len(t, found, 4)
}

func TestADayAndACustomersStateAreReadByAnIndexInOrder(t *testing.T) {
	s := open(t)
	db := second(t, s.path)
	before := Cursor{noon, 1, "acme"}
	for name, query := range map[string]string{
		"a day":            first(OrderFilter{Shop: "acme", From: noon, To: noon.Add(time.Hour)}.query()),
		"its second page":  first(OrderFilter{Shop: "acme", From: noon, To: noon.Add(time.Hour), Before: before}.query()),
		"a day's state":    first(OrderFilter{Shop: "acme", From: noon, To: noon.Add(time.Hour), State: StateParked}.query()),
		"a customer's few": first(customerQuery([]int64{1}, "acme", 10, StateParked, StateDue)),
	} {
		steps := strings.Join(plan(t, db, query), "\n")
		require.NotContains(t, steps, "ORDER BY", name)
		require.NotContains(t, steps, "SCAN o", name)
		require.NotContains(t, steps, "(shop=?)", name)
		require.NotContains(t, steps, "deliveries_state", name)
	}
}
