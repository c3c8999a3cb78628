package store

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// missing is a gap of an order that the ERP does not hold.
func missing(id int64) Gap {
	return Gap{Shop: "acme", OrderID: id, ERP: "books", Kind: GapMissing, About: "v1", Cause: "webhook_never_came", Detail: "not there", FoundBy: "reconcile"}
}

// noted notes gaps and says how many are new.
func noted(t testing.TB, s *Store, gaps ...Gap) int {
	t.Helper()
	faults := make([]Fault, len(gaps))
	for i, g := range gaps {
		faults[i].Gap = g
	}
	opened, err := s.FoundGaps(t.Context(), "reconcile", faults...)
	require.NoError(t, err)
	return opened
}

// allGaps are the gaps there are, oldest first.
func allGaps(t testing.TB, s *Store) []Gap {
	t.Helper()
	newest, err := s.Gaps(t.Context(), GapFilter{Limit: 1000})
	require.NoError(t, err)
	oldest := make([]Gap, 0, len(newest))
	for i := range newest {
		oldest = append(oldest, newest[len(newest)-1-i])
	}
	return oldest
}

// onlyGap is the one gap there is.
func onlyGap(t testing.TB, s *Store) Gap {
	t.Helper()
	gaps := allGaps(t, s)
	require.Len(t, gaps, 1)
	return gaps[0]
}

func steps(t testing.TB, s *Store, id int64) (all []string) {
	t.Helper()
	list, err := s.GapSteps(t.Context(), id)
	require.NoError(t, err)
	for _, step := range list {
		all = append(all, step.Step)
	}
	return all
}

func ignore(t testing.TB, s *Store, id int64) {
	t.Helper()
	done, err := s.IgnoreGap(t.Context(), id, "ann", "settled in cash")
	require.NoError(t, err)
	require.True(t, done)
}

func TestAGapThatIsSeenAgainMeanwhileStaysOpen(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	noted(t, s, missing(1))
	then := onlyGap(t, s)
	newer := missing(1)
	newer.About += "0"
	noted(t, s, newer)
	require.NoError(t, s.CloseGap(t.Context(), then, "poll"))
	require.Equal(t, GapOpen, onlyGap(t, s).State)
	require.NoError(t, s.CloseGap(t.Context(), onlyGap(t, s), "poll"))
	require.Equal(t, GapClosed, onlyGap(t, s).State)
}

func TestAGapIsOpenedOnceSeenAgainAndClosedOnce(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	intake(t, s, order(1, 1))
	g := missing(1)
	g.RunID, g.Since = 7, noon.Add(-time.Hour)
	require.Equal(t, 1, noted(t, s, g))
	opened := onlyGap(t, s)
	want := g
	want.ID, want.State, want.FirstSeen, want.LastSeen = opened.ID, GapOpen, noon, noon
	want.OrderName, want.Total, want.Currency = "#1", "10.00", "EUR"
	require.Equal(t, want, opened)

	clock.at = noon.Add(time.Minute)
	g.Detail, g.About, g.Cause, g.FoundBy = "still not there", "v2", "another", "poll"
	require.Zero(t, noted(t, s, g))
	want.LastSeen, want.Detail, want.About = clock.at, "still not there", "v2"
	require.Equal(t, want, onlyGap(t, s), "how it was found, and why it arose, stays")

	for range 2 { // the second time changes nothing
		closeGap(t, s, want.ID, "reconcile")
		want.State, want.HealedBy, want.ClosedAt, want.CheckedAt = GapClosed, "reconcile", noon.Add(time.Minute), noon.Add(time.Minute)
		require.Equal(t, want, onlyGap(t, s))
		clock.at = clock.at.Add(time.Minute)
	}
	require.Equal(t, []string{"opened", "closed"}, steps(t, s, want.ID))
}

func TestAFaultDoesNotBeginInTheFutureAndBeginsNowWhereNobodyKnows(t *testing.T) {
	for _, since := range []time.Time{{}, noon.Add(time.Hour)} {
		s := open(t)
		g := missing(1)
		g.Since = since
		noted(t, s, g)
		require.Equal(t, noon, onlyGap(t, s).Since)
	}
}

