package sandbox

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand"
	"slices"
	"time"

	"gapless/erp"
)

// ERP is the sandbox and its own adapter. It is safe for concurrent use.
type ERP struct {
	s        Settings
	now      func() time.Time
	wait     func(ctx context.Context, d time.Duration) error
	ledger   *ledger
	troubles *troubles
}

var _ erp.Adapter = (*ERP)(nil)

// New opens the sandbox. now is its clock. wait passes the latency and gives
// the context's error if that ends first; nil is a timer. Close it at the end.
func New(s Settings, now func() time.Time, wait func(ctx context.Context, d time.Duration) error) (*ERP, error) {
	if err := s.Check(); err != nil {
		return nil, err
	}
	l, err := openLedger(s.Path)
	if err != nil {
		return nil, err
	}
	if wait == nil {
		wait = timer
	}
	return &ERP{
		s: s, now: now, wait: wait, ledger: l,
		troubles: &troubles{random: rand.New(rand.NewSource(s.Seed)), mix: s.mix()},
	}, nil
}

func timer(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close closes the ledger's file.
func (e *ERP) Close() error { return e.ledger.close() }

// Documents are all documents, cancelled ones included, in the order they were
// created: what the ERP really holds.
func (e *ERP) Documents() []Document { return e.ledger.all() }

// Count is the number of live documents.
func (e *ERP) Count() int {
	return len(slices.DeleteFunc(e.ledger.all(), func(d Document) bool { return !d.Live() }))
}

// SetFaults lets writes fail by this mix from now on; nil ends it.
func (e *ERP) SetFaults(f Faults) { e.troubles.set(f) }

// FailNext plans a fault for the next write that has none yet; "" lets it pass.
// The channel closes when the write met it.
func (e *ERP) FailNext(f Fault) <-chan struct{} { return e.troubles.next(f) }

// Tier is A: the reference is unique.
func (e *ERP) Tier() erp.Tier { return erp.TierA }

// Map gives the neutral order itself.
func (e *ERP) Map(o erp.Order) ([]byte, error) {
	body, err := json.Marshal(o)
	if err != nil {
		return nil, fmt.Errorf("encoding the order: %w", err)
	}
	return body, nil
}

// Lookup finds the document of ref.
func (e *ERP) Lookup(ctx context.Context, ref string, t *erp.Transcript) ([]erp.Found, error) {
	n := t.Ask("FIND", address(ref), nil)
	if err := e.wait(ctx, e.s.Latency); err != nil {
		t.Answer(n, 0, nil, err)
		return nil, fmt.Errorf("looking up an order in the sandbox: %w", err)
	}
	d, held := e.ledger.find(ref)
	if !held {
		t.Answer(n, 404, nil, nil)
		return nil, nil
	}
	t.Answer(n, 200, line(d), nil)
	found := d.found()
	found.Lines = d.Lines
	return []erp.Found{found}, nil
}

// List yields the documents that changed since, in the order of change.
func (e *ERP) List(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
	if err := e.wait(ctx, e.s.Latency); err != nil {
		return fmt.Errorf("listing the sandbox's orders: %w", err)
	}
	for _, d := range e.ledger.since(since) {
		if err := yield(d.found()); err != nil {
			return err
		}
	}
	return nil
}

// Plan names the writes that Deliver would make.
func (e *ERP) Plan(_ context.Context, doc erp.Document) ([]erp.Call, error) {
	d, held := e.ledger.find(doc.Ref)
	var calls []erp.Call
	for _, s := range steps(d, held, doc) {
		calls = append(calls, erp.Call{Method: s.verb, URL: address(doc.Ref), Body: string(doc.Body)})
	}
	return calls, nil
}

// Check has nothing to test that New did not.
func (e *ERP) Check(ctx context.Context) error { return ctx.Err() }

func address(ref string) string { return "sandbox:orders/" + ref }

// line is a document as the transcript shows it.
func line(d Document) []byte {
	text, err := json.Marshal(d)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}

// step is one writing call: what it is called, what it does, and in which state
// the document must stand afterwards.
type step struct {
	verb string
	to   State
}

// steps lead from what is held to doc; none where it is there already.
func steps(d Document, held bool, doc erp.Document) []step {
	create, update := step{"CREATE", Draft}, step{"UPDATE", d.State}
	confirm, cancel := step{"CONFIRM", Confirmed}, step{"CANCEL", Cancelled}
	switch {
	case doc.Cancelled && (!held || d.State == Cancelled):
		return nil
	case doc.Cancelled:
		return []step{cancel}
	case !held:
		return []step{create, confirm}
	case d.State == Cancelled:
		return []step{{"REOPEN", Draft}, confirm}
	case d.State == Draft && d.Version == doc.Version:
		return []step{confirm}
	case d.State == Draft:
		return []step{update, confirm}
	case d.Version == doc.Version:
		return nil
	}
	return []step{update}
}
