package main

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"

	"gapless/store"
	"gapless/ui"
)

// Connections tells what Gapless is connected to, as far as it is known here.
func (a actions) Connections() ui.Connections {
	m := a.Engine.Metrics()
	c := ui.Connections{Others: []string{"disk"}, Free: freeBytes(filepath.Dir(storePath(a.Config)))}
	for _, s := range a.Config.Shops {
		expires, renewed := a.Clients[s.Name].TokenExpires()
		c.Shops = append(c.Shops, ui.ShopConnection{
			Name: s.Name, Domain: s.Domain, ERP: s.ERP, Webhooks: s.Webhooks != "off",
			APIVersion: s.APIVersion, APIAnswers: a.Clients[s.Name].SeenVersion(), Pace: m.Paces[s.Name], Compares: s.Reconcile.Every,
			TokenExpires: expires, TokenRenewed: renewed,
		})
	}
	for _, e := range a.Config.ERPs {
		state := m.Circuits[e.Name]
		c.ERPs = append(c.ERPs, ui.ERPConnection{Name: e.Name, Kind: e.Kind, Tier: string(a.ERPs[e.Name].Tier()), Until: state.Until, Reason: state.Reason, Link: a.link(e)})
	}
	if len(a.people.mail) > 0 {
		c.Others = append(c.Others, "mail")
	}
	if a.oidc != nil {
		c.Others = append(c.Others, "oidc")
	}
	return c
}

// link is where people see a document of an ERP: as the config says, else as the
// adapter does; empty: nowhere.
func (a actions) link(e ERPConfig) string {
	if linker, ok := a.ERPs[e.Name].(interface{ Link() string }); ok && e.Link == "" {
		return linker.Link()
	}
	return e.Link
}

// freeBytes is the room on a folder's disk; less than 0: not known.
func freeBytes(folder string) int64 {
	var free syscall.Statfs_t
	if err := syscall.Statfs(folder, &free); err != nil {
		return -1
	}
	return int64(free.Bavail) * int64(free.Bsize) //nolint:unconvert // its type differs between systems
}

// Test tries one connection, and changes nothing there.
func (a actions) Test(ctx context.Context, kind, name string) error {
	switch kind {
	case "shop":
		for _, s := range a.Config.Shops {
			if s.Name == name {
				return a.testShop(ctx, s)
			}
		}
	case "erp":
		if adapter := a.ERPs[name]; adapter != nil {
			return adapter.Check(ctx)
		}
	case "other":
		return a.testOther(ctx, name)
	}
	return fmt.Errorf("there is no %s named %q: %w", kind, name, store.ErrNotFound)
}

func (a actions) testShop(ctx context.Context, s ShopConfig) error {
	k := &checks{config: a.Config}
	var failure error
	k.tell = func(_ string, err error) {
		if failure == nil {
			failure = err
		}
	}
	k.shop(ctx, s, a.Clients[s.Name])
	return failure
}

func (a actions) testOther(ctx context.Context, name string) error {
	switch name {
	case "disk":
		return checkDisk(a.Config)
	case "mail":
		for _, mail := range a.people.mail {
			if err := mail.Check(ctx); err != nil {
				return err
			}
		}
		return nil
	case "oidc":
		if a.oidc != nil {
			return a.oidc.Check(ctx)
		}
	}
	return fmt.Errorf("there is nothing to test named %q: %w", name, store.ErrNotFound)
}
