package erptest

import (
	"context"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"gapless/erp"
)

// faults lets each fault strike each writing request of a create, and the
// first one of a change and of a cancel.
func faults(t *testing.T, open func(t *testing.T) Harness) {
	for _, f := range Faults {
		t.Run(string(f), func(t *testing.T) {
			h := open(t)
			if why, skip := h.Skip[f]; skip {
				t.Skip(why)
			}
			for n := range max(h.Writes, 1) {
				t.Run(fmt.Sprintf("create, write %d", n+1), func(t *testing.T) {
					p := newPlay(t, open(t))
					p.strike(f, n, p.doc(p.sample().Order(), "1"))
				})
			}
			t.Run("change", func(t *testing.T) {
				p := newPlay(t, open(t))
				s := p.sample()
				p.must(p.doc(s.Order(), "1"), erp.Created)
				newer := p.doc(changed(s), "2")
				newer.Exists = true
				p.strike(f, 0, newer)
			})
			t.Run("cancel", func(t *testing.T) {
				p := newPlay(t, open(t))
				s := p.sample()
				p.must(p.doc(s.Order(), "1"), erp.Created)
				off := p.doc(cancelled(s), "2")
				off.Exists = true
				p.strike(f, 0, off)
			})
		})
	}
}

// strike delivers doc while its request after skip others meets f, judges the
// outcome, recovers as the engine does and asks the ledger.
func (p play) strike(f Fault, skip int, doc erp.Document) {
	p.Helper()
	before := p.h.Ledger(p, doc.Ref)
	for range skip {
		p.h.Fault(None)
	}
	ctx, end := context.WithCancel(p.Context())
	defer end()
	met := p.h.Fault(f)
	struck := make(chan struct{})
	go func() {
		defer close(struck)
		select {
		case <-met:
			if f.Silent() {
				end()
			}
		case <-ctx.Done():
		}
	}()
	out := p.deliver(ctx, doc)
	select {
	case <-met:
	default:
		p.Fatalf("the fault was not met; outcome %s: %s", out.Result, out.Reason)
	}
	end()
	<-struck

	p.allowed(f, out)
	if out.Result == erp.Retry && skip == 0 {
		after := p.h.Ledger(p, doc.Ref)
		p.want(reflect.DeepEqual(before, after), "retry, but the ledger went from %+v to %+v", before, after)
	}
	p.recover(doc, out)
	if doc.Cancelled {
		p.gone(doc.Ref)
		return
	}
	p.holds(doc)
}

// allowed judges the outcome after a fault. A caller can't tell a cut before
// the effect from one after it, so only Unknown is honest for both.
func (p play) allowed(f Fault, out erp.Outcome) {
	p.Helper()
	want := []erp.Result{erp.Unknown}
	switch f {
	case TooManyRequests:
		want = []erp.Result{erp.Retry}
		p.want(out.After == RetryAfter, "the ERP said to wait %s, the outcome %s", RetryAfter, out.After)
	case ServerError, Unavailable, HTML:
		want = []erp.Result{erp.Retry, erp.Unknown}
	case OKButNothing:
		want = []erp.Result{erp.Retry, erp.Unknown, erp.Rejected}
	}
	p.want(slices.Contains(want, out.Result), "outcome %s (%s), want one of %s", out.Result, out.Reason, want)
}

// recover is the engine's rule. Retry and, once a person acted, Rejected are
// delivered again as they were. Unknown is looked up first; where sending again
// may double the order, only after every request in flight has landed.
func (p play) recover(doc erp.Document, out erp.Outcome) {
	p.Helper()
	if out.Result == erp.Unknown {
		if p.h.Adapter.Tier() != erp.TierA {
			p.h.settle()
		}
		found, err := p.h.Adapter.Lookup(p.Context(), doc.Ref, nil)
		p.noError(err)
		p.want(len(found) <= 1, "the look-up finds %d documents", len(found))
		doc.Exists = len(found) > 0
	}
	p.must(doc, erp.Created, erp.Updated, erp.Unchanged)
}
