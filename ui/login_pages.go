package ui

import (
	"errors"
	"net/http"
	"net/url"

	"gapless/store"
)

// toLogin asks for a log-in, and comes back to where the person was. What a form
// asked for is not done; the page with it says so, and has to be filled in again.
func (v *visit) toLogin() view {
	next := v.URL.RequestURI()
	if v.Method != http.MethodGet {
		next = v.undone()
	}
	if next = localPath(next); next == "/" {
		return view{redirect: "/login"}
	}
	return view{redirect: "/login?next=" + url.QueryEscape(next)}
}

// undone is the page that a form was sent from, with the notice that nothing was
// done. That of a form about gaps or orders stands at its own address, and names them.
func (v *visit) undone() string {
	from := &url.URL{Path: "/"}
	if referer, err := url.Parse(v.Referer()); err == nil && referer.Host == v.Host {
		from = &url.URL{Path: referer.Path, RawQuery: referer.RawQuery}
	}
	q := from.Query()
	if v.ParseForm() == nil && len(v.PostForm["gap"])+len(v.PostForm["order"]) > 0 {
		from.Path, q = v.URL.Path, url.Values{"gap": v.PostForm["gap"], "order": v.PostForm["order"]}
	}
	q.Del("n")
	q.Set("did", didNothing)
	from.RawQuery = q.Encode()
	if back := from.RequestURI(); len(back) <= mostBack {
		return back
	}
	return "/?did=" + didNothing
}

// mostBack bounds an address that stands within another one, in bytes: proxies
// refuse a header of more than some thousands.
const mostBack = 1500

// didNothing is the notice for a form that was sent after the log-in had ended.
const didNothing = "undone"

type loginPage struct {
	Name, Next, Problem string
	Undone              bool   // a form led here, and nothing of it was done
	Provider, Leave     string // by which people may log in, and where that begins; empty: by passwords alone
}

func (v *visit) login(p loginPage) view {
	if next, err := url.Parse(p.Next); err == nil {
		p.Undone = next.Query().Get("did") == didNothing
	}
	if v.OIDC != nil {
		p.Provider, p.Leave = v.OIDC.Name, v.oidcLink(p.Next)
	}
	return view{template: "login", title: "Log in", body: p}
}

func showLogin(v *visit) (view, error) {
	next := localPath(v.URL.Query().Get("next"))
	if v.person.Name != "" {
		return view{redirect: next}, nil
	}
	return v.login(loginPage{Next: next}), nil
}

func logIn(v *visit) (view, error) {
	p := loginPage{Name: v.PostFormValue("name"), Next: localPath(v.PostFormValue("next"))}
	name, err := LoginName(p.Name)
	if err != nil {
		name = "" // nobody's, and as much work
	}
	u, err := v.admit(v.Context(), clientAddress(v.Request), name, v.PostFormValue("password"), v.PostFormValue("code"))
	if err == nil {
		return v.begin(u, p.Next)
	}
	var said denial
	if !errors.As(err, &said) {
		return view{}, err
	}
	p.Problem = said.what
	shown := v.login(p)
	shown.status, shown.retry = http.StatusUnauthorized, said.retry
	if said.retry > 0 {
		shown.status = http.StatusTooManyRequests
	}
	return shown, nil
}

// begin gives the browser a session of its own, whatever it had before.
func (v *visit) begin(u store.User, next string) (view, error) {
	secret, err := v.Store.LogIn(v.Context(), u, clientAddress(v.Request), secretOf(v.Request))
	if errors.Is(err, store.ErrNotFound) {
		return view{redirect: "/login"}, nil // changed while the password was checked
	}
	return view{redirect: next, cookie: cookieOf(v.Request, secret)}, err
}

func logOut(v *visit) (view, error) {
	if v.person.session.ID > 0 {
		if err := v.Store.LogOut(v.Context(), v.person.session); err != nil {
			return view{}, err
		}
	}
	return view{redirect: "/login", cookie: cookieOf(v.Request, "")}, nil
}
