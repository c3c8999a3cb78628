package shopifytest

import (
	"encoding/json"
	"maps"
	"slices"
	"time"
)

// Snapshot is what the shop knows for certain of one order.
type Snapshot struct {
	ID        int64
	Name      string
	UpdatedAt time.Time
	Cancelled bool
	Test      bool
	Total     string // current, shop money, with the currency's digits
	Currency  string
	Version   int64 // 1 when placed, one more with every change
}

func snapshot(o *Order) Snapshot {
	return Snapshot{
		ID: o.ID, Name: o.Name(), UpdatedAt: o.UpdatedAt, Cancelled: o.Cancelled(), Test: o.Test,
		Total: fixed(o.Current().Total.Shop, o.Currency), Currency: o.Currency, Version: o.Version,
	}
}

// Orders tells of every order that was not deleted, in the order of placing.
func (s *Shop) Orders() []Snapshot {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Snapshot, len(s.ids))
	for i, id := range s.ids {
		all[i] = snapshot(s.orders[id])
	}
	return all
}

// Order tells of one order; false where there is none.
func (s *Shop) Order(id int64) (Snapshot, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[id]
	if o == nil {
		return Snapshot{}, false
	}
	return snapshot(o), true
}

// Deleted lists the ids of deleted orders.
func (s *Shop) Deleted() []int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.deleted)
}

// REST is the order as a webhook would carry it now; nil where there is none.
func (s *Shop) REST(id int64) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := s.orders[id]
	if o == nil {
		return nil
	}
	return encode(s.rest(o).order())
}

// GraphQL runs a query document past token, budget and outages, with variables
// as encoding/json gives them or Go ints. The answer has the shape of the HTTP
// body: data, errors, or both.
func (s *Shop) GraphQL(text string, variables map[string]any) json.RawMessage {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := newQuery(s.schema, text, "", variables)
	if len(q.errors) > 0 {
		return encode(object{"errors": q.errors})
	}
	return encode(s.execute(q))
}

// execute runs a checked query. The caller holds the lock.
func (s *Shop) execute(q *query) object {
	data, cost := q.run(s)
	answer := object{"data": data}
	if len(q.errors) > 0 {
		answer["errors"] = q.errors
	}
	q.spent = cost
	return answer
}

// Counts tells how often each kind of event happened since the shop opened.
func (s *Shop) Counts() map[Kind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.counts)
}

// Log returns the newest events, oldest first.
func (s *Shop) Log() []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.log)
}
