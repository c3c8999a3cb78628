package shopify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// tokens hands out the access token for a request.
type tokens interface {
	token(ctx context.Context) (string, error)
	// reject says that Shopify did not accept token, and answers whether asking
	// for another one may help.
	reject(token string) bool
	// until is when the token in use expires; zero: it doesn't, or there is none.
	// renewed says that a new one is asked for before.
	until() (expires time.Time, renewed bool)
}

// newTokens picks the source of tokens that the config holds.
func newTokens(cfg ClientConfig, base *url.URL, client *http.Client) (tokens, error) {
	grant := cfg.ClientID != "" || cfg.ClientSecret != ""
	switch {
	case cfg.AccessToken != "" && grant:
		return nil, errors.New("shopify: give either access_token or client_id and client_secret, not both")
	case cfg.AccessToken != "":
		return staticToken(cfg.AccessToken), nil
	case cfg.ClientID == "" || cfg.ClientSecret == "":
		return nil, errors.New("shopify: access_token is missing, or client_id and client_secret")
	}
	return &grantedToken{
		domain: cfg.Domain, url: base.JoinPath("/admin/oauth/access_token").String(),
		id: cfg.ClientID, secret: cfg.ClientSecret,
		http: client, now: cfg.Now, log: cfg.Log.With("shop", cfg.Domain), turn: make(chan struct{}, 1),
	}, nil
}

// staticToken is the token of an app made in the shop's admin. It never expires
// and can't be renewed.
type staticToken string

func (t staticToken) token(context.Context) (string, error) { return string(t), nil }
func (t staticToken) reject(string) bool                    { return false }
func (t staticToken) until() (time.Time, bool)              { return time.Time{}, false }

// grantedToken asks for tokens by the client credentials grant,
// https://shopify.dev/docs/apps/build/authentication-authorization/access-tokens/client-credentials-grant.
// A token lasts a day; a new one is asked for when 80 % of that are over.
type grantedToken struct {
	domain, url, id, secret string

	http *http.Client
	now  func() time.Time
	log  *slog.Logger
	turn chan struct{} // holds one value while somebody asks

	mu      sync.Mutex
	value   string
	renewAt time.Time
	expires time.Time
}

func (g *grantedToken) token(ctx context.Context) (string, error) {
	if value, fresh := g.current(); fresh {
		return value, nil
	}
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
		return "", ctx.Err()
	}
	value, fresh := g.current() // somebody may have renewed it meanwhile
	if fresh {
		return value, nil
	}
	err := g.renew(ctx)
	if err != nil && value != "" {
		g.log.Warn("the access token could not be renewed yet; the old one is still good", "error", err)
		return value, nil
	}
	if err != nil {
		return "", err
	}
	value, _ = g.current()
	return value, nil
}

// current is the token in use, empty once it has expired, and whether it needs
// no renewal yet.
func (g *grantedToken) current() (value string, fresh bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if !now.Before(g.expires) {
		return "", false
	}
	return g.value, now.Before(g.renewAt)
}

func (g *grantedToken) until() (time.Time, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.now().Before(g.expires) {
		return time.Time{}, true
	}
	return g.expires, true
}

func (g *grantedToken) reject(token string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.value == token {
		g.value, g.expires = "", time.Time{}
	}
	return true
}

// renew asks Shopify for a token.
func (g *grantedToken) renew(ctx context.Context) error {
	form, err := json.Marshal(map[string]string{
		"client_id": g.id, "client_secret": g.secret, "grant_type": "client_credentials",
	})
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, g.url, bytes.NewReader(form))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	resp, err := g.http.Do(req)
	if err != nil {
		return fmt.Errorf("asking for an access token: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return g.refused(resp)
	}
	return g.accept(ctx, resp)
}

// accept keeps the token of a good answer.
func (g *grantedToken) accept(ctx context.Context, resp *http.Response) error {
	body, err := readAnswer(ctx, resp.Body)
	if err != nil {
		return fmt.Errorf("asking for an access token: %w", err)
	}
	n, err := parseObject(body)
	if err != nil || n.text("access_token") == "" {
		return &APIError{Status: resp.StatusCode, Message: g.domain + " answered the request for an access token without one"}
	}
	life := time.Duration(n.integer("expires_in")) * time.Second
	if life <= 0 {
		life = 24 * time.Hour // what the grant is documented to last
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.value, g.renewAt, g.expires = n.text("access_token"), now.Add(life*8/10), now.Add(life)
	return nil
}

// refused explains why there is no token; Shopify's own text may quote secrets.
func (g *grantedToken) refused(resp *http.Response) error {
	e := statusError(g.domain, resp)
	if resp.StatusCode == http.StatusBadRequest || resp.StatusCode == http.StatusUnauthorized {
		e.Message = fmt.Sprintf("%s gives no access token (%d); check client_id and client_secret, and that the app is installed in this shop and belongs to the same organisation", g.domain, resp.StatusCode)
	}
	return e
}
