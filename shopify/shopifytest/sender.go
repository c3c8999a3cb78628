package shopifytest

import (
	"bytes"
	"cmp"
	"container/heap"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"time"
)

// deliveryTimeout is how long Shopify waits for the whole answer.
const deliveryTimeout = 5 * time.Second

// retryWaits are the waits before the retries, 4 h in all.
var retryWaits = []time.Duration{
	time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute,
	15 * time.Minute, 30 * time.Minute, 60 * time.Minute, 120 * time.Minute,
}

// sender holds what waits to be sent. Shop.mu guards it.
type sender struct {
	client           *http.Client
	dice             dice
	subscriptions    []*Subscription
	lastSubscription int64
	pending          queue
	lastSeq          uint64
	inFlight         int
	changed          chan struct{} // closed and replaced when pending or inFlight change
}

// delivery is one webhook on its way. It keeps body and address through all
// retries, whatever becomes of order and subscription.
type delivery struct {
	Event     // what is known of it so far
	sub       *Subscription
	uri       string
	name      string // of the subscription
	body      []byte
	triggered time.Time
	due       time.Time
	seq       uint64
	failing   time.Time // since its first attempt failed
	corrupt   bool      // sign the next attempt wrongly
	lost      bool      // give up after the corrupt attempt
}

func newSender(opt Options) sender {
	client := http.Client{Timeout: deliveryTimeout}
	if opt.Client != nil {
		client = *opt.Client
		client.Timeout = cmp.Or(client.Timeout, deliveryTimeout)
	} else {
		client.Transport = http.DefaultTransport.(*http.Transport).Clone()
	}
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return sender{client: &client, dice: newDice(opt), changed: make(chan struct{})}
}

