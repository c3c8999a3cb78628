package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"gapless/erp"
	httperp "gapless/erp/http"
	"gapless/erp/pull"
	"gapless/erp/sandbox"
	"gapless/erp/tryton"
	"gapless/shopify"
	"gapless/store"
	ordersync "gapless/sync"
	"gapless/ui"
)

// kinds are the ERPs that a config can name: the settings of each, and how an
// adapter is made of them.
var kinds = map[string]struct {
	settings func() any
	open     func(settings any, client *http.Client, feed pull.Feed) (erp.Adapter, error)
}{
	"http": {
		func() any { return new(httperp.Settings) },
		func(s any, c *http.Client, _ pull.Feed) (erp.Adapter, error) {
			return httperp.New(*s.(*httperp.Settings), c, time.Now)
		},
	},
	"tryton": {
		func() any { return new(tryton.Settings) },
		func(s any, c *http.Client, _ pull.Feed) (erp.Adapter, error) {
			return tryton.New(*s.(*tryton.Settings), c, time.Now)
		},
	},
	"sandbox": {
		func() any { return new(sandbox.Settings) },
		func(s any, _ *http.Client, _ pull.Feed) (erp.Adapter, error) {
			return sandbox.New(*s.(*sandbox.Settings), time.Now, waitFor)
		},
	},
	kindPull: {
		func() any { return new(pull.Settings) },
		func(s any, _ *http.Client, f pull.Feed) (erp.Adapter, error) {
			return pull.New(*s.(*pull.Settings), f, time.Now)
		},
	},
}

