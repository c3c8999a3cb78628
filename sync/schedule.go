package ordersync

import (
	"context"
	"fmt"
	"time"

	"github.com/go-co-op/gocron/v2"

	"gapless/shopify"
	"gapless/store"
)

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
			every(time.Hour, func() { e.logged("webhook subscriptions", e.Subscribe(ctx, shop.Name)) })
		}
		if shop.PollEvery > 0 {
			every(shop.PollEvery, func() {
				_, err := e.Poll(ctx, shop.Name)
				e.logged("poll", err)
			})
		}
	}
	every(10*time.Second, func() {
		_, err := e.store.Recover(ctx, false)
		e.logged("take back deliveries whose lease ran out", err)
		e.purge(ctx)
	})
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

// Subscribe makes sure that the shop sends us every topic we need, and keeps a
// record of what it had to mend.
func (e *Engine) Subscribe(ctx context.Context, name string) error {
	changes, err := e.shops[name].Client.Subscribe(ctx, e.cfg.WebhookURI, shopify.Topics)
	if ctx.Err() != nil {
		return ctx.Err()
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
	return nil
}
