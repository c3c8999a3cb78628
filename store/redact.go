package store

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Redaction removes people's data. Ids, hashes, versions and the keys that
// webhooks are deduplicated by stay.
type Redaction struct {
	Shop       string
	WholeShop  bool    // everybody in the shop
	CustomerID int64   // 0: only the orders named
	OrderIDs   []int64 // that the request names, beside those of the customer
	EventID    int64   // the request itself
	// Redact takes the personal fields out of an order's content.
	Redact func(content []byte) ([]byte, error)
}

// redactSlice bounds the orders, or bodies, that one write removes data of:
// with a hundred orders it takes some ten milliseconds, and webhooks wait for it.
const redactSlice = 100

// Redact overwrites contents and deletes bodies and transcripts, in slices, so
// that a shop of many orders does not keep webhooks from being stored. What was
// redacted is kept first, and how far it has come with each slice: cut off, it
// goes on there when it is called with the same event again. Nothing may store
// orders meanwhile. The body of the event itself is left; it goes with the
// decision about it. secure_delete zeroes what is removed from the database; the
// caller empties the WAL (Purge).
func (s *Store) Redact(ctx context.Context, r Redaction) error {
	if r.WholeShop {
		r.CustomerID = 0
	}
	if err := s.keepRedaction(ctx, r); err != nil {
		return fmt.Errorf("keep what is redacted: %w", err)
	}
	ids, err := s.ordersToRedact(ctx, r)
	if err != nil {
		return fmt.Errorf("list the orders to redact: %w", err)
	}
	for slice := range slices.Chunk(ids, redactSlice) {
		if err := s.redactOrders(ctx, r, slice); err != nil {
			return fmt.Errorf("redact orders: %w", err)
		}
	}
	if r.WholeShop {
		return s.forgetShop(ctx, r)
	}
	return s.forgetMentions(ctx, r)
}

// keepRedaction has what comes later about these people redacted, too.
func (s *Store) keepRedaction(ctx context.Context, r Redaction) error {
	if !r.WholeShop && r.CustomerID == 0 {
		return nil
	}
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`INSERT INTO redactions (shop, customer_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, r.Shop, r.CustomerID, micros(s.now()))
	})
}

// ordersToRedact lists the orders that are still to be redacted, by id.
func (s *Store) ordersToRedact(ctx context.Context, r Redaction) ([]int64, error) {
	var event, through int64
	var progress string
	err := s.readers.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'redacting'`).Scan(&progress)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, err
	}
	fmt.Sscan(progress, &event, &through) //nolint:errcheck // there is none at first
	if event != r.EventID {
		through = 0
	}
	orders, err := s.ordersOf(ctx, r)
	if err != nil {
		return nil, err
	}
	orders = append(orders, r.OrderIDs...)
	slices.Sort(orders)
	orders = slices.Compact(orders)
	first, found := slices.BinarySearch(orders, through)
	if found {
		first++
	}
	return orders[first:], nil
}

func (s *Store) ordersOf(ctx context.Context, r Redaction) ([]int64, error) {
	query, args := `SELECT id FROM orders WHERE shop = $1`, []any{r.Shop}
	if !r.WholeShop {
		query, args = query+` AND customer_id = $2 AND customer_id <> 0`, append(args, r.CustomerID)
	}
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	return scanIDs(rows)
}

// redactOrders is one slice. The contents are read and written anew before the
// writer is asked for.
func (s *Store) redactOrders(ctx context.Context, r Redaction, ids []int64) error {
	contents, err := s.redactedContents(ctx, r, ids)
	if err != nil {
		return err
	}
	return s.writer.apply(ctx, Deliveries, func(t *tx) error {
		for _, id := range ids {
			if err := s.redactOrder(t, OrderKey{r.Shop, id}, contents[id]); err != nil {
				return err
			}
		}
		return t.exec(`INSERT INTO meta (key, value) VALUES ('redacting', $1) ON CONFLICT (key) DO UPDATE SET value = excluded.value`,
			fmt.Sprint(r.EventID, ids[len(ids)-1]))
	})
}

// redactedContents are the packed contents without personal data of those
// orders that are known.
func (s *Store) redactedContents(ctx context.Context, r Redaction, ids []int64) (map[int64][]byte, error) {
	contents := map[int64][]byte{}
	err := s.lookUp(ctx, `SELECT content FROM contents WHERE shop = $1 AND id = $2`, func(find *sql.Stmt) error {
		for _, id := range ids {
			var packed []byte
			err := find.QueryRowContext(ctx, r.Shop, id).Scan(&packed)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return err
			}
			contents[id] = s.codec.pack(s.redacted(OrderKey{r.Shop, id}, packed, r))
		}
		return nil
	})
	return contents, err
}

