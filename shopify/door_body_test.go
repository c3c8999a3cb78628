package shopify

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"
)

func TestABodyMayBeAsLargeAsTheLimitAndNotAByteMore(t *testing.T) {
	const limit = 100_000
	for name, send := range map[string]func(*http.Request){"with its length": func(*http.Request) {}, "in pieces": chunked} {
		t.Run(name, func(t *testing.T) {
			url, k := openDoor(t, func(d *Door) { d.MaxBody = limit })
			body := bytes.Repeat([]byte("x"), limit+1)
			status, _, _ := post(t, delivery(t, url, body[:limit], send))
			require.Equal(t, http.StatusOK, status)
			require.Len(t, k.hooks[0].Body, limit)

			status, _, _ = post(t, delivery(t, url, body, send))
			require.Equal(t, http.StatusRequestEntityTooLarge, status)
			require.Len(t, k.hooks, 1)
			require.Contains(t, k.refusals[0].Reason, "over 100000 bytes")
		})
	}
}

func TestTheLimitIsTenMebibytesUnlessToldOtherwise(t *testing.T) {
	door, err := NewDoor(nil)
	require.NoError(t, err)
	require.EqualValues(t, 10<<20, door.MaxBody)
}

func TestABodyThatIsTooLargeByItsLengthIsNotRead(t *testing.T) {
	door, k := newDoor(t)
	r := delivery(t, "http://door", hello)
	r.ContentLength, r.Body = MaxBody+1, io.NopCloser(failingReader{t})
	answer := httptest.NewRecorder()
	door.ServeHTTP(answer, r)
	require.Equal(t, http.StatusRequestEntityTooLarge, answer.Code)
	require.Len(t, k.refusals, 1)
}

// failingReader fails its test when it is read.
type failingReader struct{ t *testing.T }

func (r failingReader) Read([]byte) (int, error) {
	r.t.Error("the body was read")
	return 0, io.EOF
}

func TestABodyThatBreaksOffIsNotKept(t *testing.T) {
	url, k := openDoor(t)
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	require.NoError(t, err)
	r := delivery(t, url, hello)
	_, err = fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: door\r\nContent-Length: 100\r\n")
	require.NoError(t, err)
	require.NoError(t, r.Header.Write(conn))
	_, err = fmt.Fprintf(conn, "\r\n%s", hello)
	require.NoError(t, err)
	require.NoError(t, conn.Close())
	<-k.refused
	require.Empty(t, k.hooks)
	require.Equal(t, http.StatusBadRequest, k.refusals[0].Status)
	require.Equal(t, "the body could not be read", k.refusals[0].Reason)
}

func TestABodyThatComesSlowlyIsKeptWhole(t *testing.T) {
	url, k := openDoor(t)
	r := delivery(t, url, hello)
	pieces, slow := io.Pipe()
	r.Body, r.ContentLength = pieces, int64(len(hello))
	go func() {
		for i := range hello {
			_, _ = slow.Write(hello[i : i+1])
		}
		slow.Close()
	}()
	status, _, _ := post(t, r)
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, hello, k.hooks[0].Body)
}

func TestConcurrentRequestsShareNoBuffer(t *testing.T) {
	const senders, each = 16, 20
	door, _ := newDoor(t)
	door.Keep = func(_ context.Context, w *Webhook) (bool, error) {
		who := w.WebhookID + ","
		if string(w.Body) != strings.Repeat(who, len(w.Body)/len(who)) {
			t.Errorf("the body of %s holds another's bytes", w.WebhookID)
		}
		return false, nil
	}
	server := httptest.NewServer(door)
	defer server.Close()
	defer http.DefaultClient.CloseIdleConnections()
	var sending sync.WaitGroup
	for n := range senders {
		sending.Go(func() {
			for i := range each {
				id := fmt.Sprint("w", n, "-", i)
				body := []byte(strings.Repeat(id+",", 1+(n*each+i)*37%9000))
				status, _, _ := post(t, delivery(t, server.URL, body, with("X-Shopify-Webhook-Id", id)))
				if status != http.StatusOK {
					t.Errorf("%s was answered %d", id, status)
				}
			}
		})
	}
	sending.Wait()
}

