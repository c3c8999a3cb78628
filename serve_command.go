package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"runtime/debug"
	"strings"

	"gapless/store"
)

type serveCommand struct{}

// Run serves until the process is told to stop.
func (serveCommand) Run(ctx context.Context, p *Program, c *commands) error {
	config, err := p.config(c.Config)
	if err != nil {
		return err
	}
	log := p.logger(config)
	a, err := openAppliance(ctx, config, false, log)
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", config.Server.Listen)
	if err != nil {
		return errors.Join(fmt.Errorf("listen on server.listen: %w; is another program using that address?", err), a.Close())
	}
	if config.Store.EncryptionKey == "" {
		log.Warn("store.encryption_key is empty: orders and webhook bodies are stored in clear")
	}
	if err := p.inviteFirstAdmin(ctx, a, listener.Addr().String()); err != nil {
		return errors.Join(err, listener.Close(), a.Close())
	}
	log.Info("Gapless is ready", "version", version, "listen", listener.Addr().String(), "shops", len(config.Shops), "erps", len(config.ERPs))
	store.SpareProcessor()
	debug.FreeOSMemory() // what the start took
	return errors.Join(a.Run(ctx, listener), a.Close())
}

// inviteFirstAdmin says, as long as there is nobody who could log in, by which
// link the first admin is made.
func (p *Program) inviteFirstAdmin(ctx context.Context, a *Appliance, listens string) error {
	secret, err := a.Store.SetupLink(ctx)
	if err != nil || secret == "" {
		return err
	}
	link := setupURL(a.Config, secret, listens)
	a.log.Warn("nobody can log in yet: make the first admin by this link, within 24 hours", "link", link)
	fmt.Fprintf(p.Stdout, "Make the first admin here, within 24 hours: %s\n", link)
	if a.Config.Server.PublicURL != "" { // the proxy may pass webhooks alone
		fmt.Fprintf(p.Stdout, "On this machine the same is at http://%s/setup/%s\n", onThisMachine(listens), secret)
	}
	return nil
}

// setupURL is the address of a one-time link: below public_url or, where there
// is none, where Gapless listens.
func setupURL(c *Config, secret string, listens string) string {
	base := strings.TrimSuffix(c.Server.PublicURL, "/")
	if base == "" {
		base = "http://" + onThisMachine(listens)
	}
	return base + "/setup/" + secret
}

// onThisMachine is an address to listen on as a browser here reaches it.
func onThisMachine(listen string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return listen
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "localhost"
	}
	return net.JoinHostPort(host, port)
}
