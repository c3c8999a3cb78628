package ui

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

var epoch = time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)

// site is a server over a real store, reached over HTTP.
type site struct {
	testing.TB
	*httptest.Server
	ui      *Server
	store   *store.Store
	path    string // of the store's file
	actions *actions
	tokens  map[string]string // by scope
	options Options
	passed  atomic.Int64 // since epoch
}

// now is the time of the site and its store; it stands still but for pass.
func (s *site) now() time.Time { return epoch.Add(time.Duration(s.passed.Load())) }

func (s *site) pass(d time.Duration) { s.passed.Add(int64(d)) }

// actions notes what the API asks of the engine.
type actions struct {
	asked
	replayed []store.OrderKey
	gaps     []int64
	ignored  map[int64]string
	run      RunRequest
	by       string
	plan     Plan
	err      error
}

// Replay notes who asked for what.
func (a *actions) Replay(_ context.Context, orders []store.OrderKey, by string) (int64, error) {
	a.replayed, a.by = orders, by
	return int64(len(orders)), a.err
}

// Plan tells the plan of the test.
func (a *actions) Plan(context.Context, store.OrderKey) (Plan, error) { return a.plan, a.err }

// ReplayGaps notes who asked for what.
func (a *actions) ReplayGaps(_ context.Context, ids []int64, by string) (int64, error) {
	a.gaps, a.by = ids, by
	return int64(len(ids)), a.err
}

// PlanGap tells the plan of the test.
func (a *actions) PlanGap(context.Context, int64) (Plan, error) { return a.plan, a.err }

// IgnoreGap notes who ignores what, and why.
func (a *actions) IgnoreGap(_ context.Context, id int64, by, reason string) error {
	a.ignored, a.by = map[int64]string{id: reason}, by
	return a.err
}

// IgnoreGaps notes who ignores what, and why.
func (a *actions) IgnoreGaps(_ context.Context, ids []int64, by, reason string) (int64, error) {
	a.ignored, a.by = map[int64]string{}, by
	for _, id := range ids {
		a.ignored[id] = reason
	}
	return int64(len(ids)), a.err
}

// StartRun notes who asked for what.
func (a *actions) StartRun(_ context.Context, run RunRequest, by string) (int64, error) {
	a.run, a.by = run, by
	return 17, a.err
}

// PlanRun tells a window of the test.
func (a *actions) PlanRun(_ context.Context, run RunRequest) (RunPlan, error) {
	return RunPlan{Kind: run.Kind, Shop: run.Shop, From: &epoch, To: &epoch, Heal: true}, a.err
}

func newSite(t testing.TB, change ...func(*Options)) *site {
	t.Helper()
	s := closedSite(t, change...)
	s.Start()
	return s
}

// closedSite is a site that does not serve yet.
func closedSite(t testing.TB, change ...func(*Options)) *site {
	t.Helper()
	s := &site{TB: t, actions: &actions{}, tokens: map[string]string{}, path: filepath.Join(t.TempDir(), "gapless.db")}
	var err error
	s.store, err = store.Open(t.Context(), store.Options{Path: s.path, Now: s.now})
	require.NoError(t, err)
	t.Cleanup(func() { s.store.Close() })
	for _, scope := range []string{"viewer", "operator", "admin", "metrics", "feed"} {
		s.tokens[scope], err = s.store.AddToken(t.Context(), "a "+scope, scope, "ann")
		require.NoError(t, err)
	}
	s.options = Options{
		Store: s.store, Actions: s.actions, Shops: []string{"acme", "beta"}, Feeds: []string{"depot"}, Version: "1.2.3", Now: s.now, PasswordCost: cheap,
		Webhook: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }),
	}
	for _, c := range change {
		c(&s.options)
	}
	s.ui = New(s.options)
	s.Server = httptest.NewUnstartedServer(s.ui)
	t.Cleanup(s.Close)
	t.Cleanup(s.ui.EndStreams)
	return s
}

// answer is an HTTP answer that was read to its end.
type reply struct {
	status int
	header http.Header
	body   string
}

