package ordersync

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/shopspring/decimal"
	"golang.org/x/time/rate"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
)

// ShopClient is what the engine asks of a shop; *shopify.Client is one.
type ShopClient interface {
	Order(ctx context.Context, id int64, p shopify.Priority) (json.RawMessage, error)
	Orders(ctx context.Context, w shopify.Window, p shopify.Priority, page func([]shopify.OrderHead) error) error
	OrdersInBulk(ctx context.Context, w shopify.Window, meanwhile func() error, page func([]shopify.OrderHead) error) error
	OrdersByID(ctx context.Context, ids []int64, p shopify.Priority) ([]shopify.OrderHead, error)
	Shop(ctx context.Context) (shopify.Shop, error)
	BulkOrders(ctx context.Context, w shopify.Window) (shopify.BulkOperation, error)
	BulkOperation(ctx context.Context, id string) (shopify.BulkOperation, error)
	BulkCancel(ctx context.Context, id string) error
	ReadBulk(ctx context.Context, o shopify.BulkOperation, skip int, yield func(shopify.BulkOrder) error) error
	Subscribe(ctx context.Context, uri string, topics []string) ([]shopify.SubscriptionChange, error)
	SeenVersion() string
}

// Shop is one Shopify shop.
type Shop struct {
	Name   string
	ERP    string // the ERP that gets its orders
	Client ShopClient
	Domain string // acme.myshopify.com
	// APIVersion is what Client asks for, such as 2026-10.
	APIVersion string
	// Webhooks says whether Shopify can reach us; without, polling is all there is.
	Webhooks    bool
	Poll        PollPace
	PollOverlap time.Duration // how far behind its own clock Shopify's search index may be
	Reconcile   ReconcileConfig
}

// ReconcileConfig says when and how the three sides are compared.
type ReconcileConfig struct {
	Every  time.Duration // 0: only when somebody asks
	Window time.Duration // how far back, at least
	Settle time.Duration // younger changes may still be on their way
	Stuck  time.Duration // an order that waits longer for its ERP is a gap; 0: 15 minutes
	// Tolerance is by how much an ERP's total may differ from Shopify's.
	Tolerance decimal.Decimal
}

// ERP is one ERP and how hard it may be driven.
type ERP struct {
	Name        string
	Adapter     erp.Adapter
	Concurrency int           // calls at once
	Rate        rate.Limit    // attempts, and pages of its list, a second; 0: no limit
	Timeout     time.Duration // of one attempt
	// Longest is how long after it left a request may still take effect,
	// answered or not.
	Longest    time.Duration
	RetryFirst time.Duration // the first wait after a failure; each next one doubles
	RetryMax   time.Duration
	Circuit    CircuitConfig
}

// Config is what an engine works with.
type Config struct {
	Shops []Shop
	ERPs  []ERP
	Rules *erp.Rules
	// WebhookURI is where Shopify reaches us, for the subscriptions; empty: none are made.
	WebhookURI string
	// KeepBodies is how long raw bodies and transcripts are kept; 0: for ever.
	KeepBodies time.Duration
	// Late is the age from which a webhook is old news that another look at
	// Shopify must confirm; 0: two minutes.
	Late time.Duration
	// Drain is how long a stop waits for calls under way; 0: eight seconds.
	Drain  time.Duration
	Report ReportConfig
	Alerts AlertConfig
	// Listening is since when Gapless has been there to take webhooks; zero: from
	// now on. An engine beside the one that runs is told since when that one does.
	Listening time.Time

	Now func() time.Time // nil: time.Now
	// Steady is a clock that nobody sets; nil: the monotonic one that Now's times carry,
	// or else Now is taken to be one.
	Steady func() time.Duration
	Random *rand.Rand // of the jitter and the attempt tokens; nil: seeded by the runtime
	Log    *slog.Logger
}

