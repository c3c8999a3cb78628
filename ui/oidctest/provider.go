// Package oidctest runs a real OpenID Connect provider for tests: the certified
// library of Zitadel over loopback HTTP, with the storage of its own example and
// people whom the test names.
//
// Nobody has a password there: who logs in is said by [Provider.LogIn] or, in a
// real browser, chosen on a page.
package oidctest

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zitadel/oidc/v3/example/server/storage"
	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"
)

// What a client has to say of itself.
const (
	ClientID     = "gapless"
	ClientSecret = "client secret of the test"
)

// Provider is an OpenID Connect provider that may be stopped and started.
type Provider struct {
	testing.TB
	Issuer   string
	Subject  string // whom the user info is about, in place of who logged in; set before Start
	callback string // where it sends browsers back to
	handler  http.Handler
	server   *httptest.Server // nil: it is down
	people   people
	keys     atomic.Pointer[storage.Storage] // holds the key that signs
}

// New returns a provider for one client, whose callback is known to it. It is
// down until it is started.
func New(t testing.TB, callback string) *Provider {
	t.Helper()
	address, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, address.Close())
	issuer := strings.Replace("http://"+address.Addr().String(), "127.0.0.1", "localhost", 1) // to browsers another site than the test's
	p := &Provider{TB: t, Issuer: issuer, callback: callback, people: people{by: map[string]storage.User{}}}
	db := storage.NewStorageWithClients(&p.people, map[string]*storage.Client{ClientID: storage.WebClient(ClientID, ClientSecret, callback)})
	p.keys.Store(db)
	library, err := op.NewProvider(&op.Config{CryptoKey: sha256.Sum256([]byte("test")), CodeMethodS256: true}, signing{db, p},
		op.StaticIssuer(p.Issuer), op.WithAllowInsecure())
	require.NoError(t, err)
	pages := http.NewServeMux()
	pages.Handle("/login/username", op.NewIssuerInterceptor(library.IssuerFromRequest).HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, who := r.FormValue("authRequestID"), cmp.Or(r.Header.Get(whoHeader), r.FormValue("who"))
		if who == "" {
			fmt.Fprintf(w, `<!doctype html><form><input name="authRequestID" type="hidden" value="%s"><input name="who"></form>`, request)
			return
		}
		if err := db.CheckUsernamePassword(who, "", request); err != nil {
			http.Error(w, err.Error(), http.StatusForbidden)
			return
		}
		http.Redirect(w, r, op.AuthCallbackURL(library)(r.Context(), request), http.StatusFound)
	}))
	pages.Handle("/", library)
	p.handler = pages
	return p
}

const whoHeader = "X-Who"

// Start has the provider answer at its address, until the end of the test.
func (p *Provider) Start() *Provider {
	p.Helper()
	listener, err := net.Listen("tcp", strings.Replace(p.Issuer, "http://localhost", "127.0.0.1", 1))
	require.NoError(p, err)
	p.server = &httptest.Server{Listener: listener, Config: &http.Server{Handler: p.handler}}
	p.server.Start()
	p.Cleanup(p.Stop)
	return p
}

// Stop takes it down. What it knows it keeps.
func (p *Provider) Stop() {
	if p.server != nil {
		p.server.CloseClientConnections()
		p.server.Close()
		p.server = nil
	}
}

// Knows adds a person, or changes what is known of them.
func (p *Provider) Knows(subject, email string, verified bool) {
	p.people.mu.Lock()
	defer p.people.mu.Unlock()
	p.people.by[subject] = storage.User{ID: subject, Username: subject, Email: email, EmailVerified: verified}
}

// RotateKeys has it sign with a new key, and forget the one before.
func (p *Provider) RotateKeys() { p.keys.Store(storage.NewStorage(&p.people)) }

// LogIn opens the address to which the client sent a browser, as a person of
// this subject does, and returns the address to which the provider sends the
// browser back.
func (p *Provider) LogIn(at, subject string) (back string) {
	p.Helper()
	r, err := http.NewRequestWithContext(p.Context(), http.MethodGet, at, http.NoBody)
	require.NoError(p, err)
	r.Header.Set(whoHeader, subject)
	browser := http.Client{Transport: &http.Transport{DisableKeepAlives: true}, CheckRedirect: func(r *http.Request, _ []*http.Request) error {
		if strings.HasPrefix(r.URL.String(), p.callback) {
			return http.ErrUseLastResponse
		}
		return nil
	}}
	resp, err := browser.Do(r)
	require.NoError(p, err)
	defer resp.Body.Close()
	back = resp.Header.Get("Location")
	require.True(p, strings.HasPrefix(back, p.callback), "%d at %s", resp.StatusCode, resp.Request.URL)
	return back
}

// people are whom the provider knows, by subject.
type people struct {
	mu sync.Mutex
	by map[string]storage.User
}

// GetUserByID returns the person of this subject, or nil.
func (p *people) GetUserByID(subject string) *storage.User {
	p.mu.Lock()
	defer p.mu.Unlock()
	if u, ok := p.by[subject]; ok {
		return &u
	}
	return nil
}

// GetUserByUsername returns the person of this name, which is the subject.
func (p *people) GetUserByUsername(name string) *storage.User { return p.GetUserByID(name) }

// ExampleClientID is the account of no service.
func (p *people) ExampleClientID() string { return "" }

// signing is the example's storage with keys that can be changed.
type signing struct {
	*storage.Storage
	p *Provider
}

// SigningKey signs what is issued from now on.
func (s signing) SigningKey(ctx context.Context) (op.SigningKey, error) {
	return s.p.keys.Load().SigningKey(ctx)
}

// SetUserinfoFromToken says who it is.
func (s signing) SetUserinfoFromToken(ctx context.Context, info *oidc.UserInfo, token, subject, origin string) error {
	err := s.Storage.SetUserinfoFromToken(ctx, info, token, subject, origin)
	info.Subject = cmp.Or(s.p.Subject, info.Subject)
	return err
}

// KeySet is what the provider publishes.
func (s signing) KeySet(ctx context.Context) ([]op.Key, error) { return s.p.keys.Load().KeySet(ctx) }
