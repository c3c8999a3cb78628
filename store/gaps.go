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
	FirstSeen time.Time // when it was found; where it came back, that time
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
	if f.Refetch != nil {
		why, err := inVain(t, f.Key())
		if err != nil {
			return false, err
		}
		if why != "" {
			f.Detail += "; it could not be fetched so far: " + why
		}
	}
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

// began is when the fault of a gap began that is found now: now, where nobody knows.
func (g Gap) began(now time.Time) time.Time {
	if g.Since.IsZero() || g.Since.After(now) {
		return now
	}
	return g.Since
}

func newGap(t *tx, g Gap, now time.Time) (int64, error) {
	id, err := t.insert(`INSERT INTO gaps (shop, order_id, erp, kind, subject, state, about, cause, detail, found_by, run_id, since,
			first_seen, last_seen, checked_at, healed_by, closed_at, ignored_by, reason, reopened, alerted_at)
		VALUES ($1, $2, $3, $4, $5, 'open', $6, $7, $8, $9, $10, $11, $12, $12, 0, '', 0, '', '', 0, 0)`,
		g.Shop, g.OrderID, g.ERP, g.Kind, g.Subject, g.About, g.Cause, g.Detail, g.FoundBy, g.RunID, micros(g.began(now)), micros(now))
	if err != nil {
		return 0, err
	}
	return id, gapStep(t, id, now, "opened", g.FoundBy, g.Detail)
}

// reopenGap has a gap begin anew: it was found now, and began after it was closed.
// What it was before stays in its steps.
func reopenGap(t *tx, id int64, g Gap, now time.Time, why string) error {
	if err := t.exec(`UPDATE gaps SET state = 'open', about = $1, cause = $2, detail = $3, found_by = $4, run_id = $5, since = min(max($6, closed_at), $7),
			first_seen = $7, last_seen = $7, checked_at = 0, healed_by = '', closed_at = 0, ignored_by = '', reason = '', reopened = reopened + 1, alerted_at = 0
		WHERE id = $8`, g.About, g.Cause, g.Detail, g.FoundBy, g.RunID, micros(g.began(now)), micros(now), id); err != nil {
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

// UnhealedGap notes that what was started did not mend a gap, and that nothing is
// under way any more: it is open again. It never was in order.
func (s *Store) UnhealedGap(ctx context.Context, id int64, why string) error {
	return s.writer.apply(ctx, Gaps, func(t *tx) error { return unhealed(t, `id = $1`, why, s.now(), id) })
}

// unhealed opens the gaps again that are being healed.
func unhealed(t *tx, which, why string, now time.Time, args ...any) error {
	rows, err := t.query(`SELECT id FROM gaps WHERE state = 'healing' AND `+which, args...)
	if err != nil {
		return err
	}
	ids, err := scanIDs(rows)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := t.exec(`UPDATE gaps SET state = 'open' WHERE id = $1`, id); err != nil {
			return err
		}
		if err := gapStep(t, id, now, "seen", "", "what was started did not help: "+why); err != nil {
			return err
		}
	}
	return nil
}

// IgnoreGap notes who ignores a gap, and why. It says whether there was a gap to ignore.
func (s *Store) IgnoreGap(ctx context.Context, id int64, by, reason string) (done bool, err error) {
	n, err := s.IgnoreGaps(ctx, by, reason, id)
	if errors.Is(err, ErrNotFound) {
		return false, nil
	}
	return n > 0, err
}

// IgnoreGaps notes who ignores gaps, and why: all of them in one write, or none where
// one is ErrNotFound. It returns how many are ignored so; closed ones are left alone.
func (s *Store) IgnoreGaps(ctx context.Context, by, reason string, ids ...int64) (ignored int64, err error) {
	now := s.now()
	err = s.writer.apply(ctx, Gaps, func(t *tx) error {
		ignored = 0
		for _, id := range ids {
			done, err := ignoreGap(t, id, now, by, reason)
			if err != nil {
				return fmt.Errorf("ignore gap %d: %w", id, err)
			}
			if done {
				ignored++
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	return ignored, nil
}

// ignoreGap notes nothing twice: a form may be sent again.
func ignoreGap(t *tx, id int64, now time.Time, by, reason string) (done bool, err error) {
	var state, ignoredBy, why string
	err = t.queryRow(`SELECT state, ignored_by, reason FROM gaps WHERE id = $1`, id).Scan(&state, &ignoredBy, &why)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, ErrNotFound
	case err != nil || state == GapClosed:
		return false, err
	case state == GapIgnored && ignoredBy == by && why == reason:
		return true, nil
	}
	if err := t.exec(`UPDATE gaps SET state = 'ignored', ignored_by = $1, reason = $2 WHERE id = $3`, by, reason, id); err != nil {
		return false, err
	}
	return true, gapStep(t, id, now, "ignored", by, reason)
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
