package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/store"
	"gapless/sync/report"
)

// newPages is a site whose pages need no log-in, with something of everything:
// what people, shops and ERPs name is hostile.
func newPages(t testing.TB, change ...func(*Options)) *site {
	t.Helper()
	s := newSite(t, append([]func(*Options){func(o *Options) {
		o.Open = true
		o.Config = map[string]any{"server": map[string]any{"public_url": "https://orders.example.com"}, "shops": []any{map[string]any{"name": "acme", "access_token": "***"}}}
	}}, change...)...)
	s.actions.connections = Connections{
		Shops:  []ShopConnection{{Name: "acme", Domain: "acme-shop.myshopify.com", ERP: "books", Webhooks: true, APIVersion: "2026-10", APIAnswers: "2026-10", Pace: time.Minute}, {Name: "beta", Domain: "beta.myshopify.com", TokenRenewed: true, TokenExpires: epoch.Add(20 * time.Hour)}},
		ERPs:   []ERPConnection{{Name: "books", Kind: "http", Tier: "A"}, {Name: "old", Kind: "tryton", Tier: "B", Until: epoch.Add(time.Minute), Reason: hostile}},
		Others: []string{"disk", "mail"}, Free: 1 << 20,
	}
	s.actions.neutral = json.RawMessage(`{"currency":"EUR","lines":[{"sku":` + quotedJSON(hostile) + `,"title":` + quotedJSON(strings.Repeat("long ", 2000)) + `,"quantity":2,"amount":"12.50"}],"shipping":[],"financial_status":"paid"}`)
	s.actions.documents = []Document{{ID: hostile, Version: "2026-11-23T09:00:00Z/1", Total: "12.50", Currency: "EUR"}}
	s.actions.plan = Plan{Order: hostile, Action: "send", Calls: []PlanCall{{Method: "PUT", URL: "https://erp.example.com/" + hostile, Header: map[string]string{"X": hostile}, Body: hostile}}}
	s.actions.trial = Trial{Rule: hostile, Then: "exclude", Asked: true, Matches: true}
	s.actions.report = report.Report{Shop: "acme", Day: "2026-11-22", Timezone: "Europe/Amsterdam", From: epoch.Add(-24 * time.Hour), To: epoch, MadeAt: epoch,
		Balance: report.Balance{Shopify: tally(3, "EUR", "30"), ERP: tally(2, "EUR", "20"), Missing: tally(1, "EUR", "10")},
		ByRule:  []report.Excluded{{Rule: hostile}}, Notes: []string{hostile}, Amendments: []report.Amendment{{At: epoch, What: hostile}},
		Gaps: []report.Gap{{ID: 1, Kind: "missing", Order: hostile, State: "open", CauseText: hostile, Currency: "EUR"}, {ID: 2, Kind: "stale", State: "closed"}, {ID: 3, Kind: "stale", State: "ignored"}},
	}
	s.fill()
	return s
}

// hostile is a text as an attacker, or an unlucky person, would write it.
const hostile = `<script>alert(1)</script>"'><img src=x onerror=alert(2)>` + "\u202e\u2066RTL\u2069 \U0001F4A9 {{.}} javascript:alert(3)"

func quotedJSON(text string) string {
	raw, err := json.Marshal(text)
	if err != nil {
		panic(err)
	}
	return string(raw)
}

func tally(n int64, currency, total string) report.Tally {
	return report.Tally{Orders: n, Money: []report.Money{{Currency: currency, Amount: decimal.RequireFromString(total)}}}
}

