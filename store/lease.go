package store

import (
	"context"
	"sync"
	"time"
)

// runLease is for how long a run counts as under way after its last sign of
// life; signOfLife is how often one is given.
const (
	runLease   = 2 * time.Minute
	signOfLife = 20 * time.Second
)

// leases gives signs of life for the runs that this process carries out. A
// process that is killed gives none, and its runs may be begun anew.
type leases struct {
	store *Store

	mu   sync.Mutex
	runs map[int64]bool

	stop chan struct{}
	done chan struct{}
}

func startLeases(s *Store) *leases {
	l := &leases{store: s, runs: map[int64]bool{}, stop: make(chan struct{}), done: make(chan struct{})}
	go l.run()
	return l
}

func (l *leases) run() {
	defer close(l.done)
	tick := time.NewTicker(signOfLife)
	defer tick.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-tick.C:
			l.renew()
		}
	}
}

func (l *leases) close() {
	close(l.stop)
	<-l.done
}

func (l *leases) hold(run int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.runs[run] = true
}

func (l *leases) drop(run int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.runs, run)
}

func (l *leases) held() []int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	ids := make([]int64, 0, len(l.runs))
	for id := range l.runs {
		ids = append(ids, id)
	}
	return ids
}

func (l *leases) renew() {
	ids := l.held()
	if len(ids) == 0 {
		return
	}
	until := micros(l.store.now().Add(runLease))
	err := l.store.writer.apply(context.Background(), 0, func(t *tx) error {
		for _, id := range ids {
			if err := t.exec(`UPDATE runs SET lease_until = $1 WHERE id = $2 AND state = 'running'`, until, id); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		l.store.log.Warn("runs under way could give no sign of life; it is tried again", "err", err)
	}
}

// StopRuns ends the runs whose process is dead, which gave no sign of life for
// their lease. To the database's owner, as it starts, all are dead that an owner
// carried out: there is no other one now. Backfills are left: those go on.
func (s *Store) StopRuns(ctx context.Context, starting bool) error {
	var some bool
	err := s.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM runs WHERE state = 'running' AND kind <> 'backfill')`).Scan(&some)
	if err != nil || !some {
		return err
	}
	return s.writer.apply(ctx, Runs, func(t *tx) error { return stopRuns(t, s.now(), starting) })
}

func stopRuns(t *tx, now time.Time, starting bool) error {
	return t.exec(`UPDATE runs SET state = 'stopped', ended_at = $1, note = 'Gapless was stopped meanwhile'
		WHERE state = 'running' AND kind <> 'backfill' AND (lease_until < $1 OR $2 = 1 AND beside = 0)`, micros(now), flag(starting))
}
