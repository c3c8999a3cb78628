//go:build linux

package bench

import (
	"cmp"
	"flag"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var (
	rounds = flag.Int("rounds", 5, "how often each server has its turn")
	span   = flag.Duration("span", time.Second, "how long a turn is")
)

// BenchmarkIntake posts orders to four servers in turn: one that stores
// nothing, one that appends to a bare file, Gapless, and one that inserts once
// a request. It runs for minutes, once, whatever -benchtime says.
func BenchmarkIntake(b *testing.B) {
	m := measured{}
	pool, processes := webhooks(b, 256), map[string]*process{}
	for _, name := range names {
		processes[name] = start(b, name)
		drive(b, prepared, processes[name].address, pool, 64, *span/4) // warm
	}
	m.run(b, processes, pool, prepared, 1, 16, 64, 256)
	m.table("prepared bytes", 1, 16, 64, 256)
	usual := measured{}
	usual.run(b, processes, pool, ordinary, 64)
	usual.table("net/http's client", 64)

	gapless, ceiling, insert := m[cell{"gapless", 64}], m[cell{"ceiling", 64}], m[cell{"insert", 64}]
	target("intake at 64, of the ceiling, net/http's client", "at least 0.50", each(usual[cell{"gapless", 64}], usual[cell{"ceiling", 64}], rateRatio))
	target("intake at 64, of the ceiling, prepared bytes", "-", each(gapless, ceiling, rateRatio))
	target("intake at 64, of the bare file", "-", each(gapless, m[cell{"file", 64}], rateRatio))
	target("intake at 64, times one insert a request", "at least 5", each(gapless, insert, rateRatio))
	target("intake at 64, p99 in ms", "under 40", of(gapless, load.p99ms))
	target("intake, peak memory in MiB", "under 90", []float64{processes["gapless"].memory(b, "VmHWM")})

	// What storing adds to the answer to a single client.
	added := each(m[cell{"gapless", 1}], m[cell{"ceiling", 1}], slower)
	inserted := each(m[cell{"insert", 1}], m[cell{"ceiling", 1}], slower)
	target("intake at 1, added latency in inserts behind HTTP", "at most 1.10", each(added, inserted, ratio))
	var bare []float64
	for range *rounds {
		bare = append(bare, bareInsert(b, pool, *span/2).Seconds())
	}
	target("the same in bare inserts, in a tight loop", "at most 1.10", each(added, bare, ratio))
}

// cell is a place in the table: a server and the connections it has at once.
type cell struct {
	server string
	n      int
}

// measured are the turns of each cell, by round.
type measured map[cell][]load

var names = []string{"ceiling", "file", "gapless", "insert"}

func (m measured) run(b *testing.B, processes map[string]*process, pool []webhook, post poster, connections ...int) {
	b.Helper()
	for range *rounds {
		for _, n := range connections {
			for _, name := range names {
				m[cell{name, n}] = append(m[cell{name, n}], turn(b, post, processes[name], pool, n, *span))
			}
		}
	}
}

// table goes to stdout: a benchmark's log is cut after ten lines.
func (m measured) table(client string, connections ...int) {
	fmt.Printf("\n%s: medians of %d rounds (lowest to highest); %d turns disturbed by other programs\n", client, *rounds, disturbed)
	for _, n := range connections {
		for _, name := range names {
			turns := m[cell{name, n}]
			fmt.Printf("%3d connections  %-8s %s/s  of the ceiling %s  p50 %s ms  p99 %s ms  processor %s us\n", n, name,
				spread(of(turns, func(l load) float64 { return l.rate }), "%6.0f"),
				spread(each(turns, m[cell{"ceiling", n}], rateRatio), "%.2f"),
				spread(of(turns, load.p50ms), "%.2f"), spread(of(turns, load.p99ms), "%.1f"), spread(of(turns, load.costUs), "%.0f"))
		}
	}
}

func (l load) p50ms() float64  { return l.p50.Seconds() * 1e3 }
func (l load) costUs() float64 { return l.cost.Seconds() * 1e6 }
func (l load) p99ms() float64  { return l.p99.Seconds() * 1e3 }

// slower is by how many seconds a answers later than b.
func slower(a, b load) float64 { return (a.p50 - b.p50).Seconds() }

func ratio(a, b float64) float64 { return a / b }

func rateRatio(a, b load) float64 { return a.rate / b.rate }

// bareInsert inserts the body of one order and commits, again and again,
// without HTTP, and returns the median time it takes.
func bareInsert(b *testing.B, pool []webhook, d time.Duration) time.Duration {
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
func target(what, should string, got []float64) {
	fmt.Printf("%-50s %-14s %s\n", what, should, spread(got, "%.2f"))
}
