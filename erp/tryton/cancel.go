package tryton

import (
	"context"
	"encoding/json"
	"slices"

	"gapless/erp"
)

// cancel leaves no live sale with the reference, and our version on those that
// remain.
func (a *Adapter) cancel(ctx context.Context, c conn, w wanted, rows []sale) (erp.Outcome, error) {
	out := erp.Outcome{Result: erp.Unchanged}
	for _, s := range rows {
		if s.live() {
			if err := a.kill(ctx, c, s); err != nil {
				return erp.Outcome{}, err
			}
			out.Result = erp.Updated
		}
		if _, m := readComment(s.Comment); m.version != w.version {
			if err := c.write(ctx, nil, stampCancelled(s, w)); err != nil {
				return erp.Outcome{}, err
			}
			out.Result = erp.Updated
		}
		out.ID = s.name()
	}
	return out, nil
}

// stampCancelled notes the version on a cancelled sale and keeps the
// fingerprint of the content it still shows.
func stampCancelled(s sale, w wanted) request {
	people, m := readComment(s.Comment)
	m.version = w.version
	return ask("model.sale.sale.write", []int64{s.ID}, values{"comment": writeComment(people, "", m)})
}

// kill cancels a sale that may still be cancelled and undoes one that was processed.
func (a *Adapter) kill(ctx context.Context, c conn, s sale) error {
	if s.reached(stateProcessing) {
		return a.undo(ctx, c, s)
	}
	if s.State == stateConfirmed { // a queue has not processed it yet
		var err error
		if s, err = a.press(ctx, c, "draft", s, stateDraft); err != nil {
			return err
		}
	}
	_, err := a.press(ctx, c, "cancel", s, stateCancelled)
	return err
}

// part is a shipment or an invoice of a sale.
type part struct {
	ID    int64  `json:"id"`
	State string `json:"state"`
}

// undoing is how one kind of part is undone: its cancel button in the states
// that still allow it without a trace in stock or books, then the wizard that
// tells the sale not to make another.
type undoing struct {
	model    string
	open     []string // states that may be cancelled
	wizard   string
	question string // the field of the wizard that lists what was cancelled
	tooLate  erp.Problem
}

var (
	undoShipments = undoing{
		model: "stock.shipment.out", open: []string{"draft", "waiting", "assigned"},
		wizard: "sale.handle.shipment.exception", question: "moves",
		tooLate: erp.Problem{
			Reason: "the sale is already being shipped in Tryton", Field: "lines",
			Hint: "make the change in Tryton by hand, with a return where goods come back, and ignore the gap",
		},
	}
	undoInvoices = undoing{
		model: "account.invoice", open: []string{"draft", "validated"},
		wizard: "sale.handle.invoice.exception", question: "invoices",
		tooLate: erp.Problem{
			Reason: "the sale is already invoiced in Tryton", Field: "lines",
			Hint: "make the change in Tryton by hand, with a credit note, and ignore the gap",
		},
	}
)

// undo takes back a processed sale: its shipments and invoices are cancelled
// and not made again. Nothing is touched where one of them has gone too far.
// Each step is skipped where an earlier attempt got through it.
func (a *Adapter) undo(ctx context.Context, c conn, s sale) error {
	if err := a.undoable(ctx, c, s); err != nil {
		return err
	}
	if err := a.cancelParts(ctx, c, undoShipments, s.Shipments); err != nil {
		return err
	}
	if err := a.cancelParts(ctx, c, undoInvoices, s.Invoices); err != nil {
		return err
	}
	s, err := a.sale(ctx, c, s.ID)
	if err == nil && s.ShipmentState == "exception" {
		err = a.ignore(ctx, c, undoShipments, s)
	}
	if err == nil && s.InvoiceState == "exception" {
		err = a.ignore(ctx, c, undoInvoices, s)
	}
	if err != nil {
		return err
	}
	if s, err = a.sale(ctx, c, s.ID); err == nil && s.live() {
		err = &failure{result: erp.Retry, reason: "Tryton has not yet taken back all of the sale"}
	}
	return err
}

// undoable refuses where a shipment or an invoice has gone too far, or where
// there is nothing to undo, so that the sale would stay.
func (a *Adapter) undoable(ctx context.Context, c conn, s sale) error {
	if len(s.Shipments)+len(s.Invoices) == 0 || len(s.Returns) > 0 {
		return &erp.Problem{
			Reason: "Tryton has processed the sale and offers no way back", Field: "lines",
			Hint: "make the change in Tryton by hand, with a return sale, and ignore the gap",
		}
	}
	for _, u := range []struct {
		undoing
		ids []int64
	}{{undoShipments, s.Shipments}, {undoInvoices, s.Invoices}} {
		parts, err := u.parts(ctx, c, u.ids)
		if err != nil {
			return err
		}
		for _, p := range parts {
			if p.State != stateCancelled && !slices.Contains(u.open, p.State) {
				return &u.tooLate
			}
		}
	}
	return nil
}

func (u undoing) parts(ctx context.Context, c conn, ids []int64) ([]part, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	var parts []part
	err := c.read(ctx, &parts, search(u.model, []any{[]any{"id", "in", ids}}, "state"))
	return parts, err
}

// cancelParts cancels the parts that are not cancelled yet and reads back.
func (a *Adapter) cancelParts(ctx context.Context, c conn, u undoing, ids []int64) error {
	parts, err := u.parts(ctx, c, ids)
	if err != nil {
		return err
	}
	open := openParts(parts)
	if len(open) == 0 {
		return nil
	}
	if err := c.write(ctx, nil, u.cancelAll(open)); err != nil {
		return err
	}
	if parts, err = u.parts(ctx, c, ids); err == nil && len(openParts(parts)) > 0 {
		err = &failure{result: erp.Retry, reason: "Tryton took the button cancel and did nothing"}
	}
	return err
}

func openParts(parts []part) []int64 {
	var ids []int64
	for _, p := range parts {
		if p.State != stateCancelled {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

func (u undoing) cancelAll(ids []int64) request { return ask("model."+u.model+".cancel", ids) }

// ignore runs the wizard by which a person tells the sale that what was
// cancelled is not to be made again.
func (a *Adapter) ignore(ctx context.Context, c conn, u undoing, s sale) error {
	var opened []json.RawMessage // [session, first state, last state]
	if err := c.write(ctx, &opened, ask("wizard."+u.wizard+".create")); err != nil {
		return err
	}
	var session int64
	if len(opened) != 3 || json.Unmarshal(opened[0], &session) != nil {
		return &failure{result: erp.Unknown, reason: "Tryton's answer can't be read"}
	}
	var screen struct {
		View struct {
			Defaults map[string]json.RawMessage `json:"defaults"`
		} `json:"view"`
	}
	if err := c.write(ctx, &screen, u.execute(session, s, map[string]any{}, "ask")); err != nil {
		return err
	}
	choice := map[string]any{
		"domain_" + u.question: screen.View.Defaults["domain_"+u.question], "recreate_" + u.question: []int64{},
	}
	if err := c.write(ctx, nil, u.execute(session, s, map[string]any{"ask": choice}, "handle")); err != nil {
		return err
	}
	return c.write(ctx, nil, ask("wizard."+u.wizard+".delete", session))
}

// execute is one screen of the wizard, opened on the sale.
func (u undoing) execute(session int64, s sale, answers map[string]any, state string) request {
	r := ask("wizard."+u.wizard+".execute", session, answers, state)
	r.more = map[string]any{
		"active_model": "sale.sale", "active_id": s.ID, "active_ids": []int64{s.ID},
	}
	return r
}
