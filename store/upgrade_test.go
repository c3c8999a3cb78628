package store

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// released makes a database as the first released Gapless left it, with orders in
// each state of a delivery.
func released(t *testing.T, key []byte) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "gapless.db")
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rwc"+pragmas)
	require.NoError(t, err)
	defer func() { require.NoError(t, db.Close()) }()
	steps, err := migrations()
	require.NoError(t, err)
	require.Equal(t, 1, steps[0].version)
	require.NoError(t, applyMigrations(t.Context(), db, steps[:1]))
	c, err := newCodec(key)
	require.NoError(t, err)
	exec := func(query string, args ...any) {
		_, err := db.Exec(query, args...)
		require.NoError(t, err, query)
	}
	for i, state := range []string{StateDue, StateDelivered, StateParked, StateExcluded, StateUnknown, StateSending} {
		id, at := i+1, micros(noon)+int64(i)
		held, token, present, deleted := "", "", 0, int64(0)
		switch state {
		case StateDelivered:
			held, present, deleted = "v1", 1, at
		case StateSending:
			token = "left behind"
		}
		exec(`INSERT INTO events VALUES ($1, 'acme', 'webhook', 'orders/create', $2, '', '{}', $3, $3, 10)`, id, fmt.Sprint("w", id), at)
		exec(`INSERT INTO bodies VALUES ($1, $2)`, id, c.pack(fmt.Appendf(nil, "body %d", id)))
		exec(`INSERT INTO orders (shop, id, name, version, hash, currency, total, test, customer_id, created_at, updated_at, fetched_at, cancelled_at, deleted_at,
			redacted_at, first_seen_at, event_id, content) VALUES ('acme', $1, $2, 'v1', 'h1', 'EUR', '10.00', 0, 7, $3, $3, 0, 0, $4, 0, $3, $1, $5)`,
			id, fmt.Sprint("#", id), at, deleted, c.pack(fmt.Appendf(nil, `{"id":%d}`, id)))
		exec(`INSERT INTO deliveries (shop, order_id, erp, state, wanted, claimed, held, held_body, verify, present, token, lease_until, sent_at, sent, ghost, ghost_at,
			tries, next_at, since, seen_at, changed_at, reason, field, hint, rule, erp_ref, erp_total)
			VALUES ('acme', $1, 'books', $2, 'v1', 'v1', $3, '', 0, $4, $5, 0, $6, 'v1', '', 0, 0, $7, $7, $7, $7, 'refused', '', '', 'test orders', 'SO-1', '10.00')`,
			id, state, held, present, token, map[string]int64{StateSending: at, StateUnknown: at}[state], at)
	}
	exec(`INSERT INTO shops (shop, uninstalled_at, subscribed_at, subscribe_error, poll_cursor, polled_at, poll_error) VALUES ('acme', 0, $1, '', $1, $1, '')`, micros(noon))
	exec(`INSERT INTO decisions (at, shop, order_id, event_id, step, outcome, detail) VALUES ($1, 'acme', 1, 1, 'intake', 'new', '')`, micros(noon))
	exec(`INSERT INTO meta (key, value) VALUES ('intake', '6'), ('encryption_key', $1)`, c.key)
	return path
}

