package store

import (
	"bytes"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func keyed(key []byte) func(*Options) { return func(o *Options) { o.Key = key } }

func TestWithAKeyNoFileHoldsPlainText(t *testing.T) {
	s := open(t, keyed(key32(1)))
	secret := noiseText(400)
	e := webhook("a")
	e.Body = []byte(`{"name":"` + secret + `"}`)
	_, err := s.Append(t.Context(), e)
	require.NoError(t, err)
	w := order(1, 1)
	w.Content = e.Body
	intake(t, s, w)
	a := begun(t, s, claimed(t, s))
	require.NoError(t, s.KeepOutcome(t.Context(), a.ID, Outcome{Result: "found", Exchanges: e.Body}))

	for _, checkpointed := range []bool{false, true} {
		if checkpointed {
			require.NoError(t, s.Purge(t.Context()))
		}
		for _, suffix := range []string{"", "-wal", "-shm"} {
			content, err := os.ReadFile(s.path + suffix)
			require.NoError(t, err)
			for i := 0; i+16 <= len(secret); i += 16 {
				require.False(t, bytes.Contains(content, []byte(secret[i:i+16])), "plain text in gapless.db%s", suffix)
			}
		}
	}
	kept, err := s.Event(t.Context(), e.ID)
	require.NoError(t, err)
	require.Equal(t, e.Body, kept.Body)
}

func TestAnotherKeyIsRefusedAtOpen(t *testing.T) {
	encrypted := open(t, keyed(key32(1)))
	stop(t, encrypted)
	plain := open(t)
	for name, c := range map[string]struct {
		options Options
		says    string
	}{
		"wrong":        {Options{Path: encrypted.path, Key: key32(2)}, "store.encryption_key is not the key"},
		"missing":      {Options{Path: encrypted.path}, "store.encryption_key is empty"},
		"short":        {Options{Path: encrypted.path, Key: []byte("short")}, "the encryption key has 5 bytes; it must have 32"},
		"new, a guest": {Options{Path: plain.path, Key: key32(1), Guest: true}, "restart `gapless serve` with it first"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Open(t.Context(), c.options)
			require.ErrorContains(t, err, c.says)
		})
	}
	open(t, at(encrypted.path), keyed(key32(1))) // the right one still opens it
}

func TestADatabaseBegunWithoutAKeyMayBeGivenOne(t *testing.T) {
	s := open(t)
	before := appended(t, s, "a")
	stop(t, s)
	s = open(t, at(s.path), keyed(key32(1)))
	after := appended(t, s, "b")
	for _, e := range []*Event{before, after} {
		kept, err := s.Event(t.Context(), e.ID)
		require.NoError(t, err)
		require.Equal(t, e.Body, kept.Body)
	}
}