// Engine carries orders from the store's events to the ERPs.
type Engine struct {
	store *store.Store
	shops map[string]*Shop
	lanes map[string]*lane  // one per ERP
	signs map[string]*signs // one per shop
	rules *erp.Rules
	cfg   Config
	now   func() time.Time
	log   *slog.Logger

	elapsed *elapsed

	mu     sync.Mutex // of random
	random *rand.Rand

	started   time.Time            // when Gapless began to listen
	lastAlert time.Time            // only the schedule touches it
	unchecked map[string]postponed // days whose report could not be made; only the schedule touches it
	bulkFrom  int64                // orders of a deep pass; less in tests
	unpurged  atomic.Bool          // redacted data may still be in the WAL
	metrics   Metrics

	background background // runs that somebody asked for
}

// New returns an engine over an open store.
func New(s *store.Store, cfg Config) (*Engine, error) {
	e := &Engine{store: s, shops: map[string]*Shop{}, lanes: map[string]*lane{}, signs: map[string]*signs{}, unchecked: map[string]postponed{}, bulkFrom: bulkFrom, rules: cfg.Rules, cfg: cfg, log: cfg.Log, random: cfg.Random}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	e.elapsed = newElapsed(cfg.Now, cfg.Steady, cfg.Listening)
	e.now = e.elapsed.now
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if e.random == nil {
		e.random = rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	}
	if e.rules == nil {
		e.rules = &erp.Rules{}
	}
	if e.cfg.Late == 0 {
		e.cfg.Late = 2 * time.Minute
	}
	if e.cfg.Drain == 0 {
		e.cfg.Drain = drainTime
	}
	if e.started = cfg.Listening; e.started.IsZero() {
		e.started = e.now()
	}
	for i := range cfg.ERPs {
		e.lanes[cfg.ERPs[i].Name] = newLane(e, cfg.ERPs[i])
	}
	for i := range cfg.Shops {
		shop := &cfg.Shops[i]
		if shop.Reconcile.Stuck == 0 {
			shop.Reconcile.Stuck = 15 * time.Minute
		}
		if e.lanes[shop.ERP] == nil {
			return nil, fmt.Errorf("shop %s: there is no ERP named %q", shop.Name, shop.ERP)
		}
		e.shops[shop.Name] = shop
		e.signs[shop.Name] = newSigns(shop.Poll.Grace)
	}
	return e, nil
}

// takeBack frees deliveries whose attempts have had their lease, and lets nothing wait
// for a clock that was set back since.
func (e *Engine) takeBack(ctx context.Context) error {
	err := e.elapsed.setBack(func(by time.Duration) error {
		e.log.Warn("the clock was set back; what waits for a moment waits for an earlier one", "by", by)
		return e.waitNoLonger(ctx, by)
	})
	if err != nil {
		return err
	}
	longest := time.Duration(0)
	for _, l := range e.lanes {
		longest = max(longest, l.lease())
	}
	_, err = e.store.TakeBack(ctx, e.elapsed.overBy(longest))
	return err
}

// waitNoLonger brings what waits nearer by as much as the clock was set back, and in
// any case to the longest that anything may wait.
func (e *Engine) waitNoLonger(ctx context.Context, by time.Duration) error {
	longest := 24 * time.Hour
	for _, l := range e.lanes {
		longest = max(longest, l.RetryMax, l.longest())
	}
	return e.store.ClockSetBack(ctx, slices.Sorted(maps.Keys(e.lanes)), by, longest)
}

// begins notes since when a shop's orders are Gapless's to carry, unless it is known.
// It is not where that start lies in the future: a clock that was ahead has noted it.
func (e *Engine) begins(ctx context.Context, shop *Shop) error {
	state, err := e.store.Shop(ctx, shop.Name)
	now := e.now()
	if err != nil || !state.BeganAt.IsZero() && !state.StartedAt.After(now) {
		return err
	}
	return e.store.Began(ctx, shop.Name, now.Add(-shop.Reconcile.Window), now)
}