// fill puts orders, messages, calls, gaps, runs and reports into the store.
func (s *site) fill() {
	s.Helper()
	ctx := s.Context()
	s.tell(append(keys("acme", 1, 60), keys("beta", 1, 2)...)...)
	bad := &store.Event{Shop: "acme", Source: store.SourceWebhook, Topic: hostile, WebhookID: hostile, Headers: `{"X-Shopify-Test":` + quotedJSON(hostile) + `}`, TriggeredAt: epoch.Add(-time.Hour), ReceivedAt: epoch, Body: []byte(hostile)}
	_, err := s.store.Append(ctx, bad)
	require.NoError(s, err)
	require.NoError(s, s.store.ApplyIntake(ctx, store.Intake{At: epoch, Through: bad.ID,
		Orders: []store.Wanted{{ERP: "books", Order: store.Order{OrderKey: store.OrderKey{Shop: "acme", ID: 666}, Name: hostile, Version: "2026-11-23T09:00:00Z/6", Hash: "6", Currency: "JPY", Total: "1500", Test: true,
			CreatedAt: epoch, UpdatedAt: epoch, CancelledAt: epoch, EventID: bad.ID, Content: []byte(`{"id":666}`)}}},
		Decisions: []store.Decision{{At: epoch, Shop: "acme", OrderID: 666, EventID: bad.ID, Step: "intake", Outcome: hostile, Detail: hostile}},
	}))
	s.attempt(20)
	for i, kind := range store.GapKinds {
		id := int64(i + 1)
		if slices.Contains([]string{store.GapSubscription, store.GapSilence}, kind) {
			id = 0
		}
		_, err := s.store.FoundGaps(ctx, "reconcile", store.Fault{Gap: store.Gap{Shop: "acme", OrderID: id, ERP: "books", Kind: kind, About: "1", Cause: "erp_lost", Detail: hostile + " at 2026-11-23T08:00:00Z", FoundBy: "reconcile", Since: epoch.Add(-time.Hour)}})
		require.NoError(s, err)
	}
	_, err = s.store.FoundGaps(ctx, "poll", store.Fault{Gap: store.Gap{Shop: "acme", OrderID: 666, ERP: "books", Kind: store.GapMissing, Cause: hostile, Detail: hostile, FoundBy: hostile}})
	require.NoError(s, err)
	closeGap(s, s.store, 2, hostile)
	_, err = s.store.IgnoreGap(ctx, 3, hostile, hostile)
	require.NoError(s, err)
	for _, state := range []string{store.RunRunning, store.RunDone, store.RunPartial, store.RunFailed} {
		r := &store.Run{Shop: "acme", Kind: store.RunReconcile, By: hostile + state, From: epoch.Add(-time.Hour), To: epoch, Total: 10}
		if state != store.RunRunning {
			r.From = epoch.Add(-time.Duration(len(state)) * time.Hour)
		}
		require.NoError(s, s.store.BeginRun(ctx, r))
		r.State, r.Note, r.Done, r.Data = state, hostile, 4, json.RawMessage(`{}`)
		require.NoError(s, s.store.SaveRun(ctx, r))
	}
	poll := &store.Run{Shop: "acme", Kind: store.RunPoll, By: "ann"}
	require.NoError(s, s.store.BeginRun(ctx, poll))
	poll.State, poll.Data = store.RunDone, json.RawMessage(`{"seen":3,"fetched":2,"lost":1,"young":0}`)
	require.NoError(s, s.store.SaveRun(ctx, poll))
	_, err = s.store.FoundGaps(ctx, "poll", store.Fault{Gap: store.Gap{Shop: "acme", OrderID: 30, ERP: "books", Kind: store.GapStale, FoundBy: "poll", RunID: poll.ID}})
	require.NoError(s, err)
	require.NoError(s, s.store.SaveReport(ctx, &store.Report{Shop: "acme", Day: "2026-11-22", Balanced: false, Content: json.RawMessage(`{}`)}))
	require.NoError(s, s.store.SaveReport(ctx, &store.Report{Shop: "acme", Day: "2026-11-21", Balanced: true, Content: json.RawMessage(`{}`)}))
	require.NoError(s, s.store.Subscribed(ctx, "acme", []store.SubscriptionChange{{Topic: "orders/create", Change: "created", Detail: hostile}}, ""))
	require.NoError(s, s.store.Polled(ctx, "acme", epoch, epoch, hostile))
}