func TestRefusalsHoldNoBodyAndAreBounded(t *testing.T) {
	url, k := openDoor(t)
	long := strings.Repeat("é", maxHeader/2)
	status, _, _ := post(t, delivery(t, url, []byte(`{"email":"ann@example.com"}`),
		with("X-Shopify-Topic", "x"+long[:len(long)-2]), with("X-Shopify-Shop-Domain", long), with("X-Shopify-"+strings.Repeat("Q", 5000), "a")))
	require.Equal(t, http.StatusNotFound, status)
	r := k.refusals[0]
	for _, text := range []string{r.Shop, r.Topic, r.Remote, r.Reason} {
		require.LessOrEqual(t, len(text), 300)
		require.True(t, utf8.ValidString(text))
		require.NotContains(t, text, "ann@example.com")
	}
}

func FuzzDoorKeepsOnlyWhatIsSigned(f *testing.F) {
	f.Add("orders/updated", "acme.myshopify.com", "w1", "2026-11-23T11:59:59Z", signature("new secret", hello), "", hello, true)
	f.Add("", "", "", "", "", "x", []byte{}, false)
	f.Add("a", "other.myshopify.com", "w", "0000-00-00", "====", "\xff", []byte{0xff}, false)
	f.Fuzz(func(t *testing.T, topic, domain, id, triggered, sum, more string, body []byte, sign bool) {
		door, k := newDoor(t, func(d *Door) { d.MaxBody = 1000 })
		if sign {
			sum = signature("old secret", body)
		}
		r := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
		for name, value := range map[string]string{
			"X-Shopify-Topic": topic, "X-Shopify-Shop-Domain": domain, "X-Shopify-Webhook-Id": id,
			"X-Shopify-Triggered-At": triggered, "X-Shopify-Hmac-Sha256": sum, "X-Shopify-More": more,
		} {
			r.Header.Set(name, value)
		}
		answer := httptest.NewRecorder()
		door.ServeHTTP(answer, r)
		if answer.Code != http.StatusOK {
			require.Empty(t, k.hooks)
			require.Len(t, k.refusals, 1)
			require.Equal(t, http.StatusText(answer.Code)+"\n", answer.Body.String())
			return
		}
		require.Len(t, k.hooks, 1)
		require.True(t, bytes.Equal(body, k.hooks[0].Body))
		require.NotEmpty(t, k.hooks[0].WebhookID)
		require.NotEmpty(t, body)
		require.LessOrEqual(t, len(body), 1000)
		secrets := map[string][]string{"acme": {"new secret", "old secret"}, "other": {"other secret"}}[k.hooks[0].Shop]
		given, err := base64.StdEncoding.DecodeString(sum)
		require.NoError(t, err)
		signed := false
		for _, secret := range secrets {
			signed = signed || signature(secret, body) == base64.StdEncoding.EncodeToString(given)
		}
		require.True(t, signed)
	})
}

func BenchmarkDoor(b *testing.B) {
	door, _ := newDoor(b)
	door.Keep = func(context.Context, *Webhook) (bool, error) { return false, nil }
	body := bytes.Repeat([]byte("0123456789abcdef"), 800) // 12.8 KB, as a usual order
	r := delivery(b, "http://door", body)
	reader := bytes.NewReader(body)
	r.Body = io.NopCloser(reader)
	answer := httptest.NewRecorder()
	b.ReportAllocs()
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		reader.Reset(body)
		door.ServeHTTP(answer, r)
	}
	require.Equal(b, http.StatusOK, answer.Code)
}

