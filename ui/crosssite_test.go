package ui

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// origins are what browsers say of where a request comes from, and whether such
// a form is taken. What Sec-Fetch-Site says counts; older browsers send Origin.
func origins(own string) (all []struct {
	headers []string
	taken   bool
}) {
	for _, origin := range []string{"", own, "null", "https://evil.example", "http://127.0.0.1", "rubbish"} {
		for _, site := range []string{"", "none", "same-origin", "same-site", "cross-site", "Same-Origin", "rubbish"} {
			var headers []string
			if origin != "" {
				headers = append(headers, "Origin", origin)
			}
			if site != "" {
				headers = append(headers, "Sec-Fetch-Site", site)
			}
			taken := site == "none" || site == "same-origin" || site == "" && (origin == "" || origin == own)
			all = append(all, struct {
				headers []string
				taken   bool
			}{headers, taken})
		}
	}
	return all
}

func TestNoOtherSitePostsForms(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	link, err := s.store.ResetLink(t.Context(), "bob", "ann")
	require.NoError(t, err)
	b := s.visitor().logIn("ann")
	for _, from := range origins(s.URL) {
		for path, fields := range map[string][]string{
			"/login":                 {"name", "ann", "password", password},
			"/settings/people/role":  {"name", "bob", "role", "viewer"},
			"/settings/account/code": {"code", "1"},
			"/setup/" + link:         {"password", ""},
		} {
			a := b.sendWith(path, from.headers, fields...)
			require.Equal(t, from.taken, a.status != http.StatusForbidden, "%s with %v: %d", path, from.headers, a.status)
		}
	}
	s.pass(lineEvery * 100)
	for _, from := range origins(s.URL) {
		b := s.visitor().logIn("ann")
		a := b.sendWith("/logout", from.headers)
		require.Equal(t, from.taken, a.status != http.StatusForbidden, from.headers)
		s.pass(lineEvery)
	}
}

// The API takes the session of its own pages, with the person's role, and the
// cookie is worth nothing to another site.
func TestTheAPITakesASession(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	body := `{"orders":[{"shop":"acme","id":1}]}`
	post := func(b *visitor, headers ...string) int {
		return b.do(http.MethodPost, "/api/v1/replays", body, append(headers, "Content-Type", "application/json")).status
	}
	ann, bob := s.visitor().logIn("ann"), s.visitor().logIn("bob")
	for _, from := range origins(s.URL) {
		s.actions.replayed = nil
		status := post(ann, from.headers...)
		require.Equal(t, from.taken, status == http.StatusAccepted, "%v: %d", from.headers, status)
		require.Equal(t, from.taken, s.actions.replayed != nil)
	}
	require.Equal(t, "ann", s.actions.by)
	require.Equal(t, http.StatusForbidden, post(bob))
	require.Equal(t, http.StatusOK, bob.open("/api/v1/stats").status)
	require.Equal(t, http.StatusUnauthorized, post(s.visitor()))
	require.Equal(t, http.StatusUnauthorized, post(ann, "Authorization", "Bearer gapless_wrong"), "a token counts before the cookie")
	require.NoError(t, s.store.SetRole(t.Context(), "bob", "operator", "ann"))
	require.Equal(t, http.StatusUnauthorized, bob.open("/api/v1/stats").status, "logged out by the change")
	bob.logIn("bob")
	require.Equal(t, http.StatusAccepted, post(bob))
	bob.send("/logout")
	require.Equal(t, http.StatusUnauthorized, post(bob))
}

func TestViewersDoNotSeeCustomers(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	s.tell(keys("acme", 1, 1)...)
	s.attempt(1)
	bob, ann := s.visitor().logIn("bob"), s.visitor().logIn("ann")
	for _, path := range []string{"/api/v1/orders/acme/1", "/api/v1/events/1"} {
		for name, seen := range map[string]struct {
			a     reply
			shown bool
		}{
			"a viewer":         {bob.open(path), false},
			"an admin":         {ann.open(path), true},
			"a viewer's token": {s.ask("GET", path, "", s.as("viewer")...), false},
			"an operator's":    {s.ask("GET", path, "", s.as("operator")...), true},
		} {
			require.Equal(t, http.StatusOK, seen.a.status)
			require.Equal(t, !seen.shown, jsonHas(seen.a.body, "hidden"), "%s of %s", name, path)
			require.Equal(t, seen.shown && path == "/api/v1/orders/acme/1", jsonHas(seen.a.body, "exchanges"), "%s of %s", name, path)
		}
	}
}

