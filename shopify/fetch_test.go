package shopify

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// bigOrder answers with an order of 250 lines and some refunds, of which the
// first has 120 lines. updates is how often it changes before answering changing;
// within: in the second in which it is read.
type bigOrder struct {
	within   bool
	refunds  int
	changing string
	updates  atomic.Int32
	version  atomic.Int32
	requests atomic.Int32
}

// state is what tells its versions apart, and its total.
func (b *bigOrder) state() string {
	version := b.version.Load()
	updated := fmt.Sprintf("2026-11-23T10:00:%02dZ", version)
	if b.within {
		updated = "2026-11-23T12:00:00Z"
	}
	return fmt.Sprintf(`"updatedAt":%q,"currentTotalPriceSet":{"shopMoney":{"amount":"%d.00"}}`, updated, version)
}

func (b *bigOrder) answer(w http.ResponseWriter, r asked) {
	b.requests.Add(1)
	if r.Operation == b.changing && b.updates.Add(-1) >= 0 {
		b.version.Add(1)
	}
	switch r.Operation {
	case "Order":
		say(w, `{"data":{"order":{"id":"gid://shopify/Order/77",%s,"lineItems":%s,"refunds":%s}}}`,
			b.state(), connection(r.Vars, 250, "id"), refundIDs(b.refunds))
	case "OrderLines":
		say(w, `{"data":{"order":{%s,"lineItems":%s}}}`, b.state(), connection(r.Vars, 250, "id"))
	case "Refunds":
		var nodes []string
		for _, id := range r.Vars["ids"].([]any) {
			lines := 1
			if id == "gid://shopify/Refund/1" {
				lines = 120
			}
			nodes = append(nodes, fmt.Sprintf(`{"id":%q,"order":{%s},"refundLineItems":%s}`,
				id, b.state(), connection(r.Vars, lines, "quantity")))
		}
		say(w, `{"data":{"nodes":[%s]}}`, strings.Join(nodes, ","))
	}
}

// connection is a page of objects numbered 1 to total; the cursor is the number
// of the last.
func connection(vars map[string]any, total int, key string) string {
	start := 0
	if after, ok := vars["after"].(string); ok {
		_, _ = fmt.Sscan(after, &start)
	}
	end := min(total, start+int(vars["lines"].(float64)))
	var nodes []string
	for i := start + 1; i <= end; i++ {
		nodes = append(nodes, fmt.Sprintf(`{%q:%d}`, key, i))
	}
	return fmt.Sprintf(`{"pageInfo":{"hasNextPage":%t,"endCursor":"%d"},"nodes":[%s]}`, end < total, end, strings.Join(nodes, ","))
}

func refundIDs(n int) string {
	var ids []string
	for i := 1; i <= n; i++ {
		ids = append(ids, fmt.Sprintf(`{"id":"gid://shopify/Refund/%d"}`, i))
	}
	return "[" + strings.Join(ids, ",") + "]"
}

func TestOrderIsMergedFromItsPages(t *testing.T) {
	shop := &bigOrder{refunds: 12}
	client, _ := serve(t, shop.answer)
	body, err := client.Order(t.Context(), 77, Refetch)
	require.NoError(t, err)
	o, err := DecodeGraphQLOrder(body)
	require.NoError(t, err)
	require.Len(t, o.Lines, 250)
	for i, line := range o.Lines {
		require.Equal(t, int64(i+1), line.ID)
	}
	require.Len(t, o.Refunds, 12)
	require.Equal(t, int64(12), o.Refunds[11].ID)
	require.Len(t, o.Refunds[0].Lines, 120)
	require.Equal(t, int64(120), o.Refunds[0].Lines[119].Quantity)
	require.Len(t, o.Refunds[1].Lines, 1)
	require.Equal(t, int32(1+2+2+2), shop.requests.Load(), "order, lines, refunds, lines of the first refund")
}

