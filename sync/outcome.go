package ordersync

import (
	"encoding/json"
	"errors"
	"time"

	"gapless/erp"
	"gapless/store"
)

// Here an attempt becomes the one change of state that follows it, and that is
// recorded.

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

// park leaves the order to a person, and notes that as a gap.
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

func amountText(a *erp.Amount) string {
	if a == nil {
		return ""
	}
	return a.String()
}