func TestAClosedGapComesBackAsTheSameOneOrIsAboutSomethingNew(t *testing.T) {
	s := open(t)
	g := missing(1)
	noted(t, s, g)
	id := onlyGap(t, s).ID
	closeGap(t, s, id, "poll")

	require.Equal(t, 1, noted(t, s, g), "it is back")
	back := onlyGap(t, s)
	require.Equal(t, []any{id, GapOpen, 1, "", time.Time{}}, []any{back.ID, back.State, back.Reopened, back.HealedBy, back.ClosedAt})
	require.Equal(t, []string{"opened", "closed", "reopened"}, steps(t, s, id))

	closeGap(t, s, id, "poll")
	g.About = "v2"
	require.Equal(t, 1, noted(t, s, g))
	gaps := allGaps(t, s)
	require.Len(t, gaps, 2, "the old one stays closed")
	require.Equal(t, []string{GapClosed, GapOpen}, []string{gaps[0].State, gaps[1].State})
}

func TestAGapThatComesBackWasFoundThenAndBeganAfterItWasClosed(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	g := missing(1)
	g.RunID, g.Since = 7, noon.Add(-time.Hour)
	noted(t, s, g)
	clock.at = noon.Add(time.Minute)
	closed := clock.at
	closeGap(t, s, 1, "poll")

	clock.at = noon.Add(10 * time.Hour)
	g.RunID, g.FoundBy, g.Since = 8, "deep", noon.Add(time.Second) // as the ERP dates the document
	noted(t, s, g)
	back := onlyGap(t, s)
	require.Equal(t, []any{clock.at, clock.at, closed, "deep", int64(8)}, []any{back.FirstSeen, back.LastSeen, back.Since, back.FoundBy, back.RunID})
	healed, err := s.HealedSince(t.Context(), "acme", noon.Add(time.Hour))
	require.NoError(t, err)
	require.Zero(t, healed)
	clock.at = clock.at.Add(time.Minute)
	closeGap(t, s, 1, "poll")
	require.Equal(t, time.Minute, onlyGap(t, s).ClosedAt.Sub(onlyGap(t, s).FirstSeen))
	healed, err = s.HealedSince(t.Context(), "acme", noon.Add(time.Hour))
	require.NoError(t, err)
	require.EqualValues(t, 1, healed)

	clock.at = noon.Add(20 * time.Hour)
	g.Since = time.Time{}
	noted(t, s, g)
	require.Equal(t, clock.at, onlyGap(t, s).Since, "nobody knows")
	closeGap(t, s, 1, "poll")
	clock.at = clock.at.Add(-time.Hour) // the clock was ahead
	noted(t, s, g)
	require.Equal(t, onlyGap(t, s).FirstSeen, onlyGap(t, s).Since)
}

func TestAnIgnoredGapThatIsAboutSomethingNewWasFoundThen(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	g := missing(1)
	noted(t, s, g)
	ignore(t, s, 1)
	clock.at = noon.Add(time.Hour)
	g.About, g.FoundBy, g.Since = "v2", "poll", clock.at.Add(-time.Minute)
	noted(t, s, g)
	back := onlyGap(t, s)
	require.Equal(t, []any{GapOpen, clock.at, g.Since, "poll"}, []any{back.State, back.FirstSeen, back.Since, back.FoundBy})
}

func TestEachKindSubjectShopOrderAndERPHasAGapOfItsOwn(t *testing.T) {
	s := open(t)
	first := missing(1)
	others := map[string]func(*Gap){
		"shop": func(g *Gap) { g.Shop = "beta" }, "order": func(g *Gap) { g.OrderID = 2 }, "ERP": func(g *Gap) { g.ERP = "else" },
		"kind": func(g *Gap) { g.Kind = GapDoubled }, "subject": func(g *Gap) { g.Subject = "orders/create" },
	}
	require.Equal(t, 1, noted(t, s, first))
	for name, change := range others {
		g := first
		change(&g)
		require.Equal(t, 1, noted(t, s, g, g), name)
	}
	require.Len(t, allGaps(t, s), 1+len(others))
}

