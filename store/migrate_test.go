package store

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// withStep is the real migrations and one more.
func withStep(t *testing.T, sql string) []migration {
	t.Helper()
	steps, err := migrations()
	require.NoError(t, err)
	last := steps[len(steps)-1].version
	return append(steps, migration{last + 1, "9999_next.sql", sql})
}

// newest is the version of the schema that this Gapless works with.
func newest(t *testing.T) int {
	t.Helper()
	steps, err := migrations()
	require.NoError(t, err)
	return steps[len(steps)-1].version
}

func TestAnUpgradeKeepsTheDataAndAVerifiedCopyOfTheDatabaseBefore(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	steps := withStep(t, `ALTER TABLE shops ADD COLUMN plan TEXT NOT NULL DEFAULT 'basic'; CREATE TABLE fresh (id INTEGER PRIMARY KEY) STRICT`)
	require.NoError(t, migrate(t.Context(), s.control, s.path, steps))

	upgraded := second(t, s.path)
	require.Equal(t, newest(t)+1, one[int](t, upgraded, `PRAGMA user_version`))
	require.Equal(t, "a", one[string](t, upgraded, `SELECT webhook_id FROM events`))
	require.Zero(t, one[int](t, upgraded, `SELECT count(*) FROM fresh`))

	saved := fmt.Sprintf("%s.before-schema-%d", s.path, newest(t)+1)
	require.NoError(t, verify(t.Context(), saved))
	before := second(t, saved)
	require.Equal(t, newest(t), one[int](t, before, `PRAGMA user_version`))
	require.Equal(t, "a", one[string](t, before, `SELECT webhook_id FROM events`))
}

func TestAFailingStepLeavesTheOldSchemaAndItsData(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	steps := withStep(t, `CREATE TABLE half (id INTEGER PRIMARY KEY) STRICT; INSERT INTO nowhere VALUES (1)`)
	err := migrate(t.Context(), s.control, s.path, steps)
	require.ErrorContains(t, err, "9999_next.sql")
	require.ErrorContains(t, err, "nowhere")

	other := second(t, s.path)
	require.Equal(t, newest(t), one[int](t, other, `PRAGMA user_version`))
	require.Zero(t, one[int](t, other, `SELECT count(*) FROM sqlite_schema WHERE name = 'half'`))
	appended(t, s, "b")
}

// The next start copies the database again: had some of the steps stayed, that
// copy would be one that no version works with, in the place of the good one.
func TestAnUpgradeOfSeveralStepsIsMadeWholeOrNotAtAll(t *testing.T) {
	s := open(t)
	steps := withStep(t, `CREATE TABLE first (id INTEGER PRIMARY KEY) STRICT`)
	good := len(steps)
	steps = append(steps, migration{newest(t) + 2, "99999_fails.sql", `INSERT INTO nowhere VALUES (1)`})
	for range 2 {
		require.ErrorContains(t, migrate(t.Context(), s.control, s.path, steps), "99999_fails.sql")
		for _, path := range []string{s.path, fmt.Sprintf("%s.before-schema-%d", s.path, newest(t)+2)} {
			require.Equal(t, newest(t), one[int](t, second(t, path), `PRAGMA user_version`), path)
		}
	}
	require.NoError(t, migrate(t.Context(), s.control, s.path, steps[:good]))
	require.Equal(t, newest(t)+1, one[int](t, second(t, s.path), `PRAGMA user_version`))
}

func TestWithoutACopyThereIsNoUpgrade(t *testing.T) {
	s := open(t)
	unwritable := filepath.Join(t.TempDir(), "none", "gapless.db")
	err := migrate(t.Context(), s.control, unwritable, withStep(t, `CREATE TABLE fresh (id INTEGER PRIMARY KEY) STRICT`))
	require.ErrorContains(t, err, "copy the database before the upgrade")
	require.Equal(t, newest(t), one[int](t, second(t, s.path), `PRAGMA user_version`))
}

func TestADatabaseOfANewerVersionIsLeftAlone(t *testing.T) {
	s := open(t)
	stop(t, s)
	_, err := second(t, s.path).Exec(`PRAGMA user_version = 99`)
	require.NoError(t, err)

	_, err = Open(t.Context(), Options{Path: s.path})
	require.ErrorIs(t, err, ErrNewerSchema)
	_, err = Open(t.Context(), Options{Path: s.path, Guest: true})
	require.ErrorContains(t, err, "its schema is 99")
}

func TestAGuestUpgradesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "empty.db")
	require.NoError(t, ownersOnly(path))
	_, err := Open(t.Context(), Options{Path: path, Guest: true})
	require.ErrorContains(t, err, "start `gapless serve` of this version once")
}

func TestACopyThatIsDamagedIsFound(t *testing.T) {
	s := open(t)
	for range 200 {
		appended(t, s, noiseText(40))
	}
	path := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(t.Context(), path))
	db := second(t, path)
	_, err := db.Exec(`PRAGMA writable_schema = ON; UPDATE sqlite_schema SET rootpage = 3 WHERE name = 'events_topic'`)
	require.NoError(t, err)
	require.Error(t, verify(t.Context(), path))
}
