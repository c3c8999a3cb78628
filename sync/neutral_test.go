package ordersync

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
)

// Thousands of orders in currencies of 0, 2 and 3 decimals, edited, refunded and
// cancelled: the parts of each come to Shopify's total, to the minor unit.
func TestPartsAddUp(t *testing.T) {
	base := shopifytest.DefaultMarket()
	orders := 1500
	if testing.Short() {
		orders = 150
	}
	for i, currency := range []string{"EUR", "USD", "JPY", "KWD"} {
		t.Run(currency, func(t *testing.T) {
			t.Parallel()
			market := base
			market.Currency = currency
			market.Exchange = nil
			if currency == base.Currency {
				market.Exchange = base.Exchange
			}
			shop := shopifytest.New(shopifytest.Options{Seed: uint64(i + 1), Market: market})
			for range orders {
				id := shop.Act()
				o, err := shopify.DecodeRESTOrder(shop.REST(id))
				if errors.Is(err, shopify.ErrRefundMoney) {
					continue // such an order is fetched by its id instead
				}
				require.NoError(t, err)
				n, err := neutral("acme", o)
				require.NoError(t, err, "order %d", id)
				told, _ := shop.Order(id)
				require.Equal(t, told.Total, n.Total.String(), "order %s", n.Name)
				require.Equal(t, told.Total, partsOf(n).StringFixed(erp.Digits(currency)), "order %s", n.Name)
				for _, l := range n.Lines {
					require.True(t, l.UnitPrice.Mul(decimal.NewFromInt(l.Quantity)).Sub(l.Discount.Decimal).Equal(l.Amount.Decimal), "order %s line %s", n.Name, l.SKU)
				}
			}
		})
	}
}

// partsOf adds up an order as erp.Order promises that it does.
func partsOf(n erp.Order) decimal.Decimal {
	total := n.Duties.Add(n.Fees.Decimal).Add(n.Tip.Decimal).Add(n.Rounding.Decimal)
	for _, l := range n.Lines {
		total = total.Add(l.Amount.Decimal)
	}
	for _, s := range n.Shipping {
		total = total.Add(s.Amount.Decimal)
	}
	if !n.TaxesIncluded {
		total = total.Add(n.TotalTax.Decimal)
	}
	return total
}

// What mappings and rules are written against is always there, however little
// Shopify tells of an order.
func TestAnOrderOfWhichLittleIsToldHasEveryNameOfTheNeutralForm(t *testing.T) {
	o, err := shopify.DecodeRESTOrder([]byte(`{"id":1,"name":"#1","created_at":"2026-11-23T09:00:00Z","updated_at":"2026-11-23T09:00:00Z","currency":"EUR",
		"total_price":"0.00","current_total_price":"0.00","line_items":[]}`))
	require.NoError(t, err)
	n, err := neutral("acme", o)
	require.NoError(t, err)
	text, err := json.Marshal(n)
	require.NoError(t, err)
	var told map[string]any
	require.NoError(t, json.Unmarshal(text, &told))
	for _, name := range []string{
		"ref", "shop", "id", "name", "date", "updated_at", "created_at", "currency", "total", "total_ordered", "test", "cancelled_at", "customer", "billing", "shipping_to",
		"lines", "shipping", "discounts", "taxes", "refunds", "payments", "note", "tags",
	} {
		require.Contains(t, told, name)
	}
	for _, list := range []string{"lines", "shipping", "discounts", "taxes", "refunds", "payments", "tags"} {
		require.IsType(t, []any{}, told[list], list)
	}
}
