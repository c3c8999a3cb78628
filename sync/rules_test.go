package ordersync

import (
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/store"
)

// under restarts the engine with other rules.
func (a *appliance) under(rules ...erp.Rule) {
	a.Helper()
	compiled, err := erp.CompileRules(rules)
	require.NoError(a, err)
	a.reconfigure(func(c *Config) { c.Rules = compiled })
}

var (
	noTests  = erp.Rule{Name: "test orders", When: ".test", Then: erp.Exclude}
	noTagged = erp.Rule{Name: "tagged", When: ".tags | length > 0", Then: erp.Exclude}
	nothing  = erp.Rule{Name: "nothing", When: "true", Then: erp.Exclude}
	waits    = erp.Rule{Name: "until checked", When: "true", Then: erp.Hold}
	fails    = erp.Rule{Name: "broken", When: `.name | tonumber > 5`, Then: erp.Exclude}
)

func TestTestOrdersStayOutOfTheERPByTheirRule(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{noTests}})
	for range 120 {
		a.create()
	}
	a.settle()
	tests := 0
	for _, told := range a.shop.Orders() {
		d := a.delivery(store.OrderKey{Shop: "acme", ID: told.ID})
		documents := a.erp.Documents(ref("acme", told.ID))
		if !told.Test {
			require.Equal(t, store.StateDelivered, d.State)
			require.Len(t, documents, 1)
			continue
		}
		tests++
		require.Equal(t, store.StateExcluded, d.State)
		require.Equal(t, "test orders", d.Rule)
		require.Empty(t, documents)
	}
	require.NotZero(t, tests)
}

func TestAnOrderHeldByARuleGoesWhenTheRuleLetsItGo(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{waits}})
	k := a.create()
	a.settle()
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Equal(t, "until checked", d.Rule)
	require.Contains(t, d.Reason, `held by the rule "until checked"`)
	require.NotEmpty(t, d.Hint)

	a.under()
	a.replay(k)
	a.settle()
	a.judge()
}

func TestARuleThatFailsOnAnOrderParksIt(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{fails}})
	k := a.create()
	a.settle()
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Contains(t, d.Reason, `the rule "broken" fails`)
	require.Equal(t, "rules", d.Field)
	require.Zero(t, a.writes(k))
}

func TestADeliveredOrderThatIsExcludedLaterIsCancelledInTheERP(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		s := in(tier)
		a := build(t, s)
		k := a.place()
		a.under(nothing)
		a.change(k, "tag")
		a.settle()
		require.Equal(t, store.StateExcluded, a.delivery(k).State, a.delivery(k).Reason)
		require.Empty(t, a.erp.Live(ref("acme", k.ID)))
		require.Len(t, a.erp.Documents(ref("acme", k.ID)), 1)

		a.under() // and back again
		a.change(k, "tag")
		a.settle()
		a.judge()
	})
}

func TestAnExcludedOrderIsDeliveredAfterTheRuleChanged(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{nothing}})
	k := a.create()
	a.settle()
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	a.under()
	require.Zero(t, a.send(), "a changed rule alone moves nothing")
	a.replay(k)
	a.settle()
	a.judge()
}

func TestAReplayUnderANewRuleTakesTheOrderOut(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	a.under(nothing)
	a.replay(k)
	a.settle()
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	require.Empty(t, a.erp.Live(ref("acme", k.ID)))
}

// The ERP refuses a change, a person replays the order without success, and then
// a rule takes it out: the document of its older version is still there.
func TestARuleTakesOutADocumentWhoseChangeWasRefused(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a := build(t, in(tier))
		k := a.place()
		for range 2 {
			a.change(k, "tag")
			a.wire.answer(http.StatusUnprocessableEntity)
			a.hear()
			a.send()
			require.Equal(t, store.StateParked, a.delivery(k).State)
			a.replay(k)
			a.wire.answer(http.StatusUnprocessableEntity)
			a.send()
			require.Equal(t, store.StateParked, a.delivery(k).State)
		}
		a.under(nothing)
		a.change(k, "tag")
		a.settle()
		require.Equal(t, store.StateExcluded, a.delivery(k).State)
		require.Empty(t, a.erp.Live(ref("acme", k.ID)))
	})
}

