package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
)

type backupCommand struct {
	Path string `arg:"" help:"File to write."`
}

// Run copies a store, in use or not.
func (cmd backupCommand) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := os.Stat(cmd.Path); err == nil {
		return fmt.Errorf("%s exists; choose a new name, so that no older backup is lost", cmd.Path)
	}
	if err := db.Backup(ctx, cmd.Path); err != nil {
		return err
	}
	info, err := os.Stat(cmd.Path)
	if err != nil {
		return err
	}
	fmt.Fprintf(p.Stdout, "%s: %d bytes, verified\n", filepath.Clean(cmd.Path), info.Size())
	return nil
}
