package ui

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"gapless/store"
	"gapless/sync/report"
)

// saw is what a run keeps of what it saw, whatever it was.
type saw struct {
	Balance  *report.Balance // nil: it was no comparison, or has not ended
	ByRule   []report.Excluded
	Faults   map[string]int64
	Opened   int64
	Healing  int64
	Complete bool
	Notes    []string

	Seen, Fetched, Lost, Young *int64 // of a poll
	Known                      *int64 // of a backfill
}

type runBody struct {
	runRow
	Tone, Icon string
	Headline   string
	Explained  string
	Facts      []fact
	Sums       []sum
	Faults     []gapCount
	Unsaid     string // of the faults, what does not show among the gaps
	Notes      []string
	Gaps       []gapRow
	All        string // where the gaps are that are not shown
	Running    bool
	Compares   bool
}

// runPage tells what one run did, how it ended, and what it found.
func runPage(v *visit) (view, error) {
	r, err := v.Store.Run(v.Context(), v.id())
	if err != nil {
		return view{}, err
	}
	shop, err := v.Store.Shop(v.Context(), r.Shop)
	if err != nil {
		return view{}, err
	}
	c := v.clock(shop)
	var s saw
	_ = json.Unmarshal(r.Data, &s) // what can't be read is not shown
	body := runBody{runRow: v.runRow(r, c), Facts: runFacts(r, s, c), Running: r.EndedAt.IsZero(), Compares: compares(r.Kind)}
	body.Tone, body.Icon, body.Headline = verdictOf(r, s)
	body.Explained = endsTold[r.State]
	if s.Balance != nil && !body.Running {
		body.Sums = sumsOf(report.Report{Balance: *s.Balance, ByRule: s.ByRule})
	}
	body.Faults, body.Unsaid = faultsOf(s)
	for _, n := range notesOf(r, s) {
		body.Notes = append(body.Notes, c.tell(short(n, 400)))
	}
	gaps, err := v.Store.Gaps(v.Context(), store.GapFilter{Run: r.ID, Limit: perPage})
	if err != nil {
		return view{}, err
	}
	for _, g := range gaps {
		body.Gaps = append(body.Gaps, gapRowOf(g, c))
	}
	if len(gaps) == perPage {
		body.All = fmt.Sprintf("/gaps?state=all&run=%d", r.ID)
	}
	return view{template: "run", title: fmt.Sprintf("Run %d", r.ID), body: body}, nil
}

// compares says whether runs of a kind compare Shopify and the ERP.
func compares(kind string) bool {
	return slices.Contains([]string{store.RunReconcile, store.RunDeep, store.RunDay}, kind)
}

// endsTold say how a run ended, and what that means.
var endsTold = map[string]string{
	store.RunPartial: "One side could not be read whole. So nothing counts as checked, and no gap was closed; the next run looks again.",
	store.RunFailed:  "It could not be carried through. What it had found by then stands; the next run looks again.",
	store.RunStopped: "It was stopped before its end. What it had found by then stands; the next run looks again.",
}

func verdictOf(r store.Run, s saw) (tone, icon, headline string) {
	switch {
	case r.EndedAt.IsZero():
		return "unsure", "run", "Under way"
	case r.State != store.RunDone:
		return "unsure", "unsure", runStates[r.State].Text
	case r.Found > 0:
		return "bad", "bad", plural(r.Found, "gap") + " found"
	case s.Balance != nil && s.Balance.Overdue > 0 && s.Balance.Difference().Empty():
		return "bad", "bad", plural(s.Balance.Overdue, "order") + " on the way for too long"
	case s.Balance != nil && !s.Balance.Balanced():
		return "bad", "bad", "Does not add up"
	case compares(r.Kind):
		return "good", "good", "Nothing was wrong"
	}
	return "good", "good", "Done"
}

func runFacts(r store.Run, s saw, c clock) []fact {
	facts := []fact{{Label: "Shop", Text: r.Shop}, {Label: "Started", At: c.at(r.StartedAt)}, {Label: "Ended", At: c.at(r.EndedAt)}, {Label: "Asked for", Text: report.WayText(r.By)},
		{Label: "Looked at changes from", At: c.at(r.From)}, {Label: "to", At: c.at(r.To)}}
	if r.Kind == store.RunDay || r.Kind == store.RunBackfill {
		facts[4].Label = "Looked at orders placed from"
	}
	facts = slices.DeleteFunc(facts, func(f fact) bool { return f.At == nil && f.Text == "" })
	facts = append(facts, fact{Label: "Orders worked through", Text: number(r.Done)})
	for _, f := range []struct {
		label string
		n     *int64
	}{
		{"Changed, says Shopify", s.Seen}, {"Not known here, or older", s.Fetched}, {"Of them, no message came", s.Lost}, {"Message may still come", s.Young}, {"Known here already", s.Known},
	} {
		if f.n != nil {
			facts = append(facts, fact{Label: f.label, Text: number(*f.n)})
		}
	}
	if compares(r.Kind) {
		facts = append(facts, fact{Label: "Mends what it finds", Text: map[bool]string{true: "yes", false: "no, it only looks"}[r.Heal]})
	}
	return facts
}

// faultsOf counts what was wrong by kind, and says what of it is no gap of this run.
func faultsOf(s saw) (faults []gapCount, unsaid string) {
	var all int64
	for _, kind := range slices.Sorted(maps.Keys(s.Faults)) {
		all += s.Faults[kind]
		faults = append(faults, gapCount{Kind: kind, Text: report.KindText(kind), URL: "/gaps?state=all&kind=" + kind, N: s.Faults[kind]})
	}
	if known := all - s.Opened; known > 0 {
		unsaid = plural(known, "fault") + " of these had been found before, or " + map[bool]string{true: "is", false: "are"}[known == 1] + " left as " + map[bool]string{true: "it is", false: "they are"}[known == 1] + "."
	}
	return faults, unsaid
}

func notesOf(r store.Run, s saw) []string {
	if len(s.Notes) == 0 && strings.TrimSpace(r.Note) != "" {
		return []string{r.Note}
	}
	return s.Notes
}
