package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// notDone chooses the comparisons of a shop and a kind, of those that somebody
// asked for, that failed since one was complete.
const notDone = `FROM runs r WHERE r.shop = $1 AND r.kind = $2 AND r.by = $3 AND r.state IN ('failed', 'partial')
	AND r.id > (SELECT coalesce(max(d.id), 0) FROM runs d WHERE d.shop = $1 AND d.kind = $2 AND d.by = $3 AND d.state = 'done')`

// FailedComparisons are the first and the last of a shop's comparisons of a kind,
// of those that by asked for, that failed, or could not read a side, since one was
// complete; ErrNotFound: none did.
func (s *Store) FailedComparisons(ctx context.Context, shop, kind, by string) (first, last Run, err error) {
	for _, c := range []struct {
		run   *Run
		order string
	}{{&first, " ORDER BY r.id LIMIT 1"}, {&last, " ORDER BY r.id DESC LIMIT 1"}} {
		*c.run, err = scanRun(s.readers.QueryRowContext(ctx, `SELECT `+runColumns+` `+notDone+c.order, shop, kind, by).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			err = fmt.Errorf("a %s of %s that failed: %w", kind, shop, ErrNotFound)
		}
		if err != nil {
			return first, last, err
		}
	}
	return first, last, nil
}

// ToldBlind is when people were last told that a shop's comparisons of a kind keep
// failing; zero: they need not know, or know that it is over.
func (s *Store) ToldBlind(ctx context.Context, shop, kind string) (time.Time, error) {
	return s.notedTime(ctx, blindKey(shop, kind))
}

// blindKey is the key of meta for it.
func blindKey(shop, kind string) string {
	if kind == RunReconcile {
		return "blind " + shop
	}
	return "blind " + shop + " " + kind
}

// TellBlind keeps letters about it and, in the same transaction, when.
func (s *Store) TellBlind(ctx context.Context, shop, kind string, at time.Time, letters []Letter) error {
	return s.writer.apply(ctx, Letters, func(t *tx) error {
		if err := post(t, letters, s.now()); err != nil {
			return err
		}
		return t.exec(keepNumber, blindKey(shop, kind), micros(at))
	})
}
