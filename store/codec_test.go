package store

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func mustCodec(t testing.TB, key []byte) *codec {
	t.Helper()
	c, err := newCodec(key)
	require.NoError(t, err)
	return c
}

func TestPackedBlobsUnpackToWhatTheyWere(t *testing.T) {
	for name, key := range map[string][]byte{"in clear": nil, "encrypted": key32(7)} {
		c := mustCodec(t, key)
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			part := rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Map(rapid.IntRange(0, len(dictionary1)), func(n int) []byte { return dictionary1[:n] }))
			plain := bytes.Join(rapid.SliceOfN(part, 0, 5).Draw(t, "parts"), nil)
			got, err := c.unpack(c.pack(plain))
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d bytes became %d: %v", len(plain), len(got), err)
			}
		}))
	}
}

func TestOrdersPackToLessThanHalf(t *testing.T) {
	plain := bytes.ReplaceAll(dictionary1, []byte("1"), []byte("2"))
	require.Less(t, len(mustCodec(t, nil).pack(plain)), len(plain)/2)
}

func TestWhatDoesNotGetSmallerCostsOneByte(t *testing.T) {
	plain := noise(10_000)
	require.Len(t, mustCodec(t, nil).pack(plain), 1+len(plain))
}

func TestBodiesTooLargeToCompressAreKeptAsTheyAre(t *testing.T) {
	c := mustCodec(t, nil)
	plain := make([]byte, maxCompressed+1)
	got, err := c.unpack(c.pack(plain))
	require.NoError(t, err)
	require.True(t, bytes.Equal(plain, got))
}

func TestEqualPlainTextsEncryptDifferently(t *testing.T) {
	c := mustCodec(t, key32(7))
	require.NotEqual(t, c.pack(dictionary1), c.pack(dictionary1))
}

func TestAnEncryptedBlobThatWasTouchedDoesNotOpen(t *testing.T) {
	c := mustCodec(t, key32(7))
	blob := c.pack([]byte(`{"id":1}`))
	for i := 1; i < len(blob); i++ { // the first byte says that it is encrypted
		touched := bytes.Clone(blob)
		touched[i] ^= 1 << 1
		_, err := c.unpack(touched)
		require.Error(t, err, "byte %d", i)
	}
}

func TestBlobsThatCannotBeReadSaySo(t *testing.T) {
	encrypted := mustCodec(t, key32(7)).pack([]byte("text"))
	gigabytes := binary.AppendUvarint([]byte{packedS2}, 3<<30)
	for name, c := range map[string]struct {
		key, blob []byte
		says      string
	}{
		"empty":                      {nil, nil, "empty"},
		"without the key":            {nil, encrypted, "set store.encryption_key"},
		"with another key":           {key32(8), encrypted, "is not the key"},
		"cut short":                  {key32(7), encrypted[:5], "cut short"},
		"of a later version":         {nil, []byte{1 << 4}, "does not know"},
		"claiming gigabytes":         {nil, gigabytes, "impossible size"},
		"compressed but without all": {nil, []byte{packedS2, 100, 1}, "s2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := mustCodec(t, c.key).unpack(c.blob)
			require.ErrorContains(t, err, c.says)
		})
	}
}

func TestADamagedHeaderMakesNoLargeAllocation(t *testing.T) {
	c := mustCodec(t, nil)
	blob := binary.AppendUvarint([]byte{packedS2}, 3<<30)
	allocated := testing.Benchmark(func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.unpack(blob)
		}
	}).AllocedBytesPerOp()
	require.Less(t, allocated, int64(4096))
}

func FuzzUnpackNeverPanicsAndIsBounded(f *testing.F) {
	clear, sealed := mustCodec(f, nil), mustCodec(f, key32(7))
	for _, plain := range [][]byte{nil, []byte("a"), dictionary1, bytes.Repeat([]byte("ab"), 500)} {
		f.Add(clear.pack(plain))
		f.Add(sealed.pack(plain))
	}
	f.Add([]byte{packedS2, 0xff, 0xff, 0xff, 0xff, 0x0f})
	f.Fuzz(func(t *testing.T, blob []byte) {
		for _, c := range []*codec{clear, sealed} {
			plain, err := c.unpack(blob)
			if err != nil {
				continue
			}
			require.LessOrEqual(t, len(plain), max(maxCompressed, len(blob)))
			again, err := c.unpack(c.pack(plain))
			require.NoError(t, err)
			require.True(t, bytes.Equal(plain, again))
		}
	})
}

func TestKeysMustHaveThirtyTwoBytes(t *testing.T) {
	for _, n := range []int{1, 16, 24, 31, 33, 64} {
		key := make([]byte, n)
		rand.Read(key)
		_, err := newCodec(key)
		require.ErrorContains(t, err, "it must have 32")
	}
}
