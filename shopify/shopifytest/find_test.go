package shopifytest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"
	"time"
)

const pageQuery = `query($first: Int!, $after: String, $query: String, $sort: OrderSortKeys = UPDATED_AT) {
  orders(first: $first, after: $after, query: $query, sortKey: $sort) {
    pageInfo { hasNextPage endCursor } nodes { id number updatedAt }
  }
}`

// page reads one page of orders by their update and returns their ids and the
// next cursor.
func (c *caller) page(first int, after, query string) (ids []string, next string) {
	c.t.Helper()
	return c.pageBy("UPDATED_AT", first, after, query)
}

func (c *caller) pageBy(sort string, first int, after, query string) (ids []string, next string) {
	c.t.Helper()
	vars := map[string]any{"first": first, "query": query, "sort": sort}
	if after != "" {
		vars["after"] = after
	}
	r := c.ask(pageQuery, vars)
	check(c.t, len(r.Errors) == 0, "errors: %s", r.body)
	var orders struct {
		PageInfo struct {
			HasNextPage bool
			EndCursor   string
		}
		Nodes []struct{ ID string }
	}
	noError(c.t, json.Unmarshal(r.Data["orders"], &orders))
	for _, n := range orders.Nodes {
		ids = append(ids, n.ID)
	}
	if orders.PageInfo.HasNextPage {
		next = orders.PageInfo.EndCursor
	}
	return ids, next
}

func TestPagesHoldEveryOrderOnceInOrderOfUpdate(t *testing.T) {
	c := serve(t, Options{})
	var want []string
	for range 57 {
		id := c.shop.Create()
		c.clock.advance(time.Second)
		want = append(want, gid("Order", id))
	}
	var got []string
	for after := ""; ; {
		ids, next := c.page(10, after, "")
		got = append(got, ids...)
		if next == "" {
			break
		}
		after = next
	}
	equal(t, want, got, "orders")
	c.shop.Apply(c.shop.ids[0], DoTag)
	ids, _ := c.page(250, "", "")
	equal(t, want[0], ids[56], "a changed order moves to the end")
	equal(t, "Invalid cursor for current pagination sort.", c.ask(pageQuery, map[string]any{"first": 1, "after": "!"}).Errors[0].Message, "bad cursor")
}

func TestPagingGoesOnWhereAChangedOrderStood(t *testing.T) {
	c := serve(t, Options{})
	for range 6 {
		c.shop.Create()
		c.clock.advance(time.Second)
	}
	first, next := c.page(2, "", "")
	c.shop.Apply(c.shop.ids[1], DoTag) // the row that the cursor points at
	second, _ := c.page(2, next, "")
	equal(t, []string{gid("Order", c.shop.ids[2]), gid("Order", c.shop.ids[3])}, second, "second page")
	equal(t, 2, len(first), "first page")
}

func TestPagesByIDStandStillWhileOrdersChange(t *testing.T) {
	c := serve(t, Options{})
	var ids []int64
	for range 57 {
		ids = append(ids, c.shop.Create())
		c.clock.advance(time.Second)
	}
	slices.Sort(ids) // one in four is far higher than the others
	var want, got []string
	for _, id := range ids {
		want = append(want, gid("Order", id))
	}
	for after, query := "", ""; ; {
		page, next := c.pageBy("ID", 10, after, query)
		got = append(got, page...)
		if next == "" {
			break
		}
		c.shop.Apply(ids[len(got)-1], DoTag)
		if after = next; len(got) == 30 { // a new search goes on where the old one stood
			after, query = "", fmt.Sprintf("id:>=%d", ids[len(got)])
		}
	}
	equal(t, want, got, "orders")
	for query, n := range map[string]int{
		fmt.Sprintf("id:%d", ids[3]): 1, fmt.Sprintf("id:<=%d", ids[3]): 4, fmt.Sprintf("id:<%d", ids[3]): 3,
		fmt.Sprintf("id:>%d", ids[50]): 7, // as >=
		"id:>=" + want[3]:              0,
	} {
		page, _ := c.pageBy("ID", 100, "", query)
		equal(t, n, len(page), query)
	}
	page, _ := c.pageBy("ID", 1, "", "created_at:>='2026-11-23T10:00:50Z'")
	check(t, len(page) == 1, "by the time of placing")
}

