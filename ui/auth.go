package ui

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"

	"gapless/store"
)

// ranks are the scopes that include those before them. The scope metrics
// stands apart: it opens /metrics alone.
var ranks = []string{"viewer", "operator", "admin"}

// allows says whether the request carries a token good for scope.
func (s *Server) allows(r *http.Request, scope string) bool {
	if s.Open {
		return true
	}
	token, err := s.token(r.Context(), r.Header.Get("Authorization"))
	if err != nil {
		return false
	}
	return token.Scope == scope || token.Scope == "admin"
}

// token finds the token of an Authorization header.
func (s *Server) token(ctx context.Context, authorization string) (store.Token, error) {
	kind, secret, _ := strings.Cut(authorization, " ")
	if !strings.EqualFold(kind, "Bearer") {
		return store.Token{}, store.ErrNotFound
	}
	return s.Store.FindToken(ctx, strings.TrimSpace(secret))
}

type contextKey struct{}

// authorize lets a request through whose token has the operation's scope, and
// tells the handler whose it was.
func (s *Server) authorize(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if s.Open {
			next(huma.WithValue(ctx, contextKey{}, "demo"))
			return
		}
		if p, known := s.reader(ctx); known { // pages read the API as whoever is logged in, and follow what changes
			next(huma.WithValue(ctx, contextKey{}, p.Name))
			return
		}
		token, err := s.token(ctx.Context(), ctx.Header("Authorization"))
		switch {
		case errors.Is(err, store.ErrNotFound):
			ctx.SetHeader("WWW-Authenticate", "Bearer")
			huma.WriteErr(api, ctx, http.StatusUnauthorized, "send a token: Authorization: Bearer gapless_...; make one with `gapless token add NAME`") //nolint:errcheck // the client has gone
		case err != nil:
			s.Log.Error("a token could not be checked", "err", err)
			huma.WriteErr(api, ctx, http.StatusServiceUnavailable, "the token could not be checked; try again") //nolint:errcheck // as above
		case slices.Index(ranks, token.Scope) < slices.Index(ranks, needs(ctx)):
			huma.WriteErr(api, ctx, http.StatusForbidden, "the token "+token.Name+" has scope "+token.Scope+"; this needs "+needs(ctx)) //nolint:errcheck // as above
		default:
			next(huma.WithValue(ctx, contextKey{}, "token "+token.Name))
		}
	}
}

// reader is the person who reads without a token.
func (s *Server) reader(ctx huma.Context) (Person, bool) {
	if ctx.Method() != http.MethodGet || ctx.Header("Authorization") != "" {
		return Person{}, false
	}
	r, _, _ := humahttprouter.Unwrap(ctx)
	return s.person(r)
}

// asker is who makes the request, for the record.
func asker(ctx context.Context) string {
	by, _ := ctx.Value(contextKey{}).(string)
	return by
}

// needs is the scope of an operation: who writes must be an operator.
func needs(ctx huma.Context) string {
	if ctx.Method() == http.MethodGet {
		return "viewer"
	}
	return "operator"
}
