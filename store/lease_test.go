package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// beside opens a store beside its owner's, as a command does.
func beside(t testing.TB, owner *Store, c *clock) *Store {
	return open(t, at(owner.path), func(o *Options) { o.Guest, o.Now = true, c.now })
}

func TestARunWhoseProcessWasKilledIsTakenOver(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	command := beside(t, s, c)
	left := began(t, command, RunDay)
	command.leases.drop(left.ID) // as if it were killed: no sign of life comes any more

	again := Run{Shop: "acme", Kind: RunDay, From: left.From, To: left.To}
	c.at = noon.Add(runLease)
	require.ErrorIs(t, s.BeginRun(t.Context(), &again), ErrRunning, "it may live still")
	c.at = c.at.Add(time.Second)
	require.NoError(t, s.BeginRun(t.Context(), &again))
	stopped := kept(t, s, left.ID)
	require.Equal(t, []any{RunStopped, c.at}, []any{stopped.State, stopped.EndedAt})
}

func TestARunThatGivesSignsOfLifeIsNotTakenOver(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	r := began(t, s, RunDay)
	c.at = noon.Add(runLease)
	s.leases.renew()
	c.at = c.at.Add(runLease)
	require.NoError(t, s.StopRuns(t.Context(), false))
	require.Equal(t, RunRunning, kept(t, s, r.ID).State)
	r.State = RunDone
	require.NoError(t, s.SaveRun(t.Context(), &r))
	require.Empty(t, s.leases.held())
}

func TestAnOwnerThatStartsLeavesTheRunsOfCommandsThatLive(t *testing.T) {
	c := &clock{noon}
	s := open(t, func(o *Options) { o.Now = c.now })
	command := beside(t, s, c)
	compared, reported := began(t, s, RunReconcile), began(t, command, RunDay)
	require.NoError(t, s.StopRuns(t.Context(), true))
	require.Equal(t, RunStopped, kept(t, s, compared.ID).State)
	require.Equal(t, RunRunning, kept(t, s, reported.ID).State)
	c.at = noon.Add(runLease + time.Second)
	require.NoError(t, s.StopRuns(t.Context(), false))
	require.Equal(t, RunStopped, kept(t, s, reported.ID).State)
}

func TestARunThatWasEndedStaysEnded(t *testing.T) {
	s := open(t)
	r := began(t, s, RunReconcile)
	require.NoError(t, s.StopRuns(t.Context(), true))
	r.State = RunDone
	require.ErrorIs(t, s.SaveRun(t.Context(), &r), ErrEnded)
	require.Equal(t, RunStopped, kept(t, s, r.ID).State)
}
