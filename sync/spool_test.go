package ordersync

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

// spooled is what a spool that keeps few entries in memory gives back.
func spooled(t testing.TB, most int, entries []entry) []entry {
	s := newSpool()
	s.most = most
	defer func() { require.NoError(t, s.close()) }()
	for _, e := range entries {
		require.NoError(t, s.add(e))
	}
	require.Len(t, s.runs, len(entries)/most)
	return drained(t, s)
}

func drained(t testing.TB, s *spool) (all []entry) {
	for e, err := range s.sorted() {
		require.NoError(t, err)
		all = append(all, e)
	}
	return all
}

func someEntry() *rapid.Generator[entry] {
	return rapid.Custom(func(t *rapid.T) entry {
		text := rapid.StringN(-1, -1, 40)
		at := func(label string) time.Time { return fromMicro(rapid.Int64Range(0, 1<<55).Draw(t, label)) }
		return entry{
			order: rapid.OneOf(rapid.Int64Range(1, 20), rapid.Int64()).Draw(t, "order"),
			name:  text.Draw(t, "name"), version: text.Draw(t, "version"), total: text.Draw(t, "total"), currency: text.Draw(t, "currency"),
			created: at("created"), updated: at("updated"), cancelled: rapid.Bool().Draw(t, "cancelled"),
		}
	})
}

// However little fits into memory, a spool is a stable sort.
func TestASpoolGivesEverythingBackSorted(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		entries := rapid.SliceOfN(someEntry(), 0, 60).Draw(r, "entries")
		most := rapid.SampledFrom([]int{1, 2, 7, 100}).Draw(r, "most")
		want := slices.Clone(entries)
		slices.SortStableFunc(want, func(a, b entry) int { return cmp.Compare(a.order, b.order) })
		got := spooled(t, most, entries)
		require.Len(t, got, len(want))
		for i := range want {
			require.Equal(t, want[i], got[i])
		}
	})
}

func TestASpoolMayBeReadTwiceAndLeftEarly(t *testing.T) {
	s := newSpool()
	s.most = 3
	defer s.close()
	for id := range int64(10) {
		require.NoError(t, s.add(entry{order: 10 - id}))
	}
	for e, err := range s.sorted() {
		require.NoError(t, err)
		require.EqualValues(t, 1, e.order)
		break
	}
	require.Len(t, drained(t, s), 10)
	require.Len(t, drained(t, s), 10)
}

func TestASpoolLeavesNoFileBehind(t *testing.T) {
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	s := newSpool()
	s.most = 2
	for id := range int64(9) {
		require.NoError(t, s.add(entry{order: id}))
	}
	require.Len(t, s.runs, 4)
	left, err := os.ReadDir(folder)
	require.NoError(t, err)
	require.Empty(t, left, "not even while it is used: a process that is killed leaves none")
	require.NoError(t, s.close())
}

func TestASpoolThatHasNoRoomSaysWhatToDo(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir()+"/none")
	s := newSpool()
	s.most = 1
	require.ErrorContains(t, s.add(entry{order: 1}), "see that the folder for temporary files can be written")
}

// A file that does not hold what was written must not look like a shorter list:
// its orders would be missing.
func TestADamagedSpoolIsAnErrorAndNeverAShorterList(t *testing.T) {
	whole := func() *spool {
		s := newSpool()
		s.most = 4
		for id := range int64(10) {
			require.NoError(t, s.add(entry{order: id, name: fmt.Sprint("#", id), version: "v", total: "1.00", currency: "EUR", created: epoch, updated: epoch}))
		}
		return s
	}
	s := whole()
	size, err := s.runs[0].file.Seek(0, 2)
	require.NoError(t, err)
	require.NoError(t, s.close())
	for cut := range size {
		s := whole()
		require.NoError(t, s.runs[0].file.Truncate(cut))
		requireDamaged(t, s, fmt.Sprint("cut to ", cut))
	}
	for name, damage := range map[string][]byte{
		"a size beyond the file": {255, 255, 0, 0}, "a size beyond all reason": {255, 255, 255, 255}, "no size": {0, 0, 0, 0}, "a size too small": {1, 0, 0, 0},
	} {
		s := whole()
		_, err := s.runs[1].file.WriteAt(damage, 0)
		require.NoError(t, err)
		requireDamaged(t, s, name)
	}
}

func requireDamaged(t *testing.T, s *spool, how string) {
	t.Helper()
	defer s.close()
	var failed error
	for _, err := range s.sorted() {
		failed = err
	}
	require.ErrorIs(t, failed, errSpool, how)
}

func FuzzReadEntry(f *testing.F) {
	f.Add(entry{order: 1, name: "#1", version: "v", total: "1.00", currency: "EUR", created: epoch, updated: epoch, cancelled: true}.append(nil))
	f.Add([]byte{4, 0, 0, 0, 1, 255, 255, 255})
	f.Fuzz(func(t *testing.T, written []byte) {
		e, _, err := readEntry(bufio.NewReader(bytes.NewReader(written)), nil)
		if err != nil {
			return
		}
		again, _, err := readEntry(bufio.NewReader(bytes.NewReader(e.append(nil))), nil)
		require.NoError(t, err)
		require.Equal(t, e, again)
	})
}
