package store

import (
	"context"
	"time"
)

// ClockSetBack says that the clock was set back: what waits for a moment waits for
// one that is earlier by as much, and for most at most. by may be 0 where nobody knows
// by how much. Nothing is on its way since a moment that is still to come.
func (s *Store) ClockSetBack(ctx context.Context, erps []string, by, most time.Duration) error {
	now := s.now()
	latest := micros(now.Add(most))
	return s.writer.apply(ctx, Deliveries|Refetches|Letters, func(t *tx) error {
		for _, erp := range erps {
			if err := t.exec(`UPDATE deliveries SET next_at = min(next_at - $1, $2)
				WHERE erp = $3 AND background IN (0, 1) AND state IN ('due', 'unknown') AND next_at > $4`, by.Microseconds(), latest, erp, micros(now)); err != nil {
				return err
			}
		}
		if err := t.exec(`UPDATE deliveries SET since = $1 WHERE state IN ('due', 'sending', 'unknown') AND since > $1`, micros(now)); err != nil {
			return err
		}
		if err := t.exec(`UPDATE refetches SET next_at = min(next_at - $1, $2) WHERE shop IN (SELECT shop FROM shops) AND next_at > $3`,
			by.Microseconds(), latest, micros(now)); err != nil {
			return err
		}
		return t.exec(`UPDATE letters SET next_at = min(next_at - $1, $2) WHERE sent_at = 0 AND next_at > $3`, by.Microseconds(), latest, micros(now))
	})
}
