package shopifytest

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// received is one webhook as a receiver saw it.
type received struct {
	topic, hook, event, triggered string
	signed                        bool
	body                          string
}

// receiver takes webhooks, checks their signatures and answers as told.
type receiver struct {
	*httptest.Server
	mu     sync.Mutex
	got    []received
	answer func(n int, r received) int // n counts from 1; nil: 200, or 401 for a bad signature
}

func receive(t *testing.T) *receiver {
	t.Helper()
	v := &receiver{}
	v.Server = httptest.NewServer(v)
	t.Cleanup(v.Close)
	return v
}

func (v *receiver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	h := r.Header
	got := received{
		topic: h.Get("X-Shopify-Topic"), hook: h.Get("X-Shopify-Webhook-Id"), event: h.Get("X-Shopify-Event-Id"),
		triggered: h.Get("X-Shopify-Triggered-At"), body: string(body),
		signed: h.Get("X-Shopify-Hmac-Sha256") == sign("pretend-secret", body),
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.got = append(v.got, got)
	switch {
	case v.answer != nil:
		w.WriteHeader(v.answer(len(v.got), got))
	case !got.signed:
		w.WriteHeader(http.StatusUnauthorized)
	}
}

// sending is a shop that sends the topics to a fresh receiver.
func sending(t *testing.T, opt Options, topics ...string) (*Shop, *receiver, *clock) {
	t.Helper()
	c, v := &clock{opened}, receive(t)
	opt.Now, opt.Client = c.now, v.Client()
	s := New(opt)
	for _, topic := range topics {
		s.Subscribe(Subscription{Topic: topic, URI: v.URL})
	}
	return s, v, c
}

func flush(t *testing.T, s *Shop) {
	t.Helper()
	noError(t, s.Flush(t.Context()))
}

func TestOneChangeSendsAllItsTopics(t *testing.T) {
	s, v, _ := sending(t, Options{}, "orders/updated", "orders/create", "refunds/create")
	id := s.Create()
	flush(t, s)
	equal(t, 2, len(v.got), "webhooks")
	create, updated := v.got[0], v.got[1]
	equal(t, "orders/create", create.topic, "first topic")
	equal(t, "orders/updated", updated.topic, "second topic")
	check(t, create.event == updated.event && create.hook != updated.hook, "one event, two deliveries: %+v", v.got)
	check(t, create.signed && updated.signed, "signatures")
	check(t, regexp.MustCompile(`^2026-11-23T10:00:00\.\d{9}Z$`).MatchString(create.triggered), "triggered at %s", create.triggered)
	equal(t, string(s.REST(id)), create.body, "body")
}

func TestFailedDeliveriesAreRetriedWithTheirFirstBody(t *testing.T) {
	s, v, c := sending(t, Options{}, "orders/create")
	v.answer = func(n int, _ received) int { return []int{503, 302, 200}[n-1] }
	id := s.Create()
	body := string(s.REST(id))
	for n, wait := range []time.Duration{0, time.Minute, 2 * time.Minute} {
		due, ok := s.NextDue()
		check(t, ok && due.Equal(c.now().Add(wait)), "attempt %d is due at %s", n+1, due)
		if wait > 0 {
			check(t, !s.Step(t.Context()), "attempt %d came before its time", n+1)
		}
		s.Apply(id, DoTag)
		c.advance(wait)
		check(t, s.Step(t.Context()), "attempt %d did not come", n+1)
	}
	check(t, !s.Step(t.Context()), "a delivery went on after success")
	for _, got := range v.got {
		equal(t, body, got.body, "body")
		equal(t, v.got[0].hook, got.hook, "webhook id")
	}
}

func TestAnAPISubscriptionThatOnlyFailsIsRemoved(t *testing.T) {
	s, v, _ := sending(t, Options{}, "orders/create")
	s.Subscribe(Subscription{Topic: "orders/create", URI: v.URL, FromTOML: true})
	v.answer = func(int, received) int { return 500 }
	s.Create()
	flush(t, s)
	equal(t, 2*9, len(v.got), "attempts: one and eight retries each")
	left := s.Subscriptions()
	check(t, len(left) == 1 && left[0].FromTOML, "left: %+v", left)
	counts := s.Counts()
	check(t, counts[Lost] == 2 && counts[Removed] == 1 && counts[Failed] == 18, "counts: %v", counts)
}

func TestASubscriptionThatSometimesWorksStays(t *testing.T) {
	s, v, _ := sending(t, Options{}, "orders/create", "orders/paid")
	poison := s.Create()
	v.answer = func(_ int, r received) int {
		var doc struct{ ID int64 }
		noError(t, json.Unmarshal([]byte(r.body), &doc))
		if doc.ID == poison {
			return 500
		}
		return 200
	}
	check(t, s.Step(t.Context()), "the first attempt did not come")
	s.Create()
	flush(t, s)
	check(t, slices.ContainsFunc(s.Subscriptions(), func(sub Subscription) bool { return sub.Topic == "orders/create" }), "removed in spite of a success")
}

func TestEveryFaultDoesWhatItSays(t *testing.T) {
	for name, c := range map[string]struct {
		faults Faults
		kind   Kind
		want   int // webhooks received for one new order
		check  func(t *testing.T, s *Shop, got []received)
	}{
		"none": {Faults{}, Sent, 1, nil},
		"drop": {Faults{Drop: 1}, Dropped, 0, nil},
		"repeat": {Faults{Repeat: 1}, Repeated, 2, func(t *testing.T, _ *Shop, got []received) {
			equal(t, got[0], got[1], "copy")
		}},
		"twin": {Faults{Twin: 1}, Twinned, 2, func(t *testing.T, _ *Shop, got []received) {
			check(t, got[0].hook != got[1].hook && got[0].event == got[1].event && got[0].body == got[1].body, "twin: %+v", got)
		}},
		"delay":   {Faults{Delay: 1}, Delayed, 1, nil},
		"reorder": {Faults{Reorder: 1}, Reordered, 1, nil},
		"corrupt": {Faults{Corrupt: 1}, Corrupted, 2, func(t *testing.T, _ *Shop, got []received) {
			check(t, !got[0].signed && got[1].signed, "signatures: %+v", got)
		}},
		"corrupt and lost": {Faults{Corrupt: 1, CorruptLost: 1}, Lost, 1, func(t *testing.T, _ *Shop, got []received) {
			check(t, !got[0].signed, "signature")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			s, v, _ := sending(t, Options{Faults: c.faults}, "orders/create")
			s.Create()
			flush(t, s)
			equal(t, c.want, len(v.got), "webhooks")
			equal(t, 1, s.Counts()[c.kind], string(c.kind))
			if c.check != nil {
				c.check(t, s, v.got)
			}
		})
	}
}

func TestDelayedWebhooksWaitForTheirTime(t *testing.T) {
	s, v, c := sending(t, Options{Faults: Faults{Delay: 1, MaxDelay: time.Hour}}, "orders/create")
	s.Create()
	check(t, !s.Step(t.Context()), "it was not held back")
	due, _ := s.NextDue()
	c.advance(due.Sub(c.now()))
	check(t, s.Step(t.Context()) && len(v.got) == 1, "it never came")
}

func TestReorderedWebhooksOvertakeOneAnother(t *testing.T) {
	s, v, c := sending(t, Options{Faults: Faults{Reorder: 0.5}}, "orders/create", "orders/updated")
	var placed []string
	for range 30 {
		s.Create()
		c.advance(time.Second)
	}
	for _, o := range s.Orders() {
		placed = append(placed, o.Name)
	}
	flush(t, s)
	var came []string
	topicsSwapped := false
	seen := map[string]bool{}
	for _, got := range v.got {
		var doc struct{ Name string }
		noError(t, json.Unmarshal([]byte(got.body), &doc))
		if got.topic == "orders/create" {
			came = append(came, doc.Name)
			topicsSwapped = topicsSwapped || seen[doc.Name]
		}
		seen[doc.Name] = true
	}
	check(t, !slices.Equal(placed, came), "all came in order")
	check(t, topicsSwapped, "no update came before its creation")
	slices.Sort(came)
	equal(t, placed, came, "all came")
}

func TestAStaleBodyIsOlderAndLate(t *testing.T) {
	s, v, c := sending(t, Options{Faults: Faults{Stale: 1}}, "orders/updated")
	id := s.Create()
	before := string(s.REST(id))
	c.advance(10 * time.Second)
	s.Apply(id, DoTag)
	after := string(s.REST(id))
	flush(t, s)
	var bodies []string
	for _, got := range v.got {
		bodies = append(bodies, got.body)
	}
	equal(t, []string{before, after, before}, bodies, "bodies")
	check(t, v.got[2].hook != v.got[0].hook && v.got[2].event != v.got[0].event, "a stale webhook is one of its own")
}

func TestFaultsFollowTheSeedAndLeaveOrdersAlone(t *testing.T) {
	mess := Faults{Drop: .1, Repeat: .1, Twin: .1, Delay: .2, Reorder: .2, Corrupt: .1, CorruptLost: .5, Stale: .1, NewID: .3}
	play := func(f Faults) (got []received, orders []Snapshot) {
		s, v, c := sending(t, Options{Seed: 9, Faults: f}, "orders/create", "orders/updated", "orders/paid")
		for range 60 {
			s.Act()
			for s.Step(t.Context()) {
			}
			c.advance(time.Second)
		}
		flush(t, s)
		return v.got, s.Orders()
	}
	one, orders := play(mess)
	again, _ := play(mess)
	_, calm := play(Faults{})
	equal(t, len(one), len(again), "webhooks")
	for i := range one {
		equal(t, one[i], again[i], "webhook")
	}
	equal(t, calm, orders, "orders with and without faults")
}

func TestSubscriptionsNarrowWhatTheyGet(t *testing.T) {
	s, v, _ := sending(t, Options{})
	s.Subscribe(Subscription{Topic: "orders/create", URI: v.URL, IncludeFields: []string{"id", "updated_at"}})
	s.Subscribe(Subscription{Topic: "orders/create", URI: v.URL, Filter: "no_such_field:1"})
	s.Subscribe(Subscription{Topic: "orders/create", URI: v.URL, Filter: "currency:USD"})
	id := s.Create()
	flush(t, s)
	equal(t, 2, len(v.got), "webhooks")
	var narrow map[string]any
	noError(t, json.Unmarshal([]byte(v.got[0].body), &narrow))
	equal(t, 2, len(narrow), "fields")
	equal(t, string(s.REST(id)), v.got[1].body, "body past the filter")
}

func TestAReceiverThatHangsIsAFailure(t *testing.T) {
	hang := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer hang.Close()
	client := hang.Client()
	client.Timeout = 20 * time.Millisecond
	s := New(Options{Now: func() time.Time { return opened }, Client: client})
	s.Subscribe(Subscription{Topic: "orders/create", URI: hang.URL})
	s.Create()
	check(t, s.Step(t.Context()), "no attempt")
	log := s.Log()
	last := log[len(log)-1]
	check(t, last.Kind == Failed && last.Status == 0 && last.Attempt == 1, "last event: %+v", last)
}

func TestAnAttemptThatWeBreakOffDoesNotCount(t *testing.T) {
	s, v, _ := sending(t, Options{}, "orders/create")
	s.Create()
	over, cancel := context.WithCancel(t.Context())
	cancel()
	check(t, s.Step(over), "no attempt")
	check(t, s.Flush(over) != nil, "Flush must tell that it was stopped")
	equal(t, 0, s.Counts()[Failed], "failures")
	flush(t, s)
	equal(t, 1, len(v.got), "webhooks")
}

func TestRunDeliversAndEndsWithItsContext(t *testing.T) {
	defer goleak.VerifyNone(t, goleak.IgnoreCurrent())
	const orders = 40
	v := &receiver{}
	v.Server = httptest.NewServer(v)
	defer v.Close()
	var heard sync.WaitGroup
	heard.Add(2 * orders)
	s := New(Options{
		Faults: Faults{Delay: .3, Reorder: .3, MaxDelay: time.Millisecond},
		Observer: func(e Event) {
			if e.Kind == Sent {
				heard.Done()
			}
		},
		// Waits are over at once.
		After: func(time.Duration) <-chan time.Time { return time.After(0) },
	})
	s.Subscribe(Subscription{Topic: "orders/create", URI: v.URL})
	s.Subscribe(Subscription{Topic: "orders/updated", URI: v.URL})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	var placing sync.WaitGroup
	for range 4 {
		placing.Go(func() {
			for range orders / 4 {
				s.Create()
			}
		})
	}
	placing.Wait()
	noError(t, s.Flush(t.Context())) // beside Run
	heard.Wait()
	cancel()
	<-ended
	equal(t, 2*orders, len(v.got), "webhooks")
}

func TestEventsSpeakToPeople(t *testing.T) {
	var lines []string
	v := receive(t)
	s := New(Options{Now: func() time.Time { return opened }, Client: v.Client(), Observer: func(e Event) { lines = append(lines, e.String()) }})
	s.Subscribe(Subscription{Topic: "orders/create", URI: v.URL})
	s.Create()
	flush(t, s)
	equal(t, []string{"#1001: create", "#1001: orders/create queued", "#1001: orders/create sent, attempt 1, status 200"}, lines, "narration")
}
