package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Shop is what Gapless knows of a shop beside its orders.
type Shop struct {
	Name           string
	UninstalledAt  time.Time // zero: the app is installed
	SubscribedAt   time.Time // when its webhook subscriptions were last seen whole
	SubscribeError string
	PollCursor     time.Time // the newest change that a poll has seen, by Shopify's clock; zero: none was polled, or by a clock that was ahead
	PolledAt       time.Time
	PollError      string
	ShopifyID      string    // gid://shopify/Shop/1; empty: not told yet
	Domain         string    // under which ShopifyID was told
	Timezone       string    // IANA; empty: not told yet
	StartedAt      time.Time // when Gapless first took care of it
	BeganAt        time.Time // orders placed before it are not looked for
	// Changes from CompleteFrom to CompleteThrough were compared on all three
	// sides; zero: none were, or a clock that was ahead has noted it, so that nobody
	// knows which.
	CompleteFrom, CompleteThrough time.Time
	NumberSeen                    int64 // every order number up to it was heard of, or looked for
}

// SubscriptionChange is something that was done to a webhook subscription.
type SubscriptionChange struct {
	At     time.Time
	Shop   string
	Topic  string
	Change string
	Detail string
}

func shopRow(t *tx, shop string) error {
	return t.exec(`INSERT INTO shops (shop, uninstalled_at, subscribed_at, subscribe_error, poll_cursor, polled_at, poll_error)
		VALUES ($1, 0, 0, '', 0, 0, '') ON CONFLICT DO NOTHING`, shop)
}

// Shop returns what is known of a shop; nothing, at first.
func (s *Store) Shop(ctx context.Context, name string) (Shop, error) {
	shop := Shop{Name: name}
	var uninstalled, subscribed, cursor, polled, started, began, from, through int64
	err := s.readers.QueryRowContext(ctx, `SELECT uninstalled_at, subscribed_at, subscribe_error, poll_cursor, polled_at, poll_error,
			shopify_id, domain, timezone, started_at, began_at, complete_from, complete_through, number_seen FROM shops WHERE shop = $1`, name).
		Scan(&uninstalled, &subscribed, &shop.SubscribeError, &cursor, &polled, &shop.PollError, &shop.ShopifyID, &shop.Domain, &shop.Timezone, &started, &began, &from, &through, &shop.NumberSeen)
	if errors.Is(err, sql.ErrNoRows) {
		return shop, nil
	}
	shop.UninstalledAt, shop.SubscribedAt, shop.PolledAt = timeOf(uninstalled), timeOf(subscribed), timeOf(polled)
	now := micros(s.now())
	if cursor <= now {
		shop.PollCursor = timeOf(cursor)
	}
	shop.StartedAt, shop.BeganAt = timeOf(started), timeOf(began)
	if through <= now {
		shop.CompleteFrom, shop.CompleteThrough = timeOf(from), timeOf(through)
	}
	return shop, err
}

// Subscribed notes a look at a shop's webhook subscriptions: what was done, or
// why it failed.
func (s *Store) Subscribed(ctx context.Context, shop string, changes []SubscriptionChange, failure string) error {
	now := s.now()
	return s.writer.apply(ctx, Refetches, func(t *tx) error {
		if err := shopRow(t, shop); err != nil {
			return err
		}
		if err := t.exec(`UPDATE shops SET subscribe_error = $1, subscribed_at = CASE WHEN $1 = '' THEN $2 ELSE subscribed_at END,
			uninstalled_at = CASE WHEN $1 = '' THEN 0 ELSE uninstalled_at END WHERE shop = $3`, failure, micros(now), shop); err != nil {
			return err
		}
		for _, c := range changes {
			if err := t.exec(`INSERT INTO subscription_changes (at, shop, topic, change, detail) VALUES ($1, $2, $3, $4, $5)`,
				micros(now), shop, c.Topic, c.Change, c.Detail); err != nil {
				return err
			}
		}
		return nil
	})
}

// SubscriptionChanges lists what was done to subscriptions, newest first.
func (s *Store) SubscriptionChanges(ctx context.Context, limit int) ([]SubscriptionChange, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT at, shop, topic, change, detail FROM subscription_changes ORDER BY id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []SubscriptionChange
	for rows.Next() {
		var c SubscriptionChange
		var at int64
		if err := rows.Scan(&at, &c.Shop, &c.Topic, &c.Change, &c.Detail); err != nil {
			return nil, err
		}
		c.At = timeOf(at)
		all = append(all, c)
	}
	return all, rows.Err()
}

