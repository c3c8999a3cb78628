package ui

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"gapless/store"
)

// mostTime is how long the server may take for a page, median of its visits.
const mostTime = 50 * time.Millisecond

// BenchmarkPages asks for every page of a store with a million orders of the
// last 400 days and three million messages, an hour before the shop's midnight.
func BenchmarkPages(b *testing.B) {
	s := &site{TB: b, actions: &actions{}, tokens: map[string]string{}}
	path := filepath.Join(b.TempDir(), "gapless.db")
	s.store = openAt(b, path)
	require.NoError(b, s.store.LearnShop(b.Context(), store.Shop{Name: "acme", Timezone: "Pacific/Kiritimati"}))
	require.NoError(b, s.store.Close())
	crowd(b, path)
	s.store = openAt(b, path)
	defer s.store.Close()
	require.NoError(b, s.store.ApplyIntake(b.Context(), store.Intake{At: epoch, Through: 3_000_000, Orders: []store.Wanted{{ERP: "books", Customer: []string{"Ann Lee"}, Order: store.Order{
		OrderKey: store.OrderKey{Shop: "acme", ID: 500_000}, Name: "#500000", Version: "v2", Currency: "EUR", Total: "1.00", CreatedAt: epoch, UpdatedAt: epoch, Content: []byte(`{}`),
	}}}}))
	s.ui = New(Options{Store: s.store, Actions: s.actions, Shops: []string{"acme"}, Open: true, Now: func() time.Time { return epoch }})
	warm, stop := context.WithCancel(b.Context())
	defer stop()
	go s.ui.KeepWarm(warm)
	for s.ui.balances.state().kept["acme"].midnight.IsZero() {
		runtime.Gosched()
	}
	for _, path := range []string{
		"/", "/gaps", "/gaps?state=closed", "/gaps/5", "/orders", "/orders?state=delivered", "/orders?state=parked", "/orders?state=moving", "/orders?q=%23999999", "/orders?q=SO-12345", "/orders?q=ann+lee",
		"/orders/acme/500000", "/events", "/events?topic=orders/paid", "/events/1500000", "/runs", "/runs/5000", "/reports", "/health", "/settings",
	} {
		b.Run(path, func(b *testing.B) {
			var took []time.Duration
			for b.Loop() {
				r := httptest.NewRequestWithContext(b.Context(), http.MethodGet, path, nil)
				w := httptest.NewRecorder()
				begun := time.Now()
				s.ui.ServeHTTP(w, r)
				took = append(took, time.Since(begun))
				require.Less(b, w.Code, 400, path)
			}
			b.ReportMetric(float64(took[0].Microseconds())/1000, "ms/first")
			slices.Sort(took)
			b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "ms/page")
			b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "ms/slowest")
			require.Less(b, took[len(took)/2], mostTime, path)
		})
	}
}

func openAt(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Options{Path: path, Now: func() time.Time { return epoch }})
	require.NoError(t, err)
	return s
}

