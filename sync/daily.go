package ordersync

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"gapless/store"
	"gapless/sync/report"
)

// Report returns the report of a shop's day. One that is frozen is told as it
// was, with what has happened since; else the day is compared now, with heal as
// asked, and told as it stands.
func (e *Engine) Report(ctx context.Context, shop, day string, heal bool, by string) (report.Report, error) {
	r, err := e.frozen(ctx, shop, day)
	if errors.Is(err, store.ErrNotFound) {
		return e.compareDay(ctx, shop, day, heal, by)
	}
	return r, err
}

// frozen is the report of a day that is final, with what has happened since. One
// that says that its day could not be checked is not: store.ErrNotFound.
func (e *Engine) frozen(ctx context.Context, shop, day string) (report.Report, error) {
	kept, err := e.store.Report(ctx, shop, day)
	switch {
	case err != nil:
		return report.Report{}, err
	case kept.Partial:
		return report.Report{}, fmt.Errorf("the final report of %s for %s: %w", shop, day, store.ErrNotFound)
	}
	return e.amended(ctx, kept)
}

// compareDay compares the orders that were placed on a day.
func (e *Engine) compareDay(ctx context.Context, shop, day string, heal bool, by string) (report.Report, error) {
	zone, from, to, err := e.dayOf(ctx, shop, day)
	if err != nil {
		return report.Report{}, err
	}
	now := e.now()
	if !from.Before(now) {
		return report.Report{}, fmt.Errorf("%s has not begun yet where %s is", day, shop)
	}
	r, err := e.Reconcile(ctx, shop, Pass{Kind: store.RunDay, Axis: store.ByCreated, From: from, To: earlier(to, now), Heal: heal, By: by})
	if err != nil {
		return report.Report{}, err
	}
	return e.told(ctx, report.Report{Shop: shop, Day: day, Timezone: zone.String(), From: from, To: to, MadeAt: now}, r)
}

// told is the report of a day by what its comparison saw.
func (e *Engine) told(ctx context.Context, r report.Report, saw Reconciliation) (_ report.Report, err error) {
	r.Balance, r.ByRule, r.Notes = saw.Balance, saw.ByRule, saw.Notes
	if saw.Complete {
		r.CompleteThrough = saw.Through
		r.Complete = r.CompleteThrough.Equal(r.To)
	} else {
		r.Unchecked = cmp.Or(strings.Join(saw.Notes, "; "), "the comparison was stopped before its end")
	}
	if r.Gaps, err = e.gapsOf(ctx, r); err != nil {
		return r, err
	}
	r.Webhooks, err = e.webhooksOf(ctx, r)
	return r, err
}

// gapsOf are all gaps of a day, oldest first.
func (e *Engine) gapsOf(ctx context.Context, r report.Report) ([]report.Gap, error) {
	gaps, err := e.store.DayGaps(ctx, r.Shop, r.From, r.To)
	told := make([]report.Gap, len(gaps))
	for i, g := range gaps {
		told[i] = gapTold(g)
	}
	return told, err
}

func gapTold(g store.Gap) report.Gap {
	told := report.Gap{
		ID: g.ID, Kind: g.Kind, Shop: g.Shop, Order: g.OrderName, OrderID: g.OrderID, Subject: g.Subject, Cause: g.Cause, CauseText: g.Detail, State: g.State, FoundBy: g.FoundBy,
		Since: g.Since, FirstSeen: g.FirstSeen, DetectedAfter: seconds(g.FirstSeen.Sub(g.Since)), HealedBy: g.HealedBy, ClosedAt: g.ClosedAt,
		IgnoredBy: g.IgnoredBy, Reason: g.Reason, Currency: g.Currency,
	}
	if g.OrderID != 0 && told.Order == "" {
		told.Order = fmt.Sprint(g.OrderID)
	}
	if !g.ClosedAt.IsZero() {
		told.HealAfter = seconds(g.ClosedAt.Sub(g.FirstSeen))
	}
	if d, err := decimal.NewFromString(g.Total); err == nil {
		told.Total = d
	}
	return told
}

func seconds(d time.Duration) int64 { return int64(d / time.Second) }

// webhooksOf is how a day's webhooks fared.
func (e *Engine) webhooksOf(ctx context.Context, r report.Report) (report.Webhooks, error) {
	h, err := e.store.WebhookHealth(ctx, r.Shop, r.From, r.To, e.cfg.Late)
	if err != nil {
		return report.Webhooks{}, err
	}
	w := report.Webhooks{Received: h.Received, Duplicate: h.Duplicates, Refused: h.Refused, Late: h.Late, LagP50: h.LagP50.Seconds(), LagP99: h.LagP99.Seconds()}
	for _, g := range r.Gaps {
		if g.Cause == CauseNeverCame {
			w.NeverCame++
		}
	}
	return w, nil
}

// amended tells a frozen report with what has happened since: the figures stay.
func (e *Engine) amended(ctx context.Context, kept store.Report) (report.Report, error) {
	var r report.Report
	if err := json.Unmarshal(kept.Content, &r); err != nil {
		return r, fmt.Errorf("read the report of %s for %s: %w", kept.Shop, kept.Day, err)
	}
	gaps, err := e.gapAmendments(ctx, r)
	if err != nil {
		return r, err
	}
	r.Amendments = append(r.Amendments, gaps...)
	if r.Known != nil {
		since, err := e.afterwards(ctx, r)
		if err != nil {
			return r, err
		}
		r.Amendments = append(r.Amendments, since.amendments(r)...)
	}
	slices.SortStableFunc(r.Amendments, func(a, b report.Amendment) int { return a.At.Compare(b.At) })
	return r, nil
}

// gapAmendments are what has happened to the gaps of a frozen report since: to
// those that it tells of, and to those that are of its day by now.
func (e *Engine) gapAmendments(ctx context.Context, r report.Report) (all []report.Amendment, err error) {
	gaps, err := e.gapsOf(ctx, r)
	if err != nil {
		return nil, err
	}
	about := map[int64]string{}
	for _, g := range gaps {
		about[g.ID] = orderOrShop(g)
	}
	steps, err := e.store.DaySteps(ctx, r.Shop, r.From, r.To, r.FrozenAt)
	if err != nil {
		return nil, err
	}
	for _, g := range r.Gaps {
		if about[g.ID] != "" {
			continue
		}
		about[g.ID] = orderOrShop(g) // by now it is the matter of another day alone
		its, err := e.store.GapSteps(ctx, g.ID)
		if err != nil {
			return nil, err
		}
		for _, s := range its {
			if s.At.After(r.FrozenAt) {
				steps = append(steps, store.DayStep{GapID: g.ID, GapStep: s})
			}
		}
	}
	for _, s := range steps {
		if what := amendment(s.GapStep); what != "" && about[s.GapID] != "" {
			all = append(all, report.Amendment{At: s.At, What: about[s.GapID] + what})
		}
	}
	return all, nil
}

func orderOrShop(g report.Gap) string { return cmp.Or(g.Order, "The shop") }

// amendment says in words what a step in the life of a gap changes about its day.
func amendment(s store.GapStep) string {
	switch s.Step {
	case "opened":
		return " was found later: " + s.Detail
	case "reopened":
		return " is no longer in order: " + s.Detail
	case "closed":
		return " is in order since"
	case "ignored":
		return " is left as it is, by a person's decision"
	}
	return ""
}
