package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// Kinds of runs.
const (
	RunPoll      = "poll"      // what changed lately? Kept where it found something or failed
	RunReconcile = "reconcile" // the three sides over a window
	RunDeep      = "deep"      // the same over 60 days
	RunDay       = "day"       // the same over the orders of one day of the shop
	RunBackfill  = "backfill"  // orders of the past
)

// States of a run.
const (
	RunRunning = "running"
	RunDone    = "done"
	RunPartial = "partial" // a side could not be read: nothing was closed, nothing counts as checked
	RunFailed  = "failed"
	RunStopped = "stopped" // the process ended, or somebody stopped it
)

// Run is one pass of work over a window.
type Run struct {
	ID        int64
	Shop      string
	Kind      string
	State     string
	By        string // who asked for it
	From, To  time.Time
	Heal      bool
	StartedAt time.Time
	EndedAt   time.Time       // zero: under way
	Done      int64           // orders worked through
	Total     int64           // of so many; 0: not known
	Found     int64           // gaps found
	Data      json.RawMessage // the balance, or where a backfill goes on
	Note      string          // what went wrong, or could not be seen
}

// BySchedule is who asks for what happens by the clock. No person has this name.
const BySchedule = "schedule"

// ErrRunning says that a run over the same window is under way.
var ErrRunning = errors.New("the same run is under way already")

// ErrEnded says that a run is no longer under way: somebody ended it.
var ErrEnded = errors.New("the run was ended meanwhile")

// sameWindow is by how much the windows of runs may differ that somebody asked
// for twice: each ends when it was asked for. upToNow is by how much earlier than
// that a window may end, and still count as going up to now.
const (
	sameWindow = time.Minute
	upToNow    = 2 * time.Minute
)

// BeginRun notes that a run begins and sets its ID. While the same one is under
// way, it is ErrRunning, and the ID is that one's. Backfills from the same moment on
// are the same if both go up to when they were asked for, however long the first has
// been at it: Gapless hears of what is placed meanwhile. The run counts as under way
// until SaveRun notes its end, as long as this process lives; a backfill, whoever
// carries it out.
func (s *Store) BeginRun(ctx context.Context, r *Run) error {
	r.State, r.StartedAt = RunRunning, s.now()
	err := s.writer.apply(ctx, Runs, func(t *tx) error {
		if err := stopRuns(t, r.StartedAt, false); err != nil {
			return err
		}
		err := t.queryRow(`SELECT id FROM runs WHERE shop = $1 AND kind = $2 AND state = 'running'
				AND (from_at = $3 AND to_at = $4 OR by = $5 AND abs(from_at - $3) < $6 AND abs(to_at - $4) < $6
					OR kind = 'backfill' AND from_at = $3 AND started_at - to_at < $7 AND $8 - $4 < $7)
				ORDER BY id LIMIT 1`,
			r.Shop, r.Kind, micros(r.From), micros(r.To), r.By, sameWindow.Microseconds(), upToNow.Microseconds(), micros(r.StartedAt)).Scan(&r.ID)
		if err == nil {
			return ErrRunning
		}
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		r.ID, err = t.insert(`INSERT INTO runs (shop, kind, state, by, from_at, to_at, heal, started_at, ended_at, done, total, found, data, note, lease_until, beside)
			VALUES ($1, $2, 'running', $3, $4, $5, $6, $7, 0, $8, $9, 0, $10, '', $11, $12)`,
			r.Shop, r.Kind, r.By, micros(r.From), micros(r.To), flag(r.Heal), micros(r.StartedAt), r.Done, r.Total, jsonText(r.Data),
			micros(r.StartedAt.Add(runLease)), flag(s.lock == nil))
		return err
	})
	if err == nil && r.Kind != RunBackfill {
		s.leases.hold(r.ID)
	}
	return err
}

// SaveRun notes how far a run has come, or how it ended where its state says so.
// One that somebody ended meanwhile stays as it is: ErrEnded.
func (s *Store) SaveRun(ctx context.Context, r *Run) error {
	if r.State != RunRunning && r.EndedAt.IsZero() {
		r.EndedAt = s.now()
	}
	err := s.writer.apply(ctx, Runs, func(t *tx) error {
		n, err := t.changed(`UPDATE runs SET state = $1, ended_at = $2, done = $3, total = $4, found = $5, data = $6, note = $7 WHERE id = $8 AND state = 'running'`,
			r.State, micros(r.EndedAt), r.Done, r.Total, r.Found, jsonText(r.Data), r.Note, r.ID)
		if err == nil && n == 0 {
			err = ErrEnded
		}
		return err
	})
	if !r.EndedAt.IsZero() || errors.Is(err, ErrEnded) {
		s.leases.drop(r.ID)
	}
	return err
}

