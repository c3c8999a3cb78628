package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// States of a delivery; doc.go draws them.
const (
	StateDue       = "due"
	StateSending   = "sending"
	StateDelivered = "delivered"
	StateUnknown   = "unknown"
	StateParked    = "parked"
	StateExcluded  = "excluded"
)

// ErrStale says that the attempt's token is no longer the current one: its
// lease ran out and somebody else took over.
var ErrStale = errors.New("the attempt is no longer the current one")

// DeliveryKey names one order's delivery to one ERP.
type DeliveryKey struct {
	OrderKey
	ERP string
}

// Delivery says which version of an order an ERP should hold, and which it holds.
type Delivery struct {
	DeliveryKey
	State      string
	Wanted     string // version
	Held       string // version; empty: none
	HeldBody   string // hash of the document held; empty: not known
	Verify     bool   // look the ERP up before anything is sent
	Present    bool   // a document was seen in the ERP
	Token      string // of the attempt that may write the result
	LeaseUntil time.Time
	SentAt     time.Time // when a call may last have left whose result is not known; zero: none
	// Ghost is the version of a call that was never answered, and GhostAt when
	// it was given up: its last request may have left then, and within the ERP's
	// longest request it may still take effect, over whatever the ERP holds. In a
	// restored copy of the store it is a call that the copy may not know of.
	Ghost     string
	GhostAt   time.Time
	Tries     int // since the last success
	NextAt    time.Time
	Since     time.Time // when it last left delivered, excluded or parked
	ChangedAt time.Time
	Reason    string
	Field     string
	Hint      string
	Rule      string
	ERPRef    string // the ERP's own number
	ERPTotal  string
}

const deliveryColumns = `d.shop, d.order_id, d.erp, d.state, d.wanted, d.held, d.held_body, d.verify, d.present, d.token, d.lease_until,
	d.sent_at, d.ghost, d.ghost_at, d.tries, d.next_at, d.since, d.changed_at, d.reason, d.field, d.hint, d.rule, d.erp_ref, d.erp_total`

func scanDelivery(scan func(...any) error, more ...any) (Delivery, error) {
	var d Delivery
	var lease, sent, ghost, next, since, changed int64
	err := scan(append([]any{&d.Shop, &d.ID, &d.ERP, &d.State, &d.Wanted, &d.Held, &d.HeldBody, &d.Verify, &d.Present, &d.Token, &lease,
		&sent, &d.Ghost, &ghost, &d.Tries, &next, &since, &changed, &d.Reason, &d.Field, &d.Hint, &d.Rule, &d.ERPRef, &d.ERPTotal}, more...)...)
	d.LeaseUntil, d.SentAt, d.GhostAt, d.NextAt, d.Since, d.ChangedAt = timeOf(lease), timeOf(sent), timeOf(ghost), timeOf(next), timeOf(since), timeOf(changed)
	return d, err
}

// Claim is a delivery taken for one attempt, with the order it is about.
type Claim struct {
	Delivery       // as claimed: sending, with this attempt's token
	Order    Order // with its content
}

