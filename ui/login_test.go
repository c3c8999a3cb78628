package ui

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

func TestLoggingInAndOut(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	b := s.visitor()
	require.Contains(t, b.open("/login").body, `action="/login"`)
	b.leadsTo(b.send("/login", "name", " Ann ", "password", password), "/")
	require.Equal(t, http.StatusOK, b.open("/").status)
	b.leadsTo(b.open("/login"), "/")

	kept := b.cookies[loopbackCookie]
	b.leadsTo(b.send("/logout"), "/login")
	require.Empty(t, b.cookies)
	b.cookies[loopbackCookie] = kept
	b.leadsTo(b.open("/"), "/login")
	b.leadsTo(b.send("/logout"), "/login")
	require.Equal(t, []string{"ann: logged out ann", "ann: logged in ann"}, s.deeds("ann")[:2])
}

func TestTheCookieIsThisHostsAlone(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	for name, b := range map[string]*visitor{"loopback": s.visitor(), "behind TLS": s.through("203.0.113.7")} {
		b.logIn("ann")
		require.Len(t, b.set, 1)
		c := b.set[0]
		require.True(t, c.HttpOnly, name)
		require.Equal(t, http.SameSiteLaxMode, c.SameSite, name)
		require.Equal(t, "/", c.Path, name)
		require.Empty(t, c.Domain, name)
		require.Equal(t, name == "behind TLS", c.Secure, name)
		require.Equal(t, name == "behind TLS", c.Name == "__Host-gapless", name)
		require.GreaterOrEqual(t, len(c.Value), 43, "256 bits")
	}
}

// A cookie that anybody could have set, from a page in clear or a neighbouring
// host, is none behind TLS; and no log-in goes on with what was there before.
func TestNoSessionIsBroughtAlong(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("eve", "viewer")
	eve := s.visitor().logIn("eve")
	b := s.through("203.0.113.7")
	b.cookies[loopbackCookie] = eve.cookies[loopbackCookie]
	b.leadsTo(b.open("/"), "/login")

	victim := s.visitor()
	victim.cookies[loopbackCookie] = eve.cookies[loopbackCookie]
	victim.logIn("ann")
	require.NotEqual(t, eve.cookies[loopbackCookie], victim.cookies[loopbackCookie])
	eve.leadsTo(eve.open("/"), "/login")

	before := victim.cookies[loopbackCookie]
	victim.logIn("ann")
	require.NotEqual(t, before, victim.cookies[loopbackCookie], "each log-in has its own")

	for _, made := range []string{"chosen-by-eve", strings.Repeat("A", 43), "", "'OR'1'='1"} {
		b := s.visitor()
		b.cookies[loopbackCookie] = made
		b.leadsTo(b.open("/"), "/login")
		b.logIn("ann")
		require.NotEqual(t, made, b.cookies[loopbackCookie])
	}
}

func TestWhoeverIsRefusedLearnsNothingAndCostsTheSame(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	require.NoError(t, s.store.SetDisabled(t.Context(), "bob", true, "ann"))
	_, err := s.store.AddUser(t.Context(), "kim", "viewer", "ann") // no password yet
	require.NoError(t, err)
	var first string
	for i, c := range [][2]string{
		{"ann", "not the password"}, {"nobody", password}, {"bob", password}, {"kim", password}, {"kim", ""}, {"ann", ""}, {"", password},
		{"no such name!", password}, {"ann", strings.Repeat("x", 5000)}, {strings.Repeat("n", 5000), password}, {"ann\x00", password},
	} {
		before := s.ui.passwords.hashes.Load()
		b := s.through(fmt.Sprintf("203.0.113.%d", i))
		a := b.send("/login", "name", c[0], "password", c[1])
		require.Equal(t, http.StatusUnauthorized, a.status, "%.20q", c)
		require.Equal(t, int64(1), s.ui.passwords.hashes.Load()-before, "%.20q", c)
		require.Empty(t, b.cookies)
		_, said, _ := strings.Cut(a.body, `role="alert"`)
		said, _, _ = strings.Cut(said, "</p>")
		if first == "" {
			first = said
		}
		require.Equal(t, first, said, "%.20q", c)
		require.NotContains(t, a.body, password)
	}
	log := s.deeds("somebody")
	require.Len(t, log, 11, "each is noted, as work that is the same")
	require.Contains(t, log, "somebody: log-in refused ann")
	for _, deed := range log {
		require.NotContains(t, deed, "no such name!", "what was typed for no one's name may be a password")
	}
}

