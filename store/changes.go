package store

import (
	"context"
	"fmt"
	"time"
)

// Mark is a place in what happens here: whoever holds it was told all before it.
type Mark struct{ Decision, Attempt, Step, Run int64 }

// Newest is the mark behind all that has happened.
func (s *Store) Newest(ctx context.Context) (m Mark, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT coalesce((SELECT max(id) FROM decisions), 0), coalesce((SELECT max(id) FROM attempts), 0),
		coalesce((SELECT max(id) FROM gap_steps), 0), coalesce((SELECT max(id) FROM runs), 0)`).Scan(&m.Decision, &m.Attempt, &m.Step, &m.Run)
	if err != nil {
		return m, fmt.Errorf("find out what happened last: %w", err)
	}
	return m, nil
}

// OrderChange is something that was decided about an order, and the order as it
// stands now.
type OrderChange struct {
	ID int64 // of the decision
	OrderKey
	Name    string // empty: there is no such order here
	Version string
	ERP     string
	State   string
	Step    string
	Outcome string
	At      time.Time
}

// OrdersSince lists what was decided after a decision, oldest first.
func (s *Store) OrdersSince(ctx context.Context, decision int64, limit int) (all []OrderChange, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		var c OrderChange
		var at int64
		err := scan(&c.ID, &c.Shop, &c.OrderKey.ID, &c.Name, &c.Version, &c.ERP, &c.State, &c.Step, &c.Outcome, &at)
		c.At = timeOf(at)
		all = append(all, c)
		return err
	}, `SELECT n.id, n.shop, n.order_id, coalesce(o.name, ''), coalesce(o.version, ''), coalesce(d.erp, ''), coalesce(d.state, ''), n.step, n.outcome, n.at
		FROM decisions n LEFT JOIN orders o ON o.shop = n.shop AND o.id = n.order_id LEFT JOIN deliveries d ON d.shop = n.shop AND d.order_id = n.order_id
		WHERE n.id > $1 ORDER BY n.id LIMIT $2`, decision, limit)
	return all, err
}

// CallChange is a call to an ERP, and the delivery it was made for as it stands now.
type CallChange struct {
	ID int64 // of the attempt
	DeliveryKey
	Name    string
	Action  string
	Version string
	Result  string // empty while it runs, or where it was cut off
	State   string
	At      time.Time // it began
}

const calls = `SELECT a.id, a.shop, a.order_id, a.erp, coalesce(o.name, ''), a.action, a.version, coalesce(r.result, ''), coalesce(d.state, ''), a.started_at
	FROM attempts a LEFT JOIN outcomes r ON r.attempt_id = a.id LEFT JOIN orders o ON o.shop = a.shop AND o.id = a.order_id
	LEFT JOIN deliveries d ON d.shop = a.shop AND d.order_id = a.order_id AND d.erp = a.erp`

// CallsSince lists the calls that were begun after an attempt, oldest first.
func (s *Store) CallsSince(ctx context.Context, attempt int64, limit int) ([]CallChange, error) {
	return s.calls(ctx, calls+` WHERE a.id > $1 ORDER BY a.id LIMIT $2`, attempt, limit)
}

// Call returns one call, or ErrNotFound.
func (s *Store) Call(ctx context.Context, attempt int64) (CallChange, error) {
	found, err := s.calls(ctx, calls+` WHERE a.id = $1`, attempt)
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("call %d: %w", attempt, ErrNotFound)
	}
	if err != nil {
		return CallChange{}, err
	}
	return found[0], nil
}

func (s *Store) calls(ctx context.Context, query string, args ...any) (all []CallChange, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		var c CallChange
		var at int64
		err := scan(&c.ID, &c.Shop, &c.OrderKey.ID, &c.ERP, &c.Name, &c.Action, &c.Version, &c.Result, &c.State, &at)
		c.At = timeOf(at)
		all = append(all, c)
		return err
	}, query, args...)
	return all, err
}

// GapChange is a step of a gap, and the gap as it stands now.
type GapChange struct {
	ID    int64 // of the step
	GapID int64
	OrderKey
	Name  string
	ERP   string
	Kind  string
	Cause string
	State string
	Step  string
	At    time.Time
}

// GapsSince lists the steps of gaps after one, oldest first.
func (s *Store) GapsSince(ctx context.Context, step int64, limit int) (all []GapChange, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		var c GapChange
		var at int64
		err := scan(&c.ID, &c.GapID, &c.Shop, &c.OrderKey.ID, &c.Name, &c.ERP, &c.Kind, &c.Cause, &c.State, &c.Step, &at)
		c.At = timeOf(at)
		all = append(all, c)
		return err
	}, `SELECT p.id, g.id, g.shop, g.order_id, coalesce(o.name, ''), g.erp, g.kind, g.cause, g.state, p.step, p.at
		FROM gap_steps p JOIN gaps g ON g.id = p.gap_id LEFT JOIN orders o ON o.shop = g.shop AND o.id = g.order_id
		WHERE p.id > $1 ORDER BY p.id LIMIT $2`, step, limit)
	return all, err
}

// RunsSince lists the runs that began after one, oldest first.
func (s *Store) RunsSince(ctx context.Context, run int64, limit int) (all []Run, err error) {
	err = s.each(ctx, func(scan func(...any) error) error {
		r, err := scanRun(scan)
		all = append(all, r)
		return err
	}, `SELECT `+runColumns+` FROM runs WHERE id > $1 ORDER BY id LIMIT $2`, run, limit)
	return all, err
}

// each reads the rows of a query.
func (s *Store) each(ctx context.Context, read func(scan func(...any) error) error, query string, args ...any) error {
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read what happened: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := read(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
