package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Kinds of gaps.
const (
	GapMissing      = "missing"      // Shopify has the order, the ERP does not
	GapStale        = "stale"        // the ERP holds an older version
	GapMismatch     = "mismatch"     // total or currency differ
	GapDoubled      = "doubled"      // the ERP holds several live documents
	GapStuck        = "stuck"        // due or unknown for too long
	GapParked       = "parked"       // a person must act
	GapOrphan       = "orphan"       // in the ERP, unknown or deleted in Shopify
	GapSubscription = "subscription" // a webhook subscription was gone
	GapSilence      = "silence"      // fewer webhooks than this shop's habit
)

// GapKinds are all kinds of gaps.
var GapKinds = []string{GapMissing, GapStale, GapMismatch, GapDoubled, GapStuck, GapParked, GapOrphan, GapSubscription, GapSilence}

// States of a gap; doc.go draws them.
const (
	GapOpen    = "open"
	GapHealing = "healing"
	GapClosed  = "closed"
	GapIgnored = "ignored"
)

// Gap is a difference between Shopify, what is known here, and the ERP.
type Gap struct {
	ID        int64
	Shop      string
	OrderID   int64 // 0: not about one order
	OrderName string
	Total     string // of the order, where it is known
	Currency  string
	ERP       string
	Kind      string
	Subject   string // what else it is about, a webhook topic; empty for an order's
	State     string
	About     string // by what the same fault is known again: the version wanted
	Cause     string // a code word
	Detail    string // the evidence, in a sentence
	FoundBy   string
	RunID     int64     // 0: not found by a run
	Since     time.Time // when the fault began, as far as is known
	FirstSeen time.Time
	LastSeen  time.Time
	CheckedAt time.Time // when the ERP was last asked about it
	HealedBy  string
	ClosedAt  time.Time
	IgnoredBy string
	Reason    string // why it is ignored
	Reopened  int
	AlertedAt time.Time // when people were last told of it; zero: never
}

// Key names the order a gap is about.
func (g Gap) Key() OrderKey { return OrderKey{g.Shop, g.OrderID} }

// GapStep is one thing that happened to a gap.
type GapStep struct {
	At     time.Time
	Step   string // opened, seen, healing, closed, ignored, reopened, alerted
	By     string
	Detail string
}

// Fault is a gap as it was found now, with what is set in motion to mend it.
type Fault struct {
	Gap
	Refetch *Refetch // ask Shopify for the order; nil: don't
	Replay  bool     // verify the order in the ERP and send it again where needed
}

// FoundGaps notes faults and, in the same transaction, sets in motion what is to
// mend them. A gap that is known already is seen again; one that was closed, and
// is about the very same thing, is opened again, and so is one that was ignored
// and is about something new. One that is still ignored is left alone. It
// returns how many are new or were opened again.
func (s *Store) FoundGaps(ctx context.Context, by string, faults ...Fault) (opened int, err error) {
	if len(faults) == 0 {
		return 0, nil
	}
	err = s.writer.apply(ctx, Gaps|Refetches|Deliveries, func(t *tx) error {
		opened = 0
		for _, f := range faults {
			fresh, err := s.foundFault(t, f, by)
			if err != nil {
				return fmt.Errorf("note a gap of order %d of %s: %w", f.OrderID, f.Shop, err)
			}
			if fresh {
				opened++
			}
		}
		return nil
	})
	return opened, err
}

func (s *Store) foundFault(t *tx, f Fault, by string) (fresh bool, err error) {
	id, ignored, fresh, err := s.foundGap(t, f.Gap)
	if err != nil || ignored || f.Refetch == nil && !f.Replay {
		return fresh, err
	}
	how := "the order is verified in the ERP, and sent again where needed"
	if f.Refetch != nil {
		how = "Shopify is asked for the order"
		if err := askAgain(t, *f.Refetch); err != nil {
			return fresh, err
		}
	}
	if f.Replay {
		if _, err := replay(t, DeliveryKey{f.Key(), f.ERP}, by, s.now()); err != nil {
			return fresh, err
		}
	}
	return fresh, healGap(t, id, s.now(), by, how)
}

