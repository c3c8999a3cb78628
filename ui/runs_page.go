package ui

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// kindsTold say what a run does.
var kindsTold = map[string]string{
	store.RunPoll: "Asked Shopify for changes", store.RunReconcile: "Compared Shopify and the ERP", store.RunDeep: "Compared the last 60 days",
	store.RunDay: "Compared one day", store.RunBackfill: "Brought in orders of the past",
}

var runStates = map[string]badge{
	store.RunRunning: {"Under way", "warn"}, store.RunDone: {"Done", "good"}, store.RunPartial: {"In part only", "warn"},
	store.RunFailed: {"Failed", "bad"}, store.RunStopped: {"Stopped", ""},
}

type runsBody struct {
	Kinds  chooser
	Shop   *chooser
	Shops  []string
	Rows   []runRow
	Today  string // the last day that a backfill can begin at
	Older  string
	MayAct bool
	Every  string // from one comparison to the next; empty: not known, or each shop has its own
	All    string // the list of all runs; empty: it is that
}

type runRow struct {
	ID          int64
	Path        string
	What, Shop  string
	Window      string
	By          string
	Badge       badge
	Note        string
	Done, Total int64
	Found       int64
	Started     *moment
	Took        string
}

// runsPage lists what was compared, asked and brought in.
func runsPage(v *visit) (view, error) {
	f := store.RunFilter{Shop: v.shopChosen(), Kind: v.oneOf("kind", "", store.RunReconcile, store.RunDeep, store.RunDay, store.RunPoll, store.RunBackfill), Before: v.beforeID(), Limit: perPage}
	runs, err := v.Store.Runs(v.Context(), f)
	if err != nil {
		return view{}, err
	}
	clocks, err := v.clocks()
	if err != nil {
		return view{}, err
	}
	body := runsBody{Shop: v.shopChooser(), Today: v.now.UTC().Format(time.DateOnly), Shops: v.Shops, MayAct: v.may("operator"), Kinds: chooser{"What was done", "kind", []option{{"", "Anything", false}}}}
	for _, k := range []string{store.RunReconcile, store.RunDeep, store.RunDay, store.RunPoll, store.RunBackfill} {
		body.Kinds.Options = append(body.Kinds.Options, option{k, kindsTold[k], k == f.Kind})
	}
	if f.Kind != "" || f.Shop != "" {
		body.All = v.with("kind", "", "shop", "")
	}
	body.Every = v.compares()
	for _, r := range runs {
		body.Rows = append(body.Rows, v.runRow(r, clocks(r.Shop)))
	}
	if len(runs) > 0 {
		body.Older = v.older(len(runs), runs[len(runs)-1].ID)
	}
	return view{template: "runs", title: "Runs", body: body}, nil
}

// compares is how often all shops are compared, in words; empty: they differ.
func (v *visit) compares() string {
	var every time.Duration
	for _, s := range v.Actions.Connections().Shops {
		if every != 0 && s.Compares != every {
			return ""
		}
		every = s.Compares
	}
	if every == 0 {
		return ""
	}
	return "every " + span(every)
}

func (v *visit) runRow(r store.Run, c clock) runRow {
	row := runRow{ID: r.ID, Path: fmt.Sprintf("/runs/%d", r.ID), What: cmp.Or(kindsTold[r.Kind], r.Kind), Shop: r.Shop, By: report.WayText(r.By), Badge: runStates[r.State], Note: short(r.Note, 400),
		Done: r.Done, Total: r.Total, Found: r.Found, Started: c.at(r.StartedAt)}
	if from, to := c.at(r.From), c.at(r.To); from != nil && to != nil {
		row.Window = from.Text + " to " + to.Text
	}
	if r.EndedAt.IsZero() {
		row.Took = "for " + span(v.now.Sub(r.StartedAt))
	} else {
		row.Took = "in " + span(r.EndedAt.Sub(r.StartedAt))
	}
	return row
}

// startRunNow begins a comparison, a poll or a backfill.
func startRunNow(v *visit) (view, error) {
	asked := RunRequest{Kind: v.PostForm.Get("kind"), Shop: v.PostForm.Get("shop")}
	if !slices.Contains(v.Shops, asked.Shop) {
		return view{}, wrongInput("Choose one of the shops: " + strings.Join(v.Shops, ", ") + ".")
	}
	switch asked.Kind {
	case store.RunPoll:
	case store.RunReconcile:
		asked.Since = v.PostForm.Get("since")
	case store.RunBackfill:
		asked.From = v.PostForm.Get("from")
		if _, err := time.Parse(time.DateOnly, asked.From); err != nil {
			return view{}, wrongInput("Choose the day from which on orders are to be brought in.")
		}
	default:
		return view{}, wrongInput("Choose what to do.")
	}
	return v.started(v.Actions.StartRun(v.Context(), asked, v.person.Name))
}

// started answers for a run that was asked for.
func (v *visit) started(_ int64, err error) (view, error) {
	var wrong WrongRequest
	switch {
	case errors.As(err, &wrong):
		return view{}, wrongInput(wrong.Error())
	case errors.Is(err, store.ErrRunning):
		return view{redirect: v.URL.Path + "?did=running"}, nil
	case err != nil:
		return view{}, err
	}
	return view{redirect: v.URL.Path + "?did=started"}, nil
}
