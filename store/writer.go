package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"sync/atomic"
)

// The writer is the one goroutine that writes. It takes what is waiting,
// applies it in one transaction and answers everybody after the commit, so that
// one fsync serves many. What makes it fast, each measured (docs/benchmarks.md):
//
//   - A group is whatever waits when the writer looks. It yields a few times
//     first, so that requests about to enqueue join this fsync and not the next.
//     A timed linger would cost more than it gathers.
//   - What changes rows bypasses database/sql: prepared driver statements on the
//     writer's own connection.
//   - Bodies arrive packed; a few goroutines do it for all requests; see packers.go.
//   - Nothing checkpoints inside a commit; see checkpoint.go.
//   - Webhook ids are deduplicated in memory; the index on them is written in
//     slices of neighbouring keys, later; see dedupe.go.
//
// Groups are bounded in rows and bytes, because the first in a group waits for
// the last.
const (
	maxGroupRows  = 256
	maxGroupBytes = 4 << 20
	groupYields   = 10
)

// ErrBusy says that the queue of writes is full. The caller should answer
// "try again later".
var ErrBusy = errors.New("the store's write queue is full")

// ErrClosed says that the store is closing.
var ErrClosed = errors.New("the store is closed")

// write is one thing to be done in a group: an event to append, or a change to
// apply inside its own savepoint.
type write struct {
	event *Event
	body  []byte // packed
	size  int64  // bytes held while queued
	apply func(*tx) error
	wakes Topic // whom a commit of this concerns

	duplicate bool
	err       error
	done      chan struct{}
}

type writer struct {
	conn  *sql.Conn
	tx    *tx
	dedup *dedupe

	queue     chan *write
	bytes     atomic.Int64
	maxBytes  int64
	stop      chan struct{} // closed: no new writes
	stopOnce  sync.Once
	finished  chan struct{}
	written   atomic.Int64 // bytes, roughly, since the WAL was last moved into the database
	between   sync.Mutex   // held during a group; the checkpointer takes it to find the WAL at rest
	committed func(Topic)  // called after each group
	step      func(bool)   // Options.Step
}

func newWriter(ctx context.Context, db *sql.DB, o Options, committed func(Topic)) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		conn:      conn,
		tx:        newTx(conn),
		queue:     make(chan *write, o.QueueRows),
		maxBytes:  o.QueueBytes,
		stop:      make(chan struct{}),
		finished:  make(chan struct{}),
		committed: committed,
		step:      o.Step,
	}
	if w.dedup, err = loadDedupe(ctx, conn, o.Guest); err != nil {
		return nil, err
	}
	go w.run()
	return w, nil
}

