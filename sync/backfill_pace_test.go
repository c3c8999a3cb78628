package ordersync

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// stir wakes who waits for a change of runs, as a poll that was asked for does.
func (a *appliance) stir() {
	a.Helper()
	run := store.Run{Shop: "acme", Kind: store.RunPoll, By: "test"}
	require.NoError(a, a.store.BeginRun(a.Context(), &run))
	run.State = store.RunDone
	require.NoError(a, a.store.SaveRun(a.Context(), &run))
}

// rounds lets a backfiller go round in the engine's loop until the test ends. round
// returns once it has gone round from its beginning, woken by a change.
func (a *appliance) rounds() (round func()) {
	ctx, cancel := context.WithCancel(context.Background())
	over, ended := make(chan struct{}), make(chan struct{})
	backfiller := a.backfiller()
	go func() {
		defer close(ended)
		a.engine.loop(ctx, store.Runs, func(ctx context.Context) time.Duration {
			wait := backfiller.step(ctx)
			select {
			case over <- struct{}{}:
			case <-ctx.Done():
			}
			return wait
		})
	}()
	a.Cleanup(func() { cancel(); <-ended })
	return func() {
		for range 2 { // the first may have begun before
			a.stir()
			<-over
		}
	}
}

// questions tells how many requests the pretend shop got since it was last asked.
func (a *appliance) questions() (since func() int) {
	counted := a.shop.Calls()
	return func() int {
		n := a.shop.Calls() - counted
		counted += n
		return n
	}
}

// leaves holds that Shopify is left alone for a pause, and asked so many questions
// at its end.
func (a *appliance) leaves(pause time.Duration, round func(), since func() int, then int) {
	a.Helper()
	round()
	require.Zero(a, since(), "its own notes wake it")
	a.pass(pause - time.Millisecond)
	round()
	require.Zero(a, since(), "before %s are over", pause)
	a.pass(time.Millisecond)
	round()
	require.Equal(a, then, since(), "after %s", pause)
}

func TestABackfillThatWaitsAsksShopifyHowFarItIsNowAndThen(t *testing.T) {
	a := past(t, 20, shopifytest.Options{BulkTime: time.Hour})
	run, since := a.backfill(), a.questions()
	round := a.rounds()
	round()
	require.Equal(t, 2, since(), "whether one runs, and to begin")
	for range 3 {
		a.leaves(5*time.Second, round, since, 1)
	}
	require.Contains(t, a.runOf(run.ID).Note, "Shopify has read")
}

// What is under way somewhere else in Shopify may take hours.
func TestABackfillThatShopifyHasNoRoomForAsksOnceAMinute(t *testing.T) {
	a := past(t, 20, shopifytest.Options{BulkTime: time.Hour, BulkLimit: 1})
	_, err := a.clients["acme"].BulkOrders(t.Context(), shopify.Window{By: shopify.ByUpdated, From: epoch, To: a.Now()})
	require.NoError(t, err)
	run, since := a.backfill(), a.questions()
	round := a.rounds()
	round()
	require.Equal(t, 2, since())
	for range 3 {
		a.leaves(time.Minute, round, since, 2)
	}
	require.Contains(t, a.runOf(run.ID).Note, "another bulk operation")
	a.pass(time.Hour)
	round()
	require.Contains(t, a.runOf(run.ID).Note, "Shopify has read")
}

func TestABackfillThatShopifyRefusesIsTriedAgainLessAndLessOften(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusPaymentRequired, http.StatusForbidden, http.StatusLocked} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			a := past(t, 20, shopifytest.Options{})
			pauses := []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute, 10 * time.Minute, 10 * time.Minute}
			a.shop.Break(len(pauses), shopifytest.Outage{Status: status})
			run, since := a.backfill(), a.questions()
			round := a.rounds()
			round()
			require.Equal(t, 1, since())
			for i, pause := range pauses {
				require.Contains(t, a.runOf(run.ID).Note, fmt.Sprint(status))
				then := 1
				if i == len(pauses)-1 {
					then = 2 // whether one runs, and to begin
				}
				a.leaves(pause, round, since, then)
			}
			require.Equal(t, store.RunDone, a.carryOn(run).State)
			a.settle()
			a.judge()
		})
	}
}

