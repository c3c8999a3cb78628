package ui

import (
	"errors"
	"net/http"
	"net/url"

	"gapless/store"
)

// toLogin asks for a log-in, and comes back to where the person was.
func (v *visit) toLogin() view {
	next := v.URL.RequestURI()
	if v.Method != http.MethodGet { // the page with the form, which has to be filled in again
		next = "/"
		if from, err := url.Parse(v.Referer()); err == nil && from.Host == v.Host {
			next = from.RequestURI()
		}
	}
	if next = localPath(next); next == "/" {
		return view{redirect: "/login"}
	}
	return view{redirect: "/login?next=" + url.QueryEscape(next)}
}

type loginPage struct {
	Name, Next, Problem string
	Provider, Leave     string // by which people may log in, and where that begins; empty: by passwords alone
}

func (v *visit) login(p loginPage) view {
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
