package store

import (
	"context"
	"fmt"
	"time"
)

// GapFilter narrows a list of gaps; zero fields don't.
type GapFilter struct {
	Shop    string
	Kind    string
	State   string // or Live
	OrderID int64
	Run     int64     // that found it
	From    time.Time // found from here on
	To      time.Time // found before it
	Seen    time.Time // last seen from here on
	Before  int64     // only gaps with a smaller id: the cursor
	Limit   int
}

// Live is the state of a GapFilter for gaps that are open or healing.
const Live = "live"

// Gaps lists gaps, newest first.
func (s *Store) Gaps(ctx context.Context, f GapFilter) ([]Gap, error) {
	query, args := f.query()
	return s.gaps(ctx, query, args...)
}

const gapColumns = `g.id, g.shop, g.order_id, coalesce(o.name, ''), coalesce(o.total, ''), coalesce(o.currency, ''), g.erp, g.kind, g.subject, g.state,
	g.about, g.cause, g.detail, g.found_by, g.run_id, g.since, g.first_seen, g.last_seen, g.checked_at, g.healed_by, g.closed_at, g.ignored_by, g.reason,
	g.reopened, g.alerted_at`

const fromGaps = ` FROM gaps g LEFT JOIN orders o ON o.shop = g.shop AND o.id = g.order_id`

// query chooses the gaps by their ids first: where there is none in order, whole
// rows with their orders would be sorted. It goes by the index of the first of
// its conditions, which leaves the fewest; a plus keeps the planner, which knows
// no figures, from those of the others.
func (f GapFilter) query() (string, []any) {
	closed, state := f.State == GapClosed, []any{f.State}
	inState := "g.state = ?"
	if f.State == Live {
		inState, state = "g.state IN ('open', 'healing')", nil
	}
	var w where
	id := "g.id"
	for _, c := range []struct {
		set       bool
		condition string
		values    []any
		id        string // as a later condition, and as the order, where this one comes first
	}{
		{f.OrderID != 0, "g.order_id = ?", []any{f.OrderID}, "g.id"},
		{f.Run != 0, "g.run_id > 0 AND g.run_id = ?", []any{f.Run}, "g.id"},
		{f.State != "" && !closed, inState, state, "g.id"},
		{!f.Seen.IsZero(), "g.last_seen >= ?", []any{micros(f.Seen)}, "+g.id"},
		{!f.From.IsZero(), "g.first_seen >= ?", []any{micros(f.From)}, "+g.id"},
		{f.Kind != "", "g.kind = ?", []any{f.Kind}, "g.id"},
		{f.Shop != "", "g.shop = ?", []any{f.Shop}, "g.id"},
		{closed, inState, state, "g.id"},
		{!f.To.IsZero(), "g.first_seen < ?", []any{micros(f.To)}, "g.id"},
	} {
		switch {
		case !c.set:
		case len(w.conditions) == 0:
			w.and(c.condition, c.values...)
			id = c.id
		default:
			w.and("+"+c.condition, c.values...)
		}
	}
	if f.Before != 0 {
		w.and(id+" < ?", f.Before)
	}
	chosen, args := w.list(`SELECT g.id FROM gaps g`, id+" DESC", f.Limit)
	return `SELECT ` + gapColumns + fromGaps + ` WHERE g.id IN (` + chosen + `) ORDER BY g.id DESC`, args
}

func (s *Store) gaps(ctx context.Context, query string, args ...any) ([]Gap, error) {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list gaps: %w", err)
	}
	defer rows.Close()
	var gaps []Gap
	for rows.Next() {
		var g Gap
		var since, first, last, checked, closed, alerted int64
		if err := rows.Scan(&g.ID, &g.Shop, &g.OrderID, &g.OrderName, &g.Total, &g.Currency, &g.ERP, &g.Kind, &g.Subject, &g.State,
			&g.About, &g.Cause, &g.Detail, &g.FoundBy, &g.RunID, &since, &first, &last, &checked, &g.HealedBy, &closed, &g.IgnoredBy, &g.Reason,
			&g.Reopened, &alerted); err != nil {
			return nil, err
		}
		g.Since, g.FirstSeen, g.LastSeen, g.CheckedAt, g.ClosedAt, g.AlertedAt = timeOf(since), timeOf(first), timeOf(last), timeOf(checked), timeOf(closed), timeOf(alerted)
		gaps = append(gaps, g)
	}
	return gaps, rows.Err()
}

