package ui

import (
	"context"
	"sync"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/time/rate"
)

// throttle slows guessing down, by name and by address, with delays that grow.
// A person where they have logged in before is another matter: others' guesses
// must not keep them out. Their attempts wait in line and are tried, each of
// them, as long as the line is short.
type throttle struct {
	now  func() time.Time
	wait func(context.Context, time.Duration) error

	mu      sync.Mutex
	guessed *lru.Cache[string, guesses]
	lines   *lru.Cache[string, *rate.Limiter]
}

// guesses are the attempts by a name, or from an address, that have not
// succeeded.
type guesses struct {
	n    int
	last time.Time
}

// What is free, and how it grows. An address may be a whole office's.
const (
	freeByName    = 5
	freeByAddress = 20
	longestDelay  = 15 * time.Minute
	forgetAfter   = 24 * time.Hour
	remembered    = 10_000 // names and addresses

	lineEvery   = 10 * time.Second // one attempt of the line
	lineAtOnce  = 10               // after a rest
	longestLine = 25 * time.Second // a request must be answered in time
)

func newThrottle(now func() time.Time, wait func(context.Context, time.Duration) error) *throttle {
	guessed, err := lru.New[string, guesses](remembered)
	if err != nil {
		panic(err) // the size is a constant
	}
	lines, err := lru.New[string, *rate.Limiter](remembered)
	if err != nil {
		panic(err) // as above
	}
	return &throttle{now: now, wait: wait, guessed: guessed, lines: lines}
}

func byName(name string) string       { return "name " + name }
func byAddress(address string) string { return "address " + address }
func place(name, address string) string {
	return name + " at " + address
}

// enter lets one attempt through, or says how long there is none. An attempt
// counts as a wrong guess until it is forgiven, so that many at once are many.
func (t *throttle) enter(name, address string) (retry time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	retry = max(t.left(byName(name), freeByName, now), t.left(byAddress(address), freeByAddress, now))
	if retry > 0 {
		return retry
	}
	for _, key := range []string{byName(name), byAddress(address)} {
		g, _ := t.guessed.Get(key)
		if now.Sub(g.last) > forgetAfter {
			g.n = 0
		}
		t.guessed.Add(key, guesses{g.n + 1, now})
	}
	return 0
}

// left is how long the next attempt of a key has to wait.
func (t *throttle) left(key string, free int, now time.Time) time.Duration {
	g, _ := t.guessed.Get(key)
	if g.n < free {
		return 0
	}
	delay := longestDelay
	if over := g.n - free; over < 10 {
		delay = min(longestDelay, time.Second<<over)
	}
	return delay - now.Sub(g.last)
}

// enterKnown lets an attempt through where that person has logged in before. It
// waits for its turn; a line that is too long is told as with enter.
func (t *throttle) enterKnown(ctx context.Context, name, address string) (retry time.Duration, err error) {
	now := t.now()
	turn := t.line(name, address).ReserveN(now, 1)
	delay := turn.DelayFrom(now)
	if delay > longestLine {
		turn.CancelAt(now)
		return delay - longestLine, nil
	}
	if delay == 0 {
		return 0, nil
	}
	return 0, t.wait(ctx, delay)
}

func (t *throttle) line(name, address string) *rate.Limiter {
	t.mu.Lock()
	defer t.mu.Unlock()
	key := place(name, address)
	line, ok := t.lines.Get(key)
	if !ok {
		line = rate.NewLimiter(rate.Every(lineEvery), lineAtOnce)
		t.lines.Add(key, line)
	}
	return line
}

// leaveLine lets those behind an attempt that succeeded move up.
func (t *throttle) leaveLine(name, address string) {
	t.lines.Remove(place(name, address))
}

// forgive follows a right password. An address keeps what others guessed from it.
func (t *throttle) forgive(name, address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.guessed.Remove(byName(name))
	t.leaveLine(name, address)
}

// takeBack takes back what enter has counted for an attempt that was right.
func (t *throttle) takeBack(address string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g, ok := t.guessed.Get(byAddress(address)); ok && g.n > 0 {
		t.guessed.Add(byAddress(address), guesses{g.n - 1, g.last})
	}
}
