package tryton

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gapless/erp"
)

// Deliver brings the sale for doc.Ref to doc.Version, or undoes it.
func (a *Adapter) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	out, err := a.deliver(ctx, a.conn(t), doc)
	if err == nil {
		return out
	}
	out = outcome(err, doc.Order)
	if out.Result == erp.Rejected {
		a.known.clear() // an id that is no longer true may be why
	}
	return out
}

func (a *Adapter) deliver(ctx context.Context, c conn, doc erp.Document) (erp.Outcome, error) {
	w, rows, err := a.look(ctx, c, doc)
	if err != nil {
		return erp.Outcome{}, err
	}
	if w.Cancelled {
		return a.cancel(ctx, c, w, rows)
	}
	live, err := a.only(ctx, c, rows)
	if err != nil {
		return erp.Outcome{}, err
	}
	next, at, err := a.decide(ctx, c, w, rows, live)
	if err != nil {
		return erp.Outcome{}, err
	}
	done, err := a.take(ctx, c, w, next, at)
	if err != nil {
		return erp.Outcome{}, err
	}
	total := done.total()
	return erp.Outcome{Result: next.result(), ID: done.name(), Total: &total}, a.setAside(ctx, c, w, rows, done)
}

// wanted is the document of one delivery.
type wanted struct {
	document
	version string
	exists  bool // the engine has seen a sale for it
}

func (w wanted) mark() mark { return mark{w.version, w.fingerprint()} }

// look decodes the document and reads the sales that bear its reference.
func (a *Adapter) look(ctx context.Context, c conn, doc erp.Document) (wanted, []sale, error) {
	w := wanted{version: doc.Version, exists: doc.Exists}
	if err := json.Unmarshal(doc.Body, &w.document); err != nil && !doc.Cancelled {
		return w, nil, fmt.Errorf("read the mapped document: %w", err)
	}
	w.Reference, w.Cancelled = doc.Ref, doc.Cancelled || w.Cancelled
	rows, err := a.sales(ctx, c, doc.Ref)
	return w, rows, err
}

// only returns the one live sale, nil where there is none. Drafts of ours that
// an attempt left beside it, because Tryton finished them late, are deleted.
func (a *Adapter) only(ctx context.Context, c conn, rows []sale) (*sale, error) {
	live := liveOnes(rows)
	if len(live) == 0 {
		return nil, nil
	}
	for _, s := range live[1:] {
		if _, m := readComment(s.Comment); s.State != stateDraft || m == (mark{}) {
			return nil, &erp.Problem{
				Reason: fmt.Sprintf("Tryton holds %d live sales with this reference", len(live)), Field: "ref",
				Hint: "cancel all but one of them in Tryton, then replay the order",
			}
		}
		if err := a.withdraw(ctx, c, s.ID); err != nil {
			return nil, err
		}
	}
	return &live[0], nil
}

// liveOnes are the live sales, the furthest first, of those the oldest.
func liveOnes(rows []sale) []sale {
	var live []sale
	for _, s := range rows {
		if s.live() {
			live = append(live, s)
		}
	}
	slices.SortFunc(live, func(x, y sale) int {
		return cmp.Or(rank[y.State]-rank[x.State], cmp.Compare(x.ID, y.ID))
	})
	return live
}

// take takes the step and returns the sale as it then is.
func (a *Adapter) take(ctx context.Context, c conn, w wanted, next step, at *sale) (sale, error) {
	switch next {
	case nothing:
		return *at, nil
	case advance:
		return a.advance(ctx, c, *at, target(a.settings.State, len(w.Lines)))
	case restamp:
		if err := c.write(ctx, nil, stampSale(*at, w)); err != nil {
			return sale{}, err
		}
		return a.advance(ctx, c, *at, target(a.settings.State, len(w.Lines)))
	}
	// Whatever can't be resolved is refused before anything is undone.
	fields, err := a.resolve(ctx, c, w)
	if err != nil {
		return sale{}, err
	}
	switch next {
	case rewrite:
		return a.rewrite(ctx, c, w, *at, fields)
	case replace:
		if err := a.undo(ctx, c, *at); err != nil {
			return sale{}, err
		}
	}
	return a.create(ctx, c, w, fields)
}
