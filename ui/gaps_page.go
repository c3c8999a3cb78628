package ui

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// badge is a state in a word or two.
type badge struct{ Text, Tone string }

var gapStates = map[string]badge{
	store.GapOpen:    {"Open", "bad"},
	store.GapHealing: {"Being put right", "warn"},
	store.GapClosed:  {"Healed", "good"},
	store.GapIgnored: {"Left as it is", ""},
}

type gapsBody struct {
	Tabs   tabs
	Kinds  chooser
	Shop   *chooser
	State  string
	Rows   []gapRow
	Older  string
	MayAct bool
	Others int64  // open gaps, where the list is empty: of other kinds, shops or runs
	Run    int64  // only what this run found; 0: whatever found it
	Order  int64  // only what is about this order; 0: whatever it is about
	Name   string // of that order, as its gaps have it
	Path   string // of its page; empty: there are none
}

type gapRow struct {
	ID               int64
	Name, Shop, Path string
	Kind, Cause      string
	Amount           string
	Badge            badge
	Since            *moment
	Ended            string // how, and after how long
	Live             bool
}

// gapsPage lists gaps. What healed by itself is one tab away.
func gapsPage(v *visit) (view, error) {
	state := v.oneOf("state", "live", store.GapClosed, store.GapIgnored, "all")
	kind := v.oneOf("kind", append([]string{""}, store.GapKinds...)...)
	filter := store.GapFilter{Shop: v.shopChosen(), Kind: kind, State: state, OrderID: v.numberChosen("order"), Run: v.numberChosen("run"), Before: v.beforeID(), Limit: perPage}
	if state == "all" {
		filter.State = ""
	}
	gaps, err := v.Store.Gaps(v.Context(), filter)
	if err != nil {
		return view{}, err
	}
	clocks, err := v.clocks()
	if err != nil {
		return view{}, err
	}
	body := gapsBody{State: state, Run: filter.Run, Order: filter.OrderID, Shop: v.shopChooser(), MayAct: v.may("operator"),
		Tabs: tabs{"Gaps by state", []tab{
			{"To do", v.with("state", ""), state == "live"}, {"Healed", v.with("state", store.GapClosed), state == store.GapClosed},
			{"Left as they are", v.with("state", store.GapIgnored), state == store.GapIgnored}, {"All", v.with("state", "all"), state == "all"},
		}},
		Kinds: chooser{"What is wrong", "kind", []option{{"", "Anything", false}}},
	}
	for _, k := range store.GapKinds {
		body.Kinds.Options = append(body.Kinds.Options, option{k, report.KindText(k), k == kind})
	}
	for _, g := range gaps {
		body.Rows = append(body.Rows, gapRowOf(g, clocks(g.Shop)))
	}
	if filter.OrderID != 0 && len(gaps) > 0 {
		body.Name, body.Path = body.Rows[0].Name, orderPath(gaps[0].Shop, gaps[0].OrderID)
	}
	if len(gaps) > 0 {
		body.Older = v.older(len(gaps), gaps[len(gaps)-1].ID)
	} else if body.Others, err = v.Store.LiveGaps(v.Context()); err != nil {
		return view{}, err
	}
	return view{template: "gaps", title: "Gaps", body: body}, nil
}

func gapRowOf(g store.Gap, c clock) gapRow {
	r := gapRow{ID: g.ID, Name: gapName(g), Shop: g.Shop, Path: fmt.Sprintf("/gaps/%d", g.ID), Kind: report.KindText(g.Kind), Cause: c.tell(report.CauseText(g.Cause)),
		Amount: report.MoneyText(g.Total, g.Currency), Badge: gapStates[g.State], Since: c.at(g.Since), Live: g.State != store.GapClosed}
	switch g.State {
	case store.GapClosed:
		r.Ended = "after " + span(g.ClosedAt.Sub(g.Since)) + ", " + report.WayText(g.HealedBy)
	case store.GapIgnored:
		r.Ended = short(g.Reason, 160) + " (" + g.IgnoredBy + ")"
	}
	return r
}

