package shopify

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// kept is a door's Keep and Refused: what was let in, and what was turned away.
type kept struct {
	mu       sync.Mutex
	hooks    []Webhook
	refusals []Refusal
	fails    error
	refused  chan struct{}
}

func (k *kept) keep(_ context.Context, w *Webhook) (bool, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.fails != nil {
		return false, k.fails
	}
	hook := *w
	hook.Body = bytes.Clone(w.Body)
	for _, before := range k.hooks {
		if before.Shop == hook.Shop && before.WebhookID == hook.WebhookID {
			return true, nil
		}
	}
	k.hooks = append(k.hooks, hook)
	return false, nil
}

func (k *kept) refuse(r Refusal) {
	k.mu.Lock()
	k.refusals = append(k.refusals, r)
	k.mu.Unlock()
	k.refused <- struct{}{}
}

var doorTime = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func newDoor(t testing.TB, changes ...func(*Door)) (*Door, *kept) {
	t.Helper()
	door, err := NewDoor([]DoorShop{
		{Name: "acme", Domain: "Acme.myshopify.com", Secrets: []string{"new secret", "old secret"}},
		{Name: "other", Domain: "other.myshopify.com", Secrets: []string{"other secret"}},
	})
	require.NoError(t, err)
	k := &kept{refused: make(chan struct{}, 1000)}
	door.Keep, door.Refused, door.Now = k.keep, k.refuse, func() time.Time { return doorTime }
	for _, change := range changes {
		change(door)
	}
	return door, k
}

