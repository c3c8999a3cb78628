package report

import (
	"archive/zip"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func zoneNamed(t testing.TB, name string) *time.Location {
	zone, err := time.LoadLocation(name)
	require.NoError(t, err)
	return zone
}

func TestDaysEndByTheShopsClock(t *testing.T) {
	for _, c := range []struct {
		zone, day string
		hours     float64
	}{
		{"Europe/Madrid", "2026-11-23", 24},
		{"Europe/Madrid", "2026-03-29", 23},
		{"Europe/Madrid", "2026-10-25", 25},
		{"America/Santiago", "2026-09-05", 24},
		{"America/Santiago", "2026-09-06", 23}, // its clock jumps from midnight to one
		{"America/Santiago", "2026-04-04", 25}, // and goes back from midnight to eleven
		{"America/Havana", "2026-03-08", 23},
		{"America/Havana", "2026-11-01", 25},
		{"Pacific/Apia", "2011-12-30", 0}, // it went over to the other side of the date line
	} {
		from, to, err := DayBounds(c.day, zoneNamed(t, c.zone))
		require.NoError(t, err)
		require.InDelta(t, c.hours, to.Sub(from).Hours(), 0, c.zone+" "+c.day)
	}
}

// allZones are those that Go brings along.
func allZones(t *testing.T) []string {
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	require.NoError(t, err)
	archive, err := zip.OpenReader(filepath.Join(strings.TrimSpace(string(root)), "lib", "time", "zoneinfo.zip"))
	require.NoError(t, err)
	defer archive.Close()
	var names []string
	for _, f := range archive.File {
		if !strings.HasSuffix(f.Name, "/") {
			names = append(names, f.Name)
		}
	}
	require.Greater(t, len(names), 500)
	return names
}

// The days of each zone follow one upon the other: no moment is between two of
// them, and none in both. Each begins when the zone's clocks first show its date.
func TestTheDaysOfEachZoneLeaveNoHoleAndDoNotOverlap(t *testing.T) {
	for _, name := range allZones(t) {
		zone := zoneNamed(t, name)
		for _, year := range []int{1995, 2007, 2011, 2026, 2027} {
			_, end, err := DayBounds(time.Date(year-1, 12, 31, 0, 0, 0, 0, time.UTC).Format(time.DateOnly), zone)
			require.NoError(t, err)
			for d := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); d.Year() == year; d = d.AddDate(0, 0, 1) {
				from, to, err := DayBounds(d.Format(time.DateOnly), zone)
				require.NoError(t, err)
				empty := from.Equal(to) && DateOf(from.In(zone)).After(d) // the zone skipped it
				if !from.Equal(end) || !empty && (!from.Before(to) || !DateOf(from.In(zone)).Equal(d)) || !DateOf(from.Add(-1).In(zone)).Before(d) {
					t.Fatalf("%s %s: from %s to %s, and the day before ended at %s", name, d.Format(time.DateOnly), from, to, end)
				}
				end = to
			}
		}
	}
}

func TestTheMomentOfTheReportIsWhatTheShopsClockShows(t *testing.T) {
	for _, c := range []struct{ zone, wall, want string }{
		{"Europe/Madrid", "2026-11-24T07:00:00Z", "2026-11-24T06:00:00Z"},
		{"Europe/Madrid", "2026-03-29T07:00:00Z", "2026-03-29T05:00:00Z"}, // an hour is missing since midnight
		{"Europe/Madrid", "2026-10-25T07:00:00Z", "2026-10-25T06:00:00Z"}, // and here there was one more
		{"Europe/Madrid", "2026-03-29T02:30:00Z", "2026-03-29T01:00:00Z"}, // the clock never shows it
		{"Europe/Madrid", "2026-10-25T02:30:00Z", "2026-10-25T00:30:00Z"}, // it does twice
	} {
		wall, err := time.Parse(time.RFC3339, c.wall)
		require.NoError(t, err)
		require.Equal(t, c.want, Shows(wall, zoneNamed(t, c.zone)).Format(time.RFC3339))
	}
}
