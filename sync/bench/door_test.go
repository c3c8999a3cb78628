//go:build linux

package bench

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
)

// BenchmarkDoor is the door alone, without net/http around it or a store
// behind it. Run it with -benchmem.
func BenchmarkDoor(b *testing.B) {
	hook := webhooks(b, 1)[0]
	door, err := shopify.NewDoor([]shopify.DoorShop{{Name: "acme", Domain: domain, Secrets: []string{secret}}})
	require.NoError(b, err)
	kept := 0
	door.Keep = func(context.Context, *shopify.Webhook) (bool, error) { kept++; return false, nil }
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(hook.head)))
	require.NoError(b, err)
	body := bytes.NewReader(nil)
	r.Body = io.NopCloser(body)
	w, n := &nobody{header: http.Header{}}, 0
	b.ReportAllocs()
	b.SetBytes(int64(len(hook.body)))
	for b.Loop() {
		body.Reset(hook.body)
		door.ServeHTTP(w, r)
		n++
	}
	require.Equal(b, n, kept, "every webhook was let in")
}

// nobody takes an answer and does nothing with it.
type nobody struct{ header http.Header }

func (n *nobody) Header() http.Header         { return n.header }
func (n *nobody) Write(p []byte) (int, error) { return len(p), nil }
func (n *nobody) WriteHeader(int)             {}
