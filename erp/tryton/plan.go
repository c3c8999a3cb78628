package tryton

import (
	"context"
	"fmt"

	"gapless/erp"
)

// Plan says which writing calls Deliver would make, in their order. Ids of
// records that are yet to be made stand as words in angle brackets. A rounding
// line can't be foreseen: Tryton computes the total of a sale it has.
func (a *Adapter) Plan(ctx context.Context, doc erp.Document) ([]erp.Call, error) {
	c := a.conn(nil)
	requests, err := a.plan(ctx, c, doc)
	if err != nil {
		return nil, err
	}
	s, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	calls := make([]erp.Call, len(requests))
	for i, r := range requests {
		b, err := body(r, s.context)
		if err != nil {
			return nil, err
		}
		calls[i] = erp.Call{
			Method: "POST", URL: a.client.database, Body: string(b),
			Header: map[string]string{"Content-Type": "application/json"},
		}
	}
	return calls, nil
}

func (a *Adapter) plan(ctx context.Context, c conn, doc erp.Document) ([]request, error) {
	w, rows, err := a.look(ctx, c, doc)
	if err != nil {
		return nil, err
	}
	if w.Cancelled {
		return a.planCancel(ctx, c, w, rows)
	}
	var first *sale
	if live := liveOnes(rows); len(live) > 0 {
		first = &live[0]
	}
	next, at, err := a.decide(ctx, c, w, rows, first)
	if err != nil {
		return nil, err
	}
	goal := target(a.settings.State, len(w.Lines))
	switch next {
	case nothing:
		return nil, nil
	case advance:
		return planButtons(*at, goal), nil
	case restamp:
		return append([]request{stampSale(*at, w)}, planButtons(*at, goal)...), nil
	}
	calls, f, err := a.planContent(ctx, c, w)
	if err != nil {
		return nil, err
	}
	switch next {
	case rewrite:
		if at.State != stateDraft {
			calls = append(calls, press("draft", *at))
		}
		draft := sale{ID: at.ID, State: stateDraft}
		return append(append(calls, rewriteSale(*at, w, f)), planButtons(draft, goal)...), nil
	case replace:
		undo, err := a.planUndo(ctx, c, *at)
		if err != nil {
			return nil, err
		}
		calls = append(append(calls, undo...), planCreate(w, f, goal)...)
		return append(calls, asideSale(*at, w.Reference)), nil
	}
	return append(calls, planCreate(w, f, goal)...), nil
}

// planCreate is a new sale and the buttons that lead it to the goal.
func planCreate(w wanted, f saleContent, goal string) []request {
	calls := []request{createSale(w, f)}
	for _, button := range path(stateDraft, goal) {
		calls = append(calls, ask("model.sale.sale."+button, []any{"<the new sale>"}))
	}
	return calls
}

// planButtons are the buttons that lead the sale to the goal.
func planButtons(s sale, goal string) []request {
	var calls []request
	for _, button := range path(s.State, goal) {
		calls = append(calls, press(button, s))
	}
	return calls
}

// path names the buttons between two states.
func path(from, goal string) []string {
	var names []string
	for b, more := buttons[from]; more && rank[from] < rank[goal]; b, more = buttons[from] {
		names, from = append(names, b.button), b.leads
	}
	return names
}

func (a *Adapter) planCancel(ctx context.Context, c conn, w wanted, rows []sale) ([]request, error) {
	var calls []request
	for _, s := range rows {
		switch {
		case !s.live():
			continue
		case s.reached(stateProcessing):
			undo, err := a.planUndo(ctx, c, s)
			if err != nil {
				return nil, err
			}
			calls = append(calls, undo...)
		case s.State == stateConfirmed:
			calls = append(calls, press("draft", s), press("cancel", s))
		default:
			calls = append(calls, press("cancel", s))
		}
		calls = append(calls, stampCancelled(s, w))
	}
	return calls, nil
}

// planUndo are the calls that take back a processed sale, with the two wizards
// at their deciding screen.
func (a *Adapter) planUndo(ctx context.Context, c conn, s sale) ([]request, error) {
	if err := a.undoable(ctx, c, s); err != nil {
		return nil, err
	}
	var calls []request
	if len(s.Shipments) > 0 {
		calls = append(calls, undoShipments.cancelAll(s.Shipments))
	}
	if len(s.Invoices) > 0 {
		calls = append(calls, undoInvoices.cancelAll(s.Invoices))
	}
	for _, u := range []undoing{undoShipments, undoInvoices} {
		if u.question == "moves" && len(s.Shipments) == 0 || u.question == "invoices" && len(s.Invoices) == 0 {
			continue
		}
		calls = append(calls, u.execute(0, s, map[string]any{"ask": map[string]any{"recreate_" + u.question: []int64{}}}, "handle"))
	}
	return calls, nil
}

// planContent is resolve without writing: first the calls that make party
// and addresses, then the content with words in place of their ids.
func (a *Adapter) planContent(ctx context.Context, c conn, w wanted) ([]request, saleContent, error) {
	currency, err := a.currency(ctx, c, w.Currency)
	if err != nil {
		return nil, saleContent{}, err
	}
	lines, err := a.lines(ctx, c, w.document)
	if err != nil {
		return nil, saleContent{}, err
	}
	calls, who, err := a.planPeople(ctx, c, w)
	if err != nil {
		return nil, saleContent{}, err
	}
	f, err := content(w, currency, lines, who)
	return calls, f, err
}

func (a *Adapter) planPeople(ctx context.Context, c conn, w wanted) ([]request, people, error) {
	var calls []request
	var who people
	id, found, err := a.find(ctx, c, "party.party", "code", w.Party.Code)
	if err != nil {
		return nil, who, err
	}
	who.party = id
	if !found {
		who.party = fmt.Sprintf("<the new party %s>", w.Party.Code)
		calls = append(calls, createParty(*w.Party))
	}
	for _, side := range []struct {
		want *address
		to   *any
	}{{w.Invoice, &who.invoice}, {w.Shipment, &who.shipment}} {
		v, err := a.addressValues(ctx, c, side.want)
		if err != nil {
			return nil, who, err
		}
		var rows []part
		if found {
			if err := c.read(ctx, &rows, findAddress(id, v)); err != nil {
				return nil, who, err
			}
		}
		if len(rows) > 0 {
			*side.to = rows[0].ID
			continue
		}
		*side.to = "<the new address>"
		if side.to == &who.shipment && who.invoice == *side.to && fmt.Sprint(w.Invoice) == fmt.Sprint(w.Shipment) {
			continue // the one just made
		}
		calls = append(calls, createAddress(who.party, v))
	}
	return calls, who, nil
}
