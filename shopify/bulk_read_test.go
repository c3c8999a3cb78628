package shopify

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const (
	order1 = `{"id":"gid://shopify/Order/1","name":"#1","updatedAt":"2026-11-23T10:00:00Z","refunds":[]}`
	order2 = `{"id":"gid://shopify/Order/9007199254740995001","name":"#2","updatedAt":"2026-11-23T10:00:02Z","refunds":[{"id":"gid://shopify/Refund/7"}]}`
	order3 = `{"id":"gid://shopify/Order/9007199254740995003","name":"#3","updatedAt":"2026-11-23T10:00:03Z","refunds":[]}`
)

// below is a line that belongs to an order.
func below(kind, fields, parent string) string {
	return fmt.Sprintf(`{"__typename":%q,%s,"__parentId":"gid://shopify/Order/%s"}`, kind, fields, parent)
}

var wholeFile = strings.Join([]string{
	order1,
	below("DiscountCodeApplication", `"index":0,"code":"TEN"`, "1"),
	below("ManualDiscountApplication", `"index":1,"title":"Sorry"`, "1"),
	below("ShippingLine", `"id":"gid://shopify/ShippingLine/2","title":"Post"`, "1"),
	below("LineItem", `"id":"gid://shopify/LineItem/3","quantity":2`, "1"),
	below("LineItem", `"id":"gid://shopify/LineItem/4","quantity":1`, "1"),
	order2,
	below("LineItem", `"id":"gid://shopify/LineItem/5","quantity":1`, "9007199254740995001"),
	"",
	order3,
	below("LineItem", `"id":"gid://shopify/LineItem/6","quantity":1`, "9007199254740995003"),
}, "\n") + "\n"

// storage serves a file as told, and gives an operation that points there.
func storage(t *testing.T, serveFile http.HandlerFunc) (*Client, *clock, BulkOperation) {
	t.Helper()
	client, clock := serve(t, func(w http.ResponseWriter, _ asked) { http.Error(w, "not asked for", http.StatusTeapot) })
	server := httptest.NewServer(serveFile)
	t.Cleanup(server.Close)
	return client, clock, BulkOperation{ID: "gid://shopify/BulkOperation/1", Status: BulkCompleted, URL: server.URL + "/file?Signature=secret"}
}

func serving(file string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(file)) }
}

// readFile reads an operation's file.
func readFile(t *testing.T, c *Client, o BulkOperation, skip int) (all []BulkOrder, err error) {
	t.Helper()
	err = c.ReadBulk(t.Context(), o, skip, func(b BulkOrder) error { all = append(all, b); return nil })
	if err != nil {
		require.NotContains(t, err.Error(), "secret", "the address is as good as a password")
	}
	return all, err
}

func TestABulkFileIsPutTogether(t *testing.T) {
	client, _, o := storage(t, serving(wholeFile))
	all, err := readFile(t, client, o, 0)
	require.NoError(t, err)
	require.Len(t, all, 3)
	require.Equal(t, BulkOrder{ID: 9007199254740995001, Name: "#2", UpdatedAt: time.Date(2026, 11, 23, 10, 0, 2, 0, time.UTC)}, all[1], "refunds can't come by bulk")
	first, err := DecodeGraphQLOrder(all[0].Body)
	require.NoError(t, err)
	require.Equal(t, []Discount{{Kind: "code", Code: "TEN"}, {Kind: "manual", Title: "Sorry"}}, first.Discounts)
	require.Equal(t, "Post", first.ShippingLines[0].Title)
	require.Equal(t, []int64{3, 4}, []int64{first.Lines[0].ID, first.Lines[1].ID})
	require.NotContains(t, string(all[0].Body), "__parentId")
	last, err := DecodeGraphQLOrder(all[2].Body)
	require.NoError(t, err)
	require.Equal(t, int64(9007199254740995003), last.ID, "ids pass 2^53")
	require.Len(t, last.Lines, 1)

	all, err = readFile(t, client, o, 2)
	require.NoError(t, err)
	require.Len(t, all, 1, "the first two are known")
	require.Equal(t, "#3", all[0].Name)
}

func TestTheLastOrderOfAFailedOperationIsInDoubt(t *testing.T) {
	client, _, o := storage(t, serving(wholeFile))
	o.Status, o.ErrorCode, o.PartialURL, o.URL = BulkFailed, "timeout", o.URL, ""
	all, err := readFile(t, client, o, 0)
	require.NoError(t, err)
	require.NotNil(t, all[0].Body)
	require.Nil(t, all[2].Body)
	require.Equal(t, "#3", all[2].Name)
}