// ask sends a request; headers come in pairs.
func (s *site) ask(method, path, body string, headers ...string) reply {
	s.Helper()
	r, err := http.NewRequestWithContext(s.Context(), method, s.URL+path, strings.NewReader(body))
	require.NoError(s, err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := http.DefaultClient.Do(r)
	require.NoError(s, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(s, err)
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// as is the header of a token.
func (s *site) as(scope string) []string {
	return []string{"Authorization", "Bearer " + s.tokens[scope]}
}

// get reads a JSON object as an operator.
func (s *site) get(path string) map[string]any {
	s.Helper()
	a := s.ask(http.MethodGet, path, "", s.as("operator")...)
	require.Equal(s, http.StatusOK, a.status, a.body)
	var v map[string]any
	require.NoError(s, json.Unmarshal([]byte(a.body), &v))
	return v
}

// routes are all there are, with an example of each.
var routes = []struct{ method, path, example, body string }{
	{"GET", "/api/v1/orders", "/api/v1/orders", ""},
	{"GET", "/api/v1/orders/{shop}/{id}", "/api/v1/orders/acme/1", ""},
	{"GET", "/api/v1/events", "/api/v1/events", ""},
	{"GET", "/api/v1/events/{id}", "/api/v1/events/1", ""},
	{"GET", "/api/v1/deliveries", "/api/v1/deliveries", ""},
	{"GET", "/api/v1/gaps", "/api/v1/gaps", ""},
	{"GET", "/api/v1/gaps/{id}", "/api/v1/gaps/1", ""},
	{"GET", "/api/v1/runs", "/api/v1/runs", ""},
	{"GET", "/api/v1/runs/{id}", "/api/v1/runs/1", ""},
	{"GET", "/api/v1/reports/{day}", "/api/v1/reports/2026-11-22?shop=acme", ""},
	{"GET", "/api/v1/stats", "/api/v1/stats", ""},
	{"GET", "/api/v1/stream", "/api/v1/stream", ""},
	{"POST", "/api/v1/replays", "/api/v1/replays", `{"orders":[{"shop":"acme","id":1}]}`},
	{"POST", "/api/v1/gaps/{id}/replay", "/api/v1/gaps/1/replay", ""},
	{"POST", "/api/v1/gaps/{id}/ignore", "/api/v1/gaps/1/ignore", `{"reason":"settled in cash"}`},
	{"POST", "/api/v1/runs", "/api/v1/runs", `{"kind":"poll","shop":"acme"}`},
	{"GET", "/feed/{erp}/orders", "/feed/depot/orders", ""},
	{"POST", "/feed/{erp}/ack", "/feed/depot/ack", `{"acks":[{"ref":"acme-1","version":"1","status":"taken"}]}`},
}

func TestWithoutATokenNothingIsTold(t *testing.T) {
	s := newSite(t)
	for _, r := range routes {
		for name, header := range map[string][]string{
			"none": nil, "a wrong one": {"Authorization", "Bearer gapless_wrong"}, "no scheme": {"Authorization", s.tokens["admin"]},
			"a basic one": {"Authorization", "Basic " + s.tokens["admin"]}, "an empty one": {"Authorization", "Bearer "},
		} {
			a := s.ask(r.method, r.example, "", header...)
			require.Equal(t, http.StatusUnauthorized, a.status, "%s %s with token: %s", r.method, r.path, name)
			require.Equal(t, "Bearer", a.header.Get("WWW-Authenticate"))
			require.Contains(t, a.body, "gapless token add")
			require.NotContains(t, a.body, s.tokens["admin"])
		}
	}
}

func TestScopes(t *testing.T) {
	s := newSite(t)
	for scope, want := range map[string]map[string]int{
		"viewer":   {"GET": http.StatusOK, "POST": http.StatusForbidden},
		"operator": {"GET": http.StatusOK, "POST": http.StatusAccepted},
		"admin":    {"GET": http.StatusOK, "POST": http.StatusAccepted},
		"metrics":  {"GET": http.StatusForbidden, "POST": http.StatusForbidden},
		"feed":     {"GET": http.StatusForbidden, "POST": http.StatusForbidden},
	} {
		require.Equal(t, want["GET"], s.ask("GET", "/api/v1/stats", "", s.as(scope)...).status, scope)
		require.Equal(t, want["POST"], s.ask("POST", "/api/v1/replays", `{"orders":[{"shop":"acme","id":1}]}`, s.as(scope)...).status, scope)
	}
	require.NoError(t, s.store.RemoveToken(t.Context(), "a viewer", "ann"))
	require.Equal(t, http.StatusUnauthorized, s.ask("GET", "/api/v1/stats", "", s.as("viewer")...).status, "a token that was removed")
}

func TestAnOpenServerNeedsNoToken(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	require.Equal(t, http.StatusOK, s.ask("GET", "/api/v1/stats", "").status)
	require.Equal(t, http.StatusAccepted, s.ask("POST", "/api/v1/replays", `{"orders":[{"shop":"acme","id":1}]}`).status)
	require.Equal(t, "demo", s.actions.by)
}

func TestEveryAnswerProtectsBrowsers(t *testing.T) {
	s := newSite(t)
	admin := s.as("admin")
	for name, a := range map[string]reply{
		"the door":     s.ask("POST", "/webhooks/shopify", "{}"),
		"a list":       s.ask("GET", "/api/v1/orders", "", admin...),
		"a 401":        s.ask("GET", "/api/v1/orders", ""),
		"a 404":        s.ask("GET", "/nowhere", ""),
		"an API 404":   s.ask("GET", "/api/v1/orders/acme/1", "", admin...),
		"a 405":        s.ask("DELETE", "/api/v1/orders", "", admin...),
		"a 422":        s.ask("GET", "/api/v1/orders?limit=0", "", admin...),
		"a 400":        s.ask("POST", "/api/v1/replays", "{", admin...),
		"cross origin": s.ask("POST", "/api/v1/replays", "{}", append(admin, "Sec-Fetch-Site", "cross-site")...),
		"livez":        s.ask("GET", "/livez", ""),
		"readyz":       s.ask("GET", "/readyz", ""),
		"metrics":      s.ask("GET", "/metrics", ""),
		"the openapi":  s.ask("GET", "/api/openapi.json", ""),
		"a redirect":   s.ask("GET", "/livez/", ""),
	} {
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), name)
		require.Equal(t, "DENY", a.header.Get("X-Frame-Options"), name)
		require.Equal(t, "no-referrer", a.header.Get("Referrer-Policy"), name)
		require.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'", name)
		require.Contains(t, a.header.Get("Cache-Control"), "no-", name)
	}
}

func TestBrowsersAreToldToKeepToTLSWhereTheyCameByIt(t *testing.T) {
	const told = "max-age=31536000"
	public := func(url string) func(*Options) {
		return func(o *Options) { o.Config = map[string]any{"server": map[string]any{"public_url": url}} }
	}
	passedOn := []string{"X-Forwarded-For", "203.0.113.7"}
	for name, c := range map[string]struct {
		site    *site
		headers []string
		want    string
	}{
		"on this machine in clear":             {newSite(t, public("https://orders.example.com")), nil, ""},
		"a proxy that says so":                 {newSite(t), append(passedOn, "X-Forwarded-Proto", "https"), told},
		"a proxy in clear":                     {newSite(t), append(passedOn, "X-Forwarded-Proto", "http"), ""},
		"a proxy that says nothing":            {newSite(t), passedOn, ""},
		"the same where the config says https": {newSite(t, public("https://orders.example.com")), passedOn, told},
	} {
		for _, ask := range []string{"GET /livez", "GET /login", "GET /nowhere", "POST /webhooks/shopify"} {
			method, path, _ := strings.Cut(ask, " ")
			require.Equal(t, c.want, c.site.ask(method, path, "", c.headers...).header.Get("Strict-Transport-Security"), "%s: %s", name, ask)
		}
	}
	s := closedSite(t)
	s.StartTLS()
	resp, err := s.Client().Get(s.URL + "/livez")
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, told, resp.Header.Get("Strict-Transport-Security"))
}