// Polled notes a poll that began at one cursor and came to another, or why it
// failed. A failed poll leaves the cursor where it was, and so does one during
// which the cursor was moved back.
func (s *Store) Polled(ctx context.Context, shop string, from, to time.Time, failure string) error {
	now := s.now()
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := shopRow(t, shop); err != nil {
			return err
		}
		return t.exec(`UPDATE shops SET polled_at = $1, poll_error = $2,
			poll_cursor = CASE WHEN $2 = '' AND ($3 <= poll_cursor AND $4 > poll_cursor OR poll_cursor > $1) THEN $4 ELSE poll_cursor END WHERE shop = $5`,
			micros(now), failure, micros(from), micros(to), shop)
	})
}

// LearnShop notes what Shopify says of a shop: its ShopifyID, the Domain it was
// asked under, and its Timezone, by which its days end.
func (s *Store) LearnShop(ctx context.Context, shop Shop) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := shopRow(t, shop.Name); err != nil {
			return err
		}
		return t.exec(`UPDATE shops SET shopify_id = $1, domain = $2, timezone = $3 WHERE shop = $4`, shop.ShopifyID, shop.Domain, shop.Timezone, shop.Name)
	})
}

// Complete notes that all changes in [from, through) were compared on all three
// sides. A window that does not begin where the last one ended, or before, leaves
// a hole: then only it counts as complete, and so it does where what was complete
// so far lies in the future. An empty window says nothing.
func (s *Store) Complete(ctx context.Context, shop string, from, through time.Time) error {
	if !from.Before(through) {
		return nil
	}
	now := s.now()
	return s.writer.apply(ctx, Runs, func(t *tx) error {
		if err := shopRow(t, shop); err != nil {
			return err
		}
		return t.exec(`UPDATE shops SET
				complete_from = CASE WHEN complete_through BETWEEN $1 AND $4 THEN min(complete_from, $1) ELSE $1 END,
				complete_through = CASE WHEN complete_through <= $4 THEN max(complete_through, $2) ELSE $2 END
			WHERE shop = $3 AND ($2 >= complete_from OR complete_through > $4)`, micros(from), micros(through), shop, micros(now))
	})
}

// NumbersSeen notes up to which order number every order of a shop was heard of,
// or looked for.
func (s *Store) NumbersSeen(ctx context.Context, shop string, through int64) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := shopRow(t, shop); err != nil {
			return err
		}
		return t.exec(`UPDATE shops SET number_seen = max(number_seen, $1) WHERE shop = $2`, through, shop)
	})
}

// Habit tells how many webhooks came from a shop in each of the hours given.
func (s *Store) Habit(ctx context.Context, shop string, hours []time.Time) ([]int64, error) {
	counts := make([]int64, len(hours))
	for i, hour := range hours {
		err := s.readers.QueryRowContext(ctx, `SELECT coalesce((SELECT n FROM habits WHERE shop = $1 AND hour = $2), 0)`,
			shop, micros(hour.Truncate(time.Hour))).Scan(&counts[i])
		if err != nil {
			return nil, fmt.Errorf("read the habit of %s: %w", shop, err)
		}
	}
	return counts, nil
}

// Began notes that a shop's orders placed from one moment up to another are
// Gapless's to carry. It is first called when Gapless starts with the shop, at to.
// The beginning only ever moves back, as backfills take older orders in, and only
// where no hole is left between; a start in the future, which a clock that was ahead
// has noted, counts for nothing.
func (s *Store) Began(ctx context.Context, shop string, from, to time.Time) error {
	now := s.now()
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := shopRow(t, shop); err != nil {
			return err
		}
		return t.exec(`UPDATE shops SET began_at = $1, started_at = CASE WHEN began_at = 0 OR started_at > $4 THEN $3 ELSE started_at END
			WHERE shop = $2 AND (began_at = 0 OR started_at > $4 OR began_at > $1 AND began_at <= $3)`, micros(from), shop, micros(to), micros(now))
	})
}

// PollAgainFrom moves the poll's cursor back, so that what changed since then is
// looked at again.
func (s *Store) PollAgainFrom(ctx context.Context, shop string, from time.Time) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`UPDATE shops SET poll_cursor = min(poll_cursor, $1) WHERE shop = $2`, micros(from), shop)
	})
}
