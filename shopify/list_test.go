package shopify

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// catalogue is a shop with orders 1 to total. It takes at most so many at once
// and lists no more than Shopify does for one query.
type catalogue struct {
	total, most int
	silent      bool // at the end of what it lists for a query, say that there is no more

	sizes   []int    // asked for
	queries []string // each once, in a row
	shown   int      // by the present query
}

var floorForm = regexp.MustCompile(` AND id:>=(\d+)$`)

func (c *catalogue) answer(w http.ResponseWriter, r asked) {
	size, query := int(r.Vars["first"].(float64)), r.Vars["query"].(string)
	c.sizes = append(c.sizes, size)
	if size > c.most {
		say(w, `{"errors":[{"message":"Query cost is 1200","extensions":{"code":"MAX_COST_EXCEEDED"}}]}`)
		return
	}
	if len(c.queries) == 0 || c.queries[len(c.queries)-1] != query {
		c.queries, c.shown = append(c.queries, query), 0
	}
	last := 0
	if floor := floorForm.FindStringSubmatch(query); floor != nil {
		last, _ = strconv.Atoi(floor[1])
		last--
	}
	if after, ok := r.Vars["after"].(string); ok {
		_, _ = fmt.Sscan(after, &last)
	}
	if c.shown += size; c.shown > maxListed {
		say(w, `{"errors":[{"message":"too deep"}]}`)
		return
	}
	end := min(c.total, last+size)
	next := end < c.total && (!c.silent || c.shown < maxListed)
	say(w, `{"data":{"orders":{"pageInfo":{"hasNextPage":%t,"endCursor":"%d"},"nodes":[%s]}}}`, next, end, orderNodes(last+1, end))
}

// orderNodes are the heads of the orders first to last.
func orderNodes(first, last int) string {
	var nodes []string
	for id := first; id <= last; id++ {
		nodes = append(nodes, fmt.Sprintf(`{"id":"gid://shopify/Order/%[1]d","name":"#%[1]d","number":%[1]d,"updatedAt":"2026-11-23T10:00:00Z",
			"currentTotalPriceSet":{"shopMoney":{"amount":"10.5"}},"currencyCode":"EUR"}`, id))
	}
	return strings.Join(nodes, ",")
}

var window = Window{
	From: time.Date(2026, 11, 23, 11, 0, 0, 0, time.FixedZone("CET", 3600)),
	To:   time.Date(2026, 11, 23, 11, 0, 0, 1, time.UTC),
}

// collect lists the window.
func collect(t *testing.T, c *Client) ([]OrderHead, error) {
	t.Helper()
	var all []OrderHead
	err := c.Orders(t.Context(), window, Poll, func(page []OrderHead) error { all = append(all, page...); return nil })
	for i, h := range all {
		require.Equal(t, int64(i+1), h.ID, "every order once, by ascending id")
	}
	return all, err
}

func TestOrdersListsAllPages(t *testing.T) {
	shop := &catalogue{total: 600, most: 250}
	client, _ := serve(t, shop.answer)
	heads, err := collect(t, client)
	require.NoError(t, err)
	require.Len(t, heads, 600)
	require.Equal(t, OrderHead{
		ID: 600, Name: "#600", Number: 600, UpdatedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC), Currency: "EUR", Total: money("10.5").Shop,
	}, heads[599])
	require.Equal(t, []int{250, 250, 250}, shop.sizes)
	require.Equal(t, []string{"updated_at:>='2026-11-23T10:00:00Z' AND updated_at:<'2026-11-23T11:00:01Z'"}, shop.queries)
}

func TestAWindowGoesByOneOfTwoTimes(t *testing.T) {
	shop := &catalogue{total: 1, most: 250}
	client, _ := serve(t, shop.answer)
	placed := Window{By: ByCreated, From: window.From, To: window.To}
	require.NoError(t, client.Orders(t.Context(), placed, Poll, func([]OrderHead) error { return nil }))
	require.Equal(t, []string{"created_at:>='2026-11-23T10:00:00Z' AND created_at:<'2026-11-23T11:00:01Z'"}, shop.queries)
}

