package shopifytest

import (
	"cmp"
	"container/heap"
	"encoding/json"
	"net/http"
	"time"
)

// deliveryTimeout is how long Shopify waits for the whole answer.
const deliveryTimeout = 5 * time.Second

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
		events = append(events, s.queueTopic(about, b.body(topic, c, whole), now, now)...)
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
	events := s.queueTopic(Event{Topic: topic, EventID: s.sender.dice.uuid()}, body, now, now)
	s.remember(events)
	s.mu.Unlock()
	s.tell(events)
}

// queueTopic queues a webhook for everyone who subscribed to its topic, to be sent
// at due.
func (s *Shop) queueTopic(about Event, body []byte, now, due time.Time) []Event {
	var events []Event
	for _, sub := range s.sender.subscriptions {
		if sub.Topic != about.Topic {
			continue
		}
		if payload := sub.payload(body); payload != nil {
			about.WebhookID = s.sender.dice.uuid()
			d := &delivery{Event: about, sub: sub, uri: sub.URI, name: sub.Name, body: payload, triggered: due, due: due}
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