// visits are all pages, each in the states that it has.
var visits = []struct{ template, path string }{
	{"overview", "/"},
	{"gaps", "/gaps"}, {"gaps", "/gaps?state=closed"}, {"gaps", "/gaps?state=ignored"}, {"gaps", "/gaps?state=all&kind=missing&shop=acme"}, {"gaps", "/gaps?shop=beta"}, {"gaps", "/gaps?state=closed&shop=beta"},
	{"gap", "/gaps/1"}, {"gap", "/gaps/2"}, {"gap", "/gaps/3"}, {"gap", "/gaps/8"}, {"gap", "/gaps/10"},
	{"replay", "/replay?gap=1&gap=10"}, {"replay", "/replay?order=acme/666"}, {"replay", "/replay?" + strings.Repeat("gap=1&", 30)},
	{"ignore", "/ignore?gap=10&gap=1"},
	{"orders", "/orders"}, {"orders", "/orders?state=moving"}, {"orders", "/orders?state=parked&shop=acme"}, {"orders", "/orders?q=" + url.QueryEscape("no "+hostile)}, {"orders", "/orders?state=excluded"},
	{"order", "/orders/acme/666"}, {"order", "/orders/acme/1?all=yes"}, {"order", "/orders/acme/40"}, {"order", "/orders/acme/1?erp=ask"},
	{"events", "/events"}, {"events", "/events?topic=orders/create&shop=beta"}, {"events", "/events?topic=orders/delete"},
	{"event", "/events/1"}, {"event", "/events/63"}, {"call", "/calls/1"}, {"call", "/calls/20"},
	{"runs", "/runs"}, {"runs", "/runs?kind=reconcile&shop=acme"}, {"runs", "/runs?kind=backfill"},
	{"run", "/runs/1"}, {"run", "/runs/2"}, {"run", "/runs/3"}, {"run", "/runs/4"}, {"run", "/runs/5"}, {"gaps", "/gaps?state=all&run=5"},
	{"reports", "/reports"}, {"reports", "/reports?shop=beta"},
	{"report", "/reports/2026-11-22?shop=acme"}, {"report", "/reports/2026-11-20"}, {"report", "/reports/2026-12-24"},
	{"health", "/health"},
	{"settings", "/settings"}, {"settings", "/settings?order=%231&when=.test"}, {"settings", "/settings?order=%231&map=yes"}, {"settings", "/settings?order=%23none"}, {"settings", "/settings?when=x"},
	{"error", "/gaps/999"}, {"error", "/nowhere"}, {"error", oidcPath}, {"error", oidcCallback},
}

