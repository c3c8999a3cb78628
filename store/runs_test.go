package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// began begins a run of a kind over the hour before noon.
func began(t testing.TB, s *Store, kind string) Run {
	t.Helper()
	r := Run{Shop: "acme", Kind: kind, By: "schedule", From: noon.Add(-time.Hour), To: noon, Heal: true}
	require.NoError(t, s.BeginRun(t.Context(), &r))
	return r
}

func kept(t testing.TB, s *Store, id int64) Run {
	t.Helper()
	r, err := s.Run(t.Context(), id)
	require.NoError(t, err)
	return r
}

func TestARunIsKeptFromItsBeginToItsEnd(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	r := began(t, s, RunReconcile)
	want := Run{ID: r.ID, Shop: "acme", Kind: RunReconcile, State: RunRunning, By: "schedule", From: noon.Add(-time.Hour), To: noon, Heal: true,
		StartedAt: noon, Data: json.RawMessage(`{}`)}
	require.Equal(t, want, kept(t, s, r.ID))

	clock.at = noon.Add(time.Minute)
	r.Done, r.Total = 250, 1000
	require.NoError(t, s.SaveRun(t.Context(), &r))
	want.Done, want.Total = 250, 1000
	require.Equal(t, want, kept(t, s, r.ID), "it is still under way")

	r.State, r.Found, r.Data, r.Note = RunPartial, 3, json.RawMessage(`{"a":1}`), "the ERP could not be read"
	require.NoError(t, s.SaveRun(t.Context(), &r))
	want.State, want.EndedAt, want.Found, want.Data, want.Note = RunPartial, clock.at, 3, r.Data, r.Note
	require.Equal(t, want, kept(t, s, r.ID))
}

func TestTheSameRunIsNotUnderWayTwice(t *testing.T) {
	s := open(t)
	r := began(t, s, RunReconcile)
	again := Run{Shop: "acme", Kind: RunReconcile, From: r.From, To: r.To}
	require.ErrorIs(t, s.BeginRun(t.Context(), &again), ErrRunning)
	twice := Run{Shop: "acme", Kind: RunReconcile, By: r.By, From: r.From.Add(time.Second), To: r.To.Add(time.Second)}
	require.ErrorIs(t, s.BeginRun(t.Context(), &twice), ErrRunning, "somebody asks again a moment later")
	for name, other := range map[string]Run{
		"of another shop":   {Shop: "beta", Kind: RunReconcile, From: r.From, To: r.To},
		"of another kind":   {Shop: "acme", Kind: RunDeep, From: r.From, To: r.To},
		"of another window": {Shop: "acme", Kind: RunReconcile, From: r.From, To: r.To.Add(time.Hour)},
	} {
		require.NoError(t, s.BeginRun(t.Context(), &other), name)
	}
	r.State = RunDone
	require.NoError(t, s.SaveRun(t.Context(), &r))
	require.NoError(t, s.BeginRun(t.Context(), &again))
}

func TestRunsThatAProcessLeftBehindAreStoppedButBackfillsGoOn(t *testing.T) {
	s := open(t)
	left, filling, done := began(t, s, RunReconcile), began(t, s, RunBackfill), began(t, s, RunDay)
	done.State = RunDone
	require.NoError(t, s.SaveRun(t.Context(), &done))
	require.NoError(t, s.StopRuns(t.Context(), true))
	stopped := kept(t, s, left.ID)
	require.Equal(t, []any{RunStopped, noon}, []any{stopped.State, stopped.EndedAt})
	require.NotEmpty(t, stopped.Note)
	require.Equal(t, RunRunning, kept(t, s, filling.ID).State)
	require.Equal(t, RunDone, kept(t, s, done.ID).State)
	began(t, s, RunReconcile) // it may begin again
}

func TestRunsAreListedNewestFirstByEachFilter(t *testing.T) {
	s := open(t)
	for _, kind := range []string{RunReconcile, RunDeep, RunPoll, RunReconcile, RunDeep} {
		r := Run{Shop: "acme", Kind: kind, From: noon, To: noon.Add(time.Hour)}
		require.NoError(t, s.BeginRun(t.Context(), &r))
		r.State = RunDone
		if r.ID == 5 {
			r.State = RunFailed
		}
		require.NoError(t, s.SaveRun(t.Context(), &r))
	}
	require.NoError(t, s.BeginRun(t.Context(), &Run{Shop: "beta", Kind: RunDeep, From: noon, To: noon.Add(time.Hour)}))
	for name, c := range map[string]struct {
		filter RunFilter
		want   []int64
	}{
		"none":            {RunFilter{}, []int64{6, 5, 4, 3, 2, 1}},
		"limit":           {RunFilter{Limit: 1}, []int64{6}},
		"shop":            {RunFilter{Shop: "beta"}, []int64{6}},
		"kind":            {RunFilter{Kind: RunDeep}, []int64{6, 5, 2}},
		"kind of a shop":  {RunFilter{Shop: "acme", Kind: RunDeep}, []int64{5, 2}},
		"state":           {RunFilter{State: RunDone}, []int64{4, 3, 2, 1}},
		"state of a kind": {RunFilter{State: RunDone, Kind: RunDeep}, []int64{2}},
		"before":          {RunFilter{Before: 3}, []int64{2, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.filter.Limit == 0 {
				c.filter.Limit = 100
			}
			runs, err := s.Runs(t.Context(), c.filter)
			require.NoError(t, err)
			var ids []int64
			for _, r := range runs {
				ids = append(ids, r.ID)
			}
			require.Equal(t, c.want, ids)
		})
	}

	last, err := s.LastRun(t.Context(), "acme", RunDeep)
	require.NoError(t, err)
	require.EqualValues(t, 2, last.ID, "the newest one failed")
	_, err = s.LastRun(t.Context(), "acme", RunDay)
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.Run(t.Context(), 99)
	require.ErrorIs(t, err, ErrNotFound)
}