// A storage that ends a file early, and well, is told from the operation's count.
func TestTheLastOrderOfAFileThatIsTooShortIsInDoubt(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(wholeFile), "\n")
	client, _, o := storage(t, serving(strings.Join(lines[:5], "\n")+"\n"))
	o.Orders, o.Objects = 1, 6
	all, err := readFile(t, client, o, 0)
	require.NoError(t, err)
	require.Equal(t, []BulkOrder{{ID: 1, Name: "#1", UpdatedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)}}, all, "a line of it is missing")
	o.Objects = 5
	all, err = readFile(t, client, o, 0)
	require.NoError(t, err)
	require.NotNil(t, all[0].Body)
}

func TestOperationsWithoutAFile(t *testing.T) {
	client, _ := serve(t, func(http.ResponseWriter, asked) {})
	for want, o := range map[string]BulkOperation{
		"":                              {Status: BulkCompleted}, // there were no orders
		"is running and has no file":    {Status: BulkRunning, URL: "https://storage.example/x"},
		"is canceled without a file":    {Status: BulkCanceled},
		"without a file (timeout)":      {Status: BulkFailed, ErrorCode: "timeout"},
		ErrBulkGone.Error():             {Status: BulkExpired},
		"not at an https address":       {Status: BulkCompleted, URL: "ftp://storage.example/x"},
		"is not at an https address":    {Status: BulkCompleted, URL: "/etc/passwd"},
		"operation is not at an https ": {Status: BulkCompleted, URL: "http://a b/"},
	} {
		all, err := readFile(t, client, o, 0)
		require.Empty(t, all)
		if want == "" {
			require.NoError(t, err)
			continue
		}
		require.ErrorContains(t, err, want)
	}
	real, err := NewClient(ClientConfig{Domain: "acme.myshopify.com", AccessToken: "x", APIVersion: "2026-10"})
	require.NoError(t, err)
	_, err = readFile(t, real, BulkOperation{Status: BulkCompleted, URL: "http://127.0.0.1/x"}, 0)
	require.ErrorContains(t, err, "is not at an https address")
}

func TestTheStorageNeverSeesTheTokenAndLeadsNowhere(t *testing.T) {
	var calls, elsewhere atomic.Int32
	foreign := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { elsewhere.Add(1) }))
	defer foreign.Close()
	client, _, o := storage(t, func(w http.ResponseWriter, r *http.Request) {
		calls.Add(1)
		for name, values := range r.Header {
			if strings.Contains(name, "Token") || strings.Contains(strings.Join(values, ""), "shpat_secret") {
				t.Errorf("it got %s", name)
			}
		}
		http.Redirect(w, r, foreign.URL, http.StatusFound)
	})
	_, err := readFile(t, client, o, 0)
	require.ErrorContains(t, err, "redirected")
	require.Equal(t, int32(1), calls.Load())
	require.Zero(t, elsewhere.Load())
}

func TestAFileThatIsNoLongerKept(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404, 410} {
		client, clock, o := storage(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(status) })
		_, err := readFile(t, client, o, 0)
		require.ErrorIs(t, err, ErrBulkGone)
		require.Empty(t, clock.waited(), "repeating would not help")
	}
}

func TestABrokenDownloadIsReadAgain(t *testing.T) {
	for name, fault := range map[string]func(http.ResponseWriter){
		"refused for now": func(w http.ResponseWriter) { w.WriteHeader(http.StatusServiceUnavailable) },
		"broken off": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(len(wholeFile)))
			_, _ = w.Write([]byte(wholeFile[:len(wholeFile)*2/3]))
		},
		"broken off between lines": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", fmt.Sprint(len(wholeFile)))
			_, _ = w.Write([]byte(order1 + "\n"))
		},
		"never begun": func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			client, clock, o := storage(t, func(w http.ResponseWriter, r *http.Request) {
				if calls.Add(1) < 3 {
					fault(w)
					return
				}
				serving(wholeFile)(w, r)
			})
			all, err := readFile(t, client, o, 0)
			require.NoError(t, err)
			require.Len(t, all, 3, "each once")
			require.Equal(t, []string{"#1", "#2", "#3"}, []string{all[0].Name, all[1].Name, all[2].Name})
			require.Len(t, all[0].Body, len(mustFirst(t)))
			require.Len(t, clock.waited(), 2)

			client, clock, o = storage(t, func(w http.ResponseWriter, _ *http.Request) { fault(w) })
			_, err = readFile(t, client, o, 0)
			require.Error(t, err)
			require.LessOrEqual(t, len(clock.waited()), 4, "it gives up")
		})
	}
}