// html asks for a page as a browser does, and stays where it was led from.
func (s *site) html(method, path, form string) reply {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), method, s.URL+path, strings.NewReader(form))
	require.NoError(s, err)
	req.Header.Set("Accept", "text/html")
	if method == http.MethodPost {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	client := *s.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := client.Do(req)
	require.NoError(s, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(s, err)
	return reply{resp.StatusCode, resp.Header, string(body)}
}

var (
	inline     = regexp.MustCompile(`(?i)<script(?:\s+type="module")?(?:\s*)>|\son[a-z]+\s*=\s*["']|\sstyle\s*=|<style|javascript:[^a]`)
	duplicates = regexp.MustCompile(`\sid="([^"]+)"`)
)

func TestEveryPageIsDrawnWhateverPeopleWrite(t *testing.T) {
	s := newPages(t)
	for _, visit := range visits {
		a := s.html("GET", visit.path, "")
		want := http.StatusOK
		if visit.template == "error" {
			want = http.StatusNotFound
		}
		require.Equal(t, want, a.status, "%s: %.400s", visit.path, a.body)
		require.Contains(t, a.body, "</html>", visit.path)
		require.NotContains(t, a.body, "<script>alert", visit.path)
		require.NotContains(t, a.body, "<img src=x", visit.path)
		require.NotContains(t, a.body, "ZgotmplZ", visit.path)
		require.NotRegexp(t, inline, stripped(a.body), visit.path)
		require.Less(t, len(a.body), 400<<10, visit.path)
		seen := map[string]bool{}
		for _, id := range duplicates.FindAllStringSubmatch(a.body, -1) {
			require.False(t, seen[id[1]], "%s: id %s twice", visit.path, id[1])
			seen[id[1]] = true
		}
		require.Contains(t, a.header.Get("Content-Security-Policy"), "script-src 'self'; style-src 'self'", visit.path)
	}
}

// stripped leaves out the text between tags, where anything may stand escaped.
func stripped(page string) string {
	return regexp.MustCompile(`>[^<]*<`).ReplaceAllString(regexp.MustCompile(`="[^"]*"`).ReplaceAllString(page, `=""`), "><")
}

// post is a form, and where it leads.
type post struct {
	path, form string
	status     int
	leads      string
}

var posts = []post{
	{"/replay", "gap=1", 303, "/gaps/1?did=replayed&n=1"},
	{"/replay", "gap=1&gap=4", 303, "/gaps?did=replayed&n=2"},
	{"/replay", "order=acme/1", 303, "/orders/acme/1?did=sent"},
	{"/replay", "", 422, ""}, {"/replay", "gap=x", 422, ""}, {"/replay", "order=x", 422, ""},
	{"/replay", strings.Repeat("gap=1&", 501), 422, ""},
	{"/ignore", "gap=1&reason=paid+in+cash", 303, "/gaps/1?did=ignored&n=1"},
	{"/ignore", "gap=1&reason=+", 422, ""}, {"/ignore", "gap=1&reason=" + strings.Repeat("x", 5000), 422, ""}, {"/ignore", "reason=x", 422, ""},
	{"/runs", "kind=reconcile&shop=acme&since=24h", 303, "/runs?did=started"}, {"/runs", "kind=poll&shop=beta", 303, "/runs?did=started"},
	{"/runs", "kind=backfill&shop=beta&from=2026-01-31", 303, "/runs?did=started"},
	{"/runs", "kind=backfill&shop=acme", 422, ""}, {"/runs", "kind=backfill&shop=acme&from=yesterday", 422, ""}, {"/runs", "kind=deep&shop=acme", 422, ""}, {"/runs", "kind=poll&shop=other", 422, ""},
	{"/reports/2026-11-20", "shop=acme", 303, "/reports/2026-11-20?did=started&shop=acme"}, {"/reports/2026-13-40", "shop=acme", 404, ""}, {"/reports/2027-11-20", "shop=acme", 422, ""},
	{"/settings", "kind=erp&name=books", 200, ""}, {"/settings", "kind=shop&name=acme", 200, ""},
}

func TestFormsDoWhatTheySay(t *testing.T) {
	s := newPages(t)
	for _, p := range posts {
		a := s.html("POST", p.path, p.form)
		require.Equal(t, p.status, a.status, "%s %.60s: %.300s", p.path, p.form, a.body)
		require.Equal(t, p.leads, a.header.Get("Location"), "%s %.60s", p.path, p.form)
	}
	require.Equal(t, "demo", s.actions.by)
	require.Equal(t, RunRequest{Kind: "backfill", Shop: "beta", From: "2026-01-31"}, s.actions.run, "the last run")
	require.Equal(t, "paid in cash", s.actions.ignored[1])
	require.Equal(t, "2026-11-20", s.actions.day)
	require.Equal(t, "shop acme", s.actions.tested)
}

func TestAFormThatFailsSaysSoAndChangesNothing(t *testing.T) {
	s := newPages(t)
	s.actions.err = store.ErrRunning
	require.Equal(t, "/runs?did=running", s.html("POST", "/runs", "kind=poll&shop=acme").header.Get("Location"))
	s.actions.err = WrongRequest("that window is empty")
	require.Contains(t, s.html("POST", "/runs", "kind=reconcile&shop=acme&since=0").body, "that window is empty")
	s.actions.err = errors.New("secret detail")
	for _, p := range posts {
		if p.status == http.StatusSeeOther {
			a := s.html("POST", p.path, p.form)
			require.Equal(t, http.StatusServiceUnavailable, a.status, p.path)
			require.NotContains(t, a.body, "secret detail")
		}
	}
	a := s.html("POST", "/settings", "kind=erp&name=books")
	require.Contains(t, a.body, "Does not work")
	require.Contains(t, s.html("GET", "/replay?gap=1", "").body, "could not be asked just now")
	require.Contains(t, s.html("GET", "/orders/acme/1", "").body, "The lines can&#39;t be shown")
}

func TestNoOtherSiteCanPostAForm(t *testing.T) {
	s := newPages(t)
	for _, header := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}, {"Origin", "https://evil.example"}, {"Origin", "null"}} {
		a := s.ask("POST", "/replay", "gap=1", append(header, "Content-Type", "application/x-www-form-urlencoded")...)
		require.Equal(t, http.StatusForbidden, a.status, header)
	}
	require.Empty(t, s.actions.gaps)
}