// Listing makes a request for every order: only an app that may start no bulk
// operation is left with that.
func TestABackfillUnderARevokedTokenReadsABulkFileOnceTheTokenIsRenewed(t *testing.T) {
	a := past(t, 20, shopifytest.Options{})
	a.shop.Break(2*backfillTries, shopifytest.Outage{Status: http.StatusUnauthorized})
	shop := &spoilt{ShopClient: a.clients["acme"], good: 1000}
	a.engine.shops["acme"].Client = shop
	require.Equal(t, store.RunDone, a.carryOn(a.backfill()).State)
	require.Equal(t, 1, shop.read)
	a.settle()
	a.judge()
}

// Whoever ends one that fails need not wait before the next one begins.
func TestABackfillBeginsAtOnceWhereTheOneBeforeWasWaiting(t *testing.T) {
	a := past(t, 20, shopifytest.Options{})
	a.shop.Break(1, shopifytest.Outage{Status: http.StatusForbidden})
	run, since := a.backfill(), a.questions()
	round := a.rounds()
	round()
	require.Equal(t, 1, since())
	require.NoError(t, a.engine.CancelBackfill(t.Context(), a.runOf(run.ID), "ann"))
	next := a.backfill()
	round()
	require.Equal(t, 2, since(), "of the next one")
	require.Contains(t, a.runOf(next.ID).Note, "Shopify has read")
}

// spoilt is a shop in whose bulk files the orders after the first few can't be used.
type spoilt struct {
	ShopClient
	good int
	err  error
	read int // times that a file was read
}

// ReadBulk fails after the orders that are good.
func (s *spoilt) ReadBulk(ctx context.Context, o shopify.BulkOperation, skip int, yield func(shopify.BulkOrder) error) error {
	s.read++
	left := s.good - skip
	return s.ShopClient.ReadBulk(ctx, o, skip, func(order shopify.BulkOrder) error {
		if left--; left < 0 {
			return s.err
		}
		return yield(order)
	})
}

func TestABackfillWhoseFileCannotBeUsedListsTheOrdersInstead(t *testing.T) {
	a := past(t, 300, shopifytest.Options{BulkTime: time.Millisecond})
	shop := &spoilt{ShopClient: a.clients["acme"], good: 110, err: errors.New("shopify: line 111 of the bulk file is no order with an id and updatedAt")}
	a.engine.shops["acme"].Client = shop
	run := a.backfill()
	round := a.rounds()
	round()
	a.pass(5 * time.Second)
	round()
	require.Equal(t, 1, shop.read)
	require.Contains(t, a.runOf(run.ID).Note, "line 111")
	a.leaves(30*time.Second, round, a.questions(), 2)
	a.leaves(time.Minute, round, a.questions(), 2)
	a.leaves(2*time.Minute, round, a.questions(), 2)
	require.Equal(t, 4, shop.read, "the first of them got on")
	a.leaves(4*time.Minute, round, a.questions(), 1)
	require.Equal(t, 4, shop.read, "its pages are listed")
	require.Equal(t, store.RunDone, a.runOf(run.ID).State)
	a.settle()
	a.judge()
}

// The way to a large file breaks now and then over hours.
func TestABackfillWhoseReadingGetsOnIsReadToItsEndHoweverOftenItBreaks(t *testing.T) {
	a := past(t, 600, shopifytest.Options{})
	shop := &spoilt{ShopClient: a.clients["acme"], err: errors.New("shopify: the bulk file broke off")}
	a.engine.shops["acme"].Client = shop
	run, backfiller := a.backfill(), a.backfiller()
	for range backfillTries {
		shop.good += backfillBatch
		for range 3 { // it asks how far Shopify is, too
			a.pass(backfiller.step(t.Context()))
			a.intake()
		}
		require.EqualValues(t, shop.good, a.runOf(run.ID).Done, "its pages are listed instead")
	}
	shop.good = 10_000
	require.Equal(t, store.RunDone, a.carryOn(run).State)
	a.settle()
	a.judge()
}

// A full disk says nothing about what Shopify read for hours.
func TestABackfillThatCannotKeepWhatItReadsGoesOnWithTheSameFile(t *testing.T) {
	a := past(t, 200, shopifytest.Options{})
	shop := &spoilt{ShopClient: a.clients["acme"], good: 1000}
	a.engine.shops["acme"].Client = shop
	run, backfiller := a.backfill(), a.backfiller()
	allow := a.refuse("events")
	for range 10 {
		a.pass(backfiller.step(t.Context()))
	}
	require.Contains(t, a.runOf(run.ID).Note, "full")
	tried := shop.read
	require.Greater(t, tried, backfillTries)
	allow()
	require.Equal(t, store.RunDone, a.carryOn(run).State)
	require.Equal(t, tried+1, shop.read)
	a.settle()
	a.judge()
}