func TestPagesThatAreTooDearAreHalved(t *testing.T) {
	shop := &catalogue{total: 150, most: 100}
	client, _ := serve(t, shop.answer)
	heads, err := collect(t, client)
	require.NoError(t, err)
	require.Len(t, heads, 150)
	require.Equal(t, []int{250, 125, 62, 62, 62}, shop.sizes, "and stay small")

	client, _ = serve(t, (&catalogue{total: 1, most: 0}).answer)
	_, err = collect(t, client)
	require.ErrorContains(t, err, "asks for too much")
}

func TestMoreOrdersThanOneQueryListsAreListedByFurtherOnes(t *testing.T) {
	for name, c := range map[string]struct {
		shop  catalogue
		calls int
		last  string // the filter of the last query
	}{
		"just as many":        {catalogue{total: 25_000, most: 250}, 101, " AND id:>=25001"},
		"one more":            {catalogue{total: 25_001, most: 250}, 101, " AND id:>=25001"},
		"one more, untold":    {catalogue{total: 25_001, most: 250, silent: true}, 101, " AND id:>=25001"},
		"twice as many, more": {catalogue{total: 60_000, most: 250}, 240, " AND id:>=50001"},
		"uneven pages":        {catalogue{total: 25_001, most: 100}, 406, " AND id:>=24987"},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := serve(t, c.shop.answer)
			heads, err := collect(t, client)
			require.NoError(t, err)
			require.Len(t, heads, c.shop.total)
			require.Len(t, c.shop.sizes, c.calls)
			require.Equal(t, c.shop.queries[0]+c.last, c.shop.queries[len(c.shop.queries)-1])
		})
	}
}

func TestListingStopsWhenTheCallerDoes(t *testing.T) {
	client, _ := serve(t, (&catalogue{total: 600, most: 250}).answer)
	enough := errors.New("enough")
	pages := 0
	err := client.Orders(t.Context(), window, Poll, func([]OrderHead) error { pages++; return enough })
	require.ErrorIs(t, err, enough)
	require.Equal(t, 1, pages)
}

// script answers one page after the other; the last one again and again.
func script(pages ...string) func(http.ResponseWriter, asked) {
	calls := 0
	return func(w http.ResponseWriter, _ asked) {
		page := pages[min(calls, len(pages)-1)]
		calls++
		say(w, `{"data":{"orders":%s}}`, page)
	}
}

// page is one of a script. Its cursor is as JSON has it.
func page(more bool, cursor, nodes string) string {
	return fmt.Sprintf(`{"pageInfo":{"hasNextPage":%t,"endCursor":%s},"nodes":[%s]}`, more, cursor, nodes)
}

func TestPagesThatOverlapOrBringNothingAreNoHarm(t *testing.T) {
	for name, pages := range map[string][]string{
		"a page again":         {page(true, `"2"`, orderNodes(1, 2)), page(true, `"2"`, orderNodes(1, 2)), page(false, `null`, orderNodes(3, 4))},
		"an overlap":           {page(true, `"2"`, orderNodes(1, 2)), page(true, `"3"`, orderNodes(2, 3)), page(false, `null`, orderNodes(3, 4))},
		"one order twice":      {page(true, `"2"`, orderNodes(1, 1)+","+orderNodes(1, 2)), page(false, `null`, orderNodes(3, 4))},
		"an empty page":        {page(true, `"2"`, orderNodes(1, 2)), page(true, `"x"`, ""), page(false, `null`, orderNodes(3, 4))},
		"without a cursor":     {page(true, `"2"`, orderNodes(1, 2)), page(true, `null`, ""), page(false, `null`, orderNodes(3, 4))},
		"at the very start":    {page(true, `null`, ""), page(false, `null`, orderNodes(1, 4))},
		"five in a row, twice": {page(true, `"2"`, orderNodes(1, 2)), page(true, `"a"`, ""), page(true, `"b"`, ""), page(true, `"c"`, ""), page(true, `"d"`, ""), page(true, `"e"`, ""), page(true, `"3"`, orderNodes(3, 3)), page(true, `"f"`, ""), page(false, `null`, orderNodes(4, 4))},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := serve(t, script(pages...))
			heads, err := collect(t, client)
			require.NoError(t, err)
			require.Len(t, heads, 4)
		})
	}
}