func TestPagesNeedALogIn(t *testing.T) {
	s := newPages(t, func(o *Options) { o.Open = false })
	for _, v := range visits {
		if v.path == "/nowhere" || strings.HasPrefix(v.path, "/login/") {
			continue // nobody need be logged in there
		}
		a := s.html("GET", v.path, "")
		require.Equal(t, http.StatusSeeOther, a.status, v.path)
		require.Regexp(t, "^/login", a.header.Get("Location"))
		require.NotContains(t, a.body, "</html>", v.path)
	}
	for _, p := range posts {
		a := s.html("POST", p.path, p.form)
		require.Equal(t, http.StatusSeeOther, a.status, p.path)
		require.Regexp(t, `^/login\?next=.*did%3Dundone`, a.header.Get("Location"), p.path)
	}
	require.Empty(t, s.actions.by, "nothing was done")
}

func TestHostileAddressesBreakNoPage(t *testing.T) {
	s := newPages(t)
	long := strings.Repeat("x", 5000)
	for _, query := range []string{"state=", "kind=lost", "shop='%20OR%201=1", "before=-1", "before=x", "before=99999999999999999999", "q=%00%ff%fe", "q=" + long, "q=%25", "topic=<script>", "did=x&n=1", "did=replayed&n=<script>", "n=1&did=replayed&n=-5", "all=%F0%9F%92%A9", "order=%00", "when=" + long + "&order=%231"} {
		for _, path := range []string{"/", "/gaps", "/gaps/1", "/orders", "/orders/acme/1", "/events", "/events/1", "/runs", "/runs/1", "/reports", "/reports/2026-11-22", "/health", "/settings"} {
			a := s.html("GET", path+"?"+query, "")
			require.Contains(t, []int{200, 303, 422}, a.status, "%s?%.50s: %.200s", path, query, a.body)
			require.NotContains(t, a.body, "<script>")
		}
	}
	for _, path := range []string{"/gaps/x", "/gaps/-1", "/gaps/99999999999999999999", "/runs/x", "/runs/999", "/events/x", "/orders/acme/x", "/orders/%3Cscript%3E/1", "/reports/yesterday", "/reports/2026-02-30", "/reports/2026-11-22.exe", "/reports/2026-11-20.csv", "/static/nothing.css", "/static/../server.go"} {
		require.Equal(t, http.StatusNotFound, s.html("GET", path, "").status, path)
	}
}

func TestAReportComesAsAFile(t *testing.T) {
	s := newPages(t)
	for format, kind := range map[string]string{"csv": "text/csv; charset=utf-8", "json": "application/json"} {
		a := s.html("GET", "/reports/2026-11-22."+format+"?shop=acme", "")
		require.Equal(t, http.StatusOK, a.status)
		require.Equal(t, kind, a.header.Get("Content-Type"))
		require.Equal(t, `attachment; filename="gapless-acme-2026-11-22.`+format+`"`, a.header.Get("Content-Disposition"))
	}
}

// needsNoStore are pages of which all is known without the store: the config as it
// was loaded, and a condition that is tried on no order.
var needsNoStore = map[string]bool{"/settings": true, "/settings?when=x": true}

func TestPagesTellWhereTheStoreCannotBeRead(t *testing.T) {
	s := newPages(t)
	require.NoError(t, s.store.Close())
	for _, v := range visits {
		if v.template == "error" {
			continue
		}
		a := s.html("GET", v.path, "")
		if needsNoStore[v.path] {
			require.Equal(t, http.StatusOK, a.status, v.path)
			continue
		}
		require.Equal(t, http.StatusServiceUnavailable, a.status, "%s answers as if it knew", v.path)
		require.Contains(t, a.body, "Reload it in a moment", v.path)
		require.NotContains(t, a.body, "sql", v.path)
	}
}

