package main

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/ui/oidctest"
)

const oidcConfig = `
[oidc]
issuer = "https://login.example.com"
client_id = "gapless"
client_secret = "env:OIDC_SECRET"
`

func TestEachProblemOfAProviderIsNamed(t *testing.T) {
	for name, test := range map[string]struct{ key, value, want string }{
		"issuer in clear":          {"ISSUER", "http://login.example.com", "oidc.issuer: http is open to anyone on the way; write https://"},
		"issuer without scheme":    {"ISSUER", "login.example.com", "oidc.issuer: this is not a web address"},
		"issuer with a query":      {"ISSUER", "https://login.example.com?tenant=1", "oidc.issuer: an issuer is an address alone"},
		"no issuer":                {"ISSUER", "", "oidc.issuer: it is required"},
		"no client id":             {"CLIENT_ID", "", "oidc.client_id: it is required"},
		"no client secret":         {"CLIENT_SECRET", "", "oidc.client_secret: it is required"},
		"client secret of nowhere": {"CLIENT_SECRET", "env:NOT_SET", "oidc.client_secret: the environment has no variable NOT_SET"},
		"no claim":                 {"CLAIM", " ", "oidc.claim: it is required"},
		"everybody an admin":       {"ROLE", "admin", `oidc.role: everybody whom the provider knows would be an admin; write "viewer" or "operator"`},
		"unknown role":             {"ROLE", "operatr", `oidc.role: "operatr" is not known here; did you mean operator?`},
		"unknown key":              {"ROLES", "viewer", "oidc.roles: unknown key; did you mean role?"},
	} {
		t.Run(name, func(t *testing.T) {
			wantProblem(t, loadProblems(t, goodConfig+oidcConfig, "OIDC_SECRET=s", "GAPLESS_OIDC__"+test.key+"="+test.value), test.want)
		})
	}
	nowhere := strings.NewReplacer(`public_url = "https://orders.example.com"`, "", `webhook_secrets = ["hush"]`, `webhooks = "off"`).Replace(goodConfig)
	mustLoad(t, nowhere)
	wantProblem(t, loadProblems(t, nowhere+oidcConfig, "OIDC_SECRET=s"), "server.public_url: it is missing, and the OpenID Connect provider must know where to send people back")
}

func TestAProviderIsAskedForOnlyWhereItIsWanted(t *testing.T) {
	require.False(t, mustLoad(t, goodConfig+"[oidc]\n").OIDC.wanted())
	require.Len(t, loadProblems(t, goodConfig+"[oidc]\nrole = \"viewer\"\n"), 3, "all at once")
	c := mustLoad(t, goodConfig+oidcConfig, "OIDC_SECRET=hidden")
	require.True(t, c.OIDC.wanted())
	require.Equal(t, OIDCConfig{Issuer: "https://login.example.com", ClientID: "gapless", ClientSecret: "hidden", Claim: "email"}, c.OIDC)
	require.NotContains(t, c.String(), "hidden")
}

// beside is a world with a provider, which is down, and what the config says of it.
func beside(t *testing.T) (*world, *oidctest.Provider) {
	t.Helper()
	address := freeAddress(t)
	provider := oidctest.New(t, "http://"+address+"/login/oidc/callback")
	w := newWorld(t, setup{environ: []string{
		"GAPLESS_SERVER__LISTEN=" + address, "GAPLESS_SERVER__PUBLIC_URL=http://" + address,
		"GAPLESS_OIDC__ISSUER=" + provider.Issuer, "GAPLESS_OIDC__CLIENT_ID=" + oidctest.ClientID, "GAPLESS_OIDC__CLIENT_SECRET=" + oidctest.ClientSecret,
		"GAPLESS_OIDC__NAME=Acme",
	}})
	w.address = address
	return w, provider
}

func TestCheckAsksTheProvider(t *testing.T) {
	w, provider := beside(t)
	_, said, _ := w.try("check")
	require.Contains(t, said, "FAIL  log-in by Acme: read the discovery document of "+provider.Issuer)
	require.NotContains(t, w.gapless("check", "--offline"), "Acme")
	provider.Start()
	_, said, _ = w.try("check")
	require.Contains(t, said, "ok    log-in by Acme\n")

	w.environ = append(w.environ, "GAPLESS_OIDC__ISSUER="+provider.Issuer+"/")
	_, said, _ = w.try("check")
	require.Contains(t, said, "the provider calls itself "+provider.Issuer+"; write exactly that as oidc.issuer")
	require.NotContains(t, said, oidctest.ClientSecret)
}

func TestAProviderThatIsDownKeepsGaplessFromNothing(t *testing.T) {
	w, provider := beside(t)
	a := w.opened()
	a.Server.Open = false
	test := func() error { return actions{a}.Test(t.Context(), "other", "oidc") }
	require.Contains(t, actions{a}.Connections().Others, "oidc")
	require.ErrorContains(t, test(), "read the discovery document")
	status, _ := w.press(t.Context())
	require.Equal(t, http.StatusServiceUnavailable, status)

	provider.Start()
	require.NoError(t, test())
	status, leads := w.press(t.Context())
	require.Equal(t, http.StatusSeeOther, status)
	at, err := url.Parse(leads)
	require.NoError(t, err)
	require.Equal(t, provider.Issuer, at.Scheme+"://"+at.Host)
	require.Equal(t, "http://"+w.address+"/login/oidc/callback", at.Query().Get("redirect_uri"))
}

// The cookie of a log-in comes back over a redirect from another site, which only
// a browser judges as browsers do.
func TestLoggingInByAProviderInARealBrowser(t *testing.T) {
	w, provider := beside(t)
	b := newBrowser(t, "http://"+w.address)
	a := w.opened()
	a.Server.Open = false
	provider.Start().Knows("17", "kim@example.com", true)
	_, err := a.Store.AddUser(t.Context(), "kim@example.com", "viewer", "the test")
	require.NoError(t, err)

	b.inAllForms(map[string]string{"login": "/login?next=/gaps", "login-failed": "/login/oidc/callback?error=access_denied"})
	b.as(1280, "light")
	b.look("/login?next=/gaps")
	b.reads("Log in with Acme")
	b.click("a.leave")
	b.sees(`location.hostname === "localhost"`)
	b.click(`input[name="who"]`)
	b.keys("17")
	b.enter()
	b.sees(`location.pathname === "/gaps" && location.hostname === "127.0.0.1"`)
	b.reads("kim@example.com")
	b.look("/settings/account")
	b.reads("You have none here")
	require.Empty(t, b.faults())
	b.keepShot("account-without-password")
}

// press follows the button of the log-in page, and tells where it leads.
func (w *world) press(ctx context.Context) (status int, location string) {
	w.Helper()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+w.address+"/login/oidc", http.NoBody)
	require.NoError(w, err)
	resp, err := w.http.Transport.RoundTrip(r)
	require.NoError(w, err)
	require.NoError(w, resp.Body.Close())
	return resp.StatusCode, resp.Header.Get("Location")
}
