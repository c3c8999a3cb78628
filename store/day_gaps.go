package store

import (
	"context"
	"time"
)

// ofDay chooses the gaps that the report of a day tells of: those of the orders
// placed on it, whenever they were found; those that were found on it, once or
// again, or began on it; and those that a comparison of the day found of orders
// nothing else is known of.
const ofDay = `SELECT g.id FROM orders o CROSS JOIN gaps g ON g.order_id = o.id AND g.shop = o.shop
		WHERE o.shop = $1 AND o.created_at >= $2 AND o.created_at < $3
	UNION ALL SELECT g.id FROM gaps g WHERE g.first_seen >= $2 AND +g.shop = $1 AND (g.first_seen < $3 OR g.since >= $2 AND g.since < $3
			OR g.reopened > 0 AND EXISTS (SELECT 1 FROM gap_steps s WHERE s.gap_id = g.id AND s.step IN ('opened', 'reopened') AND s.at >= $2 AND s.at < $3))
	UNION ALL SELECT g.id FROM runs r CROSS JOIN gaps g ON g.run_id > 0 AND g.run_id = r.id WHERE r.shop = $1 AND r.kind = 'day' AND r.from_at = $2
		AND NOT EXISTS (SELECT 1 FROM orders o WHERE o.shop = g.shop AND o.id = g.order_id)`

// DayGaps are all gaps of a shop's day from one moment to another, oldest first.
func (s *Store) DayGaps(ctx context.Context, shop string, from, to time.Time) ([]Gap, error) {
	return s.gaps(ctx, `SELECT `+gapColumns+fromGaps+` WHERE g.id IN (`+ofDay+`) ORDER BY g.id`, shop, micros(from), micros(to))
}

// DayStep is what happened to one gap of a day.
type DayStep struct {
	GapID int64
	GapStep
}

// DaySteps are what happened to the gaps of a shop's day after a moment, oldest first.
func (s *Store) DaySteps(ctx context.Context, shop string, from, to, after time.Time) ([]DayStep, error) {
	var steps []DayStep
	err := s.each(ctx, func(scan func(...any) error) error {
		var at int64
		var d DayStep
		err := scan(&d.GapID, &at, &d.Step, &d.By, &d.Detail)
		d.At = timeOf(at)
		steps = append(steps, d)
		return err
	}, `SELECT p.gap_id, p.at, p.step, p.by, p.detail FROM gap_steps p WHERE p.gap_id IN (`+ofDay+`) AND p.at > $4 ORDER BY p.id`,
		shop, micros(from), micros(to), micros(after))
	return steps, err
}
