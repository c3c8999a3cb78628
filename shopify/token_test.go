package shopify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// grants is a shop that hands out tokens: token-1, token-2, ... and accepts the
// last one only.
type grants struct {
	mu     sync.Mutex
	given  int
	fail   int  // status for the next requests of a token; 0: none
	revoke bool // the next request finds its token dead
}

func (g *grants) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r.URL.Path == "/admin/oauth/access_token" {
		if g.fail != 0 {
			http.Error(w, `{"error":"invalid_client","secret":"s3cret"}`, g.fail)
			return
		}
		var form map[string]string
		if json.NewDecoder(r.Body).Decode(&form) != nil || form["client_id"] != "id" || form["client_secret"] != "s3cret" || form["grant_type"] != "client_credentials" {
			http.Error(w, "bad form", http.StatusBadRequest)
			return
		}
		g.given++
		say(w, `{"access_token":"token-%d","scope":"read_orders","expires_in":1000}`, g.given)
		return
	}
	if g.revoke || r.Header.Get("X-Shopify-Access-Token") != fmt.Sprintf("token-%d", g.given) {
		g.revoke = false
		http.Error(w, `{"errors":"[API] Invalid API key or access token"}`, http.StatusUnauthorized)
		return
	}
	goodShop(w)
}

func (g *grants) set(change func()) {
	g.mu.Lock()
	defer g.mu.Unlock()
	change()
}

func (g *grants) count() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.given
}

func grantClient(t *testing.T, shop http.Handler, log *bytes.Buffer) (*Client, *clock) {
	t.Helper()
	server := httptest.NewServer(shop)
	t.Cleanup(server.Close)
	clock := &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	cfg := ClientConfig{
		Domain: "acme.myshopify.com", ClientID: "id", ClientSecret: "s3cret", APIVersion: "2026-10", APIURL: server.URL,
		HTTP: server.Client(), Now: clock.Now, Wait: clock.Wait, Jitter: func() float64 { return 0.5 },
	}
	if log != nil {
		cfg.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	client, err := NewClient(cfg)
	require.NoError(t, err)
	return client, clock
}

func TestGrantedTokenIsRenewedEarly(t *testing.T) {
	shop := &grants{}
	var log bytes.Buffer
	client, clock := grantClient(t, shop, &log)
	ask := func() error { _, err := client.Shop(t.Context()); return err }
	pass := func(d time.Duration) { require.NoError(t, clock.Wait(t.Context(), d)) }

	expires, renewed := client.TokenExpires()
	require.Zero(t, expires, "there is none yet")
	require.True(t, renewed)
	require.NoError(t, ask())
	expires, _ = client.TokenExpires()
	require.Equal(t, clock.Now().Add(1000*time.Second), expires)
	pass(799 * time.Second)
	require.NoError(t, ask())
	require.Equal(t, 1, shop.count(), "kept until 80 % of its life are over")
	pass(time.Second)
	require.NoError(t, ask())
	require.Equal(t, 2, shop.count())

	// Where a renewal fails, the old token serves until it expires.
	shop.set(func() { shop.fail = http.StatusBadGateway })
	pass(800 * time.Second)
	require.NoError(t, ask())
	require.Contains(t, log.String(), "could not be renewed yet")
	pass(200 * time.Second)
	require.ErrorContains(t, ask(), "502")
	expires, _ = client.TokenExpires()
	require.Zero(t, expires, "it has expired")
	shop.set(func() { shop.fail = 0 })
	require.NoError(t, ask())
	require.Equal(t, 3, shop.count())

	require.NotContains(t, log.String(), "s3cret")
	require.NotContains(t, log.String(), "token-")
}

func TestRefusedTokenIsRenewedOnce(t *testing.T) {
	shop := &grants{}
	client, _ := grantClient(t, shop, nil)
	shop.set(func() { shop.revoke = true })
	_, err := client.Shop(t.Context())
	require.NoError(t, err)
	require.Equal(t, 2, shop.count(), "a new one after the 401")

	var tokens, requests atomic.Int32
	client, _ = grantClient(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/admin/oauth/access_token" {
			say(w, `{"access_token":"token-%d"}`, tokens.Add(1))
			return
		}
		requests.Add(1)
		http.Error(w, "", http.StatusUnauthorized)
	}), nil)
	_, err = client.Shop(t.Context())
	require.ErrorContains(t, err, "access token is not accepted")
	require.Equal(t, int32(2), tokens.Load())
	require.Equal(t, int32(2), requests.Load(), "but no more than once")
}

func TestRefusedCredentialsAreExplained(t *testing.T) {
	shop := &grants{fail: http.StatusUnauthorized}
	client, clock := grantClient(t, shop, nil)
	_, err := client.Shop(t.Context())
	require.ErrorContains(t, err, "check client_id and client_secret")
	require.NotContains(t, err.Error(), "s3cret")
	require.Empty(t, clock.waited(), "repeating would not help")

	client, _ = grantClient(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { say(w, `{}`) }), nil)
	_, err = client.Shop(t.Context())
	require.ErrorContains(t, err, "without one")
}

func TestTheSecretIsNotSentOn(t *testing.T) {
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the redirect was followed") }))
	defer elsewhere.Close()
	client, _ := grantClient(t, http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect), nil)
	_, err := client.Shop(t.Context())
	require.ErrorContains(t, err, "redirected")
}

func TestManyCallsShareOneGrant(t *testing.T) {
	shop := &grants{}
	client, _ := grantClient(t, shop, nil)
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := client.Shop(t.Context())
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
	require.Equal(t, 1, shop.count())
}
