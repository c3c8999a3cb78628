package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Redaction removes people's data. Ids, hashes, versions and the keys that
// webhooks are deduplicated by stay.
type Redaction struct {
	Shop       string
	WholeShop  bool    // everybody in the shop
	CustomerID int64   // 0: only the orders named
	OrderIDs   []int64 // that the request names, beside those of the customer
	EventID    int64   // the request itself, whose body goes too
	// Redact takes the personal fields out of an order's content.
	Redact func(content []byte) ([]byte, error)
}

// redact overwrites contents and deletes bodies and transcripts. secure_delete
// zeroes what they leave in the file; the caller empties the WAL (Purge).
func (s *Store) redact(t *tx, r Redaction, now time.Time) error {
	if r.WholeShop {
		r.CustomerID = 0
	}
	if r.WholeShop || r.CustomerID != 0 {
		if err := t.exec(`INSERT INTO redactions (shop, customer_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
			r.Shop, r.CustomerID, micros(now)); err != nil {
			return err
		}
	}
	ids, err := redactedOrders(t, r)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := s.redactOrder(t, OrderKey{r.Shop, id}, r, now); err != nil {
			return err
		}
	}
	if r.WholeShop { // what names no order that is known, too
		return t.exec(`DELETE FROM bodies WHERE event_id IN (SELECT id FROM events WHERE shop = $1 AND id <= $2)`, r.Shop, r.EventID)
	}
	return t.exec(`DELETE FROM bodies WHERE event_id = $1`, r.EventID)
}

func redactedOrders(t *tx, r Redaction) ([]int64, error) {
	query, args := `SELECT id FROM orders WHERE shop = $1`, []any{r.Shop}
	if !r.WholeShop {
		query, args = query+` AND customer_id = $2 AND customer_id <> 0`, append(args, r.CustomerID)
	}
	rows, err := t.query(query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	ids := append([]int64(nil), r.OrderIDs...)
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func (s *Store) redactOrder(t *tx, k OrderKey, r Redaction, now time.Time) error {
	var packed []byte
	if err := t.queryRow(`SELECT coalesce((SELECT content FROM contents WHERE shop = $1 AND id = $2), x'')`, k.Shop, k.ID).Scan(&packed); err != nil {
		return err
	}
	if len(packed) > 0 {
		if err := t.exec(`UPDATE contents SET content = $1 WHERE shop = $2 AND id = $3`, s.codec.pack(s.redacted(k, packed, r)), k.Shop, k.ID); err != nil {
			return err
		}
		if err := t.exec(`UPDATE orders SET redacted_at = $1 WHERE shop = $2 AND id = $3`, micros(now), k.Shop, k.ID); err != nil {
			return err
		}
	}
	if err := t.exec(`DELETE FROM bodies WHERE event_id IN (SELECT event_id FROM decisions WHERE shop = $1 AND order_id = $2 AND order_id <> 0)`,
		k.Shop, k.ID); err != nil {
		return err
	}
	return t.exec(`DELETE FROM transcripts WHERE attempt_id IN (SELECT id FROM attempts WHERE shop = $1 AND order_id = $2)`, k.Shop, k.ID)
}

// redacted is an order's content without personal data. Content that can't be
// read goes altogether: it must not outlive the request, nor hold up intake.
func (s *Store) redacted(k OrderKey, packed []byte, r Redaction) []byte {
	content, err := s.codec.unpack(packed)
	if err == nil {
		content, err = r.Redact(content)
	}
	if err != nil {
		s.log.Error("the content of an order could not be redacted, so all of it was removed", "shop", k.Shop, "order", k.ID, "err", err)
		return nil
	}
	return content
}

// Person is a customer of a shop; 0: one who is not known.
type Person struct {
	Shop       string
	CustomerID int64
}

// Redacted says of each of people whether their data must not be kept.
func (s *Store) Redacted(ctx context.Context, people []Person) (map[Person]bool, error) {
	redacted := make(map[Person]bool, len(people))
	err := s.lookUp(ctx, `SELECT EXISTS (SELECT 1 FROM redactions WHERE shop = $1 AND customer_id IN (0, $2))`, func(find *sql.Stmt) error {
		for _, p := range people {
			var yes bool
			if err := find.QueryRowContext(ctx, p.Shop, p.CustomerID).Scan(&yes); err != nil {
				return fmt.Errorf("look for a redaction in %s: %w", p.Shop, err)
			}
			redacted[p] = yes
		}
		return nil
	})
	return redacted, err
}

// ForgetBody removes the body of one event.
func (s *Store) ForgetBody(ctx context.Context, eventID int64) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`DELETE FROM bodies WHERE event_id = $1`, eventID)
	})
}

// Purge makes sure that what was overwritten or deleted is in no file any more.
func (s *Store) Purge(ctx context.Context) error { return s.emptyWAL(ctx) }
