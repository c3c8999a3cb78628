package tryton

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// States of a sale. A sale ends in done or cancelled; confirm also processes,
// unless Tryton has a queue, whose worker does it a moment later.
const (
	stateDraft      = "draft"
	stateQuotation  = "quotation"
	stateConfirmed  = "confirmed"
	stateProcessing = "processing"
	stateDone       = "done"
	stateCancelled  = "cancelled"
)

// rank orders the states a live sale goes through.
var rank = map[string]int{
	stateDraft: 0, stateQuotation: 1, stateConfirmed: 2, stateProcessing: 3, stateDone: 4,
}

// replacedSuffix marks the reference of a sale that was undone to make room for
// a newer one: a processed sale can't become "cancelled" in Tryton.
const replacedSuffix = " (replaced)"

// sale is one sale as Tryton tells it.
type sale struct {
	ID        int64   `json:"id"`
	Number    string  `json:"number"` // null while it is a draft
	Reference string  `json:"reference"`
	State     string  `json:"state"`
	Comment   string  `json:"comment"`
	Total     numeric `json:"total_amount"`
	Currency  struct {
		Code   string `json:"code"`
		Digits int32  `json:"digits"`
	} `json:"currency."`
	Created stamp `json:"create_date"`
	Written stamp `json:"write_date"`

	Lines           []int64 `json:"lines"`
	Shipments       []int64 `json:"shipments"`
	Returns         []int64 `json:"shipment_returns"`
	Invoices        []int64 `json:"invoices"`
	InvoiceState    string  `json:"invoice_state"`
	ShipmentState   string  `json:"shipment_state"`
	InvoicesIgnored []int64 `json:"invoices_ignored"`

	undone bool // done, and nothing of it was or will be delivered or invoiced
}

var saleFields = []string{
	"number", "reference", "state", "comment", "total_amount", "currency.code", "currency.digits",
	"create_date", "write_date", "lines", "shipments", "shipment_returns", "invoices",
	"invoice_state", "shipment_state", "invoices_ignored",
}

// live says whether the sale still stands for an order.
func (s sale) live() bool { return s.State != stateCancelled && !s.undone }

// reached says whether the sale has come as far as state.
func (s sale) reached(state string) bool { return rank[s.State] >= rank[state] }

// target is the state to bring a sale to. One without lines stays a draft:
// Tryton would take it from confirmed to done at once, where it can't be undone.
func target(state string, lines int) string {
	if lines == 0 {
		return stateDraft
	}
	return state
}

// total is the amount with the digits of the sale's currency.
func (s sale) total() erp.Amount { return erp.NewAmount(s.Total.Decimal, s.Currency.Digits) }

// name is what people call the sale.
func (s sale) name() string {
	if s.Number == "" {
		return "id " + strconv.FormatInt(s.ID, 10)
	}
	return s.Number
}

// changed is when the sale was last written; Tryton leaves that empty until
// the first write.
func (s sale) changed() time.Time {
	if s.Written.IsZero() {
		return s.Created.Time
	}
	return s.Written.Time
}

// found tells the engine of the sale. A live sale that is short of the wanted
// state has no version: its delivery was cut off and must be finished.
func (s sale) found(state string) erp.Found {
	_, m := readComment(s.Comment)
	if s.live() && !s.reached(target(state, len(s.Lines))) {
		m.version = ""
	}
	total := s.total()
	return erp.Found{
		Ref: s.Reference, ID: s.name(), Version: m.version, Total: &total,
		Currency: s.Currency.Code, Cancelled: !s.live(), UpdatedAt: s.changed(),
	}
}

// sales reads the sales that bear the reference.
func (a *Adapter) sales(ctx context.Context, c conn, ref string) ([]sale, error) {
	return a.readSales(ctx, c, search("sale.sale", []any{[]any{"reference", "=", ref}}, saleFields...))
}

// sale reads one sale by its id.
func (a *Adapter) sale(ctx context.Context, c conn, id int64) (sale, error) {
	rows, err := a.readSales(ctx, c, search("sale.sale", []any{[]any{"id", "=", id}}, saleFields...))
	if err != nil {
		return sale{}, err
	}
	if len(rows) != 1 {
		return sale{}, &failure{result: erp.Unknown, reason: "the sale is gone from Tryton in the middle of its delivery"}
	}
	return rows[0], nil
}

func (a *Adapter) readSales(ctx context.Context, c conn, r request) ([]sale, error) {
	var rows []sale
	if err := c.read(ctx, &rows, r); err != nil {
		return nil, err
	}
	return rows, a.markUndone(ctx, c, rows)
}

// markUndone finds the sales that were undone after processing. Tryton leaves
// them "done"; what tells is that nothing of any line was moved or invoiced
// and that somebody chose to ignore the cancelled moves or invoices.
func (a *Adapter) markUndone(ctx context.Context, c conn, rows []sale) error {
	ignored, ids := map[int64]bool{}, []int64{}
	for _, s := range rows {
		if s.State == stateDone && s.InvoiceState == "none" {
			ids = append(ids, s.ID)
			ignored[s.ID] = len(s.InvoicesIgnored) > 0
		}
	}
	if len(ids) == 0 {
		return nil
	}
	var lines []struct {
		Sale         int64               `json:"sale"`
		Actual       decimal.NullDecimal `json:"actual_quantity"` // moved or invoiced; null before processing
		MovesIgnored []int64             `json:"moves_ignored"`
	}
	domain := []any{[]any{"sale", "in", ids}}
	if err := c.read(ctx, &lines, search("sale.line", domain, "sale", "actual_quantity", "moves_ignored")); err != nil {
		return err
	}
	real := map[int64]bool{}
	for _, l := range lines {
		real[l.Sale] = real[l.Sale] || !l.Actual.Decimal.IsZero()
		ignored[l.Sale] = ignored[l.Sale] || len(l.MovesIgnored) > 0
	}
	for i, s := range rows {
		rows[i].undone = ignored[s.ID] && !real[s.ID]
	}
	return nil
}

// replaced says whether the sale gave way to a newer one of the same order.
func (s sale) replaced() bool { return strings.HasSuffix(s.Reference, replacedSuffix) }
