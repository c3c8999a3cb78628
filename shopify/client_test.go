package shopify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// asked is one GraphQL request as the server got it.
type asked struct {
	*http.Request
	Operation string
	Vars      map[string]any
}

// clock is a time that moves only when somebody waits.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	waits []time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) Wait(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	c.waits = append(c.waits, d)
	return ctx.Err()
}

// waited gives the waits so far and forgets them.
func (c *clock) waited() []time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	waits := c.waits
	c.waits = nil
	return waits
}

// serve starts a shop that answers each GraphQL request as told, and a client
// for it.
func serve(t *testing.T, answer func(w http.ResponseWriter, r asked), changes ...func(*ClientConfig)) (*Client, *clock) {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var body struct {
			Query     string
			Variables map[string]any
		}
		if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
			http.Error(w, "not JSON", http.StatusBadRequest)
			return
		}
		_, operation, _ := strings.Cut(body.Query, "query ")
		if _, mutation, ok := strings.Cut(body.Query, "mutation "); ok {
			operation = mutation
		}
		operation = operation[:strings.IndexAny(operation+" ", "( {")]
		answer(w, asked{r, operation, body.Variables})
	}))
	t.Cleanup(server.Close)
	clock := &clock{now: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)}
	cfg := ClientConfig{
		Domain: "acme.myshopify.com", AccessToken: "shpat_secret", APIVersion: "2026-10", APIURL: server.URL,
		HTTP: server.Client(), Now: clock.Now, Wait: clock.Wait, Jitter: func() float64 { return 0.5 },
	}
	for _, change := range changes {
		change(&cfg)
	}
	client, err := NewClient(cfg)
	require.NoError(t, err)
	return client, clock
}

func say(w http.ResponseWriter, format string, args ...any) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = fmt.Fprintf(w, format, args...)
}

// failingTimes answers with fail the first n times, and then with good.
func failingTimes(n int32, fail, good func(http.ResponseWriter)) func(http.ResponseWriter, asked) {
	var count atomic.Int32
	return func(w http.ResponseWriter, _ asked) {
		if count.Add(1) <= n {
			fail(w)
			return
		}
		good(w)
	}
}

const shopAnswer = `{"data":{"shop":{"name":"Acme","myshopifyDomain":"acme.myshopify.com","currencyCode":"EUR","ianaTimezone":"Europe/Amsterdam"},
	"currentAppInstallation":{"accessScopes":[{"handle":"read_orders"},{"handle":"read_customers"}]}}}`

func goodShop(w http.ResponseWriter) { say(w, shopAnswer) }

func TestNewClientRefusesWhatCouldLeakTheToken(t *testing.T) {
	good := ClientConfig{Domain: "acme.myshopify.com", AccessToken: "x", APIVersion: "2026-10"}
	_, err := NewClient(good)
	require.NoError(t, err)
	for want, change := range map[string]func(*ClientConfig){
		"domain":                  func(c *ClientConfig) { c.Domain = "acme.myshopify.com.evil.example" },
		"domain \"\"":             func(c *ClientConfig) { c.Domain = "" },
		"domain \"Acme":           func(c *ClientConfig) { c.Domain = "Acme.myshopify.com" },
		"api_version":             func(c *ClientConfig) { c.APIVersion = "2026-11" },
		"api_version \"unstable":  func(c *ClientConfig) { c.APIVersion = "unstable" },
		"api_url":                 func(c *ClientConfig) { c.APIURL = "ftp://x" },
		"access_token is missing": func(c *ClientConfig) { c.AccessToken = "" },
		"not both":                func(c *ClientConfig) { c.ClientID, c.ClientSecret = "a", "b" },
	} {
		cfg := good
		change(&cfg)
		_, err := NewClient(cfg)
		require.ErrorContains(t, err, want)
	}
}

