package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
)

// Ack is what an ERP says of an offer that it fetched.
type Ack struct {
	Ref      string
	Label    string // the version, as it was told
	Taken    bool   // false: refused
	ERPRef   string // the ERP's own number
	Total    string // decimal; empty: the ERP does not tell
	Currency string
	Reason   string // why it was refused; kept packed, for it may name the customer
	Field    string
}

// Answers to an Ack that changes nothing.
const (
	ErrNotOffered  = Declined("no order with this reference was offered")
	ErrNotAVersion = Declined("this version of the order was not offered")
	ErrTaken       = Declined("this version was acknowledged as taken before")
)

// Acknowledge notes what an ERP says of several offers, each for itself, and
// wakes the deliveries that wait for it. The errors stand in the places of the
// acknowledgements, nil where one counts or was known already. newer says of each
// whether a newer version is on offer.
func (s *Store) Acknowledge(ctx context.Context, erp string, acks []Ack) (newer []bool, answers []error, err error) {
	err = s.writer.apply(ctx, Deliveries, func(t *tx) error {
		newer, answers = make([]bool, len(acks)), make([]error, len(acks))
		for i, a := range acks {
			newer[i], answers[i] = s.acknowledge(t, erp, a)
			var no Declined
			if answers[i] != nil && !errors.As(answers[i], &no) {
				return answers[i]
			}
		}
		return nil
	})
	return newer, answers, err
}

func (s *Store) acknowledge(t *tx, erp string, a Ack) (newer bool, err error) {
	newest, err := newestOffer(t, erp, a.Ref)
	if errors.Is(err, sql.ErrNoRows) {
		return false, ErrNotOffered
	}
	if err != nil {
		return false, err
	}
	o, err := scanOffer(t.queryRow(`SELECT `+offerColumns+` FROM offers v WHERE v.erp = $1 AND v.ref = $2 AND v.label = $3`, erp, a.Ref, a.Label).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return false, ErrNotAVersion
	}
	if err != nil {
		return false, err
	}
	newer = o.Seq != newest.Seq && newest.State == OfferOpen
	switch {
	case a.Taken:
		return newer, s.taken(t, o, a)
	case o.State == OfferTaken:
		return newer, ErrTaken
	case o.State != OfferOpen: // refused before, or an older version
		return newer, nil
	}
	return newer, s.refused(t, o, a)
}

// taken notes that the ERP holds the version. Saying it again in the same words
// changes nothing; other words are news of the document.
func (s *Store) taken(t *tx, o Offer, a Ack) error {
	if o.State == OfferTaken && o.ERPRef == a.ERPRef && o.Total == a.Total && o.Currency == a.Currency {
		return nil
	}
	if err := t.exec(`UPDATE offers SET state = 'taken', answered_at = $1, erp_ref = $2, total = $3, currency = $4 WHERE seq = $5`,
		micros(s.now()), a.ERPRef, a.Total, a.Currency, o.Seq); err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM offer_bodies WHERE seq = $1`, o.Seq); err != nil {
		return err
	}
	return s.answered(t, o)
}

func (s *Store) refused(t *tx, o Offer, a Ack) error {
	words, err := json.Marshal(refusal{a.Reason, a.Field})
	if err != nil {
		return fmt.Errorf("encode a refusal: %w", err)
	}
	if err := t.exec(`UPDATE offers SET state = 'refused', answered_at = $1 WHERE seq = $2`, micros(s.now()), o.Seq); err != nil {
		return err
	}
	if err := t.exec(`UPDATE offer_bodies SET body = $1 WHERE seq = $2`, s.codec.pack(words), o.Seq); err != nil {
		return err
	}
	return s.answered(t, o)
}

// answered has the delivery that waits for an answer looked at now, and one that
// was parked when the ERP refused what it has taken since. A delivery whose
// attempt is under way hears of it as that ends (Settle).
func (s *Store) answered(t *tx, o Offer) error {
	return t.exec(`UPDATE deliveries SET next_at = $1, verify = 1, tries = 0, changed_at = $1,
			state = CASE WHEN state = 'parked' THEN 'due' ELSE state END, since = CASE WHEN state = 'parked' THEN $1 ELSE since END
		WHERE shop = $2 AND order_id = $3 AND erp = $4 AND (state IN ('due', 'unknown')
			OR state = 'parked' AND EXISTS (SELECT 1 FROM offers v WHERE v.seq = $5 AND v.state = 'taken'))`,
		micros(s.now()), o.Order.Shop, o.Order.ID, o.ERP, o.Seq)
}
