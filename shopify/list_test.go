package shopify

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// listing is a shop with so many orders, that takes at most so many at once.
type listing struct {
	total, most int
	sizes       []int // asked for
	query       string
}

func (l *listing) answer(w http.ResponseWriter, r asked) {
	size := int(r.Vars["first"].(float64))
	l.sizes = append(l.sizes, size)
	l.query = r.Vars["query"].(string)
	if size > l.most {
		say(w, `{"errors":[{"message":"Query cost is 1200","extensions":{"code":"MAX_COST_EXCEEDED"}}]}`)
		return
	}
	start := 0
	if after, ok := r.Vars["after"].(string); ok {
		_, _ = fmt.Sscan(after, &start)
	}
	end := min(l.total, start+size)
	nodes := make([]string, 0, size)
	for i := start + 1; i <= end; i++ {
		nodes = append(nodes, fmt.Sprintf(`{"id":"gid://shopify/Order/%d","name":"#%d","updatedAt":"2026-11-23T10:00:00Z",
			"currentTotalPriceSet":{"shopMoney":{"amount":"10.5"}},"currencyCode":"EUR"}`, i, i))
	}
	say(w, `{"data":{"orders":{"pageInfo":{"hasNextPage":%t,"endCursor":"%d"},"nodes":[%s]}}}`, end < l.total, end, strings.Join(nodes, ","))
}

var (
	from = time.Date(2026, 11, 23, 11, 0, 0, 0, time.FixedZone("CET", 3600))
	to   = time.Date(2026, 11, 23, 11, 0, 0, 1, time.UTC)
)

func TestOrdersUpdatedListsAllPages(t *testing.T) {
	shop := &listing{total: 600, most: 250}
	client, _ := serve(t, shop.answer)
	var heads []OrderHead
	err := client.OrdersUpdated(t.Context(), from, to, Poll, func(page []OrderHead) error {
		heads = append(heads, page...)
		return nil
	})
	require.NoError(t, err)
	require.Len(t, heads, 600)
	require.Equal(t, OrderHead{
		ID: 600, Name: "#600", UpdatedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Currency: "EUR", Total: money("10.5").Shop,
	}, heads[599])
	require.Equal(t, []int{250, 250, 250}, shop.sizes)
	require.Equal(t, "updated_at:>='2026-11-23T10:00:00Z' AND updated_at:<'2026-11-23T11:00:01Z'", shop.query)
}

func TestPagesThatAreTooDearAreHalved(t *testing.T) {
	shop := &listing{total: 150, most: 100}
	client, _ := serve(t, shop.answer)
	count := 0
	require.NoError(t, client.OrdersUpdated(t.Context(), from, to, Poll, func(page []OrderHead) error { count += len(page); return nil }))
	require.Equal(t, 150, count)
	require.Equal(t, []int{250, 125, 62, 62, 62}, shop.sizes, "and stay small")

	client, _ = serve(t, (&listing{total: 1, most: 0}).answer)
	err := client.OrdersUpdated(t.Context(), from, to, Poll, func([]OrderHead) error { return nil })
	require.ErrorContains(t, err, "asks for too much")
}

func TestTooManyOrdersForOneWindow(t *testing.T) {
	for total, want := range map[int]error{25_000: nil, 25_001: ErrWindowTooLarge} {
		client, _ := serve(t, (&listing{total: total, most: 250}).answer)
		count := 0
		err := client.OrdersUpdated(t.Context(), from, to, Poll, func(page []OrderHead) error { count += len(page); return nil })
		require.ErrorIs(t, err, want)
		require.Equal(t, 25_000, count)
	}
}

func TestListingStopsWhenTheCallerDoes(t *testing.T) {
	client, _ := serve(t, (&listing{total: 600, most: 250}).answer)
	enough := errors.New("enough")
	pages := 0
	err := client.OrdersUpdated(t.Context(), from, to, Poll, func([]OrderHead) error { pages++; return enough })
	require.ErrorIs(t, err, enough)
	require.Equal(t, 1, pages)
}

func TestUnusableListsAreRefused(t *testing.T) {
	for want, orders := range map[string]string{
		"names no cursor":    `{"pageInfo":{"hasNextPage":true,"endCursor":"same"},"nodes":[]}`,
		"no id or updatedAt": `{"nodes":[{"id":"gid://shopify/Order/1"}]}`,
		"is not a number":    `{"nodes":[{"id":1,"updatedAt":"2026-11-23T10:00:00Z","currentTotalPriceSet":{"shopMoney":{"amount":"?"}}}]}`,
		"without its orders": `null`,
	} {
		client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"orders":%s}}`, orders) })
		err := client.OrdersUpdated(t.Context(), from, to, Poll, func([]OrderHead) error { return nil })
		require.ErrorContains(t, err, want)
	}
}

func TestOrdersCount(t *testing.T) {
	for answer, want := range map[string]struct {
		n     int
		exact bool
	}{
		`{"count":47,"precision":"EXACT"}`:       {47, true},
		`{"count":10000,"precision":"AT_LEAST"}`: {10000, false},
	} {
		client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"ordersCount":%s}}`, answer) })
		n, exact, err := client.OrdersCount(t.Context(), from, to)
		require.NoError(t, err)
		require.Equal(t, want.n, n)
		require.Equal(t, want.exact, exact)
	}
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"ordersCount":null}}`) })
	_, _, err := client.OrdersCount(t.Context(), from, to)
	require.ErrorContains(t, err, "without a count")
}

func TestOrdersByID(t *testing.T) {
	calls := 0
	client, _ := serve(t, func(w http.ResponseWriter, r asked) {
		calls++
		var nodes []string
		for _, id := range r.Vars["ids"].([]any) {
			node := "null"
			if id != "gid://shopify/Order/5" {
				node = fmt.Sprintf(`{"id":%q,"updatedAt":"2026-11-23T10:00:00Z"}`, id)
			}
			nodes = append(nodes, node)
		}
		say(w, `{"data":{"nodes":[%s]}}`, strings.Join(nodes, ","))
	})
	var ids []int64
	for id := range int64(150) {
		ids = append(ids, id+1)
	}
	heads, err := client.OrdersByID(t.Context(), ids, Reconcile)
	require.NoError(t, err)
	require.Len(t, heads, 149, "hidden ones are left out")
	require.Equal(t, int64(150), heads[148].ID)
	require.Equal(t, 2, calls)
	heads, err = client.OrdersByID(t.Context(), nil, Reconcile)
	require.NoError(t, err)
	require.Empty(t, heads)
}
