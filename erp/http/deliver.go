package httperp

import (
	"context"
	"fmt"
	"net/http"

	"gapless/erp"
)

// step is the writing request that a delivery needs, or none.
type step struct {
	method, url string
	create      bool
}

// Deliver decides on one writing request, sends it, and checks what it claims.
func (a *Adapter) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	next, done := a.decide(ctx, doc, t)
	if done != nil {
		return *done
	}
	return a.write(ctx, next, doc, t)
}

// Plan tells the request that Deliver would send now, without its signature and
// the headers of the settings.
func (a *Adapter) Plan(ctx context.Context, doc erp.Document) ([]erp.Call, error) {
	next, done := a.decide(ctx, doc, nil)
	switch {
	case done != nil && done.Result == erp.Unchanged:
		return nil, nil
	case done != nil:
		return nil, fmt.Errorf("planning the call: %s", done.Reason)
	}
	body, err := content(doc)
	if err != nil {
		return nil, err
	}
	call := erp.Call{Method: next.method, URL: next.url, Header: map[string]string{}, Body: string(body)}
	for name, values := range header(doc) {
		call.Header[http.CanonicalHeaderKey(name)] = values[0]
	}
	return []erp.Call{call}, nil
}

// decide picks the request, or says that none is needed or possible. In tier A
// a create needs no look-up: a second one changes the same document. An order
// that was cancelled before the ERP heard of it goes there as cancelled, so that
// the ERP's books know every order; one that is only kept away from the ERP
// leaves no trace.
func (a *Adapter) decide(ctx context.Context, doc erp.Document, t *erp.Transcript) (step, *erp.Outcome) {
	create := step{a.s.Method, a.orderURL(a.s.CreatePath, doc.Ref), true}
	unwanted := doc.Cancelled && doc.Order.CancelledAt == nil
	switch {
	case doc.Exists:
		return a.update(doc), nil
	case a.s.Tier == erp.TierA && !unwanted:
		return create, nil
	}
	found, err := a.Lookup(ctx, doc.Ref, t)
	if err != nil {
		return step{}, &erp.Outcome{Result: erp.Retry, Reason: "nothing was sent: " + err.Error()}
	}
	held, done := heldOf(found)
	switch {
	case done != nil:
		return step{}, done
	case held == nil && unwanted:
		return step{}, &erp.Outcome{Result: erp.Unchanged}
	case held == nil:
		return create, nil
	case held.Cancelled == doc.Cancelled && (held.Version == doc.Version || held.Cancelled && (unwanted || held.Version == "")):
		return step{}, &erp.Outcome{Result: erp.Unchanged, ID: held.ID, Total: held.Total}
	}
	return a.update(doc), nil
}

func (a *Adapter) update(doc erp.Document) step {
	return step{a.s.UpdateMethod, a.orderURL(a.s.OrderPath, doc.Ref), false}
}

// heldOf is the one document that counts: the live one, else a cancelled one,
// else none. Several live ones are for a person to sort out.
func heldOf(found []erp.Found) (*erp.Found, *erp.Outcome) {
	var held *erp.Found
	live := 0
	for i := range found {
		if !found[i].Cancelled {
			live++
		}
		if held == nil || held.Cancelled {
			held = &found[i]
		}
	}
	if live > 1 {
		return nil, &erp.Outcome{
			Result: erp.Rejected, Field: "ref",
			Reason: fmt.Sprintf("the ERP holds %d live documents for this order", live),
			Hint:   "cancel all but one of them in the ERP, then replay the order",
		}
	}
	return held, nil
}

// write sends the request of one step and judges the answer.
func (a *Adapter) write(ctx context.Context, s step, doc erp.Document, t *erp.Transcript) erp.Outcome {
	body, err := content(doc)
	if err != nil {
		return erp.Outcome{Result: erp.Rejected, Reason: err.Error(), Field: "body", Hint: "mend the jq program in body"}
	}
	h := header(doc)
	if err := a.sign(h, body); err != nil {
		return erp.Outcome{Result: erp.Retry, Reason: err.Error()}
	}
	ans := a.do(ctx, s.method, s.url, h, body, t)
	switch {
	case ans.err != nil && ans.left:
		return unknown("no whole answer came from the ERP: " + ans.err.Error())
	case ans.err != nil:
		return erp.Outcome{Result: erp.Retry, Reason: "the ERP can't be reached: " + ans.err.Error()}
	case ans.ok():
		return a.confirm(ctx, s, doc, ans, t)
	case ans.status == http.StatusConflict && s.create:
		return a.conflict(ctx, doc, ans, t)
	case (ans.status == http.StatusNotFound || ans.status == http.StatusGone) && !s.create:
		return unknown("the ERP no longer has the document that was to change; somebody may have deleted it")
	}
	return a.refused(doc, ans)
}

func unknown(reason string) erp.Outcome {
	return erp.Outcome{Result: erp.Unknown, Reason: reason}
}

