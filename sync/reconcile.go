package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
	"gapless/sync/report"
)

// Pass is one comparison of the three sides that somebody, or the clock, asks for.
type Pass struct {
	Kind     string     // store.RunReconcile, RunDeep or RunDay
	Axis     store.Axis // by which time orders fall into the window
	From, To time.Time
	Heal     bool   // mend what is found; else only note it
	By       string // who asks
}

// BySchedule is who asks for what happens by the clock.
const BySchedule = "schedule"

// Reconciliation is what a pass saw.
type Reconciliation struct {
	Run      store.Run         `json:"-"`
	Balance  report.Balance    `json:"balance"`
	ByRule   []report.Excluded `json:"by_rule"`
	Faults   map[string]int64  `json:"faults"` // by kind of gap
	Opened   int64             `json:"opened"` // of them, gaps that were not known
	Healing  int64             `json:"healing"`
	Complete bool              `json:"complete"` // all three sides were read whole
	Through  time.Time         `json:"through"`  // later changes were not judged yet
	Notes    []string          `json:"notes"`    // what could not be seen, and what was left out
}

// Balanced says that the pass saw everything and that it adds up.
func (r Reconciliation) Balanced() bool { return r.Complete && r.Balance.Balanced() }

// How much of what looks wrong is looked at twice in one pass. What is beyond
// waits for the next one.
const (
	mostConfirmed = 200 // references looked up in the ERP
	mostUnlisted  = 50  // documents that are too old for the ERP's list, and are looked up
	secondLook    = 500 // orders at once of which a side said nothing
)

// deepest is how far back an ERP's list is asked for, and Shopify shows orders
// to most apps.
const deepest = 60 * 24 * time.Hour

// ruleBefore is the name by which orders are left out that were placed before
// Gapless began with a shop.
const ruleBefore = "placed before Gapless began"

// reconciler is a pass under way.
type reconciler struct {
	*Engine
	shop *Shop
	lane *lane
	pass Pass
	run  store.Run
	comparison
	heads, docs *spool
	out         Reconciliation
	byRule      map[string]*report.Tally
	later       []line // whose other sides lie outside the window
	confirmed   int
	noted       time.Time // when its progress was
	worked      int       // orders since it last gave way
	rested      time.Time // when it last did
	faults      []store.Fault
}

// Reconcile compares Shopify, the store and the ERP over a window, notes what
// differs as gaps, and mends what can be mended. Running it again changes
// nothing. A pass that could not read one side says so in its notes, is not
// complete, and moves nothing.
//
// Shopify is read first and the store last: whatever moves meanwhile makes the
// later side newer, which is told from a fault.
func (e *Engine) Reconcile(ctx context.Context, name string, pass Pass) (Reconciliation, error) {
	r, err := e.begin(ctx, name, pass)
	if err != nil {
		return Reconciliation{}, err
	}
	return r.carryOut(ctx)
}

// begin notes that a pass begins. Whoever begins one must carry it out.
func (e *Engine) begin(ctx context.Context, name string, pass Pass) (*reconciler, error) {
	shop := e.shops[name]
	if shop == nil {
		return nil, fmt.Errorf("there is no shop named %q in the config", name)
	}
	if !pass.From.Before(pass.To) {
		return nil, fmt.Errorf("the window from %s to %s is empty", pass.From.Format(time.RFC3339), pass.To.Format(time.RFC3339))
	}
	r := &reconciler{Engine: e, shop: shop, lane: e.lanes[shop.ERP], pass: pass, heads: newSpool(), docs: newSpool(), byRule: map[string]*report.Tally{},
		run: store.Run{Shop: name, Kind: pass.Kind, By: pass.By, From: pass.From, To: pass.To, Heal: pass.Heal}}
	r.out.Faults, r.out.ByRule, r.out.Notes = map[string]int64{}, []report.Excluded{}, []string{}
	decided, err := e.store.DecidedThrough(ctx)
	if err != nil {
		return nil, err
	}
	r.until, r.tolerance = decided.Add(-shop.Reconcile.Settle), shop.Reconcile.Tolerance
	r.out.Through = earlier(pass.To, earlier(r.until, e.now().Add(-shop.PollOverlap))) // what Shopify's search does not show yet was not compared
	if pass.By == BySchedule {
		state, err := e.store.Shop(ctx, name)
		if err != nil {
			return nil, err
		}
		r.began = state.BeganAt
	}
	if err := e.store.BeginRun(ctx, &r.run); err != nil {
		return nil, fmt.Errorf("reconcile %s: %w", name, err)
	}
	return r, nil
}

