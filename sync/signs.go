package ordersync

import (
	"cmp"
	"context"
	"fmt"
	"sync"
	"time"

	"gapless/store"
)

// signs are what hints, ahead of any comparison, that webhooks may be getting
// lost. A sign only leads to a poll; what the poll finds is what is reported.
type signs struct {
	grace time.Duration

	mu      sync.Mutex
	highest int64               // order number heard of
	holes   map[int64]time.Time // numbers that were skipped, and until when they may still come
	trouble time.Time           // until when webhooks are under suspicion
	now     string              // a look that is due at once: what for
	pace    time.Duration       // between polls, at present; 0: before the first
	version string              // the API version of Shopify's answers that was looked into last
}

// mostHoles bounds the numbers that are waited for. A shop that skips more at
// once did not lose webhooks; it changed its numbering.
const mostHoles = 200

// suspicion is how long a shop whose webhooks came late, or not, is polled at
// its active pace.
const suspicion = 10 * time.Minute

func newSigns(grace time.Duration) *signs {
	return &signs{grace: grace, holes: map[int64]time.Time{}}
}

// heard notes the number of a new order. Numbers that it skips, and that do not
// come within the grace, lead to a poll.
func (s *signs) heard(number int64, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.holes, number)
	if number <= s.highest || number <= 0 {
		return
	}
	skipped := number - s.highest - 1
	if s.highest > 0 && skipped > 0 && skipped <= mostHoles && len(s.holes) < mostHoles {
		for n := s.highest + 1; n < number; n++ {
			s.holes[n] = now.Add(s.grace)
		}
	}
	s.highest = number
}

// due says whether a look is due now, and what found that out. It is told once:
// who fails to look says so with again.
func (s *signs) due(now time.Time) (foundBy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	foundBy, s.now = s.now, ""
	for n, until := range s.holes {
		if !until.After(now) {
			delete(s.holes, n) // the number may belong to nothing
			foundBy = foundByNumbers
		}
	}
	return foundBy
}

// suspect has the shop polled at once, and for some time more often.
func (s *signs) suspect(now time.Time, why string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.trouble, s.now = now.Add(suspicion), why
}

// again has a look that could not be made be due still.
func (s *signs) again(foundBy string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = cmp.Or(s.now, foundBy)
}

func (s *signs) troubled(now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return now.Before(s.trouble)
}

// keepPace notes the time between polls, for who asks.
func (s *signs) keepPace(pace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace = pace
}

func (s *signs) presentPace() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pace
}

func (s *signs) numberSeen() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.highest
}

// watchSigns looks at the signs that take a query.
func (e *Engine) watchSigns(ctx context.Context, shop *Shop) error {
	signs := e.signs[shop.Name]
	if err := e.store.NumbersSeen(ctx, shop.Name, signs.numberSeen()); err != nil {
		return err
	}
	if !shop.Webhooks {
		return nil
	}
	signs.answered(shop.Client.SeenVersion(), shop.APIVersion, e.now())
	if err := e.listenForSilence(ctx, shop, signs); err != nil {
		return err
	}
	return e.countRefusals(ctx, signs)
}

// answered suspects webhooks once Shopify answers with another API version than
// was asked for: what it sends may have changed too.
func (s *signs) answered(version, asked string, now time.Time) {
	s.mu.Lock()
	changed := version != s.version
	s.version = version
	s.mu.Unlock()
	if changed && version != "" && version != asked {
		s.suspect(now, foundBySchedule)
	}
}

// countRefusals suspects webhooks where many requests were turned away: the
// secret may have been changed.
func (e *Engine) countRefusals(ctx context.Context, signs *signs) error {
	const spike, within = 10, 5 * time.Minute
	refused, err := e.store.Counted(ctx, store.CountRefused, e.now().Add(-within))
	if err == nil && refused >= spike && !signs.troubled(e.now()) {
		signs.suspect(e.now(), foundBySchedule)
	}
	return err
}

// listenForSilence compares the webhooks of the hour with what is usual for it:
// the same hour of the last four weeks. A shop that is quieter than half of it
// is polled; if that finds something lost, the silence is a gap of its own. What
// came while Gapless was not there to hear it is no silence of Shopify's.
func (e *Engine) listenForSilence(ctx context.Context, shop *Shop, signs *signs) error {
	const weeks, least = 4, 8 // fewer webhooks an hour make no habit
	now := e.now()
	into := now.Sub(later(now.Truncate(time.Hour), e.started))
	if into < 10*time.Minute {
		return nil
	}
	hours := []time.Time{now}
	for w := 1; w <= weeks; w++ {
		hours = append(hours, now.AddDate(0, 0, -7*w))
	}
	counts, err := e.store.Habit(ctx, shop.Name, hours)
	if err != nil {
		return err
	}
	var usual, known int64
	for _, n := range counts[1:] {
		if n > 0 {
			usual, known = usual+n, known+1
		}
	}
	if known < 2 || usual/known < least {
		return nil
	}
	expected := float64(usual) / float64(known) * into.Hours()
	if expected < least {
		return nil
	}
	return e.silence(ctx, shop, signs, float64(counts[0]) < expected/2)
}

func (e *Engine) silence(ctx context.Context, shop *Shop, signs *signs, silent bool) error {
	open, err := e.store.Gaps(ctx, store.GapFilter{Shop: shop.Name, Kind: store.GapSilence, State: store.Live, Limit: 1})
	if err != nil {
		return err
	}
	switch {
	case !silent && len(open) > 0:
		return e.store.CloseGap(ctx, open[0], "webhooks come as usual again")
	case !silent || len(open) > 0 || signs.troubled(e.now()):
		return nil
	}
	signs.suspect(e.now(), store.GapSilence)
	return nil
}

// noteSilence makes a gap of a silence in which changes were lost.
func (e *Engine) noteSilence(ctx context.Context, shop *Shop, r PollResult) error {
	_, err := e.store.FoundGaps(ctx, foundBySchedule, store.Fault{Gap: store.Gap{
		Shop: shop.Name, ERP: shop.ERP, Kind: store.GapSilence, About: version(e.now().Truncate(time.Hour)), Cause: CauseQuiet, FoundBy: foundBySchedule,
		Detail: fmt.Sprintf("fewer webhooks came than usual for this hour, and %d changes were found that none had told of", r.Lost), Since: e.now().Truncate(time.Hour),
	}})
	return err
}
