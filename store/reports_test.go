package store

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func report(t testing.TB, s *Store, day, content string) Report {
	t.Helper()
	r := Report{Shop: "acme", Day: day, Balanced: content == `{"n":1}`, Content: json.RawMessage(content)}
	require.NoError(t, s.SaveReport(t.Context(), &r))
	return r
}

func TestAReportIsAmendedByARevisionAndTheOldOneStays(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	frozen := report(t, s, "2026-11-22", `{"n":1}`)
	require.Equal(t, Report{Shop: "acme", Day: "2026-11-22", Revision: 1, MadeAt: noon, Balanced: true, Content: json.RawMessage(`{"n":1}`)}, frozen)
	clock.at = noon.Add(time.Hour)
	amended := report(t, s, "2026-11-22", `{"n":2}`)
	require.Equal(t, 2, amended.Revision)
	require.Equal(t, 1, report(t, s, "2026-11-23", `{"n":3}`).Revision, "each day counts for itself")
	foreign := Report{Shop: "beta", Day: "2026-11-22", Content: json.RawMessage(`{}`)}
	require.NoError(t, s.SaveReport(t.Context(), &foreign))
	require.Equal(t, 1, foreign.Revision)

	newest, err := s.Report(t.Context(), "acme", "2026-11-22")
	require.NoError(t, err)
	require.Equal(t, amended, newest)
	require.Equal(t, `{"n":1}`, one[string](t, s.readers, `SELECT report FROM reports WHERE shop = 'acme' AND day = '2026-11-22' AND revision = 1`))
	_, err = s.Report(t.Context(), "acme", "2026-11-21")
	require.ErrorIs(t, err, ErrNotFound)
}

func TestAReportAndItsLettersAreKeptTogetherOrNotAtAll(t *testing.T) {
	s := open(t)
	r := Report{Shop: "acme", Day: "2026-11-22", Content: json.RawMessage(`{}`)}
	letter := Letter{Channel: "mail", Kind: "report", Subject: "All accounted for", Text: "...", Data: json.RawMessage(`{}`)}
	_, err := second(t, s.path).Exec(`CREATE TRIGGER full BEFORE INSERT ON reports BEGIN SELECT RAISE(ABORT, 'disk is full'); END`)
	require.NoError(t, err)
	require.ErrorContains(t, s.SaveReport(t.Context(), &r, letter), "full")
	due, err := s.DueLetters(t.Context(), "mail", 10)
	require.NoError(t, err)
	require.Empty(t, due)
	_, err = second(t, s.path).Exec(`DROP TRIGGER full`)
	require.NoError(t, err)
	require.NoError(t, s.SaveReport(t.Context(), &r, letter))
	due, err = s.DueLetters(t.Context(), "mail", 10)
	require.NoError(t, err)
	letter.ID, letter.MadeAt = 1, noon
	require.Equal(t, []Letter{letter}, due)
}

func TestReportsOfSomeDaysAreTheNewestRevisionsNewestDayFirst(t *testing.T) {
	s := open(t)
	for _, day := range []string{"2026-11-20", "2026-11-21", "2026-11-21", "2026-11-22", "2026-11-23"} {
		report(t, s, day, `{"of":"`+day+`"}`)
	}
	list, err := s.Reports(t.Context(), "acme", "2026-11-21", "2026-11-22")
	require.NoError(t, err)
	require.Len(t, list, 2)
	require.Equal(t, []any{"2026-11-22", 1, "2026-11-21", 2}, []any{list[0].Day, list[0].Revision, list[1].Day, list[1].Revision})
	list, err = s.Reports(t.Context(), "beta", "2026-11-21", "2026-11-22")
	require.NoError(t, err)
	require.Empty(t, list)
}

func TestDaysWhoseNewestReportIsPartialAreListed(t *testing.T) {
	s := open(t)
	for _, r := range []Report{
		{Day: "2026-11-20", Partial: true}, {Day: "2026-11-21", Partial: true}, {Day: "2026-11-21"}, {Day: "2026-11-22", Partial: true}, {Day: "2026-11-23"},
	} {
		r.Shop, r.Content = "acme", json.RawMessage(`{}`)
		require.NoError(t, s.SaveReport(t.Context(), &r))
	}
	days, err := s.PartialReports(t.Context(), "acme", "2026-11-01")
	require.NoError(t, err)
	require.Equal(t, []string{"2026-11-20", "2026-11-22"}, days)
	days, err = s.PartialReports(t.Context(), "acme", "2026-11-21")
	require.NoError(t, err)
	require.Equal(t, []string{"2026-11-22"}, days)
}