// carryOut takes the pass through to its end, and keeps how it ended.
func (r *reconciler) carryOut(ctx context.Context) (Reconciliation, error) {
	defer r.heads.close()
	defer r.docs.close()
	err := r.compare(ctx)
	if ended := r.end(ctx, err); ended != nil {
		err = errors.Join(err, ended)
	}
	if err != nil {
		return r.out, fmt.Errorf("reconcile %s: %w", r.shop.Name, err)
	}
	return r.out, nil
}

func (r *reconciler) compare(ctx context.Context) error {
	r.readShopify(ctx)
	if err := r.readERP(ctx); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	known := r.store.Standings(ctx, r.shop.Name, r.shop.ERP, r.pass.Axis, r.pass.From, r.pass.To)
	for l, err := range merge(r.heads.sorted(), known, r.docs.sorted()) {
		if err != nil {
			return err
		}
		if err := r.line(ctx, l); err != nil {
			return err
		}
	}
	if err := r.lookAgain(ctx); err != nil {
		return err
	}
	return r.note(ctx)
}

// readShopify spools the heads of the window. A failure is noted, and the pass
// goes on with what the other two sides tell.
func (r *reconciler) readShopify(ctx context.Context) {
	window := shopify.Window{By: shopify.Axis(r.pass.Axis), From: r.pass.From, To: r.pass.To}
	err := r.shop.Client.Orders(ctx, window, shopify.Reconcile, func(page []shopify.OrderHead) error {
		for _, h := range page {
			if err := r.heads.add(entryOfHead(h)); err != nil {
				return err
			}
			r.giveWay(ctx)
		}
		r.run.Done += int64(len(page))
		return r.progress(ctx)
	})
	r.shopify = err == nil
	if err != nil {
		r.out.Notes = append(r.out.Notes, "Shopify could not be read whole: "+err.Error())
	}
}

// giveWay lets webhooks go first: while writes wait in the store, a comparison
// rests for longer than it works.
func (r *reconciler) giveWay(ctx context.Context) {
	const stint, most = 200, 100 * time.Millisecond // so many orders are worked through in between
	if r.worked++; r.worked < stint {
		return
	}
	if waiting, _ := r.store.Queued(); waiting > 0 {
		rest := time.NewTimer(min(6*r.now().Sub(r.rested), most))
		defer rest.Stop()
		select {
		case <-rest.C:
		case <-ctx.Done():
		}
	}
	r.worked, r.rested = 0, r.now()
}

// progress notes how far the pass is, once a second.
func (r *reconciler) progress(ctx context.Context) error {
	if r.now().Sub(r.noted) < time.Second {
		return nil
	}
	r.noted = r.now()
	return r.store.SaveRun(ctx, &r.run)
}

// readERP spools the ERP's documents that changed since the window began, or
// since an older one of its orders was written.
func (r *reconciler) readERP(ctx context.Context) error {
	var err error
	if r.listed, err = r.listFrom(ctx); err != nil {
		return err
	}
	r.asked = r.shownSince()
	err = r.lane.Adapter.List(ctx, r.listed, func(f erp.Found) error {
		id, ours := orderOf(r.shop.Name, f.Ref)
		if !ours {
			return nil
		}
		r.giveWay(ctx)
		return r.docs.add(entryOf(id, f))
	})
	r.erp = err == nil
	if err != nil {
		r.out.Notes = append(r.out.Notes, "the ERP could not be read whole: "+err.Error())
	}
	return nil
}

