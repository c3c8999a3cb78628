package main

import (
	"context"
	"time"

	"gapless/store"
	"gapless/ui"
)

type runsCommand struct {
	Shop  string `help:"Only this shop." placeholder:"NAME"`
	Kind  string `help:"Only this kind." enum:",poll,reconcile,deep,day,backfill" default:""`
	Limit int    `help:"At most this many." default:"20"`
	JSON  bool   `help:"As the API tells it."`
}

// Run lists runs, newest first.
func (cmd runsCommand) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStoreOf(ctx, c, cmd.Shop)
	if err != nil {
		return err
	}
	defer db.Close()
	runs, err := db.Runs(ctx, store.RunFilter{Shop: cmd.Shop, Kind: cmd.Kind, Limit: cmd.Limit})
	if err != nil {
		return err
	}
	if cmd.JSON {
		told := []ui.Run{}
		for _, r := range runs {
			told = append(told, ui.RunOf(r))
		}
		return writeJSON(p.Stdout, told)
	}
	table := newTable(p.Stdout, "ID", "SHOP", "KIND", "STATE", "STARTED", "TOOK", "FROM", "TO", "ORDERS", "GAPS", "BY", "NOTE")
	for _, r := range runs {
		table.row(r.ID, r.Shop, r.Kind, r.State, r.StartedAt.Format(time.RFC3339), took(r), orDash(r.From), orDash(r.To), r.Done, r.Found, r.By, r.Note)
	}
	return table.flush()
}

func took(r store.Run) string {
	if r.EndedAt.IsZero() {
		return "-"
	}
	return r.EndedAt.Sub(r.StartedAt).Round(time.Millisecond).String()
}

func orDash(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.Format(time.RFC3339)
}
