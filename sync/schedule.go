package ordersync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-co-op/gocron/v2"

	"gapless/shopify"
	"gapless/store"
)

// keepCounts is how long webhooks are kept counted by the minute and by the hour:
// reports look back 60 days, and a habit is made of four weeks.
const keepCounts = 90 * 24 * time.Hour

// schedule starts what happens by the clock: subscriptions at start and every
// hour, polls, and forgetting old bodies. stop waits for jobs under way.
func (e *Engine) schedule(ctx context.Context) (stop func(), err error) {
	s, err := gocron.NewScheduler(gocron.WithStopTimeout(5 * time.Second))
	if err != nil {
		return nil, fmt.Errorf("start the schedule: %w", err)
	}
	every := func(d time.Duration, job func()) {
		if err == nil {
			_, err = s.NewJob(gocron.DurationJob(d), gocron.NewTask(job),
				gocron.WithSingletonMode(gocron.LimitModeReschedule), gocron.WithStartAt(gocron.WithStartImmediately()))
		}
	}
	for _, shop := range e.shops {
		if shop.Webhooks && e.cfg.WebhookURI != "" {
			look := &subscriber{Engine: e, shop: shop.Name}
			every(time.Minute, func() { e.logged("webhook subscriptions", look.step(ctx)) })
		}
		if shop.Reconcile.Every > 0 {
			every(shop.Reconcile.Every, func() { e.logged("reconciliation", e.reconcileDue(ctx, shop)) })
		}
		every(time.Minute, func() { e.logged("look for signs of lost webhooks", e.watchSigns(ctx, shop)) })
		every(time.Minute, func() {
			_, err := e.FindStuck(ctx, shop.Name)
			e.logged("look for orders that wait too long", err)
		})
	}
	every(time.Minute, func() { e.logged("daily reports", e.reportsDue(ctx)) })
	every(time.Minute, func() { e.logged("letters about gaps", e.tellGaps(ctx)) })
	every(time.Minute, func() { e.logged("letters about comparisons that fail", e.tellBlind(ctx)) })
	every(10*time.Second, func() {
		e.logged("take back deliveries whose lease ran out", e.takeBack(ctx))
		e.logged("end the runs whose process is dead", e.store.StopRuns(ctx, false))
		e.purge(ctx)
	})
	every(time.Hour, func() { e.logged("forget old counts", e.store.ForgetCounts(ctx, e.now().Add(-keepCounts))) })
	if e.cfg.KeepBodies > 0 {
		every(time.Hour, func() { e.logged("forget old bodies", e.forget(ctx)) })
	}
	if err != nil {
		return nil, fmt.Errorf("schedule: %w", err)
	}
	s.Start()
	return func() { e.logged("stop the schedule", s.Shutdown()) }, nil
}

func (e *Engine) logged(what string, err error) {
	if err != nil {
		e.log.Warn(what+" failed; it is tried again", "err", err)
	}
}

