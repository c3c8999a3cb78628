package ordersync

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

func TestACancelledOrderIsACancelledDocument(t *testing.T) {
	t.Run("before the first delivery", func(t *testing.T) {
		a := build(t, setup{})
		for range 20 {
			k := a.create()
			a.pass(time.Second)
			a.shop.Apply(k.ID, shopifytest.DoCancel)
		}
		a.settle()
		a.judge()
	})
	t.Run("after it", func(t *testing.T) {
		a := build(t, setup{})
		k := a.that(shopifytest.DoCancel)
		a.settle()
		require.Empty(t, a.erp.Live(ref("acme", k.ID)))
		a.judge()
	})
}

// rest is a body of our own making: lines of one unit, without taxes.
func rest(id int64, total string, prices ...string) []byte {
	lines := []map[string]any{}
	for i, price := range prices {
		lines = append(lines, map[string]any{"id": i + 1, "sku": fmt.Sprint("S-", i), "quantity": 1, "current_quantity": 1, "price": price})
	}
	body, _ := json.Marshal(map[string]any{ // strings and numbers: it can
		"id": id, "name": "#1", "created_at": epoch, "updated_at": epoch, "currency": "USD",
		"current_total_price": total, "current_subtotal_price": total, "total_price": total, "line_items": lines,
	})
	return body
}

func TestOrdersOfUnusualSizeArrive(t *testing.T) {
	ones := make([]string, 500)
	for i := range ones {
		ones[i] = "1.01"
	}
	for name, c := range map[string]struct {
		id     int64
		total  string
		prices []string
	}{
		"500 lines":          {1, "505.00", ones},
		"no lines":           {2, "0.00", nil},
		"an id beyond 2^53":  {9007199254740993, "1.00", []string{"1.00"}},
		"the largest id":     {9223372036854775807, "1.00", []string{"1.00"}},
		"an absurd amount":   {3, "99999999999999999999999999.99", []string{"99999999999999999999999999.99"}},
		"a negative total":   {4, "-5.00", []string{"-5.00"}},
		"a negative line":    {5, "5.00", []string{"10.00", "-5.00"}},
		"tenths of a cent":   {6, "0.003", []string{"0.001", "0.002"}},
		"a line for nothing": {7, "1.00", []string{"0", "1.00"}},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			a.tell("orders/create", rest(c.id, c.total, c.prices...))
			k := store.OrderKey{Shop: "acme", ID: c.id}
			a.send()
			require.Equal(t, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
			documents := a.erp.Live(ref("acme", c.id))
			require.Len(t, documents, 1)
			require.Equal(t, c.total, documents[0].Total.String())
		})
	}
}

func TestAnOrderWhosePartsDoNotAddUpParksAndNamesTheDifference(t *testing.T) {
	a := build(t, setup{})
	a.tell("orders/create", rest(1, "10.00", "4.00", "5.50"))
	k := store.OrderKey{Shop: "acme", ID: 1}
	a.send()
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Contains(t, d.Reason, "come to 9.5 USD but Shopify's total is 10, a difference of 0.5")
	require.Equal(t, "total", d.Field)
	require.NotEmpty(t, d.Hint)
	require.Empty(t, a.wire.said())
}

func TestShopsWithEqualOrdersNeverMix(t *testing.T) {
	a := build(t, setup{names: []string{"acme", "beta"}, shop: shopifytest.Options{Seed: 3}})
	beta := a.shops["beta"]
	for range 20 {
		a.pass(time.Second)
		a.shop.Create()
		beta.Create()
	}
	a.settle()
	require.Equal(t, a.shop.Orders()[0].ID, beta.Orders()[0].ID)
	require.Equal(t, a.shop.Orders()[0].Name, beta.Orders()[0].Name)
	require.Len(t, a.erp.All(), 40)
	a.judge()

	id := beta.Orders()[0].ID
	a.pass(time.Second)
	beta.Apply(id, shopifytest.DoTag)
	a.settle()
	require.Equal(t, 1, a.writes(store.OrderKey{Shop: "acme", ID: id}))
	require.Equal(t, 2, a.writes(store.OrderKey{Shop: "beta", ID: id}))
	a.judge()

	beta.Delete(id)
	told := a.told(store.OrderKey{Shop: "acme", ID: id})
	a.hear()
	require.Zero(t, a.order(store.OrderKey{Shop: "acme", ID: id}).DeletedAt)
	require.NotZero(t, a.order(store.OrderKey{Shop: "beta", ID: id}).DeletedAt)
	if told.Customer != nil {
		a.tell("customers/redact", a.shop.CustomersRedact(told.Customer.ID, id))
		require.Zero(t, a.order(store.OrderKey{Shop: "beta", ID: id}).RedactedAt)
	}
}
