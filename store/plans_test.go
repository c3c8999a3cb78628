package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"encoding/json"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listener is a connector that notes every query of its connections.
type listener struct {
	driver driver.Driver
	dsn    string
	mu     sync.Mutex
	heard  map[string]bool
}

func (l *listener) Driver() driver.Driver { return l.driver }

func (l *listener) Connect(context.Context) (driver.Conn, error) {
	conn, err := l.driver.Open(l.dsn)
	return &heardConn{conn, l}, err
}

type heardConn struct {
	driver.Conn
	l *listener
}

func (c *heardConn) PrepareContext(ctx context.Context, query string) (driver.Stmt, error) {
	c.l.mu.Lock()
	c.l.heard[query] = true
	c.l.mu.Unlock()
	return c.Conn.(driver.ConnPrepareContext).PrepareContext(ctx, query)
}

// allQueries walks through everything that a store does and returns the queries
// it made: those of its readers and those of its writer.
func allQueries(t *testing.T, s *Store) map[string]bool {
	t.Helper()
	l := &listener{driver: s.readers.Driver(), dsn: "file:" + s.path + "?mode=ro&_pragma=busy_timeout(10000)", heard: map[string]bool{}}
	require.NoError(t, s.readers.Close())
	s.readers = &readers{DB: sql.OpenDB(l), stmts: map[string]*sql.Stmt{}}
	writeEverything(t, s)
	readEverything(t, s)
	s.writer.between.Lock() // the writer rests
	defer s.writer.between.Unlock()
	for query := range s.writer.tx.raw {
		l.heard[query] = true
	}
	for query := range s.writer.tx.queries {
		l.heard[query] = true
	}
	return l.heard
}

func writeEverything(t *testing.T, s *Store) {
	t.Helper()
	foldsOften(s)
	for _, id := range []string{"a", "b", "c", "d", "e"} {
		appended(t, s, id)
	}
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	a := begun(t, s, c)
	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome, r.Refetch = a.ID, &Outcome{Result: "created", Exchanges: json.RawMessage(`[]`)}, &Refetch{OrderKey: c.OrderKey}
	r.Decision = &Decision{Step: "deliver"}
	require.NoError(t, s.Settle(t.Context(), r))
	require.NoError(t, s.PostponeRefetch(t.Context(), *r.Refetch, noon, "busy"))
	answers["an answer"](t, s, *r.Refetch)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{
		At: noon, Through: 1, Forget: []int64{1}, Deleted: []OrderKey{c.OrderKey}, Uninstalled: []string{"acme"},
		Redactions: []Redaction{{Shop: "acme", CustomerID: 7, OrderIDs: []int64{1}, Redact: withoutPerson}},
	}))
	_, err := s.Replay(t.Context(), []DeliveryKey{c.DeliveryKey}, "ann")
	require.NoError(t, err)
	_, err = s.Recover(t.Context(), true)
	require.NoError(t, err)
	_, err = s.ForgetBodies(t.Context(), noon)
	require.NoError(t, err)
	require.NoError(t, s.Polled(t.Context(), "acme", noon, nil, ""))
	require.NoError(t, s.Subscribed(t.Context(), "acme", []SubscriptionChange{{}}, ""))
	s.Refuse(Refusal{})
	s.tally.flush()
}

func readEverything(t *testing.T, s *Store) {
	t.Helper()
	ctx, key := t.Context(), OrderKey{"acme", 1}
	var errs []error
	note := func(_ any, err error) { errs = append(errs, err) }
	before := Cursor{noon, 1, "acme"}
	for _, f := range []OrderFilter{
		{}, {Shop: "acme"}, {State: StateDue}, {Name: "#1"}, {ID: 1},
		{Shop: "acme", State: StateDue}, {Shop: "acme", Name: "#1"}, {Shop: "acme", ID: 1}, {Name: "#1", State: StateDue}, {ID: 1, State: StateDue},
	} {
		note(s.Orders(ctx, f))
		f.Before = before
		note(s.Orders(ctx, f))
	}
	for _, f := range []EventFilter{{}, {Shop: "acme"}, {Topic: "orders/create"}, {Shop: "acme", Topic: "orders/create"}, {Shop: "acme", OrderID: 1}} {
		note(s.Events(ctx, f))
		f.Before = 5
		note(s.Events(ctx, f))
	}
	for _, f := range []TryFilter{{}, {Full: true}, {Order: key}, {Order: key, Full: true}} {
		note(s.Tries(ctx, f))
		f.Before = 5
		note(s.Tries(ctx, f))
	}
	note(s.Stats(ctx, noon))
	note(s.PendingEvents(ctx, 10))
	note(s.Event(ctx, 2))
	note(s.Order(ctx, key))
	note(s.Known(ctx, []OrderKey{key}))
	note(s.Decisions(ctx, key, 10))
	note(s.Delivery(ctx, key))
	note(s.NextDue(ctx, "books"))
	note(s.DueRefetches(ctx, "acme", noon.Add(time.Hour), 10))
	note(s.Redacted(ctx, "acme", 7))
	for _, err := range errs {
		require.NoError(t, err)
	}
}

