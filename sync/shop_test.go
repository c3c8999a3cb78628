package ordersync

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
)

// A name in the config comes to stand for another shop: what was polled and
// compared of the one says nothing about the other.
func TestAShopIsNotTakenForAnotherOneOfItsName(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*appliance, *Shop)
		says   []string // empty: it goes on
	}{
		"the same":                      {func(*appliance, *Shop) {}, nil},
		"the same under another domain": {func(_ *appliance, s *Shop) { s.Domain = "acme-2.myshopify.com" }, nil},
		"another one": {func(a *appliance, s *Shop) { s.Domain, s.Client = "beta.myshopify.com", a.clients["beta"] },
			[]string{"beta.myshopify.com is not the shop whose orders are stored under the name acme, which is acme.myshopify.com", "[[shops]]"}},
		"one that can't be asked": {func(a *appliance, s *Shop) {
			s.Domain = "acme-2.myshopify.com"
			a.shop.Break(10, shopifytest.Outage{Status: http.StatusForbidden})
		}, []string{"the shop acme had the domain acme.myshopify.com so far, and acme-2.myshopify.com could not be asked", "403"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{names: []string{"acme", "beta"}})
			require.NoError(t, a.engine.SameShops(t.Context()), "nothing is known yet")
			require.NoError(t, a.engine.learnShop(t.Context(), a.engine.shops["acme"]))
			before := a.cursor()
			c.change(a, &a.config.Shops[0])
			engine, err := New(a.store, a.config)
			require.NoError(t, err)
			err = engine.SameShops(t.Context())
			for _, says := range c.says {
				require.ErrorContains(t, err, says)
			}
			if len(c.says) == 0 {
				require.NoError(t, err)
				before.Domain = a.config.Shops[0].Domain
			}
			require.Equal(t, before, a.cursor())
		})
	}
}
