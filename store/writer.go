package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
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
//   - A statement inserts many events; see append.go.
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
	key   key    // of event, if it has a webhook id
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
	failing   atomic.Pointer[error] // why the last group was not committed; nil: it was
	written   atomic.Int64          // bytes, since the WAL was last moved into the database
	between   sync.Mutex            // held during a group; the checkpointer takes it to find the WAL at rest
	committed func(Topic)           // called after each group
	step      func(bool)            // Options.Step
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
	w.failing.Store(nil)
	if err != nil {
		w.failing.Store(&err)
	}
	var wakes Topic
	for _, x := range group {
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
	w.written.Add(w.tx.pagesWritten() * pageSize)
	return nil
}
