package store

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestATokenIsShownOnceAndKeptAsAHash(t *testing.T) {
	s := open(t)
	secret, err := s.AddToken(t.Context(), "ops", "operator", "ann")
	require.NoError(t, err)
	found, err := s.FindToken(t.Context(), secret)
	require.NoError(t, err)
	require.Equal(t, Token{ID: found.ID, Name: "ops", Scope: "operator", CreatedAt: noon}, found)

	for _, wrong := range []string{"", "gapless_", secret + "x", secret[:len(secret)-1]} {
		_, err = s.FindToken(t.Context(), wrong)
		require.ErrorIs(t, err, ErrNotFound)
	}
	wal, err := os.ReadFile(s.path + "-wal")
	require.NoError(t, err)
	require.False(t, bytes.Contains(wal, []byte(secret)))
}

func TestTokensAreListedByNameAndEndWhenRemoved(t *testing.T) {
	s := open(t)
	secrets := map[string]string{}
	for _, name := range []string{"b", "a"} {
		secret, err := s.AddToken(t.Context(), name, "viewer", "ann")
		require.NoError(t, err)
		secrets[name] = secret
	}
	require.NotEqual(t, secrets["a"], secrets["b"])
	all, err := s.Tokens(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Equal(t, "a", all[0].Name)

	require.NoError(t, s.RemoveToken(t.Context(), "a", "ann"))
	_, err = s.FindToken(t.Context(), secrets["a"])
	require.ErrorIs(t, err, ErrNotFound)
	_, err = s.FindToken(t.Context(), secrets["b"])
	require.NoError(t, err)
	require.ErrorIs(t, s.RemoveToken(t.Context(), "a", "ann"), ErrNotFound)
}

func TestATokenNeedsANameOfItsOwnAndAScopeThatExists(t *testing.T) {
	s := open(t)
	_, err := s.AddToken(t.Context(), "ops", "viewer", "ann")
	require.NoError(t, err)
	_, err = s.AddToken(t.Context(), "ops", "admin", "ann")
	require.ErrorContains(t, err, `there is a token named "ops" already`)
	_, err = s.AddToken(t.Context(), "else", "emperor", "ann")
	require.Error(t, err)
}
