package store

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestOneProcessOwnsADatabaseAndGuestsMayLook(t *testing.T) {
	owner := open(t)
	appended(t, owner, "a")

	_, err := Open(t.Context(), Options{Path: owner.path})
	require.ErrorIs(t, err, ErrLocked)

	guest := open(t, at(owner.path), func(o *Options) { o.Guest = true })
	events, err := guest.PendingEvents(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, events, 1)
	_, err = guest.AddToken(t.Context(), "ops", "viewer", "ann")
	require.NoError(t, err, "a guest may ask for small changes")
	stop(t, guest)

	stop(t, owner)
	open(t, at(owner.path)) // the lock went with its owner
}

func TestAGuestMakesNoDatabase(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.db")
	_, err := Open(t.Context(), Options{Path: path, Guest: true})
	require.ErrorIs(t, err, os.ErrNotExist)
	require.NoFileExists(t, path)
}

func TestAFolderThatIsNotThereIsAnErrorAndLeavesNothingRunning(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	_, err := Open(t.Context(), Options{Path: filepath.Join(t.TempDir(), "none", "gapless.db")})
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestTheFilesAreForTheirOwnerAlone(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	backup := filepath.Join(t.TempDir(), "backup.db")
	require.NoError(t, s.Backup(t.Context(), backup))
	for _, path := range []string{s.path, s.path + "-wal", s.path + "-shm", backup} {
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm(), filepath.Base(path))
	}
}

func TestAPathMayHoldAnyCharacter(t *testing.T) {
	s := open(t, at(filepath.Join(t.TempDir(), "order's 100% ?#&.db")))
	appended(t, s, "a")
	require.FileExists(t, s.path)
}

func TestCloseFinishesQueuedWritesAndThenRefuses(t *testing.T) {
	before := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, before) }) // after the other cleanups
	s := open(t)
	release := hold(t, s)
	queued := make(chan error, 3)
	for _, id := range []string{"a", "b", "c"} {
		go func() {
			_, err := s.Append(t.Context(), webhook(id))
			queued <- err
		}()
	}
	waitQueued(t, s, 3)
	closed := make(chan error, 1)
	go func() { closed <- s.Close() }()
	release()
	for range 3 {
		require.NoError(t, <-queued)
	}
	require.NoError(t, <-closed)

	_, err := s.Append(t.Context(), webhook("d"))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.Ready(t.Context()), ErrClosed)
	require.EqualValues(t, 3, one[int64](t, second(t, s.path), `SELECT count(*) FROM events`))
}

func TestACleanStopLeavesOnlyTheDatabase(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	stop(t, s)
	require.NoFileExists(t, s.path+"-wal")
	require.NoFileExists(t, s.path+"-shm")
	require.NoError(t, s.Close(), "closing again does nothing")
}

func TestReadyMakesAWrite(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	for range 2 {
		clock.at = clock.at.Add(time.Second)
		require.NoError(t, s.Ready(t.Context()))
		require.Equal(t, micros(clock.at), one[int64](t, second(t, s.path), `SELECT value FROM meta WHERE key = 'ready'`))
	}
}

func TestWatchersHearOfTheirTopicsAndSeveralChangesAreOne(t *testing.T) {
	s := open(t)
	told := func() { require.NoError(t, s.Ready(t.Context())) } // a group starts when all are told of the one before
	events, stopEvents := s.Watch(Events)
	deliveries, stopDeliveries := s.Watch(Deliveries)
	defer stopDeliveries()
	appended(t, s, "a")
	appended(t, s, "b")
	told()
	require.Len(t, events, 1)
	require.Empty(t, deliveries)

	<-events
	stopEvents()
	appended(t, s, "c")
	intake(t, s, order(1, 1))
	told()
	require.Empty(t, events, "a cancelled watcher hears nothing")
	require.Len(t, deliveries, 1)
}
