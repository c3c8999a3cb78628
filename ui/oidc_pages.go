package ui

import (
	"cmp"
	"crypto/subtle"
	"errors"
	"net/http"
	"net/url"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"
	"golang.org/x/oauth2"

	"gapless/store"
)

// attempt is a log-in by the provider that one browser has begun.
type attempt struct {
	state    string // comes back with the browser
	nonce    string // comes back in the provider's token
	verifier string // proves to the provider that the code is brought by who asked for it (PKCE)
	next     string
	begun    time.Time
}

// attemptLife is how long somebody may take to log in at the provider.
const attemptLife = 10 * time.Minute

// attempts are the log-ins under way, each under a secret that its browser's
// cookie holds. They stay in memory: to begin one writes nothing.
type attempts struct{ under *lru.Cache[string, attempt] }

func newAttempts() attempts {
	under, err := lru.New[string, attempt](remembered)
	if err != nil {
		panic(err) // the size is a constant
	}
	return attempts{under}
}

// begin returns a new attempt and its secret.
func (t attempts) begin(next string, now time.Time) (a attempt, secret string) {
	random := oauth2.GenerateVerifier // 256 bits of chance
	a = attempt{state: random(), nonce: random(), verifier: random(), next: next, begun: now}
	secret = random()
	t.under.Add(secret, a)
	return a, secret
}

// take ends the attempt of this secret and state; each is taken once.
func (t attempts) take(secret, state string, now time.Time) (attempt, bool) {
	a, ok := t.under.Get(secret)
	if !ok || !same(a.state, state) || !t.under.Remove(secret) {
		return attempt{}, false
	}
	return a, now.Sub(a.begun) < attemptLife
}

func same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }

// attemptCookie holds an attempt's secret. The provider sends the browser back
// from another site, so it is Lax, as the session's is.
func attemptCookie(r *http.Request, secret string) *http.Cookie {
	c := cookieOf(r, secret)
	c.Name, c.MaxAge = c.Name+"-oidc", int(attemptLife.Seconds())
	return c
}

// oidcLink is where the log-in page's button leads. It is a link and no form:
// browsers hold what a form leads to against form-action, and the provider may
// send them on to others. It names the public address, since the provider sends
// the browser back there.
func (v *visit) oidcLink(next string) string {
	return v.OIDC.PublicURL + oidcPath + "?next=" + url.QueryEscape(next)
}

var noOIDC = notFound("People log in by their passwords here")

// leaveForOIDC sends a browser to the provider.
func leaveForOIDC(v *visit) (view, error) {
	next := localPath(v.URL.Query().Get("next"))
	switch {
	case v.OIDC == nil:
		return view{}, noOIDC
	case v.person.Name != "":
		return view{redirect: next}, nil
	}
	a, secret := v.attempts.begin(next, v.now)
	to, err := v.OIDC.leave(v.Context(), a)
	if err != nil {
		return v.oidcSilent(next, err), nil
	}
	return view{redirect: to, cookie: attemptCookie(v.Request, secret)}, nil
}

// backFromOIDC lets in whom the provider vouches for. It is the one GET that
// writes, since the provider sends browsers back by GET; and it writes for those
// alone who bring the cookie and the state of a log-in that they began here.
func backFromOIDC(v *visit) (view, error) {
	if v.OIDC == nil {
		return view{}, noOIDC
	}
	asked := v.URL.Query()
	a, ok := v.attempts.take(v.attemptSecret(), asked.Get("state"), v.now)
	if !ok {
		return v.oidcProblem("/", http.StatusBadRequest,
			"This log-in was used already, took longer than 10 minutes, or was not begun in this browser at "+v.OIDC.PublicURL+". Log in again."), nil
	}
	if code := asked.Get("error"); code != "" {
		v.Log.Warn("the provider did not log somebody in", "error", short(code, 60))
		return v.oidcProblem(a.next, http.StatusUnauthorized, v.OIDC.excuse(code, asked.Get("error_description"))), nil
	}
	return v.finishOIDC(a, asked.Get("code"))
}

// nobody stands for who comes from the provider before it was asked who it is.
const nobody = ""