// confirm trusts a 2xx that repeats what was sent, and checks any other with a
// look-up.
func (a *Adapter) confirm(ctx context.Context, s step, doc erp.Document, ans answer, t *erp.Transcript) erp.Outcome {
	if len(ans.body) == 0 {
		return a.readBack(ctx, s, doc, ans, t)
	}
	v, err := ans.json()
	if err != nil {
		return unknown(err.Error())
	}
	found := a.paths.found(v)
	if hasError(v) || !repeats(found, doc) {
		return a.readBack(ctx, s, doc, ans, t)
	}
	return a.success(s, ans, found)
}

// hasError says that an answer with a good status tells of an error inside.
func hasError(v any) bool {
	object, _ := v.(map[string]any)
	for _, key := range []string{"error", "errors"} {
		switch e := object[key].(type) {
		case nil:
		case bool:
			return e
		case string:
			return e != ""
		case []any:
			return len(e) > 0
		default:
			return true
		}
	}
	return false
}

// repeats says that an answer names this order at this version and state.
func repeats(found erp.Found, doc erp.Document) bool {
	if found.Ref != "" && found.Ref != doc.Ref || found.Cancelled != doc.Cancelled {
		return false
	}
	if found.Version != "" {
		return found.Version == doc.Version
	}
	return found.Ref == doc.Ref
}

// success tells a create from an update by the status. Outside tier A a create
// can't have met an older document, whatever the status.
func (a *Adapter) success(s step, ans answer, found erp.Found) erp.Outcome {
	out := erp.Outcome{Result: erp.Updated, ID: found.ID, Total: found.Total}
	if s.create && (ans.status == http.StatusCreated || a.s.Tier != erp.TierA) {
		out.Result = erp.Created
	}
	return out
}

// readBack asks what the ERP holds after an "ok" that proves nothing.
func (a *Adapter) readBack(ctx context.Context, s step, doc erp.Document, ans answer, t *erp.Transcript) erp.Outcome {
	found, err := a.Lookup(ctx, doc.Ref, t)
	if err != nil {
		return unknown("the ERP said ok without naming the order, and then: " + err.Error())
	}
	held, done := heldOf(found)
	switch {
	case done != nil:
		return *done
	case held == nil && doc.Cancelled && !s.create && a.s.Tier != erp.TierC:
		return erp.Outcome{Result: erp.Updated}
	case held == nil || !arrived(*held, doc, ans):
	case held.Cancelled == doc.Cancelled:
		return a.success(s, ans, *held)
	case !ans.failed(): // else it holds this version from before, and did nothing about its state
		return wrongState(*held)
	}
	reason := "the ERP said ok and did nothing"
	if c := complain(ans.body).safe(doc.Order); c.text != "" {
		reason += ": " + c.text
	}
	// An ERP that only queued it, or whose look-ups lag, may still do it.
	if ans.status == http.StatusAccepted || a.s.Tier == erp.TierC {
		return unknown(reason)
	}
	return erp.Outcome{Result: erp.Retry, Reason: reason}
}

// arrived says that what the ERP holds is this version. Where it keeps none, an
// answer without an error and the total have to do.
func arrived(held erp.Found, doc erp.Document, ans answer) bool {
	if held.Version != "" {
		return held.Version == doc.Version
	}
	return !ans.failed() && (held.Total == nil || held.Total.Equal(doc.Order.Total.Decimal))
}

func wrongState(held erp.Found) erp.Outcome {
	out := erp.Outcome{Result: erp.Rejected, ID: held.ID, Field: "cancelled_at"}
	if held.Cancelled {
		out.Reason = "the order is live, and the ERP keeps it cancelled"
		out.Hint = "reopen the document in the ERP, then replay the order"
		return out
	}
	out.Reason = "the order is cancelled, and the ERP still shows it as live"
	out.Hint = "cancel the document in the ERP, or set cancelled_path to where its answers tell of it"
	return out
}

// conflict follows a create that met an existing document: it is brought to
// this version. PUT serves where updates have no method of their own.
func (a *Adapter) conflict(ctx context.Context, doc erp.Document, ans answer, t *erp.Transcript) erp.Outcome {
	found, err := a.Lookup(ctx, doc.Ref, t)
	if err != nil {
		return erp.Outcome{Result: erp.Retry, Reason: "the ERP says the order exists, and then: " + err.Error()}
	}
	held, done := heldOf(found)
	switch {
	case done != nil:
		return *done
	case held == nil:
		return a.refused(doc, ans)
	case held.Version == doc.Version && held.Cancelled == doc.Cancelled:
		return erp.Outcome{Result: erp.Unchanged, ID: held.ID, Total: held.Total}
	}
	next := a.update(doc)
	if next.method == http.MethodPost {
		next.method = http.MethodPut
	}
	return a.write(ctx, next, doc, t)
}