func TestTimesInSearchesMeanWhatShopifyMakesOfThem(t *testing.T) {
	zone := time.FixedZone("", -5*3600)
	c := serve(t, Options{Zone: zone})
	early := gid("Order", c.shop.Create()) // 10:00 UTC, 05:00 in the shop
	c.clock.advance(20 * time.Minute)
	late := gid("Order", c.shop.Create())
	both := []string{early, late}
	for query, want := range map[string][]string{
		"updated_at:>='2026-11-23T10:10:00Z'":                                        {late},
		"updated_at:>='2026-11-23T10:00:00Z' updated_at:<'2026-11-23T10:20:00Z'":     {early},
		"updated_at:>='2026-11-23T10:00:00Z' AND updated_at:<'2026-11-23T10:20:01Z'": both,
		"updated_at:>'2026-11-23T10:20:00Z'":                                         {late}, // as >=
		"updated_at:>='2026-11-23T05:10:00-05:00'":                                   {late},
		"updated_at:>=2026-11-23T10:10:00Z":                                          both, // the time of day is ignored
		"updated_at:<2026-11-23T10:10:00Z":                                           nil,
		"updated_at:>=2026-11-24":                                                    nil,
		"updated_at:<=2026-11-23":                                                    both,
		"name:#1002":                                                                 {late},
		"nonsense:1":                                                                 both,
	} {
		ids, _ := c.page(10, "", query)
		equal(t, want, ids, query)
		r := c.ask(`query($q: String) { ordersCount(query: $q) { count precision } }`, map[string]any{"q": query})
		equal(t, fmt.Sprintf(`{"count":%d,"precision":"EXACT"}`, len(want)), string(r.Data["ordersCount"]), "count of "+query)
	}
	r := c.ask(`{ ordersCount(limit: 1) { count precision } }`, nil)
	equal(t, `{"count":1,"precision":"AT_LEAST"}`, string(r.Data["ordersCount"]), "count with a limit")
	r = c.ask(`{ ordersCount(limit: null) { count precision } }`, nil)
	equal(t, `{"count":2,"precision":"EXACT"}`, string(r.Data["ordersCount"]), "count without a limit")
}

func TestTheIndexLagsAndReadingByIDDoesNot(t *testing.T) {
	c := serve(t, Options{IndexLag: 10 * time.Second})
	id := c.shop.Create()
	ids, _ := c.page(10, "", "")
	equal(t, 0, len(ids), "orders in the index at once")
	r := c.ask(`query($ids: [ID!]!) { nodes(ids: $ids) { __typename ... on Order { name } } }`, map[string]any{"ids": []string{gid("Order", id), gid("Order", 1)}})
	equal(t, `[{"__typename":"Order","name":"#1001"},null]`, string(r.Data["nodes"]), "nodes")
	c.clock.advance(10 * time.Second)
	ids, _ = c.page(10, "", "")
	equal(t, 1, len(ids), "orders in the index after the lag")
	c.shop.Delete(id)
	ids, _ = c.page(10, "", "")
	equal(t, 0, len(ids), "deleted orders in the index")
	equal(t, "null", string(c.ask(`query($id: ID!) { order(id: $id) { id } }`, map[string]any{"id": gid("Order", id)}).Data["order"]), "deleted order")
	equal(t, []int64{id}, c.shop.Deleted(), "deleted")
}

func TestPaginationEndsWhereShopifysDoes(t *testing.T) {
	c := serve(t, Options{})
	c.shop.Create()
	deep := cursor{row{0, 0}, maxPagination - 100}.String()
	r := c.ask(pageQuery, map[string]any{"first": 101, "after": deep})
	check(t, len(r.Errors) == 1, "too deep: %s", r.body)
	r = c.ask(pageQuery, map[string]any{"first": 100, "after": deep})
	check(t, len(r.Errors) == 0, "just deep enough: %s", r.body)
}

func TestOldOrdersAreHiddenFromAnAppThatMayNotReadThem(t *testing.T) {
	c := serve(t, Options{BulkTime: time.Nanosecond})
	var old, refund int64
	for refund == 0 {
		old = c.shop.Create()
		c.shop.Apply(old, DoRefund)
		for id := range c.shop.refunds {
			refund = id
		}
	}
	for _, s := range c.shop.Orders() {
		if s.ID != old {
			c.shop.Delete(s.ID)
		}
	}
	const byID = `query($id: ID!, $refund: ID!) { order(id: $id) { id } nodes(ids: [$id, $refund]) { id } refund(id: $refund) { id } }`
	shown := func() (all []string) {
		t.Helper()
		listed, _ := c.page(10, "", "")
		all = append(all, fmt.Sprint("listed: ", len(listed)))
		r := c.ask(byID, map[string]any{"id": gid("Order", old), "refund": gid("Refund", refund)})
		for _, field := range []string{"order", "nodes", "refund"} {
			all = append(all, string(r.Data[field]))
		}
		r = c.ask(`{ ordersCount { count } }`, nil)
		all = append(all, string(r.Data["ordersCount"]))
		op, refusals := c.start(bulkOrders, true)
		check(t, len(refusals) == 0, "%v", refusals)
		c.clock.advance(time.Second)
		return append(all, "in bulk: "+c.bulk(op.ID).RootObjectCount)
	}
	o, r := fmt.Sprintf(`{"id":%q}`, gid("Order", old)), fmt.Sprintf(`{"id":%q}`, gid("Refund", refund))
	whole := []string{"listed: 1", o, "[" + o + "," + r + "]", r, `{"count":1}`, "in bulk: 1"}

	c.clock.advance(60*24*time.Hour - time.Minute)
	equal(t, whole, shown(), "of 60 days")
	c.clock.advance(time.Minute)
	c.shop.Apply(old, DoTag)
	equal(t, []string{"listed: 0", "null", "[null,null]", "null", `{"count":0}`, "in bulk: 0"}, shown(), "of more")
	check(t, c.shop.REST(old) != nil, "the ledger has it")
	c.shop.Grant("read_all_orders")
	equal(t, whole, shown(), "with the scope")
}