func TestAnotherSiteCannotPost(t *testing.T) {
	s := newSite(t)
	body := `{"orders":[{"shop":"acme","id":1}]}`
	for name, header := range map[string][]string{"by fetch metadata": {"Sec-Fetch-Site", "cross-site"}, "by origin": {"Origin", "https://evil.example"}} {
		a := s.ask("POST", "/api/v1/replays", body, append(s.as("operator"), header...)...)
		require.Equal(t, http.StatusForbidden, a.status, name)
		require.Empty(t, s.actions.replayed, name)
	}
	require.Equal(t, http.StatusAccepted, s.ask("POST", "/api/v1/replays", body, append(s.as("operator"), "Sec-Fetch-Site", "same-origin")...).status)
}

func TestTheDoorHangsAtItsPlace(t *testing.T) {
	s := newSite(t)
	require.Equal(t, http.StatusTeapot, s.ask("POST", "/webhooks/shopify", "{}", "Origin", "https://evil.example").status, "Shopify is no browser")
	require.Equal(t, http.StatusMethodNotAllowed, s.ask("GET", "/webhooks/shopify", "").status)
}

func TestAPanicIsA500(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	s.actions.connecting = func() { panic("personal data") }
	a := s.ask("GET", "/health", "")
	require.Equal(t, http.StatusInternalServerError, a.status)
	require.NotContains(t, a.body, "personal data")
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
	require.Equal(t, http.StatusOK, s.ask("GET", "/livez", "").status, "the server lives on")
}

func TestAPanicInTheAPIIsA500(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Actions = nil })
	a := s.ask("POST", "/api/v1/replays", `{"orders":[{"shop":"acme","id":1}]}`, s.as("operator")...)
	require.Equal(t, http.StatusInternalServerError, a.status)
	require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"))
}

