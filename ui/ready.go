package ui

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// readyFor is how long an answer to whether the store can write is good for.
const readyFor = time.Second

// readiness is the last such answer. To find out is a write that reaches the
// disk, and anybody may ask: those who ask at once, or soon after, share one.
type readiness struct {
	mu  sync.Mutex
	at  time.Time // zero: nobody has asked yet
	err error
}

// of says why the store can't write; nil: it can. It does not end with whoever
// asks, since others get the same answer.
func (r *readiness) of(ctx context.Context, write func(context.Context) error, now func() time.Time) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.at.IsZero() && now().Sub(r.at) < readyFor {
		return r.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
	defer cancel()
	r.err = write(ctx)
	r.at = now()
	return r.err
}

// readyz says that webhooks can be stored now: it stores something.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if err := s.readiness.of(r.Context(), s.Store.Ready, s.Now); err != nil {
		writeJSON(w, http.StatusServiceUnavailable, health{Reasons: []string{"the store can't write: " + err.Error()}})
		return
	}
	writeJSON(w, http.StatusOK, health{OK: true})
}