func TestAnIgnoredGapStaysSoUntilItIsAboutSomethingNew(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	deliver(t, s)
	g := missing(1)
	noted(t, s, g)
	id := onlyGap(t, s).ID
	ignore(t, s, id)
	before := delivery(t, s, 1)

	refetch := ask(1, "reconcile")
	opened, err := s.FoundGaps(t.Context(), "reconcile", Fault{Gap: g, Refetch: &refetch, Replay: true})
	require.NoError(t, err)
	require.Zero(t, opened)
	ignored := onlyGap(t, s)
	require.Equal(t, []string{GapIgnored, "ann", "settled in cash"}, []string{ignored.State, ignored.IgnoredBy, ignored.Reason})
	require.Equal(t, before, delivery(t, s, 1), "nothing is set in motion")
	require.Empty(t, dueRefetches(t, s, noon))

	g.About = "v2"
	opened, err = s.FoundGaps(t.Context(), "reconcile", Fault{Gap: g, Refetch: &refetch, Replay: true})
	require.NoError(t, err)
	require.Equal(t, 1, opened)
	healing := onlyGap(t, s)
	require.Equal(t, []any{id, GapHealing, "", "", 1}, []any{healing.ID, healing.State, healing.IgnoredBy, healing.Reason, healing.Reopened})
	require.Equal(t, []string{"opened", "ignored", "reopened", "healing"}, steps(t, s, id))
	require.Equal(t, StateDue, delivery(t, s, 1).State)
	require.Len(t, dueRefetches(t, s, noon), 1)
}

func TestOnlyAGapThatIsNotClosedCanBeIgnored(t *testing.T) {
	s := open(t)
	noted(t, s, missing(1))
	id := onlyGap(t, s).ID
	ignore(t, s, id)
	done, err := s.IgnoreGap(t.Context(), id, "bob", "settled by card")
	require.NoError(t, err)
	require.True(t, done, "by somebody else, for another reason")
	closeGap(t, s, id, "poll")
	require.Empty(t, onlyGap(t, s).Reason)
	for _, none := range []int64{id, 99} {
		done, err := s.IgnoreGap(t.Context(), none, "ann", "settled in cash")
		require.NoError(t, err)
		require.False(t, done)
	}
	require.Equal(t, []string{"opened", "ignored", "ignored", "closed"}, steps(t, s, id))
}

func TestAGapAndWhatMendsItAreNotedTogetherOrNotAtAll(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	deliver(t, s)
	refetch := ask(1, "reconcile")
	fault := Fault{Gap: missing(1), Refetch: &refetch, Replay: true}
	other := second(t, s.path)
	_, err := other.Exec(`CREATE TRIGGER full BEFORE INSERT ON gap_steps WHEN new.step = 'healing' BEGIN SELECT RAISE(ABORT, 'disk is full'); END`)
	require.NoError(t, err)
	_, err = s.FoundGaps(t.Context(), "reconcile", Fault{Gap: missing(2)}, fault)
	require.ErrorContains(t, err, "order 1 of acme")
	require.Empty(t, allGaps(t, s))
	require.Empty(t, dueRefetches(t, s, noon))
	require.Equal(t, StateDelivered, delivery(t, s, 1).State)

	_, err = other.Exec(`DROP TRIGGER full`)
	require.NoError(t, err)
	opened, err := s.FoundGaps(t.Context(), "reconcile", fault)
	require.NoError(t, err)
	require.Equal(t, 1, opened)
	g := onlyGap(t, s)
	require.Equal(t, GapHealing, g.State)
	require.Len(t, dueRefetches(t, s, noon), 1)
	d := delivery(t, s, 1)
	require.Equal(t, StateDue, d.State)
	require.True(t, d.Verify, "what the ERP holds is looked at first")
	list, err := s.GapSteps(t.Context(), g.ID)
	require.NoError(t, err)
	require.Equal(t, []GapStep{
		{At: noon, Step: "opened", By: "reconcile", Detail: "not there"},
		{At: noon, Step: "healing", By: "reconcile", Detail: "Shopify is asked for the order"},
	}, list)
}