func TestRequestsAreWhatShopifyExpects(t *testing.T) {
	client, _ := serve(t, func(w http.ResponseWriter, r asked) {
		if r.Method != http.MethodPost || r.URL.Path != "/admin/api/2026-10/graphql.json" ||
			r.Header.Get("X-Shopify-Access-Token") != "shpat_secret" || r.Operation != "Shop" {
			http.Error(w, "no", http.StatusTeapot)
			return
		}
		w.Header().Set("X-Shopify-API-Version", "2026-10")
		goodShop(w)
	})
	require.Empty(t, client.SeenVersion())
	shop, err := client.Shop(t.Context())
	require.NoError(t, err)
	require.Equal(t, Shop{
		Name: "Acme", Domain: "acme.myshopify.com", Currency: "EUR", Timezone: "Europe/Amsterdam",
		Scopes: []string{"read_orders", "read_customers"},
	}, shop)
	require.Equal(t, "2026-10", client.SeenVersion())
}

func TestARetiredVersionIsNoticedOnce(t *testing.T) {
	var log bytes.Buffer
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
		w.Header().Set("X-Shopify-API-Version", "2027-01")
		goodShop(w)
	}, func(c *ClientConfig) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	for range 3 {
		_, err := client.Shop(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, "2027-01", client.SeenVersion())
	require.Equal(t, 1, strings.Count(log.String(), "answered=2027-01"))
}

func TestStatusesAreExplained(t *testing.T) {
	for status, want := range map[int]string{
		401: "access token is not accepted",
		402: "frozen",
		403: "scopes",
		404: "check domain and api_version",
		423: "locked",
		302: "redirected",
		400: "not accepted",
	} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			var count atomic.Int32
			client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
				count.Add(1)
				w.Header().Set("Location", "https://evil.example/")
				w.WriteHeader(status)
				_, _ = io.WriteString(w, "<html>ada@example.com shpat_secret</html>")
			})
			_, err := client.Shop(t.Context())
			var refusal *APIError
			require.ErrorAs(t, err, &refusal)
			require.Equal(t, status, refusal.Status)
			require.False(t, refusal.Temporary())
			require.ErrorContains(t, err, want)
			require.NotContains(t, err.Error(), "ada@", "a body is never quoted")
			require.NotContains(t, err.Error(), "shpat")
			require.Equal(t, int32(1), count.Load(), "repeating would not help")
		})
	}
}

func TestFaultsAreRetriedAFewTimes(t *testing.T) {
	faults := map[string]func(http.ResponseWriter){
		"502 with HTML": func(w http.ResponseWriter) { http.Error(w, "<html>", http.StatusBadGateway) },
		"broken off":    func(http.ResponseWriter) { panic(http.ErrAbortHandler) },
		"HTML with 200": func(w http.ResponseWriter) { say(w, "<html>sorry</html>") },
		"empty":         func(w http.ResponseWriter) { say(w, "{}") },
		"internal": func(w http.ResponseWriter) {
			say(w, `{"data":null,"errors":[{"message":"oops","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`)
		},
		"internal, holes": func(w http.ResponseWriter) {
			say(w, `{"data":{"shop":null},"errors":[{"message":"oops","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`)
		},
	}
	for name, fault := range faults {
		t.Run(name, func(t *testing.T) {
			client, clock := serve(t, failingTimes(3, fault, goodShop))
			shop, err := client.Shop(t.Context())
			require.NoError(t, err)
			require.Equal(t, "Acme", shop.Name)
			require.Equal(t, []time.Duration{time.Second / 2, time.Second, 2 * time.Second}, clock.waited(), "half of 1, 2, 4 s: full jitter")

			client, clock = serve(t, failingTimes(4, fault, goodShop))
			_, err = client.Shop(t.Context())
			require.Error(t, err)
			require.NotContains(t, err.Error(), "sorry")
			require.Len(t, clock.waited(), 3)
		})
	}
}