func TestListsGoOnWhereTheyEnded(t *testing.T) {
	s := newPages(t)
	link := regexp.MustCompile(`href="([^"]*before=[^"]*)"`)
	for path, row := range map[string]*regexp.Regexp{"/orders": regexp.MustCompile(`class="row" href="([^"]+)"`), "/events": regexp.MustCompile(`class="row" href="([^"]+)"`)} {
		seen := map[string]bool{}
		for next := path; next != ""; {
			a := s.html("GET", next, "")
			for _, m := range row.FindAllStringSubmatch(a.body, -1) {
				require.False(t, seen[m[1]], "%s twice", m[1])
				seen[m[1]] = true
			}
			next = ""
			if m := link.FindStringSubmatch(a.body); m != nil {
				next = strings.ReplaceAll(m[1], "&amp;", "&")
			}
		}
		require.Len(t, seen, 63, path)
	}
}

func TestSearchFindsAnOrderByAnyOfItsNames(t *testing.T) {
	s := newPages(t)
	for query, leads := range map[string]string{"#59": "/orders/acme/59", "59": "/orders/acme/59", "acme-59": "/orders/acme/59", "666": "/orders/acme/666"} {
		require.Equal(t, leads, s.html("GET", "/orders?q="+url.QueryEscape(" "+query+" "), "").header.Get("Location"), query)
	}
	require.Contains(t, s.html("GET", "/orders?q=%231", "").body, "/orders/beta/1", "two shops have a #1")
}

func TestStaticFilesAreKeptForGood(t *testing.T) {
	s := newPages(t)
	for own := range staticNames {
		a := s.ask("GET", staticURL(own), "")
		require.Equal(t, http.StatusOK, a.status, own)
		require.Contains(t, a.header.Get("Cache-Control"), "immutable")
		require.NotEmpty(t, a.header.Get("Content-Type"))
		for _, m := range regexp.MustCompile(`from "\./([^"]+)"`).FindAllStringSubmatch(a.body, -1) {
			require.Equal(t, http.StatusOK, s.ask("GET", staticPath+m[1], "").status, m[1])
		}
	}
}

func TestTodayAddsUp(t *testing.T) {
	s := newPages(t)
	b, err := s.ui.balance(context.Background(), "acme", epoch.Add(-time.Hour), epoch.Add(time.Hour))
	require.NoError(t, err)
	require.True(t, b.Difference().Empty(), fmt.Sprint(b.Equation()))
	require.Equal(t, int64(61), b.Shopify.Orders)
	require.Equal(t, int64(2), b.Missing.Orders)
}

func TestHealthTellsWhenTheLastBackupWasMade(t *testing.T) {
	s := newPages(t)
	require.Contains(t, s.html("GET", "/health", "").body, "none so far; gapless backup FILE makes one")
	require.NoError(t, s.ui.Store.Backup(t.Context(), filepath.Join(t.TempDir(), "backup.db")))
	require.Regexp(t, `Last backup</dt><dd><time datetime="2026-11-23T09:00:00Z"`, s.html("GET", "/health", "").body)
}

func TestNothingIsOfferedWhereTheGapIsClosed(t *testing.T) {
	s := newPages(t)
	page := s.html("GET", "/replay?gap=1&gap=10", "").body
	require.Contains(t, page, `<form class="card acting" action="/replay" method="post">`)
	for _, id := range []int64{1, 10} {
		g, err := s.ui.Store.Gap(t.Context(), id)
		require.NoError(t, err)
		require.NoError(t, s.ui.Store.CloseGap(t.Context(), g, "ann"))
	}
	page = s.html("GET", "/replay?gap=1&gap=10", "").body
	require.Contains(t, page, "nothing is left to replay")
	require.NotContains(t, page, `action="/replay" method="post"`)
}

func TestHealthTellsHowLongTokensAreGood(t *testing.T) {
	page := newPages(t).html("GET", "/health", "").body
	require.Contains(t, page, "Access token, acme</dt><dd>does not expire")
	require.Contains(t, page, "Access token, beta</dt><dd>good for 20 h, renewed before")
}
