package ui

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/alexedwards/argon2id"
	"github.com/stretchr/testify/require"

	"gapless/store"
)

// cheap is a cost that tests can pay.
var cheap = argon2id.Params{Memory: 64, Iterations: 1, Parallelism: 1, SaltLength: 16, KeyLength: 32}

const password = "four words in a row"

// visitor is a browser of its own: it keeps cookies and sends them back, but follows nowhere.
type visitor struct {
	*site
	from    string // address that the proxy tells; empty: there is none
	cookies map[string]string
	set     []*http.Cookie // by the last answer
}

func (s *site) visitor() *visitor { return &visitor{site: s, cookies: map[string]string{}} }

// through is a browser behind the TLS proxy, at an address of its own.
func (s *site) through(address string) *visitor {
	b := s.visitor()
	b.from = address
	return b
}

// open asks for a page; headers come in pairs.
func (b *visitor) open(path string, headers ...string) reply {
	b.Helper()
	return b.do(http.MethodGet, path, "", headers)
}

// send posts a form, whose fields come in pairs.
func (b *visitor) send(path string, fields ...string) reply {
	b.Helper()
	return b.sendWith(path, nil, fields...)
}

func (b *visitor) sendWith(path string, headers []string, fields ...string) reply {
	b.Helper()
	form := url.Values{}
	for i := 0; i+1 < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return b.do(http.MethodPost, path, form.Encode(), append(headers, "Content-Type", "application/x-www-form-urlencoded"))
}

func (b *visitor) do(method, path, body string, headers []string) reply {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), method, b.URL+path, strings.NewReader(body))
	require.NoError(b, err)
	r.Header.Set("Accept", "text/html")
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	if b.from != "" {
		r.Header.Set("X-Forwarded-For", b.from)
		r.Header.Set("X-Forwarded-Proto", "https")
	}
	for name, value := range b.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	resp, err := (&http.Transport{DisableKeepAlives: true}).RoundTrip(r)
	require.NoError(b, err)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	require.NoError(b, err)
	b.set = resp.Cookies()
	for _, c := range b.set {
		b.cookies[c.Name] = c.Value
		if c.MaxAge < 0 {
			delete(b.cookies, c.Name)
		}
	}
	return reply{resp.StatusCode, resp.Header, string(text)}
}

// leadsTo requires a redirect.
func (b *visitor) leadsTo(a reply, location string) {
	b.Helper()
	require.Equal(b, http.StatusSeeOther, a.status, a.body)
	require.Equal(b, location, a.header.Get("Location"))
}

// logIn logs in and requires that it went well.
func (b *visitor) logIn(name string) *visitor {
	b.Helper()
	b.leadsTo(b.send("/login", "name", name, "password", password), "/")
	return b
}

// member makes a person whose password is that of all tests.
func (s *site) member(name, role string) store.User {
	s.Helper()
	hash, err := argon2id.CreateHash(password, &cheap)
	require.NoError(s, err)
	users, err := s.store.Users(s.Context())
	require.NoError(s, err)
	var link string
	if len(users) == 0 && role == "admin" {
		link, err = s.store.SetupLink(s.Context())
	} else {
		link, err = s.store.AddUser(s.Context(), name, role, "test")
	}
	require.NoError(s, err)
	u, err := s.store.UseLink(s.Context(), link, name, hash)
	require.NoError(s, err)
	return u
}

// deeds are what the audit log says of who, newest first; of everybody if empty.
func (s *site) deeds(who string) (all []string) {
	s.Helper()
	log, err := s.store.AuditLog(s.Context(), store.AuditFilter{Who: who, Limit: 1000})
	require.NoError(s, err)
	for _, e := range log {
		all = append(all, strings.TrimSpace(e.Who+": "+e.What+" "+e.About))
	}
	return all
}

// shownOnce is what a page shows this once: a link's path, or a token.
func (b *visitor) shownOnce(a reply) string {
	b.Helper()
	found := regexp.MustCompile(`<code class="once">(?:https?://[^/]+)?([^<]+)</code>`).FindStringSubmatch(a.body)
	require.NotNil(b, found, a.body)
	return found[1]
}

// jsonHas says whether a JSON text names a key anywhere.
func jsonHas(text, key string) bool { return strings.Contains(text, `"`+key+`":`) }
