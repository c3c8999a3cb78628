package ui

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// ear is a client that listens to changes.
type ear struct {
	testing.TB
	answer *http.Response
	lines  *bufio.Scanner
}

// heard is an event as it came; a comment has a name of ":".
type heard struct {
	event, id string
	data      map[string]any
}

// listen opens the stream; header come in pairs.
func (s *site) listen(header ...string) *ear {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	s.Cleanup(cancel)
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, s.URL+streamPath, nil)
	require.NoError(s, err)
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(s, err)
	s.Cleanup(func() { answer.Body.Close() })
	return &ear{s, answer, bufio.NewScanner(answer.Body)}
}

// hears opens the stream as a viewer, and waits until it has begun.
func (s *site) hears(header ...string) *ear {
	s.Helper()
	e := s.listen(append(s.as("viewer"), header...)...)
	require.Equal(s, http.StatusOK, e.answer.StatusCode)
	require.Equal(s, "text/event-stream", e.answer.Header.Get("Content-Type"))
	return e
}

// next waits for an event, or for a comment; ok is false at the end.
func (e *ear) next() (h heard, ok bool) {
	e.Helper()
	for e.lines.Scan() {
		name, text, _ := strings.Cut(e.lines.Text(), ": ")
		switch name {
		case "event":
			h.event = text
		case "id":
			h.id = text
		case "data":
			require.NoError(e, json.Unmarshal([]byte(text), &h.data))
		case "":
			if e.lines.Text() != "" {
				h.event = ":"
				continue
			}
			return h, true
		}
	}
	return h, false
}

// event waits for an event, whatever comments come before it.
func (e *ear) event() heard {
	e.Helper()
	for {
		h, ok := e.next()
		require.True(e, ok, "the stream ended")
		if h.event != ":" {
			return h
		}
	}
}

// begun waits for the comment with which a stream begins.
func (e *ear) begun() *ear {
	e.Helper()
	h, ok := e.next()
	require.True(e, ok)
	require.Equal(e, ":", h.event)
	return e
}

func TestTheStreamTellsWhatChanges(t *testing.T) {
	s := newSite(t)
	key := store.OrderKey{Shop: "acme", ID: 9007199254740993}
	s.tell(store.OrderKey{Shop: "acme", ID: 1}) // before anybody listened
	e := s.hears().begun()

	s.tell(key)
	h := e.event()
	require.Equal(t, "order", h.event)
	require.Equal(t, []any{"acme", "#993", "due", "intake", "new"}, []any{h.data["shop"], h.data["name"], h.data["state"], h.data["step"], h.data["outcome"]})
	require.Equal(t, "2026-11-23T09:00:00Z", h.data["at"])

	s.lose(store.GapMissing, "erp_lost", key)
	h = e.event()
	require.Equal(t, "gap", h.event)
	require.Equal(t, []any{1.0, "missing", "erp_lost", "open", "opened", "#993"}, []any{h.data["id"], h.data["kind"], h.data["cause"], h.data["state"], h.data["step"], h.data["name"]})
	closeGap(t, s.store, 1, "reconcile")
	require.Equal(t, "closed", e.event().data["state"])

	run := store.Run{Shop: "acme", Kind: store.RunReconcile, By: "ann", From: epoch, To: epoch.Add(time.Hour)}
	require.NoError(t, s.store.BeginRun(t.Context(), &run))
	require.Equal(t, "running", e.event().data["state"])
	run.Done = 250
	require.NoError(t, s.store.SaveRun(t.Context(), &run))
	require.Equal(t, 250.0, e.event().data["done"])
	run.State = store.RunDone
	require.NoError(t, s.store.SaveRun(t.Context(), &run))
	require.Equal(t, "done", e.event().data["state"])
}

