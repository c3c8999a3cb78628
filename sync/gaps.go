package ordersync

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
)

// foundByPoll and the like say what found a gap, beside the kinds of runs.
const (
	foundByDelivery = "delivery" // the engine, as it tried to deliver
	foundByWebhook  = "webhook"  // a message of Shopify's told of it
	foundByNumbers  = "numbers"  // a hole in the run of order numbers led to it
	foundByLag      = "lag"      // a webhook that came late led to it
	foundBySchedule = "schedule" // a regular look at subscriptions and waiting orders
)

// lost is the fault of an order that a poll found, and of which nothing was heard.
func (e *Engine) lost(ctx context.Context, shop *Shop, head shopify.OrderHead, known store.Order, seen bool, foundBy string) (store.Fault, error) {
	cause, err := e.whyUnheard(ctx, shop, head.UpdatedAt)
	if err != nil {
		return store.Fault{}, err
	}
	f := store.Fault{Gap: store.Gap{
		Shop: shop.Name, OrderID: head.ID, ERP: shop.ERP, Kind: store.GapMissing, About: version(head.UpdatedAt), Cause: cause,
		Detail: fmt.Sprintf("Shopify lists %s, and nothing was heard of it", head.Name), FoundBy: foundBy, Since: head.UpdatedAt,
	}}
	if seen {
		f.Kind, f.Detail = store.GapStale, fmt.Sprintf("Shopify changed %s at %s, and nothing was heard of it after %s", head.Name, version(head.UpdatedAt), version(known.UpdatedAt))
	}
	f.Refetch = &store.Refetch{OrderKey: f.Key(), Reason: reasonPoll, AskedAt: e.now(), NextAt: e.now()}
	return f, nil
}

// whyUnheard says why no webhook told of a change: it was turned away, nobody
// was there to take it, or it never came. One that comes after all changes the
// cause.
func (e *Engine) whyUnheard(ctx context.Context, shop *Shop, since time.Time) (string, error) {
	const around = 5 * time.Minute
	refused, err := e.store.RefusedBetween(ctx, shop.Domain, since.Add(-time.Minute), since.Add(around))
	if err != nil {
		return "", err
	}
	if refused {
		return CauseRefused, nil
	}
	if !since.Before(e.started) {
		return CauseNeverCame, nil
	}
	up, err := e.store.HeardBetween(ctx, since, since.Add(around))
	if err != nil || up {
		return CauseNeverCame, err
	}
	return CauseDown, nil
}

// verifyAgain is how soon the ERP is asked once more about a gap that it still shows.
const verifyAgain = 10 * time.Minute

// VerifyGaps asks the ERPs about gaps whose order has come to rest, and closes
// those that they show healed. It returns how many it asked about.
func (e *Engine) VerifyGaps(ctx context.Context) (asked int, err error) {
	for _, l := range e.lanes {
		n, failed := l.verifyGaps(ctx)
		asked, err = asked+n, errors.Join(err, failed)
	}
	return asked, err
}

// verifyGaps asks about some gaps of one ERP. At the first that it can't tell of
// it stops; the next call begins with another one.
func (l *lane) verifyGaps(ctx context.Context) (asked int, err error) {
	const atOnce = 20
	e := l.engine
	if until, _ := l.circuit.state(); e.now().Before(until) {
		return 0, nil
	}
	gaps, err := e.store.SettledGaps(ctx, l.Name, e.now().Add(-verifyAgain), atOnce)
	if err != nil {
		return 0, err
	}
	for _, g := range gaps {
		if err := e.verifyGap(ctx, l, g); err != nil {
			return asked, fmt.Errorf("verify gap %d in %s: %w", g.ID, l.Name, err)
		}
		asked++
	}
	return asked, nil
}

// verifyAll verifies what there is to verify, and says when to look again.
func (l *lane) verifyAll(ctx context.Context) time.Duration {
	n, err := l.verifyGaps(ctx)
	if err != nil && ctx.Err() == nil {
		l.engine.log.Warn("gaps could not be verified in the ERP; they stay open and are tried again", "err", err)
	}
	if n > 0 && err == nil {
		return time.Millisecond
	}
	return time.Second
}

