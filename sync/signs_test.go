package ordersync

import (
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
)

func TestAHoleInTheNumbersLeadsToOneLookAfterTheGrace(t *testing.T) {
	at := func(second int) time.Time { return epoch.Add(time.Duration(second) * time.Second) }
	for name, c := range map[string]struct {
		heard []int64 // a number each second
		looks []int   // in which second a look is due
	}{
		"in order":                     {[]int64{1001, 1002, 1003}, nil},
		"out of order":                 {[]int64{1001, 1003, 1002}, nil},
		"one is missing":               {[]int64{1001, 1003}, []int{11}},
		"one comes just in time":       {[]int64{1001, 1003, 0, 0, 0, 0, 0, 0, 0, 0, 1002}, nil},
		"one comes too late":           {[]int64{1001, 1003, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1002}, []int{11}},
		"three are missing, one look":  {[]int64{1001, 1005}, []int{11}},
		"two holes, two looks":         {[]int64{1001, 1003, 1005}, []int{11, 12}},
		"the first one tells nothing":  {[]int64{5000}, nil},
		"no number":                    {[]int64{1001, 0, -1, 1002}, nil},
		"a new numbering":              {[]int64{1001, 9000001, 9000002}, nil},
		"one again":                    {[]int64{1001, 1002, 1001}, nil},
		"the lost one comes, and more": {[]int64{1001, 1004, 1002, 1005}, []int{11}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newSigns(10 * time.Second)
			var looks []int
			for second := range 40 {
				if second < len(c.heard) && c.heard[second] != 0 {
					s.heard(c.heard[second], at(second))
				}
				if by := s.due(at(second)); by != "" {
					require.Equal(t, foundByNumbers, by)
					looks = append(looks, second)
				}
			}
			require.Equal(t, c.looks, looks)
		})
	}
}

// hole is a shop in which one order was not heard of and the next one was just
// now, and which is to be polled in an hour.
func hole(t *testing.T) (a *appliance, p *poller, lost store.OrderKey) {
	a = build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	a.place()
	p = a.poller()
	p.step(t.Context())
	p.next = a.Now().Add(time.Hour)
	lost = a.unheard()
	a.pass(time.Second)
	a.place()
	return a, p, lost
}

func TestALookThatASignAskedForIsMadeAgainOnceShopifyAnswers(t *testing.T) {
	a, p, lost := hole(t)
	a.pass(15 * time.Second)
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusBadGateway})
	require.Equal(t, 10*time.Second, p.step(t.Context()))
	asked := a.cursor().PolledAt
	a.pass(9 * time.Second)
	require.Equal(t, time.Second, p.step(t.Context()), "a sign does not hurry a shop that fails")
	require.Equal(t, asked, a.cursor().PolledAt)
	a.pass(time.Second)
	a.shop.Break(4, shopifytest.Outage{Status: http.StatusBadGateway})
	require.Equal(t, 20*time.Second, p.step(t.Context()), "nor again")
	a.pass(20 * time.Second)
	p.step(t.Context())
	require.Equal(t, foundByNumbers, a.gap(lost).FoundBy)
}

func TestAfterASignTheShopIsLookedAtSoonAgainThenLessAndLessOften(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	p := a.poller()
	p.pace, p.next = 10*time.Minute, a.Now().Add(10*time.Minute)
	signs := a.engine.signs["acme"]
	signs.heard(1001, a.Now())
	signs.heard(1003, a.Now())
	at := a.polls(p, 100*time.Second, func(int) {})
	require.Equal(t, []int{15, 25, 45, 85}, at[1:], "the number may belong to nothing, or to an order that Shopify can't find yet")
}

func TestTheNumbersThatAreWaitedForAreBounded(t *testing.T) {
	s := newSigns(time.Hour)
	for n := int64(1); n < 100_000; n += 100 {
		s.heard(n, epoch)
	}
	require.Less(t, len(s.holes), 2*mostHoles)
}

// poller is the poller of the first shop.
func (a *appliance) poller() *poller {
	return &poller{Engine: a.engine, shop: a.engine.shops["acme"], pace: 10 * time.Second}
}