func TestTheStreamTellsThatACallBeganAndHowItEnded(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 1)...)
	e := s.hears().begun()
	claims, err := s.store.Claim(t.Context(), "books", 1, "token", time.Minute)
	require.NoError(t, err)
	c := claims[0]
	a := store.Attempt{DeliveryKey: c.DeliveryKey, Token: c.Token, Action: store.ActionDeliver, Ref: "acme-1", Version: c.Order.Version, StartedAt: epoch}
	require.NoError(t, s.store.Begin(t.Context(), &a))
	h := e.event()
	require.Equal(t, []any{"delivery", "", "sending"}, []any{h.event, h.data["result"], h.data["state"]})
	require.NoError(t, s.store.Settle(t.Context(), store.Settle{
		DeliveryKey: c.DeliveryKey, Token: c.Token, State: store.StateDelivered, Held: c.Wanted, Present: true, AttemptID: a.ID,
		Outcome: &store.Outcome{Result: "created", ERPRef: "SO-1", EndedAt: epoch},
	}))
	h = e.event()
	require.Equal(t, []any{"delivery", "created", "delivered", "#1", "books"}, []any{h.event, h.data["result"], h.data["state"], h.data["name"], h.data["erp"]})
}

func TestManyDecisionsAboutOneOrderAreOneEvent(t *testing.T) {
	s := newSite(t)
	e := s.hears().begun()
	in := store.Intake{At: epoch}
	for range 3 * changesAtOnce / 2 {
		in.Decisions = append(in.Decisions, store.Decision{At: epoch, Shop: "acme", OrderID: 1, Step: "intake", Outcome: "repeat"})
	}
	s.tell(keys("acme", 1, 1)...)
	require.NoError(t, s.store.ApplyIntake(t.Context(), in))
	s.tell(keys("acme", 2, 2)...)
	count := map[string]int{}
	for count["#2"] == 0 {
		count[e.event().data["name"].(string)]++
	}
	require.Less(t, count["#1"], 5)
}

func TestAClientThatComesBackHearsWhatItMissed(t *testing.T) {
	s := newSite(t)
	e := s.hears().begun()
	s.tell(keys("acme", 1, 3)...)
	first := e.event()
	require.Equal(t, "#1", first.data["name"])
	require.NoError(t, e.answer.Body.Close())
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 1)...)

	again := s.hears("Last-Event-ID", first.id).begun()
	require.Equal(t, "gap", again.event().event)
	require.Equal(t, "#2", again.event().data["name"])
	last := again.event()
	require.Equal(t, "#3", last.data["name"])

	s.tell(keys("acme", 4, 4)...)
	require.Equal(t, "#4", s.hears("Last-Event-ID", last.id).event().data["name"], "and nothing twice")
}

func TestACallUnderWayIsToldAgainToWhoComesBack(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 1)...)
	run := store.Run{Shop: "acme", Kind: store.RunDeep, By: "ann", From: epoch, To: epoch.Add(time.Hour)}
	e := s.hears().begun()
	require.NoError(t, s.store.BeginRun(t.Context(), &run))
	began := e.event()
	run.State = store.RunDone
	require.NoError(t, s.store.SaveRun(t.Context(), &run))
	h := s.hears("Last-Event-ID", began.id).event()
	require.Equal(t, []any{"run", "done"}, []any{h.event, h.data["state"]}, "its end is not missed")
}

func TestAClientThatWasAwayForTooLongReadsAnew(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 1)...)
	for _, id := range []string{"x", "1-2", "99-0-0-0", "-6000-0-0-0", "1;2;3;4"} {
		h := s.hears("Last-Event-ID", id).event()
		require.Equal(t, "reload", h.event, id)
		require.Equal(t, "1-0-0-0", h.id, "and goes on from here")
	}
	require.Equal(t, http.StatusUnprocessableEntity, s.listen(append(s.as("viewer"), "Last-Event-ID", strings.Repeat("1", 101))...).answer.StatusCode)
}

func TestAnotherProcessIsHeardToo(t *testing.T) {
	s := newSite(t)
	e := s.hears().begun()
	guest, err := store.Open(t.Context(), store.Options{Path: s.path, Guest: true, Now: func() time.Time { return epoch }})
	require.NoError(t, err)
	defer guest.Close()
	_, err = guest.FoundGaps(t.Context(), "ann", store.Fault{Gap: store.Gap{Shop: "acme", Kind: store.GapSilence, Cause: "webhooks_fell_silent", FoundBy: "ann"}})
	require.NoError(t, err)
	require.Equal(t, "silence", e.event().data["kind"])
}

