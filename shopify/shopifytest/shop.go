package shopifytest

import (
	"cmp"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"time"
)

// shopID is the number of a pretend shop that is given none.
const shopID = 548380009

// Options says what a Shop is like. The zero value is a well-behaved shop.
type Options struct {
	Seed   uint64 // of orders, changes and faults
	ID     int64  // in Shopify; default 548380009
	Domain string // default "pretend.myshopify.com"
	Market Market // default DefaultMarket
	Zone   *time.Location
	Now    func() time.Time // default time.Now

	// AccessToken opens the Admin API; default "pretend-token". ClientID and
	// ClientSecret open the client credentials grant, whose tokens live for
	// TokenTTL (default 86,399 s).
	AccessToken  string
	ClientID     string
	ClientSecret string
	TokenTTL     time.Duration

	APIVersion  string        // the newest the shop serves; default "2026-10"
	IndexLag    time.Duration // by which searches trail the orders
	BucketSize  int           // cost points; default 2000
	RestoreRate int           // points a second; default 100
	MaxCost     int           // of one query; default 1000
	BulkTime    time.Duration // that a bulk operation takes; default 10 s
	BulkLimit   int           // bulk operations at once; default 5

	WebhookSecret string // signs webhooks; default "pretend-secret"
	// Client posts webhooks: 5 s for a whole answer unless it says otherwise,
	// and redirects are never followed.
	Client *http.Client
	// RetryScale shrinks or stretches the waits between retries, which take 4 h
	// in all at 1, the default.
	RetryScale float64
	Workers    int // that deliver at once in Run; default 8
	Faults     Faults
	APIFaults  APIFaults
	// After is how Run and slow answers wait; default time.After.
	After func(time.Duration) <-chan time.Time

	// Observer hears of every change and delivery, one at a time, after it
	// happened. It may call the shop's oracle but not change the shop.
	Observer func(Event)
	KeepLog  int // events that Log remembers; default 10,000
}

// Shop is one pretend shop. All methods are safe for concurrent use.
type Shop struct {
	opt    Options
	schema schema

	mu      sync.Mutex // guards all below
	gen     *Generator
	r       *rand.Rand // chooses orders to change
	orders  map[int64]*Order
	ids     []int64         // in the order of placing
	refunds map[int64]int64 // refund id to order id
	deleted []int64
	index   index
	api     api
	bulk    []*bulkOperation
	sender  sender
	log     []Event
	counts  map[Kind]int

	observing sync.Mutex // so that events are heard one at a time
}

// New opens a shop without orders and without subscriptions.
func New(opt Options) *Shop {
	opt.setDefaults()
	s := &Shop{
		opt: opt, schema: newSchema(),
		r:      rand.New(rand.NewPCG(opt.Seed, 2)),
		orders: map[int64]*Order{}, refunds: map[int64]int64{}, counts: map[Kind]int{},
	}
	s.gen = NewGenerator(rand.New(rand.NewPCG(opt.Seed, 1)), opt.Market)
	s.index = index{lag: opt.IndexLag, known: map[int64]int64{}}
	s.api = newAPI(opt)
	s.sender = newSender(opt)
	return s
}