// mustFirst is the first order of the whole file.
func mustFirst(t *testing.T) []byte {
	t.Helper()
	client, _, o := storage(t, serving(wholeFile))
	all, err := readFile(t, client, o, 0)
	require.NoError(t, err)
	return all[0].Body
}

func TestADownloadThatStandsStillIsReadAgain(t *testing.T) {
	var calls atomic.Int32
	client, _, o := storage(t, func(w http.ResponseWriter, r *http.Request) {
		if calls.Add(1) > 1 {
			serving(wholeFile)(w, r)
			return
		}
		_, _ = w.Write([]byte(wholeFile[:len(wholeFile)/2]))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the reader hung up
	})
	client.patience = 50 * time.Millisecond
	all, err := readFile(t, client, o, 0)
	require.NoError(t, err)
	require.Len(t, all, 3)

	for _, begin := range []string{"", order1 + "\n"} {
		client, _, o = storage(t, func(w http.ResponseWriter, r *http.Request) {
			_, _ = w.Write([]byte(begin))
			if begin != "" {
				_ = http.NewResponseController(w).Flush()
			}
			<-r.Context().Done()
		})
		client.patience = 50 * time.Millisecond
		_, err = readFile(t, client, o, 0)
		require.ErrorContains(t, err, "stands still")
	}
}

func TestReadingEndsWithTheCallerAndTheContext(t *testing.T) {
	client, clock, o := storage(t, serving(wholeFile))
	enough := errors.New("enough")
	calls := 0
	err := client.ReadBulk(t.Context(), o, 0, func(BulkOrder) error { calls++; return enough })
	require.ErrorIs(t, err, enough)
	require.Equal(t, 1, calls)
	require.Empty(t, clock.waited())

	ctx, cancel := context.WithCancel(t.Context())
	client, clock, o = storage(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	require.ErrorIs(t, client.ReadBulk(ctx, o, 0, func(BulkOrder) error { return nil }), context.Canceled)
	require.Empty(t, clock.waited())
}

func TestLinesThatCannotBeUsedAreRefused(t *testing.T) {
	line := below("LineItem", `"id":"gid://shopify/LineItem/3"`, "1")
	for want, lines := range map[string][]string{
		"line 2 of the bulk file: shopify: the body is not JSON": {order1, `{"id": 1, "email": "ada@example.com`},
		"line 1 of the bulk file: shopify: the body is not a":    {`[1]`},
		"line 3 of the bulk file has more than 10485760":         {order1, line, `{"x":"` + strings.Repeat("x", MaxBody) + `"}`},
		"line 1 of the bulk file is no order":                    {`{"id":"gid://shopify/Product/1","updatedAt":"2026-11-23T10:00:00Z"}`},
		"line 2 of the bulk file is no order":                    {order1, `{"id":"gid://shopify/Order/2"}`},
		"line 1 of the bulk file belongs to another":             {line},
		"line 3 of the bulk file belongs to another":             {order1, order3, line},
		`line 2 of the bulk file is a "Fulfillment"`:             {order1, below("Fulfillment", `"id":"x"`, "1")},
	} {
		client, clock, o := storage(t, serving(strings.Join(lines, "\n")))
		_, err := readFile(t, client, o, 0)
		require.ErrorContains(t, err, want)
		require.NotContains(t, err.Error(), "ada@", "a line is never quoted")
		require.Empty(t, clock.waited(), "another try would read the same")
	}
}

func TestAnOrderTooLargeForMemoryIsFetchedByItsID(t *testing.T) {
	lines := []string{order1}
	long := below("LineItem", `"id":"gid://shopify/LineItem/3","title":"`+strings.Repeat("x", 1<<20)+`"`, "1")
	for range 11 {
		lines = append(lines, long)
	}
	client, _, o := storage(t, serving(strings.Join(append(lines, order3), "\n")))
	all, err := readFile(t, client, o, 0)
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Nil(t, all[0].Body)
	require.NotNil(t, all[1].Body)
}
