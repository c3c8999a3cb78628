package report

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestABalanceIsWrittenAsAnEquation(t *testing.T) {
	b := Balance{
		Shopify:  Tally{1412, []Money{{"EUR", d("23410.2")}, {"JPY", d("1200")}}},
		ERP:      Tally{1405, []Money{{"EUR", d("23210.2")}, {"JPY", d("1200")}}},
		Excluded: Tally{6, []Money{{"EUR", d("80")}}},
		Missing:  Tally{1, []Money{{"EUR", d("120")}}},
	}
	require.Equal(t, []string{
		"1,412 orders in Shopify = 1,405 in the ERP + 0 cancelled + 6 excluded + 0 pending + 0 parked + 1 missing",
		"23,410.20 EUR in Shopify = 23,210.20 in the ERP + 0.00 cancelled + 80.00 excluded + 0.00 pending + 0.00 parked + 120.00 missing",
		"1,200 JPY in Shopify = 1,200 in the ERP + 0 cancelled + 0 excluded + 0 pending + 0 parked + 0 missing",
	}, b.Equation())
	require.Equal(t, "6 orders, 80.00 EUR", b.Excluded.String())
}

func TestAnEquationThatDoesNotHoldSaysWhatIsLeftOver(t *testing.T) {
	b := Balance{
		Shopify: Tally{2, []Money{{"EUR", d("30")}}},
		ERP:     Tally{1, []Money{{"EUR", d("20")}, {"USD", d("7")}}},
	}
	require.Equal(t, []string{
		"2 orders in Shopify = 1 in the ERP + 0 cancelled + 0 excluded + 0 pending + 0 parked + 0 missing, and 1 left over",
		"30.00 EUR in Shopify = 20.00 in the ERP + 0.00 cancelled + 0.00 excluded + 0.00 pending + 0.00 parked + 0.00 missing, and 10.00 left over",
		"0.00 USD in Shopify = 7.00 in the ERP + 0.00 cancelled + 0.00 excluded + 0.00 pending + 0.00 parked + 0.00 missing, and -7.00 left over",
	}, b.Equation())
	require.Equal(t, []string{"0 orders in Shopify = 0 in the ERP + 0 cancelled + 0 excluded + 0 pending + 0 parked + 0 missing"}, Balance{}.Equation())
}
