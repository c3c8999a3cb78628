//go:build linux

package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// On a machine that others use too, a turn counts only if they left it alone.
const (
	othersMost = 0.1 // of all processors' time
	turnsMost  = 12  // then the last one is taken as it is
)

var disturbed int // turns that were taken as they were

// turn is one drive of p, repeated until it was not disturbed.
func turn(b *testing.B, post poster, p *process, pool []webhook, n int, d time.Duration) (l load) {
	b.Helper()
	for range turnsMost {
		others, spent := p.others(b), p.processor(b)
		began := time.Now()
		l = drive(b, post, p.address, pool, n, d)
		took := time.Since(began).Seconds() * float64(runtime.NumCPU())
		l.cost = (p.processor(b) - spent) / time.Duration(l.n)
		if (p.others(b)-others)/took < othersMost {
			return l
		}
	}
	disturbed++
	return l
}

// others is how many seconds of processor time the machine has spent on
// programs other than p and this one.
func (p *process) others(b *testing.B) float64 {
	b.Helper()
	all := fields(b, "/proc/stat")
	user, nice, system, steal := all[1], all[2], all[3], all[8]
	return (number(user)+number(nice)+number(system)+number(steal))/hertz - p.processor(b).Seconds() - processor(b).Seconds()
}

const hertz = 100 // of the kernel's counters

// processor is how much processor time p has spent.
func (p *process) processor(b *testing.B) time.Duration {
	b.Helper()
	its := fields(b, fmt.Sprintf("/proc/%d/stat", p.Process.Pid))
	return time.Duration((number(its[13]) + number(its[14])) / hertz * float64(time.Second))
}

// processor is how much processor time this program has spent.
func processor(b *testing.B) time.Duration {
	b.Helper()
	var own syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &own); err != nil {
		b.Fatal(err)
	}
	return time.Duration(own.Utime.Nano() + own.Stime.Nano())
}

func fields(b *testing.B, file string) []string {
	b.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		b.Fatal(err)
	}
	return strings.Fields(string(text))
}

func number(s string) (n float64) {
	fmt.Sscan(s, &n)
	return n
}
