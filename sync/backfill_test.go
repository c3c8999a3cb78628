package ordersync

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// past is a shop with orders from before Gapless began, of which nothing is known.
func past(t *testing.T, orders int, o shopifytest.Options) *appliance {
	a := build(t, setup{shop: o})
	for range orders {
		a.shop.Act()
		a.pass(time.Minute)
	}
	a.deliverWebhooksNot()
	return a
}

// today is a new order, heard of as usual.
func (a *appliance) today() store.OrderKey {
	a.Helper()
	k := a.create()
	a.ask(k)
	a.refetch()
	return k
}

func (a *appliance) backfill() store.Run {
	a.Helper()
	run, err := a.engine.StartBackfill(a.Context(), "acme", epoch.Add(-time.Hour), a.Now(), "test")
	require.NoError(a, err)
	return run
}

// backfiller is what carries the first shop's backfills on, as a process that has
// just begun has it.
func (a *appliance) backfiller() *backfiller {
	return &backfiller{Engine: a.engine, shop: a.engine.shops["acme"]}
}

// carryOn takes the backfill's steps until it is done.
func (a *appliance) carryOn(run store.Run) store.Run {
	a.Helper()
	backfiller := a.backfiller()
	for range 200 {
		wait := backfiller.step(a.Context())
		a.intake()
		for a.refetch() > 0 {
		}
		now, err := a.store.Run(a.Context(), run.ID)
		require.NoError(a, err)
		if now.State != store.RunRunning {
			return now
		}
		a.pass(wait)
	}
	require.Fail(a, "the backfill does not end")
	return run
}

func TestABackfillBringsThePastInAndPassesOverWhatIsKnown(t *testing.T) {
	a := past(t, 60, shopifytest.Options{})
	n := len(a.shop.Orders())
	known := a.today()
	a.send()
	all, unknown, err := a.engine.Unknown(t.Context(), "acme", epoch.Add(-time.Hour), a.Now().Add(time.Second))
	require.NoError(t, err)
	require.Equal(t, []int{n + 1, n}, []int{all, unknown})
	a.pass(time.Second)
	run := a.carryOn(a.backfill())
	require.Equal(t, store.RunDone, run.State, run.Note)
	require.EqualValues(t, n+1, run.Done)
	require.Contains(t, run.Note, "1 of them known already")
	a.settle()
	a.judge()
	require.Equal(t, 1, a.writes(known))
	require.Equal(t, epoch.Add(-time.Hour), a.cursor().BeganAt)
}

// A backfill of some days long ago leaves those between them and the beginning to
// whoever booked them.
func TestABackfillClaimsNothingButItsWindow(t *testing.T) {
	a := past(t, 20, shopifytest.Options{})
	old := a.create()
	a.deliverWebhooksNot()
	a.pass(time.Minute)
	to := a.Now()
	a.pass(40 * 24 * time.Hour)
	later := a.create()
	a.deliverWebhooksNot()
	a.pass(10 * 24 * time.Hour)
	a.reconfigure(func(*Config) {}) // Gapless begins
	run, err := a.engine.StartBackfill(t.Context(), "acme", epoch.Add(-time.Hour), to, "test")
	require.NoError(t, err)
	require.Equal(t, store.RunDone, a.carryOn(run).State)
	r, err := a.engine.Reconcile(t.Context(), "acme", deepPass(a.Now()))
	require.NoError(t, err)
	require.Empty(t, r.Faults, "%v", a.gaps(later))
	a.settle()
	require.Empty(t, a.erp.Live(ref("acme", later.ID)))
	require.Len(t, a.erp.Live(ref("acme", old.ID)), 1)
}

func TestABackfillThatIsCancelledEndsHereAndInShopify(t *testing.T) {
	a := past(t, 20, shopifytest.Options{BulkTime: time.Hour})
	run := a.backfill()
	shop, backfiller := a.engine.shops["acme"], a.backfiller()
	backfiller.step(t.Context())
	begun := a.runOf(run.ID)
	require.NoError(t, a.engine.CancelBackfill(t.Context(), begun, "ann"))
	var place backfillPlace
	require.NoError(t, json.Unmarshal(begun.Data, &place))
	operation, err := shop.Client.BulkOperation(t.Context(), place.Operation)
	require.NoError(t, err)
	require.Contains(t, []shopify.BulkStatus{shopify.BulkCanceling, shopify.BulkCanceled}, operation.Status)
	a.pass(2 * time.Hour)
	require.Zero(t, backfiller.step(t.Context()), "there is none")
	ended := a.runOf(run.ID)
	require.Equal(t, []string{store.RunStopped, "cancelled by ann"}, []string{ended.State, ended.Note})
	require.ErrorIs(t, a.engine.CancelBackfill(t.Context(), begun, "ann"), store.ErrEnded)
	require.Zero(t, a.refetch())
}

