//go:build linux

package bench

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
	ordersync "gapless/sync"
)

var compared = flag.Int64("orders", 1_000_000, "how many orders are compared")

// BenchmarkComparison compares the three sides of many orders, in turns with
// reading what the store knows of them, which is the least that it takes.
func BenchmarkComparison(b *testing.B) {
	sides, folder := someSides(*compared), b.TempDir()
	require.NoError(b, sides.fill(folder))
	s, err := store.Open(b.Context(), store.Options{Path: filepath.Join(folder, "gapless.db")})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	read(b, s, sides) // warm

	for _, c := range []struct {
		name   string
		faulty int64
	}{{"all in agreement", 0}, {"one in a thousand at fault", 1000}} {
		sides.faulty = c.faulty
		var times, costs, extra []float64
		for range min(*rounds, 3) {
			least := measure(b, func() { read(b, s, sides) })
			whole := measure(b, func() { compare(b, s, sides) })
			times, costs = append(times, whole.took.Seconds()/least.took.Seconds()), append(costs, whole.cost.Seconds()/least.cost.Seconds())
			extra = append(extra, whole.memory)
			fmt.Printf("%d orders, %s: read in %s (%s of processor time, %.0f MiB more), compared in %s (%s, %.0f MiB)\n",
				sides.n, c.name, least.took.Round(time.Millisecond), least.cost.Round(time.Millisecond), least.memory, whole.took.Round(time.Millisecond), whole.cost.Round(time.Millisecond), whole.memory)
		}
		target("a comparison, "+c.name+", in readings", "at most 2", times)
		target("the same, in processor time", "at most 2", costs)
		target("extra memory of it in MiB", "under 64", extra)
	}
}

// read reads what the store knows of all orders.
func read(b *testing.B, s *store.Store, sides *sides) {
	b.Helper()
	from, to := sides.window()
	n := int64(0)
	for _, err := range s.Standings(b.Context(), "acme", "books", store.ByUpdated, from, to) {
		require.NoError(b, err)
		n++
	}
	require.Equal(b, sides.n, n)
}

// compare compares all orders, and looks at what comes out.
func compare(b *testing.B, s *store.Store, sides *sides) {
	b.Helper()
	engine, err := sides.engine(s)
	require.NoError(b, err)
	from, to := sides.window()
	r, err := engine.Reconcile(b.Context(), "acme", ordersync.Pass{Kind: store.RunDeep, From: from, To: to, By: "bench"})
	require.NoError(b, err)
	require.True(b, r.Complete, "%v", r.Notes)
	require.Equal(b, sides.n, r.Balance.Shopify.Orders)
	faults := int64(0)
	for _, n := range r.Faults {
		faults += n
	}
	if sides.faulty == 0 {
		require.True(b, r.Balanced())
	} else {
		require.Equal(b, sides.n/sides.faulty, faults)
	}
}

// spent is what one piece of work came to.
type spent struct {
	took, cost time.Duration
	memory     float64 // MiB of the process at its most, above what it was before
}

func measure(b *testing.B, work func()) (m spent) {
	b.Helper()
	debug.FreeOSMemory()
	before := resident(b)
	stop, most := make(chan struct{}), make(chan int64)
	go func() {
		tick, highest := time.NewTicker(5*time.Millisecond), before
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				highest = max(highest, resident(b))
			case <-stop:
				most <- highest
				return
			}
		}
	}()
	began, cost := time.Now(), processor(b)
	work()
	m.took, m.cost = time.Since(began), processor(b)-cost
	close(stop)
	m.memory = float64(<-most-before) / (1 << 20)
	return m
}

// resident is the memory of this process in bytes.
func resident(b *testing.B) int64 {
	return int64(number(fields(b, "/proc/self/statm")[1])) * int64(os.Getpagesize())
}

// What the server says of keepAndCompare when it begins, and when it has stopped.
const (
	comparing = "comparing"
	atRest    = "at rest"
)

// keepAndCompare is Gapless with a store of many orders. Told by SIGUSR1, it
// compares them again and again, until it is told so once more.
func keepAndCompare(folder string) (keep, error) {
	const orders = 50_000 // one comparison is shorter than a turn
	sides := someSides(orders)
	if err := sides.fill(folder); err != nil {
		return nil, err
	}
	s, err := store.Open(context.Background(), store.Options{Path: filepath.Join(folder, "gapless.db")})
	if err != nil {
		return nil, err
	}
	engine, err := sides.engine(s)
	if err != nil {
		return nil, err
	}
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGUSR1)
	go func() {
		for range told {
			ctx, stop := context.WithCancel(context.Background())
			go func() { <-told; stop() }()
			fmt.Println(comparing)
			for ctx.Err() == nil {
				from, to := sides.window()
				_, err := engine.Reconcile(ctx, "acme", ordersync.Pass{Kind: store.RunDeep, From: from, To: to, By: "bench"})
				if err != nil && ctx.Err() == nil {
					panic(err)
				}
			}
			fmt.Println(atRest)
		}
	}()
	return ordersync.KeepIn(s), nil
}

// BenchmarkIntakeWhileComparing posts orders to one server, with and without a
// comparison under way. The turns are short and many, so that whatever else the
// machine does disturbs both alike.
func BenchmarkIntakeWhileComparing(b *testing.B) {
	const turns, long = 20, time.Second
	pool, p := webhooks(b, 256), start(b, "comparing")
	tell := func(until string) {
		require.NoError(b, p.Process.Signal(syscall.SIGUSR1))
		require.Equal(b, until, p.says(b))
	}
	drive(b, prepared, p.address, pool, 64, *span) // warm
	var alone, beside []float64
	for range turns {
		alone = append(alone, drive(b, prepared, p.address, pool, 64, long).rate)
		tell(comparing)
		beside = append(beside, drive(b, prepared, p.address, pool, 64, long).rate)
		tell(atRest)
	}
	fmt.Printf("orders a second alone %s, beside a comparison %s\n", spread(alone, "%.0f"), spread(beside, "%.0f"))
	target("intake at 64 while a comparison runs, of that without", "at least 0.80", []float64{sum(beside) / sum(alone)})
}

func sum(list []float64) (total float64) {
	for _, x := range list {
		total += x
	}
	return total
}
