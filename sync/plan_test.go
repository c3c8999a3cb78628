package ordersync

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/store"
)

func (a *appliance) plan(k store.OrderKey) Plan {
	a.Helper()
	before := len(a.erp.All()[ref(k.Shop, k.ID)])
	p, err := a.engine.Plan(a.Context(), k)
	require.NoError(a, err)
	require.Len(a, a.erp.All()[ref(k.Shop, k.ID)], before, "a plan changes nothing")
	return p
}

// A dry run tells exactly the request that the delivery then makes.
func TestThePlanIsWhatIsThenSent(t *testing.T) {
	eachTier(t, func(t *testing.T, tier erp.Tier) {
		a := build(t, in(tier))
		k := a.create()
		a.hear()
		for _, step := range []string{"the first delivery", "a change"} {
			p := a.plan(k)
			require.Equal(t, "send", p.Action, step)
			require.Equal(t, ref("acme", k.ID), p.Ref)
			require.Len(t, p.Calls, 1)
			a.send()
			sent := a.tries(k)
			wire := sent[len(sent)-1].Outcome.Exchanges
			require.Equal(t, p.Calls[0].Method+" "+p.Calls[0].URL+"\n"+p.Calls[0].Body, lastRequest(t, wire), step)
			a.change(k, "tag")
			a.hear()
		}
	})
}

func TestThePlanOfAReplayLooksIntoTheERP(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	p := a.plan(k)
	require.Equal(t, "nothing", p.Action)
	require.Equal(t, "the ERP holds this version already", p.Reason)
	require.Empty(t, p.Calls)
	require.Contains(t, string(p.Document), a.order(k).Name, "what the mapping makes is told all the same")

	a.enterUpdate(k, "2020-01-01T00:00:00Z/00000000") // somebody spoiled the document
	p = a.plan(k)
	require.Equal(t, "send", p.Action)
	a.replay(k)
	a.settle()
	require.Equal(t, 2, a.writes(k))
	a.judge()
}

func TestThePlanSaysWhyNothingWillBeSent(t *testing.T) {
	a := build(t, setup{rules: []erp.Rule{nothing}})
	k := a.create()
	a.hear()
	require.Equal(t, Plan{Order: a.order(k).Name, Ref: ref("acme", k.ID), Action: "exclude", Reason: "by the rule nothing"}, a.plan(k))
	a.under(waits)
	p := a.plan(k)
	require.Equal(t, "park", p.Action)
	require.Contains(t, p.Reason, "held by the rule")
	require.NotEmpty(t, p.Hint)

	a.reconfigure(func(c *Config) { c.ERPs[0].Name, c.Shops[0].ERP = "other", "other" })
	p = a.plan(k)
	require.Equal(t, "nothing", p.Action)
	require.Contains(t, p.Reason, "no longer in the config")
	_, err := a.engine.Plan(t.Context(), store.OrderKey{Shop: "acme", ID: 1})
	require.ErrorIs(t, err, store.ErrNotFound)
}

func lastRequest(t *testing.T, exchanges []byte) string {
	t.Helper()
	var said []erp.Exchange
	require.NoError(t, json.Unmarshal(exchanges, &said))
	require.NotEmpty(t, said)
	return said[len(said)-1].Request
}
