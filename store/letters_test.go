package store

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// posted keeps one letter for a channel, and returns it.
func posted(t *testing.T, s *Store, channel string) Letter {
	t.Helper()
	require.NoError(t, s.Told(t.Context(), []Letter{{Channel: channel, Kind: "report"}}, nil))
	return dueLetters(t, s, channel)[0]
}

func dueLetters(t *testing.T, s *Store, channel string) []Letter {
	t.Helper()
	due, err := s.DueLetters(t.Context(), channel, 10)
	require.NoError(t, err)
	return due
}

func TestALetterThatWasPartlyTakenIsKeptForThoseWhoAreLeft(t *testing.T) {
	clock := &clock{noon}
	path := filepath.Join(t.TempDir(), "gapless.db")
	s := open(t, at(path), func(o *Options) { o.Now = clock.now })
	l := posted(t, s, "email")
	require.Empty(t, l.To, "all")
	left := []string{"ann@example.com", `"a,b"@example.com`}
	require.NoError(t, s.LetterFailed(t.Context(), l.ID, left, noon.Add(time.Minute), "refused"))
	stop(t, s)

	clock.at = noon.Add(time.Hour)
	s = open(t, at(path), func(o *Options) { o.Now = clock.now })
	due := dueLetters(t, s, "email")
	require.Len(t, due, 1)
	require.Equal(t, []any{left, 1, "refused"}, []any{due[0].To, due[0].Tries, due[0].Error})
	n, _, err := s.UnsentLetters(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
}

func TestALetterThatIsGivenUpIsGone(t *testing.T) {
	s := open(t)
	l := posted(t, s, "slack")
	require.NoError(t, s.LetterFailed(t.Context(), l.ID, nil, noon, "busy"))
	require.NoError(t, s.GiveUpLetter(t.Context(), l.ID))
	waiting, err := s.WaitingChannels(t.Context())
	require.NoError(t, err)
	require.Empty(t, waiting)
	n, why, err := s.UnsentLetters(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{int64(0), ""}, []any{n, why})
}

func TestOfSeveralLettersThatWaitTheNewestReasonIsTold(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	for range 2 {
		posted(t, s, "email")
	}
	for i, why := range []string{"refused", "busy"} {
		clock.at = clock.at.Add(time.Minute)
		require.NoError(t, s.LetterFailed(t.Context(), int64(i+1), nil, clock.at.Add(time.Hour), why))
	}
	n, why, err := s.UnsentLetters(t.Context())
	require.NoError(t, err)
	require.Equal(t, []any{int64(2), "busy"}, []any{n, why})
}

func TestALetterThatWaitsDuringTheUpgradeIsForAll(t *testing.T) {
	path := filepath.Join(t.TempDir(), "gapless.db")
	db, err := sql.Open("sqlite", "file:"+path+"?mode=rwc"+pragmas)
	require.NoError(t, err)
	steps, err := migrations()
	require.NoError(t, err)
	require.NoError(t, applyMigrations(t.Context(), db, steps[:12]))
	_, err = db.Exec(`INSERT INTO letters (channel, kind, subject, text, html, data, made_at, next_at, tries, sent_at, error)
		VALUES ('email', 'report', 'All accounted for', '...', '', '{}', $1, $1, 3, 0, 'busy')`, micros(noon))
	require.NoError(t, err)
	require.NoError(t, db.Close())

	due := dueLetters(t, open(t, at(path)), "email")
	require.Len(t, due, 1)
	require.Equal(t, []any{"All accounted for", 3}, []any{due[0].Subject, due[0].Tries})
	require.Empty(t, due[0].To)
}

func TestPeopleHearFirstOfWhatTheyNeverHeardOf(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	untold := func(limit int) []Gap {
		t.Helper()
		gaps, err := s.Untold(t.Context(), clock.at, clock.at, limit)
		require.NoError(t, err)
		return gaps
	}
	orders := func(gaps []Gap) (ids []int64) {
		for _, g := range gaps {
			ids = append(ids, g.OrderID)
		}
		return ids
	}
	noted(t, s, missing(1), missing(2), missing(3))
	require.Equal(t, []int64{1, 2, 3}, orders(untold(10)), "oldest first")
	all := untold(10)
	for _, g := range []Gap{all[2], all[0], all[1]} {
		require.NoError(t, s.Told(t.Context(), nil, []Gap{g}))
		clock.at = clock.at.Add(time.Minute)
	}
	closeGap(t, s, all[0].ID, "poll")
	noted(t, s, missing(4), missing(5))
	require.Equal(t, []int64{4, 5}, orders(untold(2)))
	require.Equal(t, []int64{4, 5, 3, 1, 2}, orders(untold(10)))
}
