package shopify

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestGraphQLErrorsAreExplained(t *testing.T) {
	for name, c := range map[string]struct {
		errors, want string
		codes        []string
	}{
		"access": {
			`[{"message":"Access denied for orders field.","path":["orders"],"extensions":{"code":"ACCESS_DENIED","requiredAccess":"` + "`read_orders`" + ` access scope."}}]`,
			"withholds orders, which needs `read_orders` access scope; grant it", []string{"ACCESS_DENIED"},
		},
		"access, no scope": {
			`[{"message":"Not approved.","extensions":{"code":"ACCESS_DENIED"}}]`,
			"withholds the data: Not approved; grant it", []string{"ACCESS_DENIED"},
		},
		"closed":        {`[{"message":"x","extensions":{"code":"SHOP_INACTIVE"}}]`, "the shop is closed", []string{"SHOP_INACTIVE"}},
		"several":       {`[{"message":"One.\n"},{"message":"One.\n"},{"message":"Two"}]`, "acme.myshopify.com: One; Two", nil},
		"a text":        {`"Something old"`, "Something old", nil},
		"neither":       {`{"a":1}`, "acme.myshopify.com: ", nil},
		"odd extension": {`[{"message":"Odd","extensions":{"code":7,"requiredAccess":[]}}]`, "Odd", nil},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":null,"errors":%s}`, c.errors) })
			_, err := client.Shop(t.Context())
			var refusal *APIError
			require.ErrorAs(t, err, &refusal)
			require.ErrorContains(t, err, c.want)
			require.Equal(t, c.codes, refusal.Codes)
			require.False(t, refusal.Partial)
			require.False(t, refusal.Temporary())
		})
	}
}

func TestAnEmptyListOfErrorsIsNone(t *testing.T) {
	var count atomic.Int32
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
		errs := []string{`[]`, `null`}[count.Add(1)-1]
		say(w, `{"errors":%s,%s`, errs, shopAnswer[1:])
	})
	for range 2 {
		_, err := client.Shop(t.Context())
		require.NoError(t, err)
	}
}

func TestAFaultThatNamesItsEndIsWaitedFor(t *testing.T) {
	client, clock := serve(t, failingTimes(1, func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "", http.StatusServiceUnavailable)
	}, goodShop))
	_, err := client.Shop(t.Context())
	require.NoError(t, err)
	require.Equal(t, []time.Duration{7 * time.Second}, clock.waited())
}

func TestRetryAfter(t *testing.T) {
	for header, want := range map[string]time.Duration{
		"": 0, "2.0": 2 * time.Second, "0.25": 250 * time.Millisecond, "86400": time.Minute,
		"-3": 0, "Wed, 21 Oct 2026 07:28:00 GMT": 0, "1h": 0,
	} {
		require.Equal(t, want, retryAfter(header), header)
	}
}

func TestPlain(t *testing.T) {
	require.Equal(t, "one two", plain("one\ntwo.", 20))
	require.Equal(t, strings.Repeat("a", 9)+"...", plain(strings.Repeat("a", 9)+"é", 10), "no half characters")
}
