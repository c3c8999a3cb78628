package ordersync

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
)

func newTestCircuit() *circuit {
	return newCircuit(CircuitConfig{Failures: 3, Pause: 30 * time.Second}, func(d time.Duration) time.Duration { return d })
}

func TestTheCircuitOpensByFailuresOfAtLeastTwoOrders(t *testing.T) {
	c := newTestCircuit()
	for range 10 {
		require.False(t, c.failed(epoch, "one", "down", 0), "one order that fails is that order's trouble")
	}
	require.True(t, c.failed(epoch, "two", "down", 0))
	n, wait := c.admits(epoch, 10, 0)
	require.Zero(t, n)
	require.Equal(t, 30*time.Second, wait)
}

func TestASuccessBetweenStartsTheCountAnew(t *testing.T) {
	c := newTestCircuit()
	for range 10 {
		c.failed(epoch, "one", "down", 0)
		c.failed(epoch, "two", "down", 0)
		c.succeeded()
	}
	n, _ := c.admits(epoch, 10, 0)
	require.Equal(t, 10, n)
}

// opened is a circuit that has just opened, and when its pause is over.
func opened(t *testing.T) (*circuit, time.Time) {
	c := newTestCircuit()
	for _, order := range []string{"one", "two", "three"} {
		c.failed(epoch, order, "down", 0)
	}
	until, reason := c.state()
	require.Equal(t, "down", reason)
	return c, until
}

func TestAnOpenCircuitAdmitsOneProbeAtATime(t *testing.T) {
	c, until := opened(t)
	n, _ := c.admits(until.Add(-time.Nanosecond), 10, 0)
	require.Zero(t, n)
	n, _ = c.admits(until, 10, 0)
	require.Equal(t, 1, n)
	n, _ = c.admits(until, 10, 1)
	require.Zero(t, n, "a probe is under way")
	require.True(t, c.succeeded())
	n, _ = c.admits(until, 10, 0)
	require.Equal(t, 10, n)
}

func TestEachProbeThatFailsDoublesThePauseUpToTenfold(t *testing.T) {
	c, until := opened(t)
	for _, want := range []time.Duration{60, 120, 240, 300, 300} {
		require.False(t, c.failed(until, "one", "still down", 0), "it was open already")
		next, _ := c.state()
		require.Equal(t, want*time.Second, next.Sub(until))
		until = next
	}
}

func TestCallsThatWereUnderWayWhenItOpenedDoNotLengthenThePause(t *testing.T) {
	c, until := opened(t)
	for range 15 {
		c.failed(epoch.Add(time.Second), "another", "down", 0)
	}
	same, _ := c.state()
	require.Equal(t, until, same)
}

func TestThePauseIsAtLeastWhatTheERPAskedFor(t *testing.T) {
	c := newTestCircuit()
	for _, order := range []string{"one", "two", "three"} {
		c.failed(epoch, order, "down", time.Hour)
	}
	until, _ := c.state()
	require.Equal(t, epoch.Add(time.Hour), until)
}

func TestADeadERPIsProbedUntilItLivesAndThenGetsEverything(t *testing.T) {
	a := build(t, setup{circuit: CircuitConfig{Failures: 3, Pause: time.Minute}, concurrency: 2, faults: erptest.Mix{erptest.Unavailable: 1}})
	for range 12 {
		a.create()
	}
	a.hear()
	a.send()
	until := a.engine.Metrics().Circuits["books"].Until
	require.True(t, until.After(a.Now()))
	require.Contains(t, a.engine.Metrics().Circuits["books"].Reason, "503")
	calls := len(a.wire.said())

	a.pass(10 * time.Second)
	require.Zero(t, a.send(), "attempts pause")
	a.pass(until.Sub(a.Now()))
	require.Equal(t, 1, a.send(), "one probe")
	require.Zero(t, a.send())
	require.Len(t, a.wire.said(), calls+1)

	a.erp.SetFaults(nil)
	a.settleLater(time.Hour)
	require.True(t, a.engine.Metrics().Circuits["books"].Until.IsZero())
	a.judge()
}
