package store

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// LiveGaps counts the gaps that are open or healing.
func (s *Store) LiveGaps(ctx context.Context) (n int64, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT count(*) FROM gaps WHERE state IN ('open', 'healing')`).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count gaps: %w", err)
	}
	return n, nil
}

// GapCount is how many live gaps there are of one kind, and since when.
type GapCount struct {
	Kind   string
	N      int64
	Oldest time.Time
}

// LiveGapKinds counts the gaps that are open or healing by kind, the kind with
// the oldest first.
func (s *Store) LiveGapKinds(ctx context.Context) (all []GapCount, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		var c GapCount
		var oldest int64
		err := scan(&c.Kind, &c.N, &oldest)
		c.Oldest = timeOf(oldest)
		all = append(all, c)
		return err
	}, `SELECT kind, count(*), min(since) FROM gaps WHERE state IN ('open', 'healing') GROUP BY kind ORDER BY min(since)`)
	return all, err
}

// ShopGaps counts the orders of a shop that live gaps are about, whenever they
// were placed, by what is the matter with them.
type ShopGaps struct {
	Missing int64 // the ERP does not have them
	Wrong   int64 // the ERP has them otherwise: stale, mismatch, doubled, orphan
	Stuck   int64
	Parked  int64
	Unheard int64 // gaps of Shopify's messages; no order stands behind these
}

const shopGaps = `SELECT
		count(DISTINCT CASE WHEN kind = 'missing' THEN order_id END),
		count(DISTINCT CASE WHEN kind IN ('stale', 'mismatch', 'doubled', 'orphan') THEN order_id END),
		count(DISTINCT CASE WHEN kind = 'stuck' THEN order_id END),
		count(DISTINCT CASE WHEN kind = 'parked' THEN order_id END),
		count(CASE WHEN kind IN ('subscription', 'silence') THEN 1 END)
	FROM gaps WHERE state IN ('open', 'healing') AND +shop = $1`

// ShopGaps counts what is open or healing of a shop. It reads the live gaps alone.
func (s *Store) ShopGaps(ctx context.Context, shop string) (g ShopGaps, err error) {
	err = s.readers.QueryRowContext(ctx, shopGaps, shop).Scan(&g.Missing, &g.Wrong, &g.Stuck, &g.Parked, &g.Unheard)
	if err != nil {
		return g, fmt.Errorf("count the gaps of %s: %w", shop, err)
	}
	return g, nil
}

// HealedSince counts the gaps of a shop that were found since a moment and are
// closed.
func (s *Store) HealedSince(ctx context.Context, shop string, since time.Time) (n int64, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT count(*) FROM gaps WHERE +shop = $1 AND first_seen >= $2 AND +state = 'closed'`, shop, micros(since)).Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("count healed gaps: %w", err)
	}
	return n, nil
}

// MissingOrder is an order that should be in the ERP and is not.
type MissingOrder struct {
	ID    int64
	Since time.Time
	Known bool // here; else the gap is all that is known of it
}

// MissingOrders lists the orders of a shop whose live gap says that they are missing.
func (s *Store) MissingOrders(ctx context.Context, shop string) (all []MissingOrder, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		var m MissingOrder
		var since int64
		err := scan(&m.ID, &since, &m.Known)
		m.Since = timeOf(since)
		all = append(all, m)
		return err
	}, `SELECT g.order_id, g.since, EXISTS (SELECT 1 FROM orders o WHERE o.shop = g.shop AND o.id = g.order_id)
		FROM gaps g WHERE g.state IN ('open', 'healing') AND +g.shop = $1 AND +g.kind = 'missing'`, shop)
	if err != nil {
		return nil, fmt.Errorf("list the missing orders of %s: %w", shop, err)
	}
	return all, nil
}

// DayOrder is what the balance of a day needs of one order.
type DayOrder struct {
	ID        int64
	Currency  string
	Total     string
	Cancelled bool
	State     string // of its delivery; empty: no ERP is to have it
	Present   bool   // a document was seen in the ERP
	ERPTotal  string // as the ERP computed it; empty: not told
}

