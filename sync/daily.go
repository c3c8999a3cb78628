package ordersync

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"

	"gapless/store"
	"gapless/sync/report"
)

// ReportConfig says when the report of a day is made, and who gets it.
type ReportConfig struct {
	At       time.Duration // after midnight, in the shop's time
	Channels []Channel
}

// reportBack is how many days back a report that was not made is caught up with.
const reportBack = 7

// Report returns the report of a shop's day. One that is frozen is told as it
// was, with what has happened since; else the day is compared now, with heal as
// asked, and told as it stands.
func (e *Engine) Report(ctx context.Context, shop, day string, heal bool, by string) (report.Report, error) {
	frozen, err := e.store.Report(ctx, shop, day)
	if err == nil {
		return e.amended(ctx, frozen)
	}
	if !errors.Is(err, store.ErrNotFound) {
		return report.Report{}, err
	}
	return e.compareDay(ctx, shop, day, heal, by)
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
	}
	if r.Gaps, err = e.gapsOf(ctx, r.Shop, r.From, r.To); err != nil {
		return r, err
	}
	r.Webhooks, err = e.webhooksOf(ctx, r.Shop, r.From, r.To, r.Gaps)
	return r, err
}

// gapsOf are the gaps that were found on a day, or began on it.
func (e *Engine) gapsOf(ctx context.Context, shop string, from, to time.Time) ([]report.Gap, error) {
	const most = 5000
	gaps, err := e.store.Gaps(ctx, store.GapFilter{Shop: shop, From: from, Limit: most})
	if err != nil {
		return nil, err
	}
	var told []report.Gap
	for _, g := range slices.Backward(gaps) {
		if g.FirstSeen.Before(to) || g.Since.Before(to) {
			told = append(told, gapTold(g))
		}
	}
	return told, nil
}

