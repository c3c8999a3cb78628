package main

import (
	"context"
	"fmt"
	"io"

	"gapless/store"
	"gapless/ui"
)

type userCommand struct {
	Add    userAdd    `cmd:"" help:"Add a person; prints the link by which they choose a password."`
	List   userList   `cmd:"" help:"List people."`
	Reset  userReset  `cmd:"" help:"Print a link by which a person chooses a new password."`
	Remove userRemove `cmd:"" help:"Remove a person, and log them out."`
}

type userAdd struct {
	Name string `arg:"" help:"By which they log in; an e-mail address does well."`
	Role string `help:"What they may do." enum:"viewer,operator,admin" default:"viewer"`
}

// Run makes a person, who has no password until they use the link.
func (cmd userAdd) Run(ctx context.Context, p *Program, c *commands) error {
	name, err := ui.LoginName(cmd.Name)
	if err != nil {
		return usageError{err}
	}
	return p.printLink(ctx, c, func(db *store.Store) (string, error) { return db.AddUser(ctx, name, cmd.Role, byCommand) })
}

type userReset struct {
	Name string `arg:"" help:"Of the person."`
}

// Run prints a link that gets its person in whatever they have lost.
func (cmd userReset) Run(ctx context.Context, p *Program, c *commands) error {
	name, err := ui.LoginName(cmd.Name)
	if err != nil {
		return usageError{err}
	}
	return p.printLink(ctx, c, func(db *store.Store) (string, error) { return db.ResetLink(ctx, name, byCommand) })
}

func (p *Program) printLink(ctx context.Context, c *commands, secret func(*store.Store) (string, error)) error {
	config, err := p.config(c.Config)
	if err != nil {
		return err
	}
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	made, err := secret(db)
	if err != nil {
		return err
	}
	fmt.Fprintln(p.Stdout, setupURL(config, made, config.Server.Listen))
	fmt.Fprintln(p.Stderr, "Give them this link. It works once, for 24 hours.")
	return nil
}

type userList struct{}

// Run lists people.
func (userList) Run(ctx context.Context, p *Program, c *commands) error {
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	users, err := db.Users(ctx)
	if err != nil {
		return err
	}
	return listUsers(p.Stdout, users)
}

func listUsers(w io.Writer, users []store.User) error {
	table := newTable(w, "NAME", "ROLE", "LOG-IN", "SEEN")
	for _, u := range users {
		table.row(u.Name, u.Role, loginOf(u), orDash(u.SeenAt))
	}
	return table.flush()
}

// loginOf says how a person logs in.
func loginOf(u store.User) string {
	switch {
	case !u.DisabledAt.IsZero():
		return "disabled"
	case u.Password == "" && u.Bound:
		return "provider"
	case u.Password == "":
		return "no password yet"
	}
	how := "password"
	if u.TOTP != "" {
		how += " and code"
	}
	if u.Bound {
		how += " or provider"
	}
	return how
}

type userRemove struct {
	Name string `arg:"" help:"Of the person."`
}

// Run removes a person. What they did stays in the audit log.
func (cmd userRemove) Run(ctx context.Context, p *Program, c *commands) error {
	name, err := ui.LoginName(cmd.Name)
	if err != nil {
		return usageError{err}
	}
	db, err := p.guestStore(ctx, c)
	if err != nil {
		return err
	}
	defer db.Close()
	return db.RemoveUser(ctx, name, byCommand)
}
