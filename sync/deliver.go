package ordersync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
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

func (a *attempt) park(step string, err error) *store.Settle {
	s := a.as(store.StateParked)
	problem := &erp.Problem{Reason: err.Error()}
	errors.As(err, &problem)
	s.Reason, s.Field, s.Hint = problem.Reason, problem.Field, problem.Hint
	s.Decision = a.decision(step, "parked", problem.Error())
	s.Gap = &store.Gap{
		Shop: a.claim.Shop, OrderID: a.claim.ID, ERP: a.Name, Kind: store.GapParked, About: a.claim.Wanted, Cause: CauseOrderRefused,
		Detail: problem.Error(), FoundBy: foundByDelivery, Since: a.engine.now(),
	}
	return s
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
	nothingThere := !a.claim.Present && a.claim.SentAt.IsZero() && !a.claim.Verify
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
	a.doc.Cancelled = a.doc.Cancelled || a.rule != nil
	a.doc.Body, err = a.Adapter.Map(a.order)
	switch {
	case err != nil && a.rule != nil && !a.claim.Present && a.claim.SentAt.IsZero():
		return a.excluded() // we have made nothing there
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
	if a.rule != nil {
		s := a.excluded()
		s.Held, s.HeldBody, s.Present, s.ERPRef, s.ERPTotal = a.doc.Version, a.hash, true, ref, total
		return s
	}
	s := a.as(store.StateDelivered)
	s.Held, s.HeldBody, s.Verify, s.Present, s.Ambiguous, s.Tries = a.doc.Version, a.hash, false, true, false, 0
	s.ERPRef, s.ERPTotal = ref, total
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
	next := a.claim.GhostAt.Add(age)
	if a.claim.Ghost == "" || !next.After(a.engine.now()) {
		return nil
	}
	s := a.as(a.waiting())
	s.NextAt, s.Reason = next, reason
	return s
}

// waiting is the state of a delivery that goes on later: what is in doubt stays so.
func (a *attempt) waiting() string {
	if a.claim.SentAt.IsZero() {
		return store.StateDue
	}
	return store.StateUnknown
}

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
// do, or "". A cancelled one counts: the order may have been cancelled since.
func (a *attempt) newerThere(found []erp.Found) string {
	for _, f := range found {
		if newerVersion(f.Version, a.doc.Version) {
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
	note = a.intent(action)
	if err := a.engine.store.Begin(a.calls, &note); err != nil {
		return note, nil, a.putBack("the intent could not be stored: " + err.Error())
	}
	ctx, cancel := context.WithTimeout(a.stop, a.Timeout)
	defer cancel()
	if release, err = a.slots.take(ctx); err != nil {
		return note, nil, a.neverLeft(note)
	}
	now := a.engine.now()
	if now.Add(a.Timeout).After(note.Until) { // the machine slept, or its clock was set
		release()
		return note, nil, a.neverLeft(note)
	}
	note.StartedAt = now // the call takes as long as the ERP does, without the wait for it
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

// settled is the one change of state that each outcome leads to.
func (a *attempt) settled(r erp.Outcome) *store.Settle {
	switch r.Result {
	case erp.Created, erp.Updated, erp.Unchanged:
		a.note(a.circuit.succeeded(), "the ERP answers again")
		s := a.delivered(r.ID, amountText(r.Total))
		if r.Result != erp.Unchanged {
			s.WrittenAt = a.engine.now()
		}
		return s
	case erp.Rejected:
		a.note(a.circuit.succeeded(), "the ERP answers again")
		s := a.park("deliver", &erp.Problem{Reason: r.Reason, Field: r.Field, Hint: r.Hint})
		s.Verify, s.Ambiguous, s.HeldBody = false, false, "" // it may have refused half-way
		return s
	case erp.Retry:
		s := a.retry(r.Reason, r.After)
		s.Ambiguous, s.Verify, s.HeldBody, s.Ghost = false, a.claim.Verify, "", r.Lingers
		s.State = store.StateDue
		return s
	default:
		return a.unknown(r.Reason, r.After)
	}
}

// longestRetryAfter bounds what an ERP may ask for: no failure that passes keeps
// an order waiting for more than an hour.
const longestRetryAfter = time.Hour

// retry waits and tries again. What was ambiguous before stays so.
func (a *attempt) retry(reason string, after time.Duration) *store.Settle {
	after = min(after, longestRetryAfter)
	a.failed(reason, after)
	s := a.as(a.waiting())
	s.NextAt = a.engine.now().Add(max(after, a.engine.backoff(s.Tries, a.RetryFirst, a.RetryMax)))
	s.Tries++
	s.Reason = reason
	return s
}

// unknown waits until a look-up can tell.
func (a *attempt) unknown(reason string, after time.Duration) *store.Settle {
	a.failed(reason, 0)
	s := a.as(store.StateUnknown)
	s.Verify, s.Ambiguous, s.Ghost = true, true, true
	s.NextAt = a.engine.now().Add(max(after, a.settle(), a.engine.backoff(s.Tries, a.RetryFirst, a.RetryMax)))
	s.Tries++
	if a.Adapter.Tier() == erp.TierC {
		s.Tries = 0 // from here on the probes are counted
	}
	s.Reason = reason
	return s
}

// putBack returns a claim that could not be worked on: we are stopping, or the
// store refused the intent. Nothing has left.
func (a *attempt) putBack(reason string) *store.Settle {
	s := a.as(a.waiting())
	s.Reason = reason
	if reason != "" {
		s.NextAt = a.engine.now().Add(a.engine.backoff(0, a.RetryFirst, a.RetryMax))
	}
	return s
}

func (a *attempt) failed(reason string, after time.Duration) {
	opened := a.circuit.failed(a.engine.now(), a.doc.Ref, reason, after)
	if opened {
		a.engine.log.Warn("the ERP fails again and again; attempts pause, one probe at a time", "erp", a.Name, "reason", reason)
	}
}

func (a *attempt) note(yes bool, message string) {
	if yes {
		a.engine.log.Info(message, "erp", a.Name)
	}
}

func (a *attempt) outcome(note store.Attempt, t *erp.Transcript) store.Outcome {
	ended := a.engine.now()
	exchanges, err := json.Marshal(t.Exchanges())
	if err != nil { // strings and numbers: it can't
		exchanges = nil
	}
	return store.Outcome{EndedAt: ended, Duration: ended.Sub(note.StartedAt), Exchanges: exchanges}
}

// record writes the settlement. The result of a call is worth waiting for: while
// the disk is full it is kept in hand and tried again until the lease runs out;
// after that the order is looked up, and nothing is lost but time.
func (a *attempt) record(s store.Settle) {
	deadline := a.claim.LeaseUntil
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := a.engine.store.Settle(a.calls, s)
		if err == nil {
			return
		}
		if errors.Is(err, store.ErrStale) {
			a.engine.log.Warn("a result came after the attempt's lease had run out; the order is looked up instead", "shop", s.Shop, "order", s.ID)
			return
		}
		if errors.Is(err, store.ErrClosed) || a.calls.Err() != nil || a.stop.Err() != nil || a.engine.now().After(deadline) {
			a.engine.log.Error("the result of an attempt could not be stored; the order is looked up in the ERP next", "shop", s.Shop, "order", s.ID, "err", err)
			return
		}
		a.engine.log.Error("the result of an attempt can't be stored; deliveries of this slot pause until it can", "shop", s.Shop, "order", s.ID, "err", err)
		timer := time.NewTimer(wait)
		select {
		case <-timer.C:
		case <-a.stop.Done():
			timer.Stop()
		}
	}
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
	at, _, okA := strings.Cut(a, "/")
	bt, _, okB := strings.Cut(b, "/")
	return okA && okB && at > bt
}

func amountText(a *erp.Amount) string {
	if a == nil {
		return ""
	}
	return a.String()
}