func jsonText(raw json.RawMessage) string {
	if len(raw) == 0 {
		return "{}"
	}
	return string(raw)
}

// RunFilter narrows a list of runs; zero fields don't.
type RunFilter struct {
	Shop   string
	Kind   string
	State  string
	Before int64
	Limit  int
}

const runColumns = `id, shop, kind, state, by, from_at, to_at, heal, started_at, ended_at, done, total, found, data, note`

// Runs lists runs, newest first.
func (s *Store) Runs(ctx context.Context, f RunFilter) ([]Run, error) {
	var w where
	if f.Shop != "" {
		w.and("shop = ?", f.Shop)
	}
	if f.Kind != "" {
		w.and("kind = ?", f.Kind)
	}
	if f.State != "" {
		w.and("state = ?", f.State)
	}
	if f.Before != 0 {
		w.and("id < ?", f.Before)
	}
	query, args := w.list(`SELECT `+runColumns+` FROM runs`, "id DESC", f.Limit)
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list runs: %w", err)
	}
	defer rows.Close()
	var runs []Run
	for rows.Next() {
		r, err := scanRun(rows.Scan)
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	return runs, rows.Err()
}

// Run returns one run, or ErrNotFound.
func (s *Store) Run(ctx context.Context, id int64) (Run, error) {
	r, err := scanRun(s.readers.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE id = $1`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("run %d: %w", id, ErrNotFound)
	}
	return r, err
}

// LastRun returns the newest run of a kind that ended well, or ErrNotFound.
func (s *Store) LastRun(ctx context.Context, shop, kind string) (Run, error) {
	r, err := scanRun(s.readers.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE shop = $1 AND kind = $2 AND state = 'done'
		ORDER BY id DESC LIMIT 1`, shop, kind).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%s of %s: %w", kind, shop, ErrNotFound)
	}
	return r, err
}

// FirstRunning returns the run of a kind that began first of those under way, or
// ErrNotFound. Of a shop's backfills it is the one that is carried out now; the
// others wait for it.
func (s *Store) FirstRunning(ctx context.Context, shop, kind string) (Run, error) {
	r, err := scanRun(s.readers.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE shop = $1 AND kind = $2 AND state = 'running'
		ORDER BY id LIMIT 1`, shop, kind).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%s of %s that is under way: %w", kind, shop, ErrNotFound)
	}
	return r, err
}

// LastOver returns the run of a kind that began last of those over a window that
// begins at from and have ended, however they did, or ErrNotFound.
func (s *Store) LastOver(ctx context.Context, shop, kind string, from time.Time) (Run, error) {
	r, err := scanRun(s.readers.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs r WHERE r.shop = $1 AND r.kind = $2 AND r.from_at = $3 AND r.ended_at > 0
		ORDER BY r.id DESC LIMIT 1`, shop, kind, micros(from)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%s of %s: %w", kind, shop, ErrNotFound)
	}
	return r, err
}

// FirstOver returns the run of a kind that began first, from a moment on, of those
// over a window that begins at from, or ErrNotFound.
func (s *Store) FirstOver(ctx context.Context, shop, kind string, from, since time.Time) (Run, error) {
	r, err := scanRun(s.readers.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs r WHERE r.shop = $1 AND r.kind = $2 AND r.from_at = $3 AND r.started_at >= $4
		ORDER BY r.id LIMIT 1`, shop, kind, micros(from), micros(since)).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("%s of %s: %w", kind, shop, ErrNotFound)
	}
	return r, err
}

// LastCompared returns the comparison of the three sides that began last and has
// ended, however it did, or ErrNotFound.
func (s *Store) LastCompared(ctx context.Context, shop string) (Run, error) {
	r, err := scanRun(s.readers.QueryRowContext(ctx, `SELECT `+runColumns+` FROM runs WHERE id IN (
			SELECT max(id) FROM runs WHERE shop = $1 AND kind = 'reconcile' AND ended_at > 0
			UNION ALL SELECT max(id) FROM runs WHERE shop = $1 AND kind = 'deep' AND ended_at > 0)
		ORDER BY id DESC LIMIT 1`, shop).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return r, fmt.Errorf("a comparison of %s: %w", shop, ErrNotFound)
	}
	return r, err
}

func scanRun(scan func(...any) error) (Run, error) {
	var r Run
	var from, to, started, ended int64
	var data string
	err := scan(&r.ID, &r.Shop, &r.Kind, &r.State, &r.By, &from, &to, &r.Heal, &started, &ended, &r.Done, &r.Total, &r.Found, &data, &r.Note)
	r.From, r.To, r.StartedAt, r.EndedAt, r.Data = timeOf(from), timeOf(to), timeOf(started), timeOf(ended), json.RawMessage(data)
	return r, err
}
