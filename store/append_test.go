package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestWhatAppendReturnedFromIsCommitted(t *testing.T) {
	s := open(t)
	other := second(t, s.path)
	for i := range 20 {
		e := appended(t, s, fmt.Sprint("w", i))
		require.Equal(t, e.WebhookID, one[string](t, other, `SELECT webhook_id FROM events WHERE id = $1`, e.ID))
		require.Equal(t, 1, one[int](t, other, `SELECT count(*) FROM bodies WHERE event_id = $1`, e.ID))
	}
}

func TestWhatAppendReturnedFromSurvivesACrash(t *testing.T) {
	s := open(t)
	e := appended(t, s, "a")
	e.Size = int64(len(e.Body))
	kept, err := open(t, at(crash(t, s))).Event(t.Context(), e.ID)
	require.NoError(t, err)
	require.Equal(t, *e, kept)
}

func TestEveryConnectionSyncsFully(t *testing.T) {
	s := open(t)
	require.Equal(t, 2, one[int](t, s.control, `PRAGMA synchronous`))
	require.NoError(t, s.writer.apply(t.Context(), 0, func(x *tx) error {
		var level int
		require.NoError(t, x.queryRow(`PRAGMA synchronous`).Scan(&level))
		require.Equal(t, 2, level)
		return nil
	}))
	require.Equal(t, "wal", one[string](t, s.control, `PRAGMA journal_mode`))
}

func TestAReaderNeverSkipsAnEventThatIsCommittedLater(t *testing.T) {
	const writers, each = 16, 25
	s := open(t)
	var writing sync.WaitGroup
	for w := range writers {
		writing.Go(func() {
			for i := range each {
				_, err := s.Append(t.Context(), webhook(fmt.Sprint(w, "-", i)))
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	for seen := 0; seen < writers*each; {
		events, err := s.PendingEvents(t.Context(), 1000)
		require.NoError(t, err)
		require.GreaterOrEqual(t, len(events), seen, "what was there once stays")
		for i, e := range events {
			require.EqualValues(t, i+1, e.ID, "ids follow each other without holes")
		}
		seen = len(events)
	}
	writing.Wait()
}

func TestAFullQueueIsBusyAtOnce(t *testing.T) {
	for name, limit := range map[string]func(*Options){
		"of rows":  func(o *Options) { o.QueueRows = 2 },
		"of bytes": func(o *Options) { o.QueueBytes = 2 * (256 + 60) },
	} {
		t.Run(name, func(t *testing.T) {
			s := open(t, limit)
			release := hold(t, s)
			done := make(chan error, 2)
			for _, id := range []string{"a", "b"} {
				go func() {
					_, err := s.Append(t.Context(), webhook(id))
					done <- err
				}()
			}
			waitQueued(t, s, 2)
			_, err := s.Append(t.Context(), webhook("c"))
			require.ErrorIs(t, err, ErrBusy)
			release()
			require.NoError(t, <-done)
			require.NoError(t, <-done)

			_, bytes := s.Queued()
			require.Zero(t, bytes, "what is stored is not queued")
			appended(t, s, "c")
		})
	}
}

func TestAWriteThatWaitsForRoomGivesUpWithItsContext(t *testing.T) {
	s := open(t, func(o *Options) { o.QueueRows = 1 })
	release := hold(t, s)
	queued := make(chan error, 1)
	go func() {
		_, err := s.Append(t.Context(), webhook("a"))
		queued <- err
	}()
	waitQueued(t, s, 1)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.ErrorIs(t, s.Ready(ctx), context.Canceled)
	release()
	require.NoError(t, <-queued)
}

func TestAChangeThatFailsTakesBackItsOwnWritesOnly(t *testing.T) {
	s := open(t)
	release := hold(t, s)
	broken := errors.New("broken")
	results := make(chan error, 2)
	go func() { _, err := s.Append(t.Context(), webhook("a")); results <- err }()
	waitQueued(t, s, 1)
	failed := make(chan error, 1)
	go func() {
		failed <- s.writer.apply(t.Context(), 0, func(x *tx) error {
			require.NoError(t, x.exec(`INSERT INTO meta (key, value) VALUES ('half', 'done')`))
			return broken
		})
	}()
	waitQueued(t, s, 2)
	go func() { results <- s.AskAgain(t.Context(), Refetch{OrderKey: OrderKey{"acme", 1}}) }()
	waitQueued(t, s, 3)
	release()

	require.ErrorIs(t, <-failed, broken)
	require.NoError(t, <-results)
	require.NoError(t, <-results)
	other := second(t, s.path)
	require.Equal(t, 1, one[int](t, other, `SELECT count(*) FROM events`))
	require.Equal(t, 1, one[int](t, other, `SELECT count(*) FROM refetches`))
	require.Zero(t, one[int](t, other, `SELECT count(*) FROM meta WHERE key = 'half'`))
}

func TestPendingEventsComeWithoutABodyThatIsGoneOrDamaged(t *testing.T) {
	s := open(t)
	gone, damaged, whole := appended(t, s, "a"), appended(t, s, "b"), appended(t, s, "c")
	require.NoError(t, s.ApplyIntake(t.Context(), Intake{At: noon, Forget: []int64{gone.ID}}))
	_, err := second(t, s.path).Exec(`UPDATE bodies SET body = x'ff00' WHERE event_id = $1`, damaged.ID)
	require.NoError(t, err)

	events, err := s.PendingEvents(t.Context(), 10)
	require.NoError(t, err)
	require.Len(t, events, 3)
	require.Nil(t, events[0].Body)
	require.Nil(t, events[1].Body)
	require.Equal(t, whole.Body, events[2].Body)
}
