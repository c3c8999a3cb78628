package store

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Kinds of counts kept by the minute.
const (
	CountDuplicate = "duplicate" // a webhook that was stored before
	CountRefused   = "refused"   // a request the door turned away
)

// keptRefusals bounds the log of refusals.
const keptRefusals = 1000

// Refusal is a request the webhook door turned away. Shop and Topic are what
// the request claimed.
type Refusal struct {
	ID     int64
	At     time.Time
	Shop   string
	Topic  string
	Remote string
	Status int
	Reason string
}

// tally gathers counts, refusals and when sessions were last heard of in memory
// and writes them every second, so that a flood of bad requests costs the disk one
// small write a second, and nobody who looks waits for the writer. A crash loses
// the last second's.
type tally struct {
	store *Store

	mu       sync.Mutex
	counts   map[count]int64
	refusals []Refusal
	seen     map[int64]time.Time // by session; kept until it is written

	stop chan struct{}
	done chan struct{}
}

type count struct {
	minute int64
	shop   string
	kind   string
}

func startTally(s *Store) *tally {
	t := &tally{store: s, counts: map[count]int64{}, seen: map[int64]time.Time{}, stop: make(chan struct{}), done: make(chan struct{})}
	go t.run()
	return t
}

// Count adds one to what was counted of this kind in the present minute.
func (s *Store) Count(shop, kind string) {
	minute := s.now().Truncate(time.Minute).UnixMicro()
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	s.tally.counts[count{minute, shop, kind}]++
}

// Refuse keeps a refusal in the bounded log. The newest win.
func (s *Store) Refuse(r Refusal) {
	s.Count("", CountRefused)
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	if len(s.tally.refusals) == keptRefusals {
		s.tally.refusals = s.tally.refusals[1:]
	}
	s.tally.refusals = append(s.tally.refusals, r)
}

func (t *tally) run() {
	defer close(t.done)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		select {
		case <-t.stop:
			t.flush()
			return
		case <-tick.C:
			t.flush()
		}
	}
}

func (t *tally) close() {
	close(t.stop)
	<-t.done
}

func (t *tally) flush() {
	t.mu.Lock()
	counts, refusals := t.counts, t.refusals
	t.counts, t.refusals = map[count]int64{}, nil
	seen := maps.Clone(t.seen)
	t.mu.Unlock()
	if len(counts) == 0 && len(refusals) == 0 && len(seen) == 0 {
		return
	}
	err := t.store.writer.apply(context.Background(), 0, func(tx *tx) error {
		for c, n := range counts {
			if err := tx.exec(`INSERT INTO tallies (minute, shop, kind, n) VALUES ($1, $2, $3, $4)
				ON CONFLICT (minute, shop, kind) DO UPDATE SET n = n + excluded.n`, c.minute, c.shop, c.kind, n); err != nil {
				return err
			}
		}
		for _, r := range refusals {
			if err := tx.exec(`INSERT INTO refusals (at, shop, topic, remote, status, reason) VALUES ($1, $2, $3, $4, $5, $6)`,
				micros(r.At), r.Shop, r.Topic, r.Remote, r.Status, r.Reason); err != nil {
				return err
			}
		}
		for session, at := range seen {
			if err := tx.exec(`UPDATE sessions SET seen_at = max(seen_at, $1) WHERE id = $2`, micros(at), session); err != nil {
				return err
			}
		}
		return tx.exec(`DELETE FROM refusals WHERE id <= (SELECT max(id) FROM refusals) - $1`, keptRefusals)
	})
	if err != nil {
		t.store.log.Warn("counts of the last second could not be kept; tried again", "err", err)
		t.putBack(counts, refusals)
		return
	}
	t.wrote(seen)
}

// putBack has what could not be written, as on a full disk, written with what
// comes next.
func (t *tally) putBack(counts map[count]int64, refusals []Refusal) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for c, n := range counts {
		t.counts[c] += n
	}
	refusals = append(refusals, t.refusals...)
	t.refusals = refusals[max(0, len(refusals)-keptRefusals):]
}