// Claim takes up to limit deliveries of erp that are due, for lease. Each gets
// a token of its own that starts with stamp. No other call gets them until the
// lease has run out. Content that can't be unpacked comes as nil: one damaged
// order must not keep the others waiting.
func (s *Store) Claim(ctx context.Context, erp string, limit int, stamp string, lease time.Duration) ([]Claim, error) {
	now := s.now()
	var claims []Claim
	err := s.writer.apply(ctx, 0, func(t *tx) error {
		keys, err := dueKeys(t, erp, now, limit)
		if err != nil {
			return err
		}
		for i, k := range keys {
			c, err := s.claim(t, k, fmt.Sprintf("%s-%d", stamp, i), now, lease)
			if err != nil {
				return fmt.Errorf("claim order %d of %s: %w", k.ID, k.Shop, err)
			}
			claims = append(claims, c)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for i := range claims {
		o := &claims[i].Order
		if o.Content, err = s.codec.unpack(o.Content); err != nil {
			s.log.Error("the content of an order can't be read", "shop", o.Shop, "order", o.ID, "err", err)
			o.Content = nil
		}
	}
	return claims, nil
}

// dueKeys are the deliveries that are due, today's before those of the past.
func dueKeys(t *tx, erp string, now time.Time, limit int) ([]DeliveryKey, error) {
	keys, err := dueIn(t, erp, false, now, limit)
	if err != nil || len(keys) == limit {
		return keys, err
	}
	past, err := dueIn(t, erp, true, now, limit-len(keys))
	return append(keys, past...), err
}

func dueIn(t *tx, erp string, background bool, now time.Time, limit int) (keys []DeliveryKey, err error) {
	rows, err := t.query(`SELECT shop, order_id FROM deliveries WHERE erp = $1 AND background = $2 AND state IN ('due', 'unknown') AND next_at <= $3
		ORDER BY next_at LIMIT $4`, erp, flag(background), micros(now), limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		k := DeliveryKey{ERP: erp}
		if err := rows.Scan(&k.Shop, &k.ID); err != nil {
			return nil, err
		}
		keys = append(keys, k)
	}
	return keys, rows.Err()
}

// claim keeps in verify that the row was unknown: whatever cuts this attempt
// off, the next one looks up first too.
func (s *Store) claim(t *tx, k DeliveryKey, token string, now time.Time, lease time.Duration) (Claim, error) {
	if err := t.exec(`UPDATE deliveries SET verify = CASE WHEN state = 'unknown' THEN 1 ELSE verify END,
			wanted = (SELECT version FROM orders o WHERE o.shop = $4 AND o.id = $5), claimed = (SELECT version FROM orders o WHERE o.shop = $4 AND o.id = $5),
			state = 'sending', token = $1, lease_until = $2, changed_at = $3
		WHERE shop = $4 AND order_id = $5 AND erp = $6`,
		token, micros(now.Add(lease)), micros(now), k.Shop, k.ID, k.ERP); err != nil {
		return Claim{}, err
	}
	var c Claim
	var content []byte
	var err error
	c.Delivery, err = scanDelivery(t.queryRow(`SELECT `+deliveryColumns+` FROM deliveries d WHERE d.shop = $1 AND d.order_id = $2 AND d.erp = $3`,
		k.Shop, k.ID, k.ERP).Scan)
	if err != nil {
		return Claim{}, err
	}
	c.Order, err = scanOrder(t.queryRow(`SELECT `+orderColumns+`, c.content FROM `+withContent, k.Shop, k.ID).Scan, &content)
	c.Order.Content = content
	return c, err
}

// Attempt is one call to an ERP, noted before it leaves.
type Attempt struct {
	ID int64
	DeliveryKey
	Token     string
	Action    string // deliver or lookup
	Ref       string
	Version   string
	BodyHash  string
	StartedAt time.Time
	Until     time.Time // by when the call is over: the lease lasts at least as long
}

// Actions of an attempt.
const (
	ActionDeliver = "deliver"
	ActionLookup  = "lookup"
)

// Begin makes the intent of a durable and sets its ID. Without it no call may
// leave: an error, ErrStale among them, means don't.
func (s *Store) Begin(ctx context.Context, a *Attempt) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		sent := int64(0) // a look-up changes nothing in the ERP
		if a.Action == ActionDeliver {
			sent = micros(a.StartedAt)
		}
		n, err := t.changed(`UPDATE deliveries SET sent_at = CASE WHEN $1 > 0 THEN $1 ELSE sent_at END, sent = CASE WHEN $1 > 0 THEN $6 ELSE sent END,
				lease_until = max(lease_until, $7)
			WHERE shop = $2 AND order_id = $3 AND erp = $4 AND token = $5 AND state = 'sending'`,
			sent, a.Shop, a.DeliveryKey.ID, a.ERP, a.Token, a.Version, micros(a.Until))
		if err != nil {
			return err
		}
		if n == 0 {
			return ErrStale
		}
		a.ID, err = t.insert(`INSERT INTO attempts (shop, order_id, erp, token, action, ref, version, body_hash, started_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
			a.Shop, a.DeliveryKey.ID, a.ERP, a.Token, a.Action, a.Ref, a.Version, a.BodyHash, micros(a.StartedAt))
		return err
	})
}

// Outcome is how an attempt ended, in the words of erp.Result or "found" and
// "absent" for a look-up.
type Outcome struct {
	Result    string
	Reason    string
	Field     string
	Hint      string
	ERPRef    string
	Applied   bool
	EndedAt   time.Time
	Duration  time.Duration
	Exchanges json.RawMessage // what was said and heard; nil where it was not read, or is gone
}

// Settle is the one change of state that follows an attempt or a decision.
type Settle struct {
	DeliveryKey
	Token     string
	State     string // delivered, parked and excluded turn into due where wanted has moved on meanwhile
	Held      string
	HeldBody  string
	Verify    bool
	Present   bool
	Ambiguous bool // a call may have left whose result is not known: keep when
	Ghost     bool // that call was never answered, and may take effect late
	Laid      bool // an earlier such call can take effect no more: forget it
	Tries     int
	NextAt    time.Time
	Reason    string
	Field     string
	Hint      string
	Rule      string
	ERPRef    string
	ERPTotal  string

	AttemptID int64    // 0: no call was made
	Outcome   *Outcome // with AttemptID
	Decision  *Decision
	Refetch   *Refetch  // asked for in the same transaction
	Gap       *Gap      // found by it: a parked order is one
	WrittenAt time.Time // when a call changed the ERP's document; zero: none did
	Sent      string    // the version that the ERP was seen to hold, by whatever call it came there; empty: that of the last intent
}

// Settle ends an attempt: its outcome is kept, and the delivery moves to the
// state given if the token is still the current one. If not, ErrStale; the
// outcome is kept all the same, marked as not applied.
func (s *Store) Settle(ctx context.Context, r Settle) error {
	now := s.now()
	stale := false
	err := s.writer.apply(ctx, Deliveries|Refetches|Gaps, func(t *tx) error {
		r, err := overtaken(t, r)
		if err != nil {
			return err
		}
		n, err := t.changed(`UPDATE deliveries SET state = $1,
				held = $2, held_body = $3, verify = $4, present = $5, token = '', lease_until = 0,
				ghost = CASE WHEN $20 = 1 THEN sent WHEN $23 = 1 THEN '' ELSE ghost END, ghost_at = CASE WHEN $20 = 1 THEN $9 ELSE ghost_at END,
				sent = CASE WHEN $22 = '' THEN sent ELSE $22 END, sent_at = CASE WHEN $6 = 1 THEN sent_at ELSE 0 END,
				tries = $7, next_at = CASE WHEN $1 = 'unknown' AND `+newsOfOffer+` THEN $9 ELSE $8 END, changed_at = $9, written_at = max(written_at, $21), reason = $10, field = $11, hint = $12, rule = $13, erp_ref = $14, erp_total = $15
			WHERE shop = $16 AND order_id = $17 AND erp = $18 AND token = $19 AND state = 'sending'`,
			r.State, r.Held, r.HeldBody, flag(r.Verify), flag(r.Present), flag(r.Ambiguous), r.Tries, micros(r.NextAt), micros(now),
			r.Reason, r.Field, r.Hint, r.Rule, r.ERPRef, r.ERPTotal, r.Shop, r.ID, r.ERP, r.Token, flag(r.Ghost), micros(r.WrittenAt), r.Sent, flag(r.Laid))
		if err != nil {
			return err
		}
		stale = n == 0
		if r.AttemptID != 0 {
			if err := s.keepOutcome(t, r.AttemptID, *r.Outcome, !stale); err != nil {
				return err
			}
		}
		if r.Decision != nil && !stale {
			if err := decide(t, *r.Decision); err != nil {
				return err
			}
		}
		if r.State == StateExcluded && !stale {
			if err := s.takeBackOffers(t, r.DeliveryKey); err != nil {
				return err
			}
		}
		if r.Gap != nil && !stale {
			if _, _, _, err := s.foundGap(t, *r.Gap); err != nil {
				return err
			}
			if err := unhealed(t, `shop = $1 AND order_id = $2 AND erp = $3`, r.Gap.Detail, now, r.Shop, r.ID, r.ERP); err != nil {
				return err
			}
		}
		if r.Refetch != nil && !stale {
			return askAgain(t, *r.Refetch)
		}
		return nil
	})
	if err == nil && stale {
		return ErrStale
	}
	return err
}

// overtaken turns a settlement that would rest into one that goes on, where a
// newer version is wanted than the one it is about: what was said of the older
// one (delivered, refused, excluded by a rule) says nothing of the newer.
func overtaken(t *tx, r Settle) (Settle, error) {
	var wanted, about string
	err := t.queryRow(`SELECT wanted, claimed FROM deliveries WHERE shop = $1 AND order_id = $2 AND erp = $3`, r.Shop, r.ID, r.ERP).Scan(&wanted, &about)
	if errors.Is(err, sql.ErrNoRows) {
		return r, nil
	}
	switch r.State {
	case StateDue, StateUnknown:
		return r, err
	case StateDelivered:
		about = r.Held
	}
	if wanted != about {
		r.State, r.Reason, r.Field, r.Hint, r.Rule, r.Gap = StateDue, "", "", "", "", nil
	}
	return r, err
}

func (s *Store) keepOutcome(t *tx, attempt int64, o Outcome, applied bool) error {
	if err := t.exec(`INSERT INTO outcomes (attempt_id, result, reason, field, hint, erp_ref, applied, ended_at, duration_us)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		attempt, o.Result, o.Reason, o.Field, o.Hint, o.ERPRef, flag(applied), micros(o.EndedAt), o.Duration.Microseconds()); err != nil {
		return err
	}
	if o.Exchanges == nil {
		return nil
	}
	// An attempt that was under way when its order was redacted tells of the person.
	return t.exec(`INSERT INTO transcripts (attempt_id, exchanges)
		SELECT a.id, $2 FROM attempts a JOIN orders o ON o.shop = a.shop AND o.id = a.order_id
		WHERE a.id = $1 AND (o.redacted_at = 0 OR $3 = 1 AND a.started_at > o.redacted_at)`,
		attempt, s.codec.pack(o.Exchanges), flag(applied))
}

// KeepOutcome keeps how an attempt ended that leads to another one, without a
// change of state: a look-up before a delivery.
func (s *Store) KeepOutcome(ctx context.Context, attempt int64, o Outcome) error {
	return s.writer.apply(ctx, 0, func(t *tx) error { return s.keepOutcome(t, attempt, o, true) })
}

// Delivery returns one delivery, or ErrNotFound.
func (s *Store) Delivery(ctx context.Context, k OrderKey) (Delivery, error) {
	d, err := scanDelivery(s.readers.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries d WHERE d.shop = $1 AND d.order_id = $2
		ORDER BY d.changed_at DESC LIMIT 1`, k.Shop, k.ID).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return d, fmt.Errorf("delivery of order %d of %s: %w", k.ID, k.Shop, ErrNotFound)
	}
	return d, err
}

// NextDue tells when the next delivery of erp is due; the zero time: none is.
func (s *Store) NextDue(ctx context.Context, erp string) (time.Time, error) {
	var at sql.NullInt64
	err := s.readers.QueryRowContext(ctx, `SELECT min(at) FROM (
			SELECT min(next_at) AS at FROM deliveries WHERE erp = $1 AND background = 0 AND state IN ('due', 'unknown')
			UNION ALL SELECT min(next_at) FROM deliveries WHERE erp = $1 AND background = 1 AND state IN ('due', 'unknown'))`, erp).Scan(&at)
	return timeOf(at.Int64), err
}