func TestGuessingANameIsSlowedMoreAndMore(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	guess := func(i int, secret string) reply {
		return s.through(fmt.Sprintf("198.51.100.%d", i)).send("/login", "name", "ann", "password", secret)
	}
	for i := range freeByName {
		require.Equal(t, http.StatusUnauthorized, guess(i, "wrong").status)
	}
	delay := time.Second
	for i := freeByName; i < freeByName+14; i++ {
		before := s.ui.passwords.hashes.Load()
		a := guess(i, password)
		require.Equal(t, http.StatusTooManyRequests, a.status, "from a new address not even the right one is tried")
		require.Contains(t, a.body, "Too many attempts")
		require.Equal(t, before, s.ui.passwords.hashes.Load())
		after, err := strconv.Atoi(a.header.Get("Retry-After"))
		require.NoError(t, err)
		require.Equal(t, int(delay.Seconds())+1, after)
		s.pass(delay)
		require.Equal(t, http.StatusUnauthorized, guess(i, "wrong").status)
		delay = min(2*delay, longestDelay)
	}
	require.Equal(t, longestDelay, delay)
	s.pass(delay)
	require.Equal(t, http.StatusSeeOther, guess(99, password).status)
	require.Equal(t, http.StatusUnauthorized, guess(98, "wrong").status, "a right password begins anew")
}

func TestGuessingManyNamesFromOneAddressIsSlowed(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	b := s.through("198.51.100.7")
	for i := range freeByAddress {
		require.Equal(t, http.StatusUnauthorized, b.send("/login", "name", fmt.Sprintf("name%d", i), "password", password).status)
	}
	require.Equal(t, http.StatusTooManyRequests, b.send("/login", "name", "ann", "password", password).status)
	s.through("198.51.100.8").logIn("ann")

	// One's own account does not buy more guesses.
	s.pass(time.Second)
	b.logIn("ann")
	require.Equal(t, http.StatusTooManyRequests, b.send("/login", "name", "bob", "password", "wrong").status)
}

// Who may log in at an address does not buy guesses at others' passwords there.
func TestLogInsAtAKnownPlaceTakeNoGuessBack(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	own := s.through("198.51.100.7").logIn("bob")
	for i := range freeByAddress {
		own.logIn("bob")
		require.Equal(t, http.StatusUnauthorized, own.send("/login", "name", fmt.Sprintf("name%d", i), "password", "wrong").status)
	}
	require.Equal(t, http.StatusTooManyRequests, own.send("/login", "name", "ann", "password", "wrong").status)
}

func TestManyGuessesAtOnceAreMany(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	var crowd sync.WaitGroup
	for i := range 40 {
		b := s.through(fmt.Sprintf("198.51.100.%d", i))
		crowd.Go(func() { b.send("/login", "name", "ann", "password", "wrong") })
	}
	crowd.Wait()
	require.Equal(t, int64(freeByName), s.ui.passwords.hashes.Load())
}

// waits notes for how long requests wait, and lets that time pass.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) wait(_ context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, d)
	return nil
}

func TestNobodyIsKeptOutByOthersGuesses(t *testing.T) {
	w := &waits{}
	s := newSite(t, func(o *Options) { o.Wait = w.wait })
	s.member("ann", "admin")
	home := s.through("203.0.113.7").logIn("ann")
	for i := range 60 {
		s.through(fmt.Sprintf("198.51.100.%d", i)).send("/login", "name", "ann", "password", "wrong")
		s.through("203.0.113.7").send("/login", "name", fmt.Sprintf("name%d", i), "password", "wrong")
	}
	require.Equal(t, http.StatusTooManyRequests, s.through("198.51.100.99").send("/login", "name", "ann", "password", password).status)
	require.Empty(t, w.all)
	home.logIn("ann")

	// By a one-time link she gets in from anywhere.
	for i := range 60 {
		s.through(fmt.Sprintf("198.51.100.%d", i)).send("/login", "name", "ann", "password", "wrong")
	}
	link, err := s.store.ResetLink(t.Context(), "ann", "the command line")
	require.NoError(t, err)
	away := s.through("198.51.100.99")
	away.leadsTo(away.send("/setup/"+link, "password", "other words in a row", "again", "other words in a row"), "/")
	require.Equal(t, http.StatusOK, away.open("/").status)
}

