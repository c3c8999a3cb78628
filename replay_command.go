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
	Gaps   string   `help:"All gaps of this kind that are open or being mended; all: of every kind." enum:",all,missing,stale,mismatch,doubled,stuck,parked,orphan,subscription,silence" default:""`
	State  string   `help:"All orders in this state." enum:",due,delivered,unknown,parked,excluded" default:""`
	Shop   string   `help:"Only this shop." placeholder:"NAME"`
	From   string   `help:"Only orders first seen from this day of their shop on." placeholder:"2026-11-22"`
	To     string   `help:"Only orders first seen before this day of their shop." placeholder:"2026-11-23"`
	DryRun bool     `help:"Show the ERP calls it would make, and make none."`
	JSON   bool     `help:"With --dry-run: as JSON."`
}

// Run asks for a replay, which the running appliance carries out, or shows
// what it would come to.
func (cmd replayCommand) Run(ctx context.Context, p *Program, c *commands) error {
	wantsOrders, wantsGaps := len(cmd.Order) > 0 || cmd.State != "", len(cmd.Gap) > 0 || cmd.Gaps != ""
	if !wantsOrders && !wantsGaps {
		return usageError{errors.New("say what to replay: --order NAME-OR-ID, --gap ID, --gaps missing, or --state parked")}
	}
	if !wantsOrders && (cmd.From != "" || cmd.To != "") {
		return usageError{errors.New("--from and --to are for --order and --state; gaps are named by --gap or --gaps alone")}
	}
	a, err := p.guest(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	shops, err := a.shopsNamed(cmd.Shop)
	if err != nil {
		return err
	}
	keys, err := cmd.find(ctx, a, shops)
	if err != nil {
		return err
	}
	gaps, err := cmd.findGaps(ctx, a)
	if err != nil {
		return err
	}
	if cmd.DryRun {
		return cmd.plan(ctx, p.Stdout, a, keys, gaps)
	}
	if wantsGaps {
		started, err := a.Engine.ReplayGaps(ctx, gaps, byCommand)
		if started > 0 || err == nil {
			fmt.Fprintf(p.Stdout, "%d of %d gaps are being mended\n", started, len(gaps))
		}
		if err != nil {
			return err
		}
	}
	if wantsOrders {
		started, err := a.Engine.Replay(ctx, keys, byCommand)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout, "%d of %d orders are verified in their ERP and sent again where needed\n", started, len(keys))
	}
	return a.sayWhoCarriesOn(ctx, p.Stdout)
}

// findGaps returns the ids of the gaps that are asked for.
func (cmd replayCommand) findGaps(ctx context.Context, a *Appliance) ([]int64, error) {
	for _, id := range cmd.Gap {
		if _, err := gapNamed(ctx, a.Store, id); err != nil {
			return nil, err
		}
	}
	if cmd.Gaps == "" {
		return cmd.Gap, nil
	}
	filter := store.GapFilter{Shop: cmd.Shop, Kind: cmd.Gaps, State: store.Live}
	if cmd.Gaps == "all" {
		filter.Kind = ""
	}
	all, err := allGaps(ctx, a.Store, filter)
	ids := slices.Clone(cmd.Gap)
	for _, g := range all {
		ids = append(ids, g.ID)
	}
	slices.Sort(ids)
	return slices.Compact(ids), err
}

// find returns the orders that are asked for.
func (cmd replayCommand) find(ctx context.Context, a *Appliance, shops []string) ([]store.OrderKey, error) {
	seen, err := cmd.days(ctx, a, shops)
	if err != nil {
		return nil, err
	}
	var keys []store.OrderKey
	for _, text := range append(cmd.Order, "") {
		filter := store.OrderFilter{Shop: cmd.Shop, State: cmd.State, Limit: 500}
		if text == "" && (cmd.State == "" || len(cmd.Order) > 0) {
			continue
		}
		filter.Name, filter.ID = nameOrID(text)
		found, err := matching(ctx, a.Store, filter, seen)
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

// days says of an order whether it was first seen in the days asked for, by the
// calendar of its shop.
func (cmd replayCommand) days(ctx context.Context, a *Appliance, shops []string) (func(store.OrderView) bool, error) {
	if cmd.From == "" && cmd.To == "" {
		return func(store.OrderView) bool { return true }, nil
	}
	from, to := map[string]time.Time{}, map[string]time.Time{}
	for _, shop := range shops {
		for _, border := range []struct {
			of  map[string]time.Time
			day string
		}{{from, cmd.From}, {to, cmd.To}} {
			if border.day == "" {
				continue
			}
			at, err := a.midnight(ctx, shop, border.day)
			if err != nil {
				return nil, err
			}
			border.of[shop] = at
		}
	}
	return func(v store.OrderView) bool {
		return !v.FirstSeenAt.Before(from[v.Shop]) && (to[v.Shop].IsZero() || v.FirstSeenAt.Before(to[v.Shop]))
	}, nil
}

// matching walks all pages of a filter.
func matching(ctx context.Context, s *store.Store, f store.OrderFilter, seen func(store.OrderView) bool) ([]store.OrderKey, error) {
	var keys []store.OrderKey
	for {
		views, err := s.Orders(ctx, f)
		if err != nil {
			return nil, err
		}
		for _, v := range views {
			if seen(v) {
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

func (cmd replayCommand) plan(ctx context.Context, w io.Writer, a *Appliance, keys []store.OrderKey, gaps []int64) error {
	plans := []ui.Plan{}
	for _, k := range keys {
		plan, err := actions{a}.Plan(ctx, k)
		if err != nil {
			return err
		}
		plans = append(plans, plan)
	}
	for _, id := range gaps {
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