// submit queues x and waits until it is committed or refused. With wait false
// a full queue is ErrBusy at once; otherwise it waits for room until ctx ends.
// Once queued it is not given up: the caller learns what really happened.
func (w *writer) submit(ctx context.Context, x *write, wait bool) error {
	w.step(false)
	defer w.step(true)
	x.done = make(chan struct{})
	if w.bytes.Add(x.size) > w.maxBytes && !wait {
		w.bytes.Add(-x.size)
		return ErrBusy
	}
	defer w.bytes.Add(-x.size)
	select {
	case <-w.stop:
		return ErrClosed
	case w.queue <- x:
	default:
		if !wait {
			return ErrBusy
		}
		select {
		case w.queue <- x:
		case <-w.stop:
			return ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	select {
	case <-x.done:
		return x.err
	case <-w.finished: // it may have been queued behind the last group
		select {
		case <-x.done:
			return x.err
		default:
			return ErrClosed
		}
	}
}

// apply runs change in a group commit. An error of change takes back its own
// writes only.
func (w *writer) apply(ctx context.Context, wakes Topic, change func(*tx) error) error {
	return w.submit(ctx, &write{apply: change, wakes: wakes}, true)
}

// close stops taking writes, finishes those that are queued, and returns.
func (w *writer) close() error {
	w.stopOnce.Do(func() { close(w.stop) })
	<-w.finished
	err := w.dedup.foldAll(w.tx)
	w.tx.close()
	return errors.Join(err, w.conn.Close())
}

func (w *writer) run() {
	defer close(w.finished)
	group := make([]*write, 0, maxGroupRows)
	for {
		select {
		case x := <-w.queue:
			group = w.gather(append(group[:0], x))
		case <-w.stop:
			group = w.gather(group[:0])
			if len(group) == 0 {
				return
			}
		}
		w.commit(group)
	}
}

// gather adds what is waiting to the group.
func (w *writer) gather(group []*write) []*write {
	for range groupYields {
		runtime.Gosched()
	}
	var bytes int64
	for len(group) < maxGroupRows && bytes < maxGroupBytes {
		select {
		case x := <-w.queue:
			group = append(group, x)
			bytes += x.size
		default:
			return group
		}
	}
	return group
}

// commit writes one group. If the transaction as a whole fails (a full disk),
// every member learns it and nothing of the group remains.
func (w *writer) commit(group []*write) {
	w.between.Lock()
	err := w.tryCommit(group)
	w.between.Unlock()
	var wakes Topic
	for _, x := range group {
		w.written.Add(x.size + 16<<10)
		if err != nil {
			x.err = err
		}
		wakes |= x.wakes
		close(x.done)
	}
	if err == nil {
		w.committed(wakes)
	}
}

func (w *writer) tryCommit(group []*write) (err error) {
	if err := w.tx.exec(`BEGIN IMMEDIATE`); err != nil {
		return fmt.Errorf("begin a write: %w", err)
	}
	defer func() {
		if err != nil {
			w.dedup.forget()
			w.tx.exec(`ROLLBACK`) //nolint:errcheck // SQLite may have rolled back by itself
		}
	}()
	if err := w.appendEvents(group); err != nil {
		return fmt.Errorf("store an event: %w", err)
	}
	for _, x := range group {
		if x.apply == nil {
			continue
		}
		if x.err, err = w.tx.savepoint(x.apply); err != nil {
			return err
		}
	}
	if err := w.dedup.foldSome(w.tx); err != nil {
		return fmt.Errorf("index webhook ids: %w", err)
	}
	if err := w.tx.exec(`COMMIT`); err != nil {
		return fmt.Errorf("commit: %w", err)
	}
	w.dedup.keep()
	return nil
}

// appendEvents inserts the group's new events and marks the ones stored before.
func (w *writer) appendEvents(group []*write) (err error) {
	var next int64
	for _, x := range group {
		if x.event == nil {
			continue
		}
		if next == 0 {
			if err := w.tx.queryRow(`SELECT coalesce(max(id), 0) + 1 FROM events`).Scan(&next); err != nil {
				return err
			}
		}
		if x.event.WebhookID != "" {
			if x.duplicate, err = w.dedup.repeated(w.tx, x.event); err != nil {
				return err
			}
			if x.duplicate {
				continue
			}
		}
		x.event.ID = next
		if err := w.insert(x.event, x.body); err != nil {
			return err
		}
		w.dedup.appended(next)
		next++
	}
	return nil
}

func (w *writer) insert(e *Event, body []byte) error {
	if err := w.tx.exec(`INSERT INTO events (id, shop, source, topic, webhook_id, event_id, headers, triggered_at, received_at, size)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		e.ID, e.Shop, e.Source, e.Topic, e.WebhookID, e.EventID, e.Headers, micros(e.TriggeredAt), micros(e.ReceivedAt), len(e.Body)); err != nil {
		return err
	}
	return w.tx.exec(`INSERT INTO bodies (event_id, body) VALUES ($1, $2)`, e.ID, body)
}

// tx is the writer's transaction as changes see it. Statements are prepared
// once and kept, so queries must be constant strings.
type tx struct {
	conn    *sql.Conn
	raw     map[string]driver.Stmt // what changes rows goes straight to the driver
	queries map[string]*sql.Stmt
}

func newTx(conn *sql.Conn) *tx {
	return &tx{conn: conn, raw: map[string]driver.Stmt{}, queries: map[string]*sql.Stmt{}}
}

// background is for every statement: a context that can end would cost a
// goroutine each.
var background = context.Background()

// direct hands query's statement of the driver to do, with args as it wants them.
func (t *tx) direct(query string, args []any, do func(driver.Stmt, []driver.NamedValue) error) error {
	named := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return err
		}
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return t.conn.Raw(func(c any) (err error) {
		s, ok := t.raw[query]
		if !ok {
			if s, err = c.(driver.ConnPrepareContext).PrepareContext(background, query); err != nil {
				return err
			}
			t.raw[query] = s
		}
		return do(s, named)
	})
}

func (t *tx) result(query string, args []any) (r driver.Result, err error) {
	err = t.direct(query, args, func(s driver.Stmt, named []driver.NamedValue) (err error) {
		r, err = s.(driver.StmtExecContext).ExecContext(background, named)
		return err
	})
	return r, err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.result(query, args)
	return err
}

// changed is exec that tells how many rows it changed.
func (t *tx) changed(query string, args ...any) (int64, error) {
	r, err := t.result(query, args)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert is exec that tells the rowid of the new row.
func (t *tx) insert(query string, args ...any) (int64, error) {
	r, err := t.result(query, args)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// exists says whether query finds a row.
func (t *tx) exists(query string, args ...any) (found bool, err error) {
	err = t.direct(query, args, func(s driver.Stmt, named []driver.NamedValue) error {
		rows, err := s.(driver.StmtQueryContext).QueryContext(background, named)
		if err != nil {
			return err
		}
		defer rows.Close()
		err = rows.Next(make([]driver.Value, len(rows.Columns())))
		if found = err == nil; errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	return found, err
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.queries[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(background, query)
	if err != nil {
		return nil, err
	}
	t.queries[query] = s
	return s, nil
}

func (t *tx) queryRow(query string, args ...any) row {
	s, err := t.stmt(query)
	if err != nil {
		return row{err: err}
	}
	return row{Row: s.QueryRowContext(background, args...)}
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(background, args...)
}

// row carries a failed preparation to Scan.
type row struct {
	*sql.Row
	err error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.Row.Scan(dest...)
}

// savepoint runs change so that its failure takes back its own writes only.
// The second error says that the whole transaction is lost.
func (t *tx) savepoint(change func(*tx) error) (failed, lost error) {
	if err := t.exec(`SAVEPOINT change`); err != nil {
		return nil, err
	}
	if failed = change(t); failed != nil {
		if err := t.exec(`ROLLBACK TO change`); err != nil {
			return failed, fmt.Errorf("%w (and %w)", failed, err)
		}
	}
	return failed, t.exec(`RELEASE change`)
}

// close closes every statement: one left open would keep the connection, and
// with it the files.
func (t *tx) close() {
	for _, s := range t.queries {
		s.Close()
	}
	for _, s := range t.raw {
		s.Close()
	}
}