// openDoor serves a door over loopback.
func openDoor(t testing.TB, changes ...func(*Door)) (url string, k *kept) {
	t.Helper()
	door, k := newDoor(t, changes...)
	server := httptest.NewServer(door)
	t.Cleanup(server.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return server.URL, k
}

func signature(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// delivery is a signed webhook of acme, as changes make it.
func delivery(t testing.TB, url string, body []byte, changes ...func(*http.Request)) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	require.NoError(t, err)
	for name, value := range map[string]string{
		"Content-Type": "application/json", "X-Shopify-Topic": "orders/updated", "X-Shopify-Shop-Domain": "acme.myshopify.com",
		"X-Shopify-Webhook-Id": "w1", "X-Shopify-Event-Id": "e1", "X-Shopify-Api-Version": "2026-10",
		"X-Shopify-Triggered-At": "2026-11-23T11:59:59.123456789Z", "X-Shopify-Hmac-Sha256": signature("new secret", body),
	} {
		r.Header.Set(name, value)
	}
	for _, change := range changes {
		change(r)
	}
	return r
}

func with(name, value string) func(*http.Request) {
	return func(r *http.Request) { r.Header.Set(name, value) }
}

func without(name string) func(*http.Request) { return func(r *http.Request) { r.Header.Del(name) } }

func chunked(r *http.Request) { r.ContentLength, r.Body = -1, struct{ io.ReadCloser }{r.Body} }

// post sends a request and returns the status, the headers and the text of its answer.
func post(t testing.TB, r *http.Request) (int, http.Header, string) {
	t.Helper()
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	return answer.StatusCode, answer.Header, string(text)
}

var hello = []byte(`{"id":1}`)

func TestASignedWebhookIsKeptAsItCame(t *testing.T) {
	url, k := openDoor(t)
	status, _, text := post(t, delivery(t, url, hello))
	require.Equal(t, http.StatusOK, status)
	require.Empty(t, text)
	require.Equal(t, []Webhook{{
		Shop: "acme", Topic: "orders/updated", WebhookID: "w1", EventID: "e1", Headers: `{"X-Shopify-Api-Version":"2026-10"}`,
		TriggeredAt: time.Date(2026, 11, 23, 11, 59, 59, 123456789, time.UTC), ReceivedAt: doorTime, Body: hello,
	}}, k.hooks)
	require.Empty(t, k.refusals)
}

func TestTheDoorLetsIn(t *testing.T) {
	gzipped := []byte("\x1f\x8b\x08\x00not really gzip")
	var bomb bytes.Buffer // of 64 MiB
	pack := gzip.NewWriter(&bomb)
	for range 64 {
		_, err := pack.Write(make([]byte, 1<<20))
		require.NoError(t, err)
	}
	require.NoError(t, pack.Close())
	for name, c := range map[string]struct {
		body   []byte
		change func(*http.Request)
	}{
		"a signature of the new secret":       {hello, with("X-Shopify-Hmac-Sha256", signature("new secret", hello))},
		"a signature of the old secret":       {hello, with("X-Shopify-Hmac-Sha256", signature("old secret", hello))},
		"a domain in other letters":           {hello, with("X-Shopify-Shop-Domain", "ACME.MyShopify.com")},
		"a topic in other letters":            {hello, with("X-Shopify-Topic", "Orders/Updated")},
		"a body in pieces":                    {hello, chunked},
		"a body that says it is gzip, as is":  {gzipped, with("Content-Encoding", "gzip")},
		"a gzip bomb, as is":                  {bomb.Bytes(), with("Content-Encoding", "gzip")},
		"another content type":                {hello, with("Content-Type", "text/html")},
		"no content type":                     {hello, without("Content-Type")},
		"a body that is no UTF-8":             {[]byte("{\"name\":\"\xff\xfe\x00\"}"), func(*http.Request) {}},
		"a body that is no JSON":              {[]byte("hello"), func(*http.Request) {}},
		"the longest header":                  {hello, with("X-Shopify-Name", strings.Repeat("x", maxHeader))},
		"a header of another maker, repeated": {hello, func(r *http.Request) { r.Header["X-Forwarded-For"] = []string{"a", "b"} }},
	} {
		t.Run(name, func(t *testing.T) {
			url, k := openDoor(t)
			status, _, _ := post(t, delivery(t, url, c.body, c.change))
			require.Equal(t, http.StatusOK, status)
			require.Len(t, k.hooks, 1)
			require.Equal(t, c.body, k.hooks[0].Body)
			require.Equal(t, "acme", k.hooks[0].Shop)
			require.Equal(t, "orders/updated", k.hooks[0].Topic)
		})
	}
}

func TestTheDoorTurnsAwayAndTellsOnlyUsWhy(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
		reason string
	}{
		"no signature":             {without("X-Shopify-Hmac-Sha256"), 401, "X-Shopify-Hmac-Sha256 is missing"},
		"a signature not base64":   {with("X-Shopify-Hmac-Sha256", "***"), 401, "not an HMAC-SHA256"},
		"a signature cut short":    {with("X-Shopify-Hmac-Sha256", signature("new secret", hello)[:20]), 401, "not an HMAC-SHA256"},
		"a signature of nothing":   {with("X-Shopify-Hmac-Sha256", signature("", hello)), 401, "fits none"},
		"another body's signature": {with("X-Shopify-Hmac-Sha256", signature("new secret", []byte("else"))), 401, "fits none"},
		"another shop's secret":    {with("X-Shopify-Hmac-Sha256", signature("other secret", hello)), 401, "fits none"},
		"our secret, another shop": {with("X-Shopify-Shop-Domain", "other.myshopify.com"), 401, "fits none"},
		"an unknown shop":          {with("X-Shopify-Shop-Domain", "else.myshopify.com"), 404, "no configured shop"},
		"no shop":                  {without("X-Shopify-Shop-Domain"), 404, "no configured shop"},
		"a shop's name, no domain": {with("X-Shopify-Shop-Domain", "acme"), 404, "no configured shop"},
		"two signatures":           {func(r *http.Request) { r.Header.Add("X-Shopify-Hmac-Sha256", "x") }, 401, "X-Shopify-Hmac-Sha256 is repeated"},
		"two shops":                {func(r *http.Request) { r.Header.Add("X-Shopify-Shop-Domain", "other.myshopify.com") }, 401, "repeated"},
		"two webhook ids":          {func(r *http.Request) { r.Header.Add("X-Shopify-Webhook-Id", "w1") }, 401, "repeated"},
		"a header too long":        {with("X-Shopify-Name", strings.Repeat("x", maxHeader+1)), 401, "X-Shopify-Name is too long"},
	} {
		t.Run(name, func(t *testing.T) {
			url, k := openDoor(t)
			status, _, text := post(t, delivery(t, url, hello, c.change))
			require.Equal(t, c.status, status)
			require.Equal(t, http.StatusText(c.status)+"\n", text)
			require.Empty(t, k.hooks)
			require.Len(t, k.refusals, 1)
			require.Contains(t, k.refusals[0].Reason, c.reason)
			require.Equal(t, c.status, k.refusals[0].Status)
			require.Equal(t, doorTime, k.refusals[0].At)
			require.NotEmpty(t, k.refusals[0].Remote)
		})
	}
}

