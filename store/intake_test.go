package store

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func stored(t *testing.T, s *Store, id int64) Order {
	t.Helper()
	o, err := s.Order(t.Context(), OrderKey{"acme", id})
	require.NoError(t, err)
	return o
}

// fetched is w as Shopify told it by id, at a second.
func fetched(w Wanted, second int) Wanted {
	w.FetchedAt = noon.Add(time.Duration(second) * time.Second)
	return w
}

// saying is w with another version of the same second.
func saying(w Wanted, version string) Wanted {
	w.Version, w.Hash, w.Content = version, version, []byte(`{"says":"`+version+`"}`)
	return w
}

// supplied is w with what Shopify had withheld of it.
func supplied(w Wanted) Wanted {
	w.Supplied = true
	return w
}

func TestWhichOfTwoVersionsOfAnOrderStays(t *testing.T) {
	for name, c := range map[string]struct {
		first, then Wanted
		wins        string
	}{
		"a newer one overwrites":                       {order(1, 1), order(1, 2), "v2"},
		"an older one never does":                      {order(1, 2), order(1, 1), "v2"},
		"an older one never does, even fetched":        {order(1, 2), fetched(order(1, 1), 9), "v2"},
		"a newer webhook overwrites what was fetched":  {fetched(order(1, 1), 9), order(1, 2), "v2"},
		"on a tie the first webhook stays":             {saying(order(1, 1), "a"), saying(order(1, 1), "b"), "a"},
		"on a tie a fetch wins over a webhook":         {saying(order(1, 1), "a"), fetched(saying(order(1, 1), "b"), 2), "b"},
		"on a tie a later fetch wins":                  {fetched(saying(order(1, 1), "a"), 2), fetched(saying(order(1, 1), "b"), 3), "b"},
		"on a tie an earlier fetch loses":              {fetched(saying(order(1, 1), "a"), 3), fetched(saying(order(1, 1), "b"), 2), "a"},
		"on a tie a webhook loses to what was fetched": {fetched(saying(order(1, 1), "a"), 2), saying(order(1, 1), "b"), "a"},
		"on a tie fetched at the same time, the first": {fetched(saying(order(1, 1), "a"), 2), fetched(saying(order(1, 1), "b"), 2), "a"},
		"on a tie what Shopify had withheld is added":  {fetched(saying(order(1, 1), "a"), 2), supplied(fetched(saying(order(1, 1), "b"), 2)), "b"},
		"what is added to an earlier fetch loses":      {fetched(saying(order(1, 1), "a"), 3), supplied(fetched(saying(order(1, 1), "b"), 2)), "a"},
		"another order is another order's matter":      {order(1, 1), order(2, 5), "v1"},
	} {
		t.Run(name, func(t *testing.T) {
			together, apart := open(t), open(t)
			intake(t, together, c.first, c.then)
			intake(t, apart, c.first)
			intake(t, apart, c.then)
			for _, s := range []*Store{together, apart} {
				o := stored(t, s, 1)
				require.Equal(t, c.wins, o.Version)
				require.Equal(t, c.wins, delivery(t, s, 1).Wanted, "the ERP should hold what is stored")
				want := c.first
				if c.then.Version == c.wins && c.then.ID == 1 {
					want = c.then
				}
				require.Equal(t, want.Content, o.Content)
			}
		})
	}
}

func TestTheIntakeCursorNeverGoesBack(t *testing.T) {
	s := open(t)
	for range 3 {
		appended(t, s, "")
	}
	for _, through := range []int64{2, 1, 2} {
		require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Through: through}))
		pending, err := s.PendingEvents(t.Context(), 10)
		require.NoError(t, err)
		require.Len(t, pending, 1)
		require.EqualValues(t, 3, pending[0].ID)
	}
}

func TestAnIntakeThatFailsChangesNothing(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	bad := Decision{At: noon, Step: "no such step"}
	require.Error(t, s.ApplyIntake(t.Context(), Intake{At: noon, Through: 1, Orders: []Wanted{order(1, 1)}, Decisions: []Decision{bad}}))
	_, err := s.Order(t.Context(), OrderKey{"acme", 1})
	require.ErrorIs(t, err, ErrNotFound)
	pending, err := s.PendingEvents(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, pending, 1)
}

