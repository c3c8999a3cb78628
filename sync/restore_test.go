package ordersync

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// A backup is older than the ERP. What goes on from it looks each order up
// before it sends anything.
func TestARestoredBackupLooksUpFirst(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	path := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, a.store.Backup(t.Context(), path))

	restored, err := store.Open(t.Context(), store.Options{Path: path, Now: a.Now})
	require.NoError(t, err)
	defer func() { require.NoError(t, restored.Close()) }()
	d, err := restored.Delivery(t.Context(), k)
	require.NoError(t, err)
	require.True(t, d.Verify)
	require.Equal(t, store.StateDelivered, d.State)
}

// reopen goes on from a copy of the store.
func (a *appliance) reopen(path string) {
	a.Helper()
	require.NoError(a, a.store.Close())
	var err error
	a.store, err = store.Open(a.Context(), store.Options{Path: path, Now: a.Now})
	require.NoError(a, err)
	a.reconfigure(func(*Config) {})
}
