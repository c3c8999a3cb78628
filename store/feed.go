package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// States of an offer.
const (
	OfferOpen       = "open"
	OfferSuperseded = "superseded" // by a newer one, before it was answered
	OfferTaken      = "taken"
	OfferRefused    = "refused"
)

// Offer is one version of an order's document that an ERP may fetch, and what it
// answered.
type Offer struct {
	Seq       int64 // grows with each offer: the cursor of the feed
	ERP       string
	Ref       string
	Order     OrderKey
	Version   string
	Label     string // the version as the ERP is told it: each offer of a reference has its own
	Hash      string // of the document
	Cancelled bool   // no live document is to remain
	Body      []byte // JSON; of Offers alone
	State     string
	OfferedAt time.Time

	AnsweredAt time.Time // zero: not yet
	ERPRef     string    // the ERP's own number
	Total      string    // decimal, as the ERP says; empty: it does not
	Currency   string
	Reason     string // in the ERP's words; of NewestOffer alone
	Field      string
}

const offerColumns = `v.seq, v.erp, v.ref, v.shop, v.order_id, v.version, v.label, v.hash, v.cancelled, v.state, v.offered_at, v.answered_at, v.erp_ref, v.total, v.currency`

func scanOffer(scan func(...any) error, more ...any) (Offer, error) {
	var o Offer
	var offered, answered int64
	err := scan(append([]any{&o.Seq, &o.ERP, &o.Ref, &o.Order.Shop, &o.Order.ID, &o.Version, &o.Label, &o.Hash, &o.Cancelled, &o.State,
		&offered, &answered, &o.ERPRef, &o.Total, &o.Currency}, more...)...)
	o.OfferedAt, o.AnsweredAt = timeOf(offered), timeOf(answered)
	return o, err
}

// Offer puts a version on offer in the place of what was on offer of its
// reference, and returns what stands then. The last offer once more changes
// nothing, nor does an older version. Of an order that was redacted only what the
// attempt under way has noted is taken: another may name the person still; that
// is ErrStale.
func (s *Store) Offer(ctx context.Context, o Offer) (stands Offer, err error) {
	body := s.codec.pack(o.Body)
	err = s.writer.apply(ctx, Offers, func(t *tx) error {
		stands, err = newestOffer(t, o.ERP, o.Ref)
		switch {
		case err == nil && (stands.State != OfferSuperseded && stands.Version == o.Version && stands.Hash == o.Hash || moment(o.Version) < moment(stands.Version)):
			return nil
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		}
		if err := namesNobody(t, o); err != nil {
			return err
		}
		stands, err = s.putOnOffer(t, o, body)
		return err
	})
	return stands, err
}

// moment is when a version was changed: what versions begin with.
func moment(version string) string {
	at, _, _ := strings.Cut(version, "/")
	return at
}

func newestOffer(t *tx, erp, ref string) (Offer, error) {
	return scanOffer(t.queryRow(`SELECT `+offerColumns+` FROM offers v WHERE v.erp = $1 AND v.ref = $2 ORDER BY v.seq DESC LIMIT 1`, erp, ref).Scan)
}

// namesNobody refuses what was mapped before its order was redacted.
func namesNobody(t *tx, o Offer) error {
	stale, err := t.exists(`SELECT 1 FROM orders o WHERE o.shop = $1 AND o.id = $2 AND o.redacted_at > 0 AND NOT EXISTS (
			SELECT 1 FROM deliveries d JOIN attempts a ON a.shop = d.shop AND a.order_id = d.order_id AND a.token = d.token
			WHERE d.shop = o.shop AND d.order_id = o.id AND d.erp = $3 AND d.state = 'sending' AND a.action = 'deliver' AND a.body_hash = $4)`,
		o.Order.Shop, o.Order.ID, o.ERP, o.Hash)
	if err == nil && stale {
		err = ErrStale
	}
	return err
}

