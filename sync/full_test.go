package ordersync

import (
	"database/sql"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

// A full disk takes nothing in and sends nothing out. Once there is room again,
// all is found and nothing is doubled.
func TestAFullDiskLosesAndDoublesNothing(t *testing.T) {
	a := start(t, setup{clock: fast(1), store: store.Options{MaxBytes: 1 << 20}, shop: shopifytest.Options{RetryScale: 1e-9}})
	for a.shop.Counts()[shopifytest.Lost] == 0 { // no webhook was refused to the end yet
		a.shop.Act()
		require.NoError(t, a.shop.Flush(t.Context()))
	}
	guest, err := store.Open(t.Context(), store.Options{Path: a.path, Guest: true})
	require.NoError(t, err)
	defer guest.Close()
	roomAndRest := func() string {
		_, err := guest.ForgetBodies(t.Context(), a.Now().Add(time.Hour))
		require.NoError(t, err)
		return a.atRest()
	}
	a.eventually("at rest", roomAndRest)
	a.poll()
	a.eventually("at rest", roomAndRest)
	a.judge()
}

// refuse lets the database refuse new rows of a table, in the words of a full
// disk, until allow is called.
func (a *appliance) refuse(table string) (allow func()) {
	a.Helper()
	db, err := sql.Open("sqlite", "file:"+a.path+"?_pragma=busy_timeout(10000)")
	require.NoError(a, err)
	a.Cleanup(func() { db.Close() })
	_, err = db.Exec(`CREATE TRIGGER refuse_` + table + ` BEFORE INSERT ON ` + table + ` BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
	require.NoError(a, err)
	return func() {
		a.Helper()
		_, err := db.Exec(`DROP TRIGGER refuse_` + table)
		require.NoError(a, err)
	}
}
