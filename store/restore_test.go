package store

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestARestoredBackupTakesThePlaceAndLooksUpFirst(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	deliver(t, s)
	backup := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(t.Context(), backup))
	intake(t, s, order(2, 1))

	_, err := Restore(t.Context(), backup, s.path, noon)
	require.ErrorIs(t, err, ErrLocked, "not while it is in use")
	stop(t, s)
	kept, err := Restore(t.Context(), backup, s.path, noon)
	require.NoError(t, err)
	require.FileExists(t, kept)

	back := open(t, at(s.path))
	require.True(t, delivery(t, back, 1).Verify)
	_, err = back.Delivery(t.Context(), OrderKey{"acme", 2})
	require.ErrorIs(t, err, ErrNotFound)
	was := open(t, at(kept))
	require.Equal(t, StateDue, delivery(t, was, 2).State, "what was replaced is whole")
}

func TestOnlyABackupIsRestored(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "gapless.db")
	for name, content := range map[string]string{"text": "not a database at all, but longer than a header of a hundred bytes, so that SQLite has something to read here", "empty": ""} {
		path := filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		_, err := Restore(t.Context(), path, target, noon)
		require.Error(t, err, name)
	}
	_, err := Restore(t.Context(), filepath.Join(dir, "none"), target, noon)
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, target)
}