func TestHealingAtAPersonsWord(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1), order(2, 1), order(3, 1))
	for range 3 {
		deliver(t, s)
	}
	shopwide := Gap{Shop: "acme", ERP: "books", Kind: GapSubscription, Subject: "orders/create", About: "then", Cause: "subscription_removed", FoundBy: "schedule"}
	noted(t, s, missing(1), missing(2), missing(3), shopwide)
	gaps := allGaps(t, s)
	closeGap(t, s, gaps[1].ID, "poll")
	ignore(t, s, gaps[2].ID)

	started, err := s.HealGaps(t.Context(), "ann", gaps...)
	require.NoError(t, err)
	require.EqualValues(t, 3, started, "the closed one is left alone")
	var states []string
	for _, g := range allGaps(t, s) {
		states = append(states, g.State)
	}
	require.Equal(t, []string{GapHealing, GapClosed, GapHealing, GapHealing}, states)
	for id, state := range map[int64]string{1: StateDue, 2: StateDelivered, 3: StateDue} {
		require.Equal(t, state, delivery(t, s, id).State, "order %d", id)
	}
	require.Len(t, dueRefetches(t, s, noon), 2)
	require.Equal(t, []string{"opened", "ignored", "healing"}, steps(t, s, gaps[2].ID))
}

// An order that is just being sent is not taken out of the hands of its attempt.
func TestHealingLeavesAnOrderThatIsBeingSentToItsAttempt(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	c := claimed(t, s)
	_, err := s.FoundGaps(t.Context(), "reconcile", Fault{Gap: missing(1), Replay: true})
	require.NoError(t, err)
	require.Equal(t, c.Delivery, delivery(t, s, 1))
	require.Equal(t, GapHealing, onlyGap(t, s).State)
	require.NoError(t, s.Settle(t.Context(), settle(c, StateDelivered)))
}

func TestTheCauseOfAGapMayBecomeKnownLater(t *testing.T) {
	s := open(t)
	noted(t, s, missing(1))
	id := onlyGap(t, s).ID
	require.NoError(t, s.CauseOfGap(t.Context(), id, "webhook_late", "it came 15m late"))
	require.Equal(t, "webhook_late", onlyGap(t, s).Cause)
	list, err := s.GapSteps(t.Context(), id)
	require.NoError(t, err)
	require.Equal(t, GapStep{At: noon, Step: "seen", Detail: "it came 15m late"}, list[1])
}

func TestAParkedOrderIsAGapInTheSameTransaction(t *testing.T) {
	s := open(t)
	intake(t, s, order(1, 1))
	r := settle(claimed(t, s), StateParked)
	g := Gap{Shop: "acme", OrderID: 1, ERP: "books", Kind: GapParked, About: "v1", Cause: "order_refused", Detail: "no such article", FoundBy: "delivery"}
	r.Gap = &g
	require.NoError(t, s.Settle(t.Context(), r))
	require.Equal(t, GapParked, onlyGap(t, s).Kind)
	require.ErrorIs(t, s.Settle(t.Context(), r), ErrStale)
	require.Len(t, allGaps(t, s), 1, "an attempt that was overtaken finds nothing")

	intake(t, s, order(2, 1))
	c := claimed(t, s)
	intake(t, s, order(2, 2))
	r = settle(c, StateParked)
	g.OrderID = 2
	r.Gap = &g
	require.NoError(t, s.Settle(t.Context(), r))
	require.Equal(t, StateDue, delivery(t, s, 2).State)
	require.Len(t, allGaps(t, s), 1, "a newer version is wanted: that the older one was refused is no gap")
}

