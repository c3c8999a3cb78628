package httperp_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
)

// script answers one request after the other; "PUT 200 {...}" wants the method,
// and gives status and body.
func script(t *testing.T, lines ...string) *httptest.Server {
	t.Helper()
	served := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if served == len(lines) {
			t.Errorf("unexpected %s %s", r.Method, r.URL)
			return
		}
		part := strings.SplitN(lines[served], " ", 3)
		served++
		if r.Method != part[0] {
			t.Errorf("request %d is %s %s, want %s", served, r.Method, r.URL, part[0])
		}
		var status int
		fmt.Sscan(part[1], &status)
		w.WriteHeader(status)
		io.WriteString(w, part[2])
	}))
	t.Cleanup(func() {
		server.Close()
		if served != len(lines) {
			t.Errorf("%d requests came, want %d", served, len(lines))
		}
	})
	return server
}

// document is the usual order as acme-1 at version v2.
func document(t *testing.T, a *httperp.Adapter) erp.Document {
	t.Helper()
	o := erptest.Order("acme-1")
	body, err := a.Map(o)
	if err != nil {
		t.Fatal(err)
	}
	return erp.Document{Ref: o.Ref, Version: "v2", Order: o, Body: body}
}

func TestOutcomes(t *testing.T) {
	const ok = `{"ref":"acme-1","version":"v2","id":"SO-7","total":"84.60"}`
	for _, c := range []struct {
		name   string
		answer []string
		tier   erp.Tier
		doc    func(*erp.Document)
		want   erp.Result
		reason string
	}{
		{name: "created", answer: []string{"PUT 201 " + ok}, want: erp.Created},
		{name: "was there", answer: []string{"PUT 200 " + ok}, want: erp.Updated},
		{name: "version alone is enough", answer: []string{`PUT 201 {"version":"v2"}`}, want: erp.Created},
		{name: "reference alone is enough", answer: []string{`PUT 201 {"reference":"acme-1"}`}, want: erp.Created},
		{name: "empty, read back", answer: []string{"PUT 204 ", "GET 200 " + ok}, want: erp.Updated},
		{name: "empty, nothing there", answer: []string{"PUT 200 ", "GET 404 "}, want: erp.Retry, reason: "did nothing"},
		{name: "accepted for later", answer: []string{"PUT 202 {}", "GET 404 "}, want: erp.Unknown},
		{name: "echo of nothing, read back", answer: []string{`PUT 200 {"status":"ok"}`, "GET 200 " + ok}, want: erp.Updated},
		{name: "older version, read back", answer: []string{`PUT 200 {"ref":"acme-1","version":"v1"}`, `GET 200 {"ref":"acme-1","version":"v1"}`}, want: erp.Retry},
		{name: "another order", answer: []string{`PUT 200 {"ref":"acme-9","version":"v2"}`, "GET 404 "}, want: erp.Retry},
		{name: "no version kept, total differs", answer: []string{"PUT 200 ", `GET 200 {"ref":"acme-1","total":"1.00"}`}, want: erp.Retry},
		{name: "no version kept, total agrees", answer: []string{"PUT 200 ", `GET 200 {"ref":"acme-1","total":"TOTAL"}`}, want: erp.Updated},
		{name: "error inside", answer: []string{`PUT 200 {"ref":"acme-1","error":"period closed"}`, "GET 404 "}, want: erp.Retry, reason: "period closed"},
		{name: "error inside, done all the same", answer: []string{`PUT 200 {"ref":"acme-1","errors":["mail failed"]}`, "GET 200 " + ok}, want: erp.Updated},
		{name: "read back fails", answer: []string{"PUT 200 ", "GET 503 "}, want: erp.Unknown},
		{name: "html", answer: []string{"PUT 200 <html>Sign in</html>"}, want: erp.Unknown, reason: "not JSON"},
		{name: "two values", answer: []string{"PUT 200 {} {}"}, want: erp.Unknown, reason: "not JSON"},
		{name: "too long", answer: []string{"PUT 200 " + strings.Repeat(" ", 1<<20) + ok}, want: erp.Unknown, reason: "1 MiB"},

		{name: "conflict, same version", answer: []string{"PUT 409 ", "GET 200 " + ok}, want: erp.Unchanged},
		{name: "conflict, older version", answer: []string{"PUT 409 ", `GET 200 {"ref":"acme-1","version":"v1"}`, "PUT 200 " + ok}, want: erp.Updated},
		{name: "conflict twice", answer: []string{"PUT 409 ", `GET 200 {"ref":"acme-1","version":"v1"}`, "PUT 409 "}, want: erp.Retry},
		{name: "conflict with nothing", answer: []string{"PUT 409 ", "GET 404 "}, want: erp.Retry},

		{name: "bad request", answer: []string{`PUT 400 {"error":{"message":"no such article","field":"lines[0].sku"}}`}, want: erp.Rejected, reason: "no such article"},
		{name: "unprocessable", answer: []string{`PUT 422 {"errors":{"zip":["is not valid"]}}`}, want: erp.Rejected, reason: "is not valid"},
		{name: "too large", answer: []string{"PUT 413 "}, want: erp.Rejected},
		{name: "unauthorized", answer: []string{"PUT 401 "}, want: erp.Retry, reason: "credentials"},
		{name: "forbidden", answer: []string{"PUT 403 "}, want: erp.Retry, reason: "credentials"},
		{name: "no such address", answer: []string{"PUT 404 "}, want: erp.Retry, reason: "order_path"},
		{name: "a change of what is gone", doc: exists, answer: []string{"PUT 404 "}, want: erp.Unknown, reason: "no longer has the document"},
		{name: "wrong method", answer: []string{"PUT 405 "}, want: erp.Retry, reason: "method"},
		{name: "redirect", answer: []string{"PUT 308 "}, want: erp.Retry, reason: "redirects"},
		{name: "request timeout", answer: []string{"PUT 408 "}, want: erp.Retry},
		{name: "rate limit", answer: []string{"PUT 429 "}, want: erp.Retry},
		{name: "server error", answer: []string{"PUT 500 "}, want: erp.Retry},
		{name: "bad gateway", answer: []string{"PUT 502 <html>nginx</html>"}, want: erp.Retry, reason: "502 Bad Gateway"},
		{name: "server error, B", tier: erp.TierB, answer: []string{"GET 404 ", "PUT 500 "}, want: erp.Unknown},
		{name: "bad gateway, C", tier: erp.TierC, answer: []string{"GET 404 ", "PUT 502 "}, want: erp.Unknown},
		{name: "rate limit, C", tier: erp.TierC, answer: []string{"GET 404 ", "PUT 429 "}, want: erp.Retry},

		{name: "B, held already", tier: erp.TierB, answer: []string{"GET 200 " + ok}, want: erp.Unchanged},
		{name: "B, look-up fails", tier: erp.TierB, answer: []string{"GET 500 "}, want: erp.Retry, reason: "nothing was sent"},
		{name: "B, look-up says nothing", tier: erp.TierB, answer: []string{"GET 200 {}"}, want: erp.Retry, reason: "reference_path"},
		{name: "B, look-up tells of an error", tier: erp.TierB, answer: []string{`GET 200 {"error":"down"}`}, want: erp.Retry},
		{name: "B, empty list", tier: erp.TierB, answer: []string{`GET 200 {"orders":[]}`, "PUT 201 " + ok}, want: erp.Created},
		{name: "B, doubled", tier: erp.TierB, answer: []string{`GET 200 [{"ref":"acme-1"},{"ref":"acme-1"}]`}, want: erp.Rejected, reason: "2 live documents"},
		{name: "B, one of two cancelled", tier: erp.TierB, answer: []string{`GET 200 [{"ref":"acme-1","cancelled":true},{"ref":"acme-1","version":"v2"}]`}, want: erp.Unchanged},
		{name: "B, known", tier: erp.TierB, doc: exists, answer: []string{"PUT 200 " + ok}, want: erp.Updated},

		{name: "cancel", doc: gone(true), answer: []string{`PUT 200 {"ref":"acme-1","version":"v2","cancelled":true}`}, want: erp.Updated},
		{name: "cancel, and it is gone", doc: gone(true), answer: []string{"PUT 200 ", "GET 404 "}, want: erp.Updated},
		{name: "cancel is ignored", doc: gone(true), answer: []string{"PUT 200 " + ok, "GET 200 " + ok}, want: erp.Rejected, reason: "still shows it as live"},
		{name: "cancel of this version failed", doc: gone(true), answer: []string{`PUT 200 {"error":"locked"}`, "GET 200 " + ok}, want: erp.Retry, reason: "locked"},
		{name: "cancel did nothing", doc: gone(true), answer: []string{"PUT 200 {}", `GET 200 {"ref":"acme-1","version":"v1"}`}, want: erp.Retry},
		{name: "cancel failed, no version kept", doc: gone(true), answer: []string{`PUT 200 {"error":"locked"}`, `GET 200 {"ref":"acme-1"}`}, want: erp.Retry, reason: "locked"},
		{name: "cancel of nothing", doc: gone(false), answer: []string{"GET 404 "}, want: erp.Unchanged},
		{name: "cancel again", doc: gone(false), answer: []string{`GET 200 {"ref":"acme-1","cancelled_at":"2026-11-20T09:30:00Z"}`}, want: erp.Unchanged},
		{name: "cancelled by hand in the ERP", doc: exists, answer: []string{`PUT 200 {"ref":"acme-1","version":"v2","cancelled":true}`, `GET 200 {"ref":"acme-1","version":"v2","cancelled":true}`}, want: erp.Rejected, reason: "keeps it cancelled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			total := erptest.Order("acme-1").Total.String()
			for i := range c.answer {
				c.answer[i] = strings.ReplaceAll(c.answer[i], "TOTAL", total)
			}
			server := script(t, c.answer...)
			a := newAdapter(t, httperp.Settings{URL: server.URL, Tier: c.tier}, time.Now)
			doc := document(t, a)
			if c.doc != nil {
				c.doc(&doc)
			}
			out := a.Deliver(t.Context(), doc, nil)
			if out.Result != c.want || !strings.Contains(out.Reason, c.reason) {
				t.Fatalf("outcome %+v, want %s (%s)", out, c.want, c.reason)
			}
			if out.Result == erp.Rejected && out.Hint == "" {
				t.Error("rejected without a hint")
			}
		})
	}
}

