package shopify

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	body, err := os.ReadFile("testdata/" + name + ".json")
	require.NoError(t, err)
	return body
}

func money(text string) Bag {
	d, ok := parseDecimal(text)
	if !ok {
		panic(text)
	}
	return Bag{d, d}
}

// edited is a fixture with some of its top-level fields replaced; nil drops
// one.
func edited(t testing.TB, name string, changes map[string]any) []byte {
	t.Helper()
	var fields map[string]any
	decoder := json.NewDecoder(bytes.NewReader(fixture(t, name)))
	decoder.UseNumber()
	require.NoError(t, decoder.Decode(&fields))
	for key, value := range changes {
		if value == nil {
			delete(fields, key)
		} else {
			fields[key] = value
		}
	}
	body, err := json.Marshal(fields)
	require.NoError(t, err)
	return body
}

func TestBothShapesOfAnOrderAreEqual(t *testing.T) {
	for _, name := range []string{"full", "abroad", "bare"} {
		t.Run(name, func(t *testing.T) {
			rest, err := DecodeRESTOrder(fixture(t, name+".rest"))
			require.NoError(t, err)
			graphQL, err := DecodeGraphQLOrder(fixture(t, name+".graphql"))
			require.NoError(t, err)
			require.Equal(t, graphQL, rest)
			require.Equal(t, graphQL.Content().Version, rest.Content().Version)
		})
	}
}

func TestDecodedOrderSaysWhatTheBodySays(t *testing.T) {
	o, err := DecodeRESTOrder(fixture(t, "full.rest"))
	require.NoError(t, err)

	require.Equal(t, int64(9007199254740995001), o.ID, "ids pass 2^53")
	require.Equal(t, "#1042", o.Name)
	require.Equal(t, int64(1042), o.Number)
	require.Equal(t, time.Date(2026, 11, 23, 4, 59, 59, 0, time.UTC), o.UpdatedAt)
	require.Nil(t, o.CancelledAt)
	require.True(t, o.TaxesIncluded)
	require.Equal(t, "partially_refunded", o.FinancialStatus)
	require.Equal(t, "partially_fulfilled", o.FulfillmentStatus)
	require.Equal(t, []string{"Later", "b2b", "vip"}, o.Tags)
	require.Equal(t, []Attribute{{"gift", "yes"}, {"slot", "3"}}, o.Attributes)
	require.Equal(t, money("137.45"), o.Total)
	require.Equal(t, money("107.45"), o.CurrentTotal)
	require.Equal(t, "2", o.Tip.String())
	require.Equal(t, []Discount{{Kind: "code", Code: "WELKOM10"}, {Kind: "automatic", Title: "Two for less"}}, o.Discounts)
	require.Equal(t, &Customer{ID: 9007199254740993777, FirstName: "Ada", LastName: "Voorbeeld", Email: "ada@example.com"}, o.Customer)
	require.Equal(t, "UT", o.Shipping.ProvinceCode)

	require.Len(t, o.Lines, 2)
	require.Equal(t, Line{
		ID: 9007199254740995101, SKU: "TEE-M", Title: "Tee", VariantTitle: "M / blue", Vendor: "Acme",
		Quantity: 3, CurrentQuantity: 2, Price: money("40"), Taxable: true, RequiresShipping: true,
		Attributes:  []Attribute{{"engraving", "Ada"}, {"size", "42"}},
		Allocations: []Allocation{{0, money("12")}, {1, money("5.55")}},
		Taxes:       []TaxLine{{Title: "BTW", Rate: decimal.RequireFromString("0.21"), Amount: money("17.79")}},
	}, o.Lines[0])
	require.True(t, o.Lines[1].Taxes[1].ChannelLiable)

	require.Len(t, o.ShippingLines, 2)
	require.True(t, o.ShippingLines[1].Removed)
	require.True(t, o.ShippingLines[1].Current.Shop.IsZero())

	require.Equal(t, []Refund{
		{
			ID: 501, CreatedAt: time.Date(2026, 11, 21, 11, 0, 0, 0, time.UTC), Note: "too small",
			Amount: money("34.15"), Shipping: money("1.95"),
			Lines: []RefundLine{{LineID: 9007199254740995101, Quantity: 1, Subtotal: money("34.15"), Tax: money("5.93"), Restock: "return"}},
		},
		{ID: 502, CreatedAt: time.Date(2026, 11, 22, 11, 0, 0, 0, time.UTC)},
	}, o.Refunds, "failed and pending transactions gave nothing back")
}

func TestTwoCurrencies(t *testing.T) {
	o, err := DecodeGraphQLOrder(fixture(t, "abroad.graphql"))
	require.NoError(t, err)
	require.Equal(t, "EUR", o.Currency)
	require.Equal(t, "JPY", o.PresentmentCurrency)
	require.Equal(t, "61.27", o.Total.Shop.String())
	require.Equal(t, "10000", o.Total.Presentment.String())
	require.Equal(t, "-0.02", o.PaymentRounding.Shop.String())
	require.Equal(t, "3.1", o.CurrentDuties.Shop.String())
}

