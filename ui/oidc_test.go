package ui

import (
	"bytes"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
	"gapless/ui/oidctest"
)

// oidcSite is a site beside a real provider, whose first admin is ann, with a
// password; kim@example.com is known, and has none.
type oidcSite struct {
	*site
	provider *oidctest.Provider
	log      *bytes.Buffer
}

func newOIDCSite(t testing.TB, change ...func(*OIDCConfig)) *oidcSite {
	t.Helper()
	s := &oidcSite{log: &bytes.Buffer{}}
	s.site = closedSite(t, func(o *Options) { o.Log = slog.New(slog.NewTextHandler(s.log, nil)) })
	public := "http://" + s.Listener.Addr().String()
	s.provider = oidctest.New(t, public+oidcCallback)
	c := OIDCConfig{
		Issuer: s.provider.Issuer, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, PublicURL: public + "/", Name: "Acme & Sons",
		Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	}
	for _, ch := range change {
		ch(&c)
	}
	s.options.OIDC = NewOIDC(c)
	s.ui = New(s.options)
	s.Config.Handler = s.ui
	s.Start()
	s.member("ann", "admin")
	_, err := s.store.AddUser(t.Context(), "kim@example.com", "operator", "ann")
	require.NoError(t, err)
	s.provider.Start().Knows("kim", "Kim@Example.com", true)
	return s
}

// leave presses the button of the log-in page, and returns where it leads.
func (b *visitor) leave(next string) (at string) {
	b.Helper()
	a := b.open(oidcPath + "?next=" + url.QueryEscape(next))
	require.Equal(b, http.StatusSeeOther, a.status, a.body)
	return a.header.Get("Location")
}

// comeBack opens the address to which the provider sends the browser.
func (b *visitor) comeBack(to string) reply {
	b.Helper()
	return b.open(strings.TrimPrefix(to, b.URL), "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document")
}

// by logs a person of this subject in by the provider.
func (s *oidcSite) by(b *visitor, subject string) reply {
	s.Helper()
	return b.comeBack(s.provider.LogIn(b.leave("/"), subject))
}

// refused requires that a log-in failed, with these words, and left nothing behind.
func (s *oidcSite) refused(b *visitor, a reply, status int, says string) {
	s.Helper()
	require.Equal(s, status, a.status, a.body)
	require.Contains(s, a.body, `role="alert"`)
	require.Contains(s, a.body, says)
	require.Contains(s, a.body, `name="password"`, "the password may be tried")
	require.Empty(s, b.set)
	b.leadsTo(b.open("/"), "/login")
}

func TestLoggingInByAProvider(t *testing.T) {
	s := newOIDCSite(t)
	b := s.visitor()
	a := b.open("/login?next=%2Fgaps%3Fstate%3Dopen")
	link := oidcPath + "?next=%2Fgaps%3Fstate%3Dopen"
	require.Contains(t, a.body, `href="`+s.URL+link+`">Log in with Acme &amp; Sons</a>`)
	require.Contains(t, a.header.Get("Content-Security-Policy"), "form-action 'self'")

	at := b.leave("/gaps?state=open")
	require.Empty(t, s.deeds("somebody"))
	asks, err := url.Parse(at)
	require.NoError(t, err)
	for key, want := range map[string]string{
		"client_id": oidctest.ClientID, "redirect_uri": s.URL + oidcCallback, "response_type": "code", "scope": "openid email profile",
		"code_challenge_method": "S256", "max_age": "43200",
	} {
		require.Equal(t, want, asks.Query().Get(key), key)
	}
	held := b.cookies[loopbackCookie+"-oidc"]
	for _, key := range []string{"state", "nonce", "code_challenge"} {
		require.Len(t, asks.Query().Get(key), 43, "256 bits of %s", key)
		require.NotEqual(t, held, asks.Query().Get(key), "the cookie's secret stays in the browser")
	}
	b.leadsTo(b.comeBack(s.provider.LogIn(at, "kim")), "/gaps?state=open")
	require.Equal(t, http.StatusOK, b.open("/gaps").status)
	require.Equal(t, http.StatusForbidden, b.open("/settings/people").status, "an operator")
	require.Equal(t, []string{"kim@example.com: logged in kim@example.com", "kim@example.com: bound to a provider kim@example.com"}, s.deeds("kim@example.com"))
	b.leadsTo(b.open(oidcPath+"?next=/runs"), "/runs") // who is in already is not sent away

	before := b.cookies[loopbackCookie]
	b.send("/logout")
	b.leadsTo(s.by(b, "kim"), "/")
	require.NotEqual(t, before, b.cookies[loopbackCookie], "each log-in has a session of its own")
	s.pass(store.SessionIdle)
	b.leadsTo(b.open("/"), "/login")
	require.Contains(t, s.visitor().logIn("ann").open("/settings/people").body, "by the provider")
}

