package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"gapless/store"
)

type backfillCommand struct {
	Shop   string `help:"The shop; needed where the config has several." placeholder:"NAME"`
	From   string `help:"Orders placed from this day on, in the shop's time." placeholder:"2026-01-31"`
	To     string `help:"Orders placed before this day; default: up to now." placeholder:"2026-11-22"`
	DryRun bool   `help:"Say how many orders it would bring in, and bring in none."`
	Cancel bool   `help:"End the backfill that is being carried out; the orders it brought in stay."`
}

// Run asks for a backfill, which the running appliance carries out, and shows
// how far it is. Asking again for one that is under way shows that one, without
// --to however much later.
func (cmd backfillCommand) Run(ctx context.Context, p *Program, c *commands) error {
	if (cmd.From == "") != cmd.Cancel {
		return usageError{errors.New("say from which day on: --from 2026-01-31, or --cancel to end the backfill that is being carried out")}
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
	if len(shops) > 1 {
		return usageError{fmt.Errorf("say which shop: --shop %s", strings.Join(shops, " or --shop "))}
	}
	if cmd.Cancel {
		return a.cancelBackfill(ctx, p.Stdout, shops[0])
	}
	from, to, err := cmd.window(ctx, a, shops[0])
	if err != nil {
		return err
	}
	if cmd.DryRun {
		all, unknown, err := a.Engine.Unknown(ctx, shops[0], from, to)
		if err != nil {
			return err
		}
		fmt.Fprintf(p.Stdout, "%s placed %d orders from %s to %s; %d of them would be brought in\n", shops[0], all, from.Format(time.RFC3339), to.Format(time.RFC3339), unknown)
		return nil
	}
	run, err := a.Engine.StartBackfill(ctx, shops[0], from, to, byCommand)
	if err != nil && !errors.Is(err, store.ErrRunning) {
		return err
	}
	return watch(ctx, p.Stdout, a.Store, run.ID)
}

// cancelBackfill ends the backfill that is carried out now; others that wait for
// it go on.
func (a *Appliance) cancelBackfill(ctx context.Context, w io.Writer, shop string) error {
	run, err := a.Store.FirstRunning(ctx, shop, store.RunBackfill)
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("no backfill of %s is under way; see `gapless runs`", shop)
	}
	if err != nil {
		return err
	}
	if err := a.Engine.CancelBackfill(ctx, run, byCommand); err != nil {
		return err
	}
	fmt.Fprintf(w, "The backfill of %s from %s to %s is cancelled; the %d orders it has read so far stay.\n",
		shop, run.From.Format(time.RFC3339), run.To.Format(time.RFC3339), run.Done)
	return nil
}

// window is the days asked for, as the shop's calendar has them.
func (cmd backfillCommand) window(ctx context.Context, a *Appliance, shop string) (from, to time.Time, err error) {
	if from, err = a.midnight(ctx, shop, cmd.From); err != nil {
		return from, to, err
	}
	to = time.Now().UTC()
	if cmd.To != "" {
		if to, err = a.midnight(ctx, shop, cmd.To); err != nil {
			return from, to, err
		}
	}
	if !from.Before(to) {
		return from, to, usageError{errors.New("the backfill would end before it begins; --from must be earlier than --to, and not in the future")}
	}
	return from, to, nil
}

// watch shows how far a run is until it ends, or nobody carries it out any more.
// Ending the watching does not end the run.
func watch(ctx context.Context, w io.Writer, s *store.Store, id int64) error {
	bar := isTerminal(w)
	fmt.Fprintln(w, "`gapless serve` carries this out; ending this command does not end it, `gapless backfill --cancel` does.")
	for last := ""; ; {
		run, err := s.Run(ctx, id)
		if err != nil {
			return err
		}
		line := progress(run)
		switch {
		case bar:
			fmt.Fprintf(w, "\r\x1b[K%s", line)
		case line != last:
			fmt.Fprintln(w, line)
		}
		last = line
		if run.State != store.RunRunning {
			if bar {
				fmt.Fprintln(w)
			}
			if run.State != store.RunDone {
				return fmt.Errorf("the run ended as %s: %s", run.State, run.Note)
			}
			return nil
		}
		owned, err := s.OwnedSince(ctx)
		if err != nil {
			return err
		}
		if owned.IsZero() {
			return errors.New("the backfill is noted, but no appliance runs on this store: start `gapless serve`, which carries it out")
		}
		if waitFor(ctx, 500*time.Millisecond) != nil {
			fmt.Fprintln(w, "\nstill under way; `gapless backfill` with the same days shows it again")
			return nil
		}
	}
}

// progress is a bar, where it is known of how many orders, and a note.
func progress(r store.Run) string {
	const width = 30
	if r.Total == 0 {
		return fmt.Sprintf("%d orders. %s", r.Done, r.Note)
	}
	full := int(min(r.Done, r.Total) * width / r.Total)
	return fmt.Sprintf("[%s%s] %d of %d orders. %s", strings.Repeat("#", full), strings.Repeat(" ", width-full), r.Done, r.Total, r.Note)
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
