package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

const runBulk = `mutation($q: String!, $g: Boolean! = false) { bulkOperationRunQuery(query: $q, groupObjects: $g) {
  bulkOperation { id status objectCount } userErrors { field message code } } }`

const bulkOrders = `{ orders(query: "updated_at:>='2026-11-23T00:00:00Z'", sortKey: ID) { edges { node { id name
  lineItems { edges { node { __typename id quantity taxLines { title } } } }
  shippingLines { edges { node { __typename id } } } } } } }`

type bulkState struct {
	ID, Status, ObjectCount, RootObjectCount, URL, PartialDataURL, FileSize, ErrorCode string
}

// start starts a bulk operation and returns what the shop says to it.
func (c *caller) start(query string, grouped bool) (op bulkState, refusals []string) {
	c.t.Helper()
	r := c.ask(runBulk, map[string]any{"q": query, "g": grouped})
	check(c.t, len(r.Errors) == 0, "errors: %s", r.body)
	var done struct {
		BulkOperation bulkState
		UserErrors    []struct{ Message, Code string }
	}
	noError(c.t, json.Unmarshal(r.Data["bulkOperationRunQuery"], &done))
	for _, e := range done.UserErrors {
		refusals = append(refusals, e.Code+": "+e.Message)
	}
	return done.BulkOperation, refusals
}

func (c *caller) bulk(id string) (op bulkState) {
	c.t.Helper()
	r := c.ask(`query($id: ID!) { bulkOperation(id: $id) { id status objectCount rootObjectCount url partialDataUrl fileSize errorCode } }`, map[string]any{"id": id})
	check(c.t, len(r.Errors) == 0, "errors: %s", r.body)
	noError(c.t, json.Unmarshal(r.Data["bulkOperation"], &op))
	return op
}

