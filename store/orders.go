package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// OrderKey names one order of one shop.
type OrderKey struct {
	Shop string
	ID   int64
}

// Ref is the reference that the order carries in every ERP: unique over all shops,
// safe in a path.
func (k OrderKey) Ref() string { return fmt.Sprintf("%s-%d", k.Shop, k.ID) }

// Order is the newest known version of a Shopify order.
type Order struct {
	OrderKey
	Name        string
	Version     string
	Hash        string
	Currency    string
	Total       string // decimal, shop money, worth now
	Test        bool
	CustomerID  int64
	CreatedAt   time.Time
	UpdatedAt   time.Time
	FetchedAt   time.Time // when Shopify was asked for this version by id; zero: a webhook told it
	CancelledAt time.Time
	DeletedAt   time.Time
	RedactedAt  time.Time // since when nothing names its buyer
	FirstSeenAt time.Time
	EventID     int64
	Content     []byte // the order in Shopify's terms, JSON; nil where it was not read
}

// Final says that no other version of the same second can be newer. Shopify's
// clock for orders has whole seconds, so that takes asking once it is over.
func (o Order) Final() bool { return o.FetchedAt.After(o.UpdatedAt.Add(time.Second)) }

// Decision is one line of an order's or event's history: what was decided, and why.
type Decision struct {
	ID      int64
	At      time.Time
	Shop    string
	OrderID int64  // 0: not about one order
	EventID int64  // 0: not about one event
	Step    string // intake, refetch, rule, mapping, deliver, operator, redact
	Outcome string
	Detail  string
}

// Refetch is an order to be asked for by id.
type Refetch struct {
	OrderKey
	Reason  string
	Asked   int64 // tells this request from one made while it was under way
	AskedAt time.Time
	NextAt  time.Time
	Tries   int
	Error   string
}

// Intake is what was decided about a run of events. It is applied as a whole,
// together with the cursor, so that each event is decided once.
type Intake struct {
	Through     int64 // the last event decided
	At          time.Time
	Orders      []Wanted // one whose RedactedAt is At turns out to be of a forgotten person
	Refetches   []Refetch
	Forget      []int64  // events whose body must not be kept
	Deleted     []Gap    // orders that Shopify deleted: what each is where its ERP holds a document
	Uninstalled []string // shops
	Decisions   []Decision
	Heard       map[Heard]int64 // webhooks among them
}

// Heard names a count of webhooks: a shop's, of one hour.
type Heard struct {
	Shop string
	Hour time.Time // UTC
}

// Wanted is a new version of an order and the ERP that should hold it.
type Wanted struct {
	Order
	ERP        string
	Background bool // an order of the past, which lets today's go first
	Supplied   bool // the version that is known, now with what Shopify had withheld of it, or without a person who was forgotten
	// Customer is what the order is to be found by: e-mail addresses and names.
	// None of it is kept as it is.
	Customer []string
}

// ApplyIntake applies in. Orders that would go backwards are left alone,
// whatever the caller thought: an older updated_at never overwrites a newer
// one, and on a tie only a later fetch from Shopify does, or the same one where it
// is Supplied.
func (s *Store) ApplyIntake(ctx context.Context, in Intake) error {
	return s.writer.apply(ctx, Refetches|Deliveries, func(t *tx) error {
		for _, w := range in.Orders {
			if err := s.want(t, w, in.At); err != nil {
				return fmt.Errorf("store order %d of %s: %w", w.ID, w.Shop, err)
			}
		}
		if err := forgetEvents(t, in.Forget); err != nil {
			return err
		}
		for _, r := range in.Refetches {
			if err := askAgain(t, r); err != nil {
				return err
			}
		}
		for _, g := range in.Deleted {
			if err := s.deleteOrder(t, g, in.At); err != nil {
				return err
			}
		}
		for _, shop := range in.Uninstalled {
			if err := shopRow(t, shop); err != nil {
				return err
			}
			if err := t.exec(`UPDATE shops SET uninstalled_at = $1 WHERE shop = $2`, micros(in.At), shop); err != nil {
				return err
			}
		}
		for h, n := range in.Heard {
			if err := t.exec(`INSERT INTO habits (shop, hour, n) VALUES ($1, $2, $3) ON CONFLICT (shop, hour) DO UPDATE SET n = n + excluded.n`,
				h.Shop, micros(h.Hour), n); err != nil {
				return err
			}
		}
		for _, d := range in.Decisions {
			if err := decide(t, d); err != nil {
				return err
			}
		}
		for _, w := range in.Orders {
			if w.RedactedAt.Equal(in.At) { // nobody could tell before whose order it is
				if err := s.forgetPerson(t, w.OrderKey); err != nil {
					return fmt.Errorf("forget the buyer of order %d of %s: %w", w.ID, w.Shop, err)
				}
			}
		}
		return t.exec(`INSERT INTO meta (key, value) VALUES ('intake', CAST($1 AS TEXT))
			ON CONFLICT (key) DO UPDATE SET value = excluded.value WHERE CAST(excluded.value AS INTEGER) > CAST(meta.value AS INTEGER)`, in.Through)
	})
}

