package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/ui/oidctest"
)

// with is an address with one more parameter, or another value of it.
func with(t testing.TB, address, key, value string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	q := u.Query()
	q.Set(key, value)
	u.RawQuery = q.Encode()
	return u.String()
}

func valueOf(t testing.TB, address, key string) string {
	t.Helper()
	u, err := url.Parse(address)
	require.NoError(t, err)
	return u.Query().Get(key)
}

const notBegun = "was used already, took longer than 10 minutes, or was not begun in this browser"

func TestALogInIsItsBrowsersAndWorksOnce(t *testing.T) {
	s := newOIDCSite(t)
	before := s.deeds("")
	for name, try := range map[string]func(b *visitor, back string) string{
		"another state": func(_ *visitor, back string) string { return with(t, back, "state", strings.Repeat("A", 43)) },
		"no state":      func(_ *visitor, back string) string { return with(t, back, "state", "") },
		"no cookie":     func(b *visitor, back string) string { clear(b.cookies); return back },
		"another's cookie": func(b *visitor, back string) string {
			other := s.visitor()
			other.leave("/")
			b.cookies = other.cookies
			return back
		},
		"a cookie of one's own": func(b *visitor, back string) string {
			b.cookies[loopbackCookie+"-oidc"] = valueOf(t, back, "state")
			return back
		},
		"too late": func(_ *visitor, back string) string { s.pass(attemptLife); return back },
	} {
		t.Run(name, func(t *testing.T) {
			b := s.visitor()
			back := s.provider.LogIn(b.leave("/"), "kim")
			s.refused(b, b.comeBack(try(b, back)), http.StatusBadRequest, notBegun)
		})
	}
	require.Equal(t, before, s.deeds(""), "nothing was written")

	b := s.visitor()
	back := s.provider.LogIn(b.leave("/"), "kim")
	held := b.cookies[loopbackCookie+"-oidc"]
	b.leadsTo(b.comeBack(back), "/")
	b.send("/logout")
	b.cookies[loopbackCookie+"-oidc"] = held
	s.refused(b, b.comeBack(back), http.StatusBadRequest, notBegun)
}

// What another browser has got from the provider is worth nothing in this one.
func TestACodeIsWorthNothingElsewhere(t *testing.T) {
	s := newOIDCSite(t)
	for name, tamper := range map[string]func(b *visitor) string{
		"another log-in's code": func(b *visitor) string {
			stolen := valueOf(t, s.provider.LogIn(s.visitor().leave("/"), "kim"), "code")
			return with(t, s.provider.LogIn(b.leave("/"), "kim"), "code", stolen)
		},
		"another log-in's nonce": func(b *visitor) string {
			return s.provider.LogIn(with(t, b.leave("/"), "nonce", strings.Repeat("A", 43)), "kim")
		},
		"no nonce": func(b *visitor) string { return s.provider.LogIn(with(t, b.leave("/"), "nonce", ""), "kim") },
		"a code that was used": func(b *visitor) string {
			first := s.visitor()
			used := s.provider.LogIn(first.leave("/"), "kim")
			first.comeBack(used)
			return with(t, s.provider.LogIn(b.leave("/"), "kim"), "code", valueOf(t, used, "code"))
		},
		"a made-up code": func(b *visitor) string { return with(t, s.provider.LogIn(b.leave("/"), "kim"), "code", "x") },
		"no code":        func(b *visitor) string { return with(t, s.provider.LogIn(b.leave("/"), "kim"), "code", "") },
	} {
		t.Run(name, func(t *testing.T) {
			b := s.visitor()
			at := tamper(b)
			s.refused(b, b.comeBack(at), http.StatusUnauthorized, "Acme &amp; Sons did not confirm this log-in")
			require.Equal(t, "somebody: log-in refused a name that nobody has", s.deeds("somebody")[0])
			require.NotContains(t, s.log.String(), valueOf(t, at, "state"))
			if code := valueOf(t, at, "code"); len(code) > 10 {
				require.NotContains(t, s.log.String(), code)
			}
		})
	}
	require.Contains(t, s.log.String(), "the nonce is another log-in's")
}

// A token is nobody's proof for ever, nor one for another client.
func TestATokenThatProvesNothing(t *testing.T) {
	for name, change := range map[string]func(*OIDCConfig){
		"run out":             func(c *OIDCConfig) { c.Now = func() time.Time { return time.Now().Add(24 * time.Hour) } },
		"with another secret": func(c *OIDCConfig) { c.ClientSecret = "wrong" },
	} {
		t.Run(name, func(t *testing.T) {
			s := newOIDCSite(t, change)
			b := s.visitor()
			s.refused(b, s.by(b, "kim"), http.StatusUnauthorized, "did not confirm")
			require.Contains(t, s.log.String(), "a log-in by the provider was refused")
		})
	}
}

func TestWhatIsSaidOfSomebodyElseCountsForNobody(t *testing.T) {
	s := newOIDCSite(t)
	s.provider.Stop()
	s.provider.Subject = "ann"
	s.provider.Start()
	b := s.visitor()
	s.refused(b, s.by(b, "kim"), http.StatusUnauthorized, "did not confirm")
	require.Contains(t, s.log.String(), "the user info is somebody else's")
}

