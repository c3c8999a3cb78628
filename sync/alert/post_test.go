package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"github.com/stretchr/testify/require"
)

const (
	secretPath = "/services/T000/B000/very-secret?key=hidden"
	signing    = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
)

// got is what a server was sent.
type got struct {
	method, uri string
	header      http.Header
	body        []byte
}

// receiver answers every post with answer and keeps them.
func receiver(t *testing.T, answer http.HandlerFunc) (address string, posts *[]got) {
	t.Helper()
	posts = new([]got)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		*posts = append(*posts, got{r.Method, r.RequestURI, r.Header, body})
		answer(w, r)
	}))
	t.Cleanup(s.Close)
	return s.URL + secretPath, posts
}

func ok(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }

// channels are both that post, at the same address.
func channels(t *testing.T, address string) map[string]Channel {
	t.Helper()
	slack, err := NewSlack(address, &http.Client{}, clock)
	require.NoError(t, err)
	webhook, err := NewWebhook(address, signing, &http.Client{}, clock)
	require.NoError(t, err)
	return map[string]Channel{"slack": slack, "webhook": webhook}
}

// noSecrets is failure for channels whose address is a secret.
func noSecrets(t *testing.T, err error) *Error {
	t.Helper()
	e := failure(t, err)
	for _, secret := range []string{"very-secret", "hidden", "/services", strings.TrimPrefix(signing, "whsec_")} {
		require.NotContains(t, e.Error(), secret)
	}
	return e
}

func TestSlack(t *testing.T) {
	address, posts := receiver(t, ok)
	message := note
	message.Subject, message.Text = "Order <!channel>\n& more", "see <https://example.net|here> & there"
	require.NoError(t, channels(t, address)["slack"].Send(t.Context(), message))
	post := (*posts)[0]
	require.Equal(t, http.MethodPost, post.method)
	require.Equal(t, secretPath, post.uri)
	require.Equal(t, "application/json", post.header.Get("Content-Type"))
	var sent map[string]string
	require.NoError(t, json.Unmarshal(post.body, &sent))
	require.Equal(t, map[string]string{"text": "*Order &lt;!channel&gt; &amp; more*\nsee &lt;https://example.net|here&gt; &amp; there"}, sent)
}

func TestSlackIsSentNoMoreThanItShowsAndToldHowMuchThatLeavesOut(t *testing.T) {
	address, posts := receiver(t, ok)
	message := note
	line := strings.Repeat("é", 98) + "&\n" // 104 characters, the way that it is sent
	message.Text = "New:\n" + strings.Repeat(line, 1000) + "\n"
	require.NoError(t, channels(t, address)["slack"].Send(t.Context(), message))
	var sent map[string]string
	require.NoError(t, json.Unmarshal((*posts)[0].body, &sent))
	require.LessOrEqual(t, utf8.RuneCountInString(sent["text"]), longestSlack+100)
	shown, end, cut := strings.Cut(sent["text"], "…")
	require.True(t, cut)
	require.True(t, strings.HasSuffix(shown, "&amp;\n"), "no line is cut in the middle")
	require.Equal(t, fmt.Sprintf("\n%d more lines are not shown here; the Gaps page has them all.", 1000-strings.Count(shown, "&amp;\n")), end)

	message.Text = strings.Repeat(line, 280)
	require.NoError(t, channels(t, address)["slack"].Send(t.Context(), message))
	require.NotContains(t, string((*posts)[1].body), "not shown")
}

func TestWebhook(t *testing.T) {
	address, posts := receiver(t, ok)
	require.NoError(t, channels(t, address)["webhook"].Send(t.Context(), note))
	post := (*posts)[0]
	require.JSONEq(t, `{"type":"gapless.gap","timestamp":"2026-11-22T13:10:00Z","data":{"gap":71}}`, string(post.body))
	require.Equal(t, "gap-71-open", post.header.Get(standardwebhooks.HeaderWebhookID))
	verifier, err := standardwebhooks.NewWebhook(signing)
	require.NoError(t, err)
	require.NoError(t, verifier.VerifyIgnoringTimestamp(post.body, post.header))
	require.Equal(t, "1795353000", post.header.Get(standardwebhooks.HeaderWebhookTimestamp))
	post.body[0] = '['
	require.Error(t, verifier.VerifyIgnoringTimestamp(post.body, post.header))
}

func TestAWebhookWithoutASecretIsNotSigned(t *testing.T) {
	address, posts := receiver(t, ok)
	w, err := NewWebhook(address, "", &http.Client{}, clock)
	require.NoError(t, err)
	message := note
	message.ID = ""
	require.NoError(t, w.Send(t.Context(), message))
	require.Empty(t, (*posts)[0].header.Get(standardwebhooks.HeaderWebhookSignature))
	require.Regexp(t, `^[0-9a-f]{32}$`, (*posts)[0].header.Get(standardwebhooks.HeaderWebhookID))
}

func TestDataThatIsNoJSON(t *testing.T) {
	address, posts := receiver(t, ok)
	message := note
	message.Data = make(chan int)
	require.True(t, noSecrets(t, channels(t, address)["webhook"].Send(t.Context(), message)).Permanent)
	require.Empty(t, *posts)
}

