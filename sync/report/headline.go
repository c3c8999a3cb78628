package report

import (
	"strings"
	"time"
)

// Headline is the report's first line: whether the day is balanced, by how much
// it is not, and how far it was checked. A day that was not checked to its end
// is never called balanced, for an unchecked hour is not a clean hour.
//
//	acme, 22 November 2026: balanced. 412 orders in Shopify, all accounted for.
//	acme, 22 November 2026, NOT BALANCED: 2 orders missing, 118.40 EUR.
//	acme, 22 November 2026: checked through 14:05 only. 210 orders in Shopify so far, all accounted for.
//	acme, 22 November 2026, COULD NOT BE CHECKED: the ERP could not be read whole: it does not answer.
func (r Report) Headline() string {
	about := plain(r.Shop, mostName) + ", " + r.clock().date(r.Day)
	switch {
	case r.Unchecked != "":
		return about + ", COULD NOT BE CHECKED: " + r.verdict()
	case !r.Balance.Balanced():
		return about + ", NOT BALANCED: " + r.verdict()
	}
	return about + ": " + r.verdict()
}

// Verdict is the headline where shop and day are told already.
func (r Report) Verdict() string {
	switch {
	case r.Unchecked != "":
		return "Could not be checked: " + r.verdict()
	case !r.Balance.Balanced():
		return "Not balanced: " + r.verdict()
	}
	return sentence(r.verdict())
}

func (r Report) verdict() string {
	switch {
	case r.Unchecked != "" && !r.Balance.Balanced():
		return r.why() + "; what was seen is not balanced: " + r.Balance.fault() + "."
	case r.Unchecked != "":
		return r.why() + "."
	case !r.Balance.Balanced() && !r.Complete:
		return r.Balance.fault() + "; " + r.checked() + "."
	case !r.Balance.Balanced():
		return r.Balance.fault() + "."
	case !r.Complete:
		return r.checked() + ". " + r.Balance.account(" so far")
	}
	return "balanced. " + r.Balance.account("")
}

// why is the reason why a day could not be checked, short enough for a subject.
func (r Report) why() string { return strings.TrimRight(plain(r.Unchecked, mostReason), ". ") }

// checked says how far an incomplete day was checked.
func (r Report) checked() string {
	through := r.CompleteThrough
	switch {
	case !through.After(r.From):
		return "nothing of it is checked yet"
	case !through.Before(r.To):
		return "checked in part only"
	}
	return "checked through " + r.clock().at(through) + " only"
}

// account is the sentence of a day that adds up.
func (b Balance) account(soFar string) string {
	if b.Shopify.Orders == 0 {
		return "No orders in Shopify" + soFar + "."
	}
	var waiting []string
	if n := b.Pending.Orders; n != 0 {
		waiting = append(waiting, number(n)+" on the way")
	}
	if n := b.Parked.Orders; n != 0 {
		waiting = append(waiting, number(n)+" waiting for a person")
	}
	line := counted(b.Shopify.Orders, "order") + " in Shopify" + soFar + ", all accounted for"
	if len(waiting) > 0 {
		line += " (" + strings.Join(waiting, ", ") + ")"
	}
	return line + "."
}

// fault names all that keeps a day from being balanced.
func (b Balance) fault() string {
	var faults []string
	if !b.Missing.Empty() {
		faults = append(faults, strings.Join(append([]string{counted(b.Missing.Orders, "order") + " missing"}, sums(b.Missing)...), ", "))
	}
	if b.Wrong != 0 {
		faults = append(faults, counted(b.Wrong, "document")+" wrong in the ERP")
	}
	if b.Overdue != 0 {
		faults = append(faults, counted(b.Overdue, "order")+" on the way for too long")
	}
	if off := b.Difference(); !off.Empty() {
		parts := sums(off)
		if off.Orders != 0 {
			parts = append([]string{counted(off.Orders, "order")}, parts...)
		}
		faults = append(faults, "Shopify and the rest differ by "+strings.Join(parts, ", "))
	}
	return strings.Join(faults, "; ")
}

// clock tells times as the shop's own clock showed them that day.
type clock struct {
	zone     *time.Location
	from, to time.Time
}

func (r Report) clock() clock {
	zone, err := time.LoadLocation(r.Timezone)
	if err != nil || r.Timezone == "Local" { // this machine's zone is not the shop's
		zone = time.UTC
	}
	return clock{zone, r.From, r.To}
}

// date is "22 November 2026" of "2026-11-22".
func (c clock) date(day string) string {
	t, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return plain(day, mostName)
	}
	return t.Format("2 January 2006")
}

// at is the time alone within the day, 24:00 for its end, and else with its date.
func (c clock) at(t time.Time) string {
	local := t.In(c.zone)
	switch {
	case t.Equal(c.to):
		return "24:00"
	case !t.Before(c.from) && t.Before(c.to):
		return local.Format("15:04") + c.mark(local)
	}
	return local.Format("2 January 2006, 15:04")
}

// mark names the offset on a day when the clock changes, since an hour then
// comes twice.
func (c clock) mark(local time.Time) string {
	_, before := c.from.In(c.zone).Zone()
	_, after := c.to.In(c.zone).Zone()
	if before == after {
		return ""
	}
	return local.Format(" MST")
}
