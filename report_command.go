package main

import (
	"context"
	"fmt"
	"strings"

	"gapless/sync/report"
)

type reportCommand struct {
	Day    string `help:"Day of the shop's calendar; default: yesterday." placeholder:"2026-11-22"`
	Shop   string `help:"Only this shop." placeholder:"NAME"`
	Format string `help:"text, html, csv or json." enum:"text,html,csv,json" default:"text"`
	Email  bool   `help:"Mail it to report.email too; the running appliance sends it."`
}

// Run prints the daily report of each shop. A day that is not frozen yet is
// compared now, and nothing is mended by that.
func (cmd reportCommand) Run(ctx context.Context, p *Program, c *commands) error {
	a, err := p.guest(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	shops, err := a.shopsNamed(cmd.Shop)
	if err != nil {
		return err
	}
	unbalanced, unchecked := 0, []string{}
	for i, shop := range shops {
		day, err := cmd.day(ctx, a, shop)
		if err != nil {
			return err
		}
		r, err := a.Engine.Report(ctx, shop, day, false, byCommand)
		if err != nil {
			return err
		}
		switch {
		case r.Unchecked != "":
			unchecked = append(unchecked, shop+": "+r.Unchecked)
		case !r.Balance.Balanced():
			unbalanced++
		}
		if i > 0 && cmd.Format == report.FormatText {
			fmt.Fprintln(p.Stdout)
		}
		if err := r.Write(p.Stdout, cmd.Format); err != nil {
			return err
		}
		if !cmd.Email {
			continue
		}
		n, err := a.Engine.SendReport(ctx, r)
		if err != nil {
			return err
		}
		if n == 0 {
			return usageError{fmt.Errorf("report.email names nobody; add recipients to the config")}
		}
		fmt.Fprintln(p.Stderr, "The report is on its way by mail; `gapless serve` sends it.")
	}
	if len(unchecked) > 0 {
		return fmt.Errorf("not everything could be checked; mend this and ask for the report again: %s", strings.Join(unchecked, ". "))
	}
	if unbalanced > 0 {
		return gapsFound{fmt.Errorf("%d of %d reports do not balance", unbalanced, len(shops))}
	}
	return nil
}

// day is the one asked for, or yesterday by the shop's calendar.
func (cmd reportCommand) day(ctx context.Context, a *Appliance, shop string) (string, error) {
	if cmd.Day == "" {
		return a.Engine.Yesterday(ctx, shop)
	}
	_, err := a.midnight(ctx, shop, cmd.Day)
	return cmd.Day, err
}

// shopsNamed are the shop named, or all.
func (a *Appliance) shopsNamed(name string) ([]string, error) {
	var names []string
	for _, s := range a.Config.Shops {
		if name == "" || s.Name == name {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return nil, usageError{fmt.Errorf("there is no shop named %q in the config", name)}
	}
	return names, nil
}
