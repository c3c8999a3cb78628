package ordersync

import (
	"context"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"gapless/erp"
	"gapless/store"
)

// lane is the way into one ERP: its claims, its slots, its circuit.
type lane struct {
	ERP
	engine  *Engine
	circuit *circuit
	limiter *rate.Limiter
	line    places       // for calls that are about to be made: an intent is committed there, and waits for a slot
	slots   places       // for the calls at once
	running int          // claims in hand; only run touches it
	unpaced atomic.Int64 // claims in hand that wait for the rate
}

func newLane(e *Engine, cfg ERP) *lane {
	cfg.Concurrency = max(cfg.Concurrency, 1)
	limit := rate.Inf
	if cfg.Rate > 0 {
		limit = cfg.Rate
	}
	return &lane{
		ERP:     cfg,
		engine:  e,
		circuit: newCircuit(cfg.Circuit, e.jitter),
		limiter: rate.NewLimiter(limit, cfg.Concurrency),
		line:    make(places, cfg.Concurrency/2+1),
		slots:   make(places, cfg.Concurrency),
	}
}

// inHand is how many deliveries are worked on at once. It is more than the ERP
// takes calls, so that while all its slots are busy the next orders are mapped
// and their intents committed, and the last ones' results recorded.
func (l *lane) inHand() int { return 3*l.Concurrency + 1 }

// batch is how many are claimed at once, in one transaction, while others are in
// hand: enough of those are left meanwhile to keep every slot busy.
func (l *lane) batch() int { return l.Concurrency/2 + 1 }

// lease is how long a claim is good for until a call is about to leave; from
// then on the intent prolongs it (attempt.intent). A claim that waits longer for
// a slot is taken back, and has done nothing.
func (l *lane) lease() time.Duration { return 4*l.Timeout + recordTime }

// paced is how many of room claims the rate lets go well before their lease ends,
// and else how long it is until it lets one go.
func (l *lane) paced(room int) (int, time.Duration) {
	limit := l.limiter.Limit()
	if limit == rate.Inf {
		return room, 0
	}
	tokens := l.limiter.Tokens() + float64(limit)*(l.lease()/4).Seconds() - float64(l.unpaced.Load())
	if tokens < 1 {
		return 0, time.Duration((1 - tokens) / float64(limit) * float64(time.Second))
	}
	return min(room, int(tokens)), 0
}

// run claims what is due and works on it until ctx ends; then it waits for the
// attempts under way.
func (l *lane) run(ctx context.Context) {
	changes, cancel := l.engine.store.Watch(store.Deliveries)
	defer cancel()
	done := make(chan struct{}, l.inHand())
	// Attempts outlive ctx: a call that has left must have its result recorded.
	calls, abandon := context.WithCancel(context.WithoutCancel(ctx))
	defer abandon()
	for {
		claims, wait := l.take(ctx)
		for _, c := range claims {
			l.running++
			go func() {
				l.attempt(calls, ctx, c)
				done <- struct{}{}
			}()
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			l.drain(done)
			return
		case <-changes:
		case <-timer.C:
		case <-done:
			l.running--
		}
		timer.Stop()
		l.running -= received(done)
	}
}

// drain waits for the attempts in hand, as long as a stop may take.
func (l *lane) drain(done <-chan struct{}) {
	timer := time.NewTimer(l.engine.cfg.Drain)
	defer timer.Stop()
	for l.running > 0 {
		select {
		case <-done:
			l.running--
		case <-timer.C:
			return // the intent is durable: the next start looks these up
		}
	}
}

// drainTime bounds a stop unless told otherwise; supervisors kill after 10 s.
const drainTime = 8 * time.Second

// received takes what is in the channel and says how many they were.
func received(done <-chan struct{}) (n int) {
	for {
		select {
		case <-done:
			n++
		default:
			return n
		}
	}
}

// take claims as much as there is room for, and says when to look again.
func (l *lane) take(ctx context.Context) ([]store.Claim, time.Duration) {
	const idle = time.Second // another process may have asked for something
	now := l.engine.now()
	room := l.inHand() - l.running
	if l.running > 0 && room < l.batch() {
		return nil, idle // or when an attempt finishes
	}
	room, wait := l.circuit.admits(now, room, l.running)
	if room > 0 {
		room, wait = l.paced(room)
	}
	if room <= 0 || ctx.Err() != nil {
		return nil, min(max(wait, time.Millisecond), idle)
	}
	next, err := l.engine.store.NextDue(ctx, l.Name)
	if err != nil && ctx.Err() == nil {
		l.engine.log.Error("due deliveries could not be looked for; tried again", "erp", l.Name, "err", err)
	}
	if err != nil || next.IsZero() {
		return nil, idle
	}
	if next.After(now) {
		return nil, min(next.Sub(now), idle)
	}
	claims, err := l.Claim(ctx, room)
	if err != nil {
		if ctx.Err() == nil {
			l.engine.log.Error("due deliveries could not be claimed; tried again", "erp", l.Name, "err", err)
		}
		return nil, idle
	}
	return claims, idle // or when an attempt finishes
}

// Claim takes up to limit deliveries that are due.
func (l *lane) Claim(ctx context.Context, limit int) ([]store.Claim, error) {
	claims, err := l.engine.store.Claim(ctx, l.Name, limit, l.engine.stamp(), l.lease())
	l.unpaced.Add(int64(len(claims)))
	return claims, err
}

// places are as many as the channel holds; a token in it is a place taken.
type places chan struct{}

// take waits for a free place; once ctx has ended there is none.
func (p places) take(ctx context.Context) (release func(), err error) {
	if err := ctx.Err(); err != nil { // of two that are ready, select may pick either
		return nil, err
	}
	select {
	case p <- struct{}{}:
		return func() { <-p }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// settler is an adapter that knows how long a request may still take effect.
type settler interface{ Settle() time.Duration }

// longest is how long after it was given up a call may still take effect.
func (l *lane) longest() time.Duration {
	if s, ok := l.Adapter.(settler); ok {
		return max(l.Longest, s.Settle())
	}
	return l.Longest
}

// settle is how long to wait after an ambiguous call before a look-up tells.
func (l *lane) settle() time.Duration {
	if l.Adapter.Tier() == erp.TierA {
		return 0
	}
	return l.longest()
}