// verifyGap closes a gap if the ERP shows the order as it should be: once, at
// the version that is wanted, with Shopify's total; or not at all, where the
// order is cancelled, excluded or deleted. An order that moves meanwhile is
// looked at again when it has come to rest.
func (e *Engine) verifyGap(ctx context.Context, l *lane, g store.Gap) error {
	asked := e.now()
	c := comparison{until: asked, tolerance: e.toleranceOf(g.Shop), shopify: true, erp: true}
	it, err := e.sides(ctx, l, g, c)
	if err != nil {
		if ctx.Err() == nil { // the others go first, then
			err = errors.Join(err, e.store.CheckedGap(ctx, g.ID, asked, ""))
		}
		return err
	}
	v := c.judge(it)
	moves := it.known != nil && !it.known.ChangedAt.Before(asked)
	switch {
	case moves, v.class == classPending, v.class == classParked:
		return e.store.CheckedGap(ctx, g.ID, asked, "")
	case v.kind == store.GapOrphan && g.Kind != store.GapOrphan:
		return e.deletedSince(ctx, g, v)
	case v.kind == store.GapOrphan && g.State == store.GapHealing: // nothing but a person can help
		return errors.Join(e.store.CheckedGap(ctx, g.ID, asked, v.detail), e.store.UnhealedGap(ctx, g.ID, v.detail))
	case v.kind != "" || v.ask:
		return e.store.CheckedGap(ctx, g.ID, asked, v.detail)
	}
	return e.healed(ctx, g, it)
}

// deletedSince closes a gap whose order was deleted in Shopify, and notes the one
// that is left: the ERP still holds its document.
func (e *Engine) deletedSince(ctx context.Context, g store.Gap, v verdict) error {
	_, err := e.store.FoundGaps(ctx, g.FoundBy, store.Fault{Gap: store.Gap{
		Shop: g.Shop, OrderID: g.OrderID, ERP: g.ERP, Kind: v.kind, About: v.about, Cause: v.cause, Detail: v.detail, FoundBy: g.FoundBy,
	}})
	if err != nil {
		return err
	}
	return e.store.CloseGap(ctx, g, "its order was deleted in Shopify")
}

// sides are what the ERP, the store and, where they find fault with it or can't
// tell, Shopify say of the order of a gap.
func (e *Engine) sides(ctx context.Context, l *lane, g store.Gap, c comparison) (line, error) {
	it := line{id: g.OrderID}
	found, err := l.lookUp(ctx, ref(g.Shop, g.OrderID))
	if err != nil {
		return it, err
	}
	for _, f := range found {
		it.docs = append(it.docs, entryOf(g.OrderID, f))
	}
	standing, err := e.store.StandingsOf(ctx, g.ERP, []store.OrderKey{g.Key()})
	if err != nil {
		return it, err
	}
	if st, ok := standing[g.Key()]; ok {
		it.known = &st
	}
	shop := e.shops[g.Shop]
	if shop == nil || !doubtful(g, it) && c.judge(it).kind == "" {
		return it, nil
	}
	heads, err := shop.Client.OrdersByID(ctx, []int64{g.OrderID}, shopify.Reconcile)
	switch {
	case err != nil:
		return it, err
	case len(heads) > 0:
		head := entryOfHead(heads[0])
		it.head = &head
	case it.known != nil && e.now().Sub(it.known.CreatedAt) < deepest: // older ones Shopify may hide
		it.known.DeletedAt = e.now()
	}
	return it, nil
}

// doubtful says that only Shopify can tell whether there is such an order still,
// or such a version of it.
func doubtful(g store.Gap, l line) bool {
	return l.known == nil || l.known.DeletedAt.IsZero() && (g.Kind == store.GapOrphan || l.known.UpdatedAt.Before(changed(g)))
}

// changed is the moment of the version that a gap is about; zero: of none.
func changed(g store.Gap) time.Time {
	moment, _, _ := strings.Cut(g.About, "/")
	at, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		return time.Time{}
	}
	return at
}

// healed closes a gap, and says by what it was healed.
func (e *Engine) healed(ctx context.Context, g store.Gap, l line) error {
	byItself := "a webhook or a new version"
	if g.Kind == store.GapOrphan || g.Kind == store.GapDoubled {
		byItself = "a person, in the ERP"
	}
	steps, err := e.store.GapSteps(ctx, g.ID)
	if err != nil {
		return err
	}
	by := byItself
	for _, s := range steps {
		switch s.Step {
		case "healing":
			by = s.By
		case "reopened": // what healed it before did not heal it now
			by = byItself
		}
	}
	switch {
	case g.Kind != store.GapOrphan && (l.known == nil || !l.known.DeletedAt.IsZero()):
		by = "Shopify has no such order any more"
	case l.known != nil && l.known.State == store.StateExcluded:
		by = "the rule " + l.known.Rule
	}
	return e.store.CloseGap(ctx, g, by)
}