// The server's timeouts are for requests; a stream outlives them.
func TestAStreamOutlivesTheTimeoutsOfTheServer(t *testing.T) {
	s := closedSite(t)
	s.ui.streams.heartbeat = 50 * time.Millisecond
	s.Config.ReadTimeout, s.Config.WriteTimeout, s.Config.ReadHeaderTimeout = 100*time.Millisecond, 100*time.Millisecond, 100*time.Millisecond
	s.Start()
	e := s.hears().begun()
	for began := time.Now(); time.Since(began) < 500*time.Millisecond; {
		h, ok := e.next()
		require.True(t, ok, "the stream was cut")
		require.Equal(t, ":", h.event, "a heartbeat")
	}
	s.tell(keys("acme", 1, 1)...)
	require.Equal(t, "#1", e.event().data["name"])
}

func TestAStreamEndsWithTheServerAndWithItsToken(t *testing.T) {
	s := closedSite(t)
	s.ui.streams.heartbeat = 20 * time.Millisecond
	s.Start()
	revoked, stays := s.hears().begun(), s.listen(s.as("admin")...).begun()
	require.NoError(t, s.store.RemoveToken(t.Context(), "a viewer", "ann"))
	for ok := true; ok; {
		_, ok = revoked.next()
	}
	s.tell(keys("acme", 1, 1)...)
	require.Equal(t, "order", stays.event().event)
	s.ui.EndStreams()
	for ok := true; ok; {
		_, ok = stays.next()
	}
}

func TestAStreamEndsWithItsSession(t *testing.T) {
	s := closedSite(t)
	s.ui.streams.heartbeat = 20 * time.Millisecond
	s.Start()
	s.member("ann", "admin")
	b := s.visitor().logIn("ann")
	e := s.listen("Cookie", loopbackCookie+"="+b.cookies[loopbackCookie]).begun()
	s.tell(keys("acme", 1, 1)...)
	require.Equal(t, "order", e.event().event)
	b.send("/logout")
	for ok := true; ok; {
		_, ok = e.next()
	}
}

func TestStreamsAreBounded(t *testing.T) {
	s := closedSite(t)
	s.ui.streams.places = make(chan struct{}, 1)
	s.Start()
	one := s.hears().begun()
	crowded := s.listen(s.as("viewer")...)
	require.Equal(t, http.StatusServiceUnavailable, crowded.answer.StatusCode)
	said, err := io.ReadAll(crowded.answer.Body)
	require.NoError(t, err)
	require.Contains(t, string(said), "try again later")
	require.NoError(t, one.answer.Body.Close())
	for s.listen(s.as("viewer")...).answer.StatusCode != http.StatusOK { // its place is free in a moment
		require.NoError(t, t.Context().Err())
	}
}

// A client that takes nothing is dropped, and hinders nobody.
func TestASlowClientIsDropped(t *testing.T) {
	s := closedSite(t)
	s.ui.streams.patience = 100 * time.Millisecond
	const small, many = 4096, 600
	s.Config.ConnContext = func(ctx context.Context, c net.Conn) context.Context {
		c.(*net.TCPConn).SetWriteBuffer(small)
		return ctx
	}
	s.Start()
	slow, err := net.Dial("tcp", s.Listener.Addr().String())
	require.NoError(t, err)
	defer slow.Close()
	require.NoError(t, slow.(*net.TCPConn).SetReadBuffer(small))
	_, err = fmt.Fprintf(slow, "GET %s HTTP/1.1\r\nHost: gapless\r\nAuthorization: Bearer %s\r\n\r\n", streamPath, s.tokens["viewer"])
	require.NoError(t, err)
	_, err = slow.Read(make([]byte, 16)) // it has begun
	require.NoError(t, err)
	quick := s.hears().begun()
	require.Len(t, s.ui.streams.places, 2)

	s.tell(keys("acme", 1, many)...)
	for quick.event().data["id"] != float64(many) {
		continue
	}
	require.Eventually(t, func() bool { return len(s.ui.streams.places) == 1 }, time.Minute, 10*time.Millisecond)
	taken, err := io.ReadAll(slow)
	require.NoError(t, err, "it was hung up on")
	require.Less(t, strings.Count(string(taken), "event: order"), many)
}
