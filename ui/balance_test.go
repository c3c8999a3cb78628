package ui

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// inShopify is how many orders a shop has today, and whether its figures are old.
func (s *site) inShopify() (figure string, old bool) {
	s.Helper()
	page := s.html("GET", "/", "").body
	_, rest, found := strings.Cut(page, `href="/orders?shop=acme&amp;day=2026-11-23"><b>`)
	require.True(s, found)
	figure, _, _ = strings.Cut(rest, "<")
	return figure, strings.Contains(page, "data-again")
}

func TestFiguresMadeAheadAreMadeAnewWhereSomethingChanged(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	s.tell(keys("acme", 1, 3)...)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.ui.KeepWarm(ctx); close(ended) }()
	s.until(func() bool { return s.ui.balances.state().warm && len(s.ui.balances.state().kept) == 2 })
	figure, old := s.inShopify()
	require.Equal(t, "3", figure)
	for old { // there is something to be noticed yet of how the orders came in
		_, old = s.inShopify()
	}

	s.tell(keys("acme", 4, 4)...)
	s.until(func() bool { return s.ui.balances.state().changed })
	figure, old = s.inShopify()
	require.Equal(t, "3", figure, "nobody waits for the new ones")
	require.True(t, old, "the page knows that it is to look again")
	for old { // as a page does
		figure, old = s.inShopify()
	}
	require.Equal(t, "4", figure)
	stop()
	<-ended
	s.tell(keys("acme", 5, 5)...)
	s.pass(warmFor)
	figure, old = s.inShopify()
	require.Equal(t, "5", figure, "without what is made ahead, too")
	require.False(t, old)
}

// Without scripts nothing says that newer figures are being made.
func TestAPageSaysOfWhenItIs(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	require.NoError(t, s.store.LearnShop(t.Context(), store.Shop{Name: "acme", Timezone: "Asia/Kolkata"}))
	s.tell(keys("acme", 1, 3)...)
	require.NoError(t, s.ui.warmUp(t.Context()))
	s.ui.balances.set(func() { s.ui.balances.warm = true })
	s.pass(time.Minute)
	asOf := func(path string) string {
		_, rest, _ := strings.Cut(s.html("GET", path, "").body, "As of ")
		text, _, _ := strings.Cut(rest, "<")
		return text
	}
	require.Equal(t, "14:31", asOf("/gaps"), "by the shop's clock")
	require.Equal(t, "14:31", asOf("/"))
	s.ui.balances.set(func() { s.ui.balances.changed = true })
	require.Equal(t, "14:30", asOf("/"), "as its oldest figures")
	require.Equal(t, "14:31", asOf("/gaps"))
}

func TestEveryMissingOrderCountsAsMissing(t *testing.T) {
	s := calm(t)
	orders := keys("acme", 1, 5100)
	s.placed(orders...)
	s.lose(store.GapMissing, "erp_lost", orders...)
	b, err := s.ui.balance(t.Context(), "acme", epoch.Add(-time.Hour), epoch.Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 5100, b.Missing.Orders)
	require.True(t, b.Difference().Empty())
}

// balancesNow are the balances at one moment.
type balancesNow struct {
	kept          map[string]keptBalance
	warm, changed bool
}

func (b *balances) state() (now balancesNow) {
	b.set(func() {
		now = balancesNow{map[string]keptBalance{}, b.warm, b.changed}
		for shop, k := range b.kept {
			now.kept[shop] = k
		}
	})
	return now
}

// until waits for something that another goroutine brings about.
func (s *site) until(ready func() bool) {
	s.Helper()
	require.Eventually(s, ready, time.Minute, time.Millisecond)
}