// get downloads a file with some headers.
func (c *caller) get(url string, header ...string) (int, []byte) {
	c.t.Helper()
	req, err := http.NewRequestWithContext(c.t.Context(), http.MethodGet, url, http.NoBody)
	noError(c.t, err)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := c.server.Client().Do(req)
	noError(c.t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	noError(c.t, err)
	return resp.StatusCode, body
}

type bulkLine struct {
	ID       string
	Name     string
	Type     string `json:"__typename"`
	ParentID string `json:"__parentId"`
}

// readFile reads the lines of a file, in which a child never comes before its
// parent, and says whether each follows its parent or a sibling.
func readFile(t *testing.T, body []byte) (all []bulkLine, grouped bool) {
	t.Helper()
	known, last, grouped := map[string]bool{}, "", true
	for line := range bytes.Lines(body) {
		var l bulkLine
		noError(t, json.Unmarshal(line, &l))
		if l.ParentID == "" {
			known[l.ID], last = true, l.ID
		}
		check(t, l.ParentID == "" || known[l.ParentID], "%s comes before its parent", l.ID)
		grouped = grouped && (l.ParentID == "" || l.ParentID == last)
		all = append(all, l)
	}
	return all, grouped
}

func TestABulkOperationRunsThroughItsStates(t *testing.T) {
	c := serve(t, Options{BulkTime: time.Minute})
	v := receive(t)
	c.shop.Subscribe(Subscription{Topic: "bulk_operations/finish", URI: v.URL})
	lines := 0
	for range 30 {
		lines += 1 + len(c.shop.orders[c.shop.Create()].Lines)
	}
	for _, o := range c.shop.orders {
		lines += len(o.ShippingLines)
	}
	op, refusals := c.start(bulkOrders, true)
	check(t, len(refusals) == 0 && op.Status == "CREATED" && op.ObjectCount == "0", "started: %+v, %v", op, refusals)
	c.clock.advance(30 * time.Second)
	half := c.bulk(op.ID)
	check(t, half.Status == "RUNNING" && half.URL == "" && half.ObjectCount == fmt.Sprint(lines/2), "half way: %+v of %d", half, lines)
	c.shop.Create() // too late for the file
	check(t, !c.shop.Step(t.Context()), "it was announced before it ended")
	c.clock.advance(30 * time.Second)
	done := c.bulk(op.ID)
	check(t, done.Status == "COMPLETED" && done.ObjectCount == fmt.Sprint(lines) && done.RootObjectCount == "30", "done: %+v", done)
	status, body := c.get(done.URL)
	equal(t, http.StatusOK, status, "status of the file")
	equal(t, done.FileSize, fmt.Sprint(len(body)), "size")
	all, grouped := readFile(t, body)
	check(t, len(all) == lines && grouped, "%d lines of %d, grouped: %v", len(all), lines, grouped)
	check(t, c.shop.Step(t.Context()), "its end was not announced")
	check(t, strings.Contains(v.got[0].body, op.ID) && strings.Contains(v.got[0].body, `"completed"`), "announced: %s", v.got[0].body)

	c.clock.advance(8 * 24 * time.Hour)
	late := c.bulk(op.ID)
	check(t, late.Status == "EXPIRED" && late.URL == "", "after a week: %+v", late)
	status, _ = c.get(done.URL)
	equal(t, http.StatusBadRequest, status, "status of the file after a week")
}

func TestAFileIsGroupedOnRequestOnly(t *testing.T) {
	c := serve(t, Options{})
	for range 20 {
		c.shop.Create()
	}
	op, _ := c.start(bulkOrders, false)
	c.clock.advance(time.Minute)
	_, body := c.get(c.bulk(op.ID).URL)
	all, grouped := readFile(t, body)
	check(t, len(all) > 20 && !grouped, "%d lines, grouped: %v", len(all), grouped)
}

func TestAFileIsForThoseWhoHoldItsAddress(t *testing.T) {
	c := serve(t, Options{})
	c.shop.Create()
	op, _ := c.start(bulkOrders, true)
	c.clock.advance(time.Minute)
	url := c.bulk(op.ID).URL
	for want, ask := range map[int][]string{
		http.StatusTeapot:    {url, "X-Shopify-Access-Token", "pretend-token"},
		http.StatusForbidden: {strings.Replace(url, "Signature=", "Signature=x", 1)},
	} {
		status, _ := c.get(ask[0], ask[1:]...)
		equal(t, want, status, "status")
	}
}

func TestAnEmptyResultHasNoFile(t *testing.T) {
	c := serve(t, Options{})
	op, _ := c.start(bulkOrders, true)
	c.clock.advance(time.Minute)
	done := c.bulk(op.ID)
	check(t, done.Status == "COMPLETED" && done.URL == "" && done.ObjectCount == "0", "done: %+v", done)
}

func TestBulkOperationsEndBadly(t *testing.T) {
	c := serve(t, Options{})
	for range 20 {
		c.shop.Create()
	}
	for _, end := range []string{"FAILED", "CANCELED", "EXPIRED"} {
		c.shop.Break(1, Outage{Bulk: end})
		op, _ := c.start(bulkOrders, true)
		c.clock.advance(time.Minute)
		done := c.bulk(op.ID)
		check(t, done.Status == end && done.URL == "" && (end == "FAILED") == (done.PartialDataURL != ""), "%s: %+v", end, done)
		if end == "FAILED" {
			_, body := c.get(done.PartialDataURL)
			all, _ := readFile(t, body)
			check(t, fmt.Sprint(len(all)) == done.ObjectCount && done.ErrorCode != "", "%d lines, %+v", len(all), done)
		}
	}
	seeded := serve(t, Options{APIFaults: APIFaults{Bulk: 1}})
	op, _ := seeded.start(bulkOrders, true)
	seeded.clock.advance(time.Minute)
	check(t, seeded.bulk(op.ID).Status != "COMPLETED", "it ended well")
	equal(t, 1, seeded.shop.Counts()[Broken], "events")

	c.shop.Withhold("shippingLines")
	op, _ = c.start(bulkOrders, true)
	c.clock.advance(time.Minute)
	done := c.bulk(op.ID)
	check(t, done.Status == "FAILED" && done.ErrorCode == "ACCESS_DENIED" && done.PartialDataURL == "", "withheld: %+v", done)
}

func TestBulkOperationsAreCancelledListedAndLimited(t *testing.T) {
	c := serve(t, Options{BulkLimit: 2, BulkTime: time.Minute})
	v := receive(t)
	c.shop.Subscribe(Subscription{Topic: "bulk_operations/finish", URI: v.URL})
	first, _ := c.start(bulkOrders, true)
	c.clock.advance(time.Second)
	second, _ := c.start(bulkOrders, true)
	_, refusals := c.start(bulkOrders, true)
	equal(t, []string{"LIMIT_REACHED: Bulk operations limit reached. Please try again later."}, refusals, "refusals")

	const cancel = `mutation($id: ID!) { bulkOperationCancel(id: $id) { bulkOperation { status } userErrors { message } } }`
	r := c.ask(cancel, map[string]any{"id": second.ID})
	equal(t, `{"bulkOperation":{"status":"CANCELING"},"userErrors":[]}`, string(r.Data["bulkOperationCancel"]), "cancelled")
	_, refusals = c.start(bulkOrders, true)
	check(t, len(refusals) == 1, "it has not ended yet")
	c.clock.advance(10 * time.Second)
	equal(t, "CANCELED", c.bulk(second.ID).Status, "status")
	c.clock.advance(time.Minute)
	r = c.ask(cancel, map[string]any{"id": first.ID})
	check(t, strings.Contains(string(r.body), "cannot be canceled when it is completed"), "%s", r.body)
	r = c.ask(cancel, map[string]any{"id": "gid://shopify/BulkOperation/1"})
	check(t, strings.Contains(string(r.body), "does not exist"), "%s", r.body)

	for query, want := range map[string][]string{
		"":                                   {second.ID, first.ID},
		"operation_type:query":               {second.ID, first.ID},
		"operation_type:mutation":            nil,
		"status:canceled":                    {second.ID},
		"created_at:<'2026-11-23T10:00:01Z'": {first.ID},
	} {
		r := c.ask(`query($q: String) { bulkOperations(first: 10, query: $q) { nodes { id } } }`, map[string]any{"q": query})
		var list struct{ Nodes []bulkState }
		noError(t, json.Unmarshal(r.Data["bulkOperations"], &list))
		var got []string
		for _, n := range list.Nodes {
			got = append(got, n.ID)
		}
		equal(t, want, got, query)
	}
	flush(t, c.shop)
	var told []string
	for _, got := range v.got {
		told = append(told, got.body)
	}
	check(t, len(told) == 2 && strings.Contains(told[0]+told[1], `"canceled"`) && strings.Contains(told[0]+told[1], `"completed"`), "told: %v", told)

	alone := serve(t, Options{BulkLimit: 1})
	op, _ := alone.start(bulkOrders, true)
	_, refusals = alone.start(bulkOrders, true)
	equal(t, []string{"OPERATION_IN_PROGRESS: A bulk query operation for this app and shop is already in progress: " + op.ID + "."}, refusals, "refusals")
}

func TestBulkQueriesThatShopifyRefuses(t *testing.T) {
	c := serve(t, Options{})
	for query, want := range map[string]string{
		`{ orders { nodes { id } } }`: "must select their contents using 'edges' > 'node'",
		`{ node(id: "x") { id } }`:    "cannot contain a top level `node` field",
		`{ shop { name } }`:           "must contain at least one connection",
		`{ orders { edges { node { name lineItems { edges { node { id } } } } } } }`:                 "must select the 'id' field without an alias",
		`{ orders { edges { node { id refunds { refundLineItems { edges { node { id } } } } } } } }`: "contain a connection field within a list field",
		`mutation { bulkOperationCancel(id: "x") { userErrors { message } } }`:                       "Only `query` operations are supported",
		`query($x: String!) { orders(query: $x) { edges { node { id } } } }`:                         "Invalid bulk query: Variable $x",
		`{ orders { edges { node { nmae } } } }`:                                                     "Invalid bulk query: Field 'nmae' doesn't exist on type 'Order'",
		`{ orders { edges { node { id } } } shop { name } }`:                                         "a single top level field",
		`{ orders { edges { node { id a: lineItems { edges { node { id } } } b: lineItems { edges { node { id } } }
		   c: lineItems { edges { node { id } } } d: lineItems { edges { node { id } } } e: lineItems { edges { node { id } } } } } } }`: "more than 5 connections",
	} {
		op, refusals := c.start(query, false)
		check(t, op.ID == "" && len(refusals) > 0 && strings.Contains(strings.Join(refusals, "\n"), want), "%s: %v", query, refusals)
		check(t, strings.HasPrefix(refusals[0], "INVALID: "), "code: %v", refusals)
	}
	c.shop.Create()
	_, refusals := c.start(`query { orders { edges { node { ...O } } } } fragment O on Order { id discountApplications { edges { node { __typename } } } }`, false)
	check(t, len(refusals) == 0, "fragments: %v", refusals)
}
