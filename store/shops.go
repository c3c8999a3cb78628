package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

// Shop is what Gapless knows of a shop beside its orders.
type Shop struct {
	Name           string
	UninstalledAt  time.Time // zero: the app is installed
	SubscribedAt   time.Time // when its webhook subscriptions were last seen whole
	SubscribeError string
	PollCursor     time.Time // the newest change that a poll has seen, by Shopify's clock
	PolledAt       time.Time
	PollError      string
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
	var uninstalled, subscribed, cursor, polled int64
	err := s.readers.QueryRowContext(ctx, `SELECT uninstalled_at, subscribed_at, subscribe_error, poll_cursor, polled_at, poll_error
		FROM shops WHERE shop = $1`, name).Scan(&uninstalled, &subscribed, &shop.SubscribeError, &cursor, &polled, &shop.PollError)
	if errors.Is(err, sql.ErrNoRows) {
		return shop, nil
	}
	shop.UninstalledAt, shop.SubscribedAt, shop.PollCursor, shop.PolledAt = timeOf(uninstalled), timeOf(subscribed), timeOf(cursor), timeOf(polled)
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

// Polled notes a poll: the orders to ask for and, with them, the cursor, or why
// it failed. A failed poll leaves the cursor where it was.
func (s *Store) Polled(ctx context.Context, shop string, cursor time.Time, refetches []Refetch, failure string) error {
	now := s.now()
	return s.writer.apply(ctx, Refetches, func(t *tx) error {
		if err := shopRow(t, shop); err != nil {
			return err
		}
		for _, r := range refetches {
			if err := askAgain(t, r); err != nil {
				return err
			}
		}
		return t.exec(`UPDATE shops SET polled_at = $1, poll_error = $2,
			poll_cursor = CASE WHEN $2 = '' AND $3 > poll_cursor THEN $3 ELSE poll_cursor END WHERE shop = $4`,
			micros(now), failure, micros(cursor), shop)
	})
}
