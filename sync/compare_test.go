package ordersync

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gapless/store"
)

// seq gives a side's elements, and an error at its end if there is one.
func seq[T any](all []T, err error) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, x := range all {
			if !yield(x, nil) {
				return
			}
		}
		if err != nil {
			var zero T
			yield(zero, err)
		}
	}
}

// merged is what merge makes of three sides.
func merged(t testing.TB, heads []entry, known []store.Standing, docs []entry) (all []line) {
	for l, err := range merge(seq(heads, nil), seq(known, nil), seq(docs, nil)) {
		require.NoError(t, err)
		all = append(all, l)
	}
	return all
}

// Merging three sorted sides is looking up, for each order that any of them names,
// what each says of it.
func TestMergeIsALookUpOfEachOrderInEachSide(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		entries := func(label string, names int) []entry {
			return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) entry {
				return entry{order: rapid.Int64Range(1, 12).Draw(t, "order"), name: fmt.Sprint("n", rapid.IntRange(1, names).Draw(t, "name")),
					updated: epoch.Add(time.Duration(rapid.IntRange(0, 3).Draw(t, "updated")) * time.Second), cancelled: rapid.Bool().Draw(t, "cancelled")}
			}), 0, 20).Draw(r, label)
		}
		heads, docs := entries("heads", 1), entries("docs", 3)
		ids := rapid.SliceOfDistinct(rapid.Int64Range(1, 12), rapid.ID).Draw(r, "known")
		slices.Sort(ids)
		var known []store.Standing
		for _, id := range ids {
			known = append(known, store.Standing{OrderKey: store.OrderKey{Shop: "acme", ID: id}})
		}
		got := merged(t, spooled(t, 5, heads), known, spooled(t, 5, docs))

		named := map[int64]bool{}
		for _, e := range slices.Concat(heads, docs) {
			named[e.order] = true
		}
		for _, id := range ids {
			named[id] = true
		}
		want := slices.Sorted(maps.Keys(named))
		require.Len(t, got, len(want))
		for i, id := range want {
			l := got[i]
			require.Equal(t, id, l.id)
			require.Equal(t, newestByName(heads, id)["n1"], valueOf(l.head))
			require.Equal(t, slices.Contains(ids, id), l.known != nil && l.known.ID == id)
			told := map[string]entry{}
			for _, d := range l.docs {
				told[d.name] = d
			}
			require.Len(t, told, len(l.docs), "each document once")
			require.Equal(t, newestByName(docs, id), told)
		}
	})
}

// newestByName is the newest that is said of an order under each name; of two of
// one moment the later.
func newestByName(all []entry, id int64) map[string]entry {
	newest := map[string]entry{}
	for _, e := range all {
		if have, ok := newest[e.name]; e.order == id && (!ok || !e.updated.Before(have.updated)) {
			newest[e.name] = e
		}
	}
	return newest
}

func valueOf(e *entry) entry {
	if e == nil {
		return entry{}
	}
	return *e
}

func TestMergeEndsWithTheFirstErrorOfAnySide(t *testing.T) {
	broken := errors.New("broken")
	for side := range 3 {
		errs := make([]error, 3)
		errs[side] = broken
		var last error
		n := 0
		heads, docs := []entry{{order: 1}, {order: 2}}, []entry{{order: 2}, {order: 3}}
		known := []store.Standing{{OrderKey: store.OrderKey{ID: 1}}}
		for _, err := range merge(seq(heads, errs[0]), seq(known, errs[1]), seq(docs, errs[2])) {
			if last = err; err == nil {
				n++
			}
		}
		require.ErrorIs(t, last, broken, "side %d", side)
		require.Less(t, n, 4)
	}
}

func TestMergeMayBeLeftEarly(t *testing.T) {
	for range merge(seq([]entry{{order: 1}, {order: 2}}, nil), seq[store.Standing](nil, nil), seq[entry](nil, nil)) {
		break
	}
	require.Empty(t, merged(t, nil, nil, nil))
}
