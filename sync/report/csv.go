package report

import (
	"encoding/csv"
	"io"
	"regexp"
	"strconv"
	"time"
)

// columns of the table. Every row has all of them; a pivot table filters by
// section first, since count counts other things in each:
//
//	section   item                 count          amount  times
//	summary   headline, checked,   -              -       found
//	          made, frozen
//	balance   shopify, erp, ...,   orders         money   -
//	          missing, difference
//	balance   wrong                documents      -       -
//	balance   overdue              orders         -       -
//	excluded  the rule's name      orders         money   -
//	gap       the gap's kind       1 if an order  money   since, found, healed
//	webhooks  received, ...        webhooks       -       -
//	          lag_p50_s, lag_p99_s seconds        -       -
//	note      -                    -              -       -
//	change    -                    -              -       found
//
// An item with several currencies has a row for each; count stands in the first
// alone, so that both columns can be summed. Times are the shop's own, as
// spreadsheets read them; json has the exact instants. detail is in plain words;
// subject, ignored_by and reason are a gap's.
var columns = []string{
	"shop", "day", "timezone", "section", "item", "order", "order_id", "count", "currency", "amount",
	"cause", "state", "since", "found", "found_by", "healed", "healed_by", "detail",
	"subject", "ignored_by", "reason",
}

// row is one line; the zero value of a cell leaves it empty.
type row struct {
	section, item    string
	order, orderID   string
	count            string
	currency, amount string
	cause, state     string
	since, found     time.Time
	foundBy          string
	healed           time.Time
	healedBy         string
	detail           string
	subject          string
	ignoredBy        string
	reason           string
}

func (r Report) writeCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	lines := [][]string{columns}
	for _, row := range r.rows() {
		lines = append(lines, r.cells(row))
	}
	return out.WriteAll(lines)
}

func (r Report) rows() []row {
	rows := []row{
		{section: "summary", item: "headline", detail: r.Headline()},
		{section: "summary", item: "checked", found: r.CompleteThrough},
		{section: "summary", item: "made", found: r.MadeAt},
		{section: "summary", item: "frozen", found: r.FrozenAt},
	}
	rows = append(rows, r.Balance.rows()...)
	for _, e := range r.ByRule {
		rows = append(rows, e.Tally.rows("excluded", e.Rule)...)
	}
	for _, g := range r.Gaps {
		rows = append(rows, g.row())
	}
	rows = append(rows, r.Webhooks.rows()...)
	for _, note := range r.Notes {
		rows = append(rows, row{section: "note", detail: note})
	}
	for _, a := range r.Amendments {
		rows = append(rows, row{section: "change", found: a.At, detail: a.What})
	}
	return rows
}

func (b Balance) rows() []row {
	var rows []row
	for _, l := range []struct {
		item  string
		tally Tally
	}{
		{"shopify", b.Shopify}, {"erp", b.ERP}, {"cancelled", b.Cancelled}, {"excluded", b.Excluded},
		{"pending", b.Pending}, {"parked", b.Parked}, {"missing", b.Missing}, {"difference", b.Difference()},
	} {
		rows = append(rows, l.tally.rows("balance", l.item)...)
	}
	return append(rows, row{section: "balance", item: "wrong", count: whole(b.Wrong)}, row{section: "balance", item: "overdue", count: whole(b.Overdue)})
}

func (t Tally) rows(section, item string) []row {
	rows := []row{{section: section, item: item, count: whole(t.Orders)}}
	for i, m := range t.Money {
		if i > 0 {
			rows = append(rows, row{section: section, item: item})
		}
		rows[i].currency, rows[i].amount = m.Currency, digits(m.Currency, m.Amount)
	}
	return rows
}

func (g Gap) row() row {
	r := row{
		section: "gap", item: g.Kind, order: g.Order, cause: g.Cause, state: g.State,
		since: g.Since, found: g.FirstSeen, foundBy: g.FoundBy, healed: g.ClosedAt, healedBy: g.HealedBy, detail: g.CauseText,
		subject: g.Subject, ignoredBy: g.IgnoredBy, reason: g.Reason,
	}
	if g.OrderID != 0 {
		r.orderID, r.count = whole(g.OrderID), "1"
	}
	if g.Currency != "" {
		r.currency, r.amount = g.Currency, digits(g.Currency, g.Total)
	}
	return r
}

func (w Webhooks) rows() []row {
	var rows []row
	for _, l := range []struct{ item, count string }{
		{"received", whole(w.Received)}, {"duplicate", whole(w.Duplicate)}, {"refused", whole(w.Refused)},
		{"late", whole(w.Late)}, {"never_came", whole(w.NeverCame)},
		{"lag_p50_s", seconds(w.LagP50)}, {"lag_p99_s", seconds(w.LagP99)},
	} {
		rows = append(rows, row{section: "webhooks", item: l.item, count: l.count})
	}
	return rows
}

func whole(n int64) string     { return strconv.FormatInt(n, 10) }
func seconds(s float64) string { return strconv.FormatFloat(s, 'f', -1, 64) }

// cells are in the order of columns.
func (r Report) cells(o row) []string {
	zone := r.clock().zone
	at := func(t time.Time) string {
		if t.IsZero() {
			return ""
		}
		return t.In(zone).Format(time.DateTime)
	}
	cells := []string{
		r.Shop, r.Day, zone.String(), o.section, o.item, o.order, o.orderID, o.count, o.currency, o.amount,
		o.cause, o.state, at(o.since), at(o.found), o.foundBy, at(o.healed), o.healedBy, o.detail,
		o.subject, o.ignoredBy, o.reason,
	}
	for i := range cells {
		cells[i] = cell(cells[i])
	}
	return cells
}

var (
	// formula is what a spreadsheet would compute: at a cell's start, and behind
	// a semicolon too, which begins a new cell wherever commas write decimals.
	// The wide forms count for Japanese spreadsheets.
	formula  = regexp.MustCompile(`(^|;)([\s"'` + "`" + `]*[=+\-@＝＋－＠])`)
	negative = regexp.MustCompile(`^-[0-9]+(\.[0-9]+)?$`)
)

// cell is text that a spreadsheet shows and never computes.
func cell(text string) string {
	text = plain(text, mostSentence)
	if negative.MatchString(text) {
		return text
	}
	return formula.ReplaceAllString(text, "$1'$2")
}
