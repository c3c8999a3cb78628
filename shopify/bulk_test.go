package shopify

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// operationNode is an operation as Shopify tells it.
func operationNode(id int, status string, w Window) string {
	return fmt.Sprintf(`{"id":"gid://shopify/BulkOperation/%d","status":%q,"errorCode":null,"createdAt":"2026-11-23T11:00:%02dZ","completedAt":null,
		"objectCount":"57","rootObjectCount":"12","fileSize":null,"url":null,"partialDataUrl":null,"query":%q}`, id, status, id, `{ orders(query: "`+w.search()+`") { }`)
}

// bulkShop has some operations, and answers the start of one as told.
type bulkShop struct {
	known   []string
	start   func(http.ResponseWriter)
	mu      sync.Mutex
	started []string // the queries
	search  string   // of the last list
}

func (s *bulkShop) answer(w http.ResponseWriter, r asked) {
	switch r.Operation {
	case "BulkOperations":
		s.search = r.Vars["query"].(string)
		say(w, `{"data":{"bulkOperations":{"pageInfo":{"hasNextPage":false},"nodes":[%s]}}}`, strings.Join(s.known, ","))
	case "BulkRun":
		s.mu.Lock()
		s.started = append(s.started, r.Vars["query"].(string))
		s.mu.Unlock()
		s.start(w)
	}
}

// queries are those that operations were started with.
func (s *bulkShop) queries() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.started
}

func started(w http.ResponseWriter) {
	say(w, `{"data":{"bulkOperationRunQuery":{"bulkOperation":%s,"userErrors":[]}}}`, operationNode(9, "CREATED", window))
}

func TestABulkOperationIsStarted(t *testing.T) {
	other := window
	other.From = other.From.Add(time.Hour)
	shop := &bulkShop{start: started, known: []string{
		operationNode(1, "RUNNING", other), operationNode(2, "COMPLETED", window), operationNode(3, "CANCELING", window),
	}}
	client, _ := serve(t, shop.answer)
	o, err := client.BulkOrders(t.Context(), window)
	require.NoError(t, err)
	require.Equal(t, "gid://shopify/BulkOperation/9", o.ID)
	require.Equal(t, BulkCreated, o.Status)
	require.True(t, o.Reads(window))
	require.False(t, o.Reads(other))
	require.Len(t, shop.queries(), 1)
	require.Contains(t, shop.queries()[0], `orders(query: "updated_at:>='2026-11-23T10:00:00Z' AND updated_at:<'2026-11-23T11:00:01Z'", sortKey: ID)`)
	require.Equal(t, "operation_type:query AND created_at:>='2026-11-06T12:00:00Z'", shop.search)
}

func TestABulkOperationUnderWayIsTakenOver(t *testing.T) {
	shop := &bulkShop{start: started, known: []string{operationNode(4, "RUNNING", window)}}
	client, _ := serve(t, shop.answer)
	o, err := client.BulkOrders(t.Context(), window)
	require.NoError(t, err)
	require.Equal(t, "gid://shopify/BulkOperation/4", o.ID)
	require.Equal(t, int64(12), o.Orders)
	require.Equal(t, int64(57), o.Objects)
	require.Empty(t, shop.queries())
}

func TestABulkOperationIsNotStartedTwice(t *testing.T) {
	shop := &bulkShop{start: func(http.ResponseWriter) { panic(http.ErrAbortHandler) }}
	client, clock := serve(t, shop.answer)
	_, err := client.BulkOrders(t.Context(), window)
	require.ErrorContains(t, err, "starting a bulk operation")
	require.Len(t, shop.queries(), 1, "whether it was started is not known")
	require.Empty(t, clock.waited())
}

func TestRefusalsOfBulkOperations(t *testing.T) {
	for refusal, want := range map[string]string{
		`{"field":null,"message":"A bulk query operation for this app and shop is already in progress: gid://shopify/BulkOperation/1.","code":"OPERATION_IN_PROGRESS"}`: "already running",
		`{"field":null,"message":"A bulk query operation for this app and shop is already in progress: gid://shopify/BulkOperation/1."}`:                                "already running",
		`{"field":null,"message":"Bulk operations limit reached. Please try again later.","code":"LIMIT_REACHED"}`:                                                      "already running",
		`{"field":["query"],"message":"Invalid bulk query: syntax error","code":"INVALID"}`:                                                                             "refuses: Invalid bulk query: syntax error",
	} {
		shop := &bulkShop{start: func(w http.ResponseWriter) {
			say(w, `{"data":{"bulkOperationRunQuery":{"bulkOperation":null,"userErrors":[%s]}}}`, refusal)
		}}
		client, _ := serve(t, shop.answer)
		_, err := client.BulkOrders(t.Context(), window)
		require.ErrorContains(t, err, want)
		require.Equal(t, want == "already running", strings.Contains(err.Error(), ErrBulkBusy.Error()))
	}
}

