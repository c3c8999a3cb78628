package ordersync

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// ReportConfig says when the report of a day is made, and who gets it.
type ReportConfig struct {
	At       time.Duration // after midnight, in the shop's time
	Channels []Channel
}

const (
	reportBack  = 7             // days back that a report that was not made is caught up with
	partialBack = 60            // days back that one is completed whose day could not be checked; Shopify shows no more
	uncheckedIn = 3 * time.Hour // since the first try; then people hear that the day can't be checked
	healingTime = time.Minute   // that a report waits for what its comparison set in motion
	longestDay  = 2 * time.Hour // that one day may take: the others have their turn then
	tryAgain    = time.Minute   // the first wait after a day that could not be checked
	tryAtMost   = time.Hour     // the longest
)

// owed is a day whose report is to be made.
type owed struct {
	shop, day     string
	zone          *time.Location
	from, to, due time.Time
	partial       *store.Report // that it could not be checked, as was told; nil: nothing was
}

// postponed is how often a day could not be checked in a row, and when it is tried
// again.
type postponed struct {
	tries int
	next  time.Time
}

// waits says that the day is not tried yet. A longer wait than the longest was
// noted by a clock that was ahead.
func (p postponed) waits(now time.Time) bool {
	wait := p.next.Sub(now)
	return wait > 0 && wait <= tryAtMost
}

// reportsDue makes the reports that are due in every shop, of days that were
// missed too: it freezes each and has it sent. A day that can't be checked does
// not keep the others from it. Reports that a clock which was ahead has made, of
// days that were not over, are made again.
func (e *Engine) reportsDue(ctx context.Context) error {
	untrue, errs := e.store.ForgetReports(ctx, e.now())
	if untrue > 0 {
		e.log.Warn("a clock that was ahead has made reports; they are made again once they are due", "reports", untrue)
	}
	for _, shop := range e.shops {
		days, err := e.daysOwed(ctx, shop)
		errs = errors.Join(errs, err)
		for _, o := range days {
			errs = errors.Join(errs, e.tryDay(ctx, o))
		}
	}
	return errs
}

// daysOwed are the days of a shop whose report is due and not final, oldest first.
func (e *Engine) daysOwed(ctx context.Context, shop *Shop) ([]owed, error) {
	zone, err := e.Zone(ctx, shop.Name)
	if err != nil {
		return nil, err
	}
	today := report.DateOf(e.now().In(zone))
	days, err := e.store.PartialReports(ctx, shop.Name, today.AddDate(0, 0, -partialBack).Format(time.DateOnly))
	if err != nil {
		return nil, err
	}
	for back := reportBack; back >= 1; back-- {
		if day := today.AddDate(0, 0, -back).Format(time.DateOnly); !slices.Contains(days, day) {
			days = append(days, day)
		}
	}
	var all []owed
	for _, day := range days {
		o, is, err := e.owes(ctx, shop, day, zone)
		if err != nil {
			return all, err
		}
		if is {
			all = append(all, o)
		}
	}
	return all, nil
}

func (e *Engine) owes(ctx context.Context, shop *Shop, day string, zone *time.Location) (o owed, is bool, err error) {
	o = owed{shop: shop.Name, day: day, zone: zone}
	if o.from, o.to, err = report.DayBounds(day, zone); err != nil || !o.from.Before(o.to) {
		return o, false, err // the zone skipped this day
	}
	// What Shopify's search does not show yet can't be compared.
	o.due = later(report.Shows(report.DateOf(o.from.In(zone)).AddDate(0, 0, 1).Add(e.cfg.Report.At), zone), o.to.Add(shop.PollOverlap))
	if now := e.now(); now.Before(o.due) || e.unchecked[o.key()].waits(now) {
		return o, false, nil
	}
	state, err := e.store.Shop(ctx, shop.Name)
	if err != nil || state.StartedAt.IsZero() || !o.to.After(state.StartedAt) {
		return o, false, err // Gapless was not there yet
	}
	kept, err := e.store.Report(ctx, shop.Name, day)
	if errors.Is(err, store.ErrNotFound) {
		return o, true, nil
	}
	o.partial = &kept
	return o, err == nil && kept.Partial, err
}

func (o owed) key() string { return o.shop + " " + o.day }

