package store

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sold brings an order of these people in.
func sold(t *testing.T, s *Store, shop string, id int64, people ...string) {
	t.Helper()
	w := order(id, 1)
	w.Shop, w.Customer = shop, people
	intake(t, s, w)
}

// ordersOf are the orders found, as "acme 7", newest first.
func ordersOf(t *testing.T, s *Store, customer string) (all []string) {
	t.Helper()
	views, err := s.OrdersOf(t.Context(), customer, "", 10)
	require.NoError(t, err)
	for _, v := range views {
		all = append(all, fmt.Sprint(v.Shop, " ", v.ID))
	}
	return all
}

func TestOrdersAreFoundByTheirCustomer(t *testing.T) {
	for name, key := range map[string][]byte{"in clear": nil, "encrypted": key32(1)} {
		t.Run(name, func(t *testing.T) {
			s := open(t, keyed(key))
			sold(t, s, "acme", 1, "Zoe.Mueller@Example.com", "Müller-Łukasz", "Zoë", "Zoë Müller-Łukasz", "ACME Ltd.")
			sold(t, s, "acme", 2, "jan@example.com", "O'Brien", "Jan")
			sold(t, s, "beta", 3, "", "Müller", "Anna")
			sold(t, s, "acme", 4, "王小明", "王", "Großmann")
			sold(t, s, "acme", 5)
			for query, want := range map[string][]string{
				"zoe.mueller@example.com": {"acme 1"}, " ZOE.MUELLER@EXAMPLE.COM ": {"acme 1"}, "mueller@example.com": nil, "zoe.mueller": nil,
				"müller": {"beta 3", "acme 1"}, "MULLER": {"beta 3", "acme 1"}, "mu\u0308ller": {"beta 3", "acme 1"}, "lukasz": {"acme 1"}, "Zoe Muller": {"acme 1"}, "muller, zoë": {"acme 1"},
				"anna muller": {"beta 3"}, "zoe obrien": nil, "o'brien": {"acme 2"}, "brien jan": {"acme 2"}, "acme": {"acme 1"}, "王": {"acme 4"}, "grossmann": {"acme 4"}, "GROSSMANN": {"acme 4"},
				"": nil, " ": nil, "%": nil, "mull": nil, "z": nil, "o": nil,
			} {
				require.Equal(t, want, ordersOf(t, s, query), query)
			}
			views, err := s.OrdersOf(t.Context(), "müller", "beta", 10)
			require.NoError(t, err)
			require.Len(t, views, 1)
			require.Equal(t, StateDue, views[0].Delivery.State)
			views, err = s.OrdersOf(t.Context(), "müller", "", 1)
			require.NoError(t, err)
			require.Equal(t, int64(3), views[0].ID, "the newest")
		})
	}
}

func TestAnOrderIsFoundByItsNewestVersion(t *testing.T) {
	s := open(t)
	for i, people := range [][]string{{"ann@example.com", "Ann Lee"}, {"ann@example.com", "Ann Smith"}, {"ann@example.com", "Ann Smith"}} {
		w := order(1, i+1)
		w.Customer = people
		intake(t, s, w)
	}
	require.Empty(t, ordersOf(t, s, "lee"))
	require.NotEmpty(t, ordersOf(t, s, "ann smith"))
	older := order(1, 1)
	older.Customer = []string{"Lee"}
	intake(t, s, older)
	require.Empty(t, ordersOf(t, s, "lee"), "an older version changes nothing")
}

func TestWhomWeForgotNobodyFinds(t *testing.T) {
	s := open(t)
	gone, stays := somebody(), somebody()
	buy(t, s, 7, 1, gone, 2)
	buy(t, s, 8, 2, stays, 2)
	require.Equal(t, []string{"acme 1"}, ordersOf(t, s, gone.Email))
	tokens := s.tokens([]string{gone.Email, gone.Name[5:]})
	require.NotEmpty(t, tokens)
	redact(t, s, Redaction{CustomerID: 7})
	for _, p := range []string{gone.Email, gone.Name[5:]} {
		require.Empty(t, ordersOf(t, s, p))
	}
	require.Equal(t, []string{"acme 2"}, ordersOf(t, s, stays.Email))
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.path + suffix)
		require.NoError(t, err)
		for _, token := range tokens {
			require.False(t, bytes.Contains(content, binary.BigEndian.AppendUint64(nil, uint64(token))), "a token is left in the file%s", suffix)
		}
	}
	redact(t, s, Redaction{WholeShop: true})
	require.Zero(t, one[int](t, s.readers, `SELECT count(*) FROM customers`))
}

func TestNamesLeaveNoTraceInAnyFile(t *testing.T) {
	for name, key := range map[string][]byte{"in clear": nil, "encrypted": key32(1)} {
		t.Run(name, func(t *testing.T) {
			s := open(t, keyed(key))
			p := somebody()
			sold(t, s, "acme", 1, p.Email, p.Name) // its content names nobody
			require.NotEmpty(t, ordersOf(t, s, p.Name))
			require.Empty(t, found(t, s, p))
			require.NoError(t, s.Purge(t.Context()))
			require.Empty(t, found(t, s, p))
		})
	}
}

func TestTheSearchKeyIsAsSafeAsTheBodies(t *testing.T) {
	s := open(t)
	sold(t, s, "acme", 1, "Ann Lee")
	clear := s.search
	kept := func(s *Store) []byte {
		packed, err := base64.StdEncoding.DecodeString(one[string](t, s.readers, `SELECT value FROM meta WHERE key = 'search_key'`))
		require.NoError(t, err)
		return packed
	}
	require.True(t, bytes.Contains(kept(s), clear))
	stop(t, s)
	s = open(t, at(s.path), keyed(key32(1)))
	require.Equal(t, []string{"acme 1"}, ordersOf(t, s, "lee"), "what was stored before the encryption key is found still")
	require.False(t, bytes.Contains(kept(s), clear))
	stop(t, s)
	s = open(t, at(s.path), keyed(key32(1)))
	require.Equal(t, clear, s.search)
	other := open(t)
	require.NotEqual(t, clear, other.search, "each database has a key of its own")
	require.NotEqual(t, s.tokens([]string{"lee"}), other.tokens([]string{"lee"}))
	guest := open(t, at(s.path), keyed(key32(1)), func(o *Options) { o.Guest = true })
	require.Equal(t, []string{"acme 1"}, ordersOf(t, guest, "Ann"))
}

func TestLongNamesCostLittle(t *testing.T) {
	s := open(t)
	sold(t, s, "acme", 1, strings.Repeat("a lot of words ", 5000), strings.Repeat("x", 100_000), strings.Repeat("\u0301", 100_000), "\x00\xff", "Lee")
	require.Equal(t, []string{"acme 1"}, ordersOf(t, s, "words"))
	require.LessOrEqual(t, one[int](t, s.readers, `SELECT count(*) FROM customers`), mostTokens)
}
