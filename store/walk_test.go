package store

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// sqlText is a literal of the source that is a query, or a part of one.
var sqlText = regexp.MustCompile(`\b(SELECT|INSERT INTO|UPDATE|DELETE FROM|FROM|JOIN|WHERE|ORDER BY)\b`)

// unwalked are queries that no reader and no group of the writer makes, by what
// they hold, and why their plans don't matter.
var unwalked = map[string]string{
	"encryption_key":                "once, as the store is opened: one row of a small table",
	"search_key":                    "once, as the store is opened: one row of a small table",
	"verify_first":                  "once, by a restored copy",
	"VALUES ($1, CAST($2 AS TEXT))": "moments that are noted now and then, on a connection of their own",
	"key = 'folded'":                "once, as the store is opened: the webhooks that are not in the index yet",
	"sqlite_version()":              "reads no table",
}

// Whoever adds a query has the walk make it, so that its plan is looked at.
func TestTheWalkMakesEveryQueryOfTheSource(t *testing.T) {
	var heard strings.Builder
	for query := range allQueries(t, open(t)) {
		heard.WriteString(parameter.ReplaceAllString(query, "?") + "\n")
	}
	for place, text := range queriesInSource(t) {
		for part := range strings.SplitSeq(text, "%s") {
			if sqlText.MatchString(part) && !strings.Contains(heard.String(), parameter.ReplaceAllString(part, "?")) && !isUnwalked(part) {
				t.Errorf("%s: the walk does not make\n%s", place, part)
			}
		}
	}
}

func isUnwalked(text string) bool {
	for part := range unwalked {
		if strings.Contains(text, part) {
			return true
		}
	}
	return false
}

// queriesInSource are the SQL texts of this package, by where they stand.
func queriesInSource(t *testing.T) map[string]string {
	t.Helper()
	all, set := map[string]string{}, token.NewFileSet()
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			literal, is := n.(*ast.BasicLit)
			if !is || literal.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(literal.Value)
			require.NoError(t, err)
			if sqlText.MatchString(text) {
				all[set.Position(literal.Pos()).String()] = text
			}
			return true
		})
	}
	require.Greater(t, len(all), 100)
	return all
}