func TestThrottlingIsWaitedOut(t *testing.T) {
	throttled := func(w http.ResponseWriter) {
		say(w, `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}],
			"extensions":{"cost":{"requestedQueryCost":150,"throttleStatus":{"maximumAvailable":1000,"currentlyAvailable":50,"restoreRate":50}}}}`)
	}
	client, clock := serve(t, failingTimes(1, throttled, goodShop))
	_, err := client.Shop(t.Context())
	require.NoError(t, err)
	require.Equal(t, []time.Duration{2 * time.Second}, clock.waited(), "100 points at 50 a second")

	// HTTP's own way says how long; one that says nothing is asked ever later.
	client, clock = serve(t, failingTimes(1, func(w http.ResponseWriter) {
		w.Header().Set("Retry-After", "2.5")
		http.Error(w, "<html>", http.StatusTooManyRequests)
	}, goodShop))
	_, err = client.Shop(t.Context())
	require.NoError(t, err)
	require.Equal(t, []time.Duration{2500 * time.Millisecond}, clock.waited())

	client, clock = serve(t, failingTimes(7, func(w http.ResponseWriter) {
		http.Error(w, "", http.StatusTooManyRequests)
	}, goodShop))
	_, err = client.Shop(t.Context())
	require.NoError(t, err, "longer than faults are retried")
	require.Equal(t, "[1s 2s 4s 8s 16s 30s 30s]", fmt.Sprint(clock.waited()))
}

func TestThrottlingEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
		http.Error(w, "", http.StatusTooManyRequests)
	}, func(c *ClientConfig) {
		c.Wait = func(ctx context.Context, _ time.Duration) error { cancel(); return sleep(ctx, time.Hour) }
	})
	_, err := client.Shop(ctx)
	require.ErrorIs(t, err, context.Canceled)
}

func TestARequestEndsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	client, clock := serve(t, func(_ http.ResponseWriter, r asked) {
		cancel()
		<-r.Context().Done() // the client hung up
	})
	_, err := client.Shop(ctx)
	require.ErrorIs(t, err, context.Canceled)
	require.Empty(t, clock.waited(), "a cancelled call is not repeated")
}

func TestConcurrentCalls(t *testing.T) {
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) {
		w.Header().Set("X-Shopify-API-Version", "2026-10")
		goodShop(w)
	})
	errs := make(chan error, 20)
	for range cap(errs) {
		go func() {
			_, err := client.Shop(t.Context())
			errs <- err
		}()
	}
	for range cap(errs) {
		require.NoError(t, <-errs)
	}
}

func TestAnAnswerWithoutEndIsCutOff(t *testing.T) {
	_, err := readAnswer(t.Context(), io.LimitReader(endless{}, maxAnswer+5))
	require.ErrorContains(t, err, "longer than 32 MB")
	whole, err := readAnswer(t.Context(), strings.NewReader("{}"))
	require.NoError(t, err)
	require.Equal(t, "{}", string(whole))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = readAnswer(ctx, strings.NewReader("{}"))
	require.ErrorIs(t, err, context.Canceled)
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestSleep(t *testing.T) {
	require.NoError(t, sleep(t.Context(), time.Nanosecond))
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	require.ErrorIs(t, sleep(ctx, time.Hour), context.Canceled)
}

// A client with a timeout, as in production: each answered call must take its
// timer with it, instead of leaving it to run out.
func TestAnAnsweredCallLeavesNothingRunning(t *testing.T) {
	client, _ := serve(t, func(w http.ResponseWriter, _ asked) { say(w, `{"data":{"shop":{"name":"Acme"}}}`) },
		func(c *ClientConfig) { c.HTTP.Timeout = time.Hour })
	_, err := client.Shop(t.Context()) // opens the connection, which stays
	require.NoError(t, err)
	before := goleak.IgnoreCurrent()
	_, err = client.Shop(t.Context())
	require.NoError(t, err)
	goleak.VerifyNone(t, before)
}

func TestASilentShopIsGivenUpAfterTheTimeout(t *testing.T) {
	client, _ := serve(t, func(_ http.ResponseWriter, r asked) { <-r.Context().Done() },
		func(c *ClientConfig) { c.HTTP.Timeout = 10 * time.Millisecond })
	_, err := client.Shop(t.Context())
	require.Error(t, err)
	require.NoError(t, t.Context().Err())
}
