package bench

import (
	"cmp"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	rounds      = flag.Int("rounds", 5, "how often each server has its turn")
	span        = flag.Duration("span", 2*time.Second, "how long a turn is")
	connections = []int{1, 16, 64, 256}
)

// BenchmarkIntake posts orders to four servers in turn: one that stores
// nothing, one that appends to a bare file, Gapless, and one that inserts once
// a request. It runs for minutes, once, whatever -benchtime says.
func BenchmarkIntake(b *testing.B) {
	names := []string{"ceiling", "file", "gapless", "insert"}
	pool := webhooks(b, 256)
	processes := map[string]*process{}
	for _, name := range names {
		processes[name] = start(b, name)
	}
	for _, p := range processes {
		drive(b, p.address, pool, 64, *span/4) // warm
	}
	type cell struct {
		name string
		n    int
	}
	loads := map[cell][]load{}
	var bare []time.Duration
	for range *rounds {
		bare = append(bare, bareInserts(b, pool, *span/2))
		for _, n := range connections {
			for _, name := range names {
				loads[cell{name, n}] = append(loads[cell{name, n}], turn(b, processes[name], pool, n, *span))
			}
		}
	}
	var report strings.Builder
	fmt.Fprintf(&report, "\nrequests/s, share of the ceiling and p99: medians of %d rounds (lowest to highest), load %s\n", *rounds, loadavg())
	for _, n := range connections {
		for _, name := range names {
			ls := loads[cell{name, n}]
			share := each(ls, loads[cell{"ceiling", n}], func(l, ceiling load) float64 { return l.rate / ceiling.rate })
			fmt.Fprintf(&report, "c=%-4d %-8s %s/s   %s of the ceiling   p50 %s ms   p99 %s ms\n", n, name,
				spread(of(ls, func(l load) float64 { return l.rate }), "%6.0f"), spread(share, "%.2f"),
				spread(of(ls, func(l load) float64 { return l.p50.Seconds() * 1e3 }), "%.2f"),
				spread(of(ls, func(l load) float64 { return l.p99.Seconds() * 1e3 }), "%.1f"))
		}
	}
	fmt.Print(report.String()) // a benchmark's log is cut after ten lines

	at64 := func(name string) []load { return loads[cell{name, 64}] }
	target(b, "intake at 64, of the ceiling", "at least 0.50", each(at64("gapless"), at64("ceiling"), rateRatio))
	target(b, "intake at 64, of the bare file", "-", each(at64("gapless"), at64("file"), rateRatio))
	target(b, "intake at 64, times one insert a request", "at least 5", each(at64("gapless"), at64("insert"), rateRatio))
	target(b, "intake at 64, p99 in ms", "under 40", of(at64("gapless"), func(l load) float64 { return l.p99.Seconds() * 1e3 }))
	added := each(loads[cell{"gapless", 1}], loads[cell{"ceiling", 1}], func(l, ceiling load) float64 { return (l.p50 - ceiling.p50).Seconds() })
	target(b, "intake at 1, added latency in bare inserts", "at most 1.10", each(added, bare, func(a float64, bare time.Duration) float64 { return a / bare.Seconds() }))
	plain := each(loads[cell{"insert", 1}], loads[cell{"ceiling", 1}], func(l, ceiling load) float64 { return (l.p50 - ceiling.p50).Seconds() })
	target(b, "the same, in inserts behind HTTP", "at most 1.10", each(added, plain, func(a, plain float64) float64 { return a / plain }))
	target(b, "intake, peak memory in MiB", "under 90", []float64{processes["gapless"].memory(b, "VmHWM")})
}

func rateRatio(a, b load) float64 { return a.rate / b.rate }

// bareInserts inserts the body of one order and commits, again and again,
// without HTTP, and returns the median time it takes.
func bareInserts(b *testing.B, pool []webhook, d time.Duration) time.Duration {
	db, err := emptyStore(b.TempDir())
	require.NoError(b, err)
	defer db.Close()
	insert, err := db.Prepare(`INSERT INTO bodies (body) VALUES ($1)`)
	require.NoError(b, err)
	defer insert.Close()
	var took []time.Duration
	for began := time.Now(); time.Since(began) < d; {
		one := time.Now()
		_, err := insert.Exec(pool[len(took)%len(pool)].body)
		require.NoError(b, err)
		took = append(took, time.Since(one))
	}
	return median(took)
}

func of[T any](list []T, f func(T) float64) []float64 {
	out := make([]float64, len(list))
	for i, x := range list {
		out[i] = f(x)
	}
	return out
}

// each compares what was measured in the same round.
func each[A, B any](as []A, bs []B, f func(A, B) float64) []float64 {
	out := make([]float64, len(as))
	for i := range as {
		out[i] = f(as[i], bs[i])
	}
	return out
}

func median[T cmp.Ordered](list []T) T {
	return slices.Sorted(slices.Values(list))[len(list)/2]
}

// spread is the median with the lowest and highest.
func spread(list []float64, format string) string {
	return fmt.Sprintf(format+" ("+format+" to "+format+")", median(list), slices.Min(list), slices.Max(list))
}

// target prints what was measured beside what it should be.
func target(b *testing.B, what, should string, got []float64) {
	b.Helper()
	fmt.Printf("%-50s %-14s %s\n", what, should, spread(got, "%.2f"))
}

func loadavg() string {
	text, err := os.ReadFile(filepath.Clean("/proc/loadavg"))
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
