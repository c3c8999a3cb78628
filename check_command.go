package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gapless/shopify"
)

type checkCommand struct {
	Offline bool `help:"The config alone."`
}

// Run tests everything the config names, and fails unless all is well.
func (cmd checkCommand) Run(ctx context.Context, p *Program, c *commands) error {
	config, err := p.config(c.Config)
	if err != nil {
		return err
	}
	a := newAppliance(config, p.logger(config))
	defer a.Close()
	if err := a.openParts(); err != nil {
		return err
	}
	k := &checks{Program: p, config: config}
	k.note("config", nil)
	if config.Store.EncryptionKey == "" {
		k.warn("store.encryption_key is empty: orders and webhook bodies are stored in clear")
	}
	if cmd.Offline {
		return k.verdict()
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	k.note("disk for "+storePath(config), checkDisk(config))
	for _, s := range config.Shops {
		k.shop(ctx, s, a.Clients[s.Name])
	}
	for _, e := range config.ERPs {
		k.note("ERP "+e.Name, a.ERPs[e.Name].Check(ctx))
	}
	for _, mail := range a.people.mail {
		k.note("mail server "+config.SMTP.Host, mail.Check(ctx))
	}
	if a.oidc != nil {
		k.note("log-in by "+a.oidc.Name, a.oidc.Check(ctx))
	}
	return k.verdict()
}

// checks prints findings as they come and remembers whether all was well.
type checks struct {
	*Program
	config *Config
	failed int
	tell   func(what string, err error) // in place of printing
}

func (k *checks) note(what string, err error) {
	if k.tell != nil {
		k.tell(what, err)
		return
	}
	if err == nil {
		fmt.Fprintf(k.Stdout, "ok    %s\n", what)
		return
	}
	k.failed++
	fmt.Fprintf(k.Stdout, "FAIL  %s: %v\n", what, err)
}

// warn prints what is no failure.
func (k *checks) warn(what string) {
	if k.tell == nil {
		fmt.Fprintf(k.Stdout, "warn  %s\n", what)
	}
}

func (k *checks) verdict() error {
	if k.failed > 0 {
		return fmt.Errorf("%d checks failed; mend what is marked FAIL above and check again", k.failed)
	}
	return nil
}

// shop tests that the shop answers, that the app may read what is needed, and
// that the webhook subscriptions are there.
func (k *checks) shop(ctx context.Context, s ShopConfig, client *shopify.Client) {
	shop, err := client.Shop(ctx)
	k.note("shop "+s.Name, err)
	if err != nil {
		return
	}
	if seen := client.SeenVersion(); seen != "" && seen != s.APIVersion {
		k.note("API version of "+s.Name, fmt.Errorf("Shopify answers with %s where %s is asked for, which it no longer serves; set api_version = %q, or a newer one", seen, s.APIVersion, seen))
	}
	if ahead := client.Ahead(); ahead.Abs() > shopify.MostAhead {
		k.note("clock", fmt.Errorf("that of this machine is %s %s Shopify's; have it set by NTP: by it orders are looked for, reports sent and restored copies told from what came later", ahead.Abs().Round(time.Second), wayOff(ahead)))
	}
	if shop.Domain != "" && shop.Domain != s.Domain {
		k.note("shop "+s.Name, fmt.Errorf("the token opens %s, not %s; take the token of the right shop", shop.Domain, s.Domain))
	}
	if !slices.Contains(shop.Scopes, "read_orders") && !slices.Contains(shop.Scopes, "write_orders") {
		k.note("scopes of "+s.Name, fmt.Errorf("the app may not read orders; give it the scope read_orders and install it again"))
	}
	if !shop.SeesAllOrders() {
		k.warn("the app of " + s.Name + " has no scope read_all_orders: orders placed more than 60 days ago can't be brought in or compared")
	}
	if s.Webhooks == "off" {
		return
	}
	k.note("webhook subscriptions of "+s.Name, k.subscriptions(ctx, s, client))
}

func wayOff(ahead time.Duration) string {
	if ahead < 0 {
		return "behind"
	}
	return "ahead of"
}

// subscriptions compares with what serve would make, and makes nothing.
func (k *checks) subscriptions(ctx context.Context, s ShopConfig, client *shopify.Client) error {
	missing, err := client.Unsubscribed(ctx, webhookURI(k.config), shopify.Topics)
	if err == nil && len(missing) > 0 {
		err = fmt.Errorf("no right subscription for %s; `gapless serve` makes them at its start", strings.Join(missing, ", "))
	}
	return err
}

// checkDisk writes where the store lives, and asks for room.
func checkDisk(c *Config) error {
	folder := filepath.Dir(storePath(c))
	f, err := os.CreateTemp(folder, ".gapless-check-")
	if err != nil {
		return fmt.Errorf("%w; create the folder and let Gapless write to it", err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(make([]byte, 1<<20))
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	const least = 1 << 30
	if room := freeBytes(folder); room >= 0 && room < least {
		return fmt.Errorf("only %d MiB are free; make room for at least 1 GiB", room>>20)
	}
	return nil
}