// A call that was answered with a failure may have made the document all the same.
// Found by the simulator.
func TestARuleTakesOutADocumentThatAFailedCallHasMade(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a := build(t, in(tier))
		k := a.create()
		a.hear()
		a.wire.next(func(rw http.ResponseWriter, r *http.Request) {
			a.wire.erp.ServeHTTP(httptest.NewRecorder(), r)
			rw.WriteHeader(http.StatusInternalServerError)
		})
		a.send()
		require.Len(t, a.erp.Live(ref("acme", k.ID)), 1)
		a.under(nothing)
		a.settleLater(time.Hour)
		require.Equal(t, store.StateExcluded, a.delivery(k).State, a.delivery(k).Reason)
		require.Empty(t, a.erp.Live(ref("acme", k.ID)))
	})
}

// What a copy of the store knows of the ERP is old: also an order that is to
// stay out is looked up first.
func TestAfterARestoreARuleTakesOutWhatTheCopyDidNotKnowOf(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	backup := filepath.Join(t.TempDir(), "copy.db")
	require.NoError(t, a.store.Backup(t.Context(), backup))
	a.send()
	require.Len(t, a.erp.Live(ref("acme", k.ID)), 1)

	a.under(nothing)
	a.reopen(backup)
	a.settle()
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	require.Empty(t, a.erp.Live(ref("acme", k.ID)))
}

func TestAnOrderDeletedInShopifyIsNotMadeInTheERP(t *testing.T) {
	a := build(t, setup{})
	k := a.create()
	a.hear()
	a.shop.Delete(k.ID)
	a.hear()
	a.replay(k)
	a.settle()
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	require.Equal(t, "deleted in Shopify", a.delivery(k).Rule)
	require.Empty(t, a.erp.Documents(ref("acme", k.ID)))
}

// The order is excluded while a call for it may still take effect: it must not
// appear in the ERP after we have looked.
func TestAnExcludedOrderDoesNotAppearByALateEffect(t *testing.T) {
	a := build(t, in(erp.TierA))
	k := a.create()
	land := a.wire.ghost()
	a.hear()
	a.send()
	gone := a.Now()
	a.under(nothing)
	for a.Now().Before(gone.Add(longest)) {
		a.settle()
		a.pass(time.Second)
	}
	land()
	a.settleLater(longest)
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	require.Empty(t, a.erp.Live(ref("acme", k.ID)))
}

func TestTheFirstRuleThatMatchesCounts(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{waits, nothing}})
	k := a.create()
	a.settle()
	require.Equal(t, store.StateParked, a.delivery(k).State)
	a.under(nothing, waits)
	a.replay(k)
	a.settle()
	require.Equal(t, store.StateExcluded, a.delivery(k).State)
	require.Equal(t, "nothing", a.delivery(k).Rule)
}

func TestAChangeThatEndsAnExclusionSendsTheOrder(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{noTagged}})
	for range 8 {
		k := a.create()
		a.change(k, "tag")
	}
	for range 15 {
		for _, told := range a.shop.Orders() {
			a.shop.Apply(told.ID, "tag")
		}
		a.pass(time.Second)
		a.settle()
	}
	for _, told := range a.shop.Orders() {
		k := store.OrderKey{Shop: "acme", ID: told.ID}
		tagged := len(a.told(k).Tags) > 0
		require.Equal(t, !tagged, len(a.erp.Live(ref("acme", k.ID))) == 1, "order %s, tagged: %v", told.Name, tagged)
	}
}

func TestAMappingThatFailsParksWithFieldAndHint(t *testing.T) {
	a := build(t, setup{mapping: `error("no")`})
	k := a.create()
	a.settle()
	d := a.delivery(k)
	require.Equal(t, store.StateParked, d.State)
	require.Equal(t, "body", d.Field)
	require.Contains(t, d.Hint, "mend the program")
	require.Equal(t, "mapping", a.last(k).Step)
	require.Empty(t, a.wire.said())
}