// Recover takes back what was being sent when the store's last owner died. Only
// the store's owner may call it, once, before any step.
func (e *Engine) Recover(ctx context.Context) error {
	freed, err := e.store.Recover(ctx)
	if err != nil {
		return fmt.Errorf("recover deliveries that were cut off: %w", err)
	}
	if err := e.waitNoLonger(ctx, 0); err != nil {
		return fmt.Errorf("end waits that a clock that was ahead began: %w", err)
	}
	if err := e.store.StopRuns(ctx, true); err != nil {
		return fmt.Errorf("end the runs that were cut off: %w", err)
	}
	for name, signs := range e.signs {
		shop, err := e.store.Shop(ctx, name)
		if err != nil {
			return fmt.Errorf("read what is known of %s: %w", name, err)
		}
		signs.highest = shop.NumberSeen
		if err := e.begins(ctx, e.shops[name]); err != nil {
			return err
		}
	}
	e.unpurged.Store(true) // the last owner may have died before it purged
	if freed > 0 {
		e.log.Info("deliveries were cut off when Gapless last stopped; those that may have reached the ERP are looked up there first", "deliveries", freed)
	}
	return nil
}

// Run recovers, then drives all steps until ctx ends, then lets calls that are
// under way finish and record their results.
func (e *Engine) Run(ctx context.Context) error {
	channels, err := e.channels(ctx)
	if err == nil {
		err = e.Recover(ctx)
	}
	if err != nil {
		if ctx.Err() != nil {
			return nil // stopped before it began: nothing was touched that the next start does not recover
		}
		return err
	}
	var wg sync.WaitGroup
	start := func(step func()) { wg.Go(step) }
	start(func() { e.loop(ctx, store.Events, e.intakeAll) })
	for _, l := range e.lanes {
		start(func() { l.run(ctx) })
		start(func() { e.loop(ctx, 0, l.verifyAll) })
	}
	for _, shop := range e.shops {
		start(func() {
			e.loop(ctx, store.Refetches, func(ctx context.Context) time.Duration { return e.refetchDue(ctx, shop) })
		})
		start(func() { e.loop(ctx, store.Runs, (&backfiller{Engine: e, shop: shop}).step) })
		if shop.Poll.Active > 0 {
			start(func() { e.loop(ctx, 0, (&poller{Engine: e, shop: shop, pace: shop.Poll.Active}).step) })
		}
	}
	for _, channel := range channels { // one that does not answer holds up no other
		start(func() {
			e.loop(ctx, store.Letters, func(ctx context.Context) time.Duration { return e.sendAll(ctx, channel) })
		})
	}
	stop, err := e.schedule(ctx)
	if err != nil {
		return err
	}
	e.background.open(ctx)
	<-ctx.Done()
	stop()
	e.background.close()
	wg.Wait()
	return nil
}

// loop runs step whenever one of topics changes, and again after the time step
// asks for; 0 means: only after a change. A second passes at most, because
// another process may have changed the store.
func (e *Engine) loop(ctx context.Context, topics store.Topic, step func(context.Context) time.Duration) {
	changes, cancel := e.store.Watch(topics)
	defer cancel()
	for {
		wait := step(ctx)
		if wait <= 0 || wait > time.Second {
			wait = time.Second
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-changes:
			timer.Stop()
		case <-timer.C:
		}
	}
}

// jitter draws from [0, d): full jitter, so that what failed together does not
// come back together.
func (e *Engine) jitter(d time.Duration) time.Duration {
	if d <= 0 {
		return 0
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return time.Duration(e.random.Int64N(int64(d)))
}

// stamp is a fresh attempt token.
func (e *Engine) stamp() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return fmt.Sprintf("%016x", e.random.Uint64())
}

// backoff is the wait after the tries-th failure in a row: drawn from zero to
// first×2^tries, at most longest, and at least a tenth of first.
func (e *Engine) backoff(tries int, first, longest time.Duration) time.Duration {
	ceiling := longest
	if tries < 30 && first<<tries < longest {
		ceiling = first << tries
	}
	return max(e.jitter(ceiling), first/10)
}