func TestAnOrderThatChangesMeanwhileIsReadAgain(t *testing.T) {
	for _, shop := range []*bigOrder{
		{changing: "OrderLines"}, {changing: "Refunds", refunds: 2},
		{changing: "OrderLines", within: true}, {changing: "Refunds", refunds: 2, within: true},
	} {
		shop.updates.Store(1)
		client, clock := serve(t, shop.answer)
		body, err := client.Order(t.Context(), 77, Refetch)
		require.NoError(t, err)
		o, err := DecodeGraphQLOrder(body)
		require.NoError(t, err)
		require.Equal(t, "1", o.CurrentTotal.Shop.String(), "the newer one")
		require.Len(t, o.Lines, 250)
		if shop.within {
			require.Equal(t, []time.Duration{young}, clock.waited(), "until its second is over")
			continue
		}

		require.Empty(t, clock.waited())
		shop.updates.Store(100)
		_, err = client.Order(t.Context(), 77, Refetch)
		require.ErrorContains(t, err, "changed while it was read")
	}
}

func TestOrderNotFound(t *testing.T) {
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"order":null}}`) })
	body, err := client.Order(t.Context(), 77, Refetch)
	require.ErrorIs(t, err, ErrNotFound)
	require.Nil(t, body)
}

const noCustomer = `[{"message":"Access denied for customer field.","path":["order","customer"],
	"extensions":{"code":"ACCESS_DENIED","requiredAccess":"` + "`read_customers`" + ` access scope."}}]`

func TestWithheldFieldsAreNamedAndTheRestIsUsed(t *testing.T) {
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
		say(w, `{"data":{"order":{"id":"gid://shopify/Order/77","updatedAt":"2026-11-23T10:00:00Z","customer":null}},"errors":%s}`, noCustomer)
	})
	body, err := client.Order(t.Context(), 77, Refetch)
	var refusal *APIError
	require.ErrorAs(t, err, &refusal)
	require.True(t, refusal.Partial)
	require.ErrorContains(t, err, "withholds order.customer, which needs `read_customers`")
	require.Equal(t, []string{"order.customer"}, refusal.Withheld)
	o, err := DecodeGraphQLOrder(body)
	require.NoError(t, err)
	require.Equal(t, int64(77), o.ID)

	// The whole order withheld is neither data nor "not found".
	client, _ = serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"order":null},"errors":%s}`, noCustomer) })
	body, err = client.Order(t.Context(), 77, Refetch)
	require.ErrorAs(t, err, &refusal)
	require.False(t, refusal.Partial)
	require.NotErrorIs(t, err, ErrNotFound)
	require.Nil(t, body)
}

func TestPagesThatLeadNowhereAreRefused(t *testing.T) {
	for want, answers := range map[string]map[string]string{
		"more shippingLines than": {
			"Order": `{"order":{"updatedAt":"x","shippingLines":{"pageInfo":{"hasNextPage":true}}}}`,
		},
		"names no cursor": {
			"Order": `{"order":{"updatedAt":"x","lineItems":{"pageInfo":{"hasNextPage":true,"endCursor":null}}}}`,
		},
		"more than 100 pages": {
			"Order":      `{"order":{"updatedAt":"x","lineItems":{"pageInfo":{"hasNextPage":true,"endCursor":"1"}}}}`,
			"OrderLines": `{"order":{"updatedAt":"x","lineItems":{"pageInfo":{"hasNextPage":true,"endCursor":"1"}}}}`,
		},
		"a refund has more transactions": {
			"Order":   `{"order":{"updatedAt":"x","refunds":[{"id":"r"}]}}`,
			"Refunds": `{"nodes":[{"id":"r","order":{"updatedAt":"x"},"transactions":{"pageInfo":{"hasNextPage":true}}}]}`,
		},
		"changed while it was read": { // a refund that is gone again
			"Order":   `{"order":{"updatedAt":"x","refunds":[{"id":"r"}]}}`,
			"Refunds": `{"nodes":[null]}`,
		},
	} {
		client, _ := serve(t, func(w http.ResponseWriter, r asked) { say(w, `{"data":%s}`, answers[r.Operation]) })
		_, err := client.Order(t.Context(), 77, Refetch)
		require.ErrorContains(t, err, want)
	}
}

func TestMergedOrderIsPlainJSON(t *testing.T) {
	client, _ := serve(t, (&bigOrder{}).answer)
	body, err := client.Order(t.Context(), 77, Refetch)
	require.NoError(t, err)
	require.True(t, json.Valid(body))
}
