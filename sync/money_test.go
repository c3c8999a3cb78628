package ordersync

import (
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/shopify"
)

// d reads an amount, b the same amount in both moneys.
func d(text string) decimal.Decimal { return decimal.RequireFromString(text) }
func b(text string) shopify.Bag     { return shopify.Bag{Shop: d(text), Presentment: d(text)} }

func tax(amount string) []shopify.TaxLine {
	return []shopify.TaxLine{{Title: "VAT", Rate: d("0.2"), Amount: b(amount)}}
}

func off(amount string) []shopify.Allocation {
	return []shopify.Allocation{{Index: 0, Amount: b(amount)}}
}

// goods is a line of quantity units, of which current are left.
func goods(price string, quantity, current int64, discount, taxes string) shopify.Line {
	return shopify.Line{ID: 1, Quantity: quantity, CurrentQuantity: current, Price: b(price), Allocations: off(discount), Taxes: tax(taxes)}
}

func shipping(ordered, now, taxes string) shopify.ShippingLine {
	return shopify.ShippingLine{ID: 2, Price: b(ordered), Discounted: b(ordered), Current: b(now), Removed: now == "0", Taxes: tax(taxes)}
}

// sums are what Shopify says of an order as it stands now.
func sums(subtotal, taxes, total string) shopify.Order {
	return shopify.Order{
		ID: 1, UpdatedAt: epoch, Currency: "USD", PresentmentCurrency: "USD", Discounts: []shopify.Discount{{Kind: "code", Code: "TEN"}},
		CurrentSubtotal: b(subtotal), CurrentTax: b(taxes), CurrentTotal: b(total),
	}
}

// figures are an order's parts, each with its digits.
type figures struct {
	lines, discounts, taxes, shipping []string
	tip, duties, rounding, cash       string
}

func figuresOf(n erp.Order) figures {
	f := figures{tip: n.Tip.String(), duties: n.Duties.String(), rounding: n.Rounding.String(), cash: n.CashRounding.String()}
	for _, l := range n.Lines {
		f.lines = append(f.lines, l.Amount.String())
		f.discounts = append(f.discounts, l.Discount.String())
		f.taxes = append(f.taxes, l.Tax.String())
	}
	for _, s := range n.Shipping {
		f.shipping = append(f.shipping, s.Amount.String())
		f.taxes = append(f.taxes, s.Tax.String())
	}
	return f
}

// plain are the figures of an order without anything unusual.
func plainFigures(lines, discounts, taxes, shipping []string) figures {
	return figures{lines, discounts, taxes, shipping, "0.00", "0.00", "0.00", "0.00"}
}

