package shopifytest

import (
	"cmp"
	"math/rand/v2"
	"time"
)

// Faults says how often webhook delivery goes wrong. Each number is a
// probability between 0 and 1; the zero value delivers everything well.
type Faults struct {
	Drop    float64 // never sent, and nobody says so
	Repeat  float64 // sent twice with one webhook id
	Twin    float64 // sent twice with two webhook ids and one event id, as by two subscriptions
	Delay   float64 // held back for up to MaxDelay
	Reorder float64 // held back just long enough to be overtaken
	Corrupt float64 // signed wrongly at first
	// CorruptLost is the share of the corrupt ones that are never sent again;
	// the others are retried with the right signature.
	CorruptLost float64
	Stale       float64 // with a change, the order as it was before comes again, late
	NewID       float64 // a retry comes under a new webhook id

	MaxDelay time.Duration // default 15 min
}

const (
	defaultMaxDelay = 15 * time.Minute
	reorderWindow   = 5 * time.Second
)

// SetFaults lets other faults meet the webhooks of what happens from now on.
func (s *Shop) SetFaults(f Faults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.MaxDelay = cmp.Or(f.MaxDelay, defaultMaxDelay)
	s.sender.dice.Faults = f
}

// dice draws faults. It has its own stream, so that the same orders come with
// and without faults.
type dice struct {
	*rand.Rand
	Faults
}

func newDice(opt Options) dice {
	d := dice{rand.New(rand.NewPCG(opt.Seed, 3)), opt.Faults}
	d.MaxDelay = cmp.Or(d.MaxDelay, defaultMaxDelay)
	return d
}

func (d dice) hit(probability float64) bool { return probability > 0 && d.Float64() < probability }

// within is a wait of at least a millisecond.
func (d dice) within(most time.Duration) time.Duration {
	return time.Millisecond + time.Duration(d.Int64N(int64(max(most, time.Millisecond))))
}

// uuid is a random version 4 UUID.
func (d dice) uuid() string {
	const hex = "0123456789abcdef"
	id := []byte("xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx")
	for i, c := range id {
		switch c {
		case 'x':
			id[i] = hex[d.IntN(16)]
		case 'y':
			id[i] = hex[8+d.IntN(4)]
		}
	}
	return string(id)
}
