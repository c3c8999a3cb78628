package ui

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// offer puts a version of an order on offer to the ERP depot.
func (s *site) offer(id int64, version string) {
	s.Helper()
	_, err := s.store.Offer(s.Context(), store.Offer{
		ERP: "depot", Ref: fmt.Sprint("acme-", id), Order: store.OrderKey{Shop: "acme", ID: id}, Version: version, Hash: version,
		Body: []byte(`{"id":9007199254740993,"total":"12.50"}`),
	})
	require.NoError(s, err)
}

// fetched reads the feed.
func (s *site) fetched(query string, header ...string) (o Offers, tag string) {
	s.Helper()
	a := s.ask("GET", "/feed/depot/orders?"+query, "", append(s.as("feed"), header...)...)
	require.Equal(s, http.StatusOK, a.status, a.body)
	require.NoError(s, json.Unmarshal([]byte(a.body), &o))
	return o, a.header.Get("ETag")
}

// acks acknowledges, and returns the answers.
func (s *site) acks(acks ...Ack) []Acked {
	s.Helper()
	body, err := json.Marshal(map[string]any{"acks": acks})
	require.NoError(s, err)
	a := s.ask("POST", "/feed/depot/ack", string(body), s.as("feed")...)
	require.Equal(s, http.StatusOK, a.status, a.body)
	var told Acks
	require.NoError(s, json.Unmarshal([]byte(a.body), &told))
	return told.Acks
}

func TestTheFeedIsForItsOwnScopeAndForPullingERPs(t *testing.T) {
	s := newSite(t)
	const ack = `{"acks":[{"ref":"acme-1","version":"1","status":"taken"}]}`
	for scope, want := range map[string]int{"feed": 200, "admin": 200, "viewer": 403, "operator": 403, "metrics": 403} {
		require.Equal(t, want, s.ask("GET", "/feed/depot/orders", "", s.as(scope)...).status, scope)
		require.Equal(t, want, s.ask("POST", "/feed/depot/ack", ack, s.as(scope)...).status, scope)
	}
	require.Equal(t, 404, s.ask("GET", "/feed/books/orders", "", s.as("feed")...).status)
	require.Equal(t, 404, s.ask("POST", "/feed/books/ack", ack, s.as("feed")...).status)
	require.Equal(t, 405, s.ask("DELETE", "/feed/depot/orders", "", s.as("feed")...).status)
	require.Equal(t, 405, s.ask("GET", "/feed/depot/ack", "", s.as("feed")...).status)
	require.Equal(t, 413, s.ask("POST", "/feed/depot/ack", `{"acks":[{"ref":"`+strings.Repeat("x", 2<<20)+`"}]}`, s.as("feed")...).status)
	for _, query := range []string{"limit=0", "limit=501", "cursor=x!", "wait=soon", "wait=-1s", "wait=-1"} {
		require.Equal(t, 422, s.ask("GET", "/feed/depot/orders?"+query, "", s.as("feed")...).status, query)
	}
	require.Empty(t, s.deeds("token a feed"), "what an ERP answers is nobody's deed")
	require.NotEmpty(t, s.deeds("token a admin"))
}

func TestTheFeedTellsWhatIsNotAcknowledged(t *testing.T) {
	s := newSite(t)
	none, _ := s.fetched("")
	require.Empty(t, none.Orders)
	for id := range int64(5) {
		s.offer(id+1, "1")
	}
	first, _ := s.fetched("limit=2")
	require.Len(t, first.Orders, 2)
	require.Equal(t, `{"id":9007199254740993,"total":"12.50"}`, string(first.Orders[0].Order), "every digit, as it was mapped")
	require.Equal(t, []any{"acme-1", "1", false}, []any{first.Orders[0].Ref, first.Orders[0].Version, first.Orders[0].Cancelled})
	rest, _ := s.fetched("cursor=" + first.Cursor)
	require.Len(t, rest.Orders, 3)
	end, _ := s.fetched("cursor=" + rest.Cursor)
	require.Empty(t, end.Orders)
	require.Equal(t, rest.Cursor, end.Cursor)
	again, _ := s.fetched("")
	require.Len(t, again.Orders, 5, "fetching changes nothing")

	require.True(t, s.acks(Ack{Ref: "acme-3", Version: "1", Status: "taken"})[0].OK)
	s.offer(1, "2")
	now, _ := s.fetched("")
	require.Len(t, now.Orders, 4)
	require.Equal(t, []string{"acme-1", "2"}, []string{now.Orders[3].Ref, now.Orders[3].Version}, "the newest version, as the newest offer")
}

