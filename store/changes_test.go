package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestWhatHappenedIsToldFromAMarkOn(t *testing.T) {
	s := open(t)
	before, err := s.Newest(t.Context())
	require.NoError(t, err)
	require.Equal(t, Mark{}, before)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	a := begun(t, s, c)
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Decisions: []Decision{
		{At: noon, Shop: "acme", OrderID: 1, Step: "intake", Outcome: "new"}, {At: noon, Shop: "acme", Step: "redact", Outcome: "shop"},
	}}))
	_, err = s.FoundGaps(t.Context(), "ann", Fault{Gap: Gap{Shop: "acme", OrderID: 1, ERP: "books", Kind: GapMissing, Cause: "erp_lost", FoundBy: "ann"}})
	require.NoError(t, err)
	run := Run{Shop: "acme", Kind: RunDeep, By: "ann"}
	require.NoError(t, s.BeginRun(t.Context(), &run))

	orders, err := s.OrdersSince(t.Context(), before.Decision, 10)
	require.NoError(t, err)
	require.Len(t, orders, 2)
	require.Equal(t, []any{"#1", "books", StateSending, "new"}, []any{orders[0].Name, orders[0].ERP, orders[0].State, orders[0].Outcome})
	require.Equal(t, noon, orders[0].At)
	require.Empty(t, orders[1].Name, "not about an order")

	calls, err := s.CallsSince(t.Context(), before.Attempt, 10)
	require.NoError(t, err)
	require.Len(t, calls, 1)
	require.Equal(t, []any{a.ID, "#1", "", StateSending, a.StartedAt}, []any{calls[0].ID, calls[0].Name, calls[0].Result, calls[0].State, calls[0].At})
	r := settle(c, StateDelivered)
	r.AttemptID, r.Outcome = a.ID, &Outcome{Result: "created"}
	require.NoError(t, s.Settle(t.Context(), r))
	call, err := s.Call(t.Context(), a.ID)
	require.NoError(t, err)
	require.Equal(t, []any{"created", StateDelivered}, []any{call.Result, call.State})
	_, err = s.Call(t.Context(), 99)
	require.ErrorIs(t, err, ErrNotFound)

	gaps, err := s.GapsSince(t.Context(), before.Step, 10)
	require.NoError(t, err)
	require.Len(t, gaps, 1)
	require.Equal(t, []any{"#1", GapMissing, "erp_lost", GapOpen, "opened"}, []any{gaps[0].Name, gaps[0].Kind, gaps[0].Cause, gaps[0].State, gaps[0].Step})
	require.Equal(t, noon, gaps[0].At)
	runs, err := s.RunsSince(t.Context(), before.Run, 10)
	require.NoError(t, err)
	require.Equal(t, run.ID, runs[0].ID)

	after, err := s.Newest(t.Context())
	require.NoError(t, err)
	require.Equal(t, Mark{Decision: 2, Attempt: a.ID, Step: 1, Run: run.ID}, after)
	orders, err = s.OrdersSince(t.Context(), after.Decision, 10)
	require.NoError(t, err)
	require.Empty(t, orders)
}

func TestTheSameRunIsNotBegunTwice(t *testing.T) {
	s := open(t)
	first := Run{Shop: "acme", Kind: RunReconcile, By: "ann", From: noon.Add(-24 * time.Hour), To: noon}
	require.NoError(t, s.BeginRun(t.Context(), &first))
	moved := func(by time.Duration, change func(*Run)) Run {
		r := Run{Shop: "acme", Kind: RunReconcile, By: "ann", From: first.From.Add(by), To: first.To.Add(by)}
		change(&r)
		return r
	}
	nothing := func(*Run) {}
	for name, r := range map[string]Run{
		"the very same": moved(0, nothing), "asked for twice": moved(5*time.Second, nothing),
		"by another": moved(0, func(r *Run) { r.By = "bob" }),
	} {
		require.ErrorIs(t, s.BeginRun(t.Context(), &r), ErrRunning, name)
	}
	for name, r := range map[string]Run{
		"later": moved(time.Minute, nothing), "another shop": moved(0, func(r *Run) { r.Shop = "beta" }), "another kind": moved(0, func(r *Run) { r.Kind = RunDeep }),
		"by another, later": moved(5*time.Second, func(r *Run) { r.By = "bob" }), "longer": moved(0, func(r *Run) { r.From = r.From.Add(-time.Hour) }),
	} {
		require.NoError(t, s.BeginRun(t.Context(), &r), name)
	}
	first.State = RunDone
	require.NoError(t, s.SaveRun(t.Context(), &first))
	again := moved(7*time.Second, nothing)
	again.By = "cid"
	require.NoError(t, s.BeginRun(t.Context(), &again))
}

func TestTheLastComparisonIsTheNewestThatEnded(t *testing.T) {
	s := open(t)
	_, err := s.LastCompared(t.Context(), "acme")
	require.ErrorIs(t, err, ErrNotFound)
	var want int64
	for i, c := range []struct{ shop, kind, state string }{
		{"acme", RunDeep, RunDone}, {"acme", RunReconcile, RunPartial}, {"acme", RunDay, RunDone}, {"beta", RunDeep, RunDone}, {"acme", RunReconcile, RunRunning},
	} {
		r := Run{Shop: c.shop, Kind: c.kind, From: noon.Add(time.Duration(i) * time.Hour), To: noon.Add(24 * time.Hour)}
		require.NoError(t, s.BeginRun(t.Context(), &r))
		if r.State = c.state; c.state != RunRunning {
			require.NoError(t, s.SaveRun(t.Context(), &r))
		}
		if c.state == RunPartial {
			want = r.ID
		}
	}
	last, err := s.LastCompared(t.Context(), "acme")
	require.NoError(t, err)
	require.Equal(t, want, last.ID)
}

func TestAGuestCanTellSinceWhenADatabaseIsOwned(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	guest, err := Open(t.Context(), Options{Path: s.path, Guest: true})
	require.NoError(t, err)
	defer guest.Close()
	for _, who := range []*Store{s, guest} {
		since, err := who.OwnedSince(t.Context())
		require.NoError(t, err)
		require.Equal(t, noon, since)
	}
	require.NoError(t, s.Close())
	since, err := guest.OwnedSince(t.Context())
	require.NoError(t, err)
	require.True(t, since.IsZero())
	clock.at = noon.Add(time.Hour)
	again, err := Open(t.Context(), Options{Path: s.path, Now: clock.now})
	require.NoError(t, err, "to look takes nothing away")
	defer again.Close()
	since, err = guest.OwnedSince(t.Context())
	require.NoError(t, err)
	require.Equal(t, clock.at, since)
}

func TestStatsCountGapsThatAreNotClosed(t *testing.T) {
	s := open(t)
	for id, kind := range []string{GapMissing, GapMissing, GapMissing, GapStale} {
		_, err := s.FoundGaps(t.Context(), "ann", Fault{Gap: Gap{Shop: "acme", OrderID: int64(id + 1), Kind: kind, FoundBy: "ann"}})
		require.NoError(t, err)
	}
	closeGap(t, s, 1, "ann")
	_, err := s.IgnoreGap(t.Context(), 2, "ann", "paid in cash")
	require.NoError(t, err)
	st, err := s.Stats(t.Context(), noon)
	require.NoError(t, err)
	require.Equal(t, map[GapGroup]int64{{GapMissing, GapIgnored}: 1, {GapMissing, GapOpen}: 1, {GapStale, GapOpen}: 1}, st.Gaps)
}
