package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// mostGaps is how many gaps text and html show.
const mostGaps = 200

// page is the report in words, as text and html both show it.
type page struct {
	Headline   string
	Tone       string // good, bad or unsure
	Facts      []fact
	Balance    []line
	Open       []item
	Settled    []item
	Hidden     string // how many gaps are not shown
	Webhooks   []string
	Notes      []string
	Amendments []string
}

type fact struct{ Label, Text string }

// line is one line of the balance.
type line struct {
	Label   string
	Count   string
	Amounts []string // one a currency; one that is empty where there is no money
	Part    bool     // of the line above
	Result  bool     // set apart from the lines above
}

// item is one gap.
type item struct {
	Open   bool
	What   string
	Amount string
	Order  string
	Course []string // why, when and how it ended, one sentence each
}

// title puts an order's name last: where it is written from right to left,
// nothing follows that would be drawn into it.
func (i item) title() string {
	parts := []string{i.What, i.Amount, i.Order}
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), ", ")
}

func (r Report) page() page {
	p := page{
		Headline: r.Headline(), Tone: r.tone(),
		Facts: r.facts(), Balance: r.lines(), Webhooks: r.Webhooks.sentences(),
	}
	r.addGaps(&p)
	for _, note := range r.Notes {
		p.Notes = append(p.Notes, sentence(note))
	}
	for _, a := range r.Amendments {
		p.Amendments = append(p.Amendments, r.clock().at(a.At)+": "+sentence(a.What))
	}
	return p
}

func (r Report) tone() string {
	switch {
	case !r.Balance.Balanced(), r.Unchecked != "":
		return "bad"
	case !r.Complete:
		return "unsure"
	}
	return "good"
}

func (r Report) facts() []fact {
	c := r.clock()
	checked := "to the end of the day"
	if !r.Complete {
		checked = strings.TrimPrefix(r.checked(), "checked ")
	}
	facts := []fact{
		{"Day", c.date(r.Day)},
		{"Times", "the shop's own, " + c.zone.String()},
		{"Checked", checked},
		{"Made", c.at(r.MadeAt)},
	}
	if !r.FrozenAt.IsZero() {
		facts = append(facts, fact{"Final", "since " + c.at(r.FrozenAt)})
	}
	return facts
}

func (r Report) lines() []line {
	b := r.Balance
	lines := []line{
		lineOf("In Shopify", b.Shopify),
		lineOf("In the ERP", b.ERP),
		lineOf("Cancelled, not needed in the ERP", b.Cancelled),
		lineOf("Left out by a rule", b.Excluded),
	}
	for _, e := range r.ByRule {
		part := lineOf(plain(e.Rule, mostName), e.Tally)
		part.Part = true
		lines = append(lines, part)
	}
	lines = append(lines, lineOf("On the way", b.Pending), lineOf("Waiting for a person", b.Parked), lineOf("Missing", b.Missing))
	off := lineOf("Difference", b.Difference())
	off.Result = true
	wrong := line{Label: "Documents wrong in the ERP", Count: number(b.Wrong), Amounts: []string{""}}
	overdue := line{Label: "On the way for too long", Count: number(b.Overdue), Amounts: []string{""}}
	return append(lines, off, wrong, overdue)
}

func lineOf(label string, t Tally) line {
	amounts := sums(t)
	if len(amounts) == 0 {
		amounts = []string{""}
	}
	return line{Label: label, Count: number(t.Orders), Amounts: amounts}
}

// addGaps puts first what is still to be done.
func (r Report) addGaps(p *page) {
	for _, g := range r.Gaps[:min(len(r.Gaps), mostGaps)] {
		if g.settled() {
			p.Settled = append(p.Settled, r.item(g))
		} else {
			p.Open = append(p.Open, r.item(g))
		}
	}
	if more := len(r.Gaps) - mostGaps; more > 0 {
		p.Hidden = number(int64(more)) + " more are not shown here; the report as csv or json has them all."
	}
}

func (g Gap) settled() bool { return g.State == "closed" || g.State == "ignored" }

func (r Report) item(g Gap) item {
	i := item{Open: !g.settled(), What: KindText(g.Kind), Order: plain(g.Order, mostName)}
	if g.Currency != "" {
		i.Amount = Money{g.Currency, g.Total}.String()
	}
	if why := sentence(g.CauseText); why != "" {
		i.Course = append(i.Course, why)
	}
	i.Course = append(i.Course, r.found(g), r.ended(g))
	return i
}

func (r Report) found(g Gap) string {
	c := r.clock()
	found := "Found " + c.at(g.FirstSeen)
	if !g.Since.IsZero() {
		found = "Since " + c.at(g.Since) + ", found " + c.at(g.FirstSeen)
		if g.DetectedAfter > 0 {
			found += " (after " + span(g.DetectedAfter) + ")"
		}
	}
	return found + by(g.FoundBy) + "."
}

func (r Report) ended(g Gap) string {
	switch {
	case g.State == "healing":
		return "It is being put right."
	case !g.settled():
		return "Still open."
	case g.State == "ignored" && g.IgnoredBy == "": // as reports were made once
		return "Ignored."
	case g.State == "ignored":
		return sentence("Ignored by " + plain(g.IgnoredBy, mostName) + ": " + g.Reason)
	}
	return "Settled " + r.closed(g) + by(g.HealedBy) + "."
}

func (r Report) closed(g Gap) string {
	if g.ClosedAt.IsZero() {
		return ""
	}
	closed := r.clock().at(g.ClosedAt)
	if g.HealAfter > 0 {
		closed += " (after " + span(g.HealAfter) + ")"
	}
	return closed
}

// by says what did it, where that is known.
func by(way string) string {
	if way == "" {
		return ""
	}
	return " " + WayText(way)
}

func (w Webhooks) sentences() []string {
	counts := fmt.Sprintf("%s received, %s of them late. %s came again, %s refused, %s never came.",
		number(w.Received), number(w.Late), number(w.Duplicate), number(w.Refused), number(w.NeverCame))
	if w.Received == 0 {
		return []string{counts}
	}
	return []string{counts, fmt.Sprintf("Half came within %s, 99 of 100 within %s.", lag(w.LagP50), lag(w.LagP99))}
}

// lag rounds up, so that nothing took no time.
func lag(seconds float64) string { return span(max(1, int64(math.Ceil(seconds)))) }
