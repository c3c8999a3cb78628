package shopify

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whatever a file holds, it is refused or gives orders that name themselves, and
// whose bodies decode to those orders or are refused by the decoder.
func FuzzBulkFile(f *testing.F) {
	f.Add(wholeFile)
	f.Add(order1 + "\n" + below("LineItem", `"id":1`, "1") + "\n" + order1)
	f.Add(`{"id":"gid://shopify/Order/1","updatedAt":"2026-11-23T10:00:00Z","lineItems":[1],"shippingLines":{"nodes":7}}`)
	f.Fuzz(func(t *testing.T, file string) {
		lines := newBulkLines(func(b BulkOrder) error {
			require.Positive(t, b.ID)
			require.False(t, b.UpdatedAt.IsZero())
			if o, err := DecodeGraphQLOrder(b.Body); b.Body != nil && err == nil {
				require.Equal(t, b.ID, o.ID)
			}
			return nil
		})
		if broken, err := lines.all(strings.NewReader(file)); err == nil {
			require.False(t, broken)
			_ = lines.end(false) // an order that can't be written again is refused
		}
	})
}