// putOnOffer takes the place of what is open of the same reference.
func (s *Store) putOnOffer(t *tx, o Offer, body []byte) (Offer, error) {
	now, again := micros(s.now()), 0
	if err := t.queryRow(`SELECT max($1, coalesce(max(seq), 0) + 1) FROM offers`, now).Scan(&o.Seq); err != nil {
		return o, err
	}
	if err := t.queryRow(`SELECT count(*) FROM offers WHERE erp = $1 AND ref = $2 AND version = $3`, o.ERP, o.Ref, o.Version).Scan(&again); err != nil {
		return o, err
	}
	o.Label, o.State, o.OfferedAt, o.Body = o.Version, OfferOpen, timeOf(now), nil
	if again > 0 {
		o.Label = fmt.Sprintf("%s+%d", o.Version, again+1)
	}
	if err := supersede(t, o.ERP, o.Ref); err != nil {
		return o, err
	}
	if err := t.exec(`INSERT INTO offers (seq, erp, ref, shop, order_id, version, label, hash, cancelled, state, offered_at, answered_at, erp_ref, total, currency)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'open', $10, 0, '', '', '')`,
		o.Seq, o.ERP, o.Ref, o.Order.Shop, o.Order.ID, o.Version, o.Label, o.Hash, flag(o.Cancelled), now); err != nil {
		return o, err
	}
	return o, t.exec(`INSERT INTO offer_bodies (seq, body) VALUES ($1, $2)`, o.Seq, body)
}

// supersede ends what a reference has on offer, and what the ERP said when it
// refused one: the next offer asks it anew.
func supersede(t *tx, erp, ref string) error {
	if err := t.exec(`DELETE FROM offer_bodies WHERE seq IN (SELECT seq FROM offers WHERE erp = $1 AND ref = $2)`, erp, ref); err != nil {
		return err
	}
	return t.exec(`UPDATE offers SET state = 'superseded' WHERE erp = $1 AND ref = $2 AND state IN ('open', 'refused')`, erp, ref)
}

// offerAnew has what an ERP refused of an order offered to it once more.
func offerAnew(t *tx, k DeliveryKey) error {
	return t.exec(`UPDATE offers SET state = 'superseded' WHERE shop = $1 AND order_id = $2 AND erp = $3 AND state = 'refused'`, k.Shop, k.ID, k.ERP)
}

// takeBackOffers turns what is on offer of an order that is to stay out of its
// ERP into its cancellation: it may have been fetched.
func (s *Store) takeBackOffers(t *tx, k DeliveryKey) error {
	o, err := scanOffer(t.queryRow(`SELECT `+offerColumns+` FROM offers v WHERE v.shop = $1 AND v.order_id = $2 AND v.erp = $3 AND v.state = 'open'`, k.Shop, k.ID, k.ERP).Scan)
	if errors.Is(err, sql.ErrNoRows) || err == nil && o.Cancelled {
		return nil
	}
	if err != nil {
		return err
	}
	var body []byte
	if err := t.queryRow(`SELECT body FROM offer_bodies WHERE seq = $1`, o.Seq).Scan(&body); err != nil {
		return err
	}
	o.Cancelled, o.Hash = true, o.Hash+"-cancelled"
	_, err = s.putOnOffer(t, o, body)
	return err
}

// forgetOffers removes the documents and words of an order from the feed. What is
// on offer is mapped and offered anew.
func forgetOffers(t *tx, k OrderKey, now time.Time) error {
	n, err := t.changed(`DELETE FROM offer_bodies WHERE seq IN (SELECT seq FROM offers WHERE shop = $1 AND order_id = $2)`, k.Shop, k.ID)
	if err != nil || n == 0 {
		return err
	}
	if err := t.exec(`UPDATE offers SET state = 'superseded' WHERE shop = $1 AND order_id = $2 AND state = 'open'`, k.Shop, k.ID); err != nil {
		return err
	}
	return t.exec(`UPDATE deliveries SET next_at = $1 WHERE shop = $2 AND order_id = $3 AND state = 'unknown'`, micros(now), k.Shop, k.ID)
}

// onOffer says that a delivery waits for an ERP that has not answered its offer:
// what is new of its order need not wait.
const onOffer = `EXISTS (` + itsOffers + ` AND v.state = 'open')`

// newsOfOffer says that, since an attempt began, the ERP has answered, or there is
// something newer to offer to it.
const newsOfOffer = `EXISTS (` + itsOffers + ` AND (v.answered_at >= deliveries.changed_at OR deliveries.wanted <> deliveries.claimed))`

const itsOffers = `SELECT 1 FROM offers v WHERE v.shop = deliveries.shop AND v.order_id = deliveries.order_id AND v.erp = deliveries.erp`

