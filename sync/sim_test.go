package ordersync

import (
	"flag"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

var (
	simSeed  = flag.Uint64("seed", 0, "play this one world and tell all that happens in it")
	simSeeds = flag.Uint64("seeds", 20, "worlds to play")
	simFrom  = flag.Uint64("from", 1, "the first of them")
	simStop  = flag.Bool("stop", false, "stop at the first world that fails, and ask for no cover")
)

// long is a run of so many worlds that every pair of fault and step must meet.
const long = 5000

// TestSim plays many worlds, each of a seed of its own.
func TestSim(t *testing.T) {
	if *simSeed != 0 {
		if w := play(t, *simSeed, func(line string) { t.Log(line) }); w.failure != "" {
			t.Fatal(w.failure)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are small and short
	var next, failed, lines atomic.Uint64
	next.Store(*simFrom)
	var wg sync.WaitGroup
	c := cover{met: map[pair]int{}, steps: map[string]int{}}
	begin := time.Now()
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for failed.Load() < 10 && !(*simStop && failed.Load() > 0) {
				seed := next.Add(1) - 1
				if seed >= *simFrom+*simSeeds {
					return
				}
				w := play(t, seed, nil)
				lines.Add(uint64(w.lines))
				if c.add(w); w.failure != "" {
					failed.Add(1)
					t.Errorf("world %d: %s\nit ends:\n%s\nsee all of it with: go test ./sync -run 'TestSim$' -seed %d -v", seed, w.failure, w.ending(), seed)
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%.1f worlds a second, %d events in each", float64(*simSeeds)/time.Since(begin).Seconds(), lines.Load() / *simSeeds)
	if !*simStop {
		c.check(t, *simSeeds)
	}
}

// TestSimReplays plays worlds twice: the same seed gives the same account, to
// the byte.
func TestSimReplays(t *testing.T) {
	for seed := uint64(1); seed <= 5; seed++ {
		first, second := play(t, seed, nil), play(t, seed, nil)
		if first.sum.Sum64() != second.sum.Sum64() {
			t.Errorf("world %d: two runs differ; one ends\n%s\nthe other\n%s", seed, first.ending(), second.ending())
		}
	}
}

// play plays the world of a seed to its end.
func play(t testing.TB, seed uint64, loud func(string)) *world {
	dir, err := os.MkdirTemp(memoryDir(), "gapless-sim")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	w := newWorld(seed, dir)
	w.loud = loud
	w.live()
	return w
}

// memoryDir is a folder in memory, where the machine has one.
func memoryDir() string {
	if _, err := os.Stat("/dev/shm"); err == nil {
		return "/dev/shm"
	}
	return ""
}
