package ordersync

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"sync"
)

// wire lies between the adapter and the pretend ERP: it counts what passes, and
// a test can stand in its way.
type wire struct {
	erp http.Handler

	mu    sync.Mutex
	meet  http.HandlerFunc  // answers the next request in the ERP's place
	reads bool              // meet reading ones, too
	calls []string          // "PUT acme-1"
	sent  map[string][]byte // bodies by idempotency key
}

// ServeHTTP passes a request on.
func (w *wire) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	w.note(r.Method+" "+path.Base(r.URL.Path), r.Header.Get("Idempotency-Key"), body)
	if meet := w.take(r.Method); meet != nil {
		meet(rw, r)
		return
	}
	w.erp.ServeHTTP(rw, r)
}

func (w *wire) note(call, key string, body []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls = append(w.calls, call)
	if key != "" {
		if w.sent == nil {
			w.sent = map[string][]byte{}
		}
		w.sent[key] = body
	}
}

// content is the document that was sent under an idempotency key.
func (w *wire) content(key string) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return withoutVersion(w.sent[key])
}

// withoutVersion is a document in one canonical form, without the version that
// the adapter adds.
func withoutVersion(doc []byte) string {
	var fields map[string]any
	if err := json.Unmarshal(doc, &fields); err != nil {
		return err.Error()
	}
	delete(fields, "version")
	text, _ := json.MarshalIndent(fields, "", " ") // it was JSON just now
	return string(text)
}

func (w *wire) take(method string) http.HandlerFunc {
	w.mu.Lock()
	defer w.mu.Unlock()
	if method == http.MethodGet && !w.reads {
		return nil
	}
	meet := w.meet
	w.meet = nil
	return meet
}

// next lets meet answer the next request that writes.
func (w *wire) next(meet http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meet, w.reads = meet, false
}

// nextOfAny lets meet answer the next request of any kind.
func (w *wire) nextOfAny(meet http.HandlerFunc) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.meet, w.reads = meet, true
}

// said are the requests so far.
func (w *wire) said() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.calls)
}

// held is a request that waits at the ERP's door.
type held struct {
	arrived chan struct{}
	release chan struct{}
}

// hold lets the next write wait until it is released; then the ERP gets it.
func (w *wire) hold() held { return w.holding(w.next) }

// holdAny does so with the next request of any kind.
func (w *wire) holdAny() held { return w.holding(w.nextOfAny) }

func (w *wire) holding(next func(http.HandlerFunc)) held {
	h := held{make(chan struct{}), make(chan struct{})}
	next(func(rw http.ResponseWriter, r *http.Request) {
		close(h.arrived)
		<-h.release
		w.erp.ServeHTTP(rw, r)
	})
	return h
}

// ghost cuts the next write off without an answer and keeps it. land lets
// the ERP carry it out all the same, whenever the test likes.
func (w *wire) ghost() (land func()) {
	kept := make(chan *http.Request, 1)
	w.next(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		late := r.Clone(context.WithoutCancel(r.Context()))
		late.Body = io.NopCloser(bytes.NewReader(body))
		kept <- late
		panic(http.ErrAbortHandler)
	})
	return func() { w.erp.ServeHTTP(httptest.NewRecorder(), <-kept) }
}

// answer lets the next write be answered with a status and nothing else.
func (w *wire) answer(status int, header ...string) {
	w.next(func(rw http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			rw.Header().Set(header[i], header[i+1])
		}
		rw.WriteHeader(status)
	})
}

// ghostAfter is a ghost whose request leaves only after some time.
func (w *wire) ghostAfter(pass func()) (land func()) {
	land = w.ghost()
	cut := w.take(http.MethodPut)
	w.next(func(rw http.ResponseWriter, r *http.Request) {
		pass()
		cut(rw, r)
	})
	return land
}