func TestEachAcknowledgementIsAnsweredByItself(t *testing.T) {
	s := newSite(t)
	s.offer(1, "1")
	s.offer(2, "1")
	s.offer(2, "2")
	taken := Ack{Ref: "acme-1", Version: "1", Status: "taken", ID: "SO-1", Total: "12.50", Currency: "EUR"}
	for range 2 {
		told := s.acks(taken,
			Ack{Ref: "acme-2", Version: "1", Status: "taken"},
			Ack{Ref: "acme-9", Version: "1", Status: "taken"},
			Ack{Ref: "acme-2", Version: "3", Status: "taken"},
			Ack{Ref: "acme-2", Version: "2", Status: "lost"},
			Ack{Ref: "acme-2", Version: "2", Status: "taken", Total: "12,50"},
			Ack{Ref: "acme-2", Version: "2", Status: "taken", Currency: "euro"},
			Ack{Version: "2", Status: "taken"},
		)
		require.Equal(t, Acked{Ref: "acme-1", Version: "1", OK: true}, told[0])
		require.Equal(t, Acked{Ref: "acme-2", Version: "1", OK: true, Newer: true}, told[1])
		for i, says := range map[int]string{2: "no order with this reference", 3: "this version", 4: "status", 5: "total", 6: "currency", 7: "ref and version"} {
			require.False(t, told[i].OK)
			require.Contains(t, told[i].Error, says)
		}
		left, _ := s.fetched("")
		require.Len(t, left.Orders, 1, "what is wrong changes nothing")
	}
	require.True(t, s.acks(Ack{Ref: "acme-2", Version: "2", Status: "refused", Reason: "no such article", Field: "lines[0].sku"})[0].OK)
	o, err := s.store.NewestOffer(t.Context(), "depot", "acme-2")
	require.NoError(t, err)
	require.Equal(t, []string{store.OfferRefused, "no such article", "lines[0].sku"}, []string{o.State, o.Reason, o.Field})
	kept, err := s.store.TakenOffer(t.Context(), "depot", "acme-1")
	require.NoError(t, err)
	require.Equal(t, []string{"SO-1", "12.50", "EUR"}, []string{kept.ERPRef, kept.Total, kept.Currency})
}

func TestWhoHasTheAnswerAlreadyGets304(t *testing.T) {
	s := newSite(t)
	s.offer(1, "1")
	_, tag := s.fetched("")
	known := append(s.as("feed"), "If-None-Match", tag)
	a := s.ask("GET", "/feed/depot/orders", "", known...)
	require.Equal(t, []any{304, "", tag}, []any{a.status, a.body, a.header.Get("ETag")})
	s.offer(1, "2")
	require.Equal(t, 200, s.ask("GET", "/feed/depot/orders", "", known...).status)
}

// waiters begins n requests that wait, and returns their answers once all wait.
func (s *site) waiters(n int, query string, header ...string) (answers chan reply) {
	s.Helper()
	answers = make(chan reply, n)
	for range n {
		go func() { answers <- s.ask("GET", "/feed/depot/orders?"+query, "", append(s.as("feed"), header...)...) }()
	}
	require.Eventually(s, func() bool { return len(s.ui.streams.places) == n }, 10*time.Second, time.Millisecond)
	return answers
}

func TestAClientMayWait(t *testing.T) {
	s := newSite(t)
	t.Run("until something is on offer", func(t *testing.T) {
		answers := s.waiters(3, "wait=60")
		s.offer(1, "1")
		for range 3 {
			a := <-answers
			require.Equal(t, 200, a.status)
			require.Contains(t, a.body, `"acme-1"`)
		}
	})
	t.Run("behind its cursor", func(t *testing.T) {
		first, _ := s.fetched("")
		answers := s.waiters(1, "wait=1m&cursor="+first.Cursor)
		s.offer(2, "1")
		require.Contains(t, (<-answers).body, `"acme-2"`)
	})
	t.Run("for what it has not got", func(t *testing.T) {
		_, tag := s.fetched("")
		answers := s.waiters(1, "wait=60", "If-None-Match", tag)
		s.offer(3, "1")
		require.Contains(t, (<-answers).body, `"acme-3"`)
	})
	t.Run("no longer than it said", func(t *testing.T) {
		all, tag := s.fetched("")
		begun := time.Now()
		require.Equal(t, 304, s.ask("GET", "/feed/depot/orders?wait=50ms", "", append(s.as("feed"), "If-None-Match", tag)...).status)
		none, _ := s.fetched("wait=50ms&cursor=" + all.Cursor)
		require.Empty(t, none.Orders)
		require.GreaterOrEqual(t, time.Since(begun), 100*time.Millisecond)
	})
}

func TestWhoWaitsIsAnsweredAsTheServerStops(t *testing.T) {
	s := newSite(t)
	answers := s.waiters(2, "wait=60")
	s.ui.EndStreams()
	for range 2 {
		a := <-answers
		require.Equal(t, 200, a.status)
		require.Contains(t, a.body, `"orders":[]`)
	}
}

func TestAWaitOutlivesTheTimeoutsOfTheServer(t *testing.T) {
	s := closedSite(t)
	s.Config.ReadTimeout, s.Config.WriteTimeout = 50*time.Millisecond, 100*time.Millisecond
	s.Start()
	a := s.ask("GET", "/feed/depot/orders?wait=400ms", "", s.as("feed")...)
	require.Equal(t, 200, a.status)
	require.Contains(t, a.body, `"orders":[]`)
}

func TestWaitsAreReadInSecondsAndInWords(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "0": 0, "5": 5 * time.Second, "60": time.Minute, "3600": time.Minute, "1m": time.Minute, "250ms": 250 * time.Millisecond, "2h": time.Minute} {
		got, err := readWait(text)
		require.NoError(t, err)
		require.Equal(t, want, got, text)
	}
}