// cameLate notes, as the cause of the gap that was made of it, that a webhook
// came after all.
func (e *Engine) cameLate(ctx context.Context, told overdue) error {
	const most = 20
	gaps, err := e.store.Gaps(ctx, store.GapFilter{Shop: told.Shop, OrderID: told.ID, Limit: most})
	if err != nil {
		return err
	}
	for _, g := range gaps {
		unheard := g.Cause == CauseNeverCame || g.Cause == CauseDown
		if unheard && g.About == version(told.changed) && g.FirstSeen.Before(told.received) {
			late := told.received.Sub(told.changed).Round(time.Second)
			err = errors.Join(err, e.store.CauseOfGap(ctx, g.ID, CauseLate, fmt.Sprintf("the webhook %s came %s late", told.topic, late)))
		}
	}
	return err
}

func (e *Engine) toleranceOf(shop string) decimal.Decimal {
	if s := e.shops[shop]; s != nil {
		return s.Reconcile.Tolerance
	}
	return decimal.Zero
}

// FindStuck notes a shop's orders that wait for their ERP for too long. It returns
// how many it noted.
func (e *Engine) FindStuck(ctx context.Context, name string) (int, error) {
	const atOnce = 200
	shop := e.shops[name]
	stuck, err := e.store.Stuck(ctx, name, shop.ERP, e.now().Add(-shop.Reconcile.Stuck), atOnce)
	if err != nil {
		return 0, err
	}
	faults := make([]store.Fault, len(stuck))
	for i, d := range stuck {
		faults[i].Gap = store.Gap{
			Shop: d.Shop, OrderID: d.DeliveryKey.ID, ERP: d.ERP, Kind: store.GapStuck, About: d.Wanted, Cause: CauseERPFailed,
			Detail: "on its way since " + version(d.Since) + ": " + cmp.Or(d.Reason, "it was not its turn yet"), FoundBy: foundBySchedule, Since: d.Since,
		}
	}
	return e.store.FoundGaps(ctx, foundBySchedule, faults...)
}

// ErrNoGap says that there is no such gap, or that it is closed.
var ErrNoGap = errors.New("there is no such gap, or it is closed")

// ReplayGaps sets in motion, at a person's word, what is to mend gaps: orders are
// asked for, verified and sent again; subscriptions are made; a silent shop is
// polled. It returns how many it set in motion.
func (e *Engine) ReplayGaps(ctx context.Context, ids []int64, by string) (int64, error) {
	gaps := make([]store.Gap, len(ids))
	for i, id := range ids {
		var err error
		if gaps[i], err = e.store.Gap(ctx, id); err != nil {
			return 0, err
		}
	}
	started, err := e.store.HealGaps(ctx, by, gaps...)
	if err != nil {
		return 0, err
	}
	for _, g := range gaps {
		switch {
		case g.State == store.GapClosed || e.shops[g.Shop] == nil:
		case g.Kind == store.GapSubscription:
			err = errors.Join(err, e.Subscribe(ctx, g.Shop))
		case g.Kind == store.GapSilence:
			_, polled := e.Poll(ctx, g.Shop)
			err = errors.Join(err, polled)
		}
	}
	return started, err
}

// IgnoreGap leaves a gap as it is, with a reason and a name to it.
func (e *Engine) IgnoreGap(ctx context.Context, id int64, by, reason string) error {
	if strings.TrimSpace(reason) == "" {
		return errors.New("say why the gap is ignored")
	}
	done, err := e.store.IgnoreGap(ctx, id, by, reason)
	if err == nil && !done {
		return ErrNoGap
	}
	return err
}

// IgnoreGaps leaves gaps as they are, with a reason and a name to it: all of them, or
// none where one does not exist. It returns how many; closed ones need nothing.
func (e *Engine) IgnoreGaps(ctx context.Context, ids []int64, by, reason string) (int64, error) {
	if strings.TrimSpace(reason) == "" {
		return 0, errors.New("say why the gaps are ignored")
	}
	return e.store.IgnoreGaps(ctx, by, reason, ids...)
}

// lookUp asks the ERP for a reference, within its limits.
func (l *lane) lookUp(ctx context.Context, reference string) ([]erp.Found, error) {
	if err := l.limiter.Wait(ctx); err != nil {
		return nil, err
	}
	leave, err := l.line.take(ctx)
	if err != nil {
		return nil, err
	}
	release, err := l.slots.take(ctx)
	leave()
	if err != nil {
		return nil, err
	}
	defer release()
	ctx, cancel := context.WithTimeout(ctx, l.Timeout)
	defer cancel()
	return l.Adapter.Lookup(ctx, reference, nil)
}
