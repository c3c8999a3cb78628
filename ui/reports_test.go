package ui

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

func TestTheCalendarTellsADayThatWasNotCheckedFromOneThatDoesNotAddUp(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	for _, r := range []store.Report{
		{Shop: "acme", Day: "2026-11-19", Balanced: true}, {Shop: "acme", Day: "2026-11-20"}, {Shop: "acme", Day: "2026-11-21", Partial: true},
		{Shop: "acme", Day: "2026-11-22", Partial: true}, {Shop: "acme", Day: "2026-11-22", Balanced: true}, // checked once more
	} {
		r.Content = json.RawMessage(`{}`)
		require.NoError(t, s.store.SaveReport(t.Context(), &r))
	}
	page := s.html("GET", "/reports?shop=acme", "").body
	for _, label := range []string{"19 November: balanced", "20 November: not balanced", "21 November: not checked whole", "22 November: balanced", "18 November: no report"} {
		require.Contains(t, page, `aria-label="`+label+`"`)
	}
}

func TestTheDayOfAShopBeginsWhenItsClockFirstShowsIt(t *testing.T) {
	for _, c := range []struct{ zone, now, want string }{
		{"Europe/Madrid", "2026-11-23T12:00:00Z", "2026-11-22T23:00:00Z"},
		{"Europe/Madrid", "2026-11-22T23:00:00Z", "2026-11-22T23:00:00Z"},
		{"America/Santiago", "2026-09-06T03:59:59Z", "2026-09-05T04:00:00Z"},
		{"America/Santiago", "2026-09-06T12:00:00Z", "2026-09-06T04:00:00Z"}, // the clock jumped from midnight to one
		{"", "2026-11-23T12:00:00Z", "2026-11-23T00:00:00Z"},                 // not known yet
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		require.NoError(t, err)
		begins := clockOf(store.Shop{Timezone: c.zone}, now).midnight()
		require.Equal(t, c.want, begins.UTC().Format(time.RFC3339), c)
		require.Equal(t, begins.Format(time.DateOnly), now.In(begins.Location()).Format(time.DateOnly), "it has the date of that day")
	}
}
