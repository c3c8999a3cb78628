package main

import (
	"context"
	"fmt"
	"time"
)

type pollCommand struct {
	Shop string `help:"Only this shop." placeholder:"NAME"`
}

// Run polls now. What it finds is fetched and delivered by the running appliance.
func (cmd pollCommand) Run(ctx context.Context, p *Program, c *commands) error {
	a, err := p.guest(ctx, c)
	if err != nil {
		return err
	}
	defer a.Close()
	found := false
	for _, s := range a.Config.Shops {
		if cmd.Shop != "" && cmd.Shop != s.Name {
			continue
		}
		found = true
		r, err := a.Engine.Poll(ctx, s.Name)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout, "%s: %d orders changed between %s and %s; %d are fetched\n", s.Name, r.Seen, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Fetched)
	}
	if !found {
		return usageError{fmt.Errorf("there is no shop named %q in the config", cmd.Shop)}
	}
	return nil
}
