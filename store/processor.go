package store

import (
	"os"
	"runtime"
)

// SpareProcessor lets Go run on one processor more than the machine has, unless
// GOMAXPROCS in the environment says on how many. The writer waits for the disk
// much of the time, in a call that keeps its processor until the runtime notices,
// which may take 10 ms: on a small machine that is half of what could answer
// requests meanwhile. For a program that starts to serve; it is for all of it.
func SpareProcessor() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
}
