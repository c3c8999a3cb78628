package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"html"
	"regexp"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

// names that no shop should have and some will.
var hostile = map[string]string{
	"script":            `<script>alert(1)</script><img src=x onerror=alert(1)>`,
	"attribute":         `" onmouseover="alert(1)" style="`,
	"template":          `{{.Headline}}`,
	"right to left":     "\u202e1001#\u2066\u200f\u061c",
	"Hebrew":            "#\u05d0\u05d1\u05d2 12",
	"control":           "\x1b[2J\x00\a\b#1\r\n=cmd",
	"not UTF-8":         "#\xff\xfe1",
	"line separators":   "#1\u2028#2\u2029#3\u0085#4",
	"10 KB":             strings.Repeat("#1001 ", 1700),
	"formula":           `=HYPERLINK("https://example.com";"x")`,
	"behind a quote":    `  "'=1+1`,
	"behind semicolon":  `#1; "=1+1`,
	"byte order mark":   "\ufeff=1+1",
	"tab":               "\t=1+1",
	"combining marks":   "#1" + strings.Repeat("\u0335", 500),
	"JSON inside":       `","total":"0`,
	"ends in backslash": `#1\`,
}

func hostileDay(name string) Report {
	r := gapsDay()
	r.Gaps[0].Order, r.Gaps[0].CauseText, r.Gaps[0].Cause = name, name, name
	r.Gaps[1].Kind, r.Gaps[1].State, r.Gaps[1].FoundBy, r.Gaps[1].Currency = name, name, name, name
	r.Gaps[4].Shop, r.Gaps[4].Subject, r.Gaps[4].IgnoredBy, r.Gaps[4].Reason = name, name, name, name
	r.Gaps[5].HealedBy = name
	r.Shop, r.Day, r.Timezone = name, name, name
	r.ByRule = []Excluded{{name, tally(1, name, "1")}}
	r.Notes, r.Unchecked = []string{name}, name
	r.Amendments = []Amendment{{clock22(1, 0), name}}
	return r
}

func TestHostileNamesAreHarmless(t *testing.T) {
	for what, name := range hostile {
		t.Run(what, func(t *testing.T) {
			r := hostileDay(name)
			text := written(t, r, FormatText)
			requireVisible(t, text)
			require.Less(t, len(text), 12_000)

			page := written(t, r, FormatHTML)
			requireVisible(t, page)
			requireOwnTags(t, page)

			for _, row := range csvOf(t, written(t, r, FormatCSV)) {
				for _, cell := range row {
					requireHarmless(t, cell)
				}
			}

			var back Report
			require.NoError(t, json.Unmarshal([]byte(written(t, r, FormatJSON)), &back))
			require.Equal(t, strings.ToValidUTF8(name, "\uFFFD"), strings.ReplaceAll(back.Gaps[0].Order, "\uFFFD\uFFFD", "\uFFFD"))
		})
	}
}

func requireVisible(t testing.TB, text string) {
	t.Helper()
	require.True(t, utf8.ValidString(text))
	at := strings.IndexFunc(text, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) })
	require.Negative(t, at, "something that can't be seen is in %q", text)
}

var (
	tag   = regexp.MustCompile(`<[^>]*>`)
	style = regexp.MustCompile(` style="[^"<>]*"`)
)

// requireOwnTags strips the styles and compares each tag with the template's own.
func requireOwnTags(t testing.TB, page string) {
	t.Helper()
	own := map[string]bool{}
	for _, found := range tag.FindAllString(written(t, gapsDay(), FormatHTML)+written(t, balancedDay(), FormatHTML), -1) {
		own[style.ReplaceAllString(found, "")] = true
	}
	for _, found := range tag.FindAllString(page, -1) {
		require.True(t, own[style.ReplaceAllString(found, "")], "%s is not from the template", found)
	}
}

func TestHTMLLoadsAndRunsNothing(t *testing.T) {
	page := written(t, gapsDay(), FormatHTML)
	for _, no := range []string{"<script", "<link", "<style", "<img", "<iframe", "src=", "href=", "url(", "http:", "https:", "@import"} {
		require.NotContains(t, page, no)
	}
	require.Contains(t, page, `content="light dark"`)
}

