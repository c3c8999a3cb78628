package store

import (
	"context"
	"fmt"
	"time"
)

// AuditEntry is one thing that somebody did, or tried.
type AuditEntry struct {
	ID     int64
	At     time.Time
	Who    string // a person's name, "token NAME", "the command line"
	What   string // "person added"
	About  string // to whom or to what
	Detail string
}

// Audit notes what somebody is about to do. What people and tokens are changed
// to is noted by the changes themselves.
func (s *Store) Audit(ctx context.Context, e AuditEntry) error {
	return s.writer.apply(ctx, 0, func(t *tx) error { return s.audit(t, e.Who, e.What, e.About, e.Detail) })
}

func (s *Store) audit(t *tx, who, what, about, detail string) error {
	err := t.exec(`INSERT INTO audit (at, who, what, about, detail) VALUES ($1, $2, $3, $4, $5)`, micros(s.now()), who, what, about, detail)
	if err != nil {
		return fmt.Errorf("keep the audit log: %w", err)
	}
	return nil
}

// AuditFilter narrows the audit log; zero fields don't.
type AuditFilter struct {
	Who    string
	Before int64 // only entries with a smaller id: the cursor
	Limit  int
}

func (f AuditFilter) query() (string, []any) {
	var w where
	if f.Who != "" {
		w.and("who = ?", f.Who)
	}
	if f.Before != 0 {
		w.and("id < ?", f.Before)
	}
	return w.list(`SELECT id, at, who, what, about, detail FROM audit`, "id DESC", f.Limit)
}

// AuditLog lists what was done, newest first.
func (s *Store) AuditLog(ctx context.Context, f AuditFilter) ([]AuditEntry, error) {
	query, args := f.query()
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list the audit log: %w", err)
	}
	defer rows.Close()
	var all []AuditEntry
	for rows.Next() {
		var e AuditEntry
		var at int64
		if err := rows.Scan(&e.ID, &at, &e.Who, &e.What, &e.About, &e.Detail); err != nil {
			return nil, err
		}
		e.At = timeOf(at)
		all = append(all, e)
	}
	return all, rows.Err()
}
