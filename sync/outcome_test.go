package ordersync

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/store"
)

// Every outcome of a call leads to one change of state, and to no other.
func TestEachOutcomeLeadsToOneChangeOfState(t *testing.T) {
	for name, c := range map[string]struct {
		fault     erptest.Fault
		tier      erp.Tier
		result    erp.Result
		state     string
		ambiguous bool
		lingers   bool          // it may still take effect, so a newer version waits
		wait      time.Duration // at least
		documents int           // in the ERP
	}{
		"created":                      {fault: erptest.None, result: erp.Created, state: store.StateDelivered, documents: 1},
		"created, tier B":              {fault: erptest.None, tier: erp.TierB, result: erp.Created, state: store.StateDelivered, documents: 1},
		"429":                          {fault: erptest.TooManyRequests, result: erp.Retry, state: store.StateDue, wait: erptest.RetryAfter},
		"500":                          {lingers: true, fault: erptest.ServerError, result: erp.Retry, state: store.StateDue},
		"503":                          {fault: erptest.Unavailable, result: erp.Retry, state: store.StateDue, wait: erptest.RetryAfter},
		"503, tier B":                  {fault: erptest.Unavailable, tier: erp.TierB, result: erp.Unknown, state: store.StateUnknown, ambiguous: true, wait: time.Minute},
		"cut before the effect":        {fault: erptest.CutBeforeEffect, result: erp.Unknown, state: store.StateUnknown, ambiguous: true},
		"cut after the effect":         {fault: erptest.CutAfterEffect, result: erp.Unknown, state: store.StateUnknown, ambiguous: true, documents: 1},
		"cut after, tier B":            {fault: erptest.CutAfterEffect, tier: erp.TierB, result: erp.Unknown, state: store.StateUnknown, ambiguous: true, wait: time.Minute, documents: 1},
		"well, but nothing was done":   {fault: erptest.OKButNothing, result: erp.Retry, state: store.StateDue},
		"a page in place of an answer": {fault: erptest.HTML, result: erp.Unknown, state: store.StateUnknown, ambiguous: true},
	} {
		t.Run(name, func(t *testing.T) {
			a := build(t, setup{tier: c.tier, longest: time.Minute, erp: erptest.Options{NoKey: c.tier == erp.TierB}, faults: erptest.Mix{c.fault: 1}})
			k := a.create()
			a.hear()
			require.Equal(t, 1, a.send())

			tries := a.tries(k)
			require.Len(t, tries, 1, "one intent")
			require.Equal(t, string(c.result), tries[0].Outcome.Result, tries[0].Outcome.Reason)
			require.True(t, tries[0].Outcome.Applied)
			d := a.delivery(k)
			require.Equal(t, c.state, d.State, d.Reason)
			require.Empty(t, d.Token, "nobody holds it any more")
			require.Equal(t, c.ambiguous, !d.SentAt.IsZero())
			require.Equal(t, c.ambiguous || c.lingers, d.Ghost != "")
			require.GreaterOrEqual(t, d.NextAt, a.Now().Add(c.wait))
			require.Equal(t, c.state == store.StateDelivered, d.Held == d.Wanted)
			require.Len(t, a.erp.Documents(ref("acme", k.ID)), c.documents)

			a.erp.SetFaults(nil)
			a.settleLater(5 * time.Minute)
			a.judge()
		})
	}
}

func TestADocumentThatIsThereAlreadyIsNotSentAgain(t *testing.T) {
	for _, tier := range []erp.Tier{erp.TierA, erp.TierB} {
		t.Run(string(tier), func(t *testing.T) {
			a := build(t, setup{tier: tier, longest: time.Minute, erp: erptest.Options{NoKey: tier == erp.TierB}})
			k := a.create()
			a.erp.SetFaults(erptest.Mix{erptest.CutAfterEffect: 1})
			a.hear()
			a.send()
			require.Equal(t, store.StateUnknown, a.delivery(k).State)
			a.settleLater(5 * time.Minute)
			require.Equal(t, 1, a.writes(k), "a look-up found what the first call had made")
			a.judge()
		})
	}
}

func TestAChangeThatTheMappingDoesNotUseSparesTheERPACall(t *testing.T) {
	a := build(t, setup{mapping: "{ref, total, currency}"})
	k := a.place()
	before := a.delivery(k).Held
	a.change(k, "tag")
	a.settle()
	require.Equal(t, 1, a.writes(k))
	require.Equal(t, store.StateDelivered, a.delivery(k).State)
	require.NotEqual(t, before, a.delivery(k).Held, "the newer version is held all the same")
	require.Equal(t, "unchanged", a.last(k).Outcome)
}

func TestARefusalParksWithFieldAndHintAndANewVersionIsTried(t *testing.T) {
	a := build(t, setup{erp: erptest.Options{SKUs: []string{}}})
	k := a.create()
	a.hear()
	a.send()
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Contains(t, d.Reason, "unknown article")
	require.Equal(t, "lines[0].sku", d.Field)
	require.Contains(t, d.Hint, "replay")
	require.Equal(t, "parked", a.last(k).Outcome)
	require.Zero(t, a.send(), "it rests")

	a.change(k, "tag")
	a.hear()
	require.Equal(t, store.StateDue, a.delivery(k).State)
	require.Empty(t, a.delivery(k).Reason)
	a.send()
	require.Equal(t, 2, a.writes(k))
	require.Equal(t, store.StateParked, a.delivery(k).State, "the ERP still does not know the article")
}

func TestAVersionThatCameWhileTheOlderWasRefusedIsTried(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	arrived, release := make(chan struct{}), make(chan struct{})
	a.wire.next(func(w http.ResponseWriter, _ *http.Request) {
		close(arrived)
		<-release
		w.WriteHeader(http.StatusUnprocessableEntity)
	})
	a.hear()
	sent := make(chan int)
	go func() { sent <- a.send() }()
	<-arrived
	a.change(k, "tag")
	a.hear()
	close(release)
	<-sent
	require.Equal(t, store.StateDue, a.delivery(k).State)
	a.settle()
	a.judge()
}

func TestRetryAfterIsHonoured(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.wire.answer(http.StatusTooManyRequests, "Retry-After", "120")
	a.hear()
	a.send()
	require.Equal(t, a.Now().Add(2*time.Minute), a.delivery(k).NextAt)
	a.pass(2*time.Minute - time.Millisecond)
	require.Zero(t, a.send())
	a.pass(time.Millisecond)
	require.Equal(t, 1, a.send())
	a.judge()
}

func TestOneBadOrderBlocksNoOther(t *testing.T) {
	known := []string{"TSHIRT-BLK-S", "TSHIRT-BLK-M", "TSHIRT-WHT-M", "MUG-01", "COFFEE-1KG", "GIFT-50"}
	a := build(t, setup{erp: erptest.Options{SKUs: known}, concurrency: 1})
	for range 40 {
		a.create()
	}
	a.settle()
	st := a.stats()
	require.NotZero(t, st.States[store.StateParked], "orders with an article that the ERP does not know")
	require.EqualValues(t, 40, st.States[store.StateParked]+st.States[store.StateDelivered])
	require.Len(t, a.erp.All(), int(st.States[store.StateDelivered]))
}
