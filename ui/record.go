package ui

import (
	"net/http"
	"slices"

	"gapless/store"
)

// deeds are what forms do, by their path, in the words of the audit log. Those
// about people and tokens are noted by the store, together with the change.
var deeds = map[string]string{
	"/replay":       "replay asked for",
	"/ignore":       "gap ignored",
	"/runs":         "run begun",
	"/reports/:day": "day compared",
	"/settings":     "connection tested",
}

// record notes a form that acts, with what it asks for, before it is carried
// out: what can't be noted is not done.
func (v *visit) record(route pageRoute) error {
	if route.method == http.MethodGet || slices.ContainsFunc(peopleRoutes, func(r pageRoute) bool { return r.path == route.path }) {
		return nil
	}
	what, known := deeds[route.path]
	if !known {
		what = route.path
	}
	detail := v.PostForm.Encode()
	return v.Store.Audit(v.Context(), store.AuditEntry{Who: v.person.Name, What: what, About: v.URL.Path, Detail: detail[:min(len(detail), mostDetail)]})
}