// NewestOffer is the last offer of a reference, or ErrNotFound.
func (s *Store) NewestOffer(ctx context.Context, erp, ref string) (Offer, error) {
	var words []byte
	o, err := scanOffer(s.readers.QueryRowContext(ctx, `SELECT `+offerColumns+`, CASE WHEN v.state = 'refused' THEN b.body END
		FROM offers v LEFT JOIN offer_bodies b ON b.seq = v.seq WHERE v.erp = $1 AND v.ref = $2 ORDER BY v.seq DESC LIMIT 1`, erp, ref).Scan, &words)
	if errors.Is(err, sql.ErrNoRows) {
		return o, fmt.Errorf("an offer of %s: %w", ref, ErrNotFound)
	}
	if err != nil || words == nil {
		return o, err
	}
	plain, err := s.codec.unpack(words)
	if err != nil {
		return o, fmt.Errorf("why %s was refused: %w", ref, err)
	}
	var said refusal
	err = json.Unmarshal(plain, &said)
	o.Reason, o.Field = said.Reason, said.Field
	return o, err
}

// refusal is what an ERP said when it refused an order. It may name the customer.
type refusal struct{ Reason, Field string }

// Offers lists what is on offer after a cursor, in the order of offering, with
// its documents. One that can't be unpacked is left out: it must not keep the
// others waiting.
func (s *Store) Offers(ctx context.Context, erp string, after int64, limit int) ([]Offer, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT `+offerColumns+`, b.body FROM offers v JOIN offer_bodies b ON b.seq = v.seq
		WHERE v.erp = $1 AND v.state = 'open' AND v.seq > $2 ORDER BY v.seq LIMIT $3`, erp, after, limit)
	if err != nil {
		return nil, fmt.Errorf("list what is on offer: %w", err)
	}
	defer rows.Close()
	var offers []Offer
	for rows.Next() {
		var packed []byte
		o, err := scanOffer(rows.Scan, &packed)
		if err != nil {
			return nil, err
		}
		if o.Body, err = s.codec.unpack(packed); err != nil {
			s.log.Error("an order on offer can't be read", "erp", erp, "order", o.Order.ID, "err", err)
			continue
		}
		offers = append(offers, o)
	}
	return offers, rows.Err()
}

// TakenOffer is what the ERP acknowledged last of a reference, or ErrNotFound. A
// late answer to an older version says nothing of the newer.
func (s *Store) TakenOffer(ctx context.Context, erp, ref string) (Offer, error) {
	o, err := scanOffer(s.readers.QueryRowContext(ctx, `SELECT `+offerColumns+` FROM offers v
		WHERE v.erp = $1 AND v.ref = $2 AND v.state = 'taken' ORDER BY v.seq DESC LIMIT 1`, erp, ref).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return o, fmt.Errorf("%s in %s: %w", ref, erp, ErrNotFound)
	}
	return o, err
}

// takenPage is how many acknowledged offers are read at once: short enough not to
// hold up checkpoints.
const takenPage = 1000

// TakenOffers yields what the ERP acknowledged last of each reference, where that
// was at or after since, oldest first.
func (s *Store) TakenOffers(ctx context.Context, erp string, since time.Time, yield func(Offer) error) error {
	at, seq := micros(since), int64(-1)
	for {
		page, err := s.takenOffers(ctx, erp, at, seq)
		if err != nil {
			return fmt.Errorf("list what %s acknowledged: %w", erp, err)
		}
		for _, o := range page {
			if err := yield(o); err != nil {
				return err
			}
			at, seq = micros(o.AnsweredAt), o.Seq
		}
		if len(page) < takenPage {
			return nil
		}
	}
}

func (s *Store) takenOffers(ctx context.Context, erp string, at, seq int64) (page []Offer, err error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT `+offerColumns+` FROM offers v
		WHERE v.erp = $1 AND v.state = 'taken' AND (v.answered_at, v.seq) > ($2, $3)
			AND NOT EXISTS (SELECT 1 FROM offers l WHERE l.erp = v.erp AND l.ref = v.ref AND l.seq > v.seq AND l.state = 'taken')
		ORDER BY v.answered_at, v.seq LIMIT $4`, erp, at, seq, takenPage)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		o, err := scanOffer(rows.Scan)
		if err != nil {
			return nil, err
		}
		page = append(page, o)
	}
	return page, rows.Err()
}
