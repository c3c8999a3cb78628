package ui

import (
	"errors"
	"net/http"

	"gapless/store"
)

// setupPage is where a one-time link leads to.
type setupPage struct {
	Path, Problem string
	Name          string // as it was typed, or whose link it is
	First         bool   // makes the first admin, who chooses a name too
}

func showSetup(v *visit) (view, error) {
	link, err := v.Store.FindLink(v.Context(), v.params.ByName("token"))
	if err != nil {
		return view{}, noLink(err)
	}
	return v.setup(setupPage{Name: link.Name, First: link.Name == ""}), nil
}

func (v *visit) setup(p setupPage) view {
	p.Path = v.URL.Path
	shown := view{template: "setup", title: "Choose a password", body: p}
	if p.Problem != "" {
		shown.status = http.StatusUnprocessableEntity
	}
	return shown
}

// setUp uses a link up, and logs its person in.
func setUp(v *visit) (view, error) {
	secret := v.params.ByName("token")
	link, err := v.Store.FindLink(v.Context(), secret)
	if err != nil {
		return view{}, noLink(err)
	}
	p := setupPage{Name: link.Name, First: link.Name == ""}
	name := link.Name
	if p.First {
		p.Name = v.PostFormValue("name")
		if name, err = LoginName(p.Name); err != nil {
			p.Problem, err = saying(err)
			return v.setup(p), err
		}
	}
	password := v.PostFormValue("password")
	if p.Problem = unfit(password, name); p.Problem == "" && password != v.PostFormValue("again") {
		p.Problem = "The two passwords differ."
	}
	if p.Problem != "" {
		return v.setup(p), nil
	}
	hash, err := v.passwords.hash(v.Context(), password)
	if err != nil {
		return view{}, err
	}
	u, err := v.Store.UseLink(v.Context(), secret, name, hash)
	if err != nil {
		return view{}, noLink(err)
	}
	v.throttle.forgive(u.Name, clientAddress(v.Request))
	return v.begin(u, "/")
}

// noLink says what to do where a link leads to nothing.
func noLink(err error) error {
	if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return pageError{http.StatusNotFound, "This link is no longer good",
		"It works once and for 24 hours. Log in, or ask an admin for a new one; gapless user reset NAME makes one too."}
}