// want stores a new version and raises what the ERP should hold.
func (s *Store) want(t *tx, w Wanted, now time.Time) error {
	n, err := t.changed(`INSERT INTO orders (shop, id, name, version, hash, currency, total, test, customer_id,
			created_at, updated_at, fetched_at, cancelled_at, deleted_at, redacted_at, first_seen_at, event_id)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
			coalesce((SELECT at FROM deleted_orders WHERE shop = $1 AND order_id = $2), 0), $14, $15, $16)
		ON CONFLICT (shop, id) DO UPDATE SET name = excluded.name, version = excluded.version, hash = excluded.hash,
			currency = excluded.currency, total = excluded.total, test = excluded.test, customer_id = excluded.customer_id,
			created_at = excluded.created_at, updated_at = excluded.updated_at, fetched_at = excluded.fetched_at,
			cancelled_at = excluded.cancelled_at, redacted_at = excluded.redacted_at, event_id = excluded.event_id
		WHERE excluded.updated_at > orders.updated_at
			OR (excluded.updated_at = orders.updated_at AND (excluded.fetched_at > orders.fetched_at
				OR excluded.fetched_at = orders.fetched_at AND $17))`,
		w.Shop, w.ID, w.Name, w.Version, w.Hash, w.Currency, w.Total, flag(w.Test), w.CustomerID,
		micros(w.CreatedAt), micros(w.UpdatedAt), micros(w.FetchedAt), micros(w.CancelledAt), micros(w.RedactedAt),
		micros(now), w.EventID, flag(w.Supplied))
	if err != nil || n == 0 {
		return err
	}
	if err := t.exec(`INSERT INTO contents (shop, id, content) VALUES ($1, $2, $3)
		ON CONFLICT (shop, id) DO UPDATE SET content = excluded.content`, w.Shop, w.ID, s.codec.pack(w.Content)); err != nil {
		return err
	}
	if err := findBy(t, w.OrderKey, s.tokens(w.Customer)); err != nil {
		return err
	}
	return t.exec(`INSERT INTO deliveries (shop, order_id, erp, state, wanted, claimed, held, held_body, verify, present, token, lease_until,
			sent_at, sent, ghost, ghost_at, tries, next_at, since, seen_at, changed_at, reason, field, hint, rule, erp_ref, erp_total, background)
		SELECT $1, $2, $3, 'due', $4, '', '', '', copied.at > 0, 0, '', 0, copied.at, copied.sent, copied.sent, copied.at, 0, $5, $5,
			(SELECT first_seen_at FROM orders WHERE shop = $1 AND id = $2), $5, '', '', '', '', '', '', $7 FROM (`+copied+`) copied WHERE true
		ON CONFLICT (shop, order_id, erp) DO UPDATE SET wanted = excluded.wanted, background = excluded.background,
			since = CASE WHEN state IN ('delivered', 'excluded', 'parked') THEN excluded.since ELSE since END,
			next_at = CASE WHEN state IN ('delivered', 'excluded', 'parked') OR state = 'unknown' AND `+onOffer+` THEN excluded.next_at ELSE next_at END,
			tries = CASE WHEN state IN ('delivered', 'excluded', 'parked') THEN 0 ELSE tries END,
			reason = CASE WHEN state = 'parked' THEN '' ELSE reason END,
			field = CASE WHEN state = 'parked' THEN '' ELSE field END,
			hint = CASE WHEN state = 'parked' THEN '' ELSE hint END,
			rule = '',
			state = CASE WHEN state IN ('delivered', 'excluded', 'parked') THEN 'due' ELSE state END,
			changed_at = excluded.changed_at
		WHERE wanted <> excluded.wanted`,
		w.Shop, w.ID, w.ERP, w.Version, micros(now), micros(w.CreatedAt), flag(w.Background))
}

