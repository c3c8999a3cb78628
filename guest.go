package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"gapless/store"
)

// byCommand is who asks for what a command sets in motion.
const byCommand = "the command line"

// guest opens the whole appliance beside a running `gapless serve`, for what
// asks a shop or an ERP.
func (p *Program) guest(ctx context.Context, c *commands) (*Appliance, error) {
	config, err := p.config(c.Config)
	if err != nil {
		return nil, err
	}
	a, err := openAppliance(ctx, config, true, p.logger(config))
	return a, explained(err)
}

// guestStore opens the store alone, beside a running `gapless serve`.
func (p *Program) guestStore(ctx context.Context, c *commands) (*store.Store, error) {
	return p.guestStoreOf(ctx, c, "")
}

// guestStoreOf is for lists of the shop named, or of all. A shop that has left the
// config is in the store still; of one that is in neither, an empty list would say
// that all is well.
func (p *Program) guestStoreOf(ctx context.Context, c *commands, shop string) (*store.Store, error) {
	config, err := p.config(c.Config)
	if err != nil {
		return nil, err
	}
	a := newAppliance(config, p.logger(config))
	if err := a.openStore(ctx, true); err != nil {
		return nil, explained(err)
	}
	_, unknown := a.shopsNamed(shop)
	if unknown == nil {
		return a.Store, nil
	}
	left, err := a.Store.Shop(ctx, shop)
	if err == nil && left.BeganAt.IsZero() {
		err = unknown
	}
	if err != nil {
		a.Store.Close()
		return nil, err
	}
	return a.Store, nil
}

func explained(err error) error {
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("%w; there is no store yet: start `gapless serve` once", err)
	}
	return err
}

// sayWhoCarriesOn tells, where no appliance runs, that nothing happens until one does.
func (a *Appliance) sayWhoCarriesOn(ctx context.Context, w io.Writer) error {
	since, err := a.Store.OwnedSince(ctx)
	if err == nil && since.IsZero() {
		fmt.Fprintln(w, "No appliance runs on this store: start gapless serve, which carries this out.")
	}
	return err
}
