package ui

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"gapless/store"
	"gapless/sync/report"
)

// sheet is what the page shows of a neutral order.
type sheet struct {
	Currency          string      `json:"currency"`
	Lines             []sheetLine `json:"lines"`
	Shipping          []sheetLine `json:"shipping"`
	FinancialStatus   string      `json:"financial_status"`
	FulfillmentStatus string      `json:"fulfillment_status"`
}

type sheetLine struct {
	SKU      string `json:"sku"`
	Title    string `json:"title"`
	Variant  string `json:"variant"`
	Quantity int64  `json:"quantity"`
	Amount   string `json:"amount"`
}

func (l sheetLine) name() string { return strings.TrimSuffix(l.Title+" - "+l.Variant, " - ") }

// sold are the lines that are still wanted, and the shipping.
func (s sheet) sold() []sheetLine {
	lines := slices.DeleteFunc(slices.Clone(s.Lines), func(l sheetLine) bool { return l.Quantity == 0 })
	for _, l := range s.Shipping {
		l.Quantity = 1
		lines = append(lines, l)
	}
	return lines
}

// linesBody are the lines of an order as Shopify has them, beside the ERP's.
type linesBody struct {
	Head string // of the ERP's column; empty: nothing is known of its lines
	At   *moment
	Note string
	Bare bool // the ERP's amounts leave out taxes and discounts
	Rows []lineRow
}

type lineRow struct {
	Title, SKU   string
	Shopify, ERP string // "2 for 12.50 EUR"; empty: not there
	Differs      string // how, in words; empty: it does not
	Extra        bool
}

// askTime is how long a page waits for the ERP.
const askTime = 10 * time.Second

// sheetLines sets the order's lines beside those that the ERP tells now, where it is
// asked, else beside those that were sent last: a page does not wait for an ERP
// that nobody asked about.
func (v *visit) sheetLines(o store.Order, d store.Delivery, s sheet, said []store.Try, c clock) linesBody {
	if v.URL.Query().Get("erp") != "ask" || d.State == "" {
		return sentLines(s, said, c)
	}
	found, err := v.document(o.OrderKey)
	if err != nil {
		told := sentLines(s, said, c)
		told.Note = err.Error()
		return told
	}
	told := linesBody{Head: "ERP, asked", At: c.at(v.now), Bare: found.Bare, Rows: beside(s.sold(), found.Lines, found.Bare, s.Currency)}
	switch {
	case found.ID == "":
		told.Note = "The ERP holds no document of this order now."
	case found.Cancelled:
		told.Note = "The ERP's document " + short(found.ID, 60) + " is cancelled."
	case found.Lines == nil:
		told = sentLines(s, said, c)
		told.Note = "The ERP holds " + short(found.ID, 60) + " and does not tell its lines."
	}
	return told
}

// document is the order's document in the ERP: the live one, where there are
// several. Its errors are for the page.
func (v *visit) document(k store.OrderKey) (Document, error) {
	ctx, cancel := context.WithTimeout(v.Context(), askTime)
	defer cancel()
	documents, err := v.Actions.Documents(ctx, k)
	if err != nil {
		v.Log.Warn("an ERP could not be asked for the lines of an order", "shop", k.Shop, "order", k.ID, "err", err)
		return Document{}, errors.New("The ERP could not be asked just now.")
	}
	return live(documents), nil
}

// live is the document that counts: one that is not cancelled, where there is any.
func live(documents []Document) (found Document) {
	for _, d := range documents {
		if found.ID == "" || found.Cancelled && !d.Cancelled {
			found = d
		}
	}
	return found
}

