package ui

import (
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"

	"gapless/store"
)

// A session's cookie belongs to this host alone and travels over TLS alone. Its
// prefix has browsers refuse one that anybody else has set. Without TLS such a
// cookie would not be taken, so on loopback it goes by another name.
const (
	sessionCookie  = "__Host-gapless"
	loopbackCookie = "gapless"
)

// withoutTLS says that a browser speaks to this very machine in clear.
func withoutTLS(r *http.Request) bool {
	if r.TLS != nil || !fromLoopback(r) {
		return false
	}
	host := r.Host
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	addr, err := netip.ParseAddr(strings.Trim(host, "[]"))
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// cookieOf is the cookie that holds a session's secret; an empty one takes it
// back.
func cookieOf(r *http.Request, secret string) *http.Cookie {
	c := &http.Cookie{Name: sessionCookie, Value: secret, Path: "/", HttpOnly: true, Secure: true, SameSite: http.SameSiteLaxMode, MaxAge: int(store.SessionLife.Seconds())}
	if withoutTLS(r) {
		c.Name, c.Secure = loopbackCookie, false
	}
	if secret == "" {
		c.MaxAge = -1
	}
	return c
}

// secretOf is the secret that a request's cookie holds; empty: none.
func secretOf(r *http.Request) string {
	name := sessionCookie
	if withoutTLS(r) {
		name = loopbackCookie
	}
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// Person is somebody who is logged in.
type Person struct {
	Name    string
	Role    string // viewer, operator or admin
	session store.Session
}

// person is who makes a request; false: nobody is logged in.
func (s *Server) person(r *http.Request) (Person, bool) {
	p, err := s.findPerson(r)
	return p, err == nil
}

// findPerson is who makes a request, or ErrNotFound.
func (s *Server) findPerson(r *http.Request) (Person, error) {
	if s.Open {
		return Person{Name: "demo", Role: "operator"}, nil
	}
	secret := secretOf(r)
	if secret == "" {
		return Person{}, store.ErrNotFound
	}
	session, err := s.Store.FindSession(r.Context(), secret)
	return Person{session.Name, session.Role, session}, err
}

// seen notes that a person is at work. What a page's script asks for by itself
// is no work: a page that is left open logs out in time.
func (v *visit) seen() {
	if dest := v.Header.Get("Sec-Fetch-Dest"); v.person.session.ID != 0 && (dest == "" || dest == "document") {
		v.Store.SeenSession(v.person.session)
	}
}

// clientAddress is where a request comes from: what the proxy on this machine
// says, if it came through one. Of IPv6 it is the network, which is one
// customer's.
func clientAddress(r *http.Request) string {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	addr := peer.Addr().Unmap()
	if addr.IsLoopback() {
		hops := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if said, err := netip.ParseAddr(strings.TrimSpace(hops[len(hops)-1])); err == nil { // the last hop is the proxy's own word
			addr = said.Unmap()
		}
	}
	if addr.Is6() {
		if network, err := addr.WithZone("").Prefix(64); err == nil {
			return network.String()
		}
	}
	return addr.String()
}

// localPath is where a log-in may lead to: a page of this server, or else the
// first one. Browsers read a backslash as a slash, and drop tabs and line ends.
func localPath(next string) string {
	u, err := url.Parse(next)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || u.Opaque != "" || !strings.HasPrefix(next, "/") || strings.HasPrefix(next, "//") ||
		strings.ContainsAny(next, "\\\t\r\n") || u.Path == "/login" || strings.HasPrefix(u.Path, "/login/") || u.Path == "/logout" || strings.HasPrefix(u.Path, "/api/") {
		return "/"
	}
	return next
}
