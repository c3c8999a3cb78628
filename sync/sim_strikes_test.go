package ordersync

import (
	"context"
	"slices"
	"time"

	"gapless/store"
)

// What may befall Gapless's process at each of its steps.
const (
	crash     = "crash"
	stop      = "stop"
	pause     = "pause"       // of the whole process
	stall     = "stall"       // of the one task, past its lease
	ahead     = "clock ahead" // it jumps
	behind    = "clock back"
	farthest  = time.Hour // that clocks are wrong
	longStall = 6 * time.Minute
)

var processTroubles = []trouble{{name: crash}, {name: stop}, {name: pause}, {name: stall}, {name: ahead}, {name: behind}}

// moment is where a task stands with a step.
type moment string

const (
	before moment = "before "
	during moment = "during " // a request has left, and its answer is awaited
	after  moment = "after "
)

// deeds is what the world knows of a task.
type deeds struct {
	claim     *store.Claim // of an attempt
	about     string       // the reference that it asked the ERP about last
	began     time.Time    // its last call, intent included
	disturbed bool         // it was paused: its lease may be over
	revoked   bool         // its lease was ended while it was at work, by a redaction
	names     bool         // what it has in hand names somebody who was forgotten since
	before    store.Delivery
	settled   bool
	refused   bool           // the ERP has said no to its document
	toldWait  time.Duration  // the longest that an answer asked it to wait
	asks      *store.Refetch // of a fetch: what it is to answer
	doubts    int64          // how often that was asked for, right before its write
	searched  search         // what it asked a shop for last
}

// search is for a shop's changes from some moment on.
type search struct {
	shop string
	from time.Time
}

// reach is called by a task at each of its steps. Here the process is struck, and
// here others get their turn.
func (t *task) reach(when moment, step string) {
	if t.dying {
		return
	}
	t.taken[step]++
	what := t.struck(when, step)
	if what != "" {
		t.meets(what, string(when)+step)
		t.note("%s: %s %s%s", t.name, what, when, step)
	}
	switch what {
	case crash:
		t.strike = t.world.crash
		t.park()
	case stop:
		t.strike = func() { t.halt(t.restart) }
		t.sleep(0)
	case pause:
		t.proc.asleep = t.now.Add(t.between(time.Second, 20*time.Minute))
		t.disturb()
		t.sleep(0)
	case stall:
		t.disturbed = true
		long := t.between(time.Second, longStall)
		t.meddle(t.concerns(), long)
		t.sleep(long)
	case ahead:
		t.jump(1)
	case behind:
		t.jump(-1)
	}
	if t.chance(0.3) {
		t.sleep(t.upTo(5 * time.Millisecond))
	}
}

// struck draws what befalls the process here.
func (t *task) struck(when moment, step string) string {
	if t.calm || t.proc == nil || !t.up() {
		return ""
	}
	for i, a := range t.mix.aims {
		if a.step == step && a.when == when && !t.now.Before(a.from) {
			t.mix.aims = append(t.mix.aims[:i], t.mix.aims[i+1:]...)
			return a.fault
		}
	}
	what := t.mix.process.draw(t.rand, trouble{}).name
	for range 8 {
		if what == "" && slices.Contains(perilousSteps, step) {
			what = t.mix.process.draw(t.rand, trouble{}).name
		}
	}
	return what
}

// restart starts again after a while.
func (w *world) restart(path string) { w.in(w.downtime(), func() { w.boot(path) }) }

// jump sets Gapless's clock.
func (w *world) jump(sign time.Duration) {
	by := w.between(time.Second, farthest)
	w.setClock(min(max(w.skew+sign*by, -farthest), farthest))
}

func (w *world) setClock(skew time.Duration) {
	w.clockSet = true
	w.skew = skew
	w.wasAhead = w.wasAhead || skew > 0
	w.note("the clock is %s off", skew)
	w.proc.engine.now() // it looks every second
	for _, c := range w.proc.cycles {
		c.due(0)
	}
}

// expired is what ends a call before it leaves: its context, or that it has
// waited too long.
func (t *task) expired(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if t.left() <= 0 {
		return context.DeadlineExceeded
	}
	return nil
}

// disturb notes that leases of attempts under way may run out early.
func (w *world) disturb() {
	for _, t := range w.tasks {
		t.disturbed = true
	}
}

// left is how long the call of a task may still take.
func (t *task) left() time.Duration {
	if t.began.IsZero() {
		return patience
	}
	return min(patience, t.began.Add(attemptTime).Sub(t.now))
}