// waitFor passes d, or ends early with ctx.
func waitFor(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// config loads the config that the flags name. One that can't be read is the
// caller's mistake like one that is wrong.
func (p *Program) config(path string) (*Config, error) {
	settings := map[string]func() any{}
	for kind, k := range kinds {
		settings[kind] = k.settings
	}
	c, err := LoadConfig(path, p.Environ, settings)
	if err != nil {
		return nil, usageError{err}
	}
	return c, nil
}

// logger writes to Stderr, as the config wants it.
func (p *Program) logger(c *Config) *slog.Logger {
	var level slog.Level
	level.UnmarshalText([]byte(c.Server.LogLevel)) //nolint:errcheck // the config was checked
	options := &slog.HandlerOptions{Level: level}
	if c.Server.LogFormat == "json" {
		return slog.New(slog.NewJSONHandler(p.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(p.Stderr, options))
}

// Appliance is a config brought to life: store, engine and server.
type Appliance struct {
	Config  *Config
	Store   *store.Store
	Engine  *ordersync.Engine
	Server  *ui.Server
	Clients map[string]*shopify.Client // by shop
	ERPs    map[string]erp.Adapter     // by name
	people  channels
	oidc    *ui.OIDC // nil: people log in by passwords alone
	log     *slog.Logger
	closers []io.Closer
}

func newAppliance(c *Config, log *slog.Logger) *Appliance {
	return &Appliance{Config: c, Clients: map[string]*shopify.Client{}, ERPs: map[string]erp.Adapter{}, log: log}
}

// openAppliance opens everything; nothing runs yet. A guest opens the store
// beside the process that owns it.
func openAppliance(ctx context.Context, c *Config, guest bool, log *slog.Logger) (_ *Appliance, err error) {
	a := newAppliance(c, log)
	defer func() {
		if err != nil {
			a.Close()
		}
	}()
	if err := a.openParts(); err != nil {
		return nil, err
	}
	if err := a.openStore(ctx, guest); err != nil {
		return nil, err
	}
	rules, err := compileRules(c.Rules)
	if err != nil {
		return nil, err
	}
	settings := a.engineConfig(rules)
	if settings.Listening, err = a.Store.OwnedSince(ctx); err != nil {
		return nil, err
	}
	if a.Engine, err = ordersync.New(a.Store, settings); err != nil {
		return nil, err
	}
	if err := a.Engine.SameShops(ctx); err != nil {
		return nil, err
	}
	door, err := a.door()
	if err != nil {
		return nil, err
	}
	var shops []string
	for _, s := range c.Shops {
		shops = append(shops, s.Name)
	}
	a.Server = ui.New(ui.Options{
		Store: a.Store, Actions: actions{a}, Webhook: door, Shops: shops, Feeds: c.feeds(), Metrics: actions{a}.metrics, OIDC: a.oidc,
		Version: version, Config: c.Redacted(), Log: log,
	})
	return a, nil
}

// openParts makes what only needs the config, in which nothing is wrong.
func (a *Appliance) openParts() (err error) {
	for _, s := range a.Config.Shops {
		a.Clients[s.Name], err = shopify.NewClient(shopify.ClientConfig{
			Domain: s.Domain, AccessToken: s.AccessToken, ClientID: s.ClientID, ClientSecret: s.ClientSecret,
			APIVersion: s.APIVersion, APIURL: s.APIURL, Log: a.log.With("shop", s.Name),
		})
		if err != nil {
			return fmt.Errorf("shop %s: %w", s.Name, err)
		}
	}
	for _, e := range a.Config.ERPs {
		if err := a.openERP(e); err != nil {
			return fmt.Errorf("ERP %s: %w", e.Name, err)
		}
	}
	a.openOIDC()
	a.people, err = openChannels(a.Config)
	return err
}

func (a *Appliance) openERP(e ERPConfig) error {
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: e.Concurrency, IdleConnTimeout: 90 * time.Second,
		DialContext: (&net.Dialer{Timeout: 10 * time.Second}).DialContext, TLSHandshakeTimeout: 10 * time.Second,
	}}
	adapter, err := kinds[e.Kind].open(e.Settings, client, feed{a, e.Name})
	if err != nil {
		return err
	}
	a.ERPs[e.Name] = adapter
	a.closers = append(a.closers, idle{client})
	if c, ok := adapter.(io.Closer); ok {
		a.closers = append(a.closers, c)
	}
	return nil
}

func (a *Appliance) openStore(ctx context.Context, guest bool) error {
	key, err := a.Config.Store.Key()
	if err != nil {
		return fmt.Errorf("store.encryption_key: %w", err)
	}
	a.Store, err = store.Open(ctx, store.Options{
		Path: storePath(a.Config), Key: key, Guest: guest,
		QueueRows: a.Config.Store.Queue, QueueBytes: int64(a.Config.Store.QueueBytes), Log: a.log,
	})
	if errors.Is(err, os.ErrNotExist) && !guest {
		return fmt.Errorf("%w; create the folder that store.url names", err)
	}
	return err
}

func storePath(c *Config) string { return filepath.Clean(strings.TrimPrefix(c.Store.URL, "sqlite:")) }

// webhookURI is where Shopify reaches the door; empty: nowhere.
func webhookURI(c *Config) string {
	if c.Server.PublicURL == "" {
		return ""
	}
	return strings.TrimSuffix(c.Server.PublicURL, "/") + "/webhooks/shopify"
}

func (a *Appliance) engineConfig(rules *erp.Rules) ordersync.Config {
	c := ordersync.Config{
		Rules: rules, KeepBodies: a.Config.Store.KeepBodies, WebhookURI: webhookURI(a.Config), Drain: a.Config.Server.ShutdownTimeout, Log: a.log,
		Report: ordersync.ReportConfig{At: sinceMidnight(a.Config.Report.At), Channels: a.people.report},
		Alerts: ordersync.AlertConfig{Channels: a.people.alerts, After: a.Config.Alerts.After, Remind: a.Config.Alerts.Remind},
	}
	for _, s := range a.Config.Shops {
		c.Shops = append(c.Shops, ordersync.Shop{
			Name: s.Name, Domain: s.Domain, ERP: s.ERP, Client: a.Clients[s.Name], APIVersion: s.APIVersion, Webhooks: s.Webhooks != "off",
			Poll: ordersync.PollPace{Active: s.Poll.Active, Idle: s.Poll.Idle, Grace: s.Poll.Grace}, PollOverlap: s.Poll.Overlap,
			Reconcile: ordersync.ReconcileConfig{
				Every: s.Reconcile.Every, Window: s.Reconcile.Window, Settle: s.Reconcile.Settle, Stuck: s.Reconcile.Stuck, Tolerance: s.Reconcile.Tolerance.Decimal,
			},
		})
	}
	for _, e := range a.Config.ERPs {
		lane := ordersync.ERP{
			Name: e.Name, Adapter: a.ERPs[e.Name], Concurrency: e.Concurrency, Rate: rate.Limit(e.Rate.PerSecond()),
			Timeout: requestsPerAttempt * e.Timeout, Longest: e.LongestRequest, RetryFirst: e.Retry.First, RetryMax: e.Retry.Max,
			Circuit: ordersync.CircuitConfig{Failures: e.Circuit.Failures, Pause: e.Circuit.Pause},
		}
		if e.Kind == kindPull {
			lane = pulls(lane)
		}
		c.ERPs = append(c.ERPs, lane)
	}
	return c
}

// requestsPerAttempt bounds an attempt: a delivery may take several requests,
// each of which the adapter itself bounds by the ERP's timeout.
const requestsPerAttempt = 4

func (a *Appliance) door() (*shopify.Door, error) {
	var shops []shopify.DoorShop
	for _, s := range a.Config.Shops {
		shops = append(shops, shopify.DoorShop{Name: s.Name, Domain: s.Domain, Secrets: s.WebhookSecrets})
	}
	door, err := shopify.NewDoor(shops)
	if err != nil {
		return nil, err
	}
	door.MaxBody = int64(a.Config.Server.MaxBody)
	door.Keep = ordersync.KeepIn(a.Store)
	door.Refused = ordersync.RefuseIn(a.Store)
	return door, nil
}

// Run serves on listener and runs the engine until ctx ends; then it drains:
// requests under way are answered, calls under way are recorded.
func (a *Appliance) Run(ctx context.Context, listener net.Listener) error {
	server := a.httpServer()
	server.RegisterOnShutdown(a.Server.EndStreams)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 3)
	start := func(part func() error) {
		go func() {
			err := part()
			stop() // the one part is nothing without the other
			ended <- err
		}()
	}
	start(func() error { return a.Engine.Run(ctx) })
	start(func() error { a.Server.KeepWarm(ctx); return nil })
	start(func() error { return ignoreClosed(server.Serve(listener)) })
	<-ctx.Done()
	a.log.Info("stopping: answering what is under way")
	a.drain(server)
	return errors.Join(<-ended, <-ended, <-ended)
}

