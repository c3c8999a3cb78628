package ordersync

import (
	"context"
	"encoding/json"
	"fmt"
	"runtime/debug"
	"time"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
)

// attempt brings one claimed delivery as far as it gets now, and settles it with
// exactly one change of state. calls outlives a stop; stop ends the waiting.
func (l *lane) attempt(calls, stop context.Context, c store.Claim) {
	a := &attempt{lane: l, claim: c, calls: calls, stop: stop}
	settle := a.guarded()
	if !a.letGo {
		l.unpaced.Add(-1)
	}
	settle.DeliveryKey, settle.Token = c.DeliveryKey, c.Token
	a.record(settle)
}

// guarded is run, with a defect of ours confined to the order that shows it.
func (a *attempt) guarded() (settle store.Settle) {
	defer func() {
		if what := recover(); what != nil {
			a.engine.log.Error("an attempt failed in an unforeseen way; the order is parked", "shop", a.claim.Shop, "order", a.claim.ID, "panic", what, "stack", string(debug.Stack()))
			settle = *a.park("deliver", &erp.Problem{Reason: "Gapless failed on this order in an unforeseen way", Hint: "report it with the log's entry to Gapless's maintainers, and book this order by hand"})
		}
	}()
	return a.run()
}

// attempt is one claim being worked on.
type attempt struct {
	*lane
	claim       store.Claim
	calls, stop context.Context
	letGo       bool // by the rate, which counts attempts: a look-up does not wait again for the call behind it

	order erp.Order
	doc   erp.Document
	hash  string // of doc.Body
	rule  *erp.Rule
}

// run is the walk of one attempt. Each step either goes on or says how the
// delivery settles.
func (a *attempt) run() store.Settle {
	for _, step := range []func() *store.Settle{
		a.mapOrder,      // the order in the ERP's terms, or parked
		a.applyRules,    // excluded, held, or on
		a.skipSame,      // the ERP holds exactly this already
		a.letGhostsPass, // an older version that may yet arrive must not arrive last
		a.lookUp,        // where the last call's result is in doubt
		a.send,          // intent, call, outcome
	} {
		if settled := step(); settled != nil {
			return *settled
		}
	}
	panic("send settles every delivery")
}

// as is the delivery as it was claimed, in another state: what a step doesn't
// change stays.
func (a *attempt) as(state string) *store.Settle {
	d := a.claim.Delivery
	return &store.Settle{
		State: state, Held: d.Held, HeldBody: d.HeldBody, Verify: d.Verify, Present: d.Present, Ambiguous: !d.SentAt.IsZero(),
		Tries: d.Tries, NextAt: a.engine.now(), ERPRef: d.ERPRef, ERPTotal: d.ERPTotal,
	}
}

func (a *attempt) decision(step, outcome, detail string) *store.Decision {
	return &store.Decision{At: a.engine.now(), Shop: a.claim.Shop, OrderID: a.claim.ID, Step: step, Outcome: outcome, Detail: detail}
}

func (a *attempt) mapOrder() *store.Settle {
	var told shopify.Order
	if err := json.Unmarshal(a.claim.Order.Content, &told); err != nil {
		return a.park("mapping", fmt.Errorf("the stored order can't be read: %w", err))
	}
	zone, settled := a.zone()
	if settled != nil {
		return settled
	}
	var err error
	if a.order, err = neutralIn(zone, a.claim.Shop, &told); err != nil {
		return a.park("mapping", err)
	}
	a.doc = erp.Document{Ref: a.order.Ref, Version: a.claim.Order.Version, Order: a.order, Cancelled: a.order.CancelledAt != nil, Exists: a.claim.Present}
	return nil
}

// applyRules may turn the order away. If the ERP already holds a document for
// an order that is now excluded, that document is cancelled first; where that is
// to be verified, the ERP is looked up.
func (a *attempt) applyRules() *store.Settle {
	var err error
	nothingMade := !a.claim.Present && a.claim.SentAt.IsZero() && a.claim.Ghost == "" // a failed call may have made it all the same
	nothingThere := nothingMade && !a.claim.Verify
	if nothingThere && !a.claim.Order.DeletedAt.IsZero() {
		a.rule = deleted
		return a.excluded()
	}
	if a.rule, err = a.engine.rules.Decide(a.order); err != nil {
		return a.park("rule", err)
	}
	if a.rule != nil && a.rule.Then == erp.Hold {
		s := a.park("rule", &erp.Problem{Reason: fmt.Sprintf("held by the rule %q", a.rule.Name), Hint: "replay the order to send it once the rule lets it go"})
		s.Rule = a.rule.Name
		return s
	}
	if a.rule != nil && nothingThere {
		return a.excluded()
	}
	leaves := a.rule != nil || !a.claim.Order.DeletedAt.IsZero()
	a.claim.Verify = a.claim.Verify || leaves && !a.claim.Present && a.claim.Ghost != ""
	a.doc.Cancelled = a.doc.Cancelled || a.rule != nil
	a.doc.Body, err = a.Adapter.Map(a.order)
	switch {
	case err != nil && a.rule != nil && nothingMade:
		return a.excluded()
	case err != nil:
		return a.park("mapping", err)
	}
	a.hash = a.doc.Hash()
	return nil
}

// deleted names why an order that Shopify no longer has is not made in the ERP.
var deleted = &erp.Rule{Name: "deleted in Shopify", Then: erp.Exclude}

func (a *attempt) excluded() *store.Settle {
	s := a.as(store.StateExcluded)
	s.Rule, s.Verify, s.Ambiguous, s.Tries = a.rule.Name, false, false, 0
	s.Decision = a.decision("rule", "excluded", "by the rule "+a.rule.Name)
	return s
}