// Orders reckoned by hand.
func TestThePartsOfAnOrder(t *testing.T) {
	for name, c := range map[string]struct {
		sums  shopify.Order
		lines []shopify.Line
		ships []shopify.ShippingLine
		with  func(*shopify.Order)
		want  figures
	}{
		"taxes on top of prices": {
			sums: sums("20.00", "5.00", "30.00"), lines: []shopify.Line{goods("10", 2, 2, "0", "4")}, ships: []shopify.ShippingLine{shipping("5", "5", "1")},
			want: plainFigures([]string{"20.00"}, []string{"0.00"}, []string{"4.00", "1.00"}, []string{"5.00"}),
		},
		"taxes inside prices": {
			sums: sums("119", "19", "119"), lines: []shopify.Line{goods("119", 1, 1, "0", "19")},
			with: func(o *shopify.Order) { o.TaxesIncluded = true },
			want: plainFigures([]string{"119.00"}, []string{"0.00"}, []string{"19.00"}, nil),
		},
		"one of three given back, a discount that does not divide": { // 10 off 30: two bear 6.666…, rounded up
			sums: sums("13.33", "2.67", "16.00"), lines: []shopify.Line{goods("10", 3, 2, "10", "4")},
			want: plainFigures([]string{"13.33"}, []string{"6.67"}, []string{"2.67"}, nil),
		},
		"the same, where Shopify rounded the other way": { // its own subtotal and tax decide
			sums: sums("13.34", "2.66", "16.00"), lines: []shopify.Line{goods("10", 3, 2, "10", "4")},
			want: plainFigures([]string{"13.34"}, []string{"6.66"}, []string{"2.66"}, nil),
		},
		"two lines, one cent left over": { // 3 units each bear 1.00: of two left 0.67 each; Shopify says 1.33 in all
			sums: sums("8.67", "0", "8.67"), lines: []shopify.Line{goods("2.50", 3, 2, "1", "0"), goods("2.50", 3, 2, "1", "0")},
			want: plainFigures([]string{"4.34", "4.33"}, []string{"0.66", "0.67"}, []string{"0.00", "0.00"}, nil),
		},
		"everything given back": {
			sums: sums("0", "0", "0"), lines: []shopify.Line{goods("10", 3, 0, "10", "4")},
			want: plainFigures([]string{"0.00"}, []string{"0.00"}, []string{"0.00"}, nil),
		},
		"half of the shipping given back": {
			sums: sums("10", "0.50", "13.00"), lines: []shopify.Line{goods("10", 1, 1, "0", "0")}, ships: []shopify.ShippingLine{shipping("5", "2.50", "1")},
			want: plainFigures([]string{"10.00"}, []string{"0.00"}, []string{"0.00", "0.50"}, []string{"2.50"}),
		},
		"all of the shipping removed": {
			sums: sums("10", "0", "10"), lines: []shopify.Line{goods("10", 1, 1, "0", "0")}, ships: []shopify.ShippingLine{shipping("5", "0", "1")},
			want: plainFigures([]string{"10.00"}, []string{"0.00"}, []string{"0.00"}, nil),
		},
		"a tip beside the lines": {
			sums: sums("10", "0", "12"), lines: []shopify.Line{goods("10", 1, 1, "0", "0")},
			with: func(o *shopify.Order) { o.Tip = d("2") },
			want: figures{[]string{"10.00"}, []string{"0.00"}, []string{"0.00"}, nil, "2.00", "0.00", "0.00", "0.00"},
		},
		"a tip that is one of the lines": {
			sums: sums("12", "0", "12"), lines: []shopify.Line{goods("10", 1, 1, "0", "0"), goods("2", 1, 1, "0", "0")},
			with: func(o *shopify.Order) { o.Tip = d("2") },
			want: plainFigures([]string{"10.00", "2.00"}, []string{"0.00", "0.00"}, []string{"0.00", "0.00"}, nil),
		},
		"duties beside prices": {
			sums: sums("10", "0", "11.50"), lines: []shopify.Line{goods("10", 1, 1, "0", "0")},
			with: func(o *shopify.Order) { o.CurrentDuties = b("1.50") },
			want: figures{[]string{"10.00"}, []string{"0.00"}, []string{"0.00"}, nil, "0.00", "1.50", "0.00", "0.00"},
		},
		"duties inside prices": {
			sums: sums("10", "0", "10"), lines: []shopify.Line{goods("10", 1, 1, "0", "0")},
			with: func(o *shopify.Order) { o.CurrentDuties = b("1.50") },
			want: plainFigures([]string{"10.00"}, []string{"0.00"}, []string{"0.00"}, nil),
		},
		"cash rounded at the till": { // 9.98 were worth it, 10.00 were paid, 0.01 of rounding given back
			sums: sums("9.98", "0", "9.98"), lines: []shopify.Line{goods("9.98", 1, 1, "0", "0")},
			with: func(o *shopify.Order) { o.PaymentRounding, o.RefundRounding = b("0.02"), b("0.01") },
			want: figures{[]string{"9.98"}, []string{"0.00"}, []string{"0.00"}, nil, "0.00", "0.00", "0.00", "0.01"},
		},
		"two currencies, a cent left over": {
			sums: sums("3.34", "0", "3.34"), lines: []shopify.Line{goods("1.11", 1, 1, "0", "0"), goods("2.22", 1, 1, "0", "0")},
			with: func(o *shopify.Order) { o.PresentmentCurrency = "EUR" },
			want: figures{[]string{"1.11", "2.22"}, []string{"0.00", "0.00"}, []string{"0.00", "0.00"}, nil, "0.00", "0.00", "0.01", "0.00"},
		},
		"taxes given back alone": {
			sums: sums("10", "0", "10"), lines: []shopify.Line{goods("10", 1, 1, "0", "2")},
			with: func(o *shopify.Order) { o.Refunds = []shopify.Refund{{ID: 9, Amount: b("2")}} },
			want: plainFigures([]string{"10.00"}, []string{"0.00"}, []string{"2.00"}, nil),
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.sums
			o.Lines, o.ShippingLines = c.lines, c.ships
			if c.with != nil {
				c.with(&o)
			}
			n, err := neutral("acme", &o)
			require.NoError(t, err)
			require.Equal(t, c.want, figuresOf(n))
			require.Equal(t, n.Total.String(), partsOf(n).StringFixed(2))
		})
	}
}

func TestAGiftCardAndNobodyWhoBoughtIt(t *testing.T) {
	o := sums("50", "0", "50")
	o.Lines = []shopify.Line{{ID: 1, Title: "Gift Card", Quantity: 1, CurrentQuantity: 1, Price: b("50"), GiftCard: true}}
	n, err := neutral("acme", &o)
	require.NoError(t, err)
	require.True(t, n.Lines[0].GiftCard)
	require.Empty(t, n.Lines[0].Taxes)
	require.Nil(t, n.Customer)
	require.Nil(t, n.Billing)
	require.Nil(t, n.ShippingTo)
}

func TestWhatDoesNotAddUpIsAProblemThatNamesTheDifference(t *testing.T) {
	for name, c := range map[string]struct {
		sums          shopify.Order
		reason, field string
	}{
		"the total": {sums("10", "2", "12.01"), "a difference of 0.01", "total"},
		"the taxes": {sums("10", "3", "13"), "a difference of 1", "total_tax"},
	} {
		t.Run(name, func(t *testing.T) {
			c.sums.Lines = []shopify.Line{goods("10", 1, 1, "0", "2")}
			_, err := neutral("acme", &c.sums)
			var problem *erp.Problem
			require.ErrorAs(t, err, &problem)
			require.Contains(t, problem.Reason, c.reason)
			require.Equal(t, c.field, problem.Field)
			require.NotEmpty(t, problem.Hint)
		})
	}
}
