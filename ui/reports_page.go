package ui

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

type reportsBody struct {
	Shop   string
	Shops  *tabs
	Months []month
	Empty  bool
}

type month struct {
	Name string
	Days []day
}

// day is a square of the calendar; without a number it is a gap at its begin.
type day struct {
	Number    int
	Path      string
	Tone      string
	Text      string // seen
	Label     string // heard
	Upcoming  bool
	Weekday   string
	IsHeading bool
}

// monthsShown is how many months the calendar goes back.
const monthsShown = 3

// reportsPage is the calendar of balanced and unbalanced days.
func reportsPage(v *visit) (view, error) {
	if len(v.Shops) == 0 {
		return view{template: "reports", title: "Reports", body: reportsBody{Empty: true}}, nil
	}
	name := v.oneOf("shop", v.Shops...)
	body := reportsBody{Shop: name}
	if len(v.Shops) > 1 {
		body.Shops = &tabs{Label: "Shops"}
		for _, s := range v.Shops {
			body.Shops.Tabs = append(body.Shops.Tabs, tab{s, v.with("shop", s), s == name})
		}
	}
	shop, err := v.Store.Shop(v.Context(), name)
	if err != nil {
		return view{}, err
	}
	today := v.clock(shop).midnight()
	first := time.Date(today.Year(), today.Month()-monthsShown+1, 1, 0, 0, 0, 0, time.UTC)
	days, err := v.Store.ReportDays(v.Context(), name, first.Format(time.DateOnly), today.Format(time.DateOnly))
	if err != nil {
		return view{}, err
	}
	for i := range monthsShown {
		body.Months = append(body.Months, monthOf(first.AddDate(0, i, 0), today, name, days))
	}
	slices.Reverse(body.Months)
	return view{template: "reports", title: "Reports", body: body}, nil
}

func monthOf(first, today time.Time, shop string, known map[string]store.Report) month {
	m := month{Name: first.Format("January 2006")}
	for _, w := range []string{"Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"} {
		m.Days = append(m.Days, day{Weekday: w, IsHeading: true})
	}
	for range (int(first.Weekday()) + 6) % 7 {
		m.Days = append(m.Days, day{})
	}
	for at := first; at.Month() == first.Month(); at = at.AddDate(0, 0, 1) {
		text := at.Format(time.DateOnly)
		d := day{Number: at.Day(), Path: "/reports/" + text + "?shop=" + url.QueryEscape(shop), Upcoming: text > today.Format(time.DateOnly), Label: at.Format("2 January") + ": no report"}
		if r, there := known[text]; there {
			d.Tone, d.Text = dayTone(r)
			d.Label = at.Format("2 January") + ": " + d.Text
		}
		m.Days = append(m.Days, d)
	}
	return m
}

// dayTone is how a day with a report looks in the calendar, in a word or two.
func dayTone(r store.Report) (tone, text string) {
	switch {
	case r.Balanced:
		return "good", "balanced"
	case r.Partial:
		return "unsure", "not checked whole"
	}
	return "bad", "not balanced"
}

type reportView struct {
	Shop, Day, Title string
	None             bool // there is no report of the day yet
	Upcoming         bool
	Verdict, Tone    string
	Icon             string
	Facts            []fact
	Sums             []sum
	Open, Settled    []gapTold
	Hidden           int
	Webhooks         report.Webhooks
	Half, Most       string
	Notes            []string
	Amendments       []fact
	Frozen           bool
	MayAct           bool
	Before, After    string
}

// sum is one line of the balance.
type sum struct {
	Label  string
	Orders int64
	Money  []string
	Kind   string // part, result, or nothing
}

type gapTold struct {
	Name, What, Amount, Why, Path string
	Found                         *moment
	Ended                         string
}

// formats are the kinds of a report's files.
var formats = map[string]string{report.FormatCSV: "text/csv; charset=utf-8", report.FormatJSON: "application/json"}

// reportPage shows the report of a day, or hands it over as a file.
func reportPage(v *visit) (view, error) {
	text, format, _ := strings.Cut(v.params.ByName("day"), ".")
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || format != "" && formats[format] == "" {
		return view{}, notFound("There is no such report")
	}
	if len(v.Shops) == 0 {
		return view{}, notFound("There is no shop to report on")
	}
	shop := v.oneOf("shop", v.Shops...)
	r, err := v.Actions.Report(v.Context(), shop, text)
	none := errors.Is(err, store.ErrNotFound)
	switch {
	case err != nil && !none:
		return view{}, err
	case none && format != "":
		return view{}, pageError{http.StatusNotFound, "There is no report of this day yet", "Open the day without ." + format + " and have it compared."}
	case format != "":
		return reportFile(r, format)
	}
	body := v.told(r)
	state, err := v.Store.Shop(v.Context(), shop)
	if err != nil {
		return view{}, err
	}
	today := v.clock(state).midnight()
	body.Shop, body.Day, body.None, body.MayAct = shop, text, none, v.may("operator")
	body.Title = at.Format("Monday, 2 January 2006")
	body.Upcoming = text > today.Format(time.DateOnly)
	query := "?shop=" + url.QueryEscape(shop)
	body.Before = "/reports/" + at.AddDate(0, 0, -1).Format(time.DateOnly) + query
	if next := at.AddDate(0, 0, 1).Format(time.DateOnly); next <= today.Format(time.DateOnly) {
		body.After = "/reports/" + next + query
	}
	return view{template: "report", title: "Report of " + at.Format("2 January 2006"), body: body}, nil
}