func TestAnAnswerSaysWhetherToTryAgain(t *testing.T) {
	for _, c := range []struct {
		status     int
		retryAfter string
		permanent  bool
		after      time.Duration
		says       string
	}{
		{429, "30", false, 30 * time.Second, "answered 429 Too Many Requests"},
		{429, "Sun, 22 Nov 2026 13:12:00 GMT", false, 2 * time.Minute, "429"},
		{429, "Sun, 22 Nov 2026 13:00:00 GMT", false, 0, "429"},
		{429, "99999999999999", false, 24 * time.Hour, "429"},
		{429, "-5", false, 0, "429"},
		{429, "soon", false, 0, "429"},
		{503, "60", false, time.Minute, "503 Service Unavailable"},
		{500, "", false, 0, "answered 500 Internal Server Error; it will be tried again"},
		{408, "", false, 0, "408"},
		{400, "", true, 0, "answered 400 Bad Request; check alerts."},
		{403, "60", true, 0, "403"},
		{404, "", true, 0, "404"},
		{410, "", true, 0, "410"},
	} {
		address, posts := receiver(t, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", c.retryAfter)
			http.Error(w, "you posted to "+r.RequestURI, c.status)
		})
		for name, channel := range channels(t, address) {
			e := noSecrets(t, channel.Send(t.Context(), note))
			require.Equal(t, name, e.Channel)
			require.Equal(t, name, channel.Name())
			require.Equal(t, c.permanent, e.Permanent, c)
			require.Equal(t, c.after, e.After, c)
			require.Contains(t, e.Error(), c.says)
		}
		require.Len(t, *posts, 2)
	}
}

func TestSlacksOwnWordIsRepeated(t *testing.T) {
	address, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no_service", http.StatusNotFound) })
	err := channels(t, address)["slack"].Send(t.Context(), note)
	require.EqualError(t, err, "slack: answered 404 Not Found (no_service); check alerts.slack_url")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	elsewhere, strays := receiver(t, ok)
	for _, location := range []string{elsewhere, "http://bad host/" + secretPath} {
		address, posts := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", location)
			w.WriteHeader(http.StatusTemporaryRedirect)
		})
		for _, channel := range channels(t, address) {
			noSecrets(t, channel.Send(t.Context(), note))
		}
		require.Len(t, *posts, 2)
	}
	require.Empty(t, *strays)
	address, _ := receiver(t, http.RedirectHandler(elsewhere, http.StatusFound).ServeHTTP)
	e := noSecrets(t, channels(t, address)["webhook"].Send(t.Context(), note))
	require.True(t, e.Permanent)
	require.Contains(t, e.Reason, "redirects are not followed; set alerts.webhook_url")
}

func TestNoAddressStandsInAnError(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	for _, address := range []string{
		s.URL + secretPath, // nobody listens
		strings.Replace(s.URL, "http", "https", 1) + "/x", // nobody listens to TLS either
	} {
		for _, channel := range channels(t, address) {
			e := noSecrets(t, channel.Send(t.Context(), note))
			require.False(t, e.Permanent)
			require.Contains(t, e.Reason, "can't be reached (dial tcp")
		}
	}
	for _, address := range []string{"", "ftp://example.com" + secretPath, "https://", secretPath, "https://exa mple.com" + secretPath, "https://example.com/%zz" + secretPath} {
		for _, err := range []error{
			second(NewSlack(address, &http.Client{}, clock)), second(NewWebhook(address, "", &http.Client{}, clock)),
		} {
			require.ErrorContains(t, err, "is no web address")
			require.NotContains(t, err.Error(), "secret?")
		}
	}
	_, err := NewWebhook("https://example.com", "whsec_not?base64", &http.Client{}, clock)
	require.ErrorContains(t, err, "alerts.webhook_secret is not base64")
	require.NotContains(t, err.Error(), "not?base64")
}

func second[T any](_ T, err error) error { return err }

// parrot is a transport whose errors repeat all they were told.
type parrot struct{}

func (parrot) RoundTrip(r *http.Request) (*http.Response, error) {
	return nil, errors.New("posting to " + r.URL.String() + " at " + r.URL.RequestURI() + ", key " + r.URL.RawQuery)
}

func TestEvenATransportsErrorIsRedacted(t *testing.T) {
	s, err := NewSlack("https://user:pass-word@hooks.example.com"+secretPath, &http.Client{Transport: parrot{}}, clock)
	require.NoError(t, err)
	e := noSecrets(t, s.Send(t.Context(), note))
	require.NotContains(t, e.Reason, "pass-word")
	require.Contains(t, e.Reason, "[secret]")
	var wrapped *url.Error
	require.False(t, errors.As(e, &wrapped))
}

func TestASilentReceiverIsLeftWhenTheContextEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address, _ := receiver(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	err := channels(t, address)["webhook"].Send(ctx, note)
	require.ErrorIs(t, err, context.Canceled)
	require.False(t, noSecrets(t, err).Permanent)
	require.Contains(t, err.Error(), "no answer in time")
}

func TestAnEndlessAnswerIsNotReadToItsEnd(t *testing.T) {
	for _, status := range []int{http.StatusOK, http.StatusInternalServerError} {
		ended := make(chan struct{})
		address, _ := receiver(t, func(w http.ResponseWriter, _ *http.Request) {
			defer close(ended)
			w.WriteHeader(status)
			for {
				if _, err := w.Write(make([]byte, 1<<16)); err != nil {
					return // hung up on
				}
			}
		})
		err := channels(t, address)["webhook"].Send(t.Context(), note)
		if status == http.StatusOK {
			require.NoError(t, err)
		} else {
			require.Contains(t, noSecrets(t, err).Reason, "500")
		}
		<-ended
	}
}