// redactOrder takes an order whose content is nil for one that is not known.
func (s *Store) redactOrder(t *tx, k OrderKey, content []byte) error {
	if content != nil {
		if err := t.exec(`UPDATE contents SET content = $1 WHERE shop = $2 AND id = $3`, content, k.Shop, k.ID); err != nil {
			return err
		}
	}
	if err := findBy(t, k, nil); err != nil {
		return err
	}
	return s.forgetPerson(t, k)
}

// forgetPerson removes what was heard and said of an order until now, beside its
// content. What an attempt has in hand names the person, too: it is not sent any more.
func (s *Store) forgetPerson(t *tx, k OrderKey) error {
	now := s.now() // no earlier: attempts that began while this waited for the writer are older
	if err := t.exec(`UPDATE orders SET redacted_at = $1 WHERE shop = $2 AND id = $3`, micros(now), k.Shop, k.ID); err != nil {
		return err
	}
	if err := t.exec(takeBack+` AND shop = $2 AND order_id = $3`, micros(now), k.Shop, k.ID); err != nil {
		return err
	}
	if err := forgetHeard(t, k); err != nil {
		return err
	}
	if err := forgetOffers(t, k, now); err != nil {
		return err
	}
	return t.exec(`DELETE FROM transcripts WHERE attempt_id IN (SELECT id FROM attempts WHERE shop = $1 AND order_id = $2)`, k.Shop, k.ID)
}

// forgetHeard removes the bodies of all that was heard of an order.
func forgetHeard(t *tx, k OrderKey) error {
	return t.exec(`DELETE FROM bodies WHERE event_id IN (SELECT event_id FROM decisions WHERE shop = $1 AND order_id = $2 AND order_id <> 0)`, k.Shop, k.ID)
}

// forgetEvents removes the bodies of events.
func forgetEvents(t *tx, events []int64) error {
	for _, id := range events {
		if err := t.exec(`DELETE FROM bodies WHERE event_id = $1`, id); err != nil {
			return err
		}
	}
	return nil
}

// forgetShop removes the bodies that came before the request, those that name no
// order that is known too.
func (s *Store) forgetShop(ctx context.Context, r Redaction) error {
	for last := int64(0); ; {
		var upTo sql.NullInt64
		if err := s.readers.QueryRowContext(ctx, `SELECT max(id) FROM (SELECT e.id FROM events e WHERE e.shop = $1 AND e.id > $2 AND e.id < $3
			AND EXISTS (SELECT 1 FROM bodies WHERE event_id = e.id) ORDER BY e.id LIMIT $4)`, r.Shop, last, r.EventID, redactSlice).Scan(&upTo); err != nil {
			return fmt.Errorf("list the bodies of %s: %w", r.Shop, err)
		}
		if !upTo.Valid {
			return nil
		}
		if err := s.writer.apply(ctx, 0, func(t *tx) error {
			return t.exec(`DELETE FROM bodies WHERE event_id IN (SELECT id FROM events WHERE shop = $1 AND id > $2 AND id <= $3)`, r.Shop, last, upTo.Int64)
		}); err != nil {
			return fmt.Errorf("remove the bodies of %s: %w", r.Shop, err)
		}
		last = upTo.Int64
	}
}

// forgetMentions removes the bodies that came before the request and tell of the
// customer, not of an order: requests for their data, and what else Shopify says
// of customers.
func (s *Store) forgetMentions(ctx context.Context, r Redaction) error {
	if r.CustomerID == 0 {
		return nil
	}
	customer := []byte(strconv.FormatInt(r.CustomerID, 10))
	var mentions []int64
	err := s.each(ctx, func(scan func(...any) error) error {
		var id int64
		var packed []byte
		if err := scan(&id, &packed); err != nil {
			return err
		}
		body, err := s.codec.unpack(packed)
		if err != nil || bytes.Contains(body, customer) { // what can't be read must not outlive the request
			mentions = append(mentions, id)
		}
		return nil
	}, `SELECT e.id, b.body FROM events e JOIN bodies b ON b.event_id = e.id
		WHERE e.topic >= 'customers/' AND e.topic < 'customers0' AND e.shop = $1 AND e.id < $2`, r.Shop, r.EventID)
	if err != nil {
		return fmt.Errorf("look for messages about a customer of %s: %w", r.Shop, err)
	}
	for slice := range slices.Chunk(mentions, redactSlice) {
		if err := s.writer.apply(ctx, 0, func(t *tx) error { return forgetEvents(t, slice) }); err != nil {
			return fmt.Errorf("remove messages about a customer of %s: %w", r.Shop, err)
		}
	}
	return nil
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
			if _, asked := redacted[p]; asked {
				continue
			}
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

// Purge makes sure that what was overwritten or deleted is in no file any more.
func (s *Store) Purge(ctx context.Context) error { return s.emptyWAL(ctx) }