func TestTheComparisonsThatFailedSinceOneOfTheirKindWasCompleteAreTold(t *testing.T) {
	s := open(t)
	endedBy := func(by, shop, kind, state string) Run {
		t.Helper()
		r := Run{Shop: shop, Kind: kind, By: by, From: noon, To: noon.Add(time.Hour)}
		require.NoError(t, s.BeginRun(t.Context(), &r))
		r.State = state
		require.NoError(t, s.SaveRun(t.Context(), &r))
		return r
	}
	ended := func(shop, kind, state string) Run {
		t.Helper()
		return endedBy("schedule", shop, kind, state)
	}
	ended("acme", RunReconcile, RunFailed)
	ended("acme", RunReconcile, RunDone)
	ended("beta", RunReconcile, RunFailed)
	endedBy("ann", "acme", RunReconcile, RunFailed)
	for _, kind := range []string{RunReconcile, RunDeep} {
		_, _, err := s.FailedComparisons(t.Context(), "acme", kind, BySchedule)
		require.ErrorIs(t, err, ErrNotFound)
	}
	first := ended("acme", RunReconcile, RunPartial)
	ended("acme", RunDay, RunDone)
	deep := ended("acme", RunDeep, RunFailed)
	last := ended("acme", RunReconcile, RunFailed)
	ended("acme", RunReconcile, RunStopped)
	endedBy("ann", "acme", RunReconcile, RunDone)
	endedBy("ann", "acme", RunReconcile, RunFailed)
	for kind, want := range map[string][]int64{RunReconcile: {first.ID, last.ID}, RunDeep: {deep.ID, deep.ID}} {
		one, another, err := s.FailedComparisons(t.Context(), "acme", kind, BySchedule)
		require.NoError(t, err)
		require.Equal(t, want, []int64{one.ID, another.ID}, kind)
	}
}

// Who asks for all orders from a day on need not remember when he asked for it first.
func TestABackfillUpToNowIsTheSameHoweverMuchLaterItIsAskedForAgain(t *testing.T) {
	clock := &clock{noon.Add(59 * time.Second)}
	s := open(t, func(o *Options) { o.Now = clock.now })
	first := Run{Shop: "acme", Kind: RunBackfill, By: "ann", From: noon.AddDate(0, -1, 0), To: noon}
	require.NoError(t, s.BeginRun(t.Context(), &first))
	clock.at = noon.Add(3 * time.Hour)
	asked := func(change func(*Run)) Run {
		r := Run{Shop: "acme", Kind: RunBackfill, By: "ann", From: first.From, To: clock.at}
		change(&r)
		return r
	}
	for name, r := range map[string]Run{
		"asked for again": asked(func(*Run) {}), "by another": asked(func(r *Run) { r.By = "bob" }), "up to tomorrow": asked(func(r *Run) { r.To = noon.AddDate(0, 0, 1) }),
	} {
		require.ErrorIs(t, s.BeginRun(t.Context(), &r), ErrRunning, name)
		require.Equal(t, first.ID, r.ID, name)
	}
	for name, r := range map[string]Run{
		"from another day": asked(func(r *Run) { r.From = r.From.AddDate(0, 0, 1) }), "up to a day": asked(func(r *Run) { r.To = noon.AddDate(0, 0, -1) }),
		"of another shop": asked(func(r *Run) { r.Shop = "beta" }), "no backfill": asked(func(r *Run) { r.Kind = RunReconcile }),
	} {
		require.NoError(t, s.BeginRun(t.Context(), &r), name)
	}
	first.State = RunDone
	require.NoError(t, s.SaveRun(t.Context(), &first))
	again := asked(func(*Run) {})
	require.NoError(t, s.BeginRun(t.Context(), &again), "the one up to a day ends before now")
}

func TestTheRunUnderWayThatBeganFirstIsFound(t *testing.T) {
	s := open(t)
	_, err := s.FirstRunning(t.Context(), "acme", RunBackfill)
	require.ErrorIs(t, err, ErrNotFound)
	var runs []Run
	for _, c := range []struct{ shop, kind, state string }{
		{"beta", RunBackfill, RunRunning}, {"acme", RunDeep, RunRunning}, {"acme", RunBackfill, RunStopped}, {"acme", RunBackfill, RunRunning}, {"acme", RunBackfill, RunRunning},
	} {
		r := Run{Shop: c.shop, Kind: c.kind, From: noon.AddDate(0, 0, -len(runs)-1), To: noon}
		require.NoError(t, s.BeginRun(t.Context(), &r))
		r.State = c.state
		require.NoError(t, s.SaveRun(t.Context(), &r))
		runs = append(runs, r)
	}
	found, err := s.FirstRunning(t.Context(), "acme", RunBackfill)
	require.NoError(t, err)
	require.Equal(t, runs[3].ID, found.ID)
}
