package shopify

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestVersionIsTimeAndContent(t *testing.T) {
	o, err := DecodeRESTOrder(fixture(t, "full.rest"))
	require.NoError(t, err)
	require.Regexp(t, `^[0-9a-f]{16}$`, o.Content().Hash)
	require.Equal(t, "2026-11-23T04:59:59Z/"+o.Content().Hash[:8], o.Content().Version)

	hash := o.Content().Hash
	o.Lines[0].CurrentQuantity--
	require.NotEqual(t, hash, o.Content().Hash, "content counts")
	o.Lines[0].CurrentQuantity++
	require.Equal(t, hash, o.Content().Hash)
	o.UpdatedAt = o.UpdatedAt.Add(time.Second)
	require.NotEqual(t, hash, o.Content().Hash, "time counts")
}

func TestRedactForgetsThePerson(t *testing.T) {
	o, err := DecodeRESTOrder(fixture(t, "full.rest"))
	require.NoError(t, err)
	o.Phone = "+31611111111"
	o.Redact()

	left, err := json.Marshal(o)
	require.NoError(t, err)
	for _, personal := range []string{"Ada", "Voorbeeld", "ada@example.com", "+316", "Kade", "Utrecht", "3511", "ring twice", "engraving", "gift\"", "too small"} {
		require.NotContains(t, string(left), personal)
	}
	require.Equal(t, &Customer{ID: 9007199254740993777}, o.Customer)
	require.Equal(t, &Address{CountryCode: "NL"}, o.Billing)
	require.Equal(t, &Address{CountryCode: "NL", ProvinceCode: "UT"}, o.Shipping)
	require.Equal(t, money("137.45"), o.Total, "the books stay")

	bare := &Order{}
	bare.Redact()
	require.Equal(t, &Order{}, bare)
}

func TestPeopleAreWhoOrderedAndWhoGetsTheGoods(t *testing.T) {
	o, err := DecodeRESTOrder(fixture(t, "full.rest"))
	require.NoError(t, err)
	require.Subset(t, o.People(), []string{"ada@example.com", "Ada", "Voorbeeld"})
	o.Redact()
	require.Empty(t, strings.Join(o.People(), ""))
	require.Empty(t, strings.Join((&Order{}).People(), ""))
}

func TestWhatIsWithheldOfPeopleIsFilledInFromAnotherTelling(t *testing.T) {
	told := Order{ID: 1, Email: "ann@example.com", Note: "ring twice", Customer: &Customer{ID: 7, FirstName: "Ann", Email: "ann@example.com"}, Shipping: &Address{City: "Graz"}}
	for name, c := range map[string]struct {
		answer   Order
		withheld []string
		whole    bool
		want     Order
	}{
		"the customer":               {Order{ID: 1, Note: "new"}, []string{"order.customer"}, true, Order{ID: 1, Note: "new", Customer: told.Customer}},
		"a part of the customer":     {Order{ID: 1, Customer: &Customer{ID: 7, LastName: "Bell"}}, []string{"order.customer.firstName"}, true, Order{ID: 1, Customer: &Customer{ID: 7, FirstName: "Ann", LastName: "Bell"}}},
		"of another customer":        {Order{ID: 1, Customer: &Customer{ID: 8}}, []string{"order.customer.firstName"}, true, Order{ID: 1, Customer: &Customer{ID: 8}}},
		"several fields":             {Order{ID: 1}, []string{"order.email", "order.shippingAddress"}, true, Order{ID: 1, Email: told.Email, Shipping: told.Shipping}},
		"something of another state": {Order{ID: 1}, []string{"order.email", "order.lineItems.nodes.taxLines"}, false, Order{ID: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.whole, c.answer.Complete(&told, c.withheld))
			require.Equal(t, c.want, c.answer)
		})
	}
}

func TestATellingOfTheSameStateCorrectsWhatWasFilledIn(t *testing.T) {
	known := Order{ID: 1, Email: "old@example.com", Customer: &Customer{ID: 7, FirstName: "Ann", LastName: "Bell"}}
	told := Order{ID: 1, Email: "new@example.com", Note: "ring twice", Customer: &Customer{ID: 8, FirstName: "Bea"}}
	require.True(t, known.Correct(&told, []string{"order.email"}))
	require.Equal(t, Order{ID: 1, Email: "new@example.com", Customer: &Customer{ID: 7, FirstName: "Ann", LastName: "Bell"}}, known)
	require.True(t, known.Correct(&told, []string{"order.customer", "order.note"}))
	require.Equal(t, told, known)
	require.False(t, known.Correct(&told, []string{"order.totalPriceSet"}))
}