// What one shows the other shows too.
func TestTextAndHTMLSayTheSame(t *testing.T) {
	for _, r := range []Report{balancedDay(), gapsDay(), incompleteDay()} {
		said := html.UnescapeString(tag.ReplaceAllString(written(t, r, FormatHTML), " "))
		words := strings.Join(strings.Fields(said), " ")
		for _, line := range strings.Split(written(t, r, FormatText), "\n") {
			for _, part := range regexp.MustCompile(`\s{2,}`).Split(strings.TrimSpace(line), -1) {
				for _, piece := range strings.Split(part, ", ") {
					require.Contains(t, words, piece)
				}
			}
		}
	}
}

func csvOf(t testing.TB, text string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	require.NoError(t, err)
	require.Equal(t, columns, rows[0])
	for _, row := range rows {
		require.Len(t, row, len(columns))
	}
	return rows
}

func rowsOf(t testing.TB, text, section string) [][]string {
	t.Helper()
	var rows [][]string
	for _, row := range csvOf(t, text) {
		if row[3] == section {
			rows = append(rows, row)
		}
	}
	return rows
}

// requireHarmless looks at a cell as spreadsheets do, in a country with decimal
// points and in one with decimal commas, where a semicolon begins a cell.
func requireHarmless(t testing.TB, cell string) {
	t.Helper()
	requireVisible(t, cell)
	require.NotContains(t, cell, "\n")
	if negative.MatchString(cell) {
		return
	}
	for _, part := range strings.Split(cell, ";") {
		if strings.HasPrefix(part, "'") {
			continue
		}
		bare := strings.TrimLeft(part, " \"'`")
		require.False(t, strings.IndexAny(bare, "=+-@＝＋－＠") == 0, "%q would be computed", cell)
	}
}

func FuzzCells(f *testing.F) {
	for _, name := range hostile {
		f.Add(name)
	}
	for _, text := range []string{"-12.50", "-", "-1-1", "+34 600 000 000", "@SUM(A1)", "＝1+1", "", "'", "a;-5", "-5"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got := cell(text)
		requireHarmless(t, got)
		if cell(got) != got && !strings.HasPrefix(got, "'") && !strings.Contains(got, ";'") {
			t.Fatalf("%q changes again to %q", got, cell(got))
		}
		var b bytes.Buffer
		if err := (Report{Shop: text, Gaps: []Gap{{Order: text, CauseText: text}}}).Write(&b, FormatCSV); err != nil {
			t.Fatal(err)
		}
		for _, row := range csvOf(t, b.String()) {
			for _, cell := range row {
				requireHarmless(t, cell)
			}
		}
	})
}

func TestCells(t *testing.T) {
	for text, want := range map[string]string{
		"=1+1":           "'=1+1",
		"+34 600":        "'+34 600",
		"@SUM(A1)":       "'@SUM(A1)",
		"-12.50":         "-12.50",
		"-1-1":           "'-1-1",
		"-1e9":           "'-1e9",
		"\t=1+1":         "'=1+1",
		"\r\n=1+1":       "'=1+1",
		`"=1+1"`:         `'"=1+1"`,
		"' =1+1":         "'' =1+1",
		"#1;=1+1":        "#1;'=1+1",
		"#1001":          "#1001",
		"Müller, a-b=c":  "Müller, a-b=c",
		"":               "",
		"118.40":         "118.40",
		"\u200b=1":       "\uFFFD=1",
		"webhook_refuse": "webhook_refuse",
	} {
		require.Equal(t, want, cell(text), "%q", text)
	}
}

func TestSpans(t *testing.T) {
	for seconds, want := range map[int64]string{
		0: "0 s", 59: "59 s", 60: "1 min", 95: "1 min 35 s", 3600: "1 h", 7500: "2 h 5 min", 86399: "23 h 59 min", 86400: "1 d", 100000: "1 d 3 h",
	} {
		require.Equal(t, want, span(seconds))
	}
}
