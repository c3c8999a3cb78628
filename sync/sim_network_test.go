package ordersync

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"slices"
	"strconv"
	"syscall"
	"time"
)

// trouble is what may befall a request on its way, at the other side, and on
// the way back.
type trouble struct {
	name   string
	effect effect // whether and when the other side carries it out
	ends   ending
	status int // of an answer that stands in for the other side's own; 0: its own
	header string
	body   string
}

// effect is whether and when a request is carried out.
type effect int

const (
	never effect = iota
	atOnce
	late // some time after its caller has gone
)

// ending is what the caller gets to hear.
type ending int

const (
	answers ending = iota
	refused        // nobody takes the connection; nothing has left
	silent         // no answer until the caller gives up
	broken         // the connection is cut, in the middle of the answer where there is one
	short          // the answer ends early, at the end of a line, and looks whole
)

const html = "<!doctype html><title>Sign in</title><form>Please sign in</form>"

// What may befall a request that only asks.
var troublesAsking = []trouble{
	{name: "connection refused", ends: refused},
	{name: "timeout", ends: silent},
	{name: "slow", effect: atOnce},
	{name: "cut", ends: broken},
	{name: "cut in the answer", effect: atOnce, ends: broken},
	{name: "429", status: 429, header: "7"},
	{name: "429 for hours", status: 429, header: "20000"},
	{name: "500", status: 500, body: html},
	{name: "503", status: 503, header: "7", body: "down for maintenance"},
	{name: "html", status: 200, body: html},
}

// madeAllTheSame is an error that the other side tells of what it has done.
var madeAllTheSame = trouble{name: "500 after effect", effect: atOnce, status: 500, body: `{"error":"internal error"}`}

// What may befall one that changes something, beside that.
var troublesChanging = append([]trouble{
	{name: "timeout after effect", effect: atOnce, ends: silent},
	{name: "timeout, late effect", effect: late, ends: silent},
	{name: "cut, late effect", effect: late, ends: broken},
	madeAllTheSame,
	{name: "500, late effect", effect: late, status: 500, body: `{"error":"internal error"}`},
	{name: "html after effect", effect: atOnce, status: 200, body: html},
	{name: "ok but nothing", status: 200, body: `{"error":"internal error"}`},
	{name: "422", status: 422, body: `{"errors":[{"field":"lines[0].sku","message":"unknown article"}]}`},
}, troublesAsking...)

// Shopify's own ways to fail.
var troublesShopify = append([]trouble{
	{name: "throttled", status: 200, body: `{"errors":[{"message":"Throttled","extensions":{"code":"THROTTLED"}}]}`},
	{name: "internal error", status: 200, body: `{"data":null,"errors":[{"message":"Internal error","extensions":{"code":"INTERNAL_SERVER_ERROR"}}]}`},
	{name: partial, effect: atOnce},
	{name: "short answer", effect: atOnce, ends: short},
}, troublesAsking...)

var troublesShopifyChanging = append([]trouble{
	{name: "timeout after effect", effect: atOnce, ends: silent},
	{name: "cut, late effect", effect: late, ends: broken},
}, troublesShopify...)

// partial is an answer that leaves a field out which the token may not read.
const partial = "partial answer"

// Times on the wire.
const (
	patience   = 30 * time.Second // of a caller with one request
	latestLate = 2 * time.Minute  // after its caller has gone a request takes effect by then, or never
)

// route is the way to one server. It is the http.RoundTripper of who calls there.
type route struct {
	*world
	serve   http.Handler
	call    func(r *http.Request, body []byte) (step string, changes bool)
	odds    [2]odds        // of requests that ask, and of those that change
	down    time.Time      // nobody answers until then
	landing map[string]int // requests that may yet change something, by path

	leaves  func(t *task, r *http.Request, body []byte)                      // a request is about to
	arrives func(r *http.Request, body []byte, f trouble)                    // and is about to be carried out
	done    func(r *http.Request, body []byte, a *httptest.ResponseRecorder) // and was
}

// RoundTrip carries one request there and the answer back, or not.
func (l *route) RoundTrip(r *http.Request) (*http.Response, error) {
	t := l.current
	var body []byte
	if r.Body != nil {
		var err error
		if body, err = io.ReadAll(r.Body); err != nil {
			return nil, err
		}
	}
	r = overTheWire(r)
	step, changes := l.call(r, body)
	t.reach(before, step)
	if err := t.expired(r.Context()); err != nil {
		return nil, err
	}
	f := l.befalls(step, changes)
	answer, err := l.carry(t, step, r, body, f)
	if answer != nil {
		answer.Request = r
		t.hears(answer)
	}
	l.note("%s: %s %s: %s%s", t.name, step, r.URL.Path, f.name, outcomeOf(answer, err))
	t.reach(after, step)
	return answer, err
}

// hears notes what an answer asks of its caller.
func (t *task) hears(answer *http.Response) {
	t.refused = t.refused || answer.StatusCode == http.StatusUnprocessableEntity
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		t.toldWait = max(t.toldWait, time.Duration(seconds)*time.Second)
	}
}

