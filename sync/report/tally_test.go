package report

import (
	"slices"
	"strings"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func TestMoneyIsWrittenWithItsCurrencysDecimals(t *testing.T) {
	for _, c := range []struct{ currency, amount, people, machines string }{
		{"EUR", "23410.2", "23,410.20 EUR", "23410.20"},
		{"EUR", "0", "0.00 EUR", "0.00"},
		{"EUR", "-0.5", "-0.50 EUR", "-0.50"},
		{"EUR", "-1234567.89", "-1,234,567.89 EUR", "-1234567.89"},
		{"EUR", "1.005", "1.005 EUR", "1.005"}, // never less than there is
		{"JPY", "120000", "120,000 JPY", "120000"},
		{"JPY", "0.4", "0.4 JPY", "0.4"},
		{"KWD", "1.5", "1.500 KWD", "1.500"},
		{"RSD", "10", "10.00 RSD", "10.00"},
		{"points", "1500.50", "1,500.5 points", "1500.5"},
		{"EUR", "12345678901234567890123.45", "12,345,678,901,234,567,890,123.45 EUR", "12345678901234567890123.45"},
	} {
		m := Money{c.currency, d(c.amount)}
		require.Equal(t, c.people, m.String())
		require.Equal(t, c.people, MoneyText(c.amount, c.currency))
		require.Equal(t, c.machines, digits(c.currency, m.Amount))
	}
	require.Empty(t, MoneyText("", "EUR"))
}

// anyTally draws up to four currencies, each perhaps several times.
func anyTally(t *rapid.T, label string) Tally {
	tally := Tally{Orders: rapid.Int64Range(0, 50).Draw(t, label+" orders")}
	for range rapid.IntRange(0, 5).Draw(t, label+" amounts") {
		currency := rapid.SampledFrom([]string{"EUR", "JPY", "KWD", "USD"}).Draw(t, label+" currency")
		tally.Add(currency, decimal.New(rapid.Int64Range(-200, 200).Draw(t, label+" amount"), -2))
	}
	return tally
}

func TestAddKeepsCurrenciesSortedAndSumsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tally Tally
		want := map[string]decimal.Decimal{}
		for _, cents := range rapid.SliceOf(rapid.Int64()).Draw(t, "cents") {
			currency := rapid.SampledFrom([]string{"EUR", "JPY", "USD", "AED", ""}).Draw(t, "currency")
			tally.Add(currency, decimal.New(cents, -2))
			want[currency] = want[currency].Add(decimal.New(cents, -2))
		}
		require.Len(t, tally.Money, len(want))
		require.True(t, slices.IsSortedFunc(tally.Money, func(a, b Money) int { return strings.Compare(a.Currency, b.Currency) }))
		for _, m := range tally.Money {
			require.True(t, m.Amount.Equal(want[m.Currency]), "%s", m.Currency)
		}
	})
}

// sumOf is reckoned apart from the code under test.
func sumOf(tallies []Tally, currency string) (orders int64, amount decimal.Decimal) {
	for _, t := range tallies {
		orders += t.Orders
		for _, m := range t.Money {
			if m.Currency == currency {
				amount = amount.Add(m.Amount)
			}
		}
	}
	return orders, amount
}

func TestADayIsBalancedIfAndOnlyIfItAddsUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := Balance{
			ERP: anyTally(t, "erp"), Cancelled: anyTally(t, "cancelled"), Excluded: anyTally(t, "excluded"),
			Pending: anyTally(t, "pending"), Parked: anyTally(t, "parked"),
		}
		if rapid.Bool().Draw(t, "some missing") {
			b.Missing = anyTally(t, "missing")
		}
		b.Wrong = rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(t, "wrong")
		b.Overdue = rapid.SampledFrom([]int64{0, 0, 0, 1}).Draw(t, "overdue")
		rest := []Tally{b.ERP, b.Cancelled, b.Excluded, b.Pending, b.Parked, b.Missing}
		agree := true
		for _, currency := range []string{"EUR", "JPY", "KWD", "USD"} {
			orders, amount := sumOf(rest, currency)
			offBy := decimal.New(rapid.SampledFrom([]int64{0, 0, 0, 0, 1, -1}).Draw(t, currency+" off by"), -2)
			b.Shopify.Orders = orders
			b.Shopify.Add(currency, amount.Add(offBy))
			agree = agree && offBy.IsZero()
		}
		ordersOff := rapid.SampledFrom([]int64{0, 0, 0, 0, 1, -1}).Draw(t, "orders off by")
		b.Shopify.Orders += ordersOff
		missing := b.Missing.Orders != 0
		for _, m := range b.Missing.Money {
			missing = missing || !m.Amount.IsZero()
		}

		require.Equal(t, agree && ordersOff == 0 && !missing && b.Wrong == 0 && b.Overdue == 0, b.Balanced())
		off := b.Difference()
		require.Equal(t, ordersOff, off.Orders)
		for _, m := range off.Money {
			require.False(t, m.Amount.IsZero())
			_, shopify := sumOf([]Tally{b.Shopify}, m.Currency)
			_, others := sumOf(rest, m.Currency)
			require.True(t, m.Amount.Equal(shopify.Sub(others)))
		}
		require.Equal(t, agree, len(off.Money) == 0)
	})
}

func TestNothingOfADayIsChangedByAskingForItsDifference(t *testing.T) {
	b := gapsDay().Balance
	b.Difference()
	require.Equal(t, gapsDay().Balance, b)
}

func TestWhatOrdersAreWorthNowIsToldOnceForEachCurrencyInWhichItDiffers(t *testing.T) {
	before, now := tally(3, "EUR", "1250", "JPY", "500", "USD", "10"), tally(3, "EUR", "1204", "GBP", "7.50", "USD", "10.00")
	require.Equal(t, []string{
		"the orders of this day are worth 1,204.00 EUR now, not 1,250.00 EUR, by changes in Shopify since",
		"the orders of this day are worth 7.50 GBP now, not 0.00 GBP, by changes in Shopify since",
		"the orders of this day are worth 0 JPY now, not 500 JPY, by changes in Shopify since",
	}, now.Revalued(before))
	require.Empty(t, now.Revalued(now))
}