func TestAnEventsDeliveryWithoutXHeadersIsRecognised(t *testing.T) {
	url, k := openDoor(t)
	r := delivery(t, url, hello, func(r *http.Request) {
		for name, values := range r.Header {
			if bare, ok := strings.CutPrefix(name, "X-"); ok {
				r.Header[bare] = values
				r.Header.Del(name)
			}
		}
	})
	status, _, _ := post(t, r)
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, k.refusals[0].Reason, "Events")
}

func TestAnEmptyBodyIsRefusedEvenWithItsSignature(t *testing.T) {
	url, k := openDoor(t)
	status, _, _ := post(t, delivery(t, url, nil))
	require.Equal(t, http.StatusUnauthorized, status)
	require.Contains(t, k.refusals[0].Reason, "the body is empty")
}

func TestAnEmptySecretIsNoSecret(t *testing.T) {
	_, err := NewDoor([]DoorShop{{Name: "acme", Domain: "acme.myshopify.com", Secrets: []string{"good", ""}}})
	require.ErrorContains(t, err, "an empty webhook secret would accept forged webhooks")
}

func TestOptionalHeadersMayBeMissing(t *testing.T) {
	url, k := openDoor(t)
	status, _, _ := post(t, delivery(t, url, hello, without("X-Shopify-Topic"), without("X-Shopify-Event-Id"),
		without("X-Shopify-Api-Version"), with("X-Shopify-Triggered-At", "yesterday")))
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, Webhook{Shop: "acme", WebhookID: "w1", Headers: "{}", ReceivedAt: doorTime, Body: hello}, k.hooks[0])
}

func TestWithoutAWebhookIDARepeatIsStillKnown(t *testing.T) {
	url, k := openDoor(t)
	bare := without("X-Shopify-Webhook-Id")
	for _, r := range []*http.Request{
		delivery(t, url, hello, bare), delivery(t, url, hello, bare),
		delivery(t, url, []byte("another body"), bare), delivery(t, url, hello, bare, with("X-Shopify-Topic", "orders/paid")),
	} {
		status, _, _ := post(t, r)
		require.Equal(t, http.StatusOK, status, "stored or seen before")
	}
	require.Len(t, k.hooks, 3)
	ids := map[string]bool{}
	for _, hook := range k.hooks {
		require.Regexp(t, "^body-[0-9a-f]{32}$", hook.WebhookID)
		ids[hook.WebhookID] = true
	}
	require.Len(t, ids, 3)
}

func TestAnOldBodyUnderANewWebhookIDIsStored(t *testing.T) {
	url, k := openDoor(t)
	for _, id := range []string{"w1", "w2", "w1"} {
		status, _, _ := post(t, delivery(t, url, hello, with("X-Shopify-Webhook-Id", id)))
		require.Equal(t, http.StatusOK, status)
	}
	require.Len(t, k.hooks, 2)
}

func TestWhatCannotBeStoredIsAskedForAgainAndCounted(t *testing.T) {
	for wait, want := range map[time.Duration]string{7 * time.Second: "7", 0: "1"} {
		url, k := openDoor(t, func(d *Door) { d.RetryAfter = wait })
		k.fails = errors.New("disk full at /secret/place")
		status, header, text := post(t, delivery(t, url, hello))
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Equal(t, want, header.Get("Retry-After"))
		require.NotContains(t, text, "disk")
		require.Len(t, k.refusals, 1)
		require.Contains(t, k.refusals[0].Reason, "disk full")
	}
}
