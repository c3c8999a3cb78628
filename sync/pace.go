package ordersync

import (
	"context"
	"time"

	"gapless/store"
)

// PollPace says how often a shop is polled: the interval moves between Active
// and Idle by what the last polls found.
type PollPace struct {
	Active time.Duration // 0: the shop is polled only when somebody asks
	Idle   time.Duration
	// Grace is how long a webhook may take before a poll that finds its change
	// calls it lost.
	Grace time.Duration
}

// pollLoop polls a shop until ctx ends: by its pace, and at once where a sign
// says that something may be amiss.
func (e *Engine) pollLoop(ctx context.Context, shop *Shop) {
	signs := e.signs[shop.Name]
	pace := shop.Poll.Active
	for foundBy := store.RunPoll; ctx.Err() == nil; foundBy = e.waitForPoll(ctx, signs, pace) {
		result, err := e.poll(ctx, shop.Name, foundBy)
		if err == nil && foundBy == store.GapSilence && result.Lost > 0 {
			err = e.noteSilence(ctx, shop, result)
		}
		if ctx.Err() != nil {
			return
		}
		e.logged("poll", err)
		pace = shop.nextPace(pace, result, err, signs.troubled(e.now()))
		signs.keepPace(pace)
		if result.Young > 0 {
			signs.lookAt(e.now().Add(shop.Poll.Grace))
		}
	}
}

// waitForPoll waits until a poll is due, and says what it is for.
func (e *Engine) waitForPoll(ctx context.Context, signs *signs, pace time.Duration) (foundBy string) {
	for until := e.now().Add(pace); ; {
		now := e.now()
		if by := signs.due(now); by != "" {
			return by
		}
		if !until.After(now) {
			return store.RunPoll
		}
		timer := time.NewTimer(max(time.Millisecond, min(time.Second, until.Sub(now)))) // signs fall due by the second
		select {
		case <-ctx.Done():
			timer.Stop()
			return ""
		case <-timer.C:
		case <-signs.look:
			timer.Stop()
		}
	}
}

// nextPace is how long to wait after a poll. Webhooks that prove whole make it
// longer, up to Idle; anything lost, late or silent makes it Active again.
// Failures, Shopify's throttling among them, make it longer too.
func (s *Shop) nextPace(pace time.Duration, r PollResult, err error, troubled bool) time.Duration {
	busy := r.Lost > 0 || troubled || !s.Webhooks && r.Fetched > 0
	if err == nil && busy {
		return s.Poll.Active
	}
	return max(s.Poll.Active, min(2*pace, s.Poll.Idle))
}