func (o *Options) setDefaults() {
	o.ID = cmp.Or(o.ID, shopID)
	o.Domain = cmp.Or(o.Domain, "pretend.myshopify.com")
	o.AccessToken = cmp.Or(o.AccessToken, "pretend-token")
	o.WebhookSecret = cmp.Or(o.WebhookSecret, "pretend-secret")
	o.APIVersion = cmp.Or(o.APIVersion, "2026-10")
	o.TokenTTL = cmp.Or(o.TokenTTL, 86_399*time.Second)
	o.BucketSize = cmp.Or(o.BucketSize, 2000)
	o.RestoreRate = cmp.Or(o.RestoreRate, 100)
	o.MaxCost = cmp.Or(o.MaxCost, 1000)
	o.BulkTime = cmp.Or(o.BulkTime, 10*time.Second)
	o.BulkLimit = cmp.Or(o.BulkLimit, 5)
	o.RetryScale = cmp.Or(o.RetryScale, 1)
	o.Workers = cmp.Or(o.Workers, 8)
	o.KeepLog = cmp.Or(o.KeepLog, 10_000)
	if o.Market.Catalog == nil {
		o.Market = DefaultMarket()
	}
	if o.Zone == nil {
		o.Zone = time.FixedZone("", -5*60*60)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.After == nil {
		o.After = time.After
	}
	o.APIFaults.setDefaults()
}

// Create places an order and returns its id.
func (s *Shop) Create() int64 {
	s.mu.Lock()
	o := s.gen.New(s.opt.Now())
	s.orders[o.ID] = o
	s.ids = append(s.ids, o.ID)
	events := s.publish(o, Change{Action: DoCreate}, nil)
	s.mu.Unlock()
	s.tell(events)
	return o.ID
}

// Apply makes one kind of change to an order; false where there is no such
// order or its state does not allow it.
func (s *Shop) Apply(id int64, a Action) bool {
	if a == DoDelete {
		return s.Delete(id)
	}
	return s.change(id, func(o *Order, at time.Time) (Change, bool) { return s.gen.Apply(o, a, at) })
}

// Mutate makes some change that fits the order's state.
func (s *Shop) Mutate(id int64) bool {
	return s.change(id, func(o *Order, at time.Time) (Change, bool) { return s.gen.Mutate(o, at), true })
}

// Act does what happens next in a living shop: it places an order, or changes
// one of the newest, and returns its id.
func (s *Shop) Act() int64 {
	s.mu.Lock()
	id := int64(0)
	if n := len(s.ids); n > 0 && s.r.IntN(100) < 45 {
		id = s.ids[n-1-s.r.IntN(min(n, 50))]
	}
	s.mu.Unlock()
	if id == 0 || !s.Mutate(id) {
		return s.Create()
	}
	return id
}

// Delete removes an order. Shopify then knows only its id, and sends no more.
func (s *Shop) Delete(id int64) bool {
	return s.change(id, func(o *Order, _ time.Time) (Change, bool) {
		delete(s.orders, id)
		s.ids = slices.DeleteFunc(s.ids, func(other int64) bool { return other == id })
		s.deleted = append(s.deleted, id)
		s.index.drop(id)
		return Change{Action: DoDelete}, true
	})
}

func (s *Shop) change(id int64, apply func(*Order, time.Time) (Change, bool)) bool {
	s.mu.Lock()
	o := s.orders[id]
	if o == nil {
		s.mu.Unlock()
		return false
	}
	before := s.sender.snapshotForStale(s.rest(o))
	c, ok := apply(o, s.opt.Now())
	var events []Event
	if ok {
		events = s.publish(o, c, before)
	}
	s.mu.Unlock()
	s.tell(events)
	return ok
}

// publish indexes an order that changed and queues its webhooks. The caller
// holds the lock.
func (s *Shop) publish(o *Order, c Change, before []byte) []Event {
	now := s.opt.Now()
	if c.Refund != nil {
		s.refunds[c.Refund.ID] = o.ID
	}
	if c.Action != DoDelete {
		s.index.note(o, now, s.api.dice.slowness())
	}
	events := []Event{{At: now, Kind: Changed, Action: c.Action, OrderID: o.ID, Order: o.Name()}}
	events = append(events, s.fanOut(o, c, before, now)...)
	s.remember(events)
	return events
}

// remember counts events and keeps the newest. The caller holds the lock.
func (s *Shop) remember(events []Event) {
	for _, e := range events {
		s.counts[e.Kind]++
	}
	s.log = append(s.log, events...)
	if over := len(s.log) - 2*s.opt.KeepLog; over > 0 {
		s.log = slices.Clone(s.log[len(s.log)-s.opt.KeepLog:])
	}
}

// tell hands events to the observer. The caller does not hold the lock.
func (s *Shop) tell(events []Event) {
	if s.opt.Observer == nil {
		return
	}
	s.observing.Lock()
	defer s.observing.Unlock()
	for _, e := range events {
		s.opt.Observer(e)
	}
}

func (s *Shop) rest(o *Order) restBody {
	return restBody{o: o, zone: s.opt.Zone, shop: s.opt.Domain}
}
