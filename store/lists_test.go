package store

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// shelf is a store with orders of two shops in several states, one seen each second.
func shelf(t *testing.T) *Store {
	t.Helper()
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	for id, state := range []string{StateDue, StateDelivered, StateParked, StateDelivered, StateExcluded, StateDelivered} {
		clock.at = clock.at.Add(time.Second)
		w := order(int64(id+1), 1)
		if id >= 4 {
			w.Shop = "other"
		}
		if state == StateDue {
			w.ERP = "else" // so that it is not the one due below
		}
		intake(t, s, w)
		if state != StateDue {
			require.NoError(t, s.Settle(t.Context(), settle(claimed(t, s), state)))
		}
	}
	bare := order(7, 1) // an order that no ERP is to have
	clock.at = clock.at.Add(time.Second)
	intake(t, s, bare)
	_, err := second(t, s.path).Exec(`DELETE FROM deliveries WHERE order_id = 7`)
	require.NoError(t, err)
	return s
}

func ids(views []OrderView) []int64 {
	var all []int64
	for _, v := range views {
		all = append(all, v.ID)
	}
	return all
}

func TestOrdersAreListedNewestFirstByEachFilter(t *testing.T) {
	s := shelf(t)
	for name, c := range map[string]struct {
		filter OrderFilter
		want   []int64
	}{
		"none":                {OrderFilter{}, []int64{7, 6, 5, 4, 3, 2, 1}},
		"limit":               {OrderFilter{Limit: 2}, []int64{7, 6}},
		"shop":                {OrderFilter{Shop: "acme"}, []int64{7, 4, 3, 2, 1}},
		"state":               {OrderFilter{State: StateDelivered}, []int64{6, 4, 2}},
		"shop and state":      {OrderFilter{Shop: "acme", State: StateDelivered}, []int64{4, 2}},
		"name":                {OrderFilter{Name: "#3"}, []int64{3}},
		"name in a shop":      {OrderFilter{Name: "#3", Shop: "other"}, nil},
		"name and state":      {OrderFilter{Name: "#3", State: StateParked}, []int64{3}},
		"name, another state": {OrderFilter{Name: "#3", State: StateDue}, nil},
		"id":                  {OrderFilter{ID: 5}, []int64{5}},
		"id in a shop":        {OrderFilter{ID: 5, Shop: "acme"}, nil},
		"id and state":        {OrderFilter{ID: 5, State: StateExcluded}, []int64{5}},
		"before":              {OrderFilter{Before: Cursor{noon.Add(3 * time.Second), 3, "acme"}}, []int64{2, 1}},
		"state before":        {OrderFilter{State: StateDelivered, Before: Cursor{noon.Add(6 * time.Second), 6, "acme"}}, []int64{4, 2}},
		"nothing such":        {OrderFilter{State: StateUnknown}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if c.filter.Limit == 0 {
				c.filter.Limit = 100
			}
			views, err := s.Orders(t.Context(), c.filter)
			require.NoError(t, err)
			require.Equal(t, c.want, ids(views))
		})
	}
}

func TestPagesOfOrdersJoinWithoutHoleOrRepeat(t *testing.T) {
	for _, state := range []string{"", StateDue} {
		s := open(t)
		for id := range int64(10) {
			intake(t, s, order(id+1, 1)) // all seen at the same moment
		}
		var all []int64
		f := OrderFilter{State: state, Limit: 3}
		for {
			views, err := s.Orders(t.Context(), f)
			require.NoError(t, err)
			if len(views) == 0 {
				break
			}
			all = append(all, ids(views)...)
			last := views[len(views)-1]
			f.Before = Cursor{last.FirstSeenAt, last.ID, last.Shop}
		}
		require.Equal(t, []int64{10, 9, 8, 7, 6, 5, 4, 3, 2, 1}, all)
	}
}

func TestAnOrderIsShownWithItsDelivery(t *testing.T) {
	s := shelf(t)
	views, err := s.Orders(t.Context(), OrderFilter{Limit: 100})
	require.NoError(t, err)
	require.Empty(t, views[0].Delivery.State, "no ERP is to have it")
	parked := views[4]
	require.Equal(t, StateParked, parked.Delivery.State)
	require.Equal(t, "refused", parked.Delivery.Reason)
	require.Equal(t, "books", parked.Delivery.ERP)
	require.Equal(t, noon.Add(3*time.Second), parked.FirstSeenAt)
}

