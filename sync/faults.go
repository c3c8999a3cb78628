package ordersync

import (
	"context"
	"time"

	"gapless/store"
)

// blame makes a fault of a verdict.
func (r *reconciler) blame(ctx context.Context, l line, v verdict) error {
	f := store.Fault{Gap: store.Gap{
		Shop: r.shop.Name, OrderID: l.id, ERP: r.shop.ERP, Kind: v.kind, About: v.about, Cause: v.cause, Detail: v.detail,
		FoundBy: r.pass.Kind, RunID: r.run.ID, Since: r.since(l, v),
	}}
	if v.kind != "" {
		r.out.Faults[v.kind]++
	}
	if v.ask {
		f.Refetch = r.refetch(l.id)
	}
	f.Replay = !v.ask && (v.kind == store.GapMissing || v.kind == store.GapStale || v.kind == store.GapMismatch)
	if f.Cause == CauseNeverCame {
		var err error
		if f.Cause, err = r.whyUnheard(ctx, r.shop, f.Since); err != nil {
			return err
		}
	}
	return r.fault(ctx, f)
}

// since is when the fault began, as far as is known: a document that was edited
// or is gone tells no time.
func (r *reconciler) since(l line, v verdict) time.Time {
	switch {
	case l.head != nil && v.ask:
		return l.head.updated
	case v.doc != nil && v.kind == store.GapMismatch:
		return v.doc.updated
	}
	return time.Time{}
}

func (r *reconciler) refetch(id int64) *store.Refetch {
	return &store.Refetch{OrderKey: store.OrderKey{Shop: r.shop.Name, ID: id}, Reason: reasonReconcile, AskedAt: r.now(), NextAt: r.now()}
}

// fault gathers what is wrong, and notes it from time to time: an ERP may have
// lost every document.
func (r *reconciler) fault(ctx context.Context, f store.Fault) error {
	const atOnce = 200
	if r.faults = append(r.faults, f); len(r.faults) < atOnce {
		return nil
	}
	return r.note(ctx)
}

// note stores the gaps and sets in motion what mends them.
func (r *reconciler) note(ctx context.Context) error {
	var gaps []store.Fault
	var asks []store.Refetch
	for _, f := range r.faults {
		if !r.pass.Heal {
			f.Refetch, f.Replay = nil, false
		}
		if f.Refetch != nil || f.Replay {
			r.out.Healing++
		}
		switch {
		case f.Kind != "":
			gaps = append(gaps, f)
		case f.Refetch != nil:
			asks = append(asks, *f.Refetch)
		}
	}
	r.faults = r.faults[:0]
	opened, err := r.store.FoundGaps(ctx, r.pass.Kind, gaps...)
	if err != nil {
		return err
	}
	r.out.Opened += int64(opened)
	ignored, err := r.store.Ignored(ctx, gaps...)
	if err != nil {
		return err
	}
	r.out.Ignored += ignored
	return r.store.AskAgain(ctx, asks...)
}