func (a *Appliance) httpServer() *http.Server {
	c := a.Config.Server
	return &http.Server{
		Handler: a.Server, ReadHeaderTimeout: min(5*time.Second, c.ReadTimeout), ReadTimeout: c.ReadTimeout,
		WriteTimeout: c.ReadTimeout + 30*time.Second, IdleTimeout: c.IdleTimeout,
		MaxHeaderBytes: 64 << 10, ErrorLog: slog.NewLogLogger(a.log.Handler(), slog.LevelWarn),
	}
}

// drain lets the requests under way finish, and cuts off those that take too
// long: a webhook that was not answered is sent again.
func (a *Appliance) drain(server *http.Server) {
	ctx, cancel := context.WithTimeout(context.Background(), a.Config.Server.ShutdownTimeout)
	defer cancel()
	if err := server.Shutdown(ctx); err != nil {
		a.log.Warn("some requests took too long and were cut off; Shopify sends such webhooks again")
		server.Close() // it is closed already; this cuts the connections
	}
}

func ignoreClosed(err error) error {
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}

// idle closes the connections a client keeps for later.
type idle struct{ *http.Client }

func (i idle) Close() error {
	i.CloseIdleConnections()
	return nil
}

// Close closes what openAppliance opened.
func (a *Appliance) Close() error {
	var err error
	if a.Store != nil {
		err = a.Store.Close()
	}
	for _, c := range a.closers {
		err = errors.Join(err, c.Close())
	}
	return err
}