// deleteOrder notes that Shopify has deleted an order. One that was not heard of
// yet is known as deleted when it comes. Of one whose document the ERP holds a
// person must decide.
func (s *Store) deleteOrder(t *tx, g Gap, now time.Time) error {
	k := g.Key()
	if err := t.exec(`INSERT INTO deleted_orders (shop, order_id, at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, k.Shop, k.ID, micros(now)); err != nil {
		return err
	}
	if err := t.exec(`UPDATE orders SET deleted_at = $1 WHERE shop = $2 AND id = $3 AND deleted_at = 0`, micros(now), k.Shop, k.ID); err != nil {
		return err
	}
	if err := t.exec(`UPDATE deliveries SET next_at = $1 WHERE shop = $2 AND order_id = $3 AND state = 'unknown' AND `+onOffer, micros(now), k.Shop, k.ID); err != nil {
		return err
	}
	var name string
	err := t.queryRow(`SELECT o.name, d.erp, d.erp_ref FROM orders o JOIN deliveries d ON d.shop = o.shop AND d.order_id = o.id
		WHERE o.shop = $1 AND o.id = $2 AND o.cancelled_at = 0 AND d.present = 1 AND d.state <> 'excluded'`, k.Shop, k.ID).Scan(&name, &g.ERP, &g.About)
	if errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	if err == nil {
		g.Detail = fmt.Sprintf("%s was deleted in Shopify, and the ERP still holds %s", name, g.About)
		_, _, _, err = s.foundGap(t, g)
	}
	return err
}

// copied says when a copy of the database was first started from, if the order
// had been placed ($6) by then: what became of it the copy does not know. Else 0.
const copied = `SELECT coalesce(max(CAST(value AS INTEGER)), 0) AS at, CASE WHEN count(*) > 0 THEN 'not known' ELSE '' END AS sent
	FROM meta WHERE key = 'verify_first' AND CAST(value AS INTEGER) > $6`

func decide(t *tx, d Decision) error {
	return t.exec(`INSERT INTO decisions (at, shop, order_id, event_id, step, outcome, detail) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		micros(d.At), d.Shop, d.OrderID, d.EventID, d.Step, d.Outcome, d.Detail)
}

// stubborn is how many times Shopify was asked in vain for an order from which on
// polls and comparisons, which find it again and again, bring its next turn no nearer
// than patience: something about that very order is in the way.
const (
	stubborn = 5
	patience = 10 * time.Minute
)

// askAgain asks for an order by id, or counts another request for one that is
// being asked for already.
func askAgain(t *tx, r Refetch) error {
	return t.exec(`INSERT INTO refetches (shop, order_id, reason, asked, asked_at, next_at, tries, error)
		VALUES ($1, $2, $3, 1, $4, $5, 0, '')
		ON CONFLICT (shop, order_id) DO UPDATE SET asked = asked + 1,
			reason = CASE WHEN excluded.reason IN ('confirm', 'backfill') THEN reason ELSE excluded.reason END,
			next_at = min(next_at, excluded.next_at + CASE WHEN tries >= $6 AND excluded.reason IN ('poll', 'confirm', 'reconcile') THEN $7 ELSE 0 END)`,
		r.Shop, r.ID, r.Reason, micros(r.AskedAt), micros(r.NextAt), stubborn, patience.Microseconds())
}

// inVain is why Shopify's answers for an order could not be used so far; "": they
// could, or the next one may well be.
func inVain(t *tx, k OrderKey) (why string, err error) {
	err = t.queryRow(`SELECT error FROM refetches WHERE shop = $1 AND order_id = $2 AND tries >= $3`, k.Shop, k.ID, stubborn).Scan(&why)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return why, err
}

// AskAgain asks for orders by id.
func (s *Store) AskAgain(ctx context.Context, refetches ...Refetch) error {
	if len(refetches) == 0 {
		return nil
	}
	return s.writer.apply(ctx, Refetches, func(t *tx) error {
		for _, r := range refetches {
			if err := askAgain(t, r); err != nil {
				return err
			}
		}
		return nil
	})
}