// Where a person has logged in before, wrong passwords make the next attempt
// wait, and it is tried all the same.
func TestGuessingAtAKnownPlaceWaitsInLine(t *testing.T) {
	w := &waits{}
	s := newSite(t, func(o *Options) { o.Wait = w.wait })
	s.member("ann", "admin")
	home := s.through("203.0.113.7").logIn("ann")
	guess := func() int { return s.through("203.0.113.7").send("/login", "name", "ann", "password", "wrong").status }
	for range lineAtOnce {
		require.Equal(t, http.StatusUnauthorized, guess())
	}
	require.Empty(t, w.all)
	require.Equal(t, http.StatusUnauthorized, guess())
	require.Equal(t, []time.Duration{lineEvery}, w.all)
	home.logIn("ann")
	require.Len(t, w.all, 2, "she waited, and was let in")

	for range lineAtOnce + 2 {
		guess()
	}
	require.Equal(t, http.StatusTooManyRequests, guess(), "a line too long to be answered in time")
	s.pass(lineEvery)
	home.logIn("ann")
}

// A crowd of strangers does not make those wait who have been here before.
func TestTwoHashesAtOnceAtMost(t *testing.T) {
	p := newPasswords(cheap)
	busy, release := make(chan struct{}), make(chan struct{})
	var crowd sync.WaitGroup
	crowd.Go(func() {
		p.inTurn(context.Background(), p.strangers, func() error { close(busy); <-release; return nil })
	})
	<-busy
	gone, leave := context.WithCancel(t.Context())
	leave()
	_, err := p.check(gone, false, password, "")
	require.ErrorIs(t, err, errCrowded, "strangers wait in line")
	right, err := p.check(t.Context(), true, password, "")
	require.NoError(t, err)
	require.False(t, right)
	close(release)
	crowd.Wait()
}

func TestAHashOfAnotherCostIsMadeAnew(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	before, err := s.store.FindUser(t.Context(), "ann")
	require.NoError(t, err)
	s.ui.passwords.cost.Iterations = 2
	s.visitor().logIn("ann")
	after, err := s.store.FindUser(t.Context(), "ann")
	require.NoError(t, err)
	require.NotEqual(t, before.Password, after.Password)
	require.Contains(t, after.Password, "t=2")
	s.visitor().logIn("ann")
	again, err := s.store.FindUser(t.Context(), "ann")
	require.NoError(t, err)
	require.Equal(t, after.Password, again.Password)
}

func TestTheUsualCost(t *testing.T) {
	hash, err := newPasswords(usualCost).hash(t.Context(), password)
	require.NoError(t, err)
	require.Contains(t, hash, "$argon2id$v=19$m=65536,t=3,p=2$")
	right, err := newPasswords(usualCost).check(t.Context(), true, password, hash)
	require.NoError(t, err)
	require.True(t, right)
}

func TestAPasswordIsTheSameFromEveryKeyboard(t *testing.T) {
	p := newPasswords(cheap)
	hash, err := p.hash(t.Context(), "caf\u00e9 au lait tous les jours")
	require.NoError(t, err)
	right, err := p.check(t.Context(), true, "cafe\u0301 au lait tous les jours", hash)
	require.NoError(t, err)
	require.True(t, right)
}

// Whose session ends in the middle of something comes back to it, and nowhere else.
func TestALogInLeadsBackToWhereOneWas(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	b := s.visitor().logIn("ann")
	s.pass(13 * time.Hour)
	b.leadsTo(b.open("/settings/audit?who=ann&before=9"), "/login?next=%2Fsettings%2Faudit%3Fwho%3Dann%26before%3D9")
	a := b.sendWith("/settings/people", []string{"Referer", s.URL + "/settings/people"}, "name", "bob", "role", "viewer")
	b.leadsTo(a, "/login?next=%2Fsettings%2Fpeople%3Fdid%3Dundone")
	require.NotContains(t, s.deeds(""), "ann: person added bob")
	require.Contains(t, b.open("/login?next=%2Fsettings%2Fpeople").body, `name="next" value="/settings/people"`)
	a = b.send("/login", "name", "ann", "password", "wrong", "next", "/settings/people")
	require.Contains(t, a.body, `name="next" value="/settings/people"`)
	b.leadsTo(b.send("/login", "name", "ann", "password", password, "next", "/settings/people"), "/settings/people")
}