// crowd fills a store, past its writer: it would take an hour through it.
func crowd(t testing.TB, path string) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?_pragma=synchronous(off)&_pragma=cache_size(-400000)")
	require.NoError(t, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	begin, pace := epoch.Add(-400*24*time.Hour).UnixMicro(), (400 * 24 * time.Hour / 1_000_000).Microseconds()
	const counting = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) `
	for _, fill := range []string{
		fmt.Sprintf(counting, 1_000_000) + fmt.Sprintf(`INSERT INTO orders (shop, id, name, version, hash, currency, total, test, customer_id, created_at, updated_at, fetched_at, cancelled_at, deleted_at, redacted_at, first_seen_at, event_id)
			SELECT 'acme', i, '#' || i, 'v' || i, 'h', 'EUR', (i %% 900) || '.50', 0, i %% 5000, %[1]d + i * %[2]d, %[1]d + i * %[2]d, 0, 0, 0, 0, %[1]d + i * %[2]d, i * 3 FROM n`, begin, pace),
		`INSERT INTO deliveries (shop, order_id, erp, state, wanted, claimed, held, held_body, verify, present, token, lease_until, sent_at, sent, ghost, ghost_at, tries, next_at, since, seen_at, changed_at, reason, field, hint, rule, erp_ref, erp_total)
			SELECT shop, id, 'books', CASE WHEN id % 1000 = 0 THEN 'parked' WHEN id % 50 = 0 THEN 'excluded' WHEN id % 5000 = 1 THEN 'due' ELSE 'delivered' END, version, version, version, 'h', 0, 1, '', 0, 0, '', '', 0, 0,
				first_seen_at, first_seen_at, first_seen_at, first_seen_at, CASE WHEN id % 1000 = 0 THEN 'no such article' ELSE '' END, '', '', CASE WHEN id % 50 = 0 THEN 'a rule' ELSE '' END, 'SO-' || id, total FROM orders`,
		fmt.Sprintf(counting, 3_000_000) + fmt.Sprintf(`INSERT INTO events (id, shop, source, topic, webhook_id, event_id, headers, triggered_at, received_at, size)
			SELECT i, 'acme', 'webhook', CASE i %% 3 WHEN 0 THEN 'orders/create' WHEN 1 THEN 'orders/paid' ELSE 'orders/updated' END, 'w' || i, 'e' || i, '{}', %[1]d + i * %[2]d - 1000000, %[1]d + i * %[2]d, 4000 FROM n`, begin, pace/3),
		`INSERT INTO decisions (at, shop, order_id, event_id, step, outcome, detail) SELECT received_at, shop, (id + 2) / 3, id, 'intake', 'newer', '' FROM events`,
		`INSERT INTO attempts (shop, order_id, erp, token, action, ref, version, body_hash, started_at) SELECT shop, id, 'books', 't', 'deliver', 'acme-' || id, version, 'h', first_seen_at FROM orders`,
		`INSERT INTO outcomes (attempt_id, result, reason, field, hint, erp_ref, applied, ended_at, duration_us) SELECT id, 'created', '', '', '', 'SO-' || order_id, 1, started_at + 50000, 50000 FROM attempts`,
		`INSERT INTO customers (token, order_id, shop) SELECT id * 1000003, id, shop FROM orders`,
		fmt.Sprintf(counting, 20_000) + fmt.Sprintf(`INSERT INTO gaps (shop, order_id, erp, kind, subject, state, about, cause, detail, found_by, run_id, since, first_seen, last_seen, checked_at, healed_by, closed_at, ignored_by, reason, reopened, alerted_at)
			SELECT 'acme', 1000001 - i * 40, 'books', CASE i %% 3 WHEN 0 THEN 'missing' WHEN 1 THEN 'stale' ELSE 'parked' END, '', CASE WHEN i %% 20 = 0 THEN 'open' ELSE 'closed' END, '', 'erp_lost', 'gone', 'reconcile', 0,
				%[1]d + i, %[1]d + i, %[1]d + i, 0, CASE WHEN i %% 20 = 0 THEN '' ELSE 'poll' END, CASE WHEN i %% 20 = 0 THEN 0 ELSE %[1]d + i END, '', '', 0, 0 FROM n`, begin),
		fmt.Sprintf(counting, 9600) + fmt.Sprintf(`INSERT INTO runs (shop, kind, state, by, from_at, to_at, heal, started_at, ended_at, done, total, found, data, note)
			SELECT 'acme', 'reconcile', 'done', 'schedule', %[1]d + i, %[1]d + i, 1, %[1]d + i, %[1]d + i + 1, 10, 0, 0, '{}', '' FROM n`, begin),
		`INSERT INTO meta (key, value) VALUES ('intake', '3000000') ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
	} {
		_, err := db.ExecContext(t.Context(), fill)
		require.NoError(t, err, "%.100s", fill)
	}
}
