package store

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"
	"time"
)

// OrderView is an order with its delivery, as lists show it.
type OrderView struct {
	Order
	Delivery Delivery // State is empty where no ERP is to have it
}

// OrderFilter narrows a list of orders; zero fields don't.
type OrderFilter struct {
	Shop   string
	State  string
	Name   string // exact, "#1001"
	ID     int64
	ERPRef string // the ERP's own number, exact
	// Of the Shop, which is to be given too: placed in [From, To), and still in
	// Shopify. Those placed last are at the top then.
	From, To time.Time
	Before   Cursor // only orders after this place in the list
	Limit    int
}

// Cursor is a place in a list of orders, newest first.
type Cursor struct {
	SeenAt time.Time // or when it was placed, where the list is of a day
	ID     int64
	Shop   string // orders of two shops may share both
}

// Orders lists orders without content, those first seen last at the top.
func (s *Store) Orders(ctx context.Context, f OrderFilter) ([]OrderView, error) {
	query, args := f.query()
	return s.orderViews(ctx, query, args...)
}

const viewColumns = orderColumns + `,
			coalesce(d.erp, ''), coalesce(d.state, ''), coalesce(d.wanted, ''), coalesce(d.held, ''), coalesce(d.tries, 0), coalesce(d.next_at, 0),
			coalesce(d.since, 0), coalesce(d.reason, ''), coalesce(d.field, ''), coalesce(d.hint, ''), coalesce(d.rule, ''),
			coalesce(d.erp_ref, ''), coalesce(d.erp_total, '')`

func (s *Store) orderViews(ctx context.Context, query string, args ...any) ([]OrderView, error) {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list orders: %w", err)
	}
	defer rows.Close()
	var views []OrderView
	for rows.Next() {
		var d Delivery
		var next, since int64
		o, err := scanOrder(rows.Scan, &d.ERP, &d.State, &d.Wanted, &d.Held, &d.Tries, &next, &since,
			&d.Reason, &d.Field, &d.Hint, &d.Rule, &d.ERPRef, &d.ERPTotal)
		if err != nil {
			return nil, err
		}
		d.OrderKey, d.NextAt, d.Since = o.OrderKey, timeOf(next), timeOf(since)
		views = append(views, OrderView{o, d})
	}
	return views, rows.Err()
}

// query walks the deliveries of one state where a list is of that state, for it
// may be a handful among a million orders; else the orders.
func (f OrderFilter) query() (string, []any) {
	if !f.From.IsZero() {
		return f.dayQuery()
	}
	byState := f.State != "" && f.Name == "" && f.ID == 0 && f.ERPRef == ""
	from, place := "orders o LEFT JOIN deliveries d ON d.shop = o.shop AND d.order_id = o.id", "o.first_seen_at, o.id, o.shop"
	if byState || f.ERPRef != "" {
		from, place = "deliveries d JOIN orders o ON o.shop = d.shop AND o.id = d.order_id", "d.seen_at, d.order_id, d.shop"
	}
	var w where
	switch {
	case f.Shop == "":
	case f.Name != "" || f.ID != 0:
		w.and("+o.shop = ?", f.Shop) // the name, or the id, leaves fewer
	case byState && (f.State == StateDelivered || f.State == StateExcluded):
		w.and("d.shop = ? AND d.state = '"+f.State+"'", f.Shop) // the index of a shop's is of these states, which it must be told by name
	default:
		w.and("o.shop = ?", f.Shop)
	}
	if f.State != "" {
		w.and("d.state = ?", f.State)
	}
	if f.Name != "" {
		w.and("o.name = ?", f.Name)
	}
	if f.ID != 0 {
		w.and("o.id = ?", f.ID)
	}
	if f.ERPRef != "" {
		w.and("d.erp_ref = ? AND d.erp_ref <> ''", f.ERPRef)
	}
	if !f.Before.SeenAt.IsZero() {
		w.and("("+place+") < (?, ?, ?)", micros(f.Before.SeenAt), f.Before.ID, f.Before.Shop)
	}
	return w.list(`SELECT `+viewColumns+` FROM `+from, strings.ReplaceAll(place, ",", " DESC,")+" DESC", f.Limit)
}

// dayQuery walks the orders that were placed in a time.
func (f OrderFilter) dayQuery() (string, []any) {
	const place = "o.created_at, o.id, o.shop"
	var w where
	w.and("o.shop = ?", f.Shop)
	w.and("o.created_at >= ? AND o.created_at < ?", micros(f.From), micros(f.To))
	w.and("o.deleted_at = 0")
	if f.State != "" {
		w.and("+d.state = ?", f.State)
	}
	if !f.Before.SeenAt.IsZero() {
		w.and("("+place+") < (?, ?, ?)", micros(f.Before.SeenAt), f.Before.ID, f.Before.Shop)
	}
	return w.list(`SELECT `+viewColumns+` FROM orders o LEFT JOIN deliveries d ON d.shop = o.shop AND d.order_id = o.id`, "o.created_at DESC, o.id DESC, o.shop DESC", f.Limit)
}