func reportFile(r report.Report, format string) (view, error) {
	var b bytes.Buffer
	if err := r.Write(&b, format); err != nil {
		return view{}, err
	}
	return view{file: &file{fmt.Sprintf("gapless-%s-%s.%s", r.Shop, r.Day, format), formats[format], b.Bytes()}}, nil
}

// mostTold is how many gaps of a day a page shows.
const mostTold = 200

func (v *visit) told(r report.Report) reportView {
	c := v.clock(store.Shop{Timezone: r.Timezone})
	body := reportView{Verdict: r.Verdict(), Tone: "good", Icon: "good", Frozen: !r.FrozenAt.IsZero(), Webhooks: r.Webhooks, Notes: r.Notes, Sums: sumsOf(r),
		Half: span(time.Duration(r.Webhooks.LagP50 * 1e9)), Most: span(time.Duration(r.Webhooks.LagP99 * 1e9))}
	switch {
	case !r.Balance.Balanced():
		body.Tone, body.Icon = "bad", "bad"
	case !r.Complete:
		body.Tone, body.Icon = "unsure", "unsure"
	}
	body.Facts = []fact{{"Made", "", c.at(r.MadeAt)}, {"Checked through", "", c.at(r.CompleteThrough)}, {"Final since", "", c.at(r.FrozenAt)}}
	body.Facts = slices.DeleteFunc(body.Facts, func(f fact) bool { return f.At == nil })
	body.Facts = append(body.Facts, fact{Label: "Times", Text: "the shop's own, " + r.Timezone})
	for _, a := range r.Amendments {
		body.Amendments = append(body.Amendments, fact{short(a.What, 400), "", c.at(a.At)})
	}
	for i, g := range r.Gaps {
		if i == mostTold {
			body.Hidden = len(r.Gaps) - mostTold
			break
		}
		told := gapTold{Name: short(g.Order, 60), What: report.KindText(g.Kind), Why: c.tell(short(g.CauseText, 400)), Path: fmt.Sprintf("/gaps/%d", g.ID), Found: c.at(g.FirstSeen)}
		if g.Currency != "" {
			told.Amount = report.Money{Currency: g.Currency, Amount: g.Total}.String()
		}
		switch g.State {
		case store.GapClosed:
			told.Ended = "healed after " + report.Span(time.Duration(g.HealAfter)*time.Second)
			body.Settled = append(body.Settled, told)
		case store.GapIgnored:
			told.Ended = "left as it is"
			body.Settled = append(body.Settled, told)
		default:
			body.Open = append(body.Open, told)
		}
	}
	return body
}

func sumsOf(r report.Report) []sum {
	b := r.Balance
	sums := []sum{sumOf("In Shopify", b.Shopify, ""), sumOf("In the ERP", b.ERP, ""), sumOf("Cancelled, not needed in the ERP", b.Cancelled, ""), sumOf("Left out by a rule", b.Excluded, "")}
	for _, e := range r.ByRule {
		sums = append(sums, sumOf(short(e.Rule, 80), e.Tally, "part"))
	}
	return append(sums, sumOf("On the way", b.Pending, ""), sumOf("Waiting for a person", b.Parked, ""), sumOf("Missing", b.Missing, ""),
		sumOf("Difference", b.Difference(), "result"), sum{Label: "Documents wrong in the ERP", Orders: b.Wrong}, sum{Label: "On the way for too long", Orders: b.Overdue})
}

func sumOf(label string, t report.Tally, kind string) sum {
	s := sum{Label: label, Orders: t.Orders, Kind: kind}
	for _, m := range t.Money {
		s.Money = append(s.Money, m.String())
	}
	return s
}

// compareDay begins to compare a day anew.
func compareDay(v *visit) (view, error) {
	text, shop := v.params.ByName("day"), v.PostForm.Get("shop")
	at, err := time.Parse(time.DateOnly, text)
	if err != nil || !slices.Contains(v.Shops, shop) {
		return view{}, notFound("There is no such report")
	}
	if at.After(v.now.AddDate(0, 0, 1)) {
		return view{}, wrongInput("That day has not begun yet.")
	}
	shown, err := v.started(v.Actions.StartDay(v.Context(), shop, text, v.person.Name))
	if shown.redirect != "" {
		shown.redirect += "&shop=" + url.QueryEscape(shop)
	}
	return shown, err
}
