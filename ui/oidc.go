package ui

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"gapless/store"
)

// OIDCConfig says by which OpenID Connect provider people may log in.
type OIDCConfig struct {
	Issuer       string // its address, as its discovery document has it
	ClientID     string
	ClientSecret string
	PublicURL    string           // of this server, as browsers reach it
	Name         string           // what people call the provider; empty: the issuer's host
	Claim        string           // what the provider calls the name that people have here; empty: email
	Role         string           // of people who are not known here; empty: they are not let in
	Client       *http.Client     // asks the provider
	Now          func() time.Time // nil: time.Now
}

// OIDC asks an OpenID Connect provider who somebody is.
type OIDC struct {
	OIDCConfig
	found atomic.Pointer[provider]
}

// provider is what discovery has found.
type provider struct {
	found  *oidc.Provider
	flow   oauth2.Config
	tokens *oidc.IDTokenVerifier
}

// NewOIDC returns the way to a provider. It asks it nothing before somebody logs
// in: a provider that is down keeps nobody from starting.
func NewOIDC(c OIDCConfig) *OIDC {
	if issuer, err := url.Parse(c.Issuer); err == nil {
		c.Name = cmp.Or(c.Name, issuer.Host)
	}
	c.Claim = cmp.Or(c.Claim, "email")
	c.PublicURL = strings.TrimSuffix(c.PublicURL, "/")
	return &OIDC{OIDCConfig: c}
}

// Paths by which people leave for the provider and come back from it.
const (
	oidcPath     = "/login/oidc"
	oidcCallback = "/login/oidc/callback"
)

// Check asks the provider for its discovery document, and says what is amiss.
func (o *OIDC) Check(ctx context.Context) error {
	p, err := o.discover(ctx)
	if err != nil {
		return err
	}
	var can struct {
		Keys       string   `json:"jwks_uri"`
		Challenges []string `json:"code_challenge_methods_supported"`
	}
	if err := p.found.Claims(&can); err != nil {
		return fmt.Errorf("read the discovery document of %s: %w", o.Issuer, err)
	}
	for what, address := range map[string]string{"authorization_endpoint": p.flow.Endpoint.AuthURL, "token_endpoint": p.flow.Endpoint.TokenURL, "jwks_uri": can.Keys} {
		if address == "" {
			return fmt.Errorf("the discovery document of %s has no %s; name an OpenID Connect provider in oidc.issuer", o.Issuer, what)
		}
	}
	if len(can.Challenges) > 0 && !slices.Contains(can.Challenges, "S256") {
		return fmt.Errorf("%s does not take PKCE by S256; allow it there", o.Issuer)
	}
	return nil
}

// provider is the one that was found, or is looked for now. What failed before
// is tried anew each time.
func (o *OIDC) provider(ctx context.Context) (*provider, error) {
	if p := o.found.Load(); p != nil {
		return p, nil
	}
	p, err := o.discover(ctx)
	if err != nil {
		return nil, err
	}
	o.found.CompareAndSwap(nil, p) // all share one, and with it the keys it has read
	return o.found.Load(), nil
}

func (o *OIDC) discover(ctx context.Context) (*provider, error) {
	found, err := oidc.NewProvider(o.asking(ctx), o.Issuer)
	var mismatch *oidc.IssuerMismatchError
	if errors.As(err, &mismatch) {
		return nil, fmt.Errorf("the provider calls itself %s; write exactly that as oidc.issuer", short(mismatch.Discovered, 200))
	}
	if err != nil {
		return nil, fmt.Errorf("read the discovery document of %s: %s", o.Issuer, short(err.Error(), 300)) // it may hold a whole page
	}
	return &provider{
		found: found,
		flow: oauth2.Config{
			ClientID: o.ClientID, ClientSecret: o.ClientSecret, Endpoint: found.Endpoint(), RedirectURL: o.PublicURL + oidcCallback,
			Scopes: []string{oidc.ScopeOpenID, oidc.ScopeEmail, oidc.ScopeProfile},
		},
		tokens: found.Verifier(&oidc.Config{ClientID: o.ClientID, Now: o.Now}),
	}, nil
}

