package main

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Config is everything an operator sets: the TOML file with the environment
// laid over it, references resolved, defaults filled in and every value
// checked. config.example.toml says what each key means. Fields tagged
// `secret` are never shown; print a Config through Redacted.
type Config struct {
	Server ServerConfig `koanf:"server"`
	Store  StoreConfig  `koanf:"store"`
	Shops  []ShopConfig `koanf:"shops"`
	ERPs   []ERPConfig  `koanf:"erps"`
	Rules  []RuleConfig `koanf:"rules"`
	Report ReportConfig `koanf:"report"`
	SMTP   SMTPConfig   `koanf:"smtp"`
	Alerts AlertsConfig `koanf:"alerts"`
	OIDC   OIDCConfig   `koanf:"oidc"`

	references references
}

// ServerConfig is the HTTP side: webhooks, pages and API share one address.
type ServerConfig struct {
	Listen          string        `koanf:"listen"`     // HOST:PORT
	PublicURL       string        `koanf:"public_url"` // as Shopify and browsers reach it
	ReadTimeout     time.Duration `koanf:"read_timeout"`
	IdleTimeout     time.Duration `koanf:"idle_timeout"`
	ShutdownTimeout time.Duration `koanf:"shutdown_timeout"`
	MaxBody         Size          `koanf:"max_body"`
	LogLevel        string        `koanf:"log_level"`  // debug, info, warn, error
	LogFormat       string        `koanf:"log_format"` // text, json
}

// StoreConfig is the database and what waits in front of it.
type StoreConfig struct {
	URL           string        `koanf:"url"`                          // sqlite:PATH
	EncryptionKey string        `koanf:"encryption_key" secret:"true"` // base64 of 32 bytes, or empty
	KeepBodies    time.Duration `koanf:"keep_bodies"`                  // of webhooks
	Queue         int           `koanf:"queue"`                        // writes that may wait for a commit
	QueueBytes    Size          `koanf:"queue_bytes"`                  // bytes that may wait for a commit
}

// Key returns the 32 bytes of EncryptionKey, or nil where none is set.
func (s StoreConfig) Key() ([]byte, error) {
	if s.EncryptionKey == "" {
		return nil, nil
	}
	key, err := base64.StdEncoding.DecodeString(s.EncryptionKey)
	if err != nil || len(key) != 32 {
		return nil, errors.New("not 32 bytes in base64")
	}
	return key, nil
}

// ShopConfig is one Shopify shop. It logs in with AccessToken, or with
// ClientID and ClientSecret by the client credentials grant.
type ShopConfig struct {
	Name           string          `koanf:"name"`
	Domain         string          `koanf:"domain"` // acme.myshopify.com
	AccessToken    string          `koanf:"access_token" secret:"true"`
	ClientID       string          `koanf:"client_id"`
	ClientSecret   string          `koanf:"client_secret" secret:"true"`
	WebhookSecrets []string        `koanf:"webhook_secrets" secret:"true"`
	ERP            string          `koanf:"erp"`         // name of the ERPConfig
	APIVersion     string          `koanf:"api_version"` // 2026-10
	APIURL         string          `koanf:"api_url"`     // replaces https://DOMAIN; empty outside tests
	Webhooks       string          `koanf:"webhooks"`    // on, off
	Poll           PollConfig      `koanf:"poll"`
	Reconcile      ReconcileConfig `koanf:"reconcile"`
}

// PollConfig paces the incremental poll between Active and Idle.
type PollConfig struct {
	Active  time.Duration `koanf:"active"`
	Idle    time.Duration `koanf:"idle"`
	Overlap time.Duration `koanf:"overlap"` // asked for again each time: Shopify's order search lags
	Grace   time.Duration `koanf:"grace"`   // a webhook may take this long before it counts as lost
}

// ReconcileConfig says when and how far back Shopify and the ERP are compared.
type ReconcileConfig struct {
	Every  time.Duration `koanf:"every"`
	Window time.Duration `koanf:"window"`
	Settle time.Duration `koanf:"settle"` // younger changes are still on their way, not missing
	Stuck  time.Duration `koanf:"stuck"`  // an order that waits longer for its ERP is a gap
	// Tolerance is by how much an ERP's total may differ from Shopify's.
	Tolerance Amount `koanf:"tolerance"`
}

// ERPConfig is one ERP. Settings is the pointer that the kind's function gave
// to LoadConfig, with the kind's own keys filled in.
type ERPConfig struct {
	Name           string        `koanf:"name"`
	Kind           string        `koanf:"kind"`
	URL            string        `koanf:"url"`
	Link           string        `koanf:"link"`            // to a document, for people: {ref} and {id} are filled in; empty: the kind's own
	Concurrency    int           `koanf:"concurrency"`     // deliveries at the same time
	Rate           Rate          `koanf:"rate"`            // zero: no limit
	Timeout        time.Duration `koanf:"timeout"`         // of one request
	LongestRequest time.Duration `koanf:"longest_request"` // after which the ERP surely works on it no more
	Retry          RetryConfig   `koanf:"retry"`
	Circuit        CircuitConfig `koanf:"circuit"`
	Settings       any
}

// RetryConfig bounds the growing delay between attempts.
type RetryConfig struct {
	First time.Duration `koanf:"first"`
	Max   time.Duration `koanf:"max"`
}