// sentLines sets the order beside what was sent to the ERP last, as far as that
// is kept and names its lines as the neutral order does.
func sentLines(s sheet, said []store.Try, c clock) linesBody {
	for _, t := range said {
		if t.Outcome == nil || t.Outcome.Result != "created" && t.Outcome.Result != "updated" {
			continue
		}
		sent, known := lastSent(t.Outcome.Exchanges)
		if !known {
			break
		}
		var lines []DocumentLine
		for _, l := range sent.sold() {
			lines = append(lines, DocumentLine{SKU: l.SKU, Title: l.name(), Quantity: decimal.NewFromInt(l.Quantity), Amount: l.Amount})
		}
		return linesBody{Head: "Sent to the ERP", At: c.at(t.StartedAt), Rows: beside(s.sold(), lines, false, s.Currency)}
	}
	told := linesBody{Rows: beside(s.sold(), nil, false, s.Currency)}
	for i := range told.Rows {
		told.Rows[i].Differs = "" // nothing is known
	}
	return told
}

// lastSent is the last document among what was said to an ERP.
func lastSent(exchanges json.RawMessage) (sheet, bool) {
	var told []struct{ Request string }
	if json.Unmarshal(exchanges, &told) != nil {
		return sheet{}, false
	}
	for _, x := range slices.Backward(told) {
		var s sheet
		_, body, _ := strings.Cut(x.Request, "\n")
		if json.Unmarshal([]byte(body), &s) == nil && len(s.Lines) > 0 {
			return s, true
		}
	}
	return sheet{}, false
}

// alike say which line of a document an order's line is: first the surest way,
// over all lines, then the next. A stand-in article bears the title alone.
var alike = []func(sheetLine, DocumentLine) bool{
	func(l sheetLine, d DocumentLine) bool {
		return l.SKU != "" && l.SKU == d.SKU && d.Quantity.Equal(decimal.NewFromInt(l.Quantity))
	},
	func(l sheetLine, d DocumentLine) bool { return l.SKU != "" && l.SKU == d.SKU },
	func(l sheetLine, d DocumentLine) bool { return strings.EqualFold(l.name(), d.Title) },
	func(l sheetLine, d DocumentLine) bool { return strings.EqualFold(l.Title, d.Title) },
}

// beside pairs the lines of an order with those of a document, each once.
func beside(ours []sheetLine, theirs []DocumentLine, bare bool, currency string) []lineRow {
	pair, taken := make([]int, len(ours)), make([]bool, len(theirs))
	for i := range pair {
		pair[i] = -1
	}
	for _, same := range alike {
		for i, l := range ours {
			for j := range theirs {
				if pair[i] < 0 && !taken[j] && !theirs[j].Extra && same(l, theirs[j]) {
					pair[i], taken[j] = j, true
				}
			}
		}
	}
	var rows []lineRow
	for i, l := range ours {
		row := lineRow{Title: short(l.name(), 160), SKU: short(l.SKU, 80), Shopify: pieces(decimal.NewFromInt(l.Quantity), l.Amount, currency), Differs: "not in the ERP"}
		if pair[i] >= 0 {
			d := theirs[pair[i]]
			row.ERP, row.Differs = pieces(d.Quantity, d.Amount, currency), differs(l, d, bare)
		}
		rows = append(rows, row)
	}
	for j, d := range theirs {
		if taken[j] {
			continue
		}
		row := lineRow{Title: short(d.Title, 160), SKU: short(d.SKU, 80), ERP: pieces(d.Quantity, d.Amount, currency), Differs: "only in the ERP", Extra: d.Extra}
		if d.Extra {
			row.Differs = ""
		}
		rows = append(rows, row)
	}
	return rows
}

func differs(l sheetLine, d DocumentLine, bare bool) string {
	var how []string
	if !d.Quantity.Equal(decimal.NewFromInt(l.Quantity)) {
		how = append(how, "quantity differs")
	}
	if !bare && d.Amount != "" && !amount(d.Amount).Equal(amount(l.Amount)) {
		how = append(how, "amount differs")
	}
	return strings.Join(how, ", ")
}

// pieces is "2 for 12.50 EUR".
func pieces(quantity decimal.Decimal, amount, currency string) string {
	worth := report.MoneyText(amount, currency)
	if worth == "" {
		return quantity.String()
	}
	return quantity.String() + " for " + worth
}