func TestPagesHideCustomersFromViewers(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	s.tell(keys("acme", 1, 1)...)
	s.attempt(1)
	bob, ann := s.visitor().logIn("bob"), s.visitor().logIn("ann")
	for path, marks := range map[string][]string{
		"/events/1":      {`id="raw"`},
		"/orders/acme/1": {"<summary>What was said to the ERP", "<summary>What came"},
	} {
		seen, told := ann.open(path).body, bob.open(path).body
		for _, mark := range marks {
			require.Contains(t, seen, mark)
			require.NotContains(t, told, mark)
		}
		require.Contains(t, told, "Operators and admins see this")
		require.NotContains(t, seen, "Operators and admins see this")
	}
}

func TestEveryPageProtectsBrowsers(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	ann, bob := s.visitor().logIn("ann"), s.visitor().logIn("bob")
	closed := s.visitor()
	for name, a := range map[string]reply{
		"a page":            ann.open("/settings/people"),
		"a log-in":          closed.open("/login"),
		"a wrong log-in":    closed.send("/login", "name", "ann", "password", "wrong"),
		"a redirect":        closed.open("/"),
		"a 403":             bob.open("/settings/people"),
		"a 404":             ann.open("/nowhere"),
		"a dead link":       closed.open("/setup/none"),
		"a 405":             ann.do(http.MethodDelete, "/login", "", nil),
		"a 422":             ann.send("/settings/people", "name", "?"),
		"another site":      ann.sendWith("/login", []string{"Sec-Fetch-Site", "cross-site"}),
		"a form too long":   ann.send("/settings/people", "name", strings.Repeat("x", mostForm)), // by little: what is left unread resets the connection
		"a broken form":     ann.do(http.MethodPost, "/login", "%zz=1", []string{"Content-Type", "application/x-www-form-urlencoded"}),
		"a broken address":  ann.open("/login?%zz"),
		"another page's /x": ann.open("/login/"),
	} {
		require.Equal(t, "nosniff", a.header.Get("X-Content-Type-Options"), name)
		require.Equal(t, "DENY", a.header.Get("X-Frame-Options"), name)
		require.NotEmpty(t, a.header.Get("Referrer-Policy"), name)
		require.Contains(t, a.header.Get("Content-Security-Policy"), "default-src 'none'", name)
		require.NotContains(t, a.header.Get("Content-Security-Policy"), "unsafe", name)
		require.Contains(t, a.header.Get("Cache-Control"), "no-store", name)
		require.NotContains(t, a.body, "style=\"", name)
	}
}

// Whatever acts leaves its trace, and only then is it done.
func TestEveryActIsInTheAuditLog(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	ann := s.visitor().logIn("ann")
	for _, r := range routes {
		if r.method == http.MethodGet || strings.HasPrefix(r.path, feedPath) { // which operators may not use
			continue
		}
		for who, act := range map[string]func(){
			"token a operator": func() { s.ask(r.method, r.example, `{"reason":"x"}`, s.as("operator")...) },
			"ann":              func() { ann.do(r.method, r.example, `{"reason":"x"}`, []string{"Content-Type", "application/json"}) },
		} {
			before := len(s.deeds(who))
			act()
			after := s.deeds(who)
			require.Len(t, after, before+1, "%s %s", r.method, r.path)
			require.Contains(t, after[0], r.example)
		}
	}
	for _, route := range pageRoutes {
		if route.method != http.MethodGet {
			require.NotEmpty(t, deeds[route.path], "%s has no words for the audit log", route.path)
		}
	}
	before := s.deeds("")
	s.ask("GET", "/api/v1/stats", "", s.as("viewer")...)
	s.ask("POST", "/api/v1/replays", "{}", s.as("viewer")...)
	s.ask("POST", "/api/v1/replays", "{}")
	ann.open("/settings/people")
	require.Equal(t, before, s.deeds(""), "who only looks, or is refused, does nothing")

	require.NoError(t, s.store.Close())
	a := s.ask("POST", "/api/v1/replays", `{"orders":[{"shop":"acme","id":1}]}`, s.as("operator")...)
	require.Equal(t, http.StatusServiceUnavailable, a.status)
	require.Empty(t, s.actions.replayed)
}