func gapTold(g store.Gap) report.Gap {
	told := report.Gap{
		ID: g.ID, Kind: g.Kind, Order: g.OrderName, OrderID: g.OrderID, Cause: g.Cause, CauseText: g.Detail, State: g.State, FoundBy: g.FoundBy,
		Since: g.Since, FirstSeen: g.FirstSeen, DetectedAfter: seconds(g.FirstSeen.Sub(g.Since)), HealedBy: g.HealedBy, ClosedAt: g.ClosedAt, Currency: g.Currency,
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
func (e *Engine) webhooksOf(ctx context.Context, shop string, from, to time.Time, gaps []report.Gap) (report.Webhooks, error) {
	h, err := e.store.WebhookHealth(ctx, shop, from, to, e.cfg.Late)
	if err != nil {
		return report.Webhooks{}, err
	}
	w := report.Webhooks{Received: h.Received, Duplicate: h.Duplicates, Refused: h.Refused, Late: h.Late, LagP50: h.LagP50.Seconds(), LagP99: h.LagP99.Seconds()}
	for _, g := range gaps {
		if g.Cause == CauseNeverCame {
			w.NeverCame++
		}
	}
	return w, nil
}

// amended tells a frozen report with what has happened since: the figures stay.
func (e *Engine) amended(ctx context.Context, frozen store.Report) (report.Report, error) {
	var r report.Report
	if err := json.Unmarshal(frozen.Content, &r); err != nil {
		return r, fmt.Errorf("read the report of %s for %s: %w", frozen.Shop, frozen.Day, err)
	}
	now, err := e.gapsOf(ctx, r.Shop, r.From, r.To)
	if err != nil {
		return r, err
	}
	then := map[int64]report.Gap{}
	for _, g := range r.Gaps {
		then[g.ID] = g
	}
	for _, g := range now {
		was, known := then[g.ID]
		about := cmp.Or(g.Order, "The shop")
		switch {
		case !known:
			r.Amendments = append(r.Amendments, report.Amendment{At: g.FirstSeen, What: fmt.Sprintf("%s was found later: %s", about, g.CauseText)})
		case was.State != g.State && g.State == store.GapClosed:
			r.Amendments = append(r.Amendments, report.Amendment{At: g.ClosedAt, What: about + " is in order since"})
		case was.State != g.State && g.State == store.GapIgnored:
			at, err := e.ignoredAt(ctx, g.ID)
			if err != nil {
				return r, err
			}
			r.Amendments = append(r.Amendments, report.Amendment{At: at, What: about + " is left as it is, by a person's decision"})
		}
	}
	slices.SortFunc(r.Amendments, func(a, b report.Amendment) int { return a.At.Compare(b.At) })
	return r, nil
}

// ignoredAt is when somebody last said that a gap is to be left as it is.
func (e *Engine) ignoredAt(ctx context.Context, id int64) (at time.Time, err error) {
	steps, err := e.store.GapSteps(ctx, id)
	for _, s := range steps {
		if s.Step == "ignored" {
			at = s.At
		}
	}
	return at, err
}

// reportsDue makes the reports that are due in every shop, of days that were
// missed too: it freezes each and has it sent.
func (e *Engine) reportsDue(ctx context.Context) error {
	var errs error
	for _, shop := range e.shops {
		for back := reportBack; back >= 1; back-- {
			if err := e.reportDue(ctx, shop.Name, back); err != nil {
				errs = errors.Join(errs, err)
				break // the next one would fail alike
			}
		}
	}
	return errs
}

func (e *Engine) reportDue(ctx context.Context, shop string, back int) error {
	zone, err := e.Zone(ctx, shop)
	if err != nil {
		return err
	}
	next := date(e.now().In(zone)).AddDate(0, 0, 1-back)
	day := next.AddDate(0, 0, -1).Format(time.DateOnly)
	from, to, err := DayBounds(day, zone)
	if err != nil || !from.Before(to) {
		return err // the zone skipped this day
	}
	// What Shopify's search does not show yet can't be compared.
	if due := later(shows(next.Add(e.cfg.Report.At), zone), to.Add(e.shops[shop].PollOverlap)); e.now().Before(due) {
		return nil
	}
	state, err := e.store.Shop(ctx, shop)
	if err != nil || state.BeganAt.IsZero() || !to.After(e.started) && !to.After(state.BeganAt.Add(e.shops[shop].Reconcile.Window)) {
		return err // Gapless was not there yet
	}
	if _, err := e.store.Report(ctx, shop, day); !errors.Is(err, store.ErrNotFound) {
		return err
	}
	return e.freeze(ctx, shop, day)
}

// healingTime is how long a report waits for what its comparison set in motion.
const healingTime = time.Minute

// freeze compares a day, lets what is mended by it come to rest, compares again
// and keeps that as the day's report.
func (e *Engine) freeze(ctx context.Context, shop, day string) error {
	r, err := e.compareDay(ctx, shop, day, true, BySchedule)
	if err != nil {
		return err
	}
	if !r.Balance.Balanced() && e.rests(ctx, healingTime) {
		if r, err = e.compareDay(ctx, shop, day, true, BySchedule); err != nil {
			return err
		}
	}
	if !r.Complete {
		return fmt.Errorf("the report of %s for %s waits until all sides can be read: %v", shop, day, r.Notes)
	}
	r.FrozenAt = e.now()
	letters, err := e.reportLetters(r)
	if err != nil {
		return err
	}
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	return e.store.SaveReport(ctx, &store.Report{Shop: shop, Day: day, Balanced: r.Balance.Balanced(), Content: content}, letters...)
}

// rests waits until nothing is being fetched or delivered, and gaps are verified;
// at most for a while. It says whether ctx still lives.
func (e *Engine) rests(ctx context.Context, most time.Duration) bool {
	changes, cancel := e.store.Watch(store.Refetches | store.Deliveries | store.Gaps)
	defer cancel()
	deadline := time.NewTimer(most)
	defer deadline.Stop()
	for {
		st, err := e.store.Stats(ctx, e.now())
		if err == nil && st.PendingEvents+st.Refetching+st.States[store.StateDue]+st.States[store.StateSending] == 0 {
			return ctx.Err() == nil
		}
		select {
		case <-ctx.Done():
			return false
		case <-deadline.C:
			return true
		case <-changes:
		}
	}
}

// reportLetters are the letters that a report goes out by.
func (e *Engine) reportLetters(r report.Report) ([]store.Letter, error) {
	var text, html bytes.Buffer
	if err := errors.Join(r.Write(&text, report.FormatText), r.Write(&html, report.FormatHTML)); err != nil {
		return nil, err
	}
	data, err := json.Marshal(r)
	if err != nil {
		return nil, err
	}
	letters := make([]store.Letter, len(e.cfg.Report.Channels))
	for i, c := range e.cfg.Report.Channels {
		letters[i] = store.Letter{Channel: c.Name(), Kind: letterReport, Subject: r.Headline(), Text: text.String(), HTML: html.String(), Data: data}
	}
	return letters, nil
}

// SendReport has the report of a day mailed now, whether it was before or not.
func (e *Engine) SendReport(ctx context.Context, r report.Report) (channels int, err error) {
	letters, err := e.reportLetters(r)
	if err != nil {
		return 0, err
	}
	return len(letters), e.store.Told(ctx, letters, nil)
}