// queue is a heap of deliveries by the time they are due.
type queue []*delivery

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(q[i].due.Compare(q[j].due), cmp.Compare(q[i].seq, q[j].seq)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop are for package heap.
func (q *queue) Push(d any) { *q = append(*q, d.(*delivery)) }

// Pop takes the last element.
func (q *queue) Pop() any {
	old := *q
	d := old[len(old)-1]
	old[len(old)-1] = nil
	*q = old[:len(old)-1]
	return d
}

// snapshotForStale renders the order as it is before a change, in those cases
// where it is to be sent again afterwards.
func (s *sender) snapshotForStale(b restBody) []byte {
	if len(s.subscriptions) == 0 || !s.dice.hit(s.dice.Stale) {
		return nil
	}
	return encode(b.order())
}

// fanOut queues the webhooks of one change. The caller holds the lock.
func (s *Shop) fanOut(o *Order, c Change, before []byte, now time.Time) []Event {
	topics := c.topics(o)
	if !s.wanted(topics) {
		return nil
	}
	b, eventID, events := s.rest(o), s.sender.dice.uuid(), []Event{}
	whole := encode(b.order())
	about := Event{OrderID: o.ID, Order: o.Name(), EventID: eventID}
	for _, topic := range topics {
		about.Topic = topic
		events = append(events, s.queueTopic(about, b.body(topic, c, whole), now)...)
	}
	if before != nil {
		about.Topic, about.EventID = "orders/updated", s.sender.dice.uuid()
		events = append(events, s.queueStale(about, before, now)...)
	}
	return events
}

func (s *Shop) wanted(topics []string) bool {
	for _, sub := range s.sender.subscriptions {
		for _, t := range topics {
			if sub.Topic == t {
				return true
			}
		}
	}
	return false
}

// Send queues a webhook that no order change causes (app/uninstalled, the
// compliance topics, ...) for everyone who subscribed to its topic.
func (s *Shop) Send(topic string, body json.RawMessage) {
	s.mu.Lock()
	now := s.opt.Now()
	events := s.queueTopic(Event{Topic: topic, EventID: s.sender.dice.uuid()}, body, now)
	s.remember(events)
	s.mu.Unlock()
	s.tell(events)
}

func (s *Shop) queueTopic(about Event, body []byte, now time.Time) []Event {
	var events []Event
	for _, sub := range s.sender.subscriptions {
		if sub.Topic != about.Topic {
			continue
		}
		if payload := sub.payload(body); payload != nil {
			about.WebhookID = s.sender.dice.uuid()
			d := &delivery{Event: about, sub: sub, uri: sub.URI, name: sub.Name, body: payload, triggered: now, due: now}
			d.At = now
			events = append(events, s.sender.queue(d)...)
		}
	}
	return events
}

// queueStale queues an older state of an order, to arrive late. Other faults
// leave it alone.
func (s *Shop) queueStale(about Event, before []byte, now time.Time) []Event {
	var events []Event
	for _, sub := range s.sender.subscriptions {
		if sub.Topic != about.Topic {
			continue
		}
		if payload := sub.payload(before); payload != nil {
			about.WebhookID, about.At = s.sender.dice.uuid(), now
			d := &delivery{Event: about, sub: sub, uri: sub.URI, name: sub.Name, body: payload, triggered: now}
			d.due = now.Add(s.sender.dice.within(s.sender.dice.MaxDelay))
			s.sender.push(d)
			events = append(events, d.tells(Stale))
		}
	}
	return events
}

// queue lets the faults loose on a delivery and puts what is left of it, or
// more than it, in the queue.
func (s *sender) queue(d *delivery) []Event {
	f := s.dice
	if f.hit(f.Drop) {
		return []Event{d.tells(Dropped)}
	}
	events := []Event{}
	if f.hit(f.Delay) {
		d.Wait = f.within(f.MaxDelay)
		d.due = d.due.Add(d.Wait)
		events = append(events, d.tells(Delayed))
	} else if f.hit(f.Reorder) {
		d.Wait = f.within(reorderWindow)
		d.due = d.due.Add(d.Wait)
		events = append(events, d.tells(Reordered))
	}
	if f.hit(f.Corrupt) {
		d.corrupt, d.lost = true, f.hit(f.CorruptLost)
	}
	s.push(d)
	events = append(events, d.tells(Queued))
	if f.hit(f.Repeat) {
		s.push(d.copy())
		events = append(events, d.tells(Repeated))
	}
	if f.hit(f.Twin) {
		twin := d.copy()
		twin.WebhookID = f.uuid()
		s.push(twin)
		events = append(events, twin.tells(Twinned))
	}
	return events
}

// copy is the same delivery once more, without a corrupt signature.
func (d *delivery) copy() *delivery {
	c := *d
	c.corrupt, c.lost = false, false
	return &c
}

func (s *sender) push(d *delivery) {
	s.lastSeq++
	d.seq = s.lastSeq
	heap.Push(&s.pending, d)
	s.signal()
}

// signal wakes everyone who waits for the queue.
func (s *sender) signal() {
	close(s.changed)
	s.changed = make(chan struct{})
}

// tells makes an event about the delivery.
func (d *delivery) tells(kind Kind) Event {
	e := d.Event
	e.Kind = kind
	return e
}

// take removes the next delivery that is due at now, or, with all, the next of
// any. Where there is none it says how long until one is due (negative: none
// waits) and gives a channel that tells of changes.
func (s *Shop) take(all bool) (d *delivery, wait time.Duration, changed <-chan struct{}, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.sender.pending
	if q.Len() == 0 {
		return nil, -1, s.sender.changed, s.sender.inFlight > 0
	}
	if wait = (*q)[0].due.Sub(s.opt.Now()); wait > 0 && !all {
		return nil, wait, s.sender.changed, s.sender.inFlight > 0
	}
	s.sender.inFlight++
	return heap.Pop(q).(*delivery), 0, nil, true
}

// Step sends the next delivery that is due by the shop's clock, waits for its
// answer, and says whether there was one. Retries come due later.
func (s *Shop) Step(ctx context.Context) bool {
	d, _, _, _ := s.take(false)
	if d == nil {
		return false
	}
	s.attempt(ctx, d)
	return true
}

// NextDue is when the next delivery is due; false where none waits. A simulator
// moves its clock there and steps.
func (s *Shop) NextDue() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sender.pending.Len() == 0 {
		return time.Time{}, false
	}
	return s.sender.pending[0].due, true
}

