package shopifytest

import (
	"math/rand/v2"
	"time"
)

// APIFaults says how often an API request goes wrong. Each number is a
// probability between 0 and 1; the zero value answers everything well. Faults
// that were ordered with Break come first.
type APIFaults struct {
	Status   float64 // answered with one of Statuses and a page of HTML
	Statuses []int   // default 429, 500, 502, 503, 504; others are 402, 403, 404, 423
	Cut      float64 // the work is done, then the answer breaks off
	Throttle float64 // refused as if the bucket were dry
	Deny     float64 // one of Fields is answered with null and ACCESS_DENIED
	Fields   []string
	Empty    float64 // a page of orders comes without any, though more follow
	Drift    float64 // some orders of a page change as soon as it has been read
	Lag      float64 // searches learn of a change later, by up to MaxLag
	Bulk     float64 // a bulk operation fails, expires or is cancelled

	MaxLag time.Duration // default 1 min
}

func (f *APIFaults) setDefaults() {
	if f.Statuses == nil {
		f.Statuses = []int{429, 500, 502, 503, 504}
	}
	if f.Fields == nil {
		f.Fields = []string{"customer", "email", "phone", "shippingAddress", "billingAddress"}
	}
	if f.MaxLag == 0 {
		f.MaxLag = time.Minute
	}
}

// SetAPIFaults lets other faults meet the API requests from now on.
func (s *Shop) SetAPIFaults(f APIFaults) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.setDefaults()
	s.api.dice.APIFaults = f
}

// apiDice draws API faults from a stream of its own.
type apiDice struct {
	dice
	APIFaults
}

func newAPIDice(opt Options) apiDice {
	return apiDice{dice{Rand: rand.New(rand.NewPCG(opt.Seed, 4))}, opt.APIFaults}
}

// outage is what befalls the next request.
func (d apiDice) outage() Outage {
	o := Outage{}
	switch {
	case d.hit(d.Status):
		o.Status = pick(d.Rand, d.Statuses)
	case d.hit(d.Cut):
		o.Cut = true
	case d.hit(d.Throttle):
		o.Throttle = true
	case d.hit(d.Deny):
		o.Deny = pick(d.Rand, d.Fields)
	case d.hit(d.Empty):
		o.Empty = true
	case d.hit(d.Drift):
		o.Drift = 1 + d.IntN(3)
	}
	return o
}

// end is how a bulk operation ends.
func (d apiDice) end() string {
	if d.hit(d.Bulk) {
		return pick(d.Rand, []string{"FAILED", "CANCELED", "EXPIRED"})
	}
	return "COMPLETED"
}

// slowness is by how much a search learns later of a change than usual.
func (d apiDice) slowness() time.Duration {
	if !d.hit(d.Lag) {
		return 0
	}
	return d.within(d.MaxLag)
}

// Outage is one way in which the API fails a request.
type Outage struct {
	Status   int           // answer this status with an HTML page
	Cut      bool          // do the work, then break off in the middle of the answer
	Slow     time.Duration // wait before answering
	Throttle bool          // refuse as if the bucket were dry
	Deny     string        // answer this field with null and ACCESS_DENIED
	Empty    bool          // answer a page of orders without any, and say that more follow
	Drift    int           // change so many orders of the page as soon as it has been read
	Bulk     string        // how a bulk operation ends that the request starts: FAILED, CANCELED, EXPIRED
}

// Break makes the next n requests fail; calls add up, one after the other. An
// empty outage is a good answer, so that a fault can hit a later request.
func (s *Shop) Break(n int, o Outage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		s.api.outages = append(s.api.outages, o)
	}
}

// Withhold takes fields from the token, as a lost scope does, until it is called
// again: without fields, everything may be read.
func (s *Shop) Withhold(fields ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api.withheld = fields
}

// nextOutage counts a request and says what goes wrong with it.
func (s *Shop) nextOutage() Outage {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api.calls++
	if len(s.api.outages) == 0 {
		return s.api.dice.outage()
	}
	o := s.api.outages[0]
	s.api.outages = s.api.outages[1:]
	return o
}

// broke tells of faults that came to pass.
func (s *Shop) broke(faults ...string) {
	s.mu.Lock()
	var events []Event
	for _, what := range faults {
		events = append(events, Event{At: s.opt.Now(), Kind: Broken, Topic: what})
	}
	s.remember(events)
	s.mu.Unlock()
	s.tell(events)
}
