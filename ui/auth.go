package ui

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"

	"gapless/store"
)

// ranks are the scopes that include those before them. The scopes metrics and
// feed stand apart: each opens its own place alone, as admin does.
var ranks = []string{"viewer", "operator", "admin"}

// ranked says whether role includes least; nothing is asked of anybody where that
// is empty.
func ranked(role, least string) bool {
	if least != "" && !slices.Contains(ranks, least) {
		return role == least || role == "admin"
	}
	return slices.Index(ranks, role) >= slices.Index(ranks, least)
}

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

// caller is who asks the API: a token, or a person who is logged in.
type caller struct{ name, role string }

type contextKey struct{}

// callerOf finds who makes a request, or ErrNotFound. A token, where there is
// one, counts before the cookie.
func (s *Server) callerOf(r *http.Request) (caller, error) {
	if s.Open {
		return caller{"demo", "operator"}, nil
	}
	if authorization := r.Header.Get("Authorization"); authorization != "" {
		token, err := s.token(r.Context(), authorization)
		return caller{"token " + token.Name, token.Scope}, err
	}
	p, err := s.findPerson(r)
	return caller{p.Name, p.Role}, err
}

// authorize lets a request through whose token or session has the role that the
// operation needs, tells the handler whose it was, and notes it where it acts.
func (s *Server) authorize(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		r, _, _ := humahttprouter.Unwrap(ctx)
		c, err := s.callerOf(r)
		switch {
		case errors.Is(err, store.ErrNotFound):
			ctx.SetHeader("WWW-Authenticate", "Bearer")
			huma.WriteErr(api, ctx, http.StatusUnauthorized, "send a token: Authorization: Bearer gapless_...; make one with `gapless token add NAME`") //nolint:errcheck // the client has gone
			return
		case err != nil:
			s.Log.Error("a token could not be checked", "err", err)
			huma.WriteErr(api, ctx, http.StatusServiceUnavailable, "the token could not be checked; try again") //nolint:errcheck // as above
			return
		case !s.Open && !ranked(c.role, needs(ctx)):
			huma.WriteErr(api, ctx, http.StatusForbidden, c.name+" has the role "+c.role+"; this needs "+needs(ctx)) //nolint:errcheck // as above
			return
		}
		if err := s.recordCall(ctx, r, c); err != nil {
			s.Log.Error("the audit log could not be kept", "err", err)
			huma.WriteErr(api, ctx, http.StatusServiceUnavailable, "nothing was done, since it could not be noted; try again") //nolint:errcheck // as above
			return
		}
		next(huma.WithValue(ctx, contextKey{}, c))
	}
}

// recordCall notes a call that acts, with what it asks for, before it is carried
// out.
func (s *Server) recordCall(ctx huma.Context, r *http.Request, c caller) error {
	if r.Method == http.MethodGet || c.role == scopeFeed { // what an ERP answers stands with the attempts
		return nil
	}
	var begin bytes.Buffer
	io.CopyN(&begin, r.Body, mostDetail) //nolint:errcheck // whoever reads on meets the same end
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(begin.Bytes()), r.Body), r.Body}
	return s.Store.Audit(r.Context(), store.AuditEntry{
		Who: c.name, What: lowerFirst(ctx.Operation().Summary), About: r.URL.Path, Detail: strings.ToValidUTF8(begin.String(), ""),
	})
}

func lowerFirst(text string) string {
	if text == "" {
		return text
	}
	return strings.ToLower(text[:1]) + text[1:]
}

// mostDetail is how much of a request the audit log keeps, in bytes.
const mostDetail = 400

// asker is who makes the request, for the record.
func asker(ctx context.Context) string {
	c, _ := ctx.Value(contextKey{}).(caller)
	return c.name
}

// seesPeople says whether who asks may see the data of the shop's customers:
// what Shopify and the ERP said, word for word.
func seesPeople(ctx context.Context) bool {
	c, _ := ctx.Value(contextKey{}).(caller)
	return ranked(c.role, "operator")
}

// hidden is what stands in the place of what a viewer does not see.
const hidden = "Operators and admins see this. It holds customers' names and addresses, so viewers don't."

// seesPeople says whether the reader of a page may see customers' data.
func (v *visit) seesPeople() bool { return v.may("operator") }

// scopeFeed is for scripts that carry orders into an ERP that pulls.
const scopeFeed = "feed"

// needs is the role that an operation needs: who writes must be an operator.
func needs(ctx huma.Context) string {
	if strings.HasPrefix(ctx.Operation().Path, feedPath) {
		return scopeFeed
	}
	if ctx.Method() == http.MethodGet {
		return "viewer"
	}
	return "operator"
}