// listFrom is from when on the ERP is to list its documents.
func (r *reconciler) listFrom(ctx context.Context) (time.Time, error) {
	since := r.pass.From.Add(-r.lane.longest() - time.Minute) // clocks differ
	if r.pass.Axis == store.ByCreated {
		return since, nil // nothing was written before it was placed
	}
	n, oldest, err := r.store.Unlisted(ctx, r.shop.Name, r.shop.ERP, r.pass.From, r.pass.To, since)
	if err != nil || n <= mostUnlisted {
		return since, err
	}
	if earliest := r.now().Add(-deepest); oldest.Before(earliest) {
		oldest = earliest
	}
	return oldest.Add(-time.Minute), nil
}

// shownSince is from when on the ERP may not show yet what was written to it.
func (r *reconciler) shownSince() time.Time { return r.now().Add(-r.lane.settle()) }

func entryOfHead(h shopify.OrderHead) entry {
	return entry{order: h.ID, name: h.Name, total: h.Total.String(), currency: h.Currency, created: h.CreatedAt, updated: h.UpdatedAt, cancelled: h.CancelledAt != nil}
}

func entryOf(id int64, f erp.Found) entry {
	return entry{order: id, name: f.ID, version: f.Version, total: amountText(f.Total), currency: f.Currency, updated: f.UpdatedAt, cancelled: f.Cancelled}
}

// orderOf tells the order from a reference, where it is one of this shop's.
func orderOf(shop, reference string) (id int64, ours bool) {
	digits, ours := strings.CutPrefix(reference, shop+"-")
	id, err := strconv.ParseInt(digits, 10, 64)
	return id, ours && err == nil && ref(shop, id) == reference
}

// line judges one order, or puts it aside until its other sides are looked up.
func (r *reconciler) line(ctx context.Context, l line) error {
	r.giveWay(ctx)
	if l.known == nil || l.head == nil {
		if r.later = append(r.later, l); len(r.later) < secondLook {
			return nil
		}
		return r.lookAgain(ctx)
	}
	return r.settle(ctx, l)
}

