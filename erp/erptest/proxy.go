package erptest

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
)

// Proxy stands before an ERP that speaks HTTP. Writing requests meet the faults
// planned with Fault; everything else passes through.
type Proxy struct {
	// Nothing is the body of the 200 that OKButNothing answers: how this ERP
	// looks when it says "ok" and did nothing. Set it before the first fault.
	Nothing []byte

	target string
	writes func(r *http.Request, body []byte) bool
	server *httptest.Server
	client *http.Client
	closed chan struct{}
	flying sync.WaitGroup // requests on their way to the ERP

	mu   sync.Mutex
	plan []planned
}

type planned struct {
	fault Fault
	met   chan struct{}
}

// NewProxy starts a proxy in front of target ("http://127.0.0.1:8000") that
// ends with the test. writes says which requests change something in the ERP.
func NewProxy(t testing.TB, target string, writes func(r *http.Request, body []byte) bool) *Proxy {
	p := &Proxy{
		Nothing: []byte(`{"error":"internal error"}`),
		target:  target, writes: writes, closed: make(chan struct{}),
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 16},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
	p.server = httptest.NewServer(p)
	t.Cleanup(func() {
		close(p.closed)
		p.server.CloseClientConnections()
		p.server.Close()
		p.Settle()
		p.client.CloseIdleConnections()
	})
	return p
}

// URL is the proxy's address, to be used in place of the ERP's.
func (p *Proxy) URL() string { return p.server.URL }

// Fault plans f for the next writing request that has none yet. The channel
// closes when the request met it.
func (p *Proxy) Fault(f Fault) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	met := make(chan struct{})
	p.plan = append(p.plan, planned{f, met})
	return met
}

// Settle waits until the ERP has answered every request that was passed to it,
// also those whose client has gone.
func (p *Proxy) Settle() { p.flying.Wait() }

// ServeHTTP passes the request on or lets it meet its fault.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body := readAll(r)
	next := planned{None, make(chan struct{})}
	if p.writes(r, body) {
		next = p.next(next)
	}
	if next.fault == TimeoutLateEffect {
		p.flying.Add(1)
		defer p.flying.Done()
	}
	exchange{
		pass:    func() reply { return p.pass(r, body) },
		met:     func() { close(next.met) },
		gone:    func() { gone(r, p.closed) },
		nothing: p.Nothing,
	}.meet(next.fault, w)
}

// next takes the first planned fault, or leaves usual as it is.
func (p *Proxy) next(usual planned) planned {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.plan) == 0 {
		return usual
	}
	first := p.plan[0]
	p.plan = p.plan[1:]
	return first
}

// pass sends the request to the ERP, whether or not its client still waits, and
// reads the whole answer.
func (p *Proxy) pass(r *http.Request, body []byte) reply {
	p.flying.Add(1)
	defer p.flying.Done()
	ctx := context.WithoutCancel(r.Context())
	out, err := http.NewRequestWithContext(ctx, r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	out.Header = r.Header.Clone()
	out.Header.Del("Connection")
	out.Header.Del("Accept-Encoding")
	answer, err := p.client.Do(out)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	answer.Header.Del("Connection")
	answer.Header.Del("Content-Length")
	return reply{answer.StatusCode, answer.Header, content}
}