func TestLiveAndReady(t *testing.T) {
	s := newSite(t)
	require.JSONEq(t, `{"ok":true}`, s.ask("GET", "/livez", "").body)
	a := s.ask("GET", "/readyz", "")
	require.Equal(t, http.StatusOK, a.status)
	require.JSONEq(t, `{"ok":true}`, a.body)

	require.NoError(t, s.store.Close())
	s.pass(readyFor)
	a = s.ask("GET", "/readyz", "")
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Contains(t, a.body, `"ok":false`)
	require.Contains(t, a.body, "the store can't write")
	require.Equal(t, http.StatusOK, s.ask("GET", "/livez", "").status, "a process that answers lives")
}

// Anybody may ask whether Gapless is ready, and each write wears the disk.
func TestAskingForReadinessOftenWritesOnce(t *testing.T) {
	s := newSite(t)
	db, err := sql.Open("sqlite", "file:"+s.path)
	require.NoError(t, err)
	defer db.Close()
	_, err = db.ExecContext(t.Context(), `CREATE TABLE asked (n); CREATE TRIGGER asked AFTER INSERT ON meta WHEN new.key = 'ready' BEGIN INSERT INTO asked VALUES (1); END;
		CREATE TRIGGER again AFTER UPDATE ON meta WHEN new.key = 'ready' BEGIN INSERT INTO asked VALUES (1); END`)
	require.NoError(t, err)
	writes := func() (n int) {
		require.NoError(t, db.QueryRowContext(t.Context(), `SELECT count(*) FROM asked`).Scan(&n))
		return n
	}
	var asking sync.WaitGroup
	for range 20 {
		asking.Go(func() {
			if a := s.ask("GET", "/readyz", ""); a.status != http.StatusOK {
				t.Errorf("answered %d", a.status)
			}
		})
	}
	asking.Wait()
	require.Equal(t, 1, writes())

	s.pass(readyFor)
	require.Equal(t, http.StatusOK, s.ask("GET", "/readyz", "").status)
	require.Equal(t, 2, writes(), "an old answer is none")
}

// Whoever asked first and went away has not said that the store can't write.
func TestReadinessIsNotTheFirstAskersPatience(t *testing.T) {
	s := newSite(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	s.ui.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/readyz", nil).WithContext(gone))
	require.Equal(t, http.StatusOK, s.ask("GET", "/readyz", "").status)
}

func TestMetricsAreForThisMachineOrATokenOfTheirOwn(t *testing.T) {
	s := newSite(t, func(o *Options) {
		o.Metrics = func() EngineMetrics {
			return EngineMetrics{Events: 7, Attempts: map[AttemptKind]AttemptCount{{"books", "created"}: {3, time.Second}}, Circuits: map[string]bool{"books": true},
				Paces: map[string]time.Duration{"acme": 90 * time.Second}}
		}
	})
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 2)...)
	require.NoError(t, s.store.Complete(t.Context(), "acme", epoch.Add(-time.Hour), epoch))
	a := s.ask("GET", "/metrics", "")
	require.Equal(t, http.StatusOK, a.status, "from loopback")
	for _, line := range []string{
		"gapless_events_taken_in_total 7", `gapless_attempts_total{erp="books",result="created"} 3`, `gapless_erp_circuit_open{erp="books"} 1`,
		`gapless_deliveries{state="parked"} 0`, `gapless_build_info{version="1.2.3"} 1`, "gapless_events_pending 0",
		`gapless_gaps{kind="missing",state="open"} 2`, `gapless_gaps{kind="silence",state="healing"} 0`, `gapless_poll_interval_seconds{shop="acme"} 90`,
		fmt.Sprintf(`gapless_complete_through_seconds{shop="acme"} %g`, float64(epoch.Unix())), `gapless_complete_through_seconds{shop="beta"} 0`,
		`gapless_webhook_lag_seconds{quantile="0.99"} 0`,
	} {
		require.Contains(t, a.body, line)
	}
	for _, header := range []string{"X-Forwarded-For", "Forwarded"} {
		far := []string{header, "203.0.113.7"}
		require.Equal(t, http.StatusUnauthorized, s.ask("GET", "/metrics", "", far...).status, "passed on by a proxy here")
		for scope, want := range map[string]int{"metrics": 200, "admin": 200, "viewer": 401, "operator": 401} {
			require.Equal(t, want, s.ask("GET", "/metrics", "", append(s.as(scope), far...)...).status, scope)
		}
	}
}

func TestAStoreThatCannotReadIsA503InPlainWords(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	s.actions.err = errors.New("secret detail")
	require.NoError(t, s.store.Close())
	for _, r := range routes {
		a := s.ask(r.method, r.example, r.body)
		require.Equal(t, http.StatusServiceUnavailable, a.status, r.path)
		require.Contains(t, a.body, "try again", r.path)
		require.NotContains(t, a.body, "secret detail")
		require.NotContains(t, a.body, "sql")
	}
}