func TestTheCookieOfALogInUnderWay(t *testing.T) {
	s := newOIDCSite(t)
	for name, b := range map[string]*visitor{"loopback": s.visitor(), "behind TLS": s.through("203.0.113.7")} {
		b.leave("/")
		require.Len(t, b.set, 1)
		c := b.set[0]
		require.True(t, c.HttpOnly, name)
		require.Equal(t, http.SameSiteLaxMode, c.SameSite, "it comes back from another site")
		require.Equal(t, []any{"/", "", 600}, []any{c.Path, c.Domain, c.MaxAge}, name)
		require.Equal(t, name == "behind TLS", c.Secure, name)
		require.Equal(t, name == "behind TLS", c.Name == "__Host-gapless-oidc", name)
	}
}

// Only the subject, once bound, says who it is: whoever bears the name later is
// somebody else.
func TestASubjectIsBoundAtItsFirstLogIn(t *testing.T) {
	s := newOIDCSite(t)
	s.by(s.visitor(), "kim")
	s.provider.Knows("kim", "kim.married@example.com", true)
	again := s.visitor()
	again.leadsTo(s.by(again, "kim"), "/")
	require.Contains(t, again.open("/settings/account").body, "You are kim@example.com, an operator.")

	s.provider.Knows("eve", "kim@example.com", true)
	b := s.visitor()
	s.refused(b, s.by(b, "eve"), http.StatusUnauthorized, "Somebody else logs in by that name already")
	require.Equal(t, "somebody: log-in refused kim@example.com", s.deeds("somebody")[0])

	// An admin's link, once it is used, makes room for who is kim now.
	link, err := s.store.ResetLink(t.Context(), "kim@example.com", "ann")
	require.NoError(t, err)
	s.refused(b, s.by(b, "eve"), http.StatusUnauthorized, "Somebody else logs in")
	b.leadsTo(b.send("/setup/"+link, "password", password, "again", password), "/")
	again.leadsTo(again.open("/"), "/login")
	b.send("/logout")
	b.leadsTo(s.by(b, "eve"), "/")
	s.refused(again, s.by(again, "kim"), http.StatusUnauthorized, "Nobody here is called kim.married@example.com")
}

func TestWhomTheProviderMayNotLetIn(t *testing.T) {
	s := newOIDCSite(t)
	_, err := s.store.AddUser(t.Context(), "lee@example.com", "viewer", "ann")
	require.NoError(t, err)
	require.NoError(t, s.store.SetDisabled(t.Context(), "lee@example.com", true, "ann"))
	for name, c := range map[string]struct {
		email    string
		verified bool
		says     string
		about    string
	}{
		"unverified":         {"kim@example.com", false, "Your e-mail address is not verified at Acme &amp; Sons", "a name that nobody has"},
		"unknown":            {"joe@example.com", true, "Nobody here is called joe@example.com", "a name that nobody has"},
		"disabled":           {"lee@example.com", true, "You are disabled here", "lee@example.com"},
		"without an address": {"", true, "its answer has no email", "a name that nobody has"},
		"a Kelvin sign":      {"\u212aim@example.com", true, "a name that nobody can have", "a name that nobody has"},
		"too long":           {strings.Repeat("k", 64) + "@example.com", true, "a name that nobody can have", "a name that nobody has"},
	} {
		s.provider.Knows("subject", c.email, c.verified)
		b := s.visitor()
		s.refused(b, s.by(b, "subject"), http.StatusUnauthorized, c.says)
		require.Equal(t, "somebody: log-in refused "+c.about, s.deeds("somebody")[0], name)
	}
	users, err := s.store.Users(t.Context())
	require.NoError(t, err)
	for _, u := range users {
		require.False(t, u.Bound, u.Name)
	}
	for _, told := range []string{"joe@", "kim@", "lee@", "kkk", oidctest.ClientSecret} {
		require.NotContains(t, s.log.String(), told)
	}
}

