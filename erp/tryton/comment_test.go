package tryton

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestCommentKeepsWhatPeopleWrote(t *testing.T) {
	m := mark{"2026-11-23T10:00:00Z-ab12", "0123456789abcdef"}
	for _, c := range []struct{ people, note string }{
		{"", ""}, {"", "leave at the door"}, {"call first\n\nthen ship", ""}, {"call first", "two\nlines"},
	} {
		people, back := readComment(writeComment(c.people, c.note, m))
		require.Equal(t, c.people, people)
		require.Equal(t, m, back)
	}
}

func TestCommentWithoutOurBlock(t *testing.T) {
	people, m := readComment("a person wrote this\nand took ours away")
	require.Equal(t, "a person wrote this\nand took ours away", people)
	require.Empty(t, m)
	people, m = readComment("mine\n" + blockStart + "\nhalf a block")
	require.Equal(t, "mine", people)
	require.Empty(t, m)
}
