package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Report is one version of the report of a shop's day. The first is the frozen
// one; later ones amend it.
type Report struct {
	Shop     string
	Day      string // 2006-01-02, the shop's own
	Revision int
	MadeAt   time.Time
	Balanced bool
	Content  json.RawMessage
	SentAt   time.Time // when it was mailed; zero: not
}

// SaveReport keeps a new revision of a day's report and sets its number.
func (s *Store) SaveReport(ctx context.Context, r *Report) error {
	r.MadeAt = s.now()
	return s.writer.apply(ctx, Runs, func(t *tx) error {
		if err := t.queryRow(`SELECT coalesce(max(revision), 0) + 1 FROM reports WHERE shop = $1 AND day = $2`, r.Shop, r.Day).Scan(&r.Revision); err != nil {
			return err
		}
		return t.exec(`INSERT INTO reports (shop, day, revision, made_at, balanced, report, sent_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			r.Shop, r.Day, r.Revision, micros(r.MadeAt), flag(r.Balanced), string(r.Content), micros(r.SentAt))
	})
}

// ReportSent notes that the report of a day was mailed.
func (s *Store) ReportSent(ctx context.Context, r Report) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`UPDATE reports SET sent_at = $1 WHERE shop = $2 AND day = $3 AND revision = $4`, micros(s.now()), r.Shop, r.Day, r.Revision)
	})
}

// Report returns the newest revision of a day's report, or ErrNotFound.
func (s *Store) Report(ctx context.Context, shop, day string) (Report, error) {
	r, err := scanReport(s.readers.QueryRowContext(ctx, `SELECT shop, day, revision, made_at, balanced, report, sent_at FROM reports
		WHERE shop = $1 AND day = $2 ORDER BY revision DESC LIMIT 1`, shop, day).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("the report of %s for %s: %w", shop, day, ErrNotFound)
	}
	return r, err
}

// Reports lists the newest revision of each day's report from one day to
// another, both included, newest day first.
func (s *Store) Reports(ctx context.Context, shop, from, to string) ([]Report, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT shop, day, revision, made_at, balanced, report, sent_at FROM reports r
		WHERE shop = $1 AND day >= $2 AND day <= $3 AND revision = (SELECT max(revision) FROM reports WHERE shop = r.shop AND day = r.day)
		ORDER BY day DESC`, shop, from, to)
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	defer rows.Close()
	var all []Report
	for rows.Next() {
		r, err := scanReport(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, r)
	}
	return all, rows.Err()
}

func scanReport(scan func(...any) error) (Report, error) {
	var r Report
	var made, sent int64
	var content string
	err := scan(&r.Shop, &r.Day, &r.Revision, &made, &r.Balanced, &content, &sent)
	r.MadeAt, r.SentAt, r.Content = timeOf(made), timeOf(sent), json.RawMessage(content)
	return r, err
}