func TestRefundInAnotherCurrencyNeedsGraphQL(t *testing.T) {
	refunds := []any{map[string]any{"id": 5, "transactions": []any{
		map[string]any{"kind": "refund", "status": "success", "amount": "500", "currency": "JPY"},
	}}}
	body := edited(t, "abroad.rest", map[string]any{"refunds": refunds})

	_, err := DecodeRESTOrder(body)
	require.ErrorIs(t, err, ErrRefundMoney)
	m, err := DecodeWebhook("orders/updated", body)
	require.NoError(t, err)
	require.Equal(t, Message{Topic: "orders/updated", Kind: KindRefetch, OrderID: 2002}, m)
}

func TestOddTypesAreTaken(t *testing.T) {
	plain, err := DecodeRESTOrder(fixture(t, "full.rest"))
	require.NoError(t, err)
	odd := edited(t, "full.rest", map[string]any{
		"id":                      "gid://shopify/Order/9007199254740995001?from=hook",
		"order_number":            "1042",
		"test":                    "false",
		"taxes_included":          "true",
		"cancelled_at":            "",
		"closed_at":               "not a time",
		"processed_at":            "2026-11-20T10:15:30.789+01:00",
		"phone":                   "",
		"po_number":               "PO-77",
		"note_attributes":         map[string]any{"slot": 3, "gift": "yes"},
		"total_price_set":         nil,
		"total_price":             json.Number("137.450"),
		"total_tip_received":      json.Number("2"),
		"total_outstanding":       "",
		"presentment_currency":    nil,
		"discount_codes":          "none",
		"payment_gateway_names":   []any{"shopify_payments", "", nil, "gift_card"},
		"client_details":          []any{},
		"current_total_fees_set":  "?",
		"total_weight":            json.Number("12.5"),
		"tags":                    []any{"vip", "b2b,Later", "vip"},
		"customer_locale":         "nl-NL",
		"a_field_of_next_quarter": true,
	})
	got, err := DecodeRESTOrder(odd)
	require.NoError(t, err)
	require.Equal(t, plain, got)
}

func TestUnknownWordsAreKept(t *testing.T) {
	o, err := DecodeGraphQLOrder(edited(t, "full.graphql", map[string]any{
		"displayFinancialStatus":   "PAID_BY_BARTER",
		"displayFulfillmentStatus": "TELEPORTED",
		"cancelReason":             "BORED",
	}))
	require.NoError(t, err)
	require.Equal(t, "paid_by_barter", o.FinancialStatus)
	require.Equal(t, "teleported", o.FulfillmentStatus)
	require.Equal(t, "bored", o.CancelReason)
}

func TestFulfillmentStatusIsWhatBothShapesTell(t *testing.T) {
	for word, want := range map[string][2]string{ // nothing begun, something begun
		"":                         {"unfulfilled", "unfulfilled"},
		"partial":                  {"partially_fulfilled", "partially_fulfilled"},
		"partially_fulfilled":      {"partially_fulfilled", "partially_fulfilled"},
		"fulfilled":                {"fulfilled", "fulfilled"},
		"restocked":                {"restocked", "restocked"},
		"unfulfilled":              {"unfulfilled", "unfulfilled"},
		"fulfillment_not_required": {"unfulfilled", "unfulfilled"},
		"on_hold":                  {"unfulfilled", "partially_fulfilled"},
		"scheduled":                {"unfulfilled", "partially_fulfilled"},
	} {
		require.Equal(t, want, [2]string{fulfillmentStatus(word, false), fulfillmentStatus(word, true)}, word)
	}
}

func TestWhatCannotBeUsedIsRefused(t *testing.T) {
	deep := strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth)
	for name, c := range map[string]struct{ body, want string }{
		"empty":          {``, "is not JSON"},
		"cut off":        {`{"id": 1, "updated`, "is not JSON"},
		"a list":         {`[1]`, "not a JSON object"},
		"two objects":    {`{"id":1} {"id":2}`, "goes on"},
		"no id":          {`{"updated_at":"2026-01-01T00:00:00Z"}`, "has no id"},
		"a negative id":  {`{"id":-5,"updated_at":"2026-01-01T00:00:00Z"}`, "has no id"},
		"an id too long": {`{"id":99999999999999999999,"updated_at":"2026-01-01T00:00:00Z"}`, "has no id"},
		"no updated_at":  {`{"id":1}`, "order 1 has no updated_at"},
		"a wrong time":   {`{"id":1,"updated_at":"yesterday"}`, "order 1 has no updated_at"},
		"wrong money": {
			`{"id":1,"updated_at":"2026-01-01T00:00:00Z","total_price_set":{"shop_money":{"amount":"ten"}}}`,
			"total_price_set.shop_money.amount is not a number",
		},
		"huge money": {`{"id":1,"updated_at":"2026-01-01T00:00:00Z","total_outstanding":1e999999999}`, "total_outstanding is not a number"},
		"too deep":   {`{"id":1,"x":` + deep + `}`, "nested deeper"},
		"too many":   {`{"id":1,"x":[` + strings.Repeat("1,", maxValues) + `1]}`, "more than 1000000 values"},
		"too long":   {`{"id":1,"x":"` + strings.Repeat("x", MaxBody) + `"}`, "bytes, more than"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := DecodeRESTOrder([]byte(c.body))
			require.ErrorContains(t, err, c.want)
		})
	}
	_, err := DecodeGraphQLOrder([]byte(`{"id":"gid://shopify/Order/8"}`))
	require.ErrorContains(t, err, "order 8 has no updated_at")
}

