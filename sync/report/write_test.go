package report

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// go test ./sync/report -update writes the golden files anew.
var update = flag.Bool("update", false, "write the golden files in testdata anew")

func written(t testing.TB, r Report, format string) string {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.Write(&b, format))
	return b.String()
}

func TestTheFourFormats(t *testing.T) {
	for name, r := range map[string]Report{"balanced": balancedDay(), "gaps": gapsDay(), "incomplete": incompleteDay()} {
		for format, ending := range map[string]string{FormatText: "txt", FormatHTML: "html", FormatCSV: "csv", FormatJSON: "json"} {
			golden := filepath.Join("testdata", name+"."+ending)
			t.Run(golden, func(t *testing.T) {
				got := written(t, r, format)
				if *update {
					require.NoError(t, os.WriteFile(golden, []byte(got), 0o644))
				}
				want, err := os.ReadFile(golden)
				require.NoError(t, err)
				require.Equal(t, string(want), got)
			})
		}
	}
}

func TestAnUnknownFormatSaysWhichThereAre(t *testing.T) {
	var b bytes.Buffer
	err := balancedDay().Write(&b, "pdf")
	require.EqualError(t, err, `a report has no format "pdf"; choose text, html, csv or json`)
	require.Zero(t, b.Len())
}

// full is a disk without room.
type full struct{}

var errFull = errors.New("no space left on device")

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestAFailedWriteIsAnError(t *testing.T) {
	for _, format := range []string{FormatText, FormatHTML, FormatCSV, FormatJSON} {
		err := balancedDay().Write(full{}, format)
		require.ErrorIs(t, err, errFull, format)
		require.ErrorContains(t, err, format)
	}
}

func TestJSONReadsBackAsItWas(t *testing.T) {
	want := gapsDay()
	var got Report
	require.NoError(t, json.Unmarshal([]byte(written(t, want, FormatJSON)), &got))
	require.Equal(t, written(t, want, FormatJSON), written(t, got, FormatJSON))
	require.Equal(t, want.Headline(), got.Headline())
	require.True(t, want.Gaps[0].Total.Equal(got.Gaps[0].Total))
	require.True(t, want.Balance.Shopify.Money[1].Amount.Equal(got.Balance.Shopify.Money[1].Amount))
}

func TestJSONOfNothingHasEmptyListsAndNoTimesThatNeverWere(t *testing.T) {
	var got map[string]any
	require.NoError(t, json.Unmarshal([]byte(written(t, Report{}, FormatJSON)), &got))
	for _, list := range []string{"by_rule", "gaps", "notes", "amendments"} {
		require.Equal(t, []any{}, got[list], list)
	}
	require.Equal(t, []any{}, got["difference"].(map[string]any)["money"])
	require.NotContains(t, got, "complete_through")
	require.NotContains(t, got, "frozen_at")
}

func TestWhoIgnoresAGapAndWhyIsTold(t *testing.T) {
	r := gapsDay()
	for _, format := range []string{FormatText, FormatHTML} {
		require.Contains(t, written(t, r, format), "Ignored by ann: settled in cash, see the till.", format)
	}
	row := rowsOf(t, written(t, r, FormatCSV), "gap")[4]
	require.Equal(t, []string{"", "ann", "settled in cash, see the till"}, row[len(row)-3:])
	require.Contains(t, written(t, r, FormatJSON), `"reason": "settled in cash, see the till"`)

	r.Gaps[4].IgnoredBy, r.Gaps[4].Reason = "", "" // frozen before that was told
	require.Contains(t, written(t, r, FormatText), "Ignored.\n")
}

func TestADayThatWentVeryWrongIsShownInPart(t *testing.T) {
	r := gapsDay()
	for range mostGaps {
		r.Gaps = append(r.Gaps, gapsDay().Gaps[0])
	}
	for _, format := range []string{FormatText, FormatHTML} {
		require.Contains(t, written(t, r, format), "6 more are not shown here", format)
	}
	require.Len(t, rowsOf(t, written(t, r, FormatCSV), "gap"), mostGaps+6)
}