// foundGap notes one gap, and says whether somebody has it ignored.
func (s *Store) foundGap(t *tx, g Gap) (id int64, ignored, fresh bool, err error) {
	now := s.now()
	var state, about string
	err = t.queryRow(`SELECT id, state, about FROM gaps WHERE shop = $1 AND order_id = $2 AND kind = $3 AND subject = $4 AND erp = $5
		ORDER BY state = 'closed', id DESC LIMIT 1`, g.Shop, g.OrderID, g.Kind, g.Subject, g.ERP).Scan(&id, &state, &about)
	switch {
	case errors.Is(err, sql.ErrNoRows), err == nil && state == GapClosed && about != g.About:
		id, err = newGap(t, g, now)
		return id, false, true, err
	case err != nil:
		return 0, false, false, err
	case state == GapClosed:
		return id, false, true, reopenGap(t, id, g, now, "the fault is back")
	case state == GapIgnored && about != g.About:
		return id, false, true, reopenGap(t, id, g, now, "it is about something else than what was ignored")
	}
	return id, state == GapIgnored, false, t.exec(`UPDATE gaps SET last_seen = $1, about = $2, detail = $3 WHERE id = $4`, micros(now), g.About, g.Detail, id)
}

func newGap(t *tx, g Gap, now time.Time) (int64, error) {
	since := g.Since
	if since.IsZero() || since.After(now) {
		since = now
	}
	id, err := t.insert(`INSERT INTO gaps (shop, order_id, erp, kind, subject, state, about, cause, detail, found_by, run_id, since,
			first_seen, last_seen, checked_at, healed_by, closed_at, ignored_by, reason, reopened, alerted_at)
		VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, $12, $12, 0, '', 0, '', '', 0, 0)`,
		g.Shop, g.OrderID, g.ERP, g.Kind, g.Subject, g.About, g.Cause, g.Detail, g.FoundBy, g.RunID, micros(since), micros(now))
	if err != nil {
		return 0, err
	}
	return id, gapStep(t, id, now, "opened", g.FoundBy, g.Detail)
}

func reopenGap(t *tx, id int64, g Gap, now time.Time, why string) error {
	if err := t.exec(`UPDATE gaps SET state = 'open', about = $1, cause = $2, detail = $3, last_seen = $4, checked_at = 0, healed_by = '', closed_at = 0,
			ignored_by = '', reason = '', reopened = reopened + 1, alerted_at = 0 WHERE id = $5`,
		g.About, g.Cause, g.Detail, micros(now), id); err != nil {
		return err
	}
	return gapStep(t, id, now, "reopened", g.FoundBy, why+": "+g.Detail)
}

func gapStep(t *tx, id int64, at time.Time, step, by, detail string) error {
	return t.exec(`INSERT INTO gap_steps (gap_id, at, step, by, detail) VALUES ($1, $2, $3, $4, $5)`, id, micros(at), step, by, detail)
}

// healGap notes that something was started that should close a gap.
func healGap(t *tx, id int64, now time.Time, by, how string) error {
	n, err := t.changed(`UPDATE gaps SET state = 'healing', ignored_by = '', reason = '', checked_at = 0 WHERE id = $1 AND state IN ('open', 'ignored')`, id)
	if err != nil || n == 0 {
		return err
	}
	return gapStep(t, id, now, "healing", by, how)
}

// HealGaps sets in motion what is to mend gaps of orders, at a person's word:
// each order is asked for in Shopify, verified in its ERP, and sent again where
// needed. It returns how many gaps these were; closed ones are left alone.
func (s *Store) HealGaps(ctx context.Context, by string, gaps ...Gap) (started int64, err error) {
	now := s.now()
	err = s.writer.apply(ctx, Gaps|Refetches|Deliveries, func(t *tx) error {
		started = 0
		for _, g := range gaps {
			live, err := t.exists(`SELECT 1 FROM gaps WHERE id = $1 AND state <> 'closed'`, g.ID)
			if err != nil {
				return err
			}
			if !live {
				continue
			}
			started++
			if err := healGap(t, g.ID, now, by, "replayed"); err != nil {
				return err
			}
			if g.OrderID == 0 {
				continue
			}
			if err := askAgain(t, Refetch{OrderKey: g.Key(), Reason: "gap", AskedAt: now, NextAt: now}); err != nil {
				return err
			}
			if _, err := replay(t, DeliveryKey{g.Key(), g.ERP}, by, now); err != nil {
				return err
			}
		}
		return nil
	})
	return started, err
}

