package main

import (
	"context"
	"errors"
	"fmt"
	"net"
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
	log.Info("Gapless is ready", "version", version, "listen", listener.Addr().String(), "shops", len(config.Shops), "erps", len(config.ERPs))
	return errors.Join(a.Run(ctx, listener), a.Close())
}
