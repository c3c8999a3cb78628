package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"gapless/store"
	"gapless/ui"
)

type replayCommand struct {
	Order  []string `help:"Name or id of an order; several times for several." placeholder:"NAME-OR-ID"`
	Gap    []int64  `help:"Id of a gap that is to be mended; several times for several." placeholder:"ID"`
	State  string   `help:"All orders in this state." enum:",due,delivered,unknown,parked,excluded" default:""`
	Shop   string   `help:"Only this shop." placeholder:"NAME"`
	From   string   `help:"Only orders first seen from this day on." placeholder:"2006-01-02"`
	To     string   `help:"Only orders first seen before this day." placeholder:"2006-01-02"`
	DryRun bool     `help:"Show the ERP calls it would make, and make none."`
	JSON   bool     `help:"With --dry-run: as JSON."`
}

// Run asks for a replay, which the running appliance carries out, or shows
// what it would come to.
func (cmd replayCommand) Run(ctx context.Context, p *Program, c *commands) error {
	if len(cmd.Order) == 0 && len(cmd.Gap) == 0 && cmd.State == "" {
		return usageError{errors.New("say what to replay: --order NAME-OR-ID, --gap ID, or --state parked")}
	}
	a, err := p.guest(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	keys, err := cmd.find(ctx, a.Store)
	if err != nil {
		return err
	}
	for _, id := range cmd.Gap {
		if _, err := gapNamed(ctx, a.Store, id); err != nil {
			return err
		}
	}
	if cmd.DryRun {
		return cmd.plan(ctx, p.Stdout, a, keys)
	}
	if err := cmd.replayGaps(ctx, p.Stdout, a); err != nil || len(cmd.Order) == 0 && cmd.State == "" {
		return err
	}
	started, err := a.Engine.Replay(ctx, keys, byCommand)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%d of %d orders are verified in their ERP and sent again where needed\n", started, len(keys))
	return nil
}

func (cmd replayCommand) replayGaps(ctx context.Context, w io.Writer, a *Appliance) error {
	if len(cmd.Gap) == 0 {
		return nil
	}
	started, err := a.Engine.ReplayGaps(ctx, cmd.Gap, byCommand)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "%d of %d gaps are being mended\n", started, len(cmd.Gap))
	return nil
}

func (cmd replayCommand) find(ctx context.Context, s *store.Store) ([]store.OrderKey, error) {
	from, err1 := day(cmd.From)
	to, err2 := day(cmd.To)
	if err := errors.Join(err1, err2); err != nil {
		return nil, usageError{err}
	}
	var keys []store.OrderKey
	for _, text := range append(cmd.Order, "") {
		filter := store.OrderFilter{Shop: cmd.Shop, State: cmd.State, Limit: 500}
		if text == "" && (cmd.State == "" || len(cmd.Order) > 0) {
			continue
		}
		filter.Name, filter.ID = nameOrID(text)
		found, err := matching(ctx, s, filter, from, to)
		if err != nil {
			return nil, err
		}
		if text != "" && len(found) == 0 {
			return nil, fmt.Errorf("there is no order %s here", text)
		}
		keys = append(keys, found...)
	}
	return keys, nil
}

// matching walks all pages of a filter.
func matching(ctx context.Context, s *store.Store, f store.OrderFilter, from, to time.Time) ([]store.OrderKey, error) {
	var keys []store.OrderKey
	for {
		views, err := s.Orders(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			if (from.IsZero() || !v.FirstSeenAt.Before(from)) && (to.IsZero() || v.FirstSeenAt.Before(to)) {
				keys = append(keys, v.OrderKey)
			}
		}
		if len(views) < f.Limit {
			return keys, nil
		}
		last := views[len(views)-1]
		f.Before = store.Cursor{SeenAt: last.FirstSeenAt, ID: last.ID}
	}
}

func day(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.DateOnly, text)
}

func (cmd replayCommand) plan(ctx context.Context, w io.Writer, a *Appliance, keys []store.OrderKey) error {
	plans := []ui.Plan{}
	for _, k := range keys {
		plan, err := actions{a}.Plan(ctx, k)
		if err != nil {
			return err
		}
		plans = append(plans, plan)
	}
	for _, id := range cmd.Gap {
		plan, err := actions{a}.PlanGap(ctx, id)
		if err != nil {
			return err
		}
		plans = append(plans, plan)
	}
	if cmd.JSON {
		return writeJSON(w, plans)
	}
	for _, plan := range plans {
		tellPlan(w, plan)
	}
	return nil
}

func tellPlan(w io.Writer, plan ui.Plan) {
	fmt.Fprintf(w, "%s: %s", planAbout(plan), plan.Action)
	if plan.Reason != "" {
		fmt.Fprintf(w, ", %s", printable(plan.Reason))
	}
	fmt.Fprintln(w)
	for _, call := range plan.Calls {
		fmt.Fprintf(w, "\n  %s %s\n", call.Method, call.URL)
		for _, name := range slices.Sorted(maps.Keys(call.Header)) {
			fmt.Fprintf(w, "  %s: %s\n", name, call.Header[name])
		}
		fmt.Fprintf(w, "\n  %s\n", printable(call.Body))
	}
}

// planAbout is the order a plan is about, as far as it is known.
func planAbout(p ui.Plan) string {
	switch {
	case p.Order == "" && p.Ref == "":
		return "the shop"
	case p.Order == "":
		return p.Ref
	}
	return fmt.Sprintf("%s (%s)", printable(p.Order), p.Ref)
}