// lookAgain looks up, in batches, what stands here of orders that only another
// side told of, and asks Shopify by id for those that it did not list.
func (r *reconciler) lookAgain(ctx context.Context) error {
	lines := r.later
	r.later = nil
	if err := r.knownOutside(ctx, lines); err != nil {
		return err
	}
	shown, err := r.shownByShopify(ctx, lines)
	if err != nil {
		return err
	}
	for _, l := range lines {
		shows, asked := shown[l.id]
		switch {
		case asked && shows && l.known == nil: // a copy from a backup does not know it
			if err := r.fault(ctx, store.Fault{Refetch: r.refetch(l.id)}); err != nil {
				return err
			}
			continue
		case asked && !shows && l.known != nil && l.known.DeletedAt.IsZero() && r.now().Sub(l.known.CreatedAt) < deepest:
			l.known.DeletedAt = r.now() // whatever became of it, a person must decide about its document
		}
		if err := r.settle(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// knownOutside adds what stands here of orders outside the window.
func (r *reconciler) knownOutside(ctx context.Context, lines []line) error {
	var keys []store.OrderKey
	for _, l := range lines {
		if l.known == nil {
			keys = append(keys, store.OrderKey{Shop: r.shop.Name, ID: l.id})
		}
	}
	known, err := r.store.StandingsOf(ctx, r.shop.ERP, keys)
	if err != nil {
		return err
	}
	for i, l := range lines {
		if st, ok := known[store.OrderKey{Shop: r.shop.Name, ID: l.id}]; ok && l.known == nil {
			lines[i].known, lines[i].outside = &st, true
		}
	}
	return nil
}

// shownByShopify asks for orders that the list did not show. The map holds those
// that were asked for.
func (r *reconciler) shownByShopify(ctx context.Context, lines []line) (map[int64]bool, error) {
	shown := map[int64]bool{}
	var ids []int64
	for _, l := range lines {
		if l.head == nil && !l.outside {
			ids = append(ids, l.id)
		}
	}
	if len(ids) == 0 || !r.shopify {
		return shown, nil
	}
	heads, err := r.shop.Client.OrdersByID(ctx, ids, shopify.Reconcile)
	if err != nil {
		r.shopify = false
		r.out.Notes = append(r.out.Notes, "Shopify could not be asked for the orders it did not list: "+err.Error())
		return shown, ctx.Err()
	}
	for _, id := range ids {
		shown[id] = false
	}
	for _, h := range heads {
		shown[h.ID] = true
	}
	return shown, nil
}

// settle judges a line and takes it into the balance.
func (r *reconciler) settle(ctx context.Context, l line) error {
	v := r.judge(l)
	if v.kind != "" && !v.ask && v.kind != store.GapParked && r.erp {
		var err error
		if l, v, err = r.confirm(ctx, l, v); err != nil {
			return err
		}
	}
	r.count(l, v)
	if v.kind != "" || v.ask {
		return r.blame(ctx, l, v)
	}
	return nil
}

// confirm looks the reference up before anybody is told that something is wrong:
// lists skip and repeat. Where too much looks wrong at once, the list is believed.
func (r *reconciler) confirm(ctx context.Context, l line, v verdict) (line, verdict, error) {
	unlisted := len(l.docs) == 0 && l.known != nil && l.known.WrittenAt.Before(r.listed)
	if r.confirmed >= mostConfirmed {
		if unlisted { // the list could not show it
			v.class, v.kind = classERP, ""
		}
		return l, v, nil
	}
	r.confirmed++
	asked := r.shownSince()
	found, err := r.lane.lookUp(ctx, ref(r.shop.Name, l.id))
	if err != nil {
		r.erp = false
		r.out.Notes = append(r.out.Notes, "the ERP could not be asked about a document: "+err.Error())
		return l, verdict{class: v.class}, ctx.Err()
	}
	known, err := r.store.StandingsOf(ctx, r.shop.ERP, []store.OrderKey{{Shop: r.shop.Name, ID: l.id}})
	if err != nil {
		return l, v, err
	}
	if st, ok := known[store.OrderKey{Shop: r.shop.Name, ID: l.id}]; ok {
		if st.DeletedAt.IsZero() && l.known != nil {
			st.DeletedAt = l.known.DeletedAt
		}
		l.known = &st
	}
	l.docs = nil
	for _, f := range found {
		l.docs = withDocument(l.docs, entryOf(l.id, f))
	}
	c := r.comparison
	c.asked = asked
	return l, c.judge(l), nil
}

// end records how the pass ended and, where it saw all three sides of all that
// changed, that the window is complete.
func (r *reconciler) end(ctx context.Context, failure error) error {
	r.out.Complete = failure == nil && r.shopify && r.erp
	for _, rule := range slices.Sorted(maps.Keys(r.byRule)) {
		r.out.ByRule = append(r.out.ByRule, report.Excluded{Rule: rule, Tally: *r.byRule[rule]})
	}
	r.run.State = store.RunPartial
	switch {
	case failure != nil && ctx.Err() != nil:
		r.run.State = store.RunStopped
	case failure != nil:
		r.run.State = store.RunFailed
		r.out.Notes = append(r.out.Notes, failure.Error())
	case r.out.Complete:
		r.run.State = store.RunDone
	}
	for _, n := range r.out.Faults {
		r.run.Found += n
	}
	var err error
	if r.run.Data, err = json.Marshal(r.out); err != nil {
		return err
	}
	r.run.Note = strings.Join(r.out.Notes, "; ")
	ctx = context.WithoutCancel(ctx)
	if err := r.store.SaveRun(ctx, &r.run); err != nil {
		return err
	}
	r.out.Run = r.run
	return r.complete(ctx)
}

// complete notes that all changes of the window were compared. A window that
// somebody asked for behind a hole does not count: the next scheduled pass must
// begin before the hole.
func (r *reconciler) complete(ctx context.Context) error {
	if !r.out.Complete || r.pass.Axis != store.ByUpdated {
		return nil
	}
	state, err := r.store.Shop(ctx, r.shop.Name)
	if err != nil {
		return err
	}
	if hole := r.pass.From.After(state.CompleteThrough); hole && !state.CompleteThrough.IsZero() && r.pass.By != BySchedule {
		return nil
	}
	return r.store.Complete(ctx, r.shop.Name, r.pass.From, r.out.Through)
}

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