func TestADatabaseOfTheFirstReleaseGoesOnWithAllThatWasInIt(t *testing.T) {
	for name, key := range map[string][]byte{"in clear": nil, "encrypted": key32(1)} {
		t.Run(name, func(t *testing.T) {
			clock := &clock{noon.Add(time.Hour)}
			path := released(t, key)
			s := open(t, at(path), func(o *Options) { o.Key, o.Now = key, clock.now })
			require.Equal(t, newest(t), one[int](t, s.readers, `PRAGMA user_version`))
			require.NoError(t, verify(t.Context(), path))
			require.NoError(t, verify(t.Context(), fmt.Sprintf("%s.before-schema-%d", path, newest(t))))

			for id := range int64(6) {
				o, err := s.Order(t.Context(), OrderKey{"acme", id + 1})
				require.NoError(t, err)
				require.Equal(t, fmt.Sprintf(`{"id":%d}`, id+1), string(o.Content))
				require.Equal(t, []any{fmt.Sprint("#", id+1), "v1", noon.Add(time.Duration(id) * time.Microsecond)}, []any{o.Name, o.Version, o.FirstSeenAt})
			}
			e, err := s.Event(t.Context(), 3)
			require.NoError(t, err)
			require.Equal(t, "body 3", string(e.Body))
			requireDuplicate(t, s, "w3")
			st, err := s.Stats(t.Context(), noon)
			require.NoError(t, err)
			require.Equal(t, map[string]int64{StateDue: 1, StateDelivered: 1, StateParked: 1, StateExcluded: 1, StateUnknown: 1, StateSending: 1}, st.States)

			known, err := s.StandingsOf(t.Context(), "books", []OrderKey{{"acme", 1}, {"acme", 2}})
			require.NoError(t, err)
			there := known[OrderKey{"acme", 2}]
			require.Equal(t, there.ChangedAt, there.WrittenAt, "the ERP lists it at least since then")
			require.Zero(t, known[OrderKey{"acme", 1}].WrittenAt)
			require.Equal(t, there.DeletedAt.UnixMicro(), one[int64](t, s.readers, `SELECT at FROM deleted_orders WHERE order_id = 2`))
			shop, err := s.Shop(t.Context(), "acme")
			require.NoError(t, err)
			require.Equal(t, []any{noon, noon, time.Time{}, time.Time{}, time.Time{}}, []any{shop.PollCursor, shop.SubscribedAt, shop.StartedAt, shop.BeganAt, shop.CompleteThrough})

			// What was due is delivered, what was being sent is looked up, and new versions come in.
			freed, err := s.Recover(t.Context())
			require.NoError(t, err)
			require.EqualValues(t, 1, freed)
			clock.at = clock.at.Add(time.Hour)
			claims, err := s.Claim(t.Context(), "books", 10, "stamp", time.Minute)
			require.NoError(t, err)
			require.Len(t, claims, 3)
			for _, c := range claims {
				require.Equal(t, fmt.Sprintf(`{"id":%d}`, c.ID), string(c.Order.Content))
				require.Equal(t, c.ID != 1, c.Verify, "order %d", c.ID)
				begun(t, s, c)
				require.NoError(t, s.Settle(t.Context(), settle(c, StateDelivered)))
			}
			newer := order(3, 10) // it was parked
			intake(t, s, newer)
			c := claimed(t, s)
			require.Equal(t, []any{int64(3), string(newer.Content)}, []any{c.ID, string(c.Order.Content)})
		})
	}
}

// Whose reports are made already, goes on with them: from the first run on, or from
// where it began, where none is known.
func TestAnUpgradeTellsSinceWhenShopsAreTakenCareOf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gapless.db")
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rwc"+pragmas)
	require.NoError(t, err)
	steps, err := migrations()
	require.NoError(t, err)
	before := slices.DeleteFunc(slices.Clone(steps), func(m migration) bool { return m.version >= 14 })
	require.NoError(t, applyMigrations(t.Context(), db, before))
	began := map[string]time.Time{"acme": hour(1), "beta": hour(2), "new": {}}
	for shop, at := range began {
		_, err := db.Exec(`INSERT INTO shops (shop, uninstalled_at, subscribed_at, subscribe_error, poll_cursor, polled_at, poll_error, began_at)
			VALUES ($1, 0, 0, '', 0, 0, '', $2)`, shop, micros(at))
		require.NoError(t, err)
	}
	for _, n := range []int{9, 7} {
		_, err := db.Exec(`INSERT INTO runs (shop, kind, state, by, from_at, to_at, heal, started_at, ended_at, done, total, found, data, note)
			VALUES ('acme', 'poll', 'done', 'schedule', 0, 0, 1, $1, $1, 0, 0, 0, '{}', '')`, micros(hour(n)))
		require.NoError(t, err)
	}
	require.NoError(t, db.Close())

	s := open(t, at(path))
	for shop, want := range map[string]time.Time{"acme": hour(7), "beta": hour(2), "new": {}} {
		got, err := s.Shop(t.Context(), shop)
		require.NoError(t, err)
		require.Equal(t, []time.Time{want, began[shop]}, []time.Time{got.StartedAt, got.BeganAt}, shop)
	}
}
