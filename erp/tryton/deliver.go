package tryton

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// Deliver brings the sale for doc.Ref to doc.Version, or undoes it.
func (a *Adapter) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	out, err := a.deliver(ctx, a.conn(t), doc)
	if err == nil {
		return out
	}
	out = outcome(err, doc.Order)
	if out.Result == erp.Rejected {
		a.known.clear() // an id that is no longer true may be why
	}
	return out
}

func (a *Adapter) deliver(ctx context.Context, c conn, doc erp.Document) (erp.Outcome, error) {
	w, rows, err := a.look(ctx, c, doc)
	if err != nil {
		return erp.Outcome{}, err
	}
	if w.Cancelled {
		return a.cancel(ctx, c, w, rows)
	}
	live, err := a.only(ctx, c, rows)
	if err != nil {
		return erp.Outcome{}, err
	}
	next, at, err := a.decide(ctx, c, w, rows, live)
	if err != nil {
		return erp.Outcome{}, err
	}
	done, err := a.take(ctx, c, w, next, at)
	if err != nil {
		return erp.Outcome{}, err
	}
	total := done.total()
	return erp.Outcome{Result: next.result(), ID: done.name(), Total: &total}, a.setAside(ctx, c, w, rows, done)
}

// wanted is the document of one delivery.
type wanted struct {
	document
	version string
	exists  bool // the engine has seen a sale for it
}

func (w wanted) mark() mark { return mark{w.version, w.fingerprint()} }

// look decodes the document and reads the sales that bear its reference.
func (a *Adapter) look(ctx context.Context, c conn, doc erp.Document) (wanted, []sale, error) {
	w := wanted{version: doc.Version, exists: doc.Exists}
	if err := json.Unmarshal(doc.Body, &w.document); err != nil && !doc.Cancelled {
		return w, nil, fmt.Errorf("read the mapped document: %w", err)
	}
	w.Reference, w.Cancelled = doc.Ref, doc.Cancelled || w.Cancelled
	rows, err := a.sales(ctx, c, doc.Ref)
	return w, rows, err
}

// only returns the one live sale, nil where there is none. Drafts of ours that
// an attempt left beside it, because Tryton finished them late, are deleted.
func (a *Adapter) only(ctx context.Context, c conn, rows []sale) (*sale, error) {
	var live []sale
	for _, s := range rows {
		if s.live() {
			live = append(live, s)
		}
	}
	if len(live) == 0 {
		return nil, nil
	}
	slices.SortFunc(live, func(x, y sale) int {
		return cmp.Or(rank[y.State]-rank[x.State], cmp.Compare(x.ID, y.ID))
	})
	for _, s := range live[1:] {
		if _, m := readComment(s.Comment); s.State != stateDraft || m == (mark{}) {
			return nil, &erp.Problem{
				Reason: fmt.Sprintf("Tryton holds %d live sales with this reference", len(live)), Field: "ref",
				Hint: "cancel all but one of them in Tryton, then replay the order",
			}
		}
		if err := a.withdraw(ctx, c, s.ID); err != nil {
			return nil, err
		}
	}
	return &live[0], nil
}

// step is what a delivery has to do.
type step int

const (
	nothing step = iota
	advance      // the content is right, the state is not
	restamp      // only note or version differ
	rewrite      // the content differs and the sale may still be edited
	replace      // the content differs and the sale was processed
	create       // there is no sale
)

func (s step) result() erp.Result {
	switch s {
	case nothing:
		return erp.Unchanged
	case create:
		return erp.Created
	}
	return erp.Updated
}

// decide finds the step, and the sale to take it on. It only reads.
func (a *Adapter) decide(ctx context.Context, c conn, w wanted, rows []sale, live *sale) (step, *sale, error) {
	if live == nil {
		for i, s := range rows {
			if s.State == stateCancelled { // by a person, or Shopify brought the order back
				return rewrite, &rows[i], nil
			}
		}
		if w.exists && len(rows) == 0 {
			return 0, nil, &failure{result: erp.Unknown, reason: "the sale that was in Tryton is gone"}
		}
		return create, nil, nil
	}
	same, err := a.sameContent(ctx, c, w, *live)
	if err != nil {
		return 0, nil, err
	}
	_, m := readComment(live.Comment)
	switch {
	case !same && live.reached(stateProcessing):
		return replace, live, nil
	case !same:
		return rewrite, live, nil
	case m != w.mark():
		return restamp, live, nil
	case !live.reached(target(a.settings.State, len(w.Lines))):
		return advance, live, nil
	}
	return nothing, live, nil
}

// sameContent compares by total and fingerprint and, where somebody removed
// our mark from the comment, line by line.
func (a *Adapter) sameContent(ctx context.Context, c conn, w wanted, s sale) (bool, error) {
	total, err := decimal.NewFromString(w.Total)
	if err != nil {
		return false, fmt.Errorf("read the total: %w", err)
	}
	if !total.Equal(s.Total.Decimal) || w.Currency != s.Currency.Code {
		return false, nil
	}
	if _, m := readComment(s.Comment); m.fingerprint != "" {
		return m.fingerprint == w.fingerprint(), nil
	}
	return a.sameLines(ctx, c, w, s)
}

// take takes the step and returns the sale as it then is.
func (a *Adapter) take(ctx context.Context, c conn, w wanted, next step, at *sale) (sale, error) {
	switch next {
	case nothing:
		return *at, nil
	case advance:
		return a.advance(ctx, c, *at, target(a.settings.State, len(w.Lines)))
	case restamp:
		if err := c.write(ctx, nil, stampSale(*at, w)); err != nil {
			return sale{}, err
		}
		return a.advance(ctx, c, *at, target(a.settings.State, len(w.Lines)))
	}
	// Whatever can't be resolved is refused before anything is undone.
	fields, err := a.saleFields(ctx, c, w)
	if err != nil {
		return sale{}, err
	}
	switch next {
	case rewrite:
		return a.rewrite(ctx, c, w, *at, fields)
	case replace:
		if err := a.undo(ctx, c, *at); err != nil {
			return sale{}, err
		}
	}
	return a.create(ctx, c, w, fields)
}

// saleFields are the sale's fields with Tryton's ids. The lines are apart:
// create and rewrite wrap them differently.
func (a *Adapter) saleFields(ctx context.Context, c conn, w wanted) (saleContent, error) {
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
	for field, value := range f.header {
		v[field] = value
	}
	return ask("model.sale.sale.create", []any{v})
}

func rewriteSale(s sale, w wanted, f saleContent) request {
	people, _ := readComment(s.Comment)
	v := values{
		"comment": writeComment(people, w.Comment, w.mark()),
		"lines":   []any{[]any{"delete", append([]int64{}, s.Lines...)}, []any{"create", f.lines}},
	}
	for field, value := range f.header {
		v[field] = value
	}
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