// polls are the moments, in seconds from now, at which a shop is polled within a
// span in which something happens each second.
func (a *appliance) polls(p *poller, span time.Duration, happens func(second int)) (at []int) {
	a.Helper()
	for second := range int(span / time.Second) {
		happens(second)
		before := a.cursor().PolledAt
		p.step(a.Context())
		if a.cursor().PolledAt.After(before) || second == 0 {
			at = append(at, second)
		}
		a.pass(time.Second)
	}
	return at
}

func TestAQuietShopIsPolledLessAndLessOftenAndALostOrderMoreOftenAgain(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	a.engine.shops["acme"].Poll.Idle = 80 * time.Second
	var lost store.OrderKey
	at := a.polls(a.poller(), 500*time.Second, func(second int) {
		if second == 300 {
			lost = a.create()
			a.deliverWebhooksNot()
		}
		a.refetch()
	})
	require.Equal(t, []int{0, 20, 60, 140, 220, 300}, at[:6])
	require.Equal(t, []int{380, 390}, at[6:8], "what it finds makes it look closer")
	require.Equal(t, store.GapMissing, a.gap(lost).Kind)
}

func TestAHoleInTheNumbersIsPolledAndFoundBeforeItsTurn(t *testing.T) {
	a, p, lost := hole(t)
	a.pass(14 * time.Second)
	p.step(t.Context())
	require.Empty(t, a.gaps(lost), "it may still come")
	a.pass(time.Second)
	p.step(t.Context())
	require.Equal(t, foundByNumbers, a.gap(lost).FoundBy)
}

func TestALateWebhookHasTheShopPolledAtOnceAndCloselyForAWhile(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	k := a.create()
	body, placed := a.shop.REST(k.ID), a.Now()
	a.deliverWebhooksNot()
	lost := a.create()
	p := a.poller()
	p.next = a.Now().Add(time.Hour)
	a.pass(5 * time.Minute)
	a.postAt("orders/create", body, placed)
	p.step(t.Context())
	require.Equal(t, foundByLag, a.gap(lost).FoundBy)
	require.Equal(t, 10*time.Second, p.next.Sub(a.Now()))
	a.settle()
	a.pass(suspicion)
	p.step(t.Context())
	require.Equal(t, 20*time.Second, p.next.Sub(a.Now()), "nothing more came of it")
}

func TestTheNextPace(t *testing.T) {
	const active, idle = 10 * time.Second, 10 * time.Minute
	failed := errors.New("throttled")
	for name, c := range map[string]struct {
		webhooks bool
		pace     time.Duration
		result   PollResult
		err      error
		troubled bool
		want     time.Duration
	}{
		"nothing found":                   {true, active, PollResult{}, nil, false, 2 * active},
		"again":                           {true, 2 * active, PollResult{Seen: 5}, nil, false, 4 * active},
		"up to idle":                      {true, idle - time.Second, PollResult{}, nil, false, idle},
		"and no further":                  {true, idle, PollResult{}, nil, false, idle},
		"something newly lost":            {true, idle, PollResult{Lost: 1, Opened: 1, Fetched: 1}, nil, false, active},
		"something known to be lost":      {true, active, PollResult{Lost: 1, Fetched: 1}, nil, false, 2 * active},
		"something to confirm":            {true, active, PollResult{Fetched: 3}, nil, false, 2 * active},
		"under suspicion":                 {true, idle, PollResult{}, nil, true, active},
		"without webhooks, something new": {false, idle, PollResult{Fetched: 1}, nil, false, active},
		"without webhooks, nothing new":   {false, active, PollResult{Seen: 3}, nil, false, 2 * active},
		"a failure":                       {true, active, PollResult{}, failed, false, 2 * active},
		"a failure after something lost":  {true, active, PollResult{Lost: 1, Opened: 1}, failed, false, 2 * active},
		"a failure under suspicion":       {true, 4 * active, PollResult{}, failed, true, 8 * active},
		"from no pace at all":             {true, 0, PollResult{}, nil, false, active},
	} {
		t.Run(name, func(t *testing.T) {
			s := Shop{Webhooks: c.webhooks, Poll: PollPace{Active: active, Idle: idle}}
			require.Equal(t, c.want, s.nextPace(c.pace, c.result, c.err, c.troubled))
		})
	}
}

