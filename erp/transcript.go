package erp

import (
	"fmt"
	"sync"
)

// MaxExchangeBytes bounds each request and each answer a Transcript keeps.
const MaxExchangeBytes = 16 << 10

// maxExchanges bounds how many exchanges one attempt keeps.
const maxExchanges = 40

// Exchange is one request to an ERP and what came back, cut at
// MaxExchangeBytes and without secrets.
type Exchange struct {
	Request string `json:"request"`          // "PUT http://erp/orders/acme-1" and the body
	Status  int    `json:"status,omitempty"` // HTTP status, 0 where no answer came
	Answer  string `json:"answer,omitempty"`
	Err     string `json:"error,omitempty"` // why no answer came
}

// Transcript keeps what one attempt said to an ERP and heard from it. The zero
// value is ready; a nil Transcript keeps nothing.
type Transcript struct {
	mu        sync.Mutex
	exchanges []Exchange
}

// Ask notes a request that is about to leave and returns the number under
// which its answer is to be noted.
func (t *Transcript) Ask(method, url string, body []byte) int {
	if t == nil {
		return -1
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.exchanges) == maxExchanges {
		return -1
	}
	t.exchanges = append(t.exchanges, Exchange{Request: method + " " + url + "\n" + cut(body)})
	return len(t.exchanges) - 1
}

// Answer notes what came back on request n: a status with a body, or an error.
func (t *Transcript) Answer(n, status int, body []byte, err error) {
	if t == nil || n < 0 {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := &t.exchanges[n]
	e.Status, e.Answer = status, cut(body)
	if err != nil {
		e.Err = err.Error()
	}
}

// Exchanges returns what was noted, in the order it was asked.
func (t *Transcript) Exchanges() []Exchange {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return append([]Exchange(nil), t.exchanges...)
}

func cut(b []byte) string {
	if len(b) <= MaxExchangeBytes {
		return string(b)
	}
	return fmt.Sprintf("%s… (%d bytes in all)", b[:MaxExchangeBytes], len(b))
}