// gapName is what a gap is about: an order, or the shop.
func gapName(g store.Gap) string {
	switch {
	case g.OrderName != "":
		return short(g.OrderName, 60)
	case g.OrderID != 0:
		return "Order " + strconv.FormatInt(g.OrderID, 10)
	}
	return "Shop " + g.Shop
}

type gapBody struct {
	gapRow
	State, Next string
	Detail      string
	Order       string // its page; empty: it is not known here
	Admin       string
	InERP       string // where the ERP's document is seen
	ERP         string
	Facts       []fact
	Steps       []happening
	Run         string // the one that found it
	MayAct      bool
	MayIgnore   bool
}

type fact struct {
	Label, Text string
	At          *moment
}

// gapPage says why there is a gap, and what to do.
func gapPage(v *visit) (view, error) {
	g, err := v.Store.Gap(v.Context(), v.id())
	if err != nil {
		return view{}, err
	}
	steps, err := v.Store.GapSteps(v.Context(), g.ID)
	if err != nil {
		return view{}, err
	}
	shop, err := v.Store.Shop(v.Context(), g.Shop)
	if err != nil {
		return view{}, err
	}
	c := v.clock(shop)
	body := gapBody{gapRow: gapRowOf(g, c), State: g.State, Next: c.tell(report.RemedyText(g.Kind, g.State)), Detail: c.tell(short(g.Detail, 1000)), ERP: g.ERP,
		MayAct: v.may("operator") && g.State != store.GapClosed, MayIgnore: v.may("operator") && g.State != store.GapClosed && g.State != store.GapIgnored,
		Facts: gapFacts(g, c)}
	if g.OrderName != "" {
		body.Order = orderPath(g.Shop, g.OrderID)
	}
	if g.OrderID != 0 {
		body.Admin = v.adminOrder(g.Shop, g.OrderID)
		d, err := v.Store.Delivery(v.Context(), g.Key())
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return view{}, err
		}
		body.InERP = v.erpDocument(d)
	}
	if g.RunID != 0 {
		body.Run = fmt.Sprintf("/runs/%d", g.RunID)
	}
	for _, s := range steps {
		body.Steps = append(body.Steps, gapHappening(s, c))
	}
	return view{template: "gap", title: body.Name + ", " + body.Kind, body: body}, nil
}

func gapFacts(g store.Gap, c clock) []fact {
	facts := []fact{{Label: "Since", At: c.at(g.Since)}, {Label: "Found", Text: "after " + span(g.FirstSeen.Sub(g.Since)) + ", " + report.WayText(g.FoundBy)}}
	if !g.CheckedAt.IsZero() {
		facts = append(facts, fact{Label: "ERP last asked", At: c.at(g.CheckedAt)})
	}
	if g.State == store.GapClosed {
		facts = append(facts, fact{Label: "Healed", At: c.at(g.ClosedAt)})
	}
	if g.Reopened > 0 {
		facts = append(facts, fact{Label: "Came back", Text: plural(int64(g.Reopened), "time")})
	}
	return facts
}

// stepsTold says what happened to a gap, and how good that is.
var stepsTold = map[string]badge{
	"opened": {"Found", "bad"}, "seen": {"Looked at again", ""}, "healing": {"Being put right", "warn"}, "closed": {"Healed: the ERP shows it as it should be", "good"},
	"ignored": {"Left as it is", ""}, "reopened": {"Back", "bad"}, "alerted": {"People were told", ""},
}

func gapHappening(s store.GapStep, c clock) happening {
	told := stepsTold[s.Step]
	h := happening{at: s.At, At: c.at(s.At), What: cmp.Or(told.Text, s.Step), Tone: told.Tone, Detail: c.tell(short(s.Detail, 600))}
	if s.By != "" {
		h.By = report.WayText(s.By)
	}
	return h
}

// happening is one thing of a course.
type happening struct {
	at             time.Time
	order          int // among those of one moment
	At             *moment
	What, By, Tone string
	Detail, Hint   string
	Link, LinkText string
	Key            string
	Body           string // raw, behind a fold
	Calls          []exchange
}