// tryDay makes the report of a day. After a failure it is tried again later and
// later, and after some hours people hear of it.
func (e *Engine) tryDay(ctx context.Context, o owed) error {
	limited, cancel := context.WithTimeout(ctx, longestDay)
	defer cancel()
	r, err := e.checkDay(limited, o)
	if err == nil && r.Complete {
		delete(e.unchecked, o.key())
		return e.freeze(ctx, o, r)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	f := e.unchecked[o.key()]
	e.unchecked[o.key()] = postponed{f.tries + 1, e.now().Add(e.backoff(f.tries, tryAgain, tryAtMost))}
	switch {
	case err != nil:
		r.Unchecked = err.Error()
	case r.Unchecked == "":
		r.Unchecked = "what was heard after " + version(r.CompleteThrough) + " is still being taken in"
	}
	why := fmt.Errorf("the report of %s for %s waits until all sides can be read: %s", o.shop, o.day, r.Unchecked)
	return errors.Join(why, e.tellUnchecked(ctx, o, r))
}

// checkDay compares a day, lets what is mended by it come to rest, and compares
// again.
func (e *Engine) checkDay(ctx context.Context, o owed) (report.Report, error) {
	r, err := e.compareDay(ctx, o.shop, o.day, true, store.BySchedule)
	if err == nil && !r.Balance.Balanced() && e.rests(ctx, healingTime) {
		r, err = e.compareDay(ctx, o.shop, o.day, true, store.BySchedule)
	}
	return r, err
}

// freeze keeps a day's report for good, and has it sent.
func (e *Engine) freeze(ctx context.Context, o owed, r report.Report) (err error) {
	r.FrozenAt = e.now()
	if r.Gaps, err = e.gapsOf(ctx, r); err != nil { // what happens from now on is an amendment
		return err
	}
	then, err := e.afterwards(ctx, r)
	if err != nil {
		return err
	}
	r.Known = &then.known
	if o.partial != nil {
		var told report.Report
		if err := json.Unmarshal(o.partial.Content, &told); err != nil {
			return fmt.Errorf("read the report of %s for %s: %w", o.shop, o.day, err)
		}
		r.Amendments = []report.Amendment{{At: r.FrozenAt, What: "The day is checked now; until then its report said that it could not be: " + told.Unchecked}}
	}
	return e.keepReport(ctx, r)
}

// tellUnchecked has people told, once, that a day can't be checked and why. The
// report is completed when it can be.
func (e *Engine) tellUnchecked(ctx context.Context, o owed, r report.Report) error {
	if o.partial != nil {
		return nil
	}
	first, err := e.store.FirstOver(ctx, o.shop, store.RunDay, o.from, o.due)
	if errors.Is(err, store.ErrNotFound) {
		return nil
	}
	if err != nil || e.now().Sub(first.StartedAt) < uncheckedIn {
		return err
	}
	told := report.Report{Shop: o.shop, Day: o.day, Timezone: o.zone.String(), From: o.from, To: o.to, MadeAt: e.now(), Unchecked: r.Unchecked,
		Balance: r.Balance, ByRule: r.ByRule, Webhooks: r.Webhooks,
		Notes: append(slices.Clone(r.Notes), fmt.Sprintf("Gapless goes on trying for %d days, and sends the whole report when the day could be checked", partialBack))}
	if told.Gaps, err = e.gapsOf(ctx, told); err != nil {
		return err
	}
	return e.keepReport(ctx, told)
}

// keepReport keeps a report and, in the same transaction, the letters by which it
// goes out.
func (e *Engine) keepReport(ctx context.Context, r report.Report) error {
	letters, err := e.reportLetters(r)
	if err != nil {
		return err
	}
	content, err := json.Marshal(r)
	if err != nil {
		return err
	}
	kept := store.Report{Shop: r.Shop, Day: r.Day, Balanced: r.Balanced(), Partial: r.Unchecked != "", Content: content}
	return e.store.SaveReport(ctx, &kept, letters...)
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
	return lettersBy(e.cfg.Report.Channels, store.Letter{Kind: letterReport, Subject: r.Headline(), Text: text.String(), HTML: html.String(), Data: data}), nil
}

// SendReport has the report of a day mailed now, whether it was before or not.
func (e *Engine) SendReport(ctx context.Context, r report.Report) (channels int, err error) {
	letters, err := e.reportLetters(r)
	if err != nil {
		return 0, err
	}
	return len(letters), e.store.Told(ctx, letters, nil)
}
