package tryton

import (
	"context"
	"errors"
	"fmt"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// create makes a draft and takes it further once it is the only live sale. A
// draft that Tryton then refuses to take further is deleted again.
func (a *Adapter) create(ctx context.Context, c conn, w wanted, f saleContent) (sale, error) {
	var ids []int64
	if err := c.write(ctx, &ids, createSale(w, f)); err != nil || len(ids) != 1 {
		return sale{}, orUnknown(err, "Tryton did not say which sale it made")
	}
	rows, err := a.sales(ctx, c, w.Reference)
	if err != nil {
		return sale{}, err
	}
	var mine *sale
	for i, s := range rows {
		switch {
		case s.ID == ids[0]:
			mine = &rows[i]
		case s.live():
			// An earlier attempt came through after all: that one stays.
			if err := a.withdraw(ctx, c, ids[0]); err != nil {
				return sale{}, err
			}
			return sale{}, &failure{result: erp.Retry, reason: "another sale with this reference came up meanwhile"}
		}
	}
	if mine == nil {
		return sale{}, &failure{result: erp.Unknown, reason: "Tryton made a sale and does not find it"}
	}
	made, err := a.finish(ctx, c, w, *mine)
	if refused(err) {
		if gone := a.withdraw(ctx, c, ids[0]); gone != nil {
			return sale{}, gone
		}
	}
	return made, err
}

// refused says whether err is a refusal for good.
func refused(err error) bool {
	var p *erp.Problem
	var f *failure
	return errors.As(err, &p) || errors.As(err, &f) && f.result == erp.Rejected
}

// withdraw deletes a sale of ours that went no further than quotation.
func (a *Adapter) withdraw(ctx context.Context, c conn, id int64) error {
	if err := c.write(ctx, nil, ask("model.sale.sale.delete", []int64{id})); err != nil {
		return err
	}
	rows, err := a.readSales(ctx, c, search("sale.sale", []any{[]any{"id", "=", id}}, saleFields...))
	if err == nil && len(rows) > 0 {
		err = &failure{result: erp.Unknown, reason: "Tryton did not delete a draft it was told to delete"}
	}
	return err
}

// rewrite gives a sale that may still be edited its new content.
func (a *Adapter) rewrite(ctx context.Context, c conn, w wanted, s sale, f saleContent) (sale, error) {
	before := s.State
	if s.State != stateDraft {
		var err error
		if s, err = a.press(ctx, c, "draft", s, stateDraft); err != nil {
			return sale{}, err
		}
	}
	if err := c.write(ctx, nil, rewriteSale(s, w, f)); err != nil {
		return sale{}, err
	}
	s, err := a.sale(ctx, c, s.ID)
	if err != nil {
		return sale{}, err
	}
	if _, m := readComment(s.Comment); m != w.mark() {
		return sale{}, &failure{result: erp.Retry, reason: "Tryton took a change and did nothing"}
	}
	if s, err = a.finish(ctx, c, w, s); err != nil || len(w.Lines) == 0 {
		return s, err
	}
	return a.advance(ctx, c, s, before) // as far as a person had taken it
}

// finish makes a draft's total right and takes it to the configured state.
func (a *Adapter) finish(ctx context.Context, c conn, w wanted, s sale) (sale, error) {
	s, err := a.round(ctx, c, w, s)
	if err != nil {
		return sale{}, err
	}
	return a.advance(ctx, c, s, target(a.settings.State, len(w.Lines)))
}

// round adds a rounding line where Tryton's total is off by no more than
// rounding explains, and refuses the order where it is off by more.
func (a *Adapter) round(ctx context.Context, c conn, w wanted, s sale) (sale, error) {
	want, err1 := decimal.NewFromString(w.Total)
	most, err2 := decimal.NewFromString(w.MaxRounding)
	if err := errors.Join(err1, err2); err != nil {
		return sale{}, fmt.Errorf("read the totals: %w", err)
	}
	off := want.Sub(s.Total.Decimal)
	if off.IsZero() {
		return s, nil
	}
	if off.Abs().GreaterThan(most) {
		return sale{}, differs(s, want)
	}
	code := a.settings.Products.Rounding
	found, err := a.findProducts(ctx, c, []string{code})
	if err != nil {
		return sale{}, err
	}
	if len(found[code]) != 1 {
		return sale{}, unknownProduct(code, "total")
	}
	line := saleLine(len(s.Lines), found[code][0], "Rounding", 1, off, nil)
	add := ask("model.sale.sale.write", []int64{s.ID}, values{"lines": []any{[]any{"create", []values{line}}}})
	if err := c.write(ctx, nil, add); err != nil {
		return sale{}, err
	}
	if s, err = a.sale(ctx, c, s.ID); err == nil && !want.Equal(s.Total.Decimal) {
		err = differs(s, want)
	}
	return s, err
}

func differs(s sale, want decimal.Decimal) error {
	have := s.total()
	return &erp.Problem{
		Reason: fmt.Sprintf("Tryton makes the total %s %s, Shopify %s: they differ by %s",
			have, s.Currency.Code, want, want.Sub(have.Decimal).Abs()),
		Field: "total",
		Hint:  "compare the order's taxes with those of Tryton, correct the taxes setting or Tryton, then replay the order",
	}
}

// buttons lead from one state to the next.
var buttons = map[string]struct{ button, leads string }{
	stateDraft:     {"quote", stateQuotation},
	stateQuotation: {"confirm", stateConfirmed},
}

// advance presses button after button until the sale has reached state.
func (a *Adapter) advance(ctx context.Context, c conn, s sale, state string) (sale, error) {
	var err error
	for !s.reached(state) && err == nil {
		b, more := buttons[s.State]
		if !more {
			return s, &failure{result: erp.Retry, reason: "the sale is in a state this adapter does not know"}
		}
		s, err = a.press(ctx, c, b.button, s, b.leads)
	}
	return s, err
}

// press presses a button and reads back whether it did anything: Tryton
// answers null to a button in the wrong state too.
func (a *Adapter) press(ctx context.Context, c conn, button string, s sale, leads string) (sale, error) {
	if err := c.write(ctx, nil, press(button, s)); err != nil {
		return sale{}, err
	}
	after, err := a.sale(ctx, c, s.ID)
	if err != nil {
		return sale{}, err
	}
	if after.State != leads && (leads != stateConfirmed || !after.reached(leads)) {
		return sale{}, &failure{result: erp.Retry, reason: "Tryton took the button " + button + " and did nothing"}
	}
	return after, nil
}

// setAside renames the undone sales that w has replaced, so that the reference
// leads to one sale.
func (a *Adapter) setAside(ctx context.Context, c conn, w wanted, rows []sale, kept sale) error {
	for _, s := range rows {
		if s.ID == kept.ID || s.State == stateDraft { // drafts beside it were deleted
			continue
		}
		if err := c.write(ctx, nil, asideSale(s, w.Reference)); err != nil {
			return err
		}
	}
	return nil
}

func asideSale(s sale, ref string) request {
	return ask("model.sale.sale.write", []int64{s.ID}, values{"reference": ref + replacedSuffix})
}
