package main

import (
	"cmp"
	"net/http"
	"time"

	"gapless/ui"
)

// OIDCConfig is the OpenID Connect provider by which people may log in to the
// pages, besides their passwords.
type OIDCConfig struct {
	Issuer       string `koanf:"issuer"` // its address, as its discovery document has it
	ClientID     string `koanf:"client_id"`
	ClientSecret string `koanf:"client_secret" secret:"true"`
	Name         string `koanf:"name"`  // on the button; empty: the issuer's host
	Claim        string `koanf:"claim"` // what the provider calls the name that people have here
	Role         string `koanf:"role"`  // of people who are not known here; empty: they are not let in
}

// wanted says that people may log in by the provider.
func (o OIDCConfig) wanted() bool {
	return cmp.Or(o.Issuer, o.ClientID, o.ClientSecret, o.Name, o.Role) != ""
}

// checkOIDC refuses to make admins of whomever the provider knows, and to hand
// what proves a log-in to anyone on the way.
func (l *loader) checkOIDC(c *Config) {
	o := c.OIDC
	if !o.wanted() {
		return
	}
	if l.required("oidc.issuer", o.Issuer) {
		l.checkIssuer("oidc.issuer", o.Issuer)
	}
	l.required("oidc.client_id", o.ClientID)
	l.required("oidc.client_secret", o.ClientSecret)
	l.required("oidc.claim", o.Claim)
	switch o.Role {
	case "":
	case "admin":
		l.add("oidc.role", "everybody whom the provider knows would be an admin", `write "viewer" or "operator", and make admins under Settings, People`)
	default:
		l.oneOf("oidc.role", o.Role, "viewer", "operator")
	}
	if c.Server.PublicURL == "" {
		l.add("server.public_url", "it is missing, and the OpenID Connect provider must know where to send people back",
			`write the address at which browsers reach the pages, like "https://orders.example.com"`)
	}
}

func (l *loader) checkIssuer(key, issuer string) {
	u := l.httpURL(key, issuer)
	switch {
	case u == nil:
	case u.Scheme == "http" && !loopback(u.Hostname()):
		l.add(key, "http is open to anyone on the way", "write https://")
	case u.RawQuery != "" || u.Fragment != "" || u.User != nil:
		l.add(key, "an issuer is an address alone", "write it as the provider's discovery document has it, like https://login.example.com")
	}
}

// openOIDC makes the way to the provider; it is asked nothing yet. Few ask it at
// a time, so that a slow one is not waited for by a crowd.
func (a *Appliance) openOIDC() {
	o := a.Config.OIDC
	if !o.wanted() {
		return
	}
	client := &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxConnsPerHost: 4, IdleConnTimeout: 90 * time.Second}}
	a.closers = append(a.closers, idle{client})
	a.oidc = ui.NewOIDC(ui.OIDCConfig{
		Issuer: o.Issuer, ClientID: o.ClientID, ClientSecret: o.ClientSecret, PublicURL: a.Config.Server.PublicURL,
		Name: o.Name, Claim: o.Claim, Role: o.Role, Client: client, Now: time.Now,
	})
}
