package store

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// Try is an attempt with its outcome, nil while it runs or where it was cut off.
type Try struct {
	Attempt
	Outcome *Outcome
}

// TryFilter narrows a list of attempts; zero fields don't.
type TryFilter struct {
	ID     int64
	Order  OrderKey
	Shop   string
	ERP    string
	Action string
	Result string // how they ended
	Before int64  // only attempts with a smaller id: the cursor
	Limit  int
	Full   bool // with what was said and heard
}

// Tries lists attempts, newest first.
func (s *Store) Tries(ctx context.Context, f TryFilter) ([]Try, error) {
	query, args := f.query()
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list attempts: %w", err)
	}
	defer rows.Close()
	var tries []Try
	for rows.Next() {
		t, err := s.scanTry(rows)
		if err != nil {
			return nil, err
		}
		tries = append(tries, t)
	}
	return tries, rows.Err()
}

// Try returns one attempt with what was said and heard, or ErrNotFound.
func (s *Store) Try(ctx context.Context, id int64) (Try, error) {
	found, err := s.Tries(ctx, TryFilter{ID: id, Full: true, Limit: 1})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("attempt %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Try{}, err
	}
	return found[0], nil
}

func (f TryFilter) query() (string, []any) {
	var w where
	if f.ID != 0 {
		w.and("a.id = ?", f.ID)
	}
	if f.Order.Shop != "" {
		w.and("a.shop = ? AND a.order_id = ?", f.Order.Shop, f.Order.ID)
	}
	// A + keeps the walk from the newest on, instead of sorting all of a shop.
	if f.Shop != "" {
		w.and("+a.shop = ?", f.Shop)
	}
	if f.ERP != "" {
		w.and("+a.erp = ?", f.ERP)
	}
	if f.Action != "" {
		w.and("+a.action = ?", f.Action)
	}
	id := f.byResult(&w)
	if f.Before != 0 {
		w.and(id+" < ?", f.Before)
	}
	said, from := "NULL", ""
	if f.Full {
		said, from = "x.exchanges", " LEFT JOIN transcripts x ON x.attempt_id = a.id"
	}
	return w.list(`SELECT a.id, a.shop, a.order_id, a.erp, a.token, a.action, a.ref, a.version, a.body_hash, a.started_at,
			r.result, r.reason, r.field, r.hint, r.erp_ref, r.applied, r.ended_at, r.duration_us, `+said+`
		FROM attempts a LEFT JOIN outcomes r ON r.attempt_id = a.id`+from, id+" DESC", f.Limit)
}

// byResult narrows to one result and returns the id to go by: most calls end in
// two ways, and there is an index of the others.
func (f TryFilter) byResult(w *where) (id string) {
	switch f.Result {
	case "":
		return "a.id"
	case "created", "updated":
		w.and("+r.result = ?", f.Result)
		return "a.id"
	}
	w.and("r.result = ? AND r.result NOT IN ('created', 'updated')", f.Result)
	return "r.attempt_id"
}

func (s *Store) scanTry(rows *sql.Rows) (Try, error) {
	var t Try
	var o Outcome
	var started int64
	var result, reason, field, hint, ref sql.NullString
	var applied sql.NullBool
	var ended, took sql.NullInt64
	var packed []byte
	if err := rows.Scan(&t.ID, &t.Shop, &t.DeliveryKey.ID, &t.ERP, &t.Token, &t.Action, &t.Ref, &t.Version, &t.BodyHash, &started,
		&result, &reason, &field, &hint, &ref, &applied, &ended, &took, &packed); err != nil {
		return t, err
	}
	t.StartedAt = timeOf(started)
	if !result.Valid {
		return t, nil
	}
	o = Outcome{Result: result.String, Reason: reason.String, Field: field.String, Hint: hint.String, ERPRef: ref.String,
		Applied: applied.Bool, EndedAt: timeOf(ended.Int64), Duration: time.Duration(took.Int64) * time.Microsecond}
	if packed != nil {
		var err error
		if o.Exchanges, err = s.codec.unpack(packed); err != nil {
			return t, fmt.Errorf("what attempt %d said: %w", t.ID, err)
		}
	}
	t.Outcome = &o
	return t, nil
}
