package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gapless/store"
	ordersync "gapless/sync"
	"gapless/ui"
)

type reconcileCommand struct {
	Shop string `help:"Only this shop." placeholder:"NAME"`
	window
	Heal bool `help:"Mend what is found." default:"true" negatable:""`
	JSON bool `help:"As JSON."`
}

// reconciled is a comparison of one shop, as it is told.
type reconciled struct {
	Shop  string    `json:"shop"`
	ERP   string    `json:"erp"`
	RunID int64     `json:"run_id"`
	State string    `json:"state"`
	From  time.Time `json:"from"`
	To    time.Time `json:"to"`
	Heal  bool      `json:"heal"`
	OK    bool      `json:"balanced"`
	ordersync.Reconciliation
	Gaps []ui.Gap `json:"gaps"` // that it saw

	gaps []store.Gap
}

// Run compares the shops with their ERPs now, beside a running appliance or
// without one. What is to be mended the running appliance carries out.
func (cmd reconcileCommand) Run(ctx context.Context, p *Program, c *commands) error {
	a, err := p.guest(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	shops, err := a.shopsNamed(cmd.Shop)
	if err != nil {
		return err
	}
	passes := make([]ordersync.Pass, len(shops))
	for i, shop := range shops {
		if passes[i], err = cmd.pass(ctx, a, shop); err != nil {
			return err
		}
	}
	all, failed := []reconciled{}, []string{}
	for i, shop := range shops {
		r, err := a.reconcile(ctx, shop, passes[i])
		if err != nil { // the other shops are compared all the same
			failed = append(failed, err.Error())
			continue
		}
		all = append(all, r)
	}
	if err := cmd.print(ctx, p.Stdout, a, all); err != nil {
		return err
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "; "))
	}
	return verdict(all)
}

func (cmd reconcileCommand) pass(ctx context.Context, a *Appliance, shop string) (ordersync.Pass, error) {
	zone, err := a.Engine.Zone(ctx, shop)
	if err != nil {
		return ordersync.Pass{}, err
	}
	from, to, err := cmd.of(zone, time.Now())
	if err != nil {
		return ordersync.Pass{}, usageError{err}
	}
	return ordersync.Pass{Kind: store.RunReconcile, From: from, To: to, Heal: cmd.Heal, By: byCommand}, nil
}

func (a *Appliance) reconcile(ctx context.Context, shop string, pass ordersync.Pass) (reconciled, error) {
	r, err := a.Engine.Reconcile(ctx, shop, pass)
	if errors.Is(err, store.ErrRunning) {
		err = fmt.Errorf("%w; gapless runs shows it", err)
	}
	if err != nil {
		return reconciled{}, err
	}
	gaps, err := allGaps(ctx, a.Store, store.GapFilter{Shop: shop, Seen: r.Run.StartedAt})
	return reconciled{
		Shop: shop, ERP: a.erpOf(shop), RunID: r.Run.ID, State: r.Run.State, From: pass.From, To: pass.To, Heal: pass.Heal, OK: r.Balanced(),
		Reconciliation: r, Gaps: gapsTold(gaps), gaps: gaps,
	}, err
}

func (a *Appliance) erpOf(shop string) string {
	for _, s := range a.Config.Shops {
		if s.Name == shop {
			return s.ERP
		}
	}
	return ""
}

func (cmd reconcileCommand) print(ctx context.Context, w io.Writer, a *Appliance, all []reconciled) error {
	if cmd.JSON {
		return writeJSON(w, all)
	}
	var healing int64
	for i, r := range all {
		if i > 0 {
			fmt.Fprintln(w)
		}
		r.tell(w)
		healing += r.Healing
	}
	if healing == 0 {
		return nil
	}
	fmt.Fprintln(w)
	return a.sayWhoCarriesOn(ctx, w)
}

// tell prints what was compared, how it adds up, and what does not.
func (r reconciled) tell(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n", r.Shop, r.headline())
	fmt.Fprintf(w, "  compared Shopify, Gapless and %s: orders that changed from %s to %s\n\n", r.ERP, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339))
	for _, line := range r.Balance.Equation() {
		fmt.Fprintf(w, "  %s\n", line)
	}
	if r.Balance.Wrong > 0 {
		fmt.Fprintf(w, "  of those in the ERP, %d are not as Shopify has them\n", r.Balance.Wrong)
	}
	if r.Balance.Overdue > 0 {
		fmt.Fprintf(w, "  of those pending, %d are on the way for too long\n", r.Balance.Overdue)
	}
	for _, e := range r.ByRule {
		fmt.Fprintf(w, "  excluded by the rule %q: %s\n", printable(e.Rule), e.Tally)
	}
	for _, note := range r.Notes {
		fmt.Fprintf(w, "  not seen: %s\n", printable(note))
	}
	if len(r.gaps) > 0 {
		fmt.Fprintln(w)
	}
	tellGaps(w, r.gaps)
}

func (r reconciled) headline() string {
	switch {
	case !r.Complete:
		return "could not be compared whole"
	case r.off() && !r.OK:
		return "NOT BALANCED"
	case r.off():
		return "balanced, with " + counted(r.found(), "gap") + " to look at"
	case r.Ignored+r.IgnoredStuck > 0:
		return "balanced but for " + counted(r.Ignored+r.IgnoredStuck, "gap") + " that people ignored"
	}
	return "balanced"
}

func counted(n int64, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// found is how many gaps the comparison saw, new or known, that nobody ignored.
func (r reconciled) found() int64 {
	n := -r.Ignored
	for _, some := range r.Faults {
		n += some
	}
	return n
}

// off says that there is something to look at. What does not add up only by gaps
// that people ignored was looked at.
func (r reconciled) off() bool {
	return r.found() > 0 || r.Balance.Overdue > 0 || !r.OK && r.Ignored == 0
}

// verdict is what the command exits with. A side that could not be read weighs
// more than gaps: nobody knows what it would have shown.
func verdict(all []reconciled) error {
	var gaps, overdue int64
	var blind, off []string
	for _, r := range all {
		gaps, overdue = gaps+r.found(), overdue+r.Balance.Overdue
		switch {
		case !r.Complete:
			blind = append(blind, r.Shop+": "+strings.Join(r.Notes, "; "))
		case r.off():
			off = append(off, r.Shop)
		}
	}
	switch {
	case len(blind) > 0:
		return fmt.Errorf("not everything could be compared; mend this and reconcile again: %s", strings.Join(blind, ". "))
	case len(off) > 0 && overdue == 0:
		return gapsFound{fmt.Errorf("%s found in %s", counted(gaps, "gap"), strings.Join(off, ", "))}
	case len(off) > 0:
		return gapsFound{fmt.Errorf("%s found, and %s on the way for too long, in %s; gapless gaps --kind stuck says why", counted(gaps, "gap"), counted(overdue, "order"), strings.Join(off, ", "))}
	}
	return nil
}