func TestStrangersGetTheRoleOfTheConfig(t *testing.T) {
	s := newOIDCSite(t, func(c *OIDCConfig) { c.Role = "viewer" })
	s.provider.Knows("joe", "joe@example.com", true)
	b := s.visitor()
	b.leadsTo(s.by(b, "joe"), "/")
	require.Contains(t, b.open("/settings/account").body, "You are joe@example.com, a viewer.")
	require.Contains(t, s.deeds(""), "joe@example.com: person added joe@example.com")
	kim := s.visitor()
	kim.leadsTo(s.by(kim, "kim"), "/")
	require.Contains(t, kim.open("/settings/account").body, "an operator", "the role that an admin gave stays")
	s.provider.Knows("ann", "ann", false)
	eve := s.visitor()
	s.refused(eve, s.by(eve, "ann"), http.StatusUnauthorized, "not verified")
}

// Whom the admins of the provider name, where people can't change it themselves.
func TestAnotherClaimMayNamePeople(t *testing.T) {
	s := newOIDCSite(t, func(c *OIDCConfig) { c.Claim = "preferred_username" })
	s.provider.Knows("ann", "", false)
	b := s.visitor()
	b.leadsTo(s.by(b, "ann"), "/")
	require.Contains(t, b.open("/settings/account").body, "You are ann, an admin.")
}

// Who logs in by the provider alone has no password here, and so none to confirm
// a change with, and no second factor.
func TestWhoHasNoPassword(t *testing.T) {
	s := newOIDCSite(t)
	require.NoError(t, s.store.SetRole(t.Context(), "kim@example.com", "admin", "ann"))
	b := s.visitor()
	s.by(b, "kim")
	require.Contains(t, b.open("/settings/account").body, "You have none here")
	require.NotContains(t, b.open("/settings/account").body, `name="password"`)
	require.Equal(t, http.StatusOK, b.send("/settings/people", "name", "bob", "role", "viewer").status)

	s.pass(store.SessionIdle - time.Minute)
	b.open("/")
	s.pass(2 * time.Minute)
	require.NotContains(t, b.open("/settings/people").body, `type="password"`)
	for _, typed := range []string{"", password} {
		a := b.send("/settings/people/remove", "name", "bob", "password", typed)
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		require.Contains(t, a.body, "Log out and in again")
	}
	require.Equal(t, http.StatusUnauthorized, s.visitor().send("/login", "name", "kim@example.com", "password", "").status)
	b.send("/logout")
	s.by(b, "kim")
	b.leadsTo(b.send("/settings/people/remove", "name", "bob"), "/settings/people?did=removed")

	// And where somebody has both, the provider's log-in asks for no code of ours.
	s.provider.Knows("ann", "ann@example.com", true)
	ann := s.visitor().logIn("ann")
	ann.send("/settings/people", "name", "ann@example.com", "role", "viewer")
	link := ann.shownOnce(ann.send("/settings/people/reset", "name", "ann@example.com"))
	both := s.visitor()
	both.send(link, "password", password, "again", password)
	both.withCode()
	other := s.visitor()
	other.leadsTo(s.by(other, "ann"), "/")
}
