package tryton

import (
	"context"
	"fmt"
	"maps"
	"time"
)

// resolve finds, and where need be makes, all that the document names. The
// lines are apart: create and rewrite wrap them differently.
func (a *Adapter) resolve(ctx context.Context, c conn, w wanted) (saleContent, error) {
	currency, err := a.currency(ctx, c, w.Currency)
	if err != nil {
		return saleContent{}, err
	}
	lines, err := a.lines(ctx, c, w.document)
	if err != nil {
		return saleContent{}, err
	}
	who, err := a.people(ctx, c, w.document)
	if err != nil {
		return saleContent{}, err
	}
	return content(w, currency, lines, who)
}

// saleContent is what a sale is to hold.
type saleContent struct {
	header values
	lines  []values
}

func content(w wanted, currency int64, lines []values, who people) (saleContent, error) {
	day, err := time.Parse("2006-01-02", w.SaleDate)
	if err != nil {
		return saleContent{}, fmt.Errorf("read the date: %w", err)
	}
	return saleContent{lines: lines, header: values{
		"reference": w.Reference, "description": w.Description, "sale_date": date{day},
		"currency": currency, "party": who.party,
		"invoice_address": who.invoice, "shipment_address": who.shipment,
	}}, nil
}

func createSale(w wanted, f saleContent) request {
	v := values{"comment": writeComment("", w.Comment, w.mark()), "lines": []any{[]any{"create", f.lines}}}
	maps.Copy(v, f.header)
	return ask("model.sale.sale.create", []any{v})
}

func rewriteSale(s sale, w wanted, f saleContent) request {
	people, _ := readComment(s.Comment)
	v := values{
		"comment": writeComment(people, w.Comment, w.mark()),
		"lines":   []any{[]any{"delete", append([]int64{}, s.Lines...)}, []any{"create", f.lines}},
	}
	maps.Copy(v, f.header)
	return ask("model.sale.sale.write", []int64{s.ID}, v)
}

// stampSale writes only the comment, which Tryton allows in every state.
func stampSale(s sale, w wanted) request {
	people, _ := readComment(s.Comment)
	return ask("model.sale.sale.write", []int64{s.ID}, values{"comment": writeComment(people, w.Comment, w.mark())})
}

func press(button string, s sale) request {
	return ask("model.sale.sale."+button, []int64{s.ID})
}
