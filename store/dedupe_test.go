package store

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestOfOneWebhookSentManyTimesAtOnceOneIsStored(t *testing.T) {
	const times = 20
	s := open(t)
	release := hold(t, s) // so that all are in one group
	duplicates := make(chan bool, times)
	for range times {
		go func() {
			duplicate, err := s.Append(t.Context(), webhook("a"))
			if err != nil {
				t.Error(err)
			}
			duplicates <- duplicate
		}()
	}
	waitQueued(t, s, times)
	release()
	fresh := 0
	for range times {
		if !<-duplicates {
			fresh++
		}
	}
	require.Equal(t, 1, fresh)
	require.Equal(t, 1, one[int](t, second(t, s.path), `SELECT count(*) FROM events`))
}

func TestAWebhookIsKnownInLaterGroupsAndAfterAnyStop(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	requireDuplicate(t, s, "a")

	requireDuplicate(t, open(t, at(crash(t, s))), "a")

	stop(t, s)
	s = open(t, at(s.path))
	require.Equal(t, 1, one[int](t, s.readers, `SELECT count(*) FROM seen`), "a clean stop folds")
	requireDuplicate(t, s, "a")
	requireDuplicate(t, open(t, at(crash(t, s))), "a")
}

func TestAnotherShopsEqualWebhookIDIsNoDuplicate(t *testing.T) {
	s := open(t)
	appended(t, s, "a")
	e := webhook("a")
	e.Shop = "other"
	duplicate, err := s.Append(t.Context(), e)
	require.NoError(t, err)
	require.False(t, duplicate)
}

func TestEventsWithoutAWebhookIDAreNeverDuplicates(t *testing.T) {
	s := open(t)
	appended(t, s, "")
	appended(t, s, "")
}

// foldsOften makes a store fold every few webhooks, in small slices.
func foldsOften(s *Store) *Store {
	s.writer.dedup.limit, s.writer.dedup.slice = 4, 2
	return s
}

func TestEveryWebhookIsKnownAtEachStepOfAFoldAndAfterACrashThere(t *testing.T) {
	s := foldsOften(open(t))
	for i := range 15 {
		appended(t, s, fmt.Sprint(i))
		crashed := foldsOften(open(t, at(crash(t, s))))
		for known := range i + 1 {
			requireDuplicate(t, crashed, fmt.Sprint(known))
		}
		appended(t, crashed, fmt.Sprint(i+1))
		stop(t, crashed)
	}
	require.NotZero(t, one[int](t, s.readers, `SELECT count(*) FROM seen`), "it folded")
	for i := range 15 {
		requireDuplicate(t, s, fmt.Sprint(i))
	}
}

// lose makes the writer's next group fail as a whole.
func lose(ctx context.Context, s *Store) error {
	return s.writer.apply(ctx, 0, func(x *tx) error {
		return errors.Join(x.exec(`ROLLBACK`), errors.New("lost"))
	})
}

func TestAWebhookOfALostGroupIsNotRemembered(t *testing.T) {
	s := open(t)
	release := hold(t, s)
	lost := make(chan error, 2)
	go func() { _, err := s.Append(t.Context(), webhook("a")); lost <- err }()
	waitQueued(t, s, 1)
	go func() { lost <- lose(t.Context(), s) }()
	waitQueued(t, s, 2)
	release()
	require.ErrorContains(t, <-lost, "lost")
	require.ErrorContains(t, <-lost, "lost")
	require.Zero(t, one[int](t, second(t, s.path), `SELECT count(*) FROM events`))

	require.EqualValues(t, 1, appended(t, s, "a").ID)
	requireDuplicate(t, s, "a")
}

func TestAFoldGoesOnAfterALostGroup(t *testing.T) {
	s := foldsOften(open(t))
	for i := range 20 {
		appended(t, s, fmt.Sprint(i))
		require.Error(t, lose(t.Context(), s))
		for known := range i + 1 {
			requireDuplicate(t, s, fmt.Sprint(known))
		}
	}
	stop(t, s)
	s = open(t, at(s.path))
	require.Equal(t, 20, one[int](t, s.readers, `SELECT count(*) FROM seen`))
	for i := range 20 {
		requireDuplicate(t, s, fmt.Sprint(i))
	}
}
