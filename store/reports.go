package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Report is one version of the report of a shop's day. The first one that is not
// partial is the frozen one.
type Report struct {
	Shop     string
	Day      string // 2006-01-02, the shop's own
	Revision int
	MadeAt   time.Time
	Balanced bool
	Partial  bool // the day could not be checked whole
	Content  json.RawMessage
}

// SaveReport keeps a new revision of a day's report, sets its number and, in the
// same transaction, has letters about it sent.
func (s *Store) SaveReport(ctx context.Context, r *Report, letters ...Letter) error {
	r.MadeAt = s.now()
	return s.writer.apply(ctx, Runs|Letters, func(t *tx) error {
		if err := post(t, letters, r.MadeAt); err != nil {
			return err
		}
		if err := t.queryRow(`SELECT coalesce(max(revision), 0) + 1 FROM reports WHERE shop = $1 AND day = $2`, r.Shop, r.Day).Scan(&r.Revision); err != nil {
			return err
		}
		return t.exec(`INSERT INTO reports (shop, day, revision, made_at, balanced, partial, report) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
			r.Shop, r.Day, r.Revision, micros(r.MadeAt), flag(r.Balanced), flag(r.Partial), string(r.Content))
	})
}

// ForgetReports forgets the reports that were made after a moment, and says how many
// there were.
func (s *Store) ForgetReports(ctx context.Context, after time.Time) (n int64, err error) {
	if err := s.readers.QueryRowContext(ctx, `SELECT count(*) FROM reports WHERE made_at > $1`, micros(after)).Scan(&n); err != nil || n == 0 {
		return 0, err // nearly always: nothing is written then
	}
	err = s.writer.apply(ctx, Runs, func(t *tx) (err error) {
		n, err = t.changed(`DELETE FROM reports WHERE made_at > $1`, micros(after))
		return err
	})
	return n, err
}

// Report returns the newest revision of a day's report, or ErrNotFound.
func (s *Store) Report(ctx context.Context, shop, day string) (Report, error) {
	r, err := scanReport(s.readers.QueryRowContext(ctx, `SELECT shop, day, revision, made_at, balanced, partial, report FROM reports
		WHERE shop = $1 AND day = $2 ORDER BY revision DESC LIMIT 1`, shop, day).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("the report of %s for %s: %w", shop, day, ErrNotFound)
	}
	return r, err
}

// Reports lists the newest revision of each day's report from one day to
// another, both included, newest day first.
func (s *Store) Reports(ctx context.Context, shop, from, to string) ([]Report, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT shop, day, revision, made_at, balanced, partial, report FROM reports r
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
	var made int64
	var content string
	err := scan(&r.Shop, &r.Day, &r.Revision, &made, &r.Balanced, &r.Partial, &content)
	r.MadeAt, r.Content = timeOf(made), json.RawMessage(content)
	return r, err
}

// ReportDays tells of each day from one to another, both included, that has a
// report how it stands. The content is left out.
func (s *Store) ReportDays(ctx context.Context, shop, from, to string) (map[string]Report, error) {
	days := map[string]Report{}
	err := s.each(ctx, func(scan func(...any) error) error {
		r := Report{Shop: shop}
		err := scan(&r.Day, &r.Revision, &r.Balanced, &r.Partial)
		days[r.Day] = r // the newest revision comes last
		return err
	}, `SELECT day, revision, balanced, partial FROM reports WHERE shop = $1 AND day >= $2 AND day <= $3 ORDER BY day, revision`, shop, from, to)
	return days, err
}

// PartialReports lists the days, from one on, whose newest report says that they
// could not be checked whole, oldest first.
func (s *Store) PartialReports(ctx context.Context, shop, from string) ([]string, error) {
	var days []string
	err := s.each(ctx, func(scan func(...any) error) error {
		var day string
		err := scan(&day)
		days = append(days, day)
		return err
	}, `SELECT day FROM reports r WHERE shop = $1 AND day >= $2 AND partial = 1
		AND revision = (SELECT max(revision) FROM reports WHERE shop = r.shop AND day = r.day) ORDER BY day`, shop, from)
	return days, err
}