// large are the tables that grow with every order, by the names that queries
// give them.
var large = map[string]bool{
	"events": true, "e": true, "bodies": true, "b": true, "orders": true, "o": true, "deliveries": true, "d": true,
	"attempts": true, "a": true, "outcomes": true, "r": true, "transcripts": true, "x": true, "decisions": true, "seen": true,
}

// mayScan are the ends of the queries that may walk a large table, and why.
var mayScan = map[string]string{
	"SELECT count(*) FROM orders":                                                          "SQLite adds up how many rows each page has, without reading them",
	"SELECT count(*) FROM deliveries":                                                      "SQLite adds up how many rows each page has, without reading them",
	"FROM events e ORDER BY e.id DESC LIMIT $1":                                            "the first page of all events: from the newest, until the limit",
	"AND d.order_id = o.id ORDER BY o.first_seen_at DESC, o.id DESC, o.shop DESC LIMIT $1": "the first page of all orders: from the newest, until the limit",
	"ON r.attempt_id = a.id ORDER BY a.id DESC LIMIT $1":                                   "the first page of all attempts: from the newest, until the limit",
	"LEFT JOIN transcripts x ON x.attempt_id = a.id ORDER BY a.id DESC LIMIT $1":           "the same with what was said",
}

var scanned = regexp.MustCompile(`^SCAN (\w+)`)

func TestNoQueryReadsAWholeLargeTable(t *testing.T) {
	s := open(t)
	plans := second(t, s.path)
	queries := allQueries(t, s)
	require.Greater(t, len(queries), 70, "the walk reaches the queries")
	for query := range queries {
		for _, step := range plan(t, plans, query) {
			table := scanned.FindStringSubmatch(step)
			if table != nil && large[table[1]] && !exempt(query) {
				t.Errorf("%s\n  in\n%s", step, query)
			}
		}
	}
}

func exempt(query string) bool {
	for end := range mayScan {
		if strings.HasSuffix(strings.Join(strings.Fields(query), " "), end) {
			return true
		}
	}
	return false
}

func TestListsComeInOrderWithoutSortingWhatTheyDoNotShow(t *testing.T) {
	s := open(t)
	plans := second(t, s.path)
	for name, query := range map[string]string{
		"orders":            first(OrderFilter{}.query()),
		"orders of a shop":  first(OrderFilter{Shop: "acme"}.query()),
		"orders of a state": first(OrderFilter{State: StateDelivered}.query()),
		"events":            first(EventFilter{}.query()),
		"events of a shop":  first(EventFilter{Shop: "acme"}.query()),
		"attempts":          first(TryFilter{}.query()),
		"an order's":        first(TryFilter{Order: OrderKey{"acme", 1}}.query()),
	} {
		require.NotContains(t, strings.Join(plan(t, plans, query), "\n"), "ORDER BY", name)
	}
}

func first(query string, _ []any) string { return query }

var (
	parameter = regexp.MustCompile(`\$\d+`)
	planned   = regexp.MustCompile(`^\s*(SELECT|INSERT|UPDATE|DELETE)\b`)
)

// plan is how SQLite would run a query, step by step; nothing for statements
// that have no plan.
func plan(t *testing.T, db *sql.DB, query string) (steps []string) {
	t.Helper()
	if !planned.MatchString(query) {
		return nil
	}
	rows, err := db.QueryContext(t.Context(), `EXPLAIN QUERY PLAN `+parameter.ReplaceAllString(query, "'x'"))
	require.NoError(t, err, query)
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var step string
		require.NoError(t, rows.Scan(&id, &parent, &unused, &step))
		steps = append(steps, step)
	}
	require.NoError(t, rows.Err())
	return steps
}
