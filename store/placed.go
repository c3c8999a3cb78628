package store

import (
	"context"
	"fmt"
	"time"
)

// Placed is an order that was placed on a day which is final since a moment, as it
// is known now.
type Placed struct {
	ID          int64
	Name        string
	Currency    string
	Total       string
	FirstSeenAt time.Time
	UpdatedAt   time.Time
	CancelledAt time.Time
	DeletedAt   time.Time
	OnTheWay    bool      // still, or it did not arrive: it was parked or excluded since that moment
	RestedAt    time.Time // when it came to rest, where it had left by that moment; zero: it has left again
}

// Placed reads the orders of a shop that were placed in [from, to), and what became
// of them since their day is final.
func (s *Store) Placed(ctx context.Context, shop string, from, to, final time.Time, yield func(Placed)) error {
	err := s.each(ctx, func(scan func(...any) error) error {
		var o Placed
		var seen, updated, cancelled, deleted, rested int64
		err := scan(&o.ID, &o.Name, &o.Currency, &o.Total, &seen, &updated, &cancelled, &deleted, &o.OnTheWay, &rested)
		o.FirstSeenAt, o.UpdatedAt, o.CancelledAt, o.DeletedAt, o.RestedAt = timeOf(seen), timeOf(updated), timeOf(cancelled), timeOf(deleted), timeOf(rested)
		yield(o)
		return err
	}, `SELECT o.id, o.name, o.currency, o.total, o.first_seen_at, o.updated_at, o.cancelled_at, o.deleted_at,
			EXISTS (SELECT 1 FROM refetches f WHERE f.shop = o.shop AND f.order_id = o.id)
				OR EXISTS (SELECT 1 FROM deliveries d WHERE d.shop = o.shop AND d.order_id = o.id AND (d.state IN ('due', 'sending', 'unknown')
					OR d.state IN ('parked', 'excluded') AND d.since <= $4 AND d.changed_at > $4)),
			(SELECT coalesce(max(d.changed_at), 0) FROM deliveries d WHERE d.shop = o.shop AND d.order_id = o.id AND d.since <= $4)
		FROM orders o WHERE o.shop = $1 AND o.created_at >= $2 AND o.created_at < $3`, shop, micros(from), micros(to), micros(final))
	if err != nil {
		return fmt.Errorf("read what became of the orders of a day of %s: %w", shop, err)
	}
	return nil
}
