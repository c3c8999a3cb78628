package ui

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

func TestPagesAreSmallOnTheWire(t *testing.T) {
	s := newPages(t)
	var statics int64
	for own := range staticNames {
		statics += s.wire(staticURL(own))
	}
	require.Less(t, statics, int64(30<<10))
	for _, v := range visits {
		require.Less(t, s.wire(v.path)+statics, int64(100<<10), v.path)
	}
}

// However much was heard and said of an order, word for word.
func TestThePagesOfAnOrderAreSmallOnTheWireWhateverIsSaid(t *testing.T) {
	s, noise := newSite(t, func(o *Options) { o.Open = true }), newNoise()
	s.actions.neutral = json.RawMessage(`{"note":"` + noise(40<<10) + `"}`)
	s.actions.plan = Plan{Action: "send", Calls: []PlanCall{{Method: "PUT", Body: noise(40 << 10)}}}
	key := store.OrderKey{Shop: "acme", ID: 1}
	s.tell(key)
	in := store.Intake{At: epoch}
	for range mostRaw + 1 {
		in.Through = s.heardOf(key, []byte(`{"note":"`+noise(40<<10)+`"}`), &in)
	}
	require.NoError(t, s.store.ApplyIntake(t.Context(), in))
	for range mostSaid + 1 {
		s.says(40, func() string { return noise(16 << 10) })
	}
	s.says(1, func() string { return noise(15 << 10) })
	var statics int64
	for own := range staticNames {
		statics += s.wire(staticURL(own))
	}
	for _, path := range []string{"/orders/acme/1", "/orders/acme/1?all=yes", "/calls/1", "/events/2", "/replay?order=acme/1&order=acme/1&order=acme/1"} {
		require.Less(t, s.wire(path)+statics, int64(100<<10), path)
	}
	preview := s.html("GET", "/replay?order=acme/1&order=acme/1&order=acme/1", "").body
	require.Equal(t, 1, strings.Count(preview, s.actions.plan.Calls[0].Body))
	require.Equal(t, 2, strings.Count(preview, "too long to show here whole"))
	order := s.html("GET", "/orders/acme/1", "").body
	require.Regexp(t, `<a href="/events/\d+">Message \d+, with what came</a>`, order)
	require.Regexp(t, `<a href="/calls/\d+">Call \d+, with what was said and heard</a>`, order)
	require.Contains(t, order, "What came</summary>", "as much as fits is there")
	require.Contains(t, order, "What was said to the ERP, and heard</summary>")
	require.Contains(t, s.html("GET", "/calls/1", "").body, "Answer 200</figcaption><pre")
	require.Contains(t, s.html("GET", "/calls/1", "").body, "Too long for this page: the download has it.")
}

// newNoise makes texts that can't be made smaller, none like another.
func newNoise() func(n int) string {
	source := rand.NewChaCha8([32]byte{})
	return func(n int) string {
		raw := make([]byte, n)
		source.Read(raw)
		return base64.URLEncoding.EncodeToString(raw)[:n]
	}
}

// heardOf keeps one more message about an order.
func (s *site) heardOf(k store.OrderKey, body []byte, in *store.Intake) int64 {
	s.Helper()
	e := &store.Event{Shop: k.Shop, Source: store.SourceWebhook, Topic: "orders/updated", WebhookID: fmt.Sprint("again ", len(in.Decisions)), Headers: `{}`, ReceivedAt: epoch, Body: body}
	_, err := s.store.Append(s.Context(), e)
	require.NoError(s, err)
	in.Decisions = append(in.Decisions, store.Decision{At: epoch, Shop: k.Shop, OrderID: k.ID, EventID: e.ID, Step: "intake", Outcome: "newer"})
	return e.ID
}

// says has a call of many exchanges.
func (s *site) says(exchanges int, text func() string) {
	s.Helper()
	var said []map[string]any
	for range exchanges {
		said = append(said, map[string]any{"request": "PUT http://erp\n" + text(), "answer": text(), "status": 200})
	}
	raw, err := json.Marshal(said)
	require.NoError(s, err)
	claims, err := s.store.Claim(s.Context(), "books", 1, "token", time.Minute)
	require.NoError(s, err)
	require.Len(s, claims, 1)
	a := store.Attempt{DeliveryKey: claims[0].DeliveryKey, Token: claims[0].Token, Action: store.ActionDeliver, Ref: "acme-1", StartedAt: epoch}
	require.NoError(s, s.store.Begin(s.Context(), &a))
	require.NoError(s, s.store.Settle(s.Context(), store.Settle{DeliveryKey: a.DeliveryKey, Token: a.Token, State: store.StateDue, NextAt: epoch, AttemptID: a.ID,
		Outcome: &store.Outcome{Result: "retry", EndedAt: epoch, Exchanges: raw}}))
}

// wire is how many bytes an answer moves.
func (s *site) wire(path string) int64 {
	s.Helper()
	req, err := http.NewRequestWithContext(s.Context(), http.MethodGet, s.URL+path, nil)
	require.NoError(s, err)
	req.Header.Set("Accept-Encoding", "gzip")
	req.Header.Set("Accept", "text/html")
	resp, err := http.DefaultTransport.RoundTrip(req)
	require.NoError(s, err)
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	require.NoError(s, err)
	return n
}