func (o *OIDC) asking(ctx context.Context) context.Context { return oidc.ClientContext(ctx, o.Client) }

// leave is where the browser goes to log in. Who has logged in there longer ago
// than a password counts here is to be asked anew.
func (o *OIDC) leave(ctx context.Context, a attempt) (string, error) {
	p, err := o.provider(ctx)
	if err != nil {
		return "", err
	}
	return p.flow.AuthCodeURL(a.state, oidc.Nonce(a.nonce), oauth2.S256ChallengeOption(a.verifier),
		oauth2.SetAuthURLParam("max_age", fmt.Sprint(int(stepUp.Seconds())))), nil
}

// errUnconfirmed says that what came back does not prove who somebody is.
var errUnconfirmed = errors.New("the provider did not confirm the log-in")

// identify exchanges the code that the browser brought for who it is: a denial
// where the provider does not vouch for a name, errUnconfirmed where it vouches
// for nothing.
func (o *OIDC) identify(ctx context.Context, code string, a attempt) (store.Identity, error) {
	p, err := o.provider(ctx)
	if err != nil {
		return store.Identity{}, err
	}
	ctx = o.asking(ctx)
	token, err := p.flow.Exchange(ctx, code, oauth2.VerifierOption(a.verifier))
	var refused *oauth2.RetrieveError
	if errors.As(err, &refused) {
		return store.Identity{}, fmt.Errorf("%w: the code was refused with %d %s", errUnconfirmed, refused.Response.StatusCode, short(refused.ErrorCode, 60))
	}
	if err != nil {
		return store.Identity{}, fmt.Errorf("exchange the code: %w", err)
	}
	raw, _ := token.Extra("id_token").(string)
	id, err := p.tokens.Verify(ctx, raw)
	if err != nil {
		return store.Identity{}, fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	if !same(id.Nonce, a.nonce) {
		return store.Identity{}, fmt.Errorf("%w: the nonce is another log-in's", errUnconfirmed)
	}
	told, err := p.claims(ctx, id, token, o.Claim)
	if err != nil {
		return store.Identity{}, err
	}
	name, err := o.vouchedName(told)
	return store.Identity{Issuer: o.Issuer, Subject: id.Subject, Name: name}, err
}

// claims are what the provider says of somebody: in the token or, as the
// standard has it for what takes room, where the token leads to.
func (p *provider) claims(ctx context.Context, id *oidc.IDToken, token *oauth2.Token, wanted string) (told map[string]any, err error) {
	if err := id.Claims(&told); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	if told[wanted] != nil || p.found.UserInfoEndpoint() == "" {
		return told, nil
	}
	more, err := p.found.UserInfo(ctx, oauth2.StaticTokenSource(token))
	if err != nil {
		return nil, fmt.Errorf("ask who it is: %s", short(err.Error(), 300))
	}
	if more.Subject != id.Subject {
		return nil, fmt.Errorf("%w: the user info is somebody else's", errUnconfirmed)
	}
	return told, more.Claims(&told)
}

// vouchedName is the name that the provider vouches for. Letters of other
// scripts are refused: some become plain ones in lower case, and so another
// person's name.
func (o *OIDC) vouchedName(told map[string]any) (string, error) {
	said, _ := told[o.Claim].(string)
	if said == "" {
		return "", denial{what: fmt.Sprintf("%s does not say who you are here: its answer has no %s. Ask an admin to have it added there.", o.Name, o.Claim)}
	}
	if o.Claim == "email" && !affirmed(told["email_verified"]) {
		return "", denial{what: "Your e-mail address is not verified at " + o.Name + ". Verify it there, and log in again."}
	}
	name, err := LoginName(said)
	if err != nil || strings.ContainsFunc(said, func(r rune) bool { return r > unicode.MaxASCII }) {
		return "", denial{what: fmt.Sprintf("%s calls you by a name that nobody can have here. Ask an admin to let you in by a password.", o.Name)}
	}
	return name, nil
}

// affirmed reads a yes, which some providers write as text.
func affirmed(v any) bool { return v == true || v == "true" }
