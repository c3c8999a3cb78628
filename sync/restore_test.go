package ordersync

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
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

// The call left after the backup was made, and lands after it was restored.
func TestACallThatTheBackupDoesNotKnowOfDoublesNothing(t *testing.T) {
	for _, tier := range []erp.Tier{erp.TierA, erp.TierB} {
		t.Run(string(tier), func(t *testing.T) {
			a := build(t, in(tier))
			k := a.create()
			a.hear()
			backup := filepath.Join(t.TempDir(), "copy.db")
			require.NoError(t, a.store.Backup(t.Context(), backup))
			land := a.wire.ghost()
			a.send()

			a.reopen(backup)
			a.settle()
			require.Zero(t, len(a.erp.Documents(ref("acme", k.ID))), "nothing is sent while it may still take effect")
			land()
			a.settleLater(2 * longest)
			a.judge()
		})
	}
}

// The ERP does not show the document yet that was made after the backup.
func TestTierCMakesNothingAnewAfterARestore(t *testing.T) {
	s := in(erp.TierC)
	s.erp.Lag = time.Hour
	for name, known := range map[string]bool{"an order in the backup": true, "an order after it": false} {
		t.Run(name, func(t *testing.T) {
			a := build(t, s)
			k := a.create()
			backup := filepath.Join(t.TempDir(), "copy.db")
			if known {
				a.hear()
			}
			require.NoError(t, a.store.Backup(t.Context(), backup))
			a.settle()
			require.Len(t, a.erp.Documents(ref("acme", k.ID)), 1)

			a.pass(time.Second)
			a.reopen(backup)
			a.poll()
			a.refetch()
			a.settleLater(20 * longest)
			require.Equal(t, store.StateParked, a.delivery(k).State)
			require.Equal(t, 1, a.writes(k))
		})
	}
}

// The simulator found it in world 1849: who only looks asks for no order that the
// copy does not know and the ERP holds rightly, so that nothing was known of it.
func TestAComparisonThatOnlyLooksMovesNoCompleteness(t *testing.T) {
	a := build(t, setup{})
	a.place()
	a.pass(time.Second)
	backup := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, a.store.Backup(t.Context(), backup))
	k := a.place()
	a.reopen(backup)
	require.True(t, a.reconcile(false).Complete)
	require.Zero(t, a.cursor().CompleteThrough)
	require.True(t, a.reconcile(true).Complete)
	require.NotZero(t, a.cursor().CompleteThrough)
	a.settle()
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
	a.judge()
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
