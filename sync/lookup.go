package ordersync

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"gapless/erp"
	"gapless/store"
)

// Here an attempt asks what the ERP holds, before it sends anything.

// lookUp asks the ERP what it holds where the last call's result is not known,
// or where somebody wants it verified.
func (a *attempt) lookUp() *store.Settle {
	if !a.claim.Verify {
		return nil
	}
	// A request whose client has gone may take effect after the look-up.
	if s := a.waitForGhost(a.settle(), cmp.Or(a.claim.Reason, "an earlier call was never answered; the ERP is looked up once it can't take effect any more")); s != nil {
		return s
	}
	found, settled := a.askERP()
	if settled != nil {
		return settled
	}
	return a.judge(found)
}

// judge settles by what the ERP holds, or goes on to send.
func (a *attempt) judge(found []erp.Found) *store.Settle {
	live := alive(found)
	a.claim.Present = a.claim.Present || len(found) > 0
	switch {
	case len(live) > 1:
		s := a.park("deliver", &erp.Problem{
			Reason: fmt.Sprintf("the ERP holds %d live documents with the reference %s", len(live), a.doc.Ref), Field: "ref",
			Hint: "keep one of them, cancel the others in the ERP, then replay the order",
		})
		return s
	case len(found) == 0:
		return a.absent()
	case len(live) == 1 && a.holds(live[0]):
		s := a.delivered(live[0].ID, amountText(live[0].Total))
		s.Sent, s.WrittenAt = live[0].Version, live[0].UpdatedAt
		return s
	case a.newerThere(found) != "":
		return a.behind(a.newerThere(found))
	}
	a.doc.Exists = true
	return nil
}

// newerThere is the version of a document that knows the order newer than we
// do, or may, or "". A cancelled one counts: the order may have been cancelled
// since. Of two versions of one second it is ours only once it is final.
func (a *attempt) newerThere(found []erp.Found) string {
	for _, f := range found {
		if newerVersion(f.Version, a.doc.Version) || otherOfOneSecond(f.Version, a.doc.Version) && !a.claim.Order.Final() {
			return f.Version
		}
	}
	return ""
}

// holds says that a live document is what the order should be: its version, its
// total where the ERP tells one and, where we know what we sent for this
// version, made by the mapping of today.
func (a *attempt) holds(f erp.Found) bool {
	switch {
	case a.doc.Cancelled || f.Version != a.doc.Version:
		return false
	case f.Total != nil && !f.Total.Equal(a.order.Total.Decimal):
		return false
	}
	return a.claim.Held != a.doc.Version || a.claim.HeldBody == "" || a.claim.HeldBody == a.hash
}

// askERP looks the reference up, with a slot and a record of its own.
func (a *attempt) askERP() ([]erp.Found, *store.Settle) {
	note, release, settled := a.begin(store.ActionLookup)
	if settled != nil {
		return nil, settled
	}
	defer release()
	ctx, cancel := context.WithTimeout(a.calls, a.Timeout)
	defer cancel()
	var t erp.Transcript
	found, err := a.Adapter.Lookup(ctx, a.doc.Ref, &t)
	out := a.outcome(note, &t)
	switch {
	case err != nil:
		out.Result, out.Reason = string(erp.Retry), err.Error()
		s := a.retry(err.Error(), 0)
		s.AttemptID, s.Outcome = note.ID, &out
		return nil, s
	case len(found) > 0:
		out.Result, out.ERPRef = "found", found[0].ID
	default:
		out.Result = "absent"
	}
	a.circuit.succeeded()
	if err := a.engine.store.KeepOutcome(a.calls, note.ID, out); err != nil {
		return nil, a.putBack(err.Error())
	}
	return found, nil
}

// absent goes on to send, except where the ERP's look-ups lag: then a person must
// say whether the document of an earlier call will still turn up. An order that is
// left out sends nothing, and keeps that doubt for the day it is not.
func (a *attempt) absent() *store.Settle {
	a.doc.Exists = false
	doubtful := a.Adapter.Tier() == erp.TierC && (a.claim.Present || !a.claim.SentAt.IsZero())
	if a.rule == nil && !a.claim.Order.DeletedAt.IsZero() {
		a.rule = deleted
	}
	switch {
	case a.rule != nil:
		s := a.excluded()
		s.Verify, s.Ambiguous, s.Present = doubtful, doubtful && !a.claim.SentAt.IsZero(), doubtful && a.claim.Present
		return s
	case doubtful:
		return a.probe()
	}
	return nil
}

// probe looks again later whether a document has turned up, a few times.
func (a *attempt) probe() *store.Settle {
	const probes = 5
	if a.claim.Tries < probes {
		s := a.as(store.StateUnknown)
		s.Tries++
		s.NextAt = a.engine.now().Add(a.settle())
		s.Reason = "the ERP does not show the document of an earlier call yet"
		return s
	}
	return a.park("deliver", &erp.Problem{
		Reason: "the ERP does not show the document of an earlier call, which may still turn up; sending again could double the order",
		Field:  "ref",
		Hint:   "look for the reference " + a.doc.Ref + " in the ERP; replay the order once you are sure that it is not there",
	})
}

// behind says that the ERP knows the order newer than we do: the store was
// restored from a backup, or its webhooks were lost. Shopify tells what is true,
// and unless it does so soon a person must: the order may be deleted there.
func (a *attempt) behind(version string) *store.Settle {
	const asked = 10
	if a.claim.Tries >= asked {
		return a.park("deliver", &erp.Problem{
			Reason: "the ERP holds a newer version (" + version + ") than Shopify tells of", Field: "updated_at",
			Hint: "see whether the order still exists in Shopify; correct or cancel the ERP's document " + a.doc.Ref + ", then replay the order",
		})
	}
	now := a.engine.now()
	s := a.as(store.StateDue)
	s.Verify, s.Ambiguous = true, false
	s.NextAt = now.Add(a.engine.backoff(a.claim.Tries, a.RetryFirst, a.RetryMax))
	s.Tries++
	s.Reason = "the ERP holds a newer version (" + version + ") than Gapless knows; Shopify is asked for the order"
	s.Refetch = &store.Refetch{OrderKey: a.claim.Order.OrderKey, Reason: "behind", AskedAt: now, NextAt: now}
	return s
}

func alive(found []erp.Found) []erp.Found {
	var live []erp.Found
	for _, f := range found {
		if !f.Cancelled {
			live = append(live, f)
		}
	}
	return live
}

// newerVersion compares the moments that versions begin with.
func newerVersion(a, b string) bool {
	at, bt, both := secondsOf(a, b)
	return both && at > bt
}

func otherOfOneSecond(a, b string) bool {
	at, bt, both := secondsOf(a, b)
	return both && at == bt && a != b
}

// secondsOf are those that two versions begin with; an ERP may tell none.
func secondsOf(a, b string) (at, bt string, both bool) {
	at, _, okA := strings.Cut(a, "/")
	bt, _, okB := strings.Cut(b, "/")
	return at, bt, okA && okB
}
