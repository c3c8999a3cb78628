package sandbox

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// Deliver takes the steps that are left to bring the document to this version,
// and looks after each whether it was really taken.
func (e *ERP) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	if _, err := e.Lookup(ctx, doc.Ref, t); err != nil {
		return erp.Outcome{Result: erp.Retry, Reason: "nothing was sent: " + err.Error()}
	}
	before, held := e.ledger.find(doc.Ref)
	for _, s := range steps(before, held, doc) {
		if out := e.take(ctx, s, doc, t); out != nil {
			return *out
		}
	}
	after, there := e.ledger.find(doc.Ref)
	if !there {
		return erp.Outcome{Result: erp.Unchanged}
	}
	out := erp.Outcome{Result: erp.Updated, ID: after.ID, Total: &after.Total}
	switch {
	case !held:
		out.Result = erp.Created
	case after.Writes == before.Writes:
		out.Result = erp.Unchanged
	}
	return out
}

// take makes one writing call. Nil: it was done, and seen to be.
func (e *ERP) take(ctx context.Context, s step, doc erp.Document, t *erp.Transcript) *erp.Outcome {
	n := t.Ask(s.verb, address(doc.Ref), doc.Body)
	if err := e.wait(ctx, e.s.Latency); err != nil {
		t.Answer(n, 0, nil, err)
		return &erp.Outcome{Result: erp.Retry, Reason: "nothing was sent: " + err.Error()}
	}
	if out := e.refuse(s, doc); out != nil {
		t.Answer(n, 422, []byte(out.Reason), nil)
		return out
	}
	status, out := e.meet(ctx, s, doc)
	if out != nil {
		t.Answer(n, status, []byte(out.Reason), nil)
		return out
	}
	d, _ := e.ledger.find(doc.Ref)
	t.Answer(n, status, line(d), nil)
	if d.State != s.to || s.to != Cancelled && d.Version != doc.Version {
		return &erp.Outcome{Result: erp.Retry, Reason: "the sandbox said ok and did nothing"}
	}
	return nil
}

// refuse knows the articles that this sandbox does not.
func (e *ERP) refuse(s step, doc erp.Document) *erp.Outcome {
	if s.to == Cancelled {
		return nil
	}
	for i, l := range doc.Order.Lines {
		if slices.Contains(e.s.RefuseSKUs, l.SKU) {
			return &erp.Outcome{
				Result: erp.Rejected, Reason: "the sandbox knows no article " + l.SKU,
				Field: fmt.Sprintf("lines[%d].sku", i),
				Hint:  "take the article out of refuse_skus, or correct it in Shopify, then replay the order",
			}
		}
	}
	return nil
}

// meet lets the write meet its fault. Without an outcome the sandbox said "ok".
func (e *ERP) meet(ctx context.Context, s step, doc erp.Document) (int, *erp.Outcome) {
	trouble := e.troubles.draw()
	switch trouble.fault {
	case none, HangAfter, CutAfter:
		if err := e.write(s, doc); err != nil {
			close(trouble.met)
			return 500, &erp.Outcome{Result: erp.Unknown, Reason: err.Error()}
		}
	}
	close(trouble.met)
	switch trouble.fault {
	case Down:
		return 503, &erp.Outcome{Result: erp.Retry, Reason: "the sandbox is down"}
	case Busy:
		return 429, &erp.Outcome{Result: erp.Retry, Reason: "the sandbox is busy", After: BusyFor}
	case Refused:
		return 422, &erp.Outcome{
			Result: erp.Rejected, Reason: "the sandbox was told to refuse this order", Field: "lines[0].sku",
			Hint: "replay the order; it passes unless refuse_rate strikes again",
		}
	case HangBefore, HangAfter:
		<-ctx.Done()
		return 0, &erp.Outcome{Result: erp.Unknown, Reason: "the sandbox did not answer: " + ctx.Err().Error()}
	case CutBefore, CutAfter:
		return 0, &erp.Outcome{Result: erp.Unknown, Reason: "the connection to the sandbox was cut"}
	}
	return 200, nil
}

// write lets one step take effect in the ledger.
func (e *ERP) write(s step, doc erp.Document) error {
	return e.ledger.change(doc.Ref, e.now().UTC(), func(d *Document) {
		d.State = s.to
		if s.verb != "CONFIRM" {
			d.Version, d.Total, d.Currency, d.Lines = doc.Version, doc.Order.Total, doc.Order.Currency, linesOf(doc.Order)
		}
	})
}

func linesOf(o erp.Order) []erp.FoundLine {
	lines := make([]erp.FoundLine, 0, len(o.Lines)+len(o.Shipping))
	for _, l := range o.Lines {
		if l.Quantity != 0 {
			lines = append(lines, erp.FoundLine{SKU: l.SKU, Title: l.Name(), Quantity: decimal.NewFromInt(l.Quantity), Amount: &l.Amount})
		}
	}
	for _, s := range o.Shipping {
		lines = append(lines, erp.FoundLine{Title: s.Title, Quantity: decimal.NewFromInt(1), Amount: &s.Amount})
	}
	return lines
}