// interrupted is a shop that lets something happen while it is asked for a bulk operation.
type interrupted struct {
	ShopClient
	meanwhile func()
}

func (m interrupted) BulkOperation(ctx context.Context, id string) (shopify.BulkOperation, error) {
	o, err := m.ShopClient.BulkOperation(ctx, id)
	m.meanwhile()
	return o, err
}

func TestABackfillThatIsCancelledWhileItIsCarriedOnIsNoFailure(t *testing.T) {
	a := past(t, 20, shopifytest.Options{BulkTime: time.Hour})
	run := a.backfill()
	shop, backfiller := a.engine.shops["acme"], a.backfiller()
	backfiller.step(t.Context())
	begun := a.runOf(run.ID)
	shop.Client = interrupted{a.clients["acme"], func() {
		shop.Client = a.clients["acme"]
		require.NoError(t, a.engine.CancelBackfill(t.Context(), begun, "ann"))
	}}
	a.pass(time.Minute)
	backfiller.step(t.Context())
	require.Zero(t, backfiller.wait, "no wait as after a failure")
	ended := a.runOf(run.ID)
	require.Equal(t, []string{store.RunStopped, "cancelled by ann"}, []string{ended.State, ended.Note})
}

func TestABackfillThatWasKilledGoesOnWhereItWas(t *testing.T) {
	a := past(t, 260, shopifytest.Options{})
	run := a.backfill()
	same, err := a.engine.StartBackfill(t.Context(), "acme", epoch.Add(-time.Hour), run.To, "test")
	require.ErrorIs(t, err, store.ErrRunning)
	require.Equal(t, run.ID, same.ID)
	for range 3 {
		a.backfiller().step(t.Context())
		a.pass(time.Minute)
		a.reconfigure(func(*Config) {}) // a new process
		now, err := a.store.Run(t.Context(), run.ID)
		require.NoError(t, err)
		if now.State == store.RunDone {
			break
		}
		require.Equal(t, store.RunRunning, now.State, "a restart does not end it")
	}
	require.Equal(t, store.RunDone, a.carryOn(run).State)
	a.settle()
	a.judge()
}

func TestTodaysOrdersGoBeforeThoseOfThePast(t *testing.T) {
	a := past(t, 40, shopifytest.Options{})
	a.carryOn(a.backfill())
	today := a.today()
	claims, err := a.store.Claim(t.Context(), "books", 1, "stamp", time.Minute)
	require.NoError(t, err)
	require.Equal(t, today, claims[0].Order.OrderKey)
}

func TestWithoutABulkOperationTheOrdersAreListedAndFetched(t *testing.T) {
	a := past(t, 30, shopifytest.Options{})
	run := a.backfill()
	a.engine.shops["acme"].Client = noBulk{a.clients["acme"]}
	require.Equal(t, store.RunDone, a.carryOn(run).State)
	a.settle()
	a.judge()
}

func TestAnEmptyWindowIsNoBackfill(t *testing.T) {
	a := build(t, setup{})
	_, err := a.engine.StartBackfill(t.Context(), "acme", a.Now(), a.Now(), "test")
	require.ErrorContains(t, err, "empty")
	_, err = a.engine.StartBackfill(t.Context(), "nobody", epoch, a.Now(), "test")
	require.ErrorContains(t, err, "no shop named")
}

// noBulk is a shop whose app may not run bulk operations.
type noBulk struct{ ShopClient }

func (noBulk) BulkOrders(context.Context, shopify.Window) (shopify.BulkOperation, error) {
	return shopify.BulkOperation{}, &shopify.APIError{Codes: []string{"ACCESS_DENIED"}, Message: "access denied for bulkOperationRunQuery"}
}