// What costs nothing to check is checked before any of a large body is taken.
func TestAStrangersLargeBodyIsNotRead(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*http.Request)
		status int
	}{
		"an unknown shop":        {with("X-Shopify-Shop-Domain", "else.myshopify.com"), http.StatusNotFound},
		"no signature":           {without("X-Shopify-Hmac-Sha256"), http.StatusUnauthorized},
		"a signature not base64": {with("X-Shopify-Hmac-Sha256", "***"), http.StatusUnauthorized},
		"a signature too short":  {with("X-Shopify-Hmac-Sha256", "c2hvcnQ="), http.StatusUnauthorized},
	} {
		t.Run(name, func(t *testing.T) {
			door, k := newDoor(t)
			r := delivery(t, "http://door", hello, c.change)
			r.ContentLength, r.Body = -1, io.NopCloser(failingReader{t})
			answer := httptest.NewRecorder()
			door.ServeHTTP(answer, r)
			require.Equal(t, c.status, answer.Code)
			require.Len(t, k.refusals, 1)
		})
	}
}

// slowly posts body in pieces with a signature that fits nothing, and ends it
// only when told to.
func slowly(t *testing.T, door *Door, body []byte) (end func()) {
	t.Helper()
	pieces, slow := io.Pipe()
	r := delivery(t, "http://door", hello, with("X-Shopify-Hmac-Sha256", signature("guessed", hello)))
	r.ContentLength, r.Body = -1, pieces
	answer, done := httptest.NewRecorder(), make(chan struct{})
	go func() {
		door.ServeHTTP(answer, r)
		pieces.CloseWithError(io.ErrClosedPipe) // as the server does with what was not read
		close(done)
	}()
	_, err := slow.Write(body)
	require.NoError(t, err)
	return func() {
		slow.Close()
		<-done
		require.Equal(t, http.StatusUnauthorized, answer.Code)
	}
}

func TestSlowStrangersHoldUpNoLargeBody(t *testing.T) {
	door, k := newDoor(t)
	for range 64 {
		defer slowly(t, door, bytes.Repeat([]byte("x"), 300<<10))()
	}
	answer := httptest.NewRecorder()
	door.ServeHTTP(answer, delivery(t, "http://door", bytes.Repeat([]byte("x"), 1<<20), chunked))
	require.Equal(t, http.StatusOK, answer.Code)
	require.Len(t, k.hooks, 1)
}

func TestALimitOverTheSharedMemoryCanBeReached(t *testing.T) {
	door, k := newDoor(t, func(d *Door) { d.MaxBody = largeBytes + 1<<20 })
	answer := httptest.NewRecorder()
	door.ServeHTTP(answer, delivery(t, "http://door", bytes.Repeat([]byte("x"), int(door.MaxBody)), chunked))
	require.Equal(t, http.StatusOK, answer.Code)
	require.Len(t, k.hooks[0].Body, int(door.MaxBody))
}

// Large bodies share so much memory; whose body finds none left is told to come
// again, and can once the others are done.
func TestTooManyLargeBodiesAtOnceAreToldToComeAgain(t *testing.T) {
	door, k := newDoor(t)
	large := bytes.Repeat([]byte("x"), MaxBody)
	ask := func() *httptest.ResponseRecorder {
		answer := httptest.NewRecorder()
		door.ServeHTTP(answer, delivery(t, "http://door", large))
		return answer
	}
	var ends []func()
	for range largeBytes / MaxBody {
		ends = append(ends, slowly(t, door, large))
	}
	answer := ask()
	require.Equal(t, http.StatusServiceUnavailable, answer.Code)
	require.NotEmpty(t, answer.Header().Get("Retry-After"))
	require.Contains(t, k.refusals[0].Reason, "too many large bodies")

	answer = httptest.NewRecorder()
	door.ServeHTTP(answer, delivery(t, "http://door", large[:smallBody], with("X-Shopify-Webhook-Id", "small")))
	require.Equal(t, http.StatusOK, answer.Code, "small ones pass meanwhile")
	for _, end := range ends {
		end()
	}
	require.Equal(t, http.StatusOK, ask().Code)
	require.Zero(t, door.taken.Load(), "all was given back")
}
