package ordersync

import (
	"sync"
	"time"
)

// elapsed tells how much time has surely passed. The clock alone does not: it may be
// set, and after a machine slept it is ahead, while a request of ours still waits to
// leave, or is on its way. By that no lease of an attempt may seem to be over, and no
// late effect of a call to be past.
type elapsed struct {
	read func() (now time.Time, at time.Duration) // the clock, and one that nobody sets

	mu     sync.Mutex
	origin time.Time     // what the clock would have shown when at was zero, had it gone as it goes now
	looked time.Duration // at the last look
	leaps  []leap        // the newest ones, oldest first; at least one
	shown  time.Time     // by the clock, when the newest one was noticed
	back   time.Duration // by which it was set back, and setBack has not told
}

// leap is that the clock went another way than time. The first one is the start: what
// happened to the clock before nobody knows.
type leap struct {
	to time.Time     // what was earlier, by the clock, counts as before the leap
	by time.Duration // ahead, or back
	at time.Duration // when it was noticed
}

const (
	// unnoticed is by how much the clock may be off before that is a leap.
	unnoticed = time.Second
	// mostLeaps are remembered. Then all counts as before the last one.
	mostLeaps = 100
)

// newElapsed begins now or, beside an engine that has long run, when that one began.
func newElapsed(clock func() time.Time, steady func() time.Duration, began time.Time) *elapsed {
	first := clock()
	read := func() (time.Time, time.Duration) {
		now := clock()
		return now, now.Sub(first) // by the monotonic clock, where the times carry it
	}
	if steady != nil {
		read = func() (time.Time, time.Duration) { return clock(), steady() }
	}
	now, at := read()
	now = now.Round(0)
	if began.IsZero() {
		began = now
	}
	start := earlier(began, now)
	return &elapsed{read: read, origin: now.Add(-at), looked: at, leaps: []leap{{to: start, at: at - now.Sub(start)}}, shown: start}
}

// now is what the clock shows. The oftener it is asked the better leaps are known.
func (e *elapsed) now() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, _ := e.look()
	return now
}

// steady is what the clock shows that nobody sets. It may stand still while the machine
// sleeps.
func (e *elapsed) steady() time.Duration {
	_, at := e.read()
	return at
}

// look tells both times, and notes a leap of the clock since the last look.
func (e *elapsed) look() (now time.Time, at time.Duration) {
	now, at = e.read()
	shown := now.Round(0)
	by, gap := shown.Sub(e.origin)-at, at-e.looked
	e.looked = at
	if by.Abs() >= unnoticed {
		e.origin = e.origin.Add(by)
		e.leapt(leap{to: shown, by: by, at: at}, gap)
	}
	return now, at
}

// leapt adds a leap that came at some moment of the gap before it was noticed. Where
// the clock showed the same before and after a leap, what makes waits longer holds.
func (e *elapsed) leapt(l leap, gap time.Duration) {
	e.shown = l.to
	e.back += max(0, -l.by)
	firstAfter := e.shown.Add(-gap - unnoticed)
	for i, older := range e.leaps {
		most := e.shown
		if older.by < 0 {
			most = firstAfter
		}
		e.leaps[i].to = earlier(older.to, most)
	}
	if len(e.leaps) == mostLeaps {
		for _, older := range e.leaps {
			l.by += max(0, older.by) // for overBy
		}
		e.leaps = []leap{l}
		return
	}
	l.to = firstAfter
	if lastBefore := e.shown.Add(2*unnoticed - l.by); l.by > 0 {
		l.to = later(firstAfter, lastBefore)
	}
	e.leaps = append(e.leaps, l)
}

// since is how much time has surely passed since the clock showed t. It may be less
// than the truth for what was before the newest leap, or the start; what passed since
// then counts in any case.
func (e *elapsed) since(t time.Time) time.Duration {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, at := e.look()
	counted := later(t, e.leaps[0].to)
	passed := now.Sub(counted)
	for _, l := range e.leaps[1:] {
		if counted.Before(l.to) {
			passed -= l.by
		}
	}
	if t.Before(e.shown) || t.After(now.Add(2*unnoticed)) {
		passed = max(passed, at-e.leaps[len(e.leaps)-1].at)
	}
	return passed
}

// overBy is the latest time for which this holds: what was to end by then, and to take
// no longer than lease, has surely ended.
func (e *elapsed) overBy(lease time.Duration) time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	now, at := e.look()
	over := now
	for _, l := range e.leaps {
		if at-l.at <= lease {
			over = over.Add(-max(0, l.by))
		}
	}
	return over
}

// setBack tells by how much the clock was set back since it last told that well.
func (e *elapsed) setBack(tell func(by time.Duration) error) error {
	e.mu.Lock()
	e.look()
	by := e.back
	e.mu.Unlock()
	if by == 0 {
		return nil
	}
	if err := tell(by); err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.back -= by
	return nil
}