// purge removes redacted data from the WAL. While somebody reads for long (a
// backup) it gives up soon, and the schedule comes back to it.
func (e *Engine) purge(ctx context.Context) {
	if !e.unpurged.Load() {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	if err := e.store.Purge(ctx); err != nil {
		e.log.Warn("redacted data is still in the database's WAL; tried again in a moment", "err", err)
		return
	}
	e.unpurged.Store(false)
}

func (e *Engine) forget(ctx context.Context) error {
	for {
		more, err := e.store.ForgetBodies(ctx, e.now().Add(-e.cfg.KeepBodies))
		if err != nil || !more || ctx.Err() != nil {
			return err
		}
	}
}

// reconcileDue compares what changed since the last complete comparison, and
// once a day the last 60 days.
func (e *Engine) reconcileDue(ctx context.Context, shop *Shop) error {
	unlearnt := e.learnShop(ctx, shop)
	if err := e.begins(ctx, shop); err != nil {
		return err
	}
	pass, err := e.nextPass(ctx, shop)
	if err != nil {
		return err
	}
	r, err := e.Reconcile(ctx, shop.Name, pass)
	if err == nil && !r.Complete {
		err = fmt.Errorf("%s could not be compared whole: %s", shop.Name, strings.Join(r.Notes, "; "))
	}
	return errors.Join(unlearnt, err)
}

// nextPass is the comparison that is due. It begins where the last complete one
// ended, or where Gapless began, so that no hour stays unchecked, and takes in at
// least the window.
func (e *Engine) nextPass(ctx context.Context, shop *Shop) (Pass, error) {
	now := e.now()
	state, err := e.store.Shop(ctx, shop.Name)
	if err != nil {
		return Pass{}, err
	}
	deep, err := e.deepDue(ctx, shop)
	if err != nil {
		return Pass{}, err
	}
	if deep {
		return deepPass(now), nil
	}
	from := now.Add(-shop.Reconcile.Window)
	if since := cmp.Or(state.CompleteThrough, state.BeganAt); !since.IsZero() {
		from = earlier(from, since)
	}
	if earliest := now.Add(-deepest); from.Before(earliest) {
		from = earliest
	}
	return Pass{Kind: store.RunReconcile, From: from, To: now, Heal: true, By: store.BySchedule}, nil
}

// deepPass is the comparison of all that Shopify shows.
func deepPass(now time.Time) Pass {
	return Pass{Kind: store.RunDeep, From: now.Add(-deepest), To: now, Heal: true, By: store.BySchedule}
}

// deepAgain is after how long a deep pass that did not end well is tried again, if
// another pass is due in between.
const deepAgain = 6 * time.Hour

// deepDue says whether it is time for the deep pass: a day after the last one
// that ended well. One that did not leaves the others their turn before it is tried
// again.
func (e *Engine) deepDue(ctx context.Context, shop *Shop) (bool, error) {
	done, err := e.store.LastRun(ctx, shop.Name, store.RunDeep)
	if errors.Is(err, store.ErrNotFound) {
		err = nil
	}
	if err != nil || e.lately(done.StartedAt, 24*time.Hour) {
		return false, err
	}
	tried, err := e.store.Runs(ctx, store.RunFilter{Shop: shop.Name, Kind: store.RunDeep, Limit: 1})
	again := max(deepAgain, 2*shop.Reconcile.Every)
	return err == nil && (len(tried) == 0 || !e.lately(tried[0].StartedAt, again)), err
}

// lately says that something happened within the time given. What is still to come
// did not: a clock that was ahead has noted it.
func (e *Engine) lately(at time.Time, within time.Duration) bool {
	ago := e.now().Sub(at)
	return ago >= 0 && ago < within
}

// subscriber looks after a shop's webhook subscriptions: at the start, and every
// hour. Without them webhooks don't come, so it looks again soon where it failed,
// then less and less often.
type subscriber struct {
	*Engine
	shop string
	next time.Time
	wait time.Duration // after the last failure; 0: there was none
}

func (s *subscriber) step(ctx context.Context) error {
	if s.now().Before(s.next) {
		return nil
	}
	err := s.Subscribe(ctx, s.shop)
	if err != nil {
		s.wait = min(max(2*s.wait, time.Minute), time.Hour)
		s.next = s.now().Add(s.wait)
		return err
	}
	s.wait, s.next = 0, s.now().Add(time.Hour)
	return nil
}

// Subscribe makes sure that the shop sends us every topic we need, and keeps a
// record of what it had to mend. A subscription that was whole before, and is
// gone or changed, is a gap, which is healed by setting it right and polling all
// that may have been lost meanwhile.
func (e *Engine) Subscribe(ctx context.Context, name string) error {
	before, err := e.store.Shop(ctx, name)
	if err != nil {
		return err
	}
	changes, err := e.shops[name].Client.Subscribe(ctx, e.cfg.WebhookURI, shopify.Topics)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if lost := e.unsubscribed(ctx, name, before, changes); lost != nil {
		return lost
	}
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	done := make([]store.SubscriptionChange, len(changes))
	for i, c := range changes {
		done[i] = store.SubscriptionChange{Topic: c.Topic, Change: c.Action, Detail: c.Reason}
		e.log.Info("webhook subscription", "shop", name, "topic", c.Topic, "change", c.Action)
	}
	if noted := e.store.Subscribed(ctx, name, done, failure); noted != nil {
		return noted
	}
	if err != nil {
		return fmt.Errorf("webhook subscriptions of %s: %w", name, err)
	}
	return e.resubscribed(ctx, name)
}

// unsubscribed notes the subscriptions that were lost since they were last seen
// whole, and has everything since then polled.
func (e *Engine) unsubscribed(ctx context.Context, name string, before store.Shop, changes []shopify.SubscriptionChange) error {
	if before.SubscribedAt.IsZero() {
		return nil
	}
	var lost []store.Fault
	for _, c := range changes {
		g := store.Gap{
			Shop: name, ERP: e.shops[name].ERP, Kind: store.GapSubscription, Subject: c.Topic, About: version(e.now()),
			FoundBy: foundBySchedule, Since: before.SubscribedAt,
		}
		switch c.Action {
		case "created":
			g.Cause, g.Detail = CauseRemoved, "the webhook subscription "+c.Topic+" was gone"
		case "updated":
			g.Cause, g.Detail = CauseChanged, "the webhook subscription "+c.Topic+" was not as it must be: "+c.Reason
		default: // one that was there twice lost nothing
			continue
		}
		lost = append(lost, store.Fault{Gap: g})
	}
	if len(lost) == 0 {
		return nil
	}
	if _, err := e.store.FoundGaps(ctx, foundBySchedule, lost...); err != nil {
		return err
	}
	if err := e.store.PollAgainFrom(ctx, name, before.SubscribedAt); err != nil {
		return err
	}
	e.signs[name].suspect(e.now(), store.GapSubscription)
	return nil
}

// resubscribed closes the gaps of subscriptions: all are there again.
func (e *Engine) resubscribed(ctx context.Context, name string) error {
	gaps, err := e.store.Gaps(ctx, store.GapFilter{Shop: name, Kind: store.GapSubscription, State: store.Live, Limit: len(shopify.Topics)})
	if err != nil {
		return err
	}
	for _, g := range gaps {
		if err := e.store.CloseGap(ctx, g, "it is as it must be again, and all changes since are polled"); err != nil {
			return err
		}
	}
	return nil
}
