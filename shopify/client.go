package shopify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"sync/atomic"
	"time"
)

var (
	domainForm  = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*\.myshopify\.com$`)
	versionForm = regexp.MustCompile(`^20\d\d-(01|04|07|10)$`)
)

// ClientConfig says which shop a Client talks to, and as whom: AccessToken, or
// ClientID and ClientSecret for the client credentials grant.
type ClientConfig struct {
	Domain       string // acme.myshopify.com
	AccessToken  string
	ClientID     string
	ClientSecret string
	APIVersion   string // 2026-10
	APIURL       string // replaces https://DOMAIN, for tests and sandboxes

	HTTP   *http.Client                               // nil: one with a timeout of 30 s
	Now    func() time.Time                           // nil: time.Now
	Wait   func(context.Context, time.Duration) error // nil: a timer; ends early with ctx
	Jitter func() float64                             // [0,1), spreads retries; nil: math/rand
	Log    *slog.Logger                               // nil: nothing is logged
}

// Client asks one shop's GraphQL Admin API. It keeps to the shop's rate limit,
// lets urgent queries go first, and repeats what failed for a moment. It is safe
// for concurrent use.
type Client struct {
	domain   string
	version  string
	http     *http.Client
	files    *http.Client  // of bulk operations; knows no token
	pretend  bool          // api_url is set
	patience time.Duration // with a file that stands still
	budget   *budget
	tokens   tokens
	now      func() time.Time
	wait     func(context.Context, time.Duration) error
	jitter   func() float64
	log      *slog.Logger
	seen     atomic.Pointer[string]
	ahead    atomic.Int64 // by how much our clock is; a time.Duration
}

// NewClient makes a client. It sends nothing yet.
func NewClient(cfg ClientConfig) (*Client, error) {
	if !domainForm.MatchString(cfg.Domain) {
		return nil, fmt.Errorf("shopify: domain %q is not of the form your-shop.myshopify.com", cfg.Domain)
	}
	if !versionForm.MatchString(cfg.APIVersion) {
		return nil, fmt.Errorf("shopify: api_version %q is not a quarterly version such as 2026-10", cfg.APIVersion)
	}
	base, err := baseURL(cfg)
	if err != nil {
		return nil, err
	}
	setDefaults(&cfg)
	c := &Client{
		domain:  cfg.Domain,
		version: cfg.APIVersion,
		budget:  &budget{now: cfg.Now, wait: cfg.Wait, costs: map[string]float64{}},
		now:     cfg.Now,
		wait:    cfg.Wait,
		jitter:  cfg.Jitter,
		log:     cfg.Log.With("shop", cfg.Domain),
	}
	inner := *cfg.HTTP
	inner.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	if c.tokens, err = newTokens(cfg, base, &inner); err != nil {
		return nil, err
	}
	files := inner
	files.Timeout = 0 // a large file takes its time
	c.files, c.patience, c.pretend = &files, cmp.Or(inner.Timeout, defaultTimeout), cfg.APIURL != ""
	outer := inner
	outer.Timeout = 0 // transport keeps it: go-shopify forgets to close the body that would stop its timer
	outer.Transport = &transport{client: c, base: base, tokens: c.tokens, next: roundTripper(inner), timeout: inner.Timeout}
	c.http = &outer
	return c, nil
}

// defaultTimeout is how long an answer may take.
const defaultTimeout = 30 * time.Second

func setDefaults(cfg *ClientConfig) {
	if cfg.HTTP == nil {
		cfg.HTTP = &http.Client{Timeout: defaultTimeout}
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Wait == nil {
		cfg.Wait = sleep
	}
	if cfg.Jitter == nil {
		cfg.Jitter = rand.Float64
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
}

// baseURL is where the shop is reached. Its path ends in a slash, without which
// JoinPath makes a relative one.
func baseURL(cfg ClientConfig) (*url.URL, error) {
	if cfg.APIURL == "" {
		return &url.URL{Scheme: "https", Host: cfg.Domain, Path: "/"}, nil
	}
	base, err := url.Parse(cfg.APIURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		return nil, errors.New("shopify: api_url is not an http or https address")
	}
	return base.JoinPath("/"), nil
}

func roundTripper(c http.Client) http.RoundTripper {
	if c.Transport == nil {
		return http.DefaultTransport
	}
	return c.Transport
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// TokenExpires is when the access token in use expires, and whether a new one is
// asked for before. The zero time: it never does or, where they are asked for,
// there is none.
func (c *Client) TokenExpires() (at time.Time, renewed bool) { return c.tokens.until() }

// SeenVersion is the API version that Shopify answered with last, empty before
// the first answer. One that differs from the configured version means that the
// latter is retired and Shopify answers with a newer one.
func (c *Client) SeenVersion() string {
	if seen := c.seen.Load(); seen != nil {
		return *seen
	}
	return ""
}

// sawVersion keeps the version of an answer, and says so once where it is not
// the one asked for.
func (c *Client) sawVersion(version string) {
	if version == "" {
		return
	}
	before := c.seen.Swap(&version)
	if version != c.version && (before == nil || *before != version) {
		c.log.Warn("Shopify answers with another API version; set api_version to a supported one", "asked", c.version, "answered", version)
	}
}

// Ahead is by how much our clock was ahead of Shopify's at the last answer, to a
// second or two; less than zero: it was behind. Zero before the first answer.
func (c *Client) Ahead() time.Duration { return time.Duration(c.ahead.Load()) }

// MostAhead is by how much our clock may differ from Shopify's either way.
const MostAhead = time.Minute

// sawDate keeps by how much our clock differs, and says so once where it is much.
func (c *Client) sawDate(date string) {
	at, err := http.ParseTime(date)
	if err != nil {
		return
	}
	ahead := c.now().Sub(at)
	before := time.Duration(c.ahead.Swap(int64(ahead)))
	if ahead.Abs() > MostAhead && before.Abs() <= MostAhead {
		c.log.Warn("the clock of this machine is wrong; have it set by NTP", "ahead", ahead.Round(time.Second))
	}
}

// Shop is what Gapless needs to know of a shop.
type Shop struct {
	ID       string // gid://shopify/Shop/1; it never changes
	Name     string
	Domain   string   // acme.myshopify.com
	Currency string   // ISO 4217
	Timezone string   // IANA name; the shop's days end by it
	Scopes   []string // granted to this app
}

// SeesAllOrders says that the app may read orders of any age. Without the scope
// for it Shopify leaves those out of every list that were placed more than 60 days
// ago, and says nothing of it.
func (s Shop) SeesAllOrders() bool { return slices.Contains(s.Scopes, "read_all_orders") }

// Shop asks who the shop is and what the token may do.
func (c *Client) Shop(ctx context.Context) (Shop, error) {
	n, err := c.ask(ctx, shopDocument, nil, Refetch)
	if err != nil {
		return Shop{}, fmt.Errorf("asking about the shop: %w", err)
	}
	shop := n.object("shop")
	out := Shop{
		ID:       shop.text("id"),
		Name:     shop.text("name"),
		Domain:   shop.text("myshopifyDomain"),
		Currency: shop.text("currencyCode"),
		Timezone: shop.text("ianaTimezone"),
	}
	for _, scope := range n.object("currentAppInstallation").objects("accessScopes") {
		out.Scopes = append(out.Scopes, scope.text("handle"))
	}
	return out, nil
}

// gid is the global id of an object: gid://shopify/Order/1.
func gid(kind string, id int64) string { return fmt.Sprintf("gid://shopify/%s/%d", kind, id) }