func exists(doc *erp.Document) { doc.Exists = true }

func gone(known bool) func(*erp.Document) {
	return func(doc *erp.Document) { doc.Cancelled, doc.Exists = true, known }
}

func TestUnreachableERPIsRetry(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	a := newAdapter(t, httperp.Settings{URL: server.URL}, time.Now)
	out := a.Deliver(t.Context(), document(t, a), nil)
	if out.Result != erp.Retry || strings.Contains(out.Reason, "acme-1") {
		t.Fatalf("outcome %+v, want a retry that does not repeat the address", out)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"":                              0,
		"7":                             7 * time.Second,
		"2.5":                           2500 * time.Millisecond,
		"-3":                            0,
		"NaN":                           0,
		"1e99":                          24 * time.Hour,
		"soon":                          0,
		"Mon, 23 Nov 2026 10:01:30 GMT": 90 * time.Second,
		"Mon, 23 Nov 2026 09:00:00 GMT": 0,
		"Mon, 23 Nov 2099 09:00:00 GMT": 24 * time.Hour,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", header)
			w.WriteHeader(http.StatusServiceUnavailable)
		}))
		a := newAdapter(t, httperp.Settings{URL: server.URL}, func() time.Time { return now })
		if out := a.Deliver(t.Context(), document(t, a), nil); out.After != want {
			t.Errorf("Retry-After %q gives %s, want %s", header, out.After, want)
		}
		server.Close()
	}
}

