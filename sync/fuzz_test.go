package ordersync

import (
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
)

// Whatever a body says: either the parts of the neutral order come to its
// total, or a problem says which field is at fault.
func FuzzNeutral(f *testing.F) {
	shop := shopifytest.New(shopifytest.Options{Seed: 1})
	for range 40 {
		f.Add([]byte(shop.REST(shop.Act())))
	}
	f.Add(rest(1, "10.00", "4.00", "6.00"))
	f.Add(rest(1, "0.0000000003", "0.0000000001", "0.0000000002"))
	f.Add(rest(1, "0.000001", "0.0000005", "0.0000005"))
	f.Add(rest(1, "-1e29", "-1e29"))
	f.Fuzz(func(t *testing.T, body []byte) {
		o, err := shopify.DecodeRESTOrder(body)
		if err != nil {
			return
		}
		n, err := neutral("acme", o)
		if err != nil {
			var problem *erp.Problem
			require.ErrorAs(t, err, &problem)
			require.NotEmpty(t, problem.Reason)
			require.NotEmpty(t, problem.Field)
			return
		}
		require.True(t, partsOf(n).Equal(n.Total.Decimal), "parts of %s, total %s", partsOf(n), n.Total)
		for i, l := range n.Lines {
			taxes := erp.Amount{}.Decimal
			for _, x := range l.Taxes {
				taxes = taxes.Add(x.Amount.Decimal)
			}
			require.True(t, taxes.Equal(l.Tax.Decimal), "taxes of line %d", i)
		}
	})
}
