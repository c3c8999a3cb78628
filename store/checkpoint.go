package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// walLimit is the size at which the WAL is moved into the database: large
// enough that pages written often are moved once, small enough that commits
// hardly feel the disk being busy with it. With 16 MiB the slowest of a hundred
// answers took half as long again, and with 256 MiB single ones a quarter of a
// second (docs/benchmarks.md).
const walLimit = 4 << 20

// readersWait bounds how long the writer is held for the readers that still
// read the WAL; while they do, it can't start from its beginning again.
const readersWait = 20 * time.Millisecond

// checkpointer keeps the WAL small from a goroutine and a connection of its
// own, so that commits hardly wait for it. The bulk is copied while writes go
// on, then what came in meanwhile, which takes less time and leaves less; at last,
// with the writer held between two groups, the few frames that are left, so that
// the next commit starts the WAL from its beginning again.
type checkpointer struct {
	conn *sql.Conn
	w    *writer
	log  *slog.Logger
	stop chan struct{}
	done chan struct{}
}

func startCheckpointer(ctx context.Context, db *sql.DB, w *writer, log *slog.Logger) (*checkpointer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, fmt.Sprintf(`PRAGMA busy_timeout = %d`, readersWait.Milliseconds())); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	c := &checkpointer{conn: conn, w: w, log: log, stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c, nil
}

func (c *checkpointer) run() {
	defer close(c.done)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-c.stop:
			return
		case <-tick.C:
		}
		if c.w.written.Load() < walLimit {
			continue // the file keeps its size, so it tells nothing
		}
		if err := c.checkpoint(); err != nil {
			c.log.Warn("the WAL could not be moved into the database; it grows until it can", "err", err)
		}
	}
}

func (c *checkpointer) checkpoint() error {
	ctx := context.Background()
	for range 3 {
		if _, err := checkpoint(ctx, c.conn, "PASSIVE"); err != nil {
			return err
		}
	}
	c.w.between.Lock()
	defer c.w.between.Unlock()
	whole, err := checkpoint(ctx, c.conn, "RESTART")
	if whole {
		c.w.written.Store(0)
	}
	return err
}

func (c *checkpointer) close() error {
	close(c.stop)
	<-c.done
	return c.conn.Close()
}

// emptyWAL moves everything into the database and cuts the WAL to nothing, so
// that nothing that was overwritten remains in it. It waits for readers to
// finish, until ctx ends, and lets writes through in between.
func (s *Store) emptyWAL(ctx context.Context) error {
	for {
		s.writer.between.Lock()
		empty, err := checkpoint(ctx, s.check.conn, "TRUNCATE")
		s.writer.between.Unlock()
		if err != nil || empty {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("empty the WAL: readers are still at it: %w", ctx.Err())
		case <-time.After(10 * readersWait):
		}
	}
}

// checkpoint runs one checkpoint and says whether nothing stood in its way.
func checkpoint(ctx context.Context, db interface {
	QueryRowContext(context.Context, string, ...any) *sql.Row
}, mode string) (whole bool, err error) {
	var busy, log, moved int
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(`+mode+`)`).Scan(&busy, &log, &moved); err != nil {
		return false, fmt.Errorf("checkpoint: %w", err)
	}
	return busy == 0, nil
}