func TestBracketsAndCommasInTextAreNoValues(t *testing.T) {
	for _, text := range []string{strings.Repeat("[", maxDepth+1), strings.Repeat(",", maxValues+1), `\"` + strings.Repeat("{", maxDepth+1), `\\\"` + strings.Repeat("{", maxDepth+1)} {
		_, err := parseObject([]byte(`{"x":"` + text + `"}`))
		require.NoError(t, err)
	}
	_, err := parseObject([]byte(`{"x":"\\","y":` + strings.Repeat("[", maxDepth) + strings.Repeat("]", maxDepth) + `}`))
	require.ErrorContains(t, err, "nested deeper", "the text ended before y")
}

func TestEqualNumbersComeOutIdentical(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := decimal.New(rapid.Int64().Draw(t, "coefficient"), rapid.Int32Range(-40, 0).Draw(t, "exponent"))
		plain, ok := parseDecimal(d.String())
		require.True(t, ok)
		for _, same := range []string{d.StringFixed(1 - d.Exponent()), d.StringFixed(5 - d.Exponent()), fmt.Sprintf("%se%d", d.Coefficient(), d.Exponent())} {
			other, ok := parseDecimal(same)
			require.True(t, ok)
			require.Equal(t, plain, other, same)
		}
		require.True(t, d.Equal(plain))
		require.Equal(t, plain, canonical(plain))
	})
}

func TestShippingRefundsOfOldVersions(t *testing.T) {
	refunds := []any{map[string]any{"id": 5, "order_adjustments": []any{
		map[string]any{"kind": "shipping_refund", "amount": "-4.00"},
		map[string]any{"kind": "refund_discrepancy", "amount": "-1.00"},
	}}}
	o, err := DecodeRESTOrder(edited(t, "bare.rest", map[string]any{"refunds": refunds}))
	require.NoError(t, err)
	require.Equal(t, money("4"), o.Refunds[0].Shipping)
}

func TestFieldsThatOlderVersionsLack(t *testing.T) {
	o, err := DecodeRESTOrder(edited(t, "bare.rest", map[string]any{
		"line_items":                 []any{map[string]any{"id": 1, "quantity": 3, "price": "2.50"}},
		"shipping_lines":             []any{map[string]any{"id": 2, "price": "5.00", "discounted_price": "4.00"}},
		"current_shipping_price_set": nil,
		"total_shipping_price_set":   map[string]any{"shop_money": map[string]any{"amount": "4.00"}},
	}))
	require.NoError(t, err)
	require.Equal(t, int64(3), o.Lines[0].CurrentQuantity)
	require.Equal(t, money("2.5"), o.Lines[0].Price)
	require.Equal(t, money("4"), o.ShippingLines[0].Current)
	require.Equal(t, money("4"), o.CurrentShipping)
}

func FuzzDecodeRESTOrder(f *testing.F) {
	for _, name := range []string{"full.rest", "abroad.rest", "bare.rest"} {
		f.Add(fixture(f, name))
	}
	f.Add([]byte(`{"id":1,"updated_at":"2026-01-01T00:00:00Z","tags":"a,b","refunds":[{"id":2,"transactions":[]}],"total_price":"1e3"}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkDecoded(t, body, DecodeRESTOrder) })
}

func FuzzDecodeGraphQLOrder(f *testing.F) {
	for _, name := range []string{"full.graphql", "abroad.graphql", "bare.graphql"} {
		f.Add(fixture(f, name))
	}
	f.Add([]byte(`{"id":"gid://shopify/Order/1","updatedAt":"2026-01-01T00:00:00Z","tags":["a"],"lineItems":{"nodes":[{"id":2}]}}`))
	f.Fuzz(func(t *testing.T, body []byte) { checkDecoded(t, body, DecodeGraphQLOrder) })
}

// checkDecoded holds for whatever a decoder is given: an error, or an order
// that names itself and survives being stored as JSON.
func checkDecoded(t *testing.T, body []byte, decode func([]byte) (*Order, error)) {
	o, err := decode(body)
	if err != nil {
		require.Nil(t, o)
		return
	}
	require.Positive(t, o.ID)
	require.False(t, o.UpdatedAt.IsZero())
	stored, err := json.Marshal(o)
	require.NoError(t, err)
	var back Order
	require.NoError(t, json.Unmarshal(stored, &back))
	require.Equal(t, o.Content().Hash, back.Content().Hash)
	o.Redact()
	require.Empty(t, o.Email)
}