// wrote forgets what is written now, unless a session was heard of again.
func (t *tally) wrote(seen map[int64]time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	maps.DeleteFunc(t.seen, func(session int64, at time.Time) bool { return at.Equal(seen[session]) })
}

// ForgetCounts drops the counts of minutes, and those of hours that make a shop's
// habit, from before a moment.
func (s *Store) ForgetCounts(ctx context.Context, before time.Time) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := t.exec(`DELETE FROM tallies WHERE minute < $1`, micros(before)); err != nil {
			return err
		}
		return t.exec(`DELETE FROM habits WHERE shop IN (SELECT shop FROM shops) AND hour < $1`, micros(before))
	})
}

// Refusals lists the newest refusals.
func (s *Store) Refusals(ctx context.Context, limit int) ([]Refusal, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT id, at, shop, topic, remote, status, reason FROM refusals ORDER BY id DESC LIMIT $1`, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Refusal
	for rows.Next() {
		var r Refusal
		var at int64
		if err := rows.Scan(&r.ID, &at, &r.Shop, &r.Topic, &r.Remote, &r.Status, &r.Reason); err != nil {
			return nil, err
		}
		r.At = timeOf(at)
		all = append(all, r)
	}
	return all, rows.Err()
}

// RefusedBetween says whether the door turned a request away that claimed to
// come from this shop's domain.
func (s *Store) RefusedBetween(ctx context.Context, domain string, from, to time.Time) (yes bool, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM refusals WHERE shop = $1 AND at >= $2 AND at < $3)`, domain, micros(from), micros(to)).Scan(&yes)
	return yes, err
}

// HeardBetween says whether any webhook was stored between two moments, so that
// Gapless was there to hear.
func (s *Store) HeardBetween(ctx context.Context, from, to time.Time) (yes bool, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM events WHERE source = 'webhook' AND received_at >= $1 AND received_at < $2)`, micros(from), micros(to)).Scan(&yes)
	return yes, err
}

// Counted sums what was counted of one kind since a moment, over all shops.
func (s *Store) Counted(ctx context.Context, kind string, since time.Time) (n int64, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT coalesce(sum(n), 0) FROM tallies WHERE minute >= $1 AND kind = $2`, micros(since), kind).Scan(&n)
	return n, err
}

// WebhookHealth is how a shop's webhooks fared between two moments.
type WebhookHealth struct {
	Received   int64
	Duplicates int64
	Refused    int64 // of all shops: a request that is turned away only claims its shop
	Late       int64
	LagP50     time.Duration
	LagP99     time.Duration
}

// WebhookHealth counts a shop's webhooks received in [from, to), those that took
// longer than late, and their lag.
func (s *Store) WebhookHealth(ctx context.Context, shop string, from, to time.Time, late time.Duration) (WebhookHealth, error) {
	var h WebhookHealth
	err := s.readers.QueryRowContext(ctx, `SELECT
			coalesce((SELECT sum(n) FROM tallies WHERE minute >= $1 AND minute < $2 AND kind = 'duplicate' AND shop = $3), 0),
			coalesce((SELECT sum(n) FROM tallies WHERE minute >= $1 AND minute < $2 AND kind = 'refused'), 0)`,
		micros(from), micros(to), shop).Scan(&h.Duplicates, &h.Refused)
	if err != nil {
		return h, fmt.Errorf("count webhooks: %w", err)
	}
	rows, err := s.readers.QueryContext(ctx, `SELECT received_at - triggered_at, triggered_at FROM events
		WHERE source = 'webhook' AND received_at >= $1 AND received_at < $2 AND shop = $3`, micros(from), micros(to), shop)
	if err != nil {
		return h, fmt.Errorf("read the lag of webhooks: %w", err)
	}
	defer rows.Close()
	var lags []int64
	for rows.Next() {
		var lag, triggered int64
		if err := rows.Scan(&lag, &triggered); err != nil {
			return h, err
		}
		h.Received++
		if triggered == 0 {
			continue
		}
		lags = append(lags, lag)
		if lag > late.Microseconds() {
			h.Late++
		}
	}
	slices.Sort(lags)
	h.LagP50, h.LagP99 = percentile(lags, 50), percentile(lags, 99)
	return h, rows.Err()
}
