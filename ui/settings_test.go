package ui

import (
	"encoding/json"
	"html"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestSettingsAreShownAsTheyAre(t *testing.T) {
	program := "{\n  ref: .ref,\n  lines: [.lines[] | {sku, n: .quantity}] # " + strings.Repeat("as long as it is, ", 40) + "\n}"
	s := newPages(t, func(o *Options) {
		o.Config = map[string]any{
			"report": map[string]any{"at": "", "email": []any{}, "none": nil, "more": map[string]any{}},
			"alerts": map[string]any{"to": []any{"a@example.com", "<b>"}, "every": 5, "on": false},
			"rules":  []any{map[string]any{"name": "no lines", "when": "[.lines[].sku] | map(.) == []"}, map[string]any{"name": "tagged", "when": ".tags[]"}},
			"erps":   []any{map[string]any{"name": "books", "map": program, "taxes": map[string]any{"21": "IVA"}}},
		}
	})
	page := s.html("GET", "/settings", "").body
	for label, text := range map[string]string{
		"when": "[.lines[].sku] | map(.) == []", "map": program, "at": `""`, "email": "[]", "none": "not set", "more": "{}",
		"to": `["a@example.com","<b>"]`, "every": "5", "on": "false", "taxes.21": "IVA",
	} {
		require.Contains(t, page, `<dt class="mono">`+label+`</dt><dd class="mono">`+html.EscapeString(text)+`</dd>`)
	}
	require.Contains(t, page, ">.tags[]<")
}

func TestTheMappingIsTriedOnARealOrder(t *testing.T) {
	s := newPages(t)
	require.NotContains(t, s.html("GET", "/settings?order=%231", "").body, `id="mapped"`, "nobody asked")
	s.actions.plan.Document = json.RawMessage(`{"made":"by the mapping"}`)
	page := s.html("GET", "/settings?order=%231&map=yes", "").body
	require.Contains(t, page, "Sends this to the ERP")
	require.Contains(t, page, "<b>PUT</b>")
	require.Contains(t, page, html.EscapeString(`"made": "by the mapping"`))
	require.Empty(t, s.actions.replayed)

	s.actions.plan = Plan{Action: "park", Reason: "lines[0].sku is missing", Hint: "give it one"}
	page = s.html("GET", "/settings?order=%231&map=yes", "").body
	require.Contains(t, page, "lines[0].sku is missing")
	require.Contains(t, page, "give it one")
	require.NotContains(t, page, `id="made"`)

	s = newPages(t, func(o *Options) { o.Open = false })
	s.member("ann", "admin")
	s.member("bob", "viewer")
	page = s.visitor().logIn("bob").open("/settings?order=%231&map=yes").body
	require.NotContains(t, page, `id="mapped"`)
	require.Contains(t, page, html.EscapeString(hidden))
}