func TestUnusableListsAreRefused(t *testing.T) {
	for want, pages := range map[string][]string{
		"names no cursor":           {page(true, `null`, orderNodes(1, 2))},
		"names no cursor for":       {page(true, `"2"`, orderNodes(1, 2)), page(true, `"2"`, orderNodes(3, 4))},
		"6 pages in a row":          {page(true, `"2"`, orderNodes(1, 2)), page(true, `"x"`, "")},
		"6 pages in a row brought":  {page(true, `"2"`, orderNodes(1, 2)), page(true, `"2"`, orderNodes(1, 2))},
		"goes back from id 3 to 2,": {page(false, `null`, orderNodes(1, 1)+","+orderNodes(3, 3)+","+orderNodes(2, 2))},
		"goes back from id 4 to 1,": {page(true, `"2"`, orderNodes(1, 2)), page(true, `"4"`, orderNodes(3, 4)), page(true, `"1"`, orderNodes(1, 1))},
		"no id or updatedAt":        {`{"nodes":[{"id":"gid://shopify/Order/1"}]}`},
		"is not a number":           {`{"nodes":[{"id":1,"updatedAt":"2026-11-23T10:00:00Z","currentTotalPriceSet":{"shopMoney":{"amount":"?"}}}]}`},
		"without its orders":        {`null`},
	} {
		client, _ := serve(t, script(pages...))
		err := client.Orders(t.Context(), window, Poll, func([]OrderHead) error { return nil })
		require.ErrorContains(t, err, want)
	}
}

func TestAWithheldFieldOfAListIsNamed(t *testing.T) {
	pages := []string{
		`{"data":{"orders":` + page(true, `"2"`, orderNodes(1, 2)) + `}}`,
		`{"data":{"orders":` + page(false, `null`, orderNodes(3, 4)) + `},"errors":[{"message":"Access denied.",
			"path":["orders","nodes",0,"currentTotalPriceSet"],"extensions":{"code":"ACCESS_DENIED","requiredAccess":"` + "`read_orders`" + ` access scope."}}]}`,
	}
	calls := 0
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) { calls++; say(w, "%s", pages[calls-1]) })
	heads, err := collect(t, client)
	require.Len(t, heads, 2, "those before the scope was lost")
	var refusal *APIError
	require.ErrorAs(t, err, &refusal)
	require.True(t, refusal.Partial)
	require.ErrorContains(t, err, "withholds orders.nodes.currentTotalPriceSet, which needs `read_orders`")
}

func TestOrdersCount(t *testing.T) {
	for answer, want := range map[string]struct {
		n     int
		exact bool
	}{
		`{"count":47,"precision":"EXACT"}`:       {47, true},
		`{"count":10000,"precision":"AT_LEAST"}`: {10000, false},
	} {
		query := ""
		client, _ := serve(t, func(w http.ResponseWriter, r asked) {
			query = r.Vars["query"].(string)
			say(w, `{"data":{"ordersCount":%s}}`, answer)
		})
		n, exact, err := client.OrdersCount(t.Context(), Window{ByCreated, window.From, window.To})
		require.NoError(t, err)
		require.Equal(t, want.n, n)
		require.Equal(t, want.exact, exact)
		require.Equal(t, "created_at:>='2026-11-23T10:00:00Z' AND created_at:<'2026-11-23T11:00:01Z'", query)
	}
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"ordersCount":null}}`) })
	_, _, err := client.OrdersCount(t.Context(), window)
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
