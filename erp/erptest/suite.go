package erptest

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"strings"
	"testing"

	"gapless/erp"
)

// Run holds an adapter to the contract of erp.Adapter. Each case calls open
// for a harness of its own, which may share one ERP with the others.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	cases := []struct {
		name string
		run  func(play)
	}{
		{"map is pure", mapIsPure},
		{"create", create},
		{"create again", createAgain},
		{"change", change},
		{"change what was forgotten", changeForgotten},
		{"cancel", cancel},
		{"cancel what was forgotten", cancelForgotten},
		{"cancel what never was", cancelNeverCreated},
		{"look up", lookup},
		{"lines", lines},
		{"list", list},
		{"list stops", listStops},
		{"totals", totals},
		{"odd orders", oddOrders},
		{"refusal", refusal},
		{"plan", plan},
		{"too late", tooLate},
		{"side by side", sideBySide},
		{"check", check},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(newPlay(t, open(t))) })
	}
	t.Run("faults", func(t *testing.T) { faults(t, open) })
}

// play is one case: a harness and the engine's part.
type play struct {
	*testing.T
	h Harness
}

func newPlay(t *testing.T, h Harness) play {
	if h.SKUs == nil {
		h.SKUs = DefaultSKUs
	}
	return play{t, h}
}

// want ends the case where ok is false.
func (p play) want(ok bool, format string, args ...any) {
	p.Helper()
	if !ok {
		p.Fatalf(format, args...)
	}
}

func (p play) noError(err error) {
	p.Helper()
	p.want(err == nil, "%v", err)
}

// sample starts an order under a reference that no case and no earlier run
// used: a real ERP still holds those.
func (p play) sample() Sample {
	return Sample{Ref: "acme-" + strings.ToLower(rand.Text()[:12]), SKUs: p.h.SKUs}
}

// doc maps the order and states its version.
func (p play) doc(o erp.Order, version string) erp.Document {
	p.Helper()
	body, err := p.h.Adapter.Map(o)
	p.noError(err)
	return erp.Document{
		Ref: o.Ref, Version: version, Order: o, Body: body, Cancelled: o.CancelledAt != nil,
	}
}

// deliver calls the adapter and checks what holds of every call.
func (p play) deliver(ctx context.Context, doc erp.Document) erp.Outcome {
	p.Helper()
	var transcript erp.Transcript
	out := p.h.Adapter.Deliver(ctx, doc, &transcript)
	said := fmt.Sprintf("%+v", transcript.Exchanges())
	told := out.Reason + out.Hint + out.Field
	for _, secret := range p.h.Secrets {
		p.want(!strings.Contains(said, secret), "a secret in the transcript")
		p.want(!strings.Contains(told, secret), "a secret in the outcome")
	}
	for _, word := range personal {
		p.want(!strings.Contains(told, word), "personal data in the outcome: %s", told)
	}
	switch out.Result {
	case erp.Created, erp.Updated, erp.Unchanged:
		p.want(len(transcript.Exchanges()) > 0, "success without a word on the wire")
	case erp.Rejected, erp.Retry, erp.Unknown:
		p.want(out.Reason != "", "%s without a reason", out.Result)
	default:
		p.Fatalf("not a result: %q", out.Result)
	}
	return out
}

// must delivers and wants one of the results.
func (p play) must(doc erp.Document, want ...erp.Result) erp.Outcome {
	p.Helper()
	out := p.deliver(p.Context(), doc)
	p.want(slices.Contains(want, out.Result), "outcome %s (%s), want one of %s", out.Result, out.Reason, want)
	return out
}

// holds wants exactly one live document in the ERP's ledger, worth the order's
// total and, where the ERP keeps it, of this version.
func (p play) holds(doc erp.Document) erp.Found {
	p.Helper()
	p.h.settle()
	live := p.live(doc.Ref)
	p.want(len(live) == 1, "%d live documents in the ledger, want one", len(live))
	found := live[0]
	p.want(found.Total != nil, "the harness's ledger must tell the total")
	p.tells(found, doc)
	return found
}

// gone wants no live document in the ERP's ledger.
func (p play) gone(ref string) {
	p.Helper()
	p.h.settle()
	p.want(len(p.live(ref)) == 0, "%d live documents in the ledger, want none", len(p.live(ref)))
}

func (p play) live(ref string) []erp.Found {
	p.Helper()
	var live []erp.Found
	for _, found := range p.h.Ledger(p, ref) {
		if !found.Cancelled {
			live = append(live, found)
		}
	}
	return live
}
