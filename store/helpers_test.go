package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// clock stands still until it is moved.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

// open opens a store of its own in a temporary folder, or the one at o.Path.
func open(t testing.TB, changes ...func(*Options)) *Store {
	t.Helper()
	o := Options{Path: filepath.Join(t.TempDir(), "gapless.db"), Now: (&clock{noon}).now}
	for _, change := range changes {
		change(&o)
	}
	s, err := Open(t.Context(), o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// stop closes a store before its test ends.
func stop(t testing.TB, s *Store) {
	t.Helper()
	require.NoError(t, s.Close())
}

func at(path string) func(*Options) { return func(o *Options) { o.Path = path } }

func key32(b byte) []byte {
	key := make([]byte, 32)
	for i := range key {
		key[i] = b
	}
	return key
}

func webhook(id string) *Event {
	return &Event{
		Shop: "acme", Source: SourceWebhook, Topic: "orders/updated", WebhookID: id, EventID: "e-" + id, Headers: "{}",
		TriggeredAt: noon.Add(-time.Second), ReceivedAt: noon, Body: []byte(`{"id":` + fmt.Sprint(len(id)) + `,"of":"` + id + `"}`),
	}
}

// appended appends a webhook that was not there before.
func appended(t testing.TB, s *Store, id string) *Event {
	t.Helper()
	e := webhook(id)
	duplicate, err := s.Append(t.Context(), e)
	require.NoError(t, err)
	require.False(t, duplicate, "webhook %s was not stored before", id)
	return e
}

func requireDuplicate(t testing.TB, s *Store, id string) {
	t.Helper()
	duplicate, err := s.Append(t.Context(), webhook(id))
	require.NoError(t, err)
	require.True(t, duplicate, "webhook %s was stored before", id)
}

// second opens a connection that shares nothing with the store's own.
func second(t testing.TB, path string) *sql.DB {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rw&_pragma=busy_timeout(10000)")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	return db
}

// one reads one value.
func one[T any](t testing.TB, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, query string, args ...any) T {
	t.Helper()
	var v T
	require.NoError(t, db.QueryRowContext(t.Context(), query, args...).Scan(&v))
	return v
}

// hold keeps the writer inside a group until release is called.
func hold(t testing.TB, s *Store) (release func()) {
	t.Helper()
	entered, gate, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		done <- s.writer.apply(context.Background(), 0, func(*tx) error {
			close(entered)
			<-gate
			return nil
		})
	}()
	<-entered
	return func() {
		t.Helper()
		close(gate)
		require.NoError(t, <-done)
	}
}

// waitQueued waits until n writes are queued behind a held writer.
func waitQueued(t testing.TB, s *Store, n int) {
	t.Helper()
	require.Eventually(t, func() bool { rows, _ := s.Queued(); return rows == n }, 10*time.Second, time.Millisecond)
}

// crash copies the files of a store as a power cut would leave them, and
// returns the path of the copy.
func crash(t testing.TB, s *Store) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "crashed.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.path + suffix)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path+suffix, content, 0o600))
	}
	return path
}

// order is a version of an order; the version is named by the second it is of.
func order(id int64, second int) Wanted {
	updated := noon.Add(time.Duration(second) * time.Second)
	return Wanted{ERP: "books", Order: Order{
		OrderKey: OrderKey{"acme", id}, Name: fmt.Sprintf("#%d", id), Version: fmt.Sprintf("v%d", second), Hash: fmt.Sprintf("h%d", second),
		Currency: "EUR", Total: "10.00", CreatedAt: noon, UpdatedAt: updated, Content: fmt.Appendf(nil, `{"id":%d,"second":%d}`, id, second),
	}}
}

// intake applies versions of orders.
func intake(t testing.TB, s *Store, orders ...Wanted) {
	t.Helper()
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: s.now(), Orders: orders}))
}

func delivery(t testing.TB, s *Store, id int64) Delivery {
	t.Helper()
	d, err := s.Delivery(t.Context(), OrderKey{"acme", id})
	require.NoError(t, err)
	return d
}

// claimed claims the one delivery that is due.
func claimed(t testing.TB, s *Store) Claim {
	t.Helper()
	claims, err := s.Claim(t.Context(), "books", 1, "stamp", time.Minute)
	require.NoError(t, err)
	require.Len(t, claims, 1)
	return claims[0]
}

// begun notes the intent of an attempt.
func begun(t testing.TB, s *Store, c Claim) Attempt {
	t.Helper()
	a := intent(c, ActionDeliver, s.now())
	require.NoError(t, s.Begin(t.Context(), &a))
	return a
}

// intent is that of an attempt which begins at some moment.
func intent(c Claim, action string, at time.Time) Attempt {
	return Attempt{DeliveryKey: c.DeliveryKey, Token: c.Token, Action: action, Ref: "ref", Version: c.Order.Version, BodyHash: "b", StartedAt: at}
}

// deliver walks the one due delivery to delivered.
func deliver(t testing.TB, s *Store) {
	t.Helper()
	c := claimed(t, s)
	require.NoError(t, s.Settle(t.Context(), settle(c, StateDelivered)))
}

// settle is a settlement of c with what its state asks for.
func settle(c Claim, state string) Settle {
	r := Settle{DeliveryKey: c.DeliveryKey, Token: c.Token, State: state, Held: c.Held}
	switch state {
	case StateDelivered:
		r.Held = c.Order.Version
	case StateParked:
		r.Reason = "refused"
	case StateExcluded:
		r.Rule = "test orders"
	}
	return r
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

func noiseText(n int) string { return hex.EncodeToString(noise(n / 2)) }

// closeGap closes a gap as it is now.
func closeGap(t testing.TB, s *Store, id int64, by string) {
	t.Helper()
	g, err := s.Gap(context.Background(), id)
	require.NoError(t, err)
	require.NoError(t, s.CloseGap(context.Background(), g, by))
}
