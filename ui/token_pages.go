package ui

import (
	"errors"
	"net/http"
	"slices"
	"strings"

	"gapless/store"
)

// scopes are what a token can be made for.
var scopes = append(slices.Clone(ranks), "metrics", scopeFeed)

// tokensPage is what the page of API tokens shows.
type tokensPage struct {
	Tabs    tabs
	Tokens  []tokenRow
	Secret  string // of the one that was made, this once
	Name    string // as it was typed
	Scope   string
	Problem string
	Confirm bool
}

type tokenRow struct {
	Name, Scope string
	Made        *moment
}

func showTokens(v *visit) (view, error) { return v.tokens(tokensPage{Scope: "viewer"}) }

func (v *visit) tokens(p tokensPage) (view, error) {
	all, err := v.Store.Tokens(v.Context())
	if err != nil {
		return view{}, err
	}
	zone, err := v.houseClock()
	if err != nil {
		return view{}, err
	}
	p.Tabs, p.Confirm = v.settingsTabs(), v.asksPassword()
	p.Tabs.mark("/settings/tokens")
	for _, t := range all {
		p.Tokens = append(p.Tokens, tokenRow{t.Name, t.Scope, zone.at(t.CreatedAt)})
	}
	shown := view{template: "tokens", title: "API tokens", body: p}
	if p.Problem != "" {
		shown.status = http.StatusUnprocessableEntity
	}
	return shown, nil
}

func (v *visit) tokensProblem(p tokensPage, err error) (view, error) {
	said, err := saying(err)
	if err != nil {
		return view{}, err
	}
	p.Problem = said
	return v.tokens(p)
}

// longestTokenName is how long a token's name may be, in bytes.
const longestTokenName = 100

func addToken(v *visit) (view, error) {
	p := tokensPage{Name: strings.TrimSpace(v.PostFormValue("name")), Scope: v.PostFormValue("scope")}
	var err error
	switch {
	case p.Name == "" || len(p.Name) > longestTokenName:
		err = store.Declined("give the token a short name that says what it is for")
	case !slices.Contains(scopes, p.Scope):
		err = store.Declined("choose what the token may do")
	default:
		err = v.confirm()
	}
	var secret string
	if err == nil {
		secret, err = v.Store.AddToken(v.Context(), p.Name, p.Scope, v.person.Name)
	}
	if err != nil {
		return v.tokensProblem(p, err)
	}
	return v.tokens(tokensPage{Name: p.Name, Secret: secret, Scope: "viewer"})
}

func removeToken(v *visit) (view, error) {
	err := v.confirm()
	if err == nil {
		err = v.Store.RemoveToken(v.Context(), v.PostFormValue("name"), v.person.Name)
	}
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return v.tokensProblem(tokensPage{Scope: "viewer"}, err)
	}
	return view{redirect: "/settings/tokens?did=removed"}, nil
}
