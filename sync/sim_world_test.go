package ordersync

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"
)

// world is one simulated world: shops, an ERP, a network, people, a clock, and a
// Gapless in the middle of it, all driven by one source of chance. See
// docs/simulation.md.
type world struct {
	seed uint64
	rand *rand.Rand
	mix  mix
	dir  string

	now      time.Time     // as shops and ERP have it
	skew     time.Duration // Gapless's clock is ahead by it
	wasAhead bool          // it was, at some time
	clockSet bool          // it was set, in whatever way
	future   future
	planned  int
	happened int
	tasks    []*task
	current  *task
	back     chan struct{} // the baton comes back
	strike   func()        // what befalls the process once the task at hand has stopped

	shops  []*mall
	books  *books
	proc   *process
	rules  []int // of the rule book, those in force
	copies []backup
	calm   bool // faults have stopped
	memory
	people

	trace
	met     map[pair]int
	taken   map[string]int // steps
	failure string
}

// Bounds of a world. What takes longest to converge is a document that somebody
// deleted in an ERP of tier C: over an hour of probes, then a person, then up to an
// hour in which the new one does not show, then the next look at its gaps.
const (
	chaosSteps = 40_000 // happenings; more is a loop
	calmTime   = 5 * time.Hour
)

// newWorld is the world of a seed, with everything in place and nothing begun.
func newWorld(seed uint64, dir string) *world {
	w := &world{
		seed: seed, rand: rand.New(rand.NewPCG(seed, 0)), dir: dir,
		back: make(chan struct{}), met: map[pair]int{}, taken: map[string]int{}, memory: newMemory(), people: people{looked: map[string]int{}, unverified: map[string]bool{}}, trace: newTrace(),
	}
	w.mix = drawMix(w.rand)
	w.mix.aims = append(w.mix.aims, rareAim(seed, w.mix.start))
	w.now = w.mix.start
	w.note("world %d: %s", seed, w.mix)
	w.rules = w.mix.rules
	w.books = openBooks(w)
	for i := range w.mix.shops {
		w.shops = append(w.shops, openMall(w, i))
	}
	w.placedBefore()
	for _, m := range w.shops {
		m.subscribe()
	}
	return w
}

// live plays a world to its end: faults and changes for a while, then calm.
func (w *world) live() {
	defer w.close()
	w.begin()
	chaos := w.now.Add(w.mix.span)
	for range w.mix.acts {
		w.in(w.upTo(w.mix.span), w.act)
	}
	w.in(w.upTo(w.mix.span), w.backup) // of the day
	w.until(chaos, w.loops)
	if zone := w.shops[0].zone; w.mix.start.In(zone).IsDST() != w.now.In(zone).IsDST() {
		w.meets("a night in which clocks change", "any")
	}
	w.calmDown()
	if w.failure == "" && !w.until(w.now.Add(calmTime), w.converged) && w.failure == "" {
		w.fail("13: not converged within %s: %s", calmTime, w.unrest())
	}
	w.judge()
	w.audit()
	w.aftermath()
}

// loops fails a world that goes round and round.
func (w *world) loops() bool {
	if w.happened > chaosSteps {
		w.fail("13: still at it after %d happenings", w.happened)
	}
	return false
}

// begin starts Gapless over an empty store, and lets it subscribe and look at
// each shop once: orders that are older than the first poll come by backfill.
func (w *world) begin() {
	w.calm = true
	path := filepath.Join(w.dir, "gapless.db")
	if err := os.WriteFile(path, emptyStore(), 0o600); err != nil {
		panic(err)
	}
	w.boot(path)
	ready := func() bool { return w.proc.rounds("poll") > 0 && w.proc.rounds("subscribe") != 0 }
	if !w.until(w.now.Add(time.Hour), ready) {
		w.fail("13: it does not start")
	}
	w.calm = false
}

// close ends whatever is still under way.
func (w *world) close() {
	for _, t := range append([]*task(nil), w.tasks...) {
		w.give(t, false)
	}
	if !w.proc.dead {
		w.proc.dead = true
		w.proc.shut()
	}
}

// clock is what Gapless's clock shows.
func (w *world) clock() time.Time { return w.now.Add(w.skew) }

// steady is what Gapless has of time beside that.
func (w *world) steady() time.Duration { return w.now.Sub(w.mix.start) }

// chance is true with probability p.
func (w *world) chance(p float64) bool { return p > 0 && w.rand.Float64() < p }

// upTo draws from [0, d].
func (w *world) upTo(d time.Duration) time.Duration { return w.between(0, d) }

// between draws from [least, most].
func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.rand.Int64N(int64(most-least)+1)).Truncate(time.Microsecond)
}

// one draws one of all.
func one[T any](r *rand.Rand, all []T) T { return all[r.IntN(len(all))] }
