package shopify

import (
	"context"
	"sync"
	"time"
)

// Priority says who goes first when Shopify's rate limit is short.
type Priority int

const (
	Refetch   Priority = iota // an order that a webhook or a person waits for
	Heal                      // an order that closes a gap
	Poll                      // what changed lately
	Reconcile                 // comparing both ends
	Backfill                  // orders of the past
)

// headroom is the share of the bucket that a priority leaves untouched for
// those above it.
var headroom = [...]float64{Refetch: 0, Heal: 0.1, Poll: 0.2, Reconcile: 0.35, Backfill: 0.5}

// throttleStatus is extensions.cost.throttleStatus of an answer: the shop's
// bucket of cost points. Its size depends on the plan, so nothing is assumed.
type throttleStatus struct {
	MaximumAvailable   float64 `json:"maximumAvailable"`
	CurrentlyAvailable float64 `json:"currentlyAvailable"`
	RestoreRate        float64 `json:"restoreRate"` // points a second
}

// budget paces the queries to one shop by what Shopify said last. Until it has
// said anything, every query may go.
type budget struct {
	now  func() time.Time
	wait func(context.Context, time.Duration) error

	mu      sync.Mutex
	status  throttleStatus
	at      time.Time          // when status was told
	costs   map[string]float64 // requested cost of each document, as last told
	pending float64            // cost of the queries under way
}

// take waits until a query of this document may go at this priority, and
// reserves its cost, which the caller gives back with settle.
func (b *budget) take(ctx context.Context, name string, p Priority) (cost float64, err error) {
	for {
		if err := ctx.Err(); err != nil {
			return 0, err
		}
		cost, short := b.tryTake(name, p)
		if short == 0 {
			return cost, nil
		}
		if err := b.wait(ctx, short); err != nil {
			return 0, err
		}
	}
}

// tryTake reserves the cost, or says how long the bucket needs to fill up.
func (b *budget) tryTake(name string, p Priority) (cost float64, short time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	cost = b.costs[name]
	if b.status.MaximumAvailable > 0 {
		need := min(cost+headroom[p]*b.status.MaximumAvailable, b.status.MaximumAvailable)
		if missing := need - b.available(); missing > 0 {
			return 0, refill(missing, b.status.RestoreRate)
		}
	}
	b.pending += cost
	return cost, 0
}

// available is what the bucket should hold now, less what is under way.
func (b *budget) available() float64 {
	if now := b.now(); now.Before(b.at) { // the clock was set back
		b.at = now
	}
	restored := b.status.RestoreRate * b.now().Sub(b.at).Seconds()
	return min(b.status.CurrentlyAvailable+restored, b.status.MaximumAvailable) - b.pending
}

// refill is the time in which points come back at rate a second: at least a
// tick, so that rounding never makes a loop spin, and at most a minute.
func refill(points, rate float64) time.Duration {
	const tick, long = 50 * time.Millisecond, time.Minute
	if rate <= 0 {
		return time.Second
	}
	seconds := min(points/rate, long.Seconds())
	return max(tick, time.Duration(seconds*float64(time.Second)))
}

// settle gives back a reservation and takes over what the answer told; told is
// nil where there was no answer.
func (b *budget) settle(name string, reserved float64, told *queryCost) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pending -= reserved
	if told == nil {
		return
	}
	if told.Requested > 0 {
		b.costs[name] = told.Requested
	}
	if told.Status.MaximumAvailable > 0 {
		b.status, b.at = told.Status, b.now()
	}
}