// CircuitConfig says when an ERP counts as down: after so many failures in a
// row, attempts pause, and one probe at a time follows.
type CircuitConfig struct {
	Failures int           `koanf:"failures"`
	Pause    time.Duration `koanf:"pause"`
}

// RuleConfig keeps orders out of the ERP. When is a jq program over the neutral
// order; the first rule that says true decides.
type RuleConfig struct {
	Name string `koanf:"name"`
	When string `koanf:"when"`
	Then string `koanf:"then"` // exclude, hold
}

// ReportConfig is the daily report, sent at HH:MM of each shop's own time.
type ReportConfig struct {
	At    string   `koanf:"at"`
	Email []string `koanf:"email"`
}

// SMTPConfig is the mail server for reports and alerts.
type SMTPConfig struct {
	Host     string `koanf:"host"`
	Port     int    `koanf:"port"`
	User     string `koanf:"user"`
	Password string `koanf:"password" secret:"true"`
	From     string `koanf:"from"`
	TLS      string `koanf:"tls"` // auto, starttls, implicit, off
}

// AlertsConfig says who hears of gaps, and when.
type AlertsConfig struct {
	Email         []string      `koanf:"email"`
	SlackURL      string        `koanf:"slack_url" secret:"true"`   // whoever knows it may post
	WebhookURL    string        `koanf:"webhook_url" secret:"true"` // as above
	WebhookSecret string        `koanf:"webhook_secret" secret:"true"`
	After         time.Duration `koanf:"after"`  // a gap younger than this alerts nobody
	Remind        time.Duration `koanf:"remind"` // while it stays open
}

// Every default, in the words of the config itself.
var (
	defaults = map[string]any{
		"server.listen":           "127.0.0.1:8080",
		"server.read_timeout":     "15s",
		"server.idle_timeout":     "2m",
		"server.shutdown_timeout": "8s",
		"server.max_body":         "10MiB",
		"server.log_level":        "info",
		"server.log_format":       "text",
		"store.url":               "sqlite:gapless.db",
		"store.keep_bodies":       "90d",
		"store.queue":             4096,
		"store.queue_bytes":       "64MiB",
		"report.at":               "07:00",
		"smtp.host":               "localhost",
		"smtp.port":               25,
		"smtp.from":               "gapless@localhost",
		"smtp.tls":                "auto",
		"alerts.after":            "15m",
		"alerts.remind":           "1d",
		"oidc.claim":              "email",
	}
	shopDefaults = map[string]any{
		"api_version":         "2026-10",
		"webhooks":            "on",
		"poll.active":         "10s",
		"poll.idle":           "10m",
		"poll.overlap":        "10m",
		"poll.grace":          "15s",
		"reconcile.every":     "1h",
		"reconcile.window":    "24h",
		"reconcile.settle":    "2m",
		"reconcile.stuck":     "15m",
		"reconcile.tolerance": "0",
	}
	erpDefaults = map[string]any{
		"concurrency":      4,
		"timeout":          "30s",
		"longest_request":  "90s",
		"retry.first":      "1s",
		"retry.max":        "1h",
		"circuit.failures": 5,
		"circuit.pause":    "30s",
	}
)

// configPlaces is where the config is looked for when no path is given.
var configPlaces = []string{"config.toml", "/etc/gapless/config.toml"}

// LoadConfig reads the config at path, or at the first of configPlaces that
// exists where path is empty. Environ is os.Environ(). Kinds gives for each
// kind of ERP a function that returns a pointer to its zero settings, a struct
// with `toml` tags; the filled pointer ends up in ERPConfig.Settings.
//
// A config with mistakes gives a ConfigError, which holds all of them.
func LoadConfig(path string, environ []string, kinds map[string]func() any) (*Config, error) {
	path, doc, err := readConfig(path)
	if err != nil {
		return nil, err
	}
	c, problems := parseConfig(doc, filepath.Dir(path), environ, kinds)
	if len(problems) > 0 {
		return nil, fmt.Errorf("%s: %w", path, problems)
	}
	return c, nil
}

// readConfig returns the config file's path and content.
func readConfig(path string) (string, []byte, error) {
	if path != "" {
		doc, err := os.ReadFile(path)
		if err != nil {
			return "", nil, fmt.Errorf("reading the config: %w; name the right file with --config", err)
		}
		return path, doc, nil
	}
	for _, place := range configPlaces {
		doc, err := os.ReadFile(place)
		if err == nil {
			return place, doc, nil
		}
		if !errors.Is(err, os.ErrNotExist) {
			return "", nil, fmt.Errorf("reading the config: %w", err)
		}
	}
	return "", nil, fmt.Errorf("no config at %s; copy config.example.toml there or name a file with --config",
		strings.Join(configPlaces, " or "))
}

// parseConfig turns a config's text into a checked Config. Relative file:
// references start from dir.
func parseConfig(doc []byte, dir string, environ []string, kinds map[string]func() any) (*Config, ConfigError) {
	l := newLoader(dir, environ, kinds)
	tree, ok := l.parse(doc)
	if !ok {
		return nil, l.problems
	}
	l.override(tree)
	l.resolve("", tree)
	c := l.decode(tree)
	l.check(c)
	return c, l.sorted()
}