// CloseGap notes what healed a gap. One that is closed is left alone, and so is one
// that has been seen again meanwhile and is about something newer.
func (s *Store) CloseGap(ctx context.Context, g Gap, healedBy string) error {
	now := s.now()
	return s.writer.apply(ctx, Gaps, func(t *tx) error {
		n, err := t.changed(`UPDATE gaps SET state = 'closed', healed_by = $1, closed_at = $2, checked_at = $2, ignored_by = '', reason = ''
			WHERE id = $3 AND about = $4 AND state <> 'closed'`, healedBy, micros(now), g.ID, g.About)
		if err != nil || n == 0 {
			return err
		}
		return gapStep(t, g.ID, now, "closed", healedBy, "")
	})
}

// CheckedGap notes that the ERP was asked about a gap, from a moment on, and what
// still keeps it open; no detail: nothing could be seen. What became of the order
// since that moment the answer may not show.
func (s *Store) CheckedGap(ctx context.Context, id int64, asked time.Time, detail string) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`UPDATE gaps SET checked_at = $1, last_seen = CASE WHEN $2 = '' THEN last_seen ELSE $1 END,
			detail = CASE WHEN $2 = '' THEN detail ELSE $2 END WHERE id = $3`, micros(asked), detail, id)
	})
}

// IgnoreGap notes who ignores a gap, and why. It says whether there was a gap to ignore.
func (s *Store) IgnoreGap(ctx context.Context, id int64, by, reason string) (done bool, err error) {
	now := s.now()
	err = s.writer.apply(ctx, Gaps, func(t *tx) error {
		n, err := t.changed(`UPDATE gaps SET state = 'ignored', ignored_by = $1, reason = $2 WHERE id = $3 AND state IN ('open', 'healing', 'ignored')`, by, reason, id)
		if done = n > 0; err != nil || !done {
			return err
		}
		return gapStep(t, id, now, "ignored", by, reason)
	})
	return done, err
}

// CauseOfGap notes what later became known of why a gap arose.
func (s *Store) CauseOfGap(ctx context.Context, id int64, cause, detail string) error {
	now := s.now()
	return s.writer.apply(ctx, Gaps, func(t *tx) error {
		if err := t.exec(`UPDATE gaps SET cause = $1 WHERE id = $2`, cause, id); err != nil {
			return err
		}
		return gapStep(t, id, now, "seen", "", detail)
	})
}

// GapFilter narrows a list of gaps; zero fields don't.
type GapFilter struct {
	Shop    string
	Kind    string
	State   string // or Live
	OrderID int64
	Run     int64     // that found it first
	From    time.Time // first seen from here on
	To      time.Time // first seen before it
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

// query goes by the index of the first of its conditions, which leaves the fewest
// gaps; a plus keeps the planner, which knows no figures, from those of the others.
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
	return w.list(`SELECT `+gapColumns+fromGaps, id+" DESC", f.Limit)
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
// it did. An order may also be at rest because Shopify did not show it when it was
// asked for, and an orphan because no order stands behind it. The ERP may have
// been mended by hand, so those asked about before again are among them; one that
// has been open for long is asked about less and less often.
func (s *Store) SettledGaps(ctx context.Context, erp string, again time.Time, limit int) ([]Gap, error) {
	return s.gaps(ctx, `SELECT `+gapColumns+fromGaps+` LEFT JOIN deliveries d ON d.shop = g.shop AND d.order_id = g.order_id AND d.erp = g.erp
		WHERE g.state IN ('open', 'healing') AND g.erp = $1 AND g.order_id <> 0 AND g.checked_at < $2
			AND (d.changed_at BETWEEN g.checked_at AND $2 OR g.checked_at < $3 AND g.checked_at + (g.checked_at - g.first_seen) / 10 < $2)
			AND (g.kind = 'orphan' OR (d.state IN ('delivered', 'excluded') OR d.state IS NULL AND g.state = 'healing')
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
// since before a moment, oldest first, and have no live gap of that kind yet. An
// order of the past that lets today's go first is not stuck.
func (s *Store) Stuck(ctx context.Context, shop, erp string, before time.Time, limit int) ([]Delivery, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries d
		WHERE d.state IN ('due', 'sending', 'unknown') AND d.since < $1 AND +d.shop = $2 AND +d.erp = $3 AND (d.background = 0 OR d.tries > 0) AND NOT EXISTS (SELECT 1 FROM gaps g
			WHERE g.shop = d.shop AND g.order_id = d.order_id AND g.kind = 'stuck' AND g.subject = '' AND g.erp = d.erp AND g.state <> 'closed')
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
