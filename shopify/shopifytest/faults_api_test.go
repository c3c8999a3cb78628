package shopifytest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestEveryAPIFaultDoesWhatItSays(t *testing.T) {
	const list = `{ orders(first: 5, sortKey: ID) { pageInfo { hasNextPage endCursor } nodes { id email customer { id } } } }`
	for name, c := range map[string]struct {
		faults APIFaults
		check  func(t *testing.T, c *caller, r *reply, err error)
	}{
		"status 423": {APIFaults{Status: 1, Statuses: []int{423}}, func(t *testing.T, _ *caller, r *reply, _ error) {
			check(t, r.status == http.StatusLocked && strings.Contains(string(r.body), "<html>"), "%d %s", r.status, r.body)
		}},
		"cut": {APIFaults{Cut: 1}, func(t *testing.T, _ *caller, _ *reply, err error) {
			check(t, err != nil, "it came in full")
		}},
		"throttled": {APIFaults{Throttle: 1}, func(t *testing.T, _ *caller, r *reply, _ error) {
			check(t, r.code() == "THROTTLED" && r.Data == nil && r.Extensions.Cost.ActualQueryCost == nil, "%s", r.body)
		}},
		"email withheld": {APIFaults{Deny: 1, Fields: []string{"email"}}, func(t *testing.T, _ *caller, r *reply, _ error) {
			check(t, r.code() == "ACCESS_DENIED" && strings.Contains(string(r.Data["orders"]), `"email":null`), "%s", r.body)
			check(t, strings.Contains(string(r.body), "`read_orders` access scope."), "%s", r.body)
		}},
		"orders withheld": {APIFaults{Deny: 1, Fields: []string{"orders"}}, func(t *testing.T, _ *caller, r *reply, _ error) {
			check(t, r.code() == "ACCESS_DENIED" && r.Data == nil, "%s", r.body)
		}},
		"empty page": {APIFaults{Empty: 1}, func(t *testing.T, _ *caller, r *reply, _ error) {
			equal(t, `{"nodes":[],"pageInfo":{"endCursor":null,"hasNextPage":true}}`, string(r.Data["orders"]), "page")
		}},
		"drift": {APIFaults{Drift: 1}, func(t *testing.T, c *caller, _ *reply, _ error) {
			check(t, slices.ContainsFunc(c.shop.Orders(), func(o Snapshot) bool { return o.Version > 1 }), "nothing changed")
		}},
		"lag": {APIFaults{Lag: 1}, func(t *testing.T, c *caller, r *reply, _ error) {
			equal(t, `{"nodes":[],"pageInfo":{"endCursor":null,"hasNextPage":false}}`, string(r.Data["orders"]), "page")
			c.clock.advance(time.Minute + time.Millisecond)
			check(t, len(c.ask(list, nil).Data["orders"]) > 100, "it never came")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			caller := serve(t, Options{APIFaults: c.faults})
			for range 8 {
				caller.shop.Create()
			}
			r, err := caller.try(list, nil)
			c.check(t, caller, r, err)
			if name != "lag" {
				log := caller.shop.Log()
				broken := slices.IndexFunc(log, func(e Event) bool { return e.Kind == Broken })
				check(t, broken >= 0, "no event")
				equal(t, "API: "+name, log[broken].String(), "event")
			}
		})
	}
}

func TestAnEmptyPageLeadsBackToWhereItBegan(t *testing.T) {
	c := serve(t, Options{})
	for range 8 {
		c.shop.Create()
	}
	first, next := c.page(3, "", "")
	c.shop.Break(1, Outage{Empty: true})
	none, again := c.page(3, next, "")
	check(t, len(none) == 0 && again == next, "%v, then %s, not %s", none, again, next)
	second, _ := c.page(3, again, "")
	check(t, len(second) == 3 && second[0] != first[0], "%v, then %v", first, second)
}

func TestAScopeIsLostUntilItIsGrantedAgain(t *testing.T) {
	c := serve(t, Options{})
	vars := map[string]any{"id": gid("Order", c.shop.Create())}
	const query = `query($id: ID!) { order(id: $id) { name email customer { id } } }`
	c.shop.Withhold("email", "customer")
	r := c.ask(query, vars)
	equal(t, `{"customer":null,"email":null,"name":"#1001"}`, string(r.Data["order"]), "order")
	equal(t, 2, len(r.Errors), "errors")
	c.shop.Withhold()
	equal(t, "", c.ask(query, vars).code(), "code")
}

func TestSearchesNeverForgetAChangeThatOvertookAnother(t *testing.T) {
	c := serve(t, Options{Seed: 5, APIFaults: APIFaults{Lag: 0.5}})
	id := c.shop.Create()
	for range 50 {
		c.clock.advance(7 * time.Second)
		c.shop.Apply(id, DoTag)
	}
	c.clock.advance(time.Minute + time.Millisecond)
	now, _ := c.shop.Order(id)
	ids, _ := c.page(10, "", fmt.Sprintf("updated_at:>='%s'", now.UpdatedAt.Format(time.RFC3339)))
	equal(t, 1, len(ids), "orders that changed last")
}

func TestAPIFaultsFollowTheSeedAndLeaveOrdersAlone(t *testing.T) {
	play := func(f APIFaults) (codes []string, orders []Snapshot) {
		c := serve(t, Options{Seed: 4, APIFaults: f})
		for range 40 {
			c.shop.Act()
			c.clock.advance(time.Second)
			r, err := c.try(`{ orders(first: 5) { nodes { id email } } }`, nil)
			if err != nil {
				codes = append(codes, "cut")
				continue
			}
			codes = append(codes, fmt.Sprint(r.status, r.code(), string(r.body)))
		}
		return codes, c.shop.Orders()
	}
	mess := APIFaults{Status: .2, Cut: .2, Throttle: .2, Deny: .2, Empty: .2, Lag: .3}
	one, orders := play(mess)
	again, _ := play(mess)
	_, calm := play(APIFaults{})
	equal(t, one, again, "answers")
	equal(t, calm, orders, "orders with and without faults")
}

func TestAnOrderIsDeleted(t *testing.T) {
	s, v, _ := sending(t, Options{}, "orders/delete")
	id := s.Create()
	check(t, s.Apply(id, DoDelete) && !s.Apply(id, DoDelete), "deleted once")
	flush(t, s)
	equal(t, fmt.Sprintf(`{"id":%d}`, id), v.got[0].body, "body")
	answer := s.GraphQL(`query($id: ID!) { order(id: $id) { id } }`, map[string]any{"id": gid("Order", id)})
	equal(t, `{"data":{"order":null}}`, string(answer), "by id")
}
