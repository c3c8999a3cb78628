package ordersync

import (
	"sync"
	"time"
)

// clock tells a test's time.
type clock struct {
	mu    sync.Mutex
	at    time.Time // what it told at since
	since time.Time
	speed float64 // of the clock against real time
	leapt time.Duration
}

var epoch = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// still is a clock that moves only by hand.
func still() *clock { return &clock{at: epoch} }

// fast is a clock that runs faster than real time.
func fast(speed float64) *clock { return &clock{at: epoch, since: time.Now(), speed: speed} }

// Now is the clock's time.
func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.speed == 0 {
		return c.at
	}
	return c.at.Add(time.Duration(c.speed * float64(time.Since(c.since))))
}

// Steady is what a clock shows that nobody sets, beside one that stands still.
func (c *clock) Steady() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at.Sub(epoch) - c.leapt
}

// leap sets the clock.
func (c *clock) leap(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(by)
	c.leapt += by
}

// pass moves the clock on.
func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
