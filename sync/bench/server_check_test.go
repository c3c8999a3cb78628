//go:build linux

package bench

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// A server that answered without storing would look quick.
func TestServersStoreWhatTheyAnswer(t *testing.T) {
	for name, file := range map[string]string{"gapless": "gapless.db", "insert": "plain.db"} {
		t.Run(name, func(t *testing.T) {
			p := start(t, name)
			answered := drive(t, prepared, p.address, webhooks(t, 16), 16, 100*time.Millisecond).n
			db, err := sql.Open("sqlite", "file:"+filepath.Join(p.folder, file)+"?mode=ro")
			require.NoError(t, err)
			defer db.Close()
			var events, bodies int
			require.NoError(t, db.QueryRow(`SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM bodies)`).Scan(&events, &bodies))
			require.Equal(t, []int{answered, answered}, []int{events, bodies})
			require.NotZero(t, answered)
		})
	}
}