// breaking is a shop whose list breaks off after its first page.
type breaking struct {
	noBulk
	times int
}

// Orders breaks off, the first times.
func (b *breaking) Orders(ctx context.Context, w shopify.Window, p shopify.Priority, page func([]shopify.OrderHead) error) error {
	if err := b.noBulk.Orders(ctx, w, p, page); err != nil || b.times == 0 {
		return err
	}
	b.times--
	return errors.New("shopify: it broke off")
}

func TestABackfillThatBeginsAgainCountsWhatWasKnownOnce(t *testing.T) {
	for name, client := range map[string]func(ShopClient) ShopClient{
		"pages":       func(c ShopClient) ShopClient { return &breaking{noBulk{c}, 2} },
		"a bulk file": func(c ShopClient) ShopClient { return &spoilt{ShopClient: c, good: 110, err: shopify.ErrBulkGone} },
	} {
		t.Run(name, func(t *testing.T) {
			a := past(t, 300, shopifytest.Options{})
			n := len(a.shop.Orders())
			a.carryOn(a.backfill())
			a.engine.shops["acme"].Client = client(a.clients["acme"])
			run := a.carryOn(a.backfill())
			require.Equal(t, fmt.Sprintf("%d orders, %d of them known already", n, n), run.Note)
		})
	}
}

// curious is a shop that says what its orders of the past are asked by.
type curious struct {
	ShopClient
	refuses error
	asked   chan string
}

func (c *curious) hears(ctx context.Context, question string) {
	select {
	case c.asked <- question:
	case <-ctx.Done():
	}
}

// BulkOrders says that it was asked.
func (c *curious) BulkOrders(ctx context.Context, w shopify.Window) (shopify.BulkOperation, error) {
	c.hears(ctx, "BulkOrders")
	if c.refuses != nil {
		return shopify.BulkOperation{}, c.refuses
	}
	return c.ShopClient.BulkOrders(ctx, w)
}

// BulkOperation says that it was asked.
func (c *curious) BulkOperation(ctx context.Context, id string) (shopify.BulkOperation, error) {
	c.hears(ctx, "BulkOperation")
	return c.ShopClient.BulkOperation(ctx, id)
}

// Orders says that it was asked.
func (c *curious) Orders(ctx context.Context, w shopify.Window, p shopify.Priority, page func([]shopify.OrderHead) error) error {
	c.hears(ctx, "Orders")
	if c.refuses != nil {
		return c.refuses
	}
	return c.ShopClient.Orders(ctx, w, p, page)
}

// Whatever changes meanwhile, the next question is the one of another backfill,
// which somebody begins, or comes when the pause is over.
func TestARunningEngineLeavesShopifyAloneBetweenTheQuestionsOfABackfill(t *testing.T) {
	for name, c := range map[string]struct {
		refuses error
		pause   time.Duration
		next    string
	}{
		"while Shopify reads":     {nil, 5 * time.Second, "BulkOperation"},
		"after Shopify's refusal": {&shopify.APIError{Status: http.StatusForbidden, Message: "the token may not do this"}, 30 * time.Second, "BulkOrders"},
	} {
		t.Run(name, func(t *testing.T) {
			a := past(t, 20, shopifytest.Options{BulkTime: time.Hour})
			shop := &curious{ShopClient: a.clients["acme"], refuses: c.refuses, asked: make(chan string)}
			a.reconfigure(func(config *Config) {
				config.Shops[0].Client, config.Shops[0].Poll.Active, config.Shops[0].Reconcile.Every = shop, 0, 0
			})
			a.run()
			for i := range 2 {
				run, err := a.engine.StartBackfill(t.Context(), "acme", epoch.Add(-time.Hour), epoch.Add(time.Duration(i+1)*time.Minute), "test")
				require.NoError(t, err)
				require.Equal(t, "BulkOrders", <-shop.asked)
				a.eventually("the answer noted", func() string {
					if run = a.runOf(run.ID); run.Note == "" {
						return "there is no note yet"
					}
					return ""
				})
				for range 20 {
					a.stir()
				}
				if i > 0 {
					a.pass(c.pause)
					require.Equal(t, c.next, <-shop.asked)
				}
				run.State, run.Note = store.RunStopped, "cancelled by ann"
				require.NoError(t, a.store.SaveRun(t.Context(), &run))
			}
		})
	}
}
