package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"gapless/store"
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
	shops, err := a.shopsNamed(cmd.Shop)
	if err != nil {
		return err
	}
	fetched, failed := 0, []string{}
	for _, shop := range shops {
		began := time.Now()
		r, err := a.Engine.Poll(ctx, shop)
		if err != nil { // the other shops are polled all the same
			failed = append(failed, err.Error())
			continue
		}
		fmt.Fprintf(p.Stdout, "%s: %d orders changed between %s and %s; %d are fetched\n", shop, r.Seen, r.From.Format(time.RFC3339), r.To.Format(time.RFC3339), r.Fetched)
		fetched += r.Fetched
		if r.Lost == 0 {
			continue
		}
		fmt.Fprintf(p.Stdout, "%s: no webhook told of %d of them:\n", shop, r.Lost)
		gaps, err := allGaps(ctx, a.Store, store.GapFilter{Shop: shop, Seen: began})
		if err != nil {
			return err
		}
		tellGaps(p.Stdout, gaps)
	}
	if fetched > 0 {
		if err := a.sayWhoCarriesOn(ctx, p.Stdout); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return errors.New(strings.Join(failed, "; "))
	}
	return nil
}
