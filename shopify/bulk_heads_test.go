package shopify_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
)

// inBulk lists the pretend shop's orders by a bulk operation.
func inBulk(ctx context.Context, c *shopify.Client, now time.Time, meanwhile func() error) (all []shopify.OrderHead, err error) {
	window := shopify.Window{From: now.Add(-time.Hour), To: now.Add(time.Hour)}
	err = c.OrdersInBulk(ctx, window, meanwhile, func(page []shopify.OrderHead) error {
		all = append(all, page...)
		return nil
	})
	return all, err
}

func TestABulkOperationListsWhatPagesDo(t *testing.T) {
	shop, client, clock := open(t, shopifytest.Options{BulkTime: 5 * time.Minute})
	window := shopify.Window{From: clock.Now().Add(-time.Hour), To: clock.Now().Add(time.Hour)}
	var paged []shopify.OrderHead
	require.NoError(t, client.Orders(t.Context(), window, shopify.Reconcile, func(page []shopify.OrderHead) error {
		paged = append(paged, page...)
		return nil
	}))
	began, asked := clock.Now(), 0
	heads, err := inBulk(t.Context(), client, clock.Now(), func() error { asked++; return nil })
	require.NoError(t, err)
	require.Equal(t, len(shop.Orders()), len(heads))
	require.Equal(t, paged, heads)
	require.Greater(t, asked, 5, "it took minutes")
	require.GreaterOrEqual(t, clock.Now().Sub(began), 5*time.Minute)
}

func TestABulkListThatCannotBeHadWholeIsAnError(t *testing.T) {
	given := errors.New("the run was ended")
	for name, c := range map[string]struct {
		trouble   func(*shopifytest.Shop)
		meanwhile error
		says      string
	}{
		"it fails":            {func(s *shopifytest.Shop) { s.Break(1000, shopifytest.Outage{Bulk: "FAILED"}) }, nil, "failed"},
		"Shopify ends it":     {func(s *shopifytest.Shop) { s.Break(1000, shopifytest.Outage{Bulk: "CANCELED"}) }, nil, "canceled"},
		"it may not be asked": {func(s *shopifytest.Shop) { s.Break(1, shopifytest.Outage{Status: 403}) }, nil, "403"},
		"it is given up":      {func(*shopifytest.Shop) {}, given, given.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			shop, client, clock := open(t, shopifytest.Options{BulkTime: time.Minute})
			c.trouble(shop)
			_, err := inBulk(t.Context(), client, clock.Now(), func() error { return c.meanwhile })
			require.ErrorContains(t, err, c.says)
			known, err := client.CurrentBulk(t.Context())
			require.NoError(t, err)
			for _, o := range known {
				require.NotContains(t, []shopify.BulkStatus{shopify.BulkCreated, shopify.BulkRunning}, o.Status, "it does not go on for nobody")
			}
		})
	}
}

func TestABulkListThatTakesForEverIsGivenUp(t *testing.T) {
	_, client, clock := open(t, shopifytest.Options{BulkTime: 4 * time.Hour})
	began := clock.Now()
	_, err := inBulk(t.Context(), client, clock.Now(), func() error { return nil })
	require.ErrorContains(t, err, "still running after 30m")
	require.Less(t, clock.Now().Sub(began), time.Hour)
	known, err := client.CurrentBulk(t.Context())
	require.NoError(t, err)
	require.Contains(t, []shopify.BulkStatus{shopify.BulkCanceling, shopify.BulkCanceled}, known[0].Status)
}

func TestABulkListWhoseCallerLeavesIsCancelled(t *testing.T) {
	_, client, clock := open(t, shopifytest.Options{BulkTime: time.Hour})
	ctx, leave := context.WithCancel(t.Context())
	_, err := inBulk(ctx, client, clock.Now(), func() error { leave(); return nil })
	require.ErrorIs(t, err, context.Canceled)
	known, err := client.CurrentBulk(t.Context())
	require.NoError(t, err)
	require.Len(t, known, 1)
	require.Contains(t, []shopify.BulkStatus{shopify.BulkCanceling, shopify.BulkCanceled}, known[0].Status)
}
