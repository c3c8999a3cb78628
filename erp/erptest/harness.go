package erptest

import (
	"testing"
	"time"

	"gapless/erp"
)

// Fault is one way in which a writing request goes wrong.
type Fault string

const (
	// None lets the request pass: plan it to reach a later request of a
	// delivery that takes several.
	None Fault = "none"
	// TimeoutBeforeEffect: the request never reaches the ERP, no answer comes.
	TimeoutBeforeEffect Fault = "timeout before effect"
	// TimeoutAfterEffect: the ERP does it, no answer comes.
	TimeoutAfterEffect Fault = "timeout after effect"
	// TimeoutLateEffect: no answer comes, and the ERP does it only after the
	// caller has gone.
	TimeoutLateEffect Fault = "timeout, late effect"
	// TooManyRequests: 429 with a Retry-After of RetryAfter, no effect.
	TooManyRequests Fault = "429"
	// ServerError: 500, no effect.
	ServerError Fault = "500"
	// Unavailable: 503 with a Retry-After of RetryAfter, no effect.
	Unavailable Fault = "503"
	// HTML: 200 with a login page, no effect.
	HTML Fault = "html"
	// CutBeforeEffect: the connection is cut, the ERP saw nothing.
	CutBeforeEffect Fault = "cut before effect"
	// CutAfterEffect: the ERP did it and the connection is cut in mid-answer.
	CutAfterEffect Fault = "cut after effect"
	// OKButNothing: a 200 that tells of an error, or of nothing, inside.
	OKButNothing Fault = "200 without effect"
)

// Faults are all faults, in the order the suite plays them.
var Faults = []Fault{
	TimeoutBeforeEffect, TimeoutAfterEffect, TimeoutLateEffect,
	TooManyRequests, ServerError, Unavailable,
	HTML, CutBeforeEffect, CutAfterEffect, OKButNothing,
}

// RetryAfter is what TooManyRequests and Unavailable ask for.
const RetryAfter = 7 * time.Second

// Silent says that the caller hears nothing until it gives up: the suite then
// ends the call's context once the fault was met.
func (f Fault) Silent() bool {
	return f == TimeoutBeforeEffect || f == TimeoutAfterEffect || f == TimeoutLateEffect
}

// HasEffect says that the ERP carries the request out.
func (f Fault) HasEffect() bool {
	switch f {
	case None, TimeoutAfterEffect, TimeoutLateEffect, CutAfterEffect:
		return true
	}
	return false
}

// Harness is one adapter with its ERP, ready for a case of the suite. The ERP
// may be shared between cases and hold other documents: every order of the
// suite has a reference of its own.
type Harness struct {
	Adapter erp.Adapter

	// Fault plans that the next writing request meets f; calls queue up, one
	// request each. The channel closes when the fault was met: for
	// TimeoutAfterEffect once the effect is there and the answer is held back.
	Fault func(f Fault) <-chan struct{}

	// Ledger tells what the ERP really holds under ref, read behind the
	// adapter's back, cancelled documents included. Total is always set;
	// Version only where the ERP keeps it. A draft counts as live.
	Ledger func(t testing.TB, ref string) []erp.Found

	// Refused makes the order one that Map accepts and this ERP refuses for good.
	Refused func(o *erp.Order)

	// Settle waits until every request whose client has gone has taken effect
	// or surely won't, and look-ups show it. Nil: there is nothing to wait for.
	Settle func()

	// Now is the ERP's clock. Nil: time.Now.
	Now func() time.Time

	// SKUs are three articles the ERP knows. Nil: DefaultSKUs.
	SKUs []string

	// Writes is how many writing requests it takes to create one order; each of
	// them meets each fault once. 0: one.
	Writes int

	// Lines says that look-ups tell the lines of a document.
	Lines bool

	// Skip names faults that can't happen to this adapter, each with the reason.
	Skip map[Fault]string

	// Secrets must never show in transcripts, plans and reasons.
	Secrets []string
}

func (h Harness) now() time.Time {
	if h.Now == nil {
		return time.Now()
	}
	return h.Now()
}

func (h Harness) settle() {
	if h.Settle != nil {
		h.Settle()
	}
}
