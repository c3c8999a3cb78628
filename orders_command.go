package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"gapless/store"
	"gapless/sync/report"
	"gapless/ui"
)

type ordersCommand struct {
	Order string `arg:"" optional:"" help:"Name (#1001) or id of one order to show."`
	Shop  string `help:"Only this shop." placeholder:"NAME"`
	State string `help:"Only this state." enum:",due,sending,delivered,unknown,parked,excluded" default:""`
	Limit int    `help:"At most this many." default:"50"`
	JSON  bool   `help:"As the API tells it."`
}

// Run lists orders, or shows the one named.
func (cmd ordersCommand) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStoreOf(ctx, c, cmd.Shop)
	if err != nil {
		return err
	}
	defer db.Close()
	filter := store.OrderFilter{Shop: cmd.Shop, State: cmd.State, Limit: cmd.Limit}
	filter.Name, filter.ID = nameOrID(cmd.Order)
	views, err := db.Orders(ctx, filter)
	if err == nil && len(views) == 0 && filter.ID != 0 { // people say 1001 for #1001
		filter.ID, filter.Name = 0, "#"+cmd.Order
		views, err = db.Orders(ctx, filter)
	}
	if err != nil {
		return err
	}
	if cmd.Order != "" && len(views) == 0 {
		return fmt.Errorf("there is no order %s here", cmd.Order)
	}
	if cmd.Order != "" {
		return cmd.one(ctx, p.Stdout, db, views[0])
	}
	if cmd.JSON {
		orders := []ui.Order{}
		for _, v := range views {
			orders = append(orders, ui.OrderOf(v.Order, v.Delivery))
		}
		return writeJSON(p.Stdout, orders)
	}
	table := newTable(p.Stdout, "SHOP", "ORDER", "ID", "STATE", "TOTAL", "ERP", "ERP REF", "UPDATED", "REASON")
	for _, v := range views {
		table.row(v.Shop, v.Name, v.ID, v.Delivery.State, report.MoneyText(v.Total, v.Currency), v.Delivery.ERP, v.Delivery.ERPRef, v.UpdatedAt.Format(time.RFC3339), v.Delivery.Reason)
	}
	return table.flush()
}

// one tells everything that happened to one order.
func (cmd ordersCommand) one(ctx context.Context, w io.Writer, s *store.Store, v store.OrderView) error {
	if cmd.JSON {
		return oneAsJSON(ctx, w, s, v)
	}
	fmt.Fprintf(w, "%s %s (%d), %s, updated %s\n", v.Shop, printable(v.Name), v.ID, report.MoneyText(v.Total, v.Currency), v.UpdatedAt.Format(time.RFC3339))
	fmt.Fprintf(w, "  %s: %s, wanted %s, held %s\n", v.Delivery.ERP, v.Delivery.State, v.Delivery.Wanted, v.Delivery.Held)
	if v.Delivery.Reason != "" {
		fmt.Fprintf(w, "  %s\n  %s\n", printable(v.Delivery.Reason), printable(v.Delivery.Hint))
	}
	decisions, err := s.Decisions(ctx, v.OrderKey, 500)
	if err != nil {
		return err
	}
	tries, err := s.Tries(ctx, store.TryFilter{Order: v.OrderKey, Limit: 100})
	if err != nil {
		return err
	}
	table := newTable(w, "AT", "STEP", "OUTCOME", "DETAIL")
	for _, h := range history(decisions, tries) {
		table.row(h.at.Format(time.RFC3339), h.step, h.outcome, h.detail)
	}
	return table.flush()
}

// oneAsJSON reads the order anew: a list leaves its content out.
func oneAsJSON(ctx context.Context, w io.Writer, s *store.Store, v store.OrderView) error {
	o, err := s.Order(ctx, v.OrderKey)
	if err != nil {
		return err
	}
	detail, err := ui.OrderDetailOf(ctx, s, o, v.Delivery)
	if err != nil {
		return err
	}
	return writeJSON(w, detail)
}

// happened is one thing that was decided about an order, or tried.
type happened struct {
	at                    time.Time
	step, outcome, detail string
}

// history is all that happened to an order, oldest first. What led to what may
// have happened at one moment: a try stands before what was decided by it.
func history(decisions []store.Decision, tries []store.Try) []happened {
	var all []happened
	for i := len(tries) - 1; i >= 0; i-- {
		t := tries[i]
		h := happened{t.StartedAt, t.Action + " to " + t.ERP, "cut off, or under way", ""}
		if t.Outcome != nil {
			h.outcome, h.detail = t.Outcome.Result, t.Outcome.Reason
		}
		all = append(all, h)
	}
	for _, d := range decisions {
		all = append(all, happened{d.At, d.Step, d.Outcome, d.Detail})
	}
	slices.SortStableFunc(all, func(a, b happened) int { return a.at.Compare(b.at) })
	return all
}

// nameOrID tells an order's name from its id.
func nameOrID(text string) (name string, id int64) {
	if id, err := strconv.ParseInt(text, 10, 64); err == nil {
		return "", id
	}
	return text, 0
}
