package store

import (
	"context"
	"fmt"
	"time"
)

// keepNumber keeps a number, or a moment, under a key of meta.
const keepNumber = `INSERT INTO meta (key, value) VALUES ($1, CAST($2 AS TEXT)) ON CONFLICT (key) DO UPDATE SET value = excluded.value`

// noteTime keeps a moment of the database as a whole, outside the writer: for
// steps that are taken before it starts, or by a guest.
func (s *Store) noteTime(ctx context.Context, key string, at time.Time) error {
	_, err := s.control.ExecContext(ctx, keepNumber, key, micros(at))
	if err != nil {
		return fmt.Errorf("note %s: %w", key, err)
	}
	return nil
}

// notedTime is the zero time where there is none.
func (s *Store) notedTime(ctx context.Context, key string) (time.Time, error) {
	var us int64
	err := s.readers.QueryRowContext(ctx, `SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = $1`, key).Scan(&us)
	if err != nil {
		return time.Time{}, fmt.Errorf("read %s: %w", key, err)
	}
	return timeOf(us), nil
}