// DueRefetches lists orders of shop that are to be asked for now, oldest first;
// those that are only to be confirmed, and then those of the past, come last.
func (s *Store) DueRefetches(ctx context.Context, shop string, now time.Time, limit int) ([]Refetch, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT shop, order_id, reason, asked, asked_at, next_at, tries, error
		FROM refetches WHERE shop = $1 AND next_at <= $2 ORDER BY CASE reason WHEN 'backfill' THEN 2 WHEN 'confirm' THEN 1 ELSE 0 END, next_at LIMIT $3`, shop, micros(now), limit)
	if err != nil {
		return nil, fmt.Errorf("list orders to fetch: %w", err)
	}
	defer rows.Close()
	var due []Refetch
	for rows.Next() {
		var r Refetch
		var asked, next int64
		if err := rows.Scan(&r.Shop, &r.ID, &r.Reason, &r.Asked, &asked, &next, &r.Tries, &r.Error); err != nil {
			return nil, err
		}
		r.AskedAt, r.NextAt = timeOf(asked), timeOf(next)
		due = append(due, r)
	}
	return due, rows.Err()
}

// PostponeRefetch notes that Shopify could not be asked, and when to try next.
func (s *Store) PostponeRefetch(ctx context.Context, r Refetch, next time.Time, why string) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`UPDATE refetches SET tries = tries + 1, next_at = $1, error = $2 WHERE shop = $3 AND order_id = $4`,
			micros(next), why, r.Shop, r.ID)
	})
}

// endRefetch leaves a request that was made after r was read.
func endRefetch(t *tx, r Refetch) error {
	return t.exec(`DELETE FROM refetches WHERE shop = $1 AND order_id = $2 AND asked <= $3`, r.Shop, r.ID, r.Asked)
}

// DropRefetch ends a refetch that has no answer, and says why.
func (s *Store) DropRefetch(ctx context.Context, r Refetch, d Decision) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := endRefetch(t, r); err != nil {
			return err
		}
		return decide(t, d)
	})
}

const orderColumns = `o.shop, o.id, o.name, o.version, o.hash, o.currency, o.total, o.test, o.customer_id, o.created_at, o.updated_at,
	o.fetched_at, o.cancelled_at, o.deleted_at, o.redacted_at, o.first_seen_at, o.event_id`

func scanOrder(scan func(...any) error, more ...any) (Order, error) {
	var o Order
	var created, updated, fetched, cancelled, deleted, redacted, seen int64
	err := scan(append([]any{&o.Shop, &o.ID, &o.Name, &o.Version, &o.Hash, &o.Currency, &o.Total, &o.Test, &o.CustomerID,
		&created, &updated, &fetched, &cancelled, &deleted, &redacted, &seen, &o.EventID}, more...)...)
	o.CreatedAt, o.UpdatedAt, o.FetchedAt = timeOf(created), timeOf(updated), timeOf(fetched)
	o.CancelledAt, o.DeletedAt, o.RedactedAt, o.FirstSeenAt = timeOf(cancelled), timeOf(deleted), timeOf(redacted), timeOf(seen)
	return o, err
}

// withContent is one order, o, and its content, c.
const withContent = `orders o LEFT JOIN contents c ON c.shop = o.shop AND c.id = o.id WHERE o.shop = $1 AND o.id = $2`

// Order returns one order with its content, or ErrNotFound.
func (s *Store) Order(ctx context.Context, k OrderKey) (Order, error) {
	var content []byte
	o, err := scanOrder(s.readers.QueryRowContext(ctx, `SELECT `+orderColumns+`, c.content FROM `+withContent,
		k.Shop, k.ID).Scan, &content)
	if errors.Is(err, sql.ErrNoRows) {
		return o, fmt.Errorf("order %d of %s: %w", k.ID, k.Shop, ErrNotFound)
	}
	if err != nil {
		return o, err
	}
	o.Content, err = s.codec.unpack(content)
	return o, err
}

// Known returns what is stored of the orders named, without content. Orders
// that are not stored are not in the map.
func (s *Store) Known(ctx context.Context, keys []OrderKey) (map[OrderKey]Order, error) {
	known := make(map[OrderKey]Order, len(keys))
	err := s.lookUp(ctx, `SELECT `+orderColumns+` FROM orders o WHERE o.shop = $1 AND o.id = $2`, func(find *sql.Stmt) error {
		for _, k := range keys {
			o, err := scanOrder(find.QueryRowContext(ctx, k.Shop, k.ID).Scan)
			if errors.Is(err, sql.ErrNoRows) {
				continue
			}
			if err != nil {
				return fmt.Errorf("read order %d of %s: %w", k.ID, k.Shop, err)
			}
			known[k] = o
		}
		return nil
	})
	return known, err
}

// lookUp has one query run many times, all of them at one moment: the database
// is locked for reading once.
func (s *Store) lookUp(ctx context.Context, query string, times func(*sql.Stmt) error) error {
	tx, err := s.readers.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	stmt, err := tx.PrepareContext(ctx, query)
	if err != nil {
		return err
	}
	defer stmt.Close()
	return times(stmt)
}

// Decisions lists an order's history, oldest first.
func (s *Store) Decisions(ctx context.Context, k OrderKey, limit int) ([]Decision, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT id, at, shop, order_id, event_id, step, outcome, detail FROM (
			SELECT * FROM decisions WHERE shop = $1 AND order_id = $2 AND order_id <> 0 ORDER BY id DESC LIMIT $3) ORDER BY id`, k.Shop, k.ID, limit)
	if err != nil {
		return nil, fmt.Errorf("list decisions: %w", err)
	}
	defer rows.Close()
	var all []Decision
	for rows.Next() {
		var d Decision
		var at int64
		if err := rows.Scan(&d.ID, &at, &d.Shop, &d.OrderID, &d.EventID, &d.Step, &d.Outcome, &d.Detail); err != nil {
			return nil, err
		}
		d.At = timeOf(at)
		all = append(all, d)
	}
	return all, rows.Err()
}