// Gap returns one gap, or ErrNotFound.
func (s *Store) Gap(ctx context.Context, id int64) (Gap, error) {
	gaps, err := s.gaps(ctx, `SELECT `+gapColumns+fromGaps+` WHERE g.id = $1`, id)
	if err == nil && len(gaps) == 0 {
		return Gap{}, fmt.Errorf("gap %d: %w", id, ErrNotFound)
	}
	if err != nil {
		return Gap{}, err
	}
	return gaps[0], nil
}

// SettledGaps lists gaps in erp whose order is at rest since the ERP was last
// asked about it: what was to heal them has been done, so the ERP can tell whether
// it did. An order may also be at rest because it is not known here and nobody asks
// for it, and an orphan because no order stands behind it. The ERP may have
// been mended by hand, so those asked about before again are among them; one that
// has been open for long is asked about less and less often.
func (s *Store) SettledGaps(ctx context.Context, erp string, again time.Time, limit int) ([]Gap, error) {
	return s.gaps(ctx, `SELECT `+gapColumns+fromGaps+` LEFT JOIN deliveries d ON d.shop = g.shop AND d.order_id = g.order_id AND d.erp = g.erp
		WHERE g.state IN ('open', 'healing') AND g.erp = $1 AND g.order_id <> 0 AND g.checked_at < $2
			AND (d.changed_at BETWEEN g.checked_at AND $2 OR g.checked_at < $3 AND g.checked_at + (g.checked_at - g.first_seen) / 10 < $2)
			AND (g.kind = 'orphan' OR (d.state IN ('delivered', 'excluded') OR d.state IS NULL)
				AND NOT EXISTS (SELECT 1 FROM refetches f WHERE f.shop = g.shop AND f.order_id = g.order_id))
		ORDER BY g.state, g.id LIMIT $4`, erp, micros(s.now()), micros(again), limit)
}

// GapSteps lists what happened to a gap, oldest first.
func (s *Store) GapSteps(ctx context.Context, id int64) ([]GapStep, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT at, step, by, detail FROM gap_steps WHERE gap_id = $1 ORDER BY id`, id)
	if err != nil {
		return nil, fmt.Errorf("list the steps of gap %d: %w", id, err)
	}
	defer rows.Close()
	var steps []GapStep
	for rows.Next() {
		var at int64
		var g GapStep
		if err := rows.Scan(&at, &g.Step, &g.By, &g.Detail); err != nil {
			return nil, err
		}
		g.At = timeOf(at)
		steps = append(steps, g)
	}
	return steps, rows.Err()
}

// Stuck lists a shop's deliveries to erp that are due, being sent or unknown
// since before a moment, oldest first, and have no live gap of that kind yet, nor one
// that was ignored in this version. An order of the past that lets today's go first is
// not stuck.
func (s *Store) Stuck(ctx context.Context, shop, erp string, before time.Time, limit int) ([]Delivery, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries d
		WHERE d.state IN ('due', 'sending', 'unknown') AND d.since < $1 AND +d.shop = $2 AND +d.erp = $3 AND (d.background = 0 OR d.tries > 0) AND NOT EXISTS (SELECT 1 FROM gaps g
			WHERE g.shop = d.shop AND g.order_id = d.order_id AND g.kind = 'stuck' AND g.subject = '' AND g.erp = d.erp AND g.state <> 'closed'
				AND (g.state <> 'ignored' OR g.about = d.wanted))
		ORDER BY d.since LIMIT $4`, micros(before), shop, erp, limit)
	if err != nil {
		return nil, fmt.Errorf("list deliveries that wait too long: %w", err)
	}
	defer rows.Close()
	var stuck []Delivery
	for rows.Next() {
		d, err := scanDelivery(rows.Scan)
		if err != nil {
			return nil, err
		}
		stuck = append(stuck, d)
	}
	return stuck, rows.Err()
}
