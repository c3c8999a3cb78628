package main

import (
	"context"
	"fmt"
	"time"
)

type tokenCommand struct {
	Add    tokenAdd    `cmd:"" help:"Make a token; it is shown once."`
	List   tokenList   `cmd:"" help:"List tokens."`
	Remove tokenRemove `cmd:"" help:"End a token."`
}

type tokenAdd struct {
	Name  string `arg:"" help:"What the token is for."`
	Scope string `help:"What it may do." enum:"viewer,operator,admin,metrics,feed" default:"viewer"`
}

// Run makes a token and prints it, this once.
func (cmd tokenAdd) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	secret, err := db.AddToken(ctx, cmd.Name, cmd.Scope, byCommand)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Stdout, secret)
	fmt.Fprintln(p.Stderr, "Keep it now: only its hash is stored.")
	return nil
}

type tokenList struct{}

// Run lists tokens, without their secrets.
func (tokenList) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	tokens, err := db.Tokens(ctx)
	if err != nil {
		return err
	}
	table := newTable(p.Stdout, "NAME", "SCOPE", "MADE")
	for _, t := range tokens {
		table.row(t.Name, t.Scope, t.CreatedAt.Format(time.RFC3339))
	}
	return table.flush()
}

type tokenRemove struct {
	Name string `arg:"" help:"Of the token."`
}

// Run ends a token.
func (cmd tokenRemove) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.RemoveToken(ctx, cmd.Name, byCommand)
}