func TestASpikeOfRefusalsHasTheShopPolled(t *testing.T) {
	a := build(t, setup{})
	refuse := func(n int) {
		for range n {
			a.store.Refuse(store.Refusal{At: a.Now(), Shop: "acme.myshopify.com", Reason: "bad signature"})
		}
	}
	counted := func(n int64) func() bool {
		return func() bool {
			got, err := a.store.Counted(t.Context(), store.CountRefused, a.Now().Add(-5*time.Minute))
			return err == nil && got == n
		}
	}
	signs, shop := a.engine.signs["acme"], a.engine.shops["acme"]
	refuse(9)
	require.Eventually(t, counted(9), 10*time.Second, time.Millisecond)
	require.NoError(t, a.engine.watchSigns(t.Context(), shop))
	require.Empty(t, signs.due(a.Now()))
	refuse(1)
	require.Eventually(t, counted(10), 10*time.Second, time.Millisecond)
	for _, want := range []string{foundBySchedule, ""} {
		require.NoError(t, a.engine.watchSigns(t.Context(), shop))
		require.Equal(t, want, signs.due(a.Now()), "it is told once")
	}
	require.True(t, signs.troubled(a.Now()))
	a.pass(suspicion)
	require.NoError(t, a.engine.watchSigns(t.Context(), shop))
	require.Empty(t, signs.due(a.Now()), "they are long past")
	require.False(t, signs.troubled(a.Now()))
}

// habit makes n webhooks an hour usual for the shop's hours from now on.
func (a *appliance) habit(n int64) {
	a.Helper()
	heard := map[store.Heard]int64{}
	for week := 1; week <= 4; week++ {
		for h := range 6 {
			heard[store.Heard{Shop: "acme", Hour: a.Now().Truncate(time.Hour).AddDate(0, 0, -7*week).Add(time.Duration(h) * time.Hour)}] = n
		}
	}
	require.NoError(a, a.store.ApplyIntake(a.Context(), store.Intake{At: a.Now(), Heard: heard}))
}

// heardNow counts webhooks of this hour.
func (a *appliance) heardNow(n int64) {
	a.Helper()
	require.NoError(a, a.store.ApplyIntake(a.Context(), store.Intake{At: a.Now(), Heard: map[store.Heard]int64{{Shop: "acme", Hour: a.Now().Truncate(time.Hour)}: n}}))
}

func (a *appliance) listen() string {
	a.Helper()
	require.NoError(a, a.engine.watchSigns(a.Context(), a.engine.shops["acme"]))
	return a.engine.signs["acme"].due(a.Now())
}

func TestAShopThatFallsSilentIsPolled(t *testing.T) {
	for name, c := range map[string]struct {
		usual, heard int64
		into         time.Duration // the hour
		silent       bool
	}{
		"as usual":                     {60, 30, 30 * time.Minute, false},
		"half of it":                   {60, 15, 30 * time.Minute, false},
		"less than half":               {60, 14, 30 * time.Minute, true},
		"nothing at all":               {60, 0, 10 * time.Minute, true},
		"too early in the hour":        {600, 0, 9 * time.Minute, false},
		"too few to be a habit":        {7, 0, 50 * time.Minute, false},
		"so early that few would come": {40, 0, 11 * time.Minute, false},
		"no habit":                     {0, 0, 50 * time.Minute, false},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{})
			a.habit(c.usual)
			a.heardNow(c.heard)
			a.pass(c.into)
			require.Equal(t, c.silent, a.listen() == store.GapSilence)
			require.Equal(t, c.silent, a.engine.signs["acme"].troubled(a.Now()))
			require.Empty(t, a.listen(), "it is told once")
		})
	}
}

func TestWhatCameWhileGaplessWasNotThereIsNoSilence(t *testing.T) {
	a := build(t, setup{})
	a.habit(60)
	a.heardNow(12)
	a.engine.started = a.Now().Add(20 * time.Minute)
	a.pass(40 * time.Minute)
	require.Empty(t, a.listen(), "twelve came in this hour; of some twenty that were to come since, these may have been some")
	a.pass(10 * time.Minute)
	require.Equal(t, store.GapSilence, a.listen())
}