func TestEventsAreListedNewestFirstByEachFilter(t *testing.T) {
	s := open(t)
	for i, shop := range []string{"acme", "acme", "other", "acme"} {
		e := webhook(fmt.Sprint(i))
		e.Shop = shop
		if i == 1 {
			e.Topic = "orders/create"
		}
		_, err := s.Append(t.Context(), e)
		require.NoError(t, err)
	}
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Through: 4, Decisions: []Decision{
		{At: noon, Shop: "acme", OrderID: 9, EventID: 1, Step: "intake", Outcome: "new"},
		{At: noon, Shop: "acme", OrderID: 9, EventID: 4, Step: "intake", Outcome: "newer"},
		{At: noon, Shop: "other", OrderID: 9, EventID: 3, Step: "intake", Outcome: "new"},
	}}))
	for name, c := range map[string]struct {
		filter EventFilter
		want   []int64
	}{
		"none":            {EventFilter{Limit: 9}, []int64{4, 3, 2, 1}},
		"limit":           {EventFilter{Limit: 1}, []int64{4}},
		"before":          {EventFilter{Limit: 9, Before: 3}, []int64{2, 1}},
		"shop":            {EventFilter{Limit: 9, Shop: "acme"}, []int64{4, 2, 1}},
		"topic":           {EventFilter{Limit: 9, Topic: "orders/create"}, []int64{2}},
		"topic, shops":    {EventFilter{Limit: 9, Topic: "orders/updated"}, []int64{4, 3, 1}},
		"topic, limit":    {EventFilter{Limit: 2, Topic: "orders/updated"}, []int64{4, 3}},
		"topic, before":   {EventFilter{Limit: 2, Topic: "orders/updated", Before: 4}, []int64{3, 1}},
		"shop and topic":  {EventFilter{Limit: 9, Shop: "other", Topic: "orders/create"}, nil},
		"order":           {EventFilter{Limit: 9, Shop: "acme", OrderID: 9}, []int64{4, 1}},
		"order, before":   {EventFilter{Limit: 9, Shop: "acme", OrderID: 9, Before: 4}, []int64{1}},
		"an order unseen": {EventFilter{Limit: 9, Shop: "acme", OrderID: 8}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			events, err := s.Events(t.Context(), c.filter)
			require.NoError(t, err)
			var got []int64
			for _, e := range events {
				got = append(got, e.ID)
				require.Nil(t, e.Body)
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestTriesAreListedNewestFirstAndOneUnderWayHasNoOutcome(t *testing.T) {
	s := open(t)
	for id := range int64(3) {
		intake(t, s, order(id+1, 1))
		a := begun(t, s, claimed(t, s))
		if id > 0 {
			require.NoError(t, s.KeepOutcome(t.Context(), a.ID, Outcome{Result: "found", EndedAt: noon, Exchanges: []byte(`["said"]`)}))
		}
	}
	tries, err := s.Tries(t.Context(), TryFilter{Limit: 10})
	require.NoError(t, err)
	require.Len(t, tries, 3)
	require.EqualValues(t, 3, tries[0].ID)
	require.Nil(t, tries[0].Outcome.Exchanges, "what was said is only read when asked for")
	require.Nil(t, tries[2].Outcome)

	tries, err = s.Tries(t.Context(), TryFilter{Limit: 10, Before: 3, Full: true})
	require.NoError(t, err)
	require.Len(t, tries, 2)
	require.JSONEq(t, `["said"]`, string(tries[0].Outcome.Exchanges))
}

func TestDecisionsAreTheLastOnesOldestFirst(t *testing.T) {
	s := open(t)
	var all []Decision
	for i := range 5 {
		all = append(all, Decision{At: noon, Shop: "acme", OrderID: 1, Step: "intake", Outcome: fmt.Sprint(i)})
	}
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Decisions: all}))
	last, err := s.Decisions(t.Context(), OrderKey{"acme", 1}, 2)
	require.NoError(t, err)
	require.Len(t, last, 2)
	require.Equal(t, "3", last[0].Outcome)
	require.Equal(t, "4", last[1].Outcome)
}

func TestWhatIsNotThereIsNotFound(t *testing.T) {
	s := open(t)
	_, err := s.Order(t.Context(), OrderKey{"acme", 1})
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.Delivery(t.Context(), OrderKey{"acme", 1})
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.Event(t.Context(), 1)
	require.ErrorIs(t, err, ErrNotFound)
	known, err := s.Known(t.Context(), []OrderKey{{"acme", 1}})
	require.NoError(t, err)
	require.Empty(t, known)
	next, err := s.NextDue(t.Context(), "books")
	require.NoError(t, err)
	require.Zero(t, next)
	shop, err := s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, Shop{Name: "acme"}, shop)
}

func TestKnownTellsOrdersWithoutContent(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1), order(2, 1))
	known, err := s.Known(t.Context(), []OrderKey{{"acme", 1}, {"acme", 3}})
	require.NoError(t, err)
	require.Len(t, known, 1)
	o := known[OrderKey{"acme", 1}]
	require.Equal(t, "v1", o.Version)
	require.Nil(t, o.Content)
}