func TestGapsAreListedNewestFirstByEachFilter(t *testing.T) {
	clock := &clock{noon}
	s := open(t, func(o *Options) { o.Now = clock.now })
	for id, kind := range []string{GapMissing, GapStale, GapMissing, GapDoubled, GapMissing} {
		clock.at = clock.at.Add(time.Minute)
		g := missing(int64(id + 1))
		g.Kind = kind
		if id >= 3 {
			g.Shop = "beta"
		}
		noted(t, s, g)
	}
	closeGap(t, s, 1, "poll")
	ignore(t, s, 2)
	_, err := s.HealGaps(t.Context(), "ann", Gap{ID: 5})
	require.NoError(t, err)
	minute := func(n time.Duration) time.Time { return noon.Add(n * time.Minute) }
	for name, c := range map[string]struct {
		filter GapFilter
		want   []int64
	}{
		"none":               {GapFilter{}, []int64{5, 4, 3, 2, 1}},
		"limit":              {GapFilter{Limit: 2}, []int64{5, 4}},
		"before":             {GapFilter{Before: 3}, []int64{2, 1}},
		"shop":               {GapFilter{Shop: "acme"}, []int64{3, 2, 1}},
		"kind":               {GapFilter{Kind: GapMissing}, []int64{5, 3, 1}},
		"open":               {GapFilter{State: GapOpen}, []int64{4, 3}},
		"live":               {GapFilter{State: Live}, []int64{5, 4, 3}},
		"closed":             {GapFilter{State: GapClosed}, []int64{1}},
		"ignored":            {GapFilter{State: GapIgnored}, []int64{2}},
		"of an order":        {GapFilter{OrderID: 4}, []int64{4}},
		"in a shop":          {GapFilter{OrderID: 4, Shop: "acme"}, nil},
		"live of a shop":     {GapFilter{Shop: "beta", State: Live}, []int64{5, 4}},
		"live of a kind":     {GapFilter{Kind: GapMissing, State: Live}, []int64{5, 3}},
		"from":               {GapFilter{From: minute(4)}, []int64{5, 4}},
		"to":                 {GapFilter{To: minute(4)}, []int64{3, 2, 1}},
		"of a shop's minute": {GapFilter{Shop: "acme", From: minute(2), To: minute(3)}, []int64{2}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.filter.Limit == 0 {
				c.filter.Limit = 100
			}
			gaps, err := s.Gaps(t.Context(), c.filter)
			require.NoError(t, err)
			var ids []int64
			for _, g := range gaps {
				ids = append(ids, g.ID)
			}
			require.Equal(t, c.want, ids)
		})
	}
}

func TestAGapThatIsNotThereIsNotFound(t *testing.T) {
	s := open(t)
	_, err := s.Gap(t.Context(), 1)
	require.ErrorIs(t, err, ErrNotFound)
	noted(t, s, missing(1))
	g, err := s.Gap(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, onlyGap(t, s), g)
}

func TestWhoWatchesGapsHearsOfThem(t *testing.T) {
	s := open(t)
	changes, cancel := s.Watch(Gaps)
	defer cancel()
	noted(t, s, missing(1))
	<-changes
	ignore(t, s, onlyGap(t, s).ID)
	<-changes
	closeGap(t, s, onlyGap(t, s).ID, "poll")
	<-changes
}

func TestGapsAreIgnoredTogetherOrNotAtAll(t *testing.T) {
	s := open(t)
	noted(t, s, missing(1), missing(2), missing(3))
	closeGap(t, s, 3, "poll")
	n, err := s.IgnoreGaps(t.Context(), "ann", "settled in cash", 1, 2, 99)
	require.ErrorIs(t, err, ErrNotFound)
	require.Zero(t, n)
	require.Equal(t, []string{GapOpen, GapOpen, GapClosed}, gapStates(t, s, 1, 2, 3), "none of them")

	n, err = s.IgnoreGaps(t.Context(), "ann", "settled in cash", 1, 2, 3)
	require.NoError(t, err)
	require.EqualValues(t, 2, n, "one was closed")
	require.Equal(t, []string{GapIgnored, GapIgnored, GapClosed}, gapStates(t, s, 1, 2, 3))

	before := stepsOf(t, s, 1)
	n, err = s.IgnoreGaps(t.Context(), "ann", "settled in cash", 1)
	require.NoError(t, err)
	require.EqualValues(t, 1, n)
	require.Equal(t, before, stepsOf(t, s, 1), "the same once more is not noted again")
	_, err = s.IgnoreGaps(t.Context(), "bob", "settled by card", 1)
	require.NoError(t, err)
	require.Len(t, stepsOf(t, s, 1), len(before)+1, "another reason is")
}

func gapStates(t testing.TB, s *Store, ids ...int64) (all []string) {
	t.Helper()
	for _, id := range ids {
		g, err := s.Gap(t.Context(), id)
		require.NoError(t, err)
		all = append(all, g.State)
	}
	return all
}

func stepsOf(t testing.TB, s *Store, id int64) []GapStep {
	t.Helper()
	steps, err := s.GapSteps(t.Context(), id)
	require.NoError(t, err)
	return steps
}
