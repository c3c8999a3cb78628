package main

import (
	"context"
	"fmt"
	"time"

	"gapless/store"
)

type restoreCommand struct {
	Path string `arg:"" help:"Of the backup."`
}

// Run puts a backup in the place of the store, which nobody may be using.
func (cmd restoreCommand) Run(ctx context.Context, p *Program, c *commands) error {
	config, err := p.config(c.Config)
	if err != nil {
		return err
	}
	path := storePath(config)
	kept, err := store.Restore(ctx, cmd.Path, path, time.Now())
	if err != nil {
		return err
	}
	if kept != "" {
		fmt.Fprintf(p.Stdout, "The database that was there is kept as %s.\n", kept)
	}
	fmt.Fprintf(p.Stdout, "%s is restored and verified. `gapless serve` looks every order up in its ERP before it sends anything.\n", path)
	fmt.Fprintln(p.Stdout, "See first that this machine's clock is right, which `gapless check` does: by it serve tells orders of before from those that are placed later.")
	return nil
}
