package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"gapless/store"
	"gapless/sync/report"
	"gapless/ui"
)

type gapsCommand struct {
	Show   gapsShow   `cmd:"" default:"withargs" help:"List gaps, or show one with what happened to it."`
	Ignore gapsIgnore `cmd:"" help:"Leave a gap as it is."`
}

type gapsShow struct {
	ID    int64  `arg:"" optional:"" help:"One gap to show."`
	Shop  string `help:"Only this shop." placeholder:"NAME"`
	Kind  string `help:"Only this kind." enum:",missing,stale,mismatch,doubled,stuck,parked,orphan,subscription,silence" default:""`
	State string `help:"Only this state; live: open or healing." enum:"live,open,healing,closed,ignored,all" default:"live"`
	Limit int    `help:"At most this many." default:"50"`
	JSON  bool   `help:"As the API tells it."`
}

// Run lists gaps, those that are open or healing where no state is named, or
// shows the one named.
func (cmd gapsShow) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStoreOf(ctx, c, cmd.Shop)
	if err != nil {
		return err
	}
	defer db.Close()
	if cmd.ID != 0 {
		return cmd.one(ctx, p.Stdout, db)
	}
	filter := store.GapFilter{Shop: cmd.Shop, Kind: cmd.Kind, State: cmd.State, Limit: cmd.Limit}
	if cmd.State == "all" {
		filter.State = ""
	}
	gaps, err := db.Gaps(ctx, filter)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return writeJSON(p.Stdout, gapsTold(gaps))
	}
	table := newTable(p.Stdout, "ID", "SHOP", "ORDER", "KIND", "STATE", "SINCE", "WORTH", "WHY")
	for _, g := range gaps {
		table.row(g.ID, g.Shop, gapAbout(g), g.Kind, g.State, g.Since.Format(time.RFC3339), report.MoneyText(g.Total, g.Currency), report.CauseText(g.Cause))
	}
	return table.flush()
}

func gapsTold(gaps []store.Gap) []ui.Gap {
	told := []ui.Gap{}
	for _, g := range gaps {
		told = append(told, ui.GapOf(g))
	}
	return told
}

// one shows a gap with what happened to it.
func (cmd gapsShow) one(ctx context.Context, w io.Writer, db *store.Store) error {
	g, err := gapNamed(ctx, db, cmd.ID)
	if err != nil {
		return err
	}
	steps, err := db.GapSteps(ctx, g.ID)
	if err != nil {
		return err
	}
	if cmd.JSON {
		return writeJSON(w, ui.GapDetailOf(g, steps))
	}
	tellGap(w, g, time.Now())
	fmt.Fprintln(w)
	table := newTable(w, "AT", "STEP", "BY", "DETAIL")
	for _, s := range steps {
		table.row(s.At.Format(time.RFC3339), s.Step, s.By, s.Detail)
	}
	return table.flush()
}

// gapNamed finds a gap by its id.
func gapNamed(ctx context.Context, db *store.Store, id int64) (store.Gap, error) {
	g, err := db.Gap(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return g, fmt.Errorf("there is no gap %d here; gapless gaps lists them", id)
	}
	return g, err
}

type gapsIgnore struct {
	ID     int64  `arg:"" help:"Of the gap."`
	Reason string `help:"Why it may stay as it is." required:"" placeholder:"TEXT"`
}

// Run ignores a gap, with its reason on record.
func (cmd gapsIgnore) Run(ctx context.Context, p *Program, c *commands) error {
	if strings.TrimSpace(cmd.Reason) == "" {
		return usageError{errors.New("say why the gap may stay as it is: --reason TEXT")}
	}
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	if _, err := gapNamed(ctx, db, cmd.ID); err != nil {
		return err
	}
	done, err := db.IgnoreGap(ctx, cmd.ID, byCommand, cmd.Reason)
	if err == nil && !done {
		err = fmt.Errorf("gap %d is closed already", cmd.ID)
	}
	return err
}