// Flush sends everything that waits, now, in the order it would come due,
// retries included, and returns when nothing is pending or under way.
func (s *Shop) Flush(ctx context.Context) error {
	for ctx.Err() == nil {
		d, _, changed, busy := s.take(true)
		switch {
		case d != nil:
			s.attempt(ctx, d)
		case !busy:
			return nil
		default:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err()
}

// Run delivers what comes due, Options.Workers at a time, until ctx ends and
// all its goroutines have.
func (s *Shop) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range s.opt.Workers {
		workers.Go(func() { s.work(ctx) })
	}
	workers.Wait()
	s.Close()
}

// Close drops idle connections to receivers. The shop stays usable.
func (s *Shop) Close() { s.sender.client.CloseIdleConnections() }

func (s *Shop) work(ctx context.Context) {
	for ctx.Err() == nil {
		d, wait, changed, _ := s.take(false)
		if d != nil {
			s.attempt(ctx, d)
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			due = s.opt.After(wait)
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// attempt sends a delivery once and decides what becomes of it.
func (s *Shop) attempt(ctx context.Context, d *delivery) {
	status := s.post(ctx, d)
	s.mu.Lock()
	events := s.settle(ctx, d, status)
	s.sender.inFlight--
	s.sender.signal()
	s.remember(events)
	s.mu.Unlock()
	s.tell(events)
}

// settle books the answer to one attempt. An attempt that we broke off
// ourselves counts for nothing.
func (s *Shop) settle(ctx context.Context, d *delivery, status int) (events []Event) {
	if status == 0 && ctx.Err() != nil {
		s.sender.push(d)
		return nil
	}
	d.Attempt++
	d.Status, d.At = status, s.opt.Now()
	corrupt := d.corrupt
	if corrupt {
		d.corrupt = false
		events = append(events, d.tells(Corrupted))
	}
	if status/100 == 2 {
		d.sub.lastSuccess = d.At
		return append(events, d.tells(Sent))
	}
	events = append(events, d.tells(Failed))
	if corrupt && d.lost {
		return append(events, d.tells(Lost))
	}
	return append(events, s.retry(d)...)
}

// retry queues the next attempt or gives up. A subscription made by the API is
// removed with a delivery that failed to its end, unless another delivery got
// through in the meantime.
func (s *Shop) retry(d *delivery) []Event {
	if d.Attempt == 1 {
		d.failing = d.At
	}
	if d.Attempt <= len(retryWaits) {
		wait := time.Duration(float64(retryWaits[d.Attempt-1]) * s.opt.RetryScale)
		d.due = d.At.Add(wait)
		if s.sender.dice.hit(s.sender.dice.NewID) {
			d.WebhookID = s.sender.dice.uuid()
		}
		s.sender.push(d)
		return nil
	}
	events := []Event{d.tells(Lost)}
	if !d.sub.FromTOML && d.sub.lastSuccess.Before(d.failing) && s.removeSubscription(d.sub.ID) {
		events = append(events, d.tells(Removed))
	}
	return events
}

// post makes the request and returns the status, 0 where no answer came.
func (s *Shop) post(ctx context.Context, d *delivery) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.uri, bytes.NewReader(d.body))
	if err != nil {
		return 0
	}
	signature := sign(s.opt.WebhookSecret, d.body)
	if d.corrupt {
		signature = sign(s.opt.WebhookSecret+"?", d.body)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "Shopify-Captain-Hook",
		"X-Shopify-Topic": d.Topic, "X-Shopify-Hmac-Sha256": signature, "X-Shopify-Shop-Domain": s.opt.Domain,
		"X-Shopify-API-Version": s.opt.APIVersion, "X-Shopify-Webhook-Id": d.WebhookID, "X-Shopify-Event-Id": d.EventID,
		"X-Shopify-Triggered-At": d.triggered.UTC().Format("2006-01-02T15:04:05.000000000Z07:00"),
	} {
		req.Header.Set(name, value)
	}
	if d.name != "" {
		req.Header.Set("X-Shopify-Name", d.name)
	}
	resp, err := s.sender.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return 0
	}
	return resp.StatusCode
}

// sign is Shopify's signature: base64 of HMAC-SHA256 over the raw body.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