// walkTo brings the one delivery to a state.
func walkTo(t *testing.T, s *Store, state string) Claim {
	t.Helper()
	if state == StateDue {
		return Claim{}
	}
	c := claimed(t, s)
	if state != StateSending {
		require.NoError(t, s.Settle(t.Context(), settle(c, state)))
	}
	require.Equal(t, state, delivery(t, s, 1).State)
	return c
}

func TestANewVersionMovesADeliveryThatRestsAndLeavesOneUnderWay(t *testing.T) {
	for from, to := range map[string]string{
		StateDelivered: StateDue, StateParked: StateDue, StateExcluded: StateDue, StateDue: StateDue,
		StateSending: StateSending, StateUnknown: StateUnknown,
	} {
		t.Run(from, func(t *testing.T) {
			clock := &clock{noon}
			s := open(t, func(o *Options) { o.Now = clock.now })
			intake(t, s, order(1, 1))
			walkTo(t, s, from)
			before := delivery(t, s, 1)
			clock.at = noon.Add(time.Minute)
			intake(t, s, order(1, 2))

			d := delivery(t, s, 1)
			require.Equal(t, to, d.State)
			require.Equal(t, "v2", d.Wanted)
			require.Equal(t, before.Held, d.Held)
			require.Equal(t, before.Token, d.Token)
			if from == StateParked || from == StateExcluded {
				require.Empty(t, d.Reason+d.Rule, "what was said of the older version is gone")
			}
			if from == StateDelivered {
				require.Equal(t, clock.at, d.Since)
			}
		})
	}
}

func TestTheSameVersionAgainLeavesADeliveryAlone(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	deliver(t, s)
	before := delivery(t, s, 1)
	intake(t, s, fetched(order(1, 1), 5))
	require.Equal(t, before, delivery(t, s, 1))
	require.Equal(t, noon.Add(5*time.Second), stored(t, s, 1).FetchedAt, "but Shopify itself has said so now")
}

func TestAnOrderDeletedInShopifyKeepsTheFirstTimeThatWasHeard(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	for minute := range 2 {
		require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon.Add(time.Duration(minute+1) * time.Minute), Deleted: []Gap{{Shop: "acme", OrderID: 1, Kind: GapOrphan}}}))
	}
	require.Equal(t, noon.Add(time.Minute), stored(t, s, 1).DeletedAt)
}

func TestAShopThatWasLeftIsKnownUntilItsSubscriptionsAreWholeAgain(t *testing.T) {
	s := open(t)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Uninstalled: []string{"acme"}}))
	shop, err := s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, noon, shop.UninstalledAt)

	require.NoError(t, s.Subscribed(t.Context(), "acme", nil, "access denied"))
	shop, err = s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, noon, shop.UninstalledAt)
	require.Equal(t, "access denied", shop.SubscribeError)

	require.NoError(t, s.Subscribed(t.Context(), "acme", []SubscriptionChange{{Topic: "orders/create", Change: "created"}}, ""))
	shop, err = s.Shop(t.Context(), "acme")
	require.NoError(t, err)
	require.Zero(t, shop.UninstalledAt)
	require.Empty(t, shop.SubscribeError)
	changes, err := s.SubscriptionChanges(t.Context(), 10)
	require.NoError(t, err)
	require.Equal(t, []SubscriptionChange{{At: noon, Shop: "acme", Topic: "orders/create", Change: "created"}}, changes)
}

// A call for an order placed before may have left that the copy knows nothing of.
func TestAfterARestoreWhatWasPlacedBeforeIsInDoubt(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	path := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, s.Backup(t.Context(), path))
	start := noon.Add(time.Hour)
	copied := open(t, at(path), func(o *Options) { o.Now = func() time.Time { return start } })
	before, after := order(2, 1), order(3, 1)
	before.CreatedAt, after.CreatedAt = start.Add(-time.Second), start.Add(time.Second)
	intake(t, copied, before, after)
	for id, doubt := range map[int64]bool{1: true, 2: true, 3: false} {
		d := delivery(t, copied, id)
		require.Equal(t, doubt, d.Verify, id)
		require.Equal(t, doubt, d.SentAt.Equal(start), id)
		require.Equal(t, doubt, d.Ghost != "" && d.GhostAt.Equal(start), id)
	}
	stop(t, copied)
	again := open(t, at(path), func(o *Options) { o.Now = func() time.Time { return start.Add(time.Hour) } })
	require.Equal(t, start, delivery(t, again, 1).GhostAt, "only the first start counts")
}
