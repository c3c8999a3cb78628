package ordersync

import (
	"sync"
	"time"
)

// CircuitConfig says when an ERP counts as down.
type CircuitConfig struct {
	Failures int           // in a row, on at least two orders; 0: five
	Pause    time.Duration // before the first probe; doubles up to ten times itself
}

// circuit stops the attempts on an ERP that is down, and sends one probe at a
// time until it is back:
//
//	closed ──Failures in a row──► open ──pause over──► probing ──success──► closed
//	                               ▲                      │
//	                               └───────failure────────┘
type circuit struct {
	cfg    CircuitConfig
	jitter func(time.Duration) time.Duration

	mu       sync.Mutex
	failures int
	orders   map[string]struct{} // that failed in this row
	openedN  int                 // times in a row that it opened
	until    time.Time           // zero: closed
	reason   string
}

func newCircuit(cfg CircuitConfig, jitter func(time.Duration) time.Duration) *circuit {
	if cfg.Failures == 0 {
		cfg.Failures = 5
	}
	if cfg.Pause == 0 {
		cfg.Pause = 30 * time.Second
	}
	return &circuit{cfg: cfg, jitter: jitter, orders: map[string]struct{}{}}
}

// admits says how many of want new attempts may start, with running under way;
// if none, how long to wait.
func (c *circuit) admits(now time.Time, want, running int) (n int, wait time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.IsZero() {
		return want, time.Second
	}
	if now.Before(c.until) {
		return 0, c.until.Sub(now)
	}
	if running > 0 {
		return 0, time.Second
	}
	return min(want, 1), 0
}

// succeeded notes an answer that shows the ERP at work: a refusal is one too.
// It says whether the circuit was open.
func (c *circuit) succeeded() (reopened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	reopened = !c.until.IsZero()
	c.failures, c.openedN, c.until, c.reason = 0, 0, time.Time{}, ""
	clear(c.orders)
	return reopened
}

// failed notes a temporary failure, and says whether the circuit opened by it.
func (c *circuit) failed(now time.Time, order, reason string, after time.Duration) (opened bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.failures++
	c.orders[order] = struct{}{}
	probing := !c.until.IsZero()
	if probing && now.Before(c.until) {
		return false // it left before the circuit opened, and tells nothing new
	}
	// One order that fails alone is that order's trouble; its own backoff paces it.
	if !probing && (c.failures < c.cfg.Failures || len(c.orders) < 2) {
		return false
	}
	pause := min(c.cfg.Pause<<min(c.openedN, 4), 10*c.cfg.Pause)
	c.openedN++
	c.until = now.Add(max(pause/2+c.jitter(pause/2), after))
	c.reason = reason
	return !probing
}

// state tells until when the circuit is open, and why; the zero time: closed.
func (c *circuit) state() (until time.Time, reason string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.until, c.reason
}
