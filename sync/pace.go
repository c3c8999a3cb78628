package ordersync

import (
	"cmp"
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

// poller polls one shop: by its pace, and at once where a sign says that
// something may be amiss. What a sign hints at may not be in Shopify's index yet,
// so the pace begins anew with it: soon, then less and less often.
type poller struct {
	*Engine
	shop   *Shop
	pace   time.Duration
	next   time.Time
	failed bool // the last poll; then no sign brings the next one forward
}

// step polls if it is time to, and says how long it is until then.
func (p *poller) step(ctx context.Context) time.Duration {
	signs := p.signs[p.shop.Name]
	wait := p.next.Sub(p.now())
	if p.failed && wait > 0 {
		return wait
	}
	foundBy := signs.due(p.now())
	switch {
	case foundBy != "" && !p.failed:
		p.pace = 0
	case wait > 0:
		return wait
	}
	result, err := p.poll(ctx, p.shop.Name, cmp.Or(foundBy, store.RunPoll))
	if err == nil && foundBy == store.GapSilence && result.Opened > 0 {
		err = p.noteSilence(ctx, p.shop, result)
	}
	if ctx.Err() != nil {
		return 0
	}
	p.logged("poll", err)
	if p.failed = err != nil; p.failed {
		signs.again(foundBy)
	}
	p.pace = p.shop.nextPace(p.pace, result, err, signs.troubled(p.now()))
	p.next = p.now().Add(p.pace)
	signs.keepPace(p.pace)
	if result.Young > 0 {
		p.next = earlier(p.next, p.now().Add(p.shop.Poll.Grace))
	}
	return p.next.Sub(p.now())
}

// nextPace is how long to wait after a poll. Webhooks that prove whole make it
// longer, up to Idle; anything newly lost, late or silent makes it Active again.
// Failures, Shopify's throttling among them, make it longer too.
func (s *Shop) nextPace(pace time.Duration, r PollResult, err error, troubled bool) time.Duration {
	busy := r.Opened > 0 || troubled || !s.Webhooks && r.Fetched > 0
	if err == nil && busy {
		return s.Poll.Active
	}
	return max(s.Poll.Active, min(2*pace, s.Poll.Idle))
}