// DayOrders reads the orders of a shop that were placed in [from, to) and are
// still in Shopify, by the index on that time.
func (s *Store) DayOrders(ctx context.Context, shop string, from, to time.Time, yield func(DayOrder)) error {
	err := s.each(ctx, func(scan func(...any) error) error {
		var o DayOrder
		err := scan(&o.ID, &o.Currency, &o.Total, &o.Cancelled, &o.State, &o.Present, &o.ERPTotal)
		yield(o)
		return err
	}, `SELECT o.id, o.currency, o.total, o.cancelled_at > 0, coalesce(d.state, ''), coalesce(d.present, 0), coalesce(d.erp_total, '')
		FROM orders o LEFT JOIN deliveries d ON d.shop = o.shop AND d.order_id = o.id
		WHERE o.shop = $1 AND o.created_at >= $2 AND o.created_at < $3 AND o.deleted_at = 0`, shop, micros(from), micros(to))
	if err != nil {
		return fmt.Errorf("read the orders of a day of %s: %w", shop, err)
	}
	return nil
}

// Hour is what happened in one hour of the clock, over all shops.
type Hour struct {
	At       time.Time // it begins, UTC
	Received int64     // webhooks
	Sent     int64     // calls that brought an ERP up to date
	Failed   int64     // calls that did not
	// Lag is the median time from Shopify's trigger to receipt, and LagMost what
	// 99 of 100 of the webhooks that were looked at did not exceed.
	Lag, LagMost time.Duration
}

// hourSample bounds the webhooks whose lag is looked at: the newest of the hour.
const hourSample = 500

// Hour tells what happened in the hour that begins at a moment.
func (s *Store) Hour(ctx context.Context, at time.Time) (Hour, error) {
	h := Hour{At: at}
	from, to := micros(at), micros(at.Add(time.Hour))
	err := s.readers.QueryRowContext(ctx, `SELECT
			(SELECT count(*) FROM events WHERE source = 'webhook' AND received_at >= $1 AND received_at < $2),
			(SELECT count(*) FROM outcomes WHERE ended_at >= $1 AND ended_at < $2 AND result IN ('created', 'updated', 'unchanged')),
			(SELECT count(*) FROM outcomes WHERE ended_at >= $1 AND ended_at < $2 AND result IN ('rejected', 'retry', 'unknown'))`, from, to).
		Scan(&h.Received, &h.Sent, &h.Failed)
	if err != nil {
		return h, fmt.Errorf("count what happened in an hour: %w", err)
	}
	var lags []int64
	err = s.each(ctx, func(scan func(...any) error) error {
		var lag int64
		err := scan(&lag)
		lags = append(lags, lag)
		return err
	}, `SELECT received_at - triggered_at FROM events WHERE source = 'webhook' AND received_at >= $1 AND received_at < $2 AND triggered_at > 0
		ORDER BY received_at DESC LIMIT $3`, from, to, hourSample)
	if err != nil {
		return h, err
	}
	slices.Sort(lags)
	h.Lag, h.LagMost = percentile(lags, 50), percentile(lags, 99)
	return h, nil
}

// LastHour is what came and went in the last hour, over all shops.
type LastHour struct {
	Hour
	Duplicates int64
	Refused    int64
	Retrying   int64 // orders that wait after a failure, now
}

// LastHour tells what happened in the hour before now.
func (s *Store) LastHour(ctx context.Context, now time.Time) (LastHour, error) {
	h, err := s.Hour(ctx, now.Add(-time.Hour))
	l := LastHour{Hour: h}
	if err != nil {
		return l, err
	}
	err = s.readers.QueryRowContext(ctx, `SELECT
			(SELECT coalesce(sum(n), 0) FROM tallies WHERE minute >= $1 AND kind = 'duplicate'),
			(SELECT coalesce(sum(n), 0) FROM tallies WHERE minute >= $1 AND kind = 'refused'),
			(SELECT count(*) FROM deliveries WHERE state = 'due' AND tries > 0)`, micros(h.At)).Scan(&l.Duplicates, &l.Refused, &l.Retrying)
	if err != nil {
		return l, fmt.Errorf("count what happened in the last hour: %w", err)
	}
	return l, nil
}
