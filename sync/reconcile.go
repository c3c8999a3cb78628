package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

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

// Reconciliation is what a pass saw.
type Reconciliation struct {
	Run     store.Run         `json:"-"`
	Balance report.Balance    `json:"balance"`
	ByRule  []report.Excluded `json:"by_rule"`
	Faults  map[string]int64  `json:"faults"`  // by kind of gap
	Opened  int64             `json:"opened"`  // of them, gaps that were not known
	Ignored int64             `json:"ignored"` // and those that a person left as they are
	// IgnoredStuck are orders on the way for too long that a person left as they are;
	// the balance does not count them as overdue.
	IgnoredStuck int64     `json:"ignored_stuck"`
	Healing      int64     `json:"healing"`
	Complete     bool      `json:"complete"` // all three sides were read whole
	Through      time.Time `json:"through"`  // later changes were not judged yet
	Notes        []string  `json:"notes"`    // what could not be seen, and what was left out
	Turn         int64     `json:"turn"`     // the last order whose turn it was to be looked up in the ERP; 0: none had one yet
}

// Balanced says that the pass saw everything and that it adds up.
func (r Reconciliation) Balanced() bool { return r.Complete && r.Balance.Balanced() }

// How much of what looks wrong is looked at twice in one pass. Beyond it, the list
// is believed; what is too old for the list has its turn in a later pass.
const (
	mostConfirmed = 200 // references looked up in the ERP, and as many more that are too old for its list
	mostUnlisted  = 50  // documents that only a longer list of the ERP's would show, before it is asked for
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
	ignored     map[int64]string // orders whose being stuck a person ignored: in which version
	later       []line           // whose other sides lie outside the window
	confirmed   int
	after       int64     // the last order whose turn it was in the pass before
	old         []line    // whose turn it is in this pass; see takeTurn
	unseen      int       // whose turn it was not
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
	state, err := e.store.Shop(ctx, name)
	if err != nil {
		return nil, err
	}
	r.until, r.tolerance = decided.Add(-shop.Reconcile.Settle), shop.Reconcile.Tolerance
	if !shop.Webhooks && shop.Poll.Active > 0 { // what the next poll is to find is on its way
		polled := state.PolledAt
		if state.PollError != "" {
			polled = state.PollCursor // as far as the last one came that did not fail
		}
		r.until = earlier(r.until, polled.Add(-shop.PollOverlap))
	}
	r.out.Through = earlier(pass.To, earlier(r.until, e.now().Add(-shop.PollOverlap))) // what Shopify's search does not show yet was not compared
	// Who looks at an old day does not claim its orders.
	if pass.By == store.BySchedule || pass.Kind == store.RunDay {
		r.began = state.BeganAt
	}
	if r.out.Turn, err = e.lastTurn(ctx, name, pass.Kind); err != nil {
		return nil, err
	}
	r.after = r.out.Turn
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
	r.allowed = r.now().Add(-r.shop.Reconcile.Stuck)
	var err error
	if r.ignored, err = r.store.IgnoredStuck(ctx, r.shop.Name, r.shop.ERP); err != nil {
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
	if err := r.lookUpOld(ctx); err != nil {
		return err
	}
	return r.note(ctx)
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

// settle judges a line, once what looks wrong was looked up. Where too much looks
// wrong at once, the list is believed.
func (r *reconciler) settle(ctx context.Context, l line) error {
	v := r.judge(l)
	switch wrong := v.kind != "" && !v.ask && v.kind != store.GapParked && r.erp; {
	case wrong && r.tooOld(l):
		return r.takeTurn(ctx, l)
	case wrong && r.confirmed < mostConfirmed:
		r.confirmed++
		var err error
		if l, v, err = r.confirm(ctx, l, v); err != nil {
			return err
		}
	}
	return r.enter(ctx, l, v)
}

// enter takes a line into the balance, and notes what is wrong with it.
func (r *reconciler) enter(ctx context.Context, l line, v verdict) error {
	r.count(l, v)
	if v.kind != "" || v.ask {
		return r.blame(ctx, l, v)
	}
	return nil
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
// begin before the hole. Nor does a pass that only looked: what the ERP holds rightly
// and a copy from a backup does not know is no gap, and was not asked for.
func (r *reconciler) complete(ctx context.Context) error {
	if !r.out.Complete || !r.pass.Heal || r.pass.Axis != store.ByUpdated {
		return nil
	}
	state, err := r.store.Shop(ctx, r.shop.Name)
	if err != nil {
		return err
	}
	if hole := r.pass.From.After(state.CompleteThrough); hole && !state.CompleteThrough.IsZero() && r.pass.By != store.BySchedule {
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