func TestALogInLeadsToNoOtherSite(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	for next, to := range map[string]string{
		"/gaps?state=open#x": "/gaps?state=open#x", "/": "/", "": "/", "orders": "/", "//evil.example": "/", "///evil.example": "/", `/\evil.example`: "/",
		`\\evil.example`: "/", "https://evil.example/": "/", "http:evil.example": "/", "javascript:alert(1)": "/", "/\t/evil.example": "/", "/\n/evil.example": "/",
		"x//evil.example": "/", "/login?next=/x": "/", "/login/oidc": "/", "/logout": "/", "/api/v1/orders": "/", "//user@evil.example": "/", "%2f%2fevil.example": "/", "/%zz": "/", "/..//evil.example": "/evil.example",
	} {
		b := s.visitor()
		a := b.send("/login", "name", "ann", "password", password, "next", next)
		require.Equal(t, http.StatusSeeOther, a.status)
		location := a.header.Get("Location")
		require.Equal(t, to, location, "%q", next)
		a = b.open("/login?next=" + url.QueryEscape(next))
		require.Equal(t, to, a.header.Get("Location"), "%q", next)
	}
	b := s.visitor()
	b.leadsTo(b.sendWith("/settings/people", []string{"Referer", "https://evil.example/settings"}, "x", "y"), "/login?next=%2F%3Fdid%3Dundone")
	b.leadsTo(b.sendWith("/settings/people", []string{"Referer", s.URL + "//evil.example/x"}, "x", "y"), "/login")
}

func TestAFormThatCameTooLateSaysThatNothingWasDone(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 2)...)
	for path, back := range map[string]string{"/ignore": "/ignore?did=undone&gap=1", "/replay": "/replay?did=undone&gap=1"} {
		b := s.visitor().logIn("ann")
		s.pass(13 * time.Hour)
		a := b.sendWith(path, []string{"Referer", s.URL + path}, "gap", "1", "reason", "settled in cash") // after a first one without a reason, say
		b.leadsTo(a, "/login?next="+url.QueryEscape(back))
		require.Contains(t, b.open(a.header.Get("Location")).body, "You were logged out, so nothing was done.")
		require.NotContains(t, b.open("/login").body, "nothing was done")
		b.leadsTo(b.send("/login", "name", "ann", "password", password, "next", back), back)
		page := b.open(back).body
		require.Contains(t, page, "You had been logged out, so nothing was done. Please do it again.")
		require.Contains(t, page, `name="gap" value="1"`)
	}
	require.Empty(t, s.actions.ignored)
	require.Empty(t, s.actions.gaps)

	b := s.visitor()
	many := "gap=" + strings.Repeat("1&gap=", 400) + "1"
	a := b.do("POST", "/ignore", many, []string{"Content-Type", "application/x-www-form-urlencoded"})
	b.leadsTo(a, "/login?next=%2F%3Fdid%3Dundone")
}

func TestAddresses(t *testing.T) {
	for _, c := range []struct{ peer, forwarded, want string }{
		{"203.0.113.7:1234", "", "203.0.113.7"},
		{"203.0.113.7:1234", "198.51.100.1", "203.0.113.7"}, // it is no proxy of ours
		{"127.0.0.1:1234", "", "127.0.0.1"},
		{"127.0.0.1:1234", "198.51.100.1", "198.51.100.1"},
		{"[::1]:1234", "10.0.0.1, 198.51.100.1", "198.51.100.1"}, // what the client claims stands before
		{"127.0.0.1:1234", "rubbish", "127.0.0.1"},
		{"[2001:db8:1:2:3:4:5:6]:1234", "", "2001:db8:1:2::/64"},
		{"[::ffff:203.0.113.7]:1234", "", "203.0.113.7"},
		{"127.0.0.1:1234", "2001:db8::1%eth0", "2001:db8::/64"},
		{"@", "", "@"},
	} {
		r := &http.Request{RemoteAddr: c.peer, Header: http.Header{}}
		if c.forwarded != "" {
			r.Header.Set("X-Forwarded-For", c.forwarded)
		}
		require.Equal(t, c.want, clientAddress(r), c)
	}
}

func TestWhereACookieMayTravelInClear(t *testing.T) {
	for host, want := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:8080": true, "localhost": true, "[::1]:8080": true, "[::1]": true,
		"orders.example.com": false, "192.168.1.5:8080": false, "localhost.example.com": false, "": false,
	} {
		r := &http.Request{RemoteAddr: "127.0.0.1:1234", Host: host, Header: http.Header{}}
		require.Equal(t, want, withoutTLS(r), host)
		r.Header.Set("X-Forwarded-Proto", "https")
		require.False(t, withoutTLS(r), host)
	}
	require.False(t, withoutTLS(&http.Request{RemoteAddr: "192.168.1.7:1234", Host: "localhost", Header: http.Header{}}))
}