// skipSame spares the ERP a call that would change nothing: the order changed,
// but nothing that the mapping uses.
func (a *attempt) skipSame() *store.Settle {
	if a.claim.Verify || !a.claim.SentAt.IsZero() || a.claim.HeldBody == "" || a.claim.HeldBody != a.hash {
		return nil
	}
	s := a.delivered(a.claim.ERPRef, a.claim.ERPTotal)
	s.Decision = a.decision("deliver", "unchanged", "the ERP holds a document with exactly this content")
	return s
}

// delivered says that the ERP holds the document now.
func (a *attempt) delivered(ref, total string) *store.Settle {
	s := a.as(store.StateDelivered)
	s.Verify, s.Ambiguous, s.Tries = false, false, 0
	if a.rule != nil {
		s = a.excluded()
	}
	s.Held, s.HeldBody, s.Present, s.ERPRef, s.ERPTotal = a.doc.Version, a.hash, true, ref, total
	s.Laid = a.left(a.longest()) <= 0
	return s
}

// letGhostsPass holds a newer version back while the call of an older one, never
// answered, may still take effect: it would overwrite the newer one. The same
// version again does no harm, unless it is to leave the ERP.
func (a *attempt) letGhostsPass() *store.Settle {
	d := a.claim.Delivery
	if d.Ghost == a.doc.Version && a.rule == nil {
		return nil
	}
	return a.waitForGhost(a.longest(), "an earlier call was never answered and may still take effect; this version waits until it can't")
}

// waitForGhost waits until a call that was never answered is older than age.
func (a *attempt) waitForGhost(age time.Duration, reason string) *store.Settle {
	left := a.left(age)
	if a.claim.Ghost == "" || left <= 0 {
		return nil
	}
	s := a.as(a.waiting())
	s.NextAt, s.Reason = a.engine.now().Add(left), reason
	return s
}

// left is how long it is until a call that was never answered is older than age.
func (a *attempt) left(age time.Duration) time.Duration {
	return age - a.engine.elapsed.since(a.claim.GhostAt)
}

// waiting is the state of a delivery that goes on later: what is in doubt stays so.
func (a *attempt) waiting() string {
	if a.claim.SentAt.IsZero() {
		return store.StateDue
	}
	return store.StateUnknown
}

// send commits the intent, makes the call and settles by its outcome.
func (a *attempt) send() *store.Settle {
	note, release, settled := a.begin(store.ActionDeliver)
	if settled != nil {
		return settled
	}
	defer release()
	ctx, cancel := context.WithTimeout(a.calls, a.Timeout)
	defer cancel()
	var t erp.Transcript
	result := a.Adapter.Deliver(ctx, a.doc, &t)
	out := a.outcome(note, &t)
	out.Result, out.Reason, out.Field, out.Hint, out.ERPRef = string(result.Result), result.Reason, result.Field, result.Hint, result.ID
	a.claim.SentAt = note.StartedAt
	s := a.settled(result)
	s.AttemptID, s.Outcome = note.ID, &out
	a.engine.metrics.attempted(a.Name, string(result.Result), out.Duration)
	return s
}

// keepRate waits until the rate lets the attempt go.
func (a *attempt) keepRate() error {
	if a.letGo {
		return nil
	}
	if err := a.limiter.Wait(a.stop); err != nil {
		return err
	}
	a.letGo = true
	a.unpaced.Add(-1)
	return nil
}

// begin commits the intent of a call and then waits for a slot to make it in:
// while one call is under way, the next one's intent becomes durable. Without
// release it says how the delivery settles, and no call may be made.
func (a *attempt) begin(action string) (note store.Attempt, release func(), settled *store.Settle) {
	if err := a.keepRate(); err != nil {
		return note, nil, a.putBack("")
	}
	leave, err := a.line.take(a.stop)
	if err != nil {
		return note, nil, a.putBack("")
	}
	defer leave()
	began := a.engine.elapsed.steady()
	note = a.intent(action)
	lease := note.Until.Sub(note.StartedAt)
	if err := a.engine.store.Begin(a.calls, &note); err != nil {
		return note, nil, a.putBack("the intent could not be stored: " + err.Error())
	}
	ctx, cancel := context.WithTimeout(a.stop, a.Timeout)
	defer cancel()
	if release, err = a.slots.take(ctx); err != nil {
		return note, nil, a.neverLeft(note)
	}
	if a.engine.elapsed.steady()-began > lease-a.Timeout { // it took long to be stored
		release()
		return note, nil, a.neverLeft(note)
	}
	note.StartedAt = a.engine.now() // the call takes as long as the ERP does, without the wait for it
	return note, release, nil
}

// neverLeft says of an intent that no call was made by it.
func (a *attempt) neverLeft(note store.Attempt) *store.Settle {
	reason := "the ERP was busy with other calls, so that this one was not made"
	s := a.putBack(reason)
	if a.stop.Err() != nil {
		reason = "Gapless was stopped before the call was made"
		s = a.putBack("") // the next start makes it at once
	}
	out := a.outcome(note, nil)
	out.Result, out.Reason = string(erp.Retry), reason
	s.AttemptID, s.Outcome = note.ID, &out
	return s
}

// intent is what is committed before a call leaves. The lease is made to outlast
// the wait for a slot, the call and the recording of its result.
func (a *attempt) intent(action string) store.Attempt {
	now := a.engine.now()
	return store.Attempt{
		DeliveryKey: a.claim.DeliveryKey, Token: a.claim.Token, Action: action, Ref: a.doc.Ref, Version: a.doc.Version,
		BodyHash: a.hash, StartedAt: now, Until: now.Add(2*a.Timeout + recordTime),
	}
}

// recordTime is how long a result may take to be stored before the attempt
// counts as cut off.
const recordTime = time.Minute
