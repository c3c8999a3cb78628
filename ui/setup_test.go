package ui

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTheFirstAdminIsMadeByTheSetupLink(t *testing.T) {
	s := newSite(t)
	secret, err := s.store.SetupLink(t.Context())
	require.NoError(t, err)
	link, b := "/setup/"+secret, s.visitor()
	for range 2 {
		a := b.open(link)
		require.Equal(t, http.StatusOK, a.status)
		require.Contains(t, a.body, "make the first admin")
	}
	users, err := s.store.Users(t.Context())
	require.NoError(t, err)
	require.Empty(t, users, "looking makes nobody")

	for problem, fields := range map[string][]string{
		"A name has":            {"name", "", "password", password, "again", password},
		"at least 12":           {"name", "ann", "password", "too short", "again", "too short"},
		"does not hold":         {"name", "ann", "password", "Ann is in here somewhere", "again", "Ann is in here somewhere"},
		"The two passwords":     {"name", "ann", "password", password, "again", password + "x"},
		"at most 64":            {"name", "<script>alert(1)</script>", "password", password, "again", password},
		"a letter or digit fir": {"name", "../ann", "password", password, "again", password},
	} {
		a := b.send(link, fields...)
		require.Equal(t, http.StatusUnprocessableEntity, a.status)
		require.Contains(t, a.body, problem)
		require.NotContains(t, a.body, "<script>alert")
		require.NotContains(t, a.body, password)
	}
	b.leadsTo(b.send(link, "name", "Ann@Example.com", "password", password, "again", password), "/")
	require.Equal(t, http.StatusOK, b.open("/settings/people").status, "she is an admin, and logged in")
	require.Equal(t, []string{"ann@example.com: logged in ann@example.com", "ann@example.com: first admin made ann@example.com"}, s.deeds("ann@example.com"))

	for _, a := range []reply{b.open(link), b.send(link, "name", "eve", "password", password, "again", password), b.open("/setup/none")} {
		require.Equal(t, http.StatusNotFound, a.status)
		require.Contains(t, a.body, "no longer good")
	}
}

func TestAResetLinkGetsItsPersonIn(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("bob", "viewer")
	old := s.visitor().logIn("bob")
	link, err := s.store.ResetLink(t.Context(), "bob", "ann")
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, old.open("/").status, "nothing changes before it is used")

	b := s.visitor()
	require.Contains(t, b.open("/setup/"+link).body, "Choose a password, bob")
	b.leadsTo(b.send("/setup/"+link, "name", "ann", "password", "another four words", "again", "another four words"), "/")
	require.Equal(t, http.StatusForbidden, b.open("/settings/people").status, "it is bob's, whatever name was sent")
	old.leadsTo(old.open("/"), "/login")
	require.Equal(t, http.StatusUnauthorized, s.visitor().send("/login", "name", "bob", "password", password).status)
	require.Equal(t, http.StatusNotFound, b.send("/setup/"+link, "password", password, "again", password).status, "posted twice")
}
