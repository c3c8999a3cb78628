package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// reading reads all the time, in several goroutines, until stopped; a failed
// read fails the test.
func reading(t *testing.T, s *Store) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	var readers sync.WaitGroup
	for range 2 {
		readers.Go(func() {
			for ctx.Err() == nil {
				_, err1 := s.PendingEvents(t.Context(), 2)
				_, err2 := s.Events(t.Context(), EventFilter{Limit: 50})
				if err := errors.Join(err1, err2); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	return func() { cancel(); readers.Wait() }
}

func TestTheWALStaysSmallWhileReadersRead(t *testing.T) {
	const bodies, size = 400, 256 << 10
	for name, write := range map[string]func(*Store, int) error{
		"and webhooks are stored": func(s *Store, i int) error {
			e := webhook(fmt.Sprint(i))
			e.Body = noise(size)
			_, err := s.Append(t.Context(), e)
			return err
		},
		"and orders are taken in": func(s *Store, i int) error {
			w := order(int64(i+1), 1)
			w.Content = noise(size)
			return s.ApplyIntake(t.Context(), Intake{At: noon, Orders: []Wanted{w}})
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t)
			end := reading(t, s)
			largest := int64(0)
			for i := range bodies {
				require.NoError(t, write(s, i))
				_, wal := s.Size()
				largest = max(largest, wal)
			}
			end()
			database, _ := s.Size()
			t.Logf("the WAL had at most %d MiB, the database has %d", largest>>20, database>>20)
			// How much comes in between two looks is a matter of the machine's speed.
			require.Less(t, largest, int64(bodies*size/2))
			require.Greater(t, database, int64(bodies*size/2))
		})
	}
}

func TestANewDatabaseHasItsPageSize(t *testing.T) {
	require.Equal(t, pageSize, one[int](t, open(t).readers, `PRAGMA page_size`))
}

func TestABackupOfABusyStoreIsWholeUpToACommit(t *testing.T) {
	s := open(t)
	appended(t, s, "first")
	ctx, cancel := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 4 {
		writers.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := s.Append(t.Context(), webhook(fmt.Sprint(w, "-", i))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	path := filepath.Join(t.TempDir(), "backup.db")
	var copies []int64
	for range 3 {
		before := one[int64](t, s.readers, `SELECT max(id) FROM events`)
		require.NoError(t, s.Backup(t.Context(), path))
		backup := open(t, at(path))
		last := one[int64](t, backup.readers, `SELECT max(id) FROM events`)
		require.GreaterOrEqual(t, last, before, "what was committed before is in it")
		require.Equal(t, last, one[int64](t, backup.readers, `SELECT count(*) FROM events e JOIN bodies b ON b.event_id = e.id`))
		requireDuplicate(t, backup, "first")
		stop(t, backup)
		copies = append(copies, last)
	}
	cancel()
	writers.Wait()
	require.IsNonDecreasing(t, copies)
	require.NoFileExists(t, path+".unfinished")
}

func TestABackupReplacesAnOlderOneThatIsStillOpen(t *testing.T) {
	s := open(t)
	path := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(t.Context(), path))
	older := open(t, at(path))
	appended(t, older, "in the WAL of the older copy")
	appended(t, s, "a")

	require.NoError(t, s.Backup(t.Context(), path))
	require.NoError(t, verify(t.Context(), path))
	require.Equal(t, "a", one[string](t, second(t, path), `SELECT webhook_id FROM events`))
}

func TestTheMomentOfABackupIsNoted(t *testing.T) {
	s := open(t)
	at, err := s.LastBackup(t.Context())
	require.NoError(t, err)
	require.True(t, at.IsZero())
	require.NoError(t, s.Backup(t.Context(), filepath.Join(t.TempDir(), "backup.db")))
	at, err = s.LastBackup(t.Context())
	require.NoError(t, err)
	require.WithinDuration(t, s.now(), at, time.Minute)
	require.Error(t, s.Backup(t.Context(), filepath.Join(t.TempDir(), "none", "backup.db")))
	again, err := s.LastBackup(t.Context())
	require.NoError(t, err)
	require.Equal(t, at, again, "one that failed is none")
}

func TestADatabaseIsNotBackedUpOntoItself(t *testing.T) {
	s := open(t)
	require.ErrorContains(t, s.Backup(t.Context(), s.path), "is the database itself")
	appended(t, s, "a")
}

func TestABackupThatFailsLeavesTheOlderOne(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	path := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(t.Context(), path))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Backup(ctx, path), context.Canceled)
	require.NoError(t, verify(t.Context(), path))
}

func TestPurgeEmptiesTheWAL(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	require.NoError(t, s.Purge(t.Context()))
	_, wal := s.Size()
	require.Zero(t, wal)
}

func TestPurgeGivesUpWithItsContextWhileAReaderIsAtIt(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	reader, err := s.readers.BeginTx(t.Context(), nil)
	require.NoError(t, err)
	require.Equal(t, 1, one[int](t, reader, `SELECT count(*) FROM events`))
	appended(t, s, "b")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Purge(ctx), context.Canceled)
	require.NoError(t, reader.Rollback())
	require.NoError(t, s.Purge(t.Context()))
}
