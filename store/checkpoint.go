package store

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"time"
)

// walLimit is the size at which the WAL is moved into the database: large
// enough that pages written often are moved once, small enough that a restart
// replays it in a moment.
const walLimit = 16 << 20

// checkpointer keeps the WAL small from a goroutine and a connection of its
// own, so that no commit waits for it. The bulk is copied while writes go on;
// then, with the writer held between two groups, the few frames that came in
// meanwhile, so that the next commit starts the WAL from its beginning again.
type checkpointer struct {
	db   *sql.DB
	wal  string
	w    *writer
	log  *slog.Logger
	stop chan struct{}
	done chan struct{}
}

func startCheckpointer(db *sql.DB, path string, w *writer, log *slog.Logger) *checkpointer {
	c := &checkpointer{db: db, wal: path + "-wal", w: w, log: log, stop: make(chan struct{}), done: make(chan struct{})}
	go c.run()
	return c
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
		if size, err := os.Stat(c.wal); err != nil || size.Size() < walLimit {
			continue
		}
		if err := c.checkpoint(); err != nil {
			c.log.Warn("the WAL could not be moved into the database; it grows until it can", "err", err)
		}
	}
}

func (c *checkpointer) checkpoint() error {
	if err := passiveCheckpoint(c.db); err != nil {
		return err
	}
	c.w.between.Lock()
	defer c.w.between.Unlock()
	return passiveCheckpoint(c.db)
}

func (c *checkpointer) close() {
	close(c.stop)
	<-c.done
}

func passiveCheckpoint(db *sql.DB) error {
	var busy, log, moved int
	if err := db.QueryRow(`PRAGMA wal_checkpoint(PASSIVE)`).Scan(&busy, &log, &moved); err != nil {
		return fmt.Errorf("checkpoint: %w", err)
	}
	return nil
}

// emptyWAL moves everything into the database and cuts the WAL to nothing, so
// that nothing that was overwritten remains in it. It waits for readers to
// finish, until ctx ends.
func (s *Store) emptyWAL(ctx context.Context) error {
	for {
		s.writer.between.Lock()
		var busy, log, moved int
		err := s.control.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &moved)
		s.writer.between.Unlock()
		if err != nil {
			return fmt.Errorf("empty the WAL: %w", err)
		}
		if busy == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("empty the WAL: readers are still at it: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
}
