package store

import (
	"context"
	"fmt"
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
	Before Cursor // only orders first seen before it
	Limit  int
}

// Cursor is a place in a list of orders, newest first.
type Cursor struct {
	SeenAt time.Time
	ID     int64
}

// Orders lists orders without content, those first seen last at the top.
func (s *Store) Orders(ctx context.Context, f OrderFilter) ([]OrderView, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT `+orderColumns+`,
			coalesce(d.erp, ''), coalesce(d.state, ''), coalesce(d.wanted, ''), coalesce(d.held, ''), coalesce(d.tries, 0), coalesce(d.next_at, 0),
			coalesce(d.since, 0), coalesce(d.reason, ''), coalesce(d.field, ''), coalesce(d.hint, ''), coalesce(d.rule, ''),
			coalesce(d.erp_ref, ''), coalesce(d.erp_total, '')
		FROM orders o LEFT JOIN deliveries d ON d.shop = o.shop AND d.order_id = o.id
		WHERE ($1 = '' OR o.shop = $1) AND ($2 = '' OR d.state = $2) AND ($3 = '' OR o.name = $3) AND ($4 = 0 OR o.id = $4)
			AND ($5 = 0 OR (o.first_seen_at, o.id) < ($5, $6))
		ORDER BY o.first_seen_at DESC, o.id DESC LIMIT $7`,
		f.Shop, f.State, f.Name, f.ID, micros(f.Before.SeenAt), f.Before.ID, f.Limit)
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
}

// Stats gathers figures; since bounds the last hour's.
func (s *Store) Stats(ctx context.Context, since time.Time) (Stats, error) {
	st := Stats{States: map[string]int64{}}
	rows, err := s.readers.QueryContext(ctx, `SELECT state, count(*) FROM deliveries GROUP BY state`)
	if err != nil {
		return st, fmt.Errorf("count deliveries: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var state string
		var n int64
		if err := rows.Scan(&state, &n); err != nil {
			return st, err
		}
		st.States[state] = n
	}
	if err := rows.Err(); err != nil {
		return st, err
	}
	from := micros(since)
	for _, q := range []struct {
		into  *int64
		query string
		args  []any
	}{
		{&st.Retrying, `SELECT count(*) FROM deliveries WHERE state = 'due' AND tries > 0`, nil},
		{&st.Refetching, `SELECT count(*) FROM refetches`, nil},
		{&st.Orders, `SELECT count(*) FROM orders`, nil},
		{&st.PendingEvents, `SELECT count(*) FROM events WHERE id > (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'intake')`, nil},
		{&st.Received, `SELECT count(*) FROM events WHERE source = 'webhook' AND received_at >= $1`, []any{from}},
		{&st.Duplicates, `SELECT coalesce(sum(n), 0) FROM tallies WHERE minute >= $1 AND kind = 'duplicate'`, []any{from}},
		{&st.Refused, `SELECT coalesce(sum(n), 0) FROM tallies WHERE minute >= $1 AND kind = 'refused'`, []any{from}},
		{&st.Sent, `SELECT count(*) FROM outcomes WHERE ended_at >= $1 AND result IN ('created', 'updated', 'unchanged')`, []any{from}},
		{&st.Failed, `SELECT count(*) FROM outcomes WHERE ended_at >= $1 AND result IN ('rejected', 'retry', 'unknown')`, []any{from}},
	} {
		if err := s.readers.QueryRowContext(ctx, q.query, q.args...).Scan(q.into); err != nil {
			return st, fmt.Errorf("gather figures: %w", err)
		}
	}
	st.LagP50, st.LagP99, err = s.lag(ctx, from)
	return st, err
}

func (s *Store) lag(ctx context.Context, from int64) (p50, p99 time.Duration, err error) {
	const lags = `SELECT received_at - triggered_at AS lag FROM events WHERE source = 'webhook' AND received_at >= $1 AND triggered_at > 0`
	for _, q := range []struct {
		into  *time.Duration
		share float64
	}{{&p50, 0.50}, {&p99, 0.99}} {
		var us int64
		if err := s.readers.QueryRowContext(ctx, `SELECT coalesce((SELECT lag FROM (`+lags+`) ORDER BY lag
			LIMIT 1 OFFSET (SELECT CAST(count(*) * $2 AS INTEGER) FROM (`+lags+`) WHERE 1) - 0), 0)`, from, q.share).Scan(&us); err != nil {
			return 0, 0, fmt.Errorf("webhook lag: %w", err)
		}
		*q.into = time.Duration(us) * time.Microsecond
	}
	return p50, p99, nil
}
