package ui

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever adds a key to the script tells people of it.
func TestEveryKeyIsToldAndCanBeSwitchedOff(t *testing.T) {
	script, err := staticFiles.ReadFile("static/keys.js")
	require.NoError(t, err)
	told := map[string]bool{}
	for _, k := range keysTold {
		told[strings.Join(k.Keys, "")] = true
	}
	for _, m := range regexp.MustCompile(`e\.key === "([^"]+)"`).FindAllStringSubmatch(string(script), -1) {
		require.True(t, told[m[1]] || m[1] == "g", m[1])
	}
	places := regexp.MustCompile(`const places = \{(.*)\};`).FindSubmatch(script)
	require.NotNil(t, places)
	found := regexp.MustCompile(`(\w): "([^"]+)"`).FindAllStringSubmatch(string(places[1]), -1)
	require.NotEmpty(t, found)
	s := newPages(t)
	for _, m := range found {
		require.True(t, told["g"+m[1]], m[1])
		require.Equal(t, http.StatusOK, s.html("GET", m[2], "").status, m[2])
	}
	page := s.html("GET", "/", "").body
	require.Contains(t, page, `popovertarget="keys"`)
	require.Contains(t, page, `<kbd>g</kbd> <kbd>o</kbd> </dt><dd>Orders</dd>`)
	require.Contains(t, page, `id="keys-on"`)
}

func TestWhoIsNotLoggedInIsToldOfNoKeys(t *testing.T) {
	s := newSite(t)
	require.NotContains(t, s.html("GET", "/login", "").body, `id="keys"`)
}