// overTheWire is a request as it comes out at the other end.
func overTheWire(r *http.Request) *http.Request {
	out := r.WithContext(r.Context())
	out.Header = http.Header{}
	for name, values := range r.Header {
		out.Header[http.CanonicalHeaderKey(name)] = values
	}
	return out
}

func outcomeOf(answer *http.Response, err error) string {
	if err != nil {
		return ": " + err.Error()
	}
	return " " + answer.Status
}

// befalls draws what a request meets.
func (l *route) befalls(step string, changes bool) trouble {
	f := trouble{name: "well", effect: atOnce}
	switch {
	case l.calm:
		return f
	case l.now.Before(l.down):
		f = one(l.rand, []trouble{troublesAsking[0], troublesAsking[1], troublesAsking[8]})
	default:
		f = l.odds[index(changes)].draw(l.rand, f)
		for range 4 {
			if f.name == "well" && slices.Contains(rareSteps, step) {
				f = l.odds[index(changes)].draw(l.rand, f)
			}
		}
	}
	if f.name != "well" {
		l.meets(f.name, step)
	}
	return f
}

func index(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// carry lets f befall the request. What has left goes on by itself, whatever
// becomes of its caller.
func (l *route) carry(t *task, step string, r *http.Request, body []byte, f trouble) (*http.Response, error) {
	there, back := l.between(time.Millisecond, time.Second), l.upTo(time.Second)
	if f.effect == late || f.ends != answers || t.claim != nil && f.name != "well" { // nobody knows what becomes of it, or it is made again
		l.meddle(t.concerns(), there+patience+latestLate)
	}
	if f.ends == refused {
		if err := t.wait(r.Context(), there); err != nil {
			return nil, err
		}
		return nil, syscall.ECONNREFUSED
	}
	if trace := httptrace.ContextClientTrace(r.Context()); trace != nil && trace.GotConn != nil {
		trace.GotConn(httptrace.GotConnInfo{})
	}
	if l.leaves != nil {
		l.leaves(t, r, body)
	}
	if f.name == "slow" {
		back += l.upTo(patience - 3*time.Second)
	}
	if f.ends == silent {
		back = patience
	}
	gone := min(there+back, t.left())
	answer := httptest.NewRecorder()
	switch f.effect {
	case atOnce:
		l.arrive(t, there, r, body, f, answer)
	case late:
		l.arrive(t, gone+l.upTo(latestLate), r, body, f, httptest.NewRecorder())
		if t.claim != nil && l.chance(0.6) {
			l.soon(gone+l.upTo(time.Second), l.clockIsSet)
		}
	}
	if f.status >= 500 && f.effect != never && t.claim != nil && l.chance(0.5) {
		l.soon(gone+l.upTo(500*time.Millisecond), t.isTakenOut)
	}
	t.reach(during, step)
	if err := t.wait(r.Context(), gone); err != nil {
		return nil, err
	}
	if f.ends == silent || gone < there+back {
		return nil, context.DeadlineExceeded
	}
	return f.hears(answer)
}

// arrive lets the other side carry the request out, in a while. What was on its
// way when its process died may take longer.
func (l *route) arrive(t *task, in time.Duration, r *http.Request, body []byte, f trouble, answer *httptest.ResponseRecorder) {
	at := httptest.NewRequest(r.Method, r.URL.String(), bytes.NewReader(body))
	at.Header = r.Header
	if r.Method != http.MethodGet {
		l.landing[r.URL.Path]++
	}
	land := func() {
		if r.Method != http.MethodGet {
			l.landing[r.URL.Path]--
		}
		if l.arrives != nil {
			l.arrives(at, body, f)
		}
		l.serve.ServeHTTP(answer, at)
		if l.done != nil {
			l.done(at, body, answer)
		}
	}
	l.in(in, func() {
		if f.effect == atOnce && t.proc.dead && l.chance(0.5) {
			l.in(l.upTo(latestLate), land)
			return
		}
		land()
	})
}

// underway is how many requests may yet change something.
func (l *route) underway() (n int) {
	for _, some := range l.landing {
		n += some
	}
	return n
}

// hears is what the caller gets of the answer.
func (f trouble) hears(answer *httptest.ResponseRecorder) (*http.Response, error) {
	switch {
	case f.ends == broken && f.effect == atOnce:
		whole := answer.Result()
		text := answer.Body.Bytes()
		whole.Body = io.NopCloser(io.MultiReader(bytes.NewReader(text[:len(text)/2]), failing{io.ErrUnexpectedEOF}))
		return whole, nil
	case f.ends == broken:
		return nil, syscall.ECONNRESET
	case f.ends == short:
		text := answer.Body.Bytes()
		answer.Body.Truncate(bytes.LastIndexByte(text[:len(text)/2], '\n') + 1)
	case f.status != 0:
		answer = httptest.NewRecorder()
		if f.header != "" {
			answer.Header().Set("Retry-After", f.header)
		}
		answer.WriteHeader(f.status)
		answer.WriteString(f.body)
	}
	return answer.Result(), nil
}

// failing is a reader that fails.
type failing struct{ err error }

// Read fails.
func (f failing) Read([]byte) (int, error) { return 0, f.err }
