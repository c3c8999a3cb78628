package ui

import (
	"context"
	"encoding/json"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/alexedwards/argon2id"
	"github.com/julienschmidt/httprouter"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"gapless/store"
)

// Options are what a server is made of.
type Options struct {
	Store   *store.Store
	Actions Actions
	Webhook http.Handler // the door
	Shops   []string     // names, in the config's order
	Feeds   []string     // names of the ERPs that pull
	// Metrics tells what the engine has done; nil: nothing is told.
	Metrics func() EngineMetrics
	// OIDC logs people in by a provider, besides their passwords; nil: by
	// passwords alone.
	OIDC *OIDC
	// Open lets everybody read and act without a token: the demo.
	Open    bool
	Version string
	// Config is the config as loaded, keys as in the file, without secrets.
	Config map[string]any
	// PasswordCost is what hashing a password takes; zero: as much as a small
	// VM bears.
	PasswordCost argon2id.Params
	Now          func() time.Time
	// Wait passes a time, or ends early with the context.
	Wait func(context.Context, time.Duration) error
	Log  *slog.Logger
}

// Server answers all HTTP requests.
type Server struct {
	Options
	handler   http.Handler
	door      http.Handler
	streams   streams
	passwords *passwords
	throttle  *throttle
	attempts  attempts
	balances  balances
	lastDay   lastDay
	readiness readiness
}

// New returns a server for o.
func New(o Options) *Server {
	s := &Server{Options: o, streams: newStreams(), balances: balances{kept: map[string]keptBalance{}, wanted: make(chan struct{}, 1)}}
	if s.Now == nil {
		s.Now = time.Now
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Wait == nil {
		s.Wait = pause
	}
	if s.PasswordCost == (argon2id.Params{}) {
		s.PasswordCost = usualCost
	}
	s.passwords, s.throttle, s.attempts = newPasswords(s.PasswordCost), newThrottle(s.Now, s.Wait), newAttempts()
	r := httprouter.New()
	r.PanicHandler = s.panicked
	r.Handler(http.MethodPost, "/webhooks/shopify", o.Webhook)
	r.HandlerFunc(http.MethodGet, "/livez", s.livez)
	r.HandlerFunc(http.MethodGet, "/readyz", s.readyz)
	r.Handler(http.MethodGet, "/metrics", s.metrics())
	s.api(r)
	s.pages(r)
	s.door = s.headers(o.Webhook)
	s.handler = s.headers(headAsGet(http.NewCrossOriginProtection().Handler(notModified(r))))
	return s
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ServeHTTP answers one request. The door goes first and alone: it is the busy
// one, and nothing that protects browsers concerns it.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/webhooks/shopify" && r.Method == http.MethodPost {
		s.door.ServeHTTP(w, r)
		return
	}
	s.handler.ServeHTTP(w, r)
}

// headers are on every answer, errors and the door's included. Browsers are told to
// keep to TLS where they came by it; see withoutTLS.
func (s *Server) headers(next http.Handler) http.Handler {
	https := strings.HasPrefix(s.publicURL(), "https://")
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		h.Set("Cache-Control", "no-store")
		if !withoutTLS(r) && (https || r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		next.ServeHTTP(w, r)
	})
}

// publicURL is where the config says that this server is reached; empty: nowhere.
func (s *Server) publicURL() string {
	server, _ := s.Config["server"].(map[string]any)
	public, _ := server["public_url"].(string)
	return strings.TrimSuffix(public, "/")
}

type headKey struct{}

// headAsGet answers HEAD as GET. The server that carries the answer leaves its
// body out.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			r = r.WithContext(context.WithValue(r.Context(), headKey{}, true))
			r.Method = http.MethodGet
		}
		next.ServeHTTP(w, r)
	})
}

// headOnly says that a client wants no body, so that none need be waited for.
func headOnly(ctx context.Context) bool { return ctx.Value(headKey{}) != nil }

func (s *Server) panicked(w http.ResponseWriter, r *http.Request, what any) {
	s.Log.Error("a request failed in an unforeseen way", "path", loggedPath(r), "panic", what)
	http.Error(w, "something went wrong here; the log has more", http.StatusInternalServerError)
}

// loggedPath is a request's path without the secret of a one-time link.
func loggedPath(r *http.Request) string {
	if strings.HasPrefix(r.URL.Path, "/setup/") {
		return "/setup/..."
	}
	return r.URL.Path
}

// livez says that the process answers.
func (s *Server) livez(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, health{OK: true})
}

type health struct {
	OK      bool     `json:"ok"`
	Reasons []string `json:"reasons,omitempty"`
}

// metrics is for loopback, or for a token with scope metrics.
func (s *Server) metrics() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(newStoreCollector(s.Store, s.Shops, s.Now), prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "gapless_build_info", Help: "Always 1; the label says which version runs.", ConstLabels: prometheus.Labels{"version": s.Version},
	}, func() float64 { return 1 }))
	if s.Metrics != nil {
		registry.MustRegister(newEngineCollector(s.Metrics))
	}
	gathered := promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !fromLoopback(r) && !s.allows(r, "metrics") {
			w.Header().Set("WWW-Authenticate", "Bearer")
			http.Error(w, "metrics are for this machine, or for a token with scope metrics: gapless token add --scope metrics NAME", http.StatusUnauthorized)
			return
		}
		gathered.ServeHTTP(w, r)
	})
}

// fromLoopback says that the request was made on this machine, and not passed
// on by a proxy on this machine.
func fromLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	for _, passedOn := range []string{"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Real-Ip", "Forwarded", "Via"} {
		if r.Header.Get(passedOn) != "" {
			return false
		}
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.IsLoopback()
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(v) //nolint:errcheck // the client has gone
}