// Stats is the state of the whole at one moment.
type Stats struct {
	States        map[string]int64 // deliveries by state
	Retrying      int64            // due after at least one failure
	Refetching    int64            // orders to be asked for by id
	PendingEvents int64            // stored, not yet decided
	Orders        int64

	Received   int64 // webhooks in the last hour
	Duplicates int64
	Refused    int64
	Sent       int64 // calls in the last hour that brought the ERP up to date
	Failed     int64 // calls in the last hour that did not

	LagP50, LagP99 time.Duration // of the last hour's webhooks, from Triggered-At to received

	Gaps map[GapGroup]int64 // those that are not closed
}

// GapGroup names a count of gaps.
type GapGroup struct{ Kind, State string }

// lagSample bounds the webhooks whose lag is looked at: the newest of the last hour.
const lagSample = 10_000

// Stats gathers figures, all of one moment; since bounds the last hour's. Each
// query reads a narrow index or a short range of one, so that a million orders
// cost no more than a glance.
func (s *Store) Stats(ctx context.Context, since time.Time) (Stats, error) {
	var st Stats
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return st, fmt.Errorf("gather figures: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	from, deliveries := micros(since), int64(0)
	for _, q := range []struct {
		into  *int64
		query string
		args  []any
	}{
		{&deliveries, `SELECT count(*) FROM deliveries`, nil},
		{&st.Retrying, `SELECT count(*) FROM deliveries WHERE state = 'due' AND tries > 0`, nil},
		{&st.Refetching, `SELECT count(*) FROM refetches`, nil},
		{&st.Orders, `SELECT count(*) FROM orders`, nil},
		{&st.PendingEvents, `SELECT coalesce(max(id), 0) - ` + intakeCursor + ` FROM events`, nil}, // ids have no holes
		{&st.Received, `SELECT count(*) FROM events WHERE source = 'webhook' AND received_at >= $1`, []any{from}},
		{&st.Duplicates, `SELECT coalesce(sum(n), 0) FROM tallies WHERE minute >= $1 AND kind = 'duplicate'`, []any{from}},
		{&st.Refused, `SELECT coalesce(sum(n), 0) FROM tallies WHERE minute >= $1 AND kind = 'refused'`, []any{from}},
		{&st.Sent, `SELECT count(*) FROM outcomes WHERE ended_at >= $1 AND result IN ('created', 'updated', 'unchanged')`, []any{from}},
		{&st.Failed, `SELECT count(*) FROM outcomes WHERE ended_at >= $1 AND result IN ('rejected', 'retry', 'unknown')`, []any{from}},
	} {
		if err := tx.QueryRowContext(ctx, q.query, q.args...).Scan(q.into); err != nil {
			return st, fmt.Errorf("gather figures: %w", err)
		}
	}
	if st.States, err = countStates(ctx, tx, deliveries); err != nil {
		return st, fmt.Errorf("count deliveries: %w", err)
	}
	if st.Gaps, err = countGaps(ctx, tx); err != nil {
		return st, fmt.Errorf("count gaps: %w", err)
	}
	if st.LagP50, st.LagP99, err = webhookLag(ctx, tx, from); err != nil {
		return st, fmt.Errorf("webhook lag: %w", err)
	}
	return st, nil
}

// countStates counts the states that few rows are in; the rest is delivered.
func countStates(ctx context.Context, tx *sql.Tx, all int64) (map[string]int64, error) {
	rows, err := tx.QueryContext(ctx, `SELECT state, count(*) FROM deliveries
		WHERE state IN ('due', 'sending', 'unknown', 'parked', 'excluded') GROUP BY state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	states := map[string]int64{}
	for rows.Next() {
		var state string
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return nil, err
		}
		states[state] = n
		all -= n
	}
	if all > 0 {
		states[StateDelivered] = all
	}
	return states, rows.Err()
}

func countGaps(ctx context.Context, tx *sql.Tx) (map[GapGroup]int64, error) {
	rows, err := tx.QueryContext(ctx, `SELECT kind, state, count(*) FROM gaps WHERE state IN ('open', 'healing', 'ignored') GROUP BY kind, state`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	gaps := map[GapGroup]int64{}
	for rows.Next() {
		var g GapGroup
		var n int64
		if err := rows.Scan(&g.Kind, &g.State, &n); err != nil {
			return nil, err
		}
		gaps[g] = n
	}
	return gaps, rows.Err()
}

// webhookLag is the median and the 99th percentile of the time from Shopify's
// trigger to our receipt.
func webhookLag(ctx context.Context, tx *sql.Tx, from int64) (p50, p99 time.Duration, err error) {
	rows, err := tx.QueryContext(ctx, `SELECT received_at - triggered_at FROM events
		WHERE received_at >= $1 AND source = 'webhook' AND triggered_at > 0 ORDER BY received_at DESC LIMIT $2`, from, lagSample)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	var lags []int64
	for rows.Next() {
		var us int64
		if err := rows.Scan(&us); err != nil {
			return 0, 0, err
		}
		lags = append(lags, us)
	}
	slices.Sort(lags)
	return percentile(lags, 50), percentile(lags, 99), rows.Err()
}

// percentile is the smallest of the sorted values that p percent do not exceed.
func percentile(sorted []int64, p int) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return time.Duration(sorted[(len(sorted)*p+99)/100-1]) * time.Microsecond
}