func TestBulkOperationsAreListedNewestFirst(t *testing.T) {
	shop := &bulkShop{known: []string{operationNode(1, "COMPLETED", window), operationNode(3, "FAILED", window), operationNode(2, "RUNNING", window)}}
	client, _ := serve(t, shop.answer)
	all, err := client.CurrentBulk(t.Context())
	require.NoError(t, err)
	var states []BulkStatus
	for _, o := range all {
		states = append(states, o.Status)
	}
	require.Equal(t, []BulkStatus{BulkFailed, BulkRunning, BulkCompleted}, states)

	shop.known = []string{`{"status":"RUNNING"}`}
	_, err = client.CurrentBulk(t.Context())
	require.ErrorContains(t, err, "without its id")
}

func TestStatesOfABulkOperation(t *testing.T) {
	for word, want := range map[string]struct {
		status BulkStatus
		done   bool
	}{
		"CREATED": {BulkCreated, false}, "RUNNING": {BulkRunning, false}, "CANCELING": {BulkCanceling, false},
		"COMPLETED": {BulkCompleted, true}, "CANCELED": {BulkCanceled, true}, "EXPIRED": {BulkExpired, true}, "FAILED": {BulkFailed, true},
		"PAUSED_FOR_TEA": {BulkRunning, false}, "": {BulkRunning, false},
	} {
		client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
			say(w, `{"data":{"bulkOperation":%s}}`, operationNode(1, word, window))
		})
		o, err := client.BulkOperation(t.Context(), "gid://shopify/BulkOperation/1")
		require.NoError(t, err)
		require.Equal(t, want.status, o.Status)
		require.Equal(t, want.done, o.Done(), word)
	}
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"bulkOperation":null}}`) })
	_, err := client.BulkOperation(t.Context(), "gid://shopify/BulkOperation/1")
	require.ErrorIs(t, err, ErrBulkGone)
}

func TestABulkOperationIsCancelled(t *testing.T) {
	refusals := ""
	client, _ := serve(t, func(w http.ResponseWriter, r asked) {
		require.Equal(t, "gid://shopify/BulkOperation/1", r.Vars["id"])
		say(w, `{"data":{"bulkOperationCancel":{"bulkOperation":{"status":"CANCELING"},"userErrors":[%s]}}}`, refusals)
	})
	require.NoError(t, client.BulkCancel(t.Context(), "gid://shopify/BulkOperation/1"))
	refusals = `{"field":null,"message":"A bulk operation cannot be canceled when it is completed"}`
	require.ErrorContains(t, client.BulkCancel(t.Context(), "gid://shopify/BulkOperation/1"), "cannot be canceled when it is completed")
}

// The two ways to an order must not drift apart.
func TestABulkOperationAsksForWhatASingleOrderIsAskedFor(t *testing.T) {
	single, bulk := selections(t, orderDocument, "order"), selections(t, bulkOrdersDocument, "orders")
	require.Equal(t, single, bulk)
	require.Greater(t, len(single), 100)
}

// selections are the paths of all fields below one at the top, without what is
// only for paging or for telling lines apart.
func selections(t *testing.T, doc document, top string) []string {
	t.Helper()
	parsed, err := parser.ParseQuery(&ast.Source{Input: doc.text})
	require.NoError(t, err)
	var all []string
	var walk func(set ast.SelectionSet, path string)
	walk = func(set ast.SelectionSet, path string) {
		for _, sel := range set {
			switch sel := sel.(type) {
			case *ast.InlineFragment:
				walk(sel.SelectionSet, path+" on "+sel.TypeCondition)
			case *ast.FragmentSpread:
				walk(parsed.Fragments.ForName(sel.Name).SelectionSet, path)
			case *ast.Field:
				switch sel.Name {
				case "edges", "node", "nodes", top:
					walk(sel.SelectionSet, path)
				case "pageInfo", "__typename":
				default:
					all = append(all, path+"."+sel.Name)
					walk(sel.SelectionSet, path+"."+sel.Name)
				}
			}
		}
	}
	walk(parsed.Operations[0].SelectionSet, "")
	return all
}