// net/http would send a request with an Idempotency-Key again by itself when a
// kept connection breaks. The engine must hear of it instead.
func TestBrokenConnectionIsNotRepeatedBehindOurBack(t *testing.T) {
	var puts atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		if r.Header.Get("Idempotency-Key") != "acme-1:v2" {
			t.Errorf("Idempotency-Key %q", r.Header.Get("Idempotency-Key"))
		}
		if puts.Add(1) > 1 {
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, `{"ref":"acme-1"}`)
	}))
	defer server.Close()
	a := newAdapter(t, httperp.Settings{URL: server.URL}, time.Now)
	doc := document(t, a)
	if out := a.Deliver(t.Context(), doc, nil); out.Result != erp.Updated {
		t.Fatalf("first: %+v", out)
	}
	if out := a.Deliver(t.Context(), doc, nil); out.Result != erp.Unknown || puts.Load() != 2 {
		t.Fatalf("second: %+v after %d requests, want unknown after 2", out, puts.Load())
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	elsewhere := script(t)
	server := httptest.NewServer(http.RedirectHandler(elsewhere.URL, http.StatusTemporaryRedirect))
	defer server.Close()
	a := newAdapter(t, httperp.Settings{URL: server.URL, Token: token}, time.Now)
	if out := a.Deliver(t.Context(), document(t, a), nil); out.Result != erp.Retry {
		t.Fatalf("outcome %+v", out)
	}
}

// On a busy machine the time may run out before the request leaves; that is a
// retry, and the test goes on until one left.
func TestTimeoutAfterSendingIsUnknown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer server.Close()
	a := newAdapter(t, httperp.Settings{URL: server.URL, Timeout: 50 * time.Millisecond}, time.Now)
	out := a.Deliver(t.Context(), document(t, a), nil)
	for attempts := 1; out.Result == erp.Retry && attempts < 100; attempts++ {
		out = a.Deliver(t.Context(), document(t, a), nil)
	}
	if out.Result != erp.Unknown {
		t.Fatalf("outcome %+v", out)
	}
}

func TestReasonIsBoundedAndTidy(t *testing.T) {
	server := script(t, `PUT 422 {"message":"`+strings.Repeat(`bad\n`, 500)+`"}`)
	a := newAdapter(t, httperp.Settings{URL: server.URL}, time.Now)
	out := a.Deliver(t.Context(), document(t, a), nil)
	if len(out.Reason) > 300 || strings.ContainsAny(out.Reason, "\n\r") || !strings.Contains(out.Reason, "bad bad") {
		t.Fatalf("reason %q", out.Reason)
	}
}

func TestSecretsStayOutOfTheTranscript(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":"bad key %s"}`, r.Header.Get("Authorization"))
	}))
	defer server.Close()
	a := newAdapter(t, httperp.Settings{URL: server.URL, Token: token}, time.Now)
	var transcript erp.Transcript
	out := a.Deliver(t.Context(), document(t, a), &transcript)
	if said := fmt.Sprint(transcript.Exchanges(), out); strings.Contains(said, token) || !strings.Contains(said, "bad key") {
		t.Fatalf("transcript and outcome: %s", said)
	}
}