// newer is a shop that answers with another API version from some time on.
type newer struct {
	ShopClient
	version string
}

func (n *newer) SeenVersion() string { return n.version }

func TestAnotherAPIVersionHasTheShopPolled(t *testing.T) {
	a := build(t, setup{})
	shop, signs := a.engine.shops["acme"], a.engine.signs["acme"]
	answers := &newer{ShopClient: a.clients["acme"]}
	shop.Client = answers
	for _, step := range []struct{ version, want string }{
		{"", ""}, {"2026-10", ""}, {"2027-01", foundBySchedule}, {"2027-01", ""}, {"2026-10", ""}, {"2027-04", foundBySchedule},
	} {
		answers.version = step.version
		require.NoError(t, a.engine.watchSigns(t.Context(), shop))
		require.Equal(t, step.want, signs.due(a.Now()), step.version)
	}
	require.True(t, signs.troubled(a.Now()))
}

func (a *appliance) silence() (gaps []store.Gap) {
	a.Helper()
	gaps, err := a.store.Gaps(a.Context(), store.GapFilter{Kind: store.GapSilence, Limit: 10})
	require.NoError(a, err)
	return gaps
}

func TestASilenceInWhichChangesWereLostIsAGapUntilWebhooksComeAsUsual(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	a.habit(40)
	p := a.poller()
	p.step(t.Context())
	p.next = a.Now().Add(12 * time.Hour)
	watch := func() {
		require.NoError(t, a.engine.watchSigns(t.Context(), a.engine.shops["acme"]))
		p.step(t.Context())
	}
	a.pass(30 * time.Minute)
	watch()
	require.Empty(t, a.silence(), "nothing was lost: it is just quiet")

	lost := a.create()
	a.deliverWebhooksNot()
	a.pass(11 * time.Minute)
	watch()
	require.Equal(t, store.GapSilence, a.gap(lost).FoundBy)
	require.Len(t, a.silence(), 1)
	require.Equal(t, []string{store.GapOpen, CauseQuiet}, []string{a.silence()[0].State, a.silence()[0].Cause})
	require.Contains(t, a.silence()[0].Detail, "1 changes were found")

	a.pass(10 * time.Minute)
	watch()
	require.Len(t, a.silence(), 1)
	a.pass(20 * time.Minute) // ten minutes into the next hour, in which as few have come
	watch()
	require.Equal(t, store.GapOpen, a.silence()[0].State, "too few would have come by now to say that all is well")
	a.heardNow(40)
	a.pass(20 * time.Minute)
	watch()
	require.Equal(t, store.GapClosed, a.silence()[0].State)
}

func TestAPersonHasASilentShopPolled(t *testing.T) {
	a := build(t, setup{})
	a.gracious(15*time.Second, 10*time.Minute)
	require.NoError(t, a.engine.noteSilence(t.Context(), a.engine.shops["acme"], PollResult{Lost: 1}))
	lost := a.create()
	a.deliverWebhooksNot()
	a.pass(time.Minute)
	_, err := a.engine.ReplayGaps(t.Context(), []int64{a.silence()[0].ID}, "ann")
	require.NoError(t, err)
	require.Equal(t, store.GapMissing, a.gap(lost).Kind)
	require.Equal(t, store.GapHealing, a.silence()[0].State)
}

func TestNumbersHeardOfAreRememberedOverARestart(t *testing.T) {
	a := build(t, setup{shop: shopifytest.Options{}})
	a.place()
	a.place()
	require.NoError(t, a.engine.watchSigns(t.Context(), a.engine.shops["acme"]))
	seen := a.cursor().NumberSeen
	require.NotZero(t, seen)
	a.reconfigure(func(c *Config) { c.Shops[0].Poll.Grace = 15 * time.Second })
	a.create()
	a.deliverWebhooks()
	lost := a.doubts()
	require.Empty(t, lost)
	a.intake()
	require.Equal(t, seen+1, a.engine.signs["acme"].numberSeen(), fmt.Sprint("no hole after ", seen))
	a.pass(time.Minute)
	require.Empty(t, a.engine.signs["acme"].due(a.Now()))
}
