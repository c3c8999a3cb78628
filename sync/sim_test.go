package ordersync

import (
	"flag"
	"os"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"testing"
)

var (
	simSeed  = flag.Uint64("seed", 0, "play this one world and tell all that happens in it")
	simSeeds = flag.Uint64("seeds", 300, "worlds to play")
	simFrom  = flag.Uint64("from", 1, "the first of them")
)

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

// TestSim plays many worlds.
func TestSim(t *testing.T) {
	if *simSeed != 0 {
		w := play(t, *simSeed, func(line string) { t.Log(line) })
		if w.failure != "" {
			t.Fatal(w.failure)
		}
		return
	}
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // worlds are small and short
	var next, failed atomic.Uint64
	next.Store(*simFrom)
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for {
				seed := next.Add(1) - 1
				if seed >= *simFrom+*simSeeds || failed.Load() > 12 {
					return
				}
				if w := play(t, seed, nil); w.failure != "" {
					failed.Add(1)
					t.Errorf("world %d: %s", seed, w.failure)
				}
			}
		})
	}
	wg.Wait()
}
