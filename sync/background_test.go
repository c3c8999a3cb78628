package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/store"
	"gapless/sync/report"
)

func (a *appliance) runOf(id int64) store.Run {
	a.Helper()
	r, err := a.store.Run(a.Context(), id)
	require.NoError(a, err)
	return r
}

func TestARunThatIsStartedGoesOnByItself(t *testing.T) {
	a := start(t, setup{})
	a.placed()
	id, err := a.startReconcile()
	require.NoError(t, err)
	a.eventually("the comparison", func() string { return unlike(store.RunDone, a.runOf(id).State) })
	require.EqualValues(t, 1, a.runOf(id).Done)
	require.Equal(t, "ann", a.runOf(id).By)

	id, err = a.engine.StartPoll(t.Context(), "acme", "ann")
	require.NoError(t, err)
	a.eventually("the poll", func() string { return unlike(store.RunDone, a.runOf(id).State) })
	var saw PollResult
	require.NoError(t, json.Unmarshal(a.runOf(id).Data, &saw))
	require.Equal(t, 1, saw.Seen)
	require.False(t, saw.To.IsZero())
}

// startReconcile begins a comparison once the engine runs.
func (a *appliance) startReconcile() (id int64, err error) {
	a.eventually("the engine", func() string {
		if id, err = a.engine.StartReconcile(a.Context(), "acme", a.lastDay()); errors.Is(err, ErrNotRunning) {
			return err.Error()
		}
		return ""
	})
	return id, err
}

// placed makes one order, which the running engine brings to the ERP.
func (a *appliance) placed() {
	a.Helper()
	a.create()
	a.deliverWebhooks()
	a.eventually("the delivery", func() string {
		if n := a.stats().States[store.StateDelivered]; n != 1 {
			return a.atRest() + "not delivered"
		}
		return ""
	})
	a.pass(10 * time.Second)
}

func unlike(want, got string) string {
	if want == got {
		return ""
	}
	return got + ", not " + want
}

func TestARunIsLeftToARunningEngineOnly(t *testing.T) {
	a := build(t, setup{})
	_, err := a.engine.StartReconcile(t.Context(), "acme", a.lastDay())
	require.ErrorIs(t, err, ErrNotRunning)
	_, err = a.engine.StartPoll(t.Context(), "acme", "ann")
	require.ErrorIs(t, err, ErrNotRunning)
	runs, err := a.store.Runs(t.Context(), store.RunFilter{Limit: 10})
	require.NoError(t, err)
	require.Empty(t, runs, "nothing is left behind as under way")
}

// slowShop is a shop that lists no orders before the question is given up.
type slowShop struct {
	ShopClient
	asked chan struct{}
}

// Orders says that it was asked, and waits.
func (s *slowShop) Orders(ctx context.Context, _ shopify.Window, _ shopify.Priority, _ func([]shopify.OrderHead) error) error {
	s.asked <- struct{}{}
	<-ctx.Done()
	return ctx.Err()
}

func TestTheSameRunIsNotStartedTwiceAndEndsWithTheEngine(t *testing.T) {
	a := build(t, setup{})
	shop := &slowShop{ShopClient: a.clients["acme"], asked: make(chan struct{}, 10)}
	a.reconfigure(func(c *Config) {
		c.Shops[0].Client, c.Shops[0].Poll.Active, c.Shops[0].Reconcile.Every = shop, 0, 0
	})
	stop := a.run()
	id, err := a.startReconcile()
	require.NoError(t, err)
	<-shop.asked
	_, err = a.engine.StartReconcile(t.Context(), "acme", a.lastDay())
	require.ErrorIs(t, err, store.ErrRunning)
	poll, err := a.engine.StartPoll(t.Context(), "acme", "ann")
	require.NoError(t, err)
	<-shop.asked
	_, err = a.engine.StartPoll(t.Context(), "acme", "bob")
	require.ErrorIs(t, err, store.ErrRunning)
	_, err = a.engine.StartPoll(t.Context(), "nobody", "ann")
	require.ErrorContains(t, err, "no shop named")
	stop()
	require.Equal(t, store.RunStopped, a.runOf(id).State)
	require.Equal(t, store.RunStopped, a.runOf(poll).State)
}

func TestAReplayOfAGapIsPlanned(t *testing.T) {
	a := build(t, setup{})
	k := a.place()
	require.True(t, a.erp.Delete(ref(k.Shop, k.ID)))
	a.create()
	a.deliverWebhooksNot()
	a.reconcile(false)
	gaps, err := a.store.Gaps(t.Context(), store.GapFilter{Limit: 10})
	require.NoError(t, err)
	require.Len(t, gaps, 2)
	unheard, lost := gaps[0], gaps[1]
	if lost.OrderID != k.ID {
		unheard, lost = lost, unheard
	}
	plan, err := a.engine.PlanGap(t.Context(), lost.ID)
	require.NoError(t, err)
	require.Equal(t, "send", plan.Action)
	require.Len(t, plan.Calls, 1)
	plan, err = a.engine.PlanGap(t.Context(), unheard.ID)
	require.NoError(t, err)
	require.Equal(t, []string{"ask", ref("acme", unheard.OrderID)}, []string{plan.Action, plan.Ref})
	require.Zero(t, a.send()+a.refetch(), "a plan changes nothing")

	require.NoError(t, a.store.CloseGap(t.Context(), lost, "ann"))
	plan, err = a.engine.PlanGap(t.Context(), lost.ID)
	require.NoError(t, err)
	require.Equal(t, "nothing", plan.Action)
	_, err = a.engine.PlanGap(t.Context(), 99)
	require.ErrorIs(t, err, store.ErrNotFound)
}

func TestAReplayOfAShopsGapIsPlanned(t *testing.T) {
	a := build(t, setup{})
	for _, c := range []struct{ kind, subject, action string }{{store.GapSubscription, "orders/create", "subscribe"}, {store.GapSilence, "", "poll"}} {
		_, err := a.store.FoundGaps(t.Context(), "ann", store.Fault{Gap: store.Gap{Shop: "acme", Kind: c.kind, Subject: c.subject, FoundBy: "ann"}})
		require.NoError(t, err)
		gaps, err := a.store.Gaps(t.Context(), store.GapFilter{Limit: 1})
		require.NoError(t, err)
		plan, err := a.engine.PlanGap(t.Context(), gaps[0].ID)
		require.NoError(t, err)
		require.Equal(t, c.action, plan.Action)
		require.Contains(t, plan.Reason, c.subject)
	}
}

// Each code has words of its own: one that is added without them shows itself as
// a code.
func TestEveryCauseAndKindHasPlainWords(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "verdict.go", nil, 0)
	require.NoError(t, err)
	codes := 0
	ast.Inspect(file, func(n ast.Node) bool {
		if v, ok := n.(*ast.ValueSpec); ok && strings.HasPrefix(v.Names[0].Name, "Cause") {
			code, err := strconv.Unquote(v.Values[0].(*ast.BasicLit).Value)
			require.NoError(t, err)
			require.NotEqual(t, strings.ReplaceAll(code, "_", " "), report.CauseText(code), "words for %s belong into report/words.go", code)
			codes++
		}
		return true
	})
	require.GreaterOrEqual(t, codes, 15)
	for _, kind := range store.GapKinds {
		require.NotEqual(t, kind, report.KindText(kind))
		require.NotEqual(t, kind, report.RemedyText(kind, store.GapOpen))
		require.NotEmpty(t, report.RemedyText(kind, store.GapHealing))
		require.Empty(t, report.RemedyText(kind, store.GapClosed))
	}
}
