package main

import (
	"context"
	"time"

	"gapless/store"
	"gapless/ui"
)

type eventsCommand struct {
	ID    int64  `arg:"" optional:"" help:"One event to show, with its body."`
	Shop  string `help:"Only this shop." placeholder:"NAME"`
	Topic string `help:"Only this topic." placeholder:"TOPIC"`
	Limit int    `help:"At most this many." default:"50"`
	JSON  bool   `help:"As the API tells it."`
}

// Run lists events, or shows the one named with its body as it came.
func (cmd eventsCommand) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStoreOf(ctx, c, cmd.Shop)
	if err != nil {
		return err
	}
	defer db.Close()
	if cmd.ID != 0 {
		e, err := db.Event(ctx, cmd.ID)
		if err != nil {
			return err
		}
		if cmd.JSON {
			return writeJSON(p.Stdout, ui.EventDetailOf(e))
		}
		_, err = p.Stdout.Write(append(e.Body, '\n'))
		return err
	}
	events, err := db.Events(ctx, store.EventFilter{Shop: cmd.Shop, Topic: cmd.Topic, Limit: cmd.Limit})
	if err != nil {
		return err
	}
	if cmd.JSON {
		told := []ui.Event{}
		for _, e := range events {
			told = append(told, ui.EventOf(e))
		}
		return writeJSON(p.Stdout, told)
	}
	table := newTable(p.Stdout, "ID", "SHOP", "SOURCE", "TOPIC", "RECEIVED", "BYTES", "WEBHOOK ID")
	for _, e := range events {
		table.row(e.ID, e.Shop, e.Source, e.Topic, e.ReceivedAt.Format(time.RFC3339), e.Size, e.WebhookID)
	}
	return table.flush()
}