func TestAProviderThatIsDownKeepsNobodyOut(t *testing.T) {
	s := newOIDCSite(t)
	s.provider.Stop()
	b := s.visitor()
	for range 2 {
		a := b.open(oidcPath + "?next=/gaps")
		s.refused(b, a, http.StatusServiceUnavailable, "Acme &amp; Sons can&#39;t be reached just now")
		require.Contains(t, a.body, `name="next" value="/gaps"`)
	}
	require.ErrorContains(t, s.options.OIDC.Check(t.Context()), "read the discovery document of "+s.provider.Issuer)
	b.logIn("ann").send("/logout")

	s.provider.Start()
	require.NoError(t, s.options.OIDC.Check(t.Context()))
	b.leadsTo(s.by(b, "kim"), "/")
	b.send("/logout")

	back := s.provider.LogIn(b.leave("/"), "kim")
	s.provider.Stop()
	clear(b.cookies)
	at := b.leave("/") // it is known where the provider is
	require.True(t, strings.HasPrefix(at, s.provider.Issuer))
	s.refused(b, b.comeBack(with(t, back, "state", valueOf(t, at, "state"))), http.StatusServiceUnavailable, "can&#39;t be reached")
}

func TestWhatTheProviderSaysIsShown(t *testing.T) {
	s := newOIDCSite(t)
	b := s.visitor()
	back := s.provider.LogIn(with(t, b.leave("/gaps"), "prompt", "none"), "kim") // it may ask nothing
	require.Equal(t, "login_required", valueOf(t, back, "error"))
	a := b.comeBack(back)
	s.refused(b, a, http.StatusUnauthorized, "wants to ask you something first")
	require.Contains(t, a.body, `name="next" value="/gaps"`)
	for code, says := range map[string]string{
		"access_denied": "did not let you in", "temporarily_unavailable": "can&#39;t log anybody in just now", "server_error": "just now",
		"invalid_scope": "does not accept how Gapless asks it (invalid_scope)", "<script>alert(1)</script>": "does not accept",
	} {
		at := s.URL + oidcCallback + "?error=" + url.QueryEscape(code) + "&error_description=kim@example.com+has+<script>alert(1)</script>"
		a := b.comeBack(with(t, at, "state", valueOf(t, b.leave("/"), "state")))
		s.refused(b, a, http.StatusUnauthorized, says)
		require.Contains(t, a.body, "It says: kim@example.com has &lt;script&gt;")
		require.NotContains(t, a.body, "<script>alert")
	}
	require.NotContains(t, s.log.String(), "kim@example.com")
	require.NotContains(t, b.open(strings.TrimPrefix(back, s.URL)).body, "wants to ask you", "without a state it is anybody's word")
}

func TestTheProvidersKeysMayChange(t *testing.T) {
	s := newOIDCSite(t)
	for range 2 {
		b := s.visitor()
		b.leadsTo(s.by(b, "kim"), "/")
		s.provider.RotateKeys()
	}
	b := s.visitor()
	b.leadsTo(s.by(b, "kim"), "/")
}

// Whoever brings codes that are none makes those wait who come from the same
// address, and nobody else; none of them is kept out by it.
func TestMadeUpCodesAreSlowed(t *testing.T) {
	w := &waits{}
	s := newOIDCSite(t)
	s.ui.throttle.wait = w.wait
	guess := func() int {
		b := s.through("203.0.113.7")
		return b.comeBack(with(t, s.provider.LogIn(b.leave("/"), "kim"), "code", "x")).status
	}
	for range lineAtOnce {
		require.Equal(t, http.StatusUnauthorized, guess())
	}
	require.Empty(t, w.all)
	require.Equal(t, http.StatusUnauthorized, guess())
	require.Equal(t, []time.Duration{lineEvery}, w.all)
	b := s.through("203.0.113.7")
	b.leadsTo(s.by(b, "kim"), "/")
	require.Len(t, w.all, 2, "she waited, and was let in")
	for range 2 * lineAtOnce {
		b := s.through("203.0.113.7")
		b.leadsTo(s.by(b, "kim"), "/")
	}
	require.Len(t, w.all, 2, "an office that comes to work waits for nothing")

	for range lineAtOnce + 2 {
		guess()
	}
	require.Equal(t, http.StatusTooManyRequests, guess(), "a line too long to be answered in time")
	elsewhere := s.through("203.0.113.8")
	elsewhere.leadsTo(s.by(elsewhere, "kim"), "/")
	s.through("203.0.113.7").logIn("ann")
}

func TestTheFirstAdminComesByTheSetupLinkAlone(t *testing.T) {
	s := closedSite(t)
	public := "http://" + s.Listener.Addr().String()
	p := oidctest.New(t, public+oidcCallback).Start()
	p.Knows("kim", "kim@example.com", true)
	s.options.OIDC = NewOIDC(OIDCConfig{
		Issuer: p.Issuer, ClientID: oidctest.ClientID, ClientSecret: oidctest.ClientSecret, PublicURL: public, Role: "operator",
		Client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}},
	})
	s.ui = New(s.options)
	s.Config.Handler = s.ui
	s.Start()
	b := s.visitor()
	a := b.comeBack(p.LogIn(b.leave("/"), "kim"))
	require.Equal(t, http.StatusUnauthorized, a.status)
	require.Contains(t, a.body, "make the first admin by the link")
	require.Contains(t, a.body, "Log in with "+strings.TrimPrefix(p.Issuer, "http://"), "without a name it is called by its host")
	link, err := s.store.SetupLink(t.Context())
	require.NoError(t, err)
	require.NotEmpty(t, link)
}