// finishOIDC asks the provider who it is, and begins their session. Of those who
// come from one address each waits for their turn, as at a known place: others'
// failures keep nobody out.
func (v *visit) finishOIDC(a attempt, code string) (view, error) {
	address := clientAddress(v.Request)
	if err := v.slow(v.Context(), true, nobody, address); err != nil {
		return v.oidcSlowed(a, err)
	}
	who, err := v.OIDC.identify(v.Context(), code, a)
	if err != nil {
		return v.unidentified(a, address, err)
	}
	u, secret, err := v.Store.LogInAs(v.Context(), who, v.OIDC.Role, address, secretOf(v.Request))
	if errors.Is(err, store.ErrNotFound) {
		err = denial{what: "Nobody here is called " + who.Name + ". Ask an admin to add you by that name."}
	}
	switch said, err := saying(err); {
	case err != nil:
		return view{}, err
	case said != "":
		return v.oidcRefused(a, u, address, said)
	}
	v.throttle.leaveLine(nobody, address)
	return view{redirect: a.next, cookie: cookieOf(v.Request, secret)}, nil
}

// unidentified answers where the provider did not say who it is.
func (v *visit) unidentified(a attempt, address string, err error) (view, error) {
	said, failure := saying(err)
	switch {
	case errors.Is(err, errUnconfirmed):
		v.Log.Warn("a log-in by the provider was refused", "err", err)
		said = v.OIDC.Name + " did not confirm this log-in. Log in again; if it stays so, the log of Gapless says why."
	case failure != nil:
		return v.oidcSilent(a.next, failure), nil
	}
	return v.oidcRefused(a, store.User{}, address, said)
}

// oidcRefused notes who was not let in, and says why.
func (v *visit) oidcRefused(a attempt, u store.User, address, said string) (view, error) {
	err := v.Store.Audit(v.Context(), store.AuditEntry{
		Who: "somebody", What: "log-in refused", About: cmp.Or(u.Name, "a name that nobody has"), Detail: "by " + v.OIDC.Issuer + " from " + address,
	})
	return v.oidcProblem(a.next, http.StatusUnauthorized, said), err
}

func (v *visit) oidcSlowed(a attempt, err error) (view, error) {
	var slowed denial
	if !errors.As(err, &slowed) {
		return view{}, err
	}
	shown := v.oidcProblem(a.next, http.StatusTooManyRequests, slowed.what)
	shown.retry = slowed.retry
	return shown, nil
}

// oidcSilent is the page where the provider can't be asked.
func (v *visit) oidcSilent(next string, err error) view {
	v.Log.Error("the provider that people log in by could not be asked", "err", err)
	return v.oidcProblem(next, http.StatusServiceUnavailable, v.OIDC.Name+" can't be reached just now. Try again in a moment, or log in with your password.")
}

// oidcProblem is the log-in page with what went wrong at the provider.
func (v *visit) oidcProblem(next string, status int, problem string) view {
	shown := v.login(loginPage{Next: next, Problem: problem})
	shown.status = status
	return shown
}

// excuse is a provider's error in plain words. What it says of it itself may be
// about the person, so it is shown to them and logged nowhere.
func (o *OIDC) excuse(code, description string) string {
	var said string
	switch code {
	case "access_denied":
		said = o.Name + " did not let you in, or the log-in was broken off there."
	case "server_error", "temporarily_unavailable":
		said = o.Name + " can't log anybody in just now. Try again in a moment, or log in with your password."
	case "login_required", "interaction_required", "consent_required", "account_selection_required":
		said = o.Name + " wants to ask you something first. Log in there, and then here."
	default:
		said = o.Name + " does not accept how Gapless asks it (" + short(code, 60) + "). Ask an admin to compare the settings there with [oidc] in the config."
	}
	if description != "" {
		said += " It says: " + short(description, 300)
	}
	return said
}

// attemptSecret is the secret of the attempt that this browser has begun.
func (v *visit) attemptSecret() string {
	c, err := v.Cookie(attemptCookie(v.Request, "").Name)
	if err != nil {
		return ""
	}
	return c.Value
}
