package ordersync

import (
	"sync"
	"time"
)

// Metrics counts what the engine has done since it started.
type Metrics struct {
	mu       sync.Mutex
	events   int64
	accepted int64
	fetched  int64
	attempts map[AttemptKind]AttemptCount
}

// AttemptKind names a count of attempts.
type AttemptKind struct{ ERP, Result string }

// AttemptCount is how many attempts there were and how long they took together.
type AttemptCount struct {
	Count int64
	Took  time.Duration
}

// MetricsSnapshot is what Metrics holds at one moment.
type MetricsSnapshot struct {
	Events   int64 // taken in
	Accepted int64 // of them, versions of orders that were new
	Fetched  int64 // orders asked for by id
	Attempts map[AttemptKind]AttemptCount
	Circuits map[string]Circuit       // by ERP
	Paces    map[string]time.Duration // by shop: the time between polls at present
}

// Circuit is the state of one ERP's circuit.
type Circuit struct {
	Until  time.Time // zero: closed
	Reason string
}

// Metrics returns the counts.
func (e *Engine) Metrics() MetricsSnapshot {
	m := &e.metrics
	m.mu.Lock()
	defer m.mu.Unlock()
	snapshot := MetricsSnapshot{Events: m.events, Accepted: m.accepted, Fetched: m.fetched, Attempts: map[AttemptKind]AttemptCount{}, Circuits: map[string]Circuit{}, Paces: map[string]time.Duration{}}
	for k, c := range m.attempts {
		snapshot.Attempts[k] = c
	}
	for name, l := range e.lanes {
		until, reason := l.circuit.state()
		snapshot.Circuits[name] = Circuit{until, reason}
	}
	for name, shop := range e.shops {
		if shop.Poll.Active > 0 {
			snapshot.Paces[name] = e.signs[name].presentPace()
		}
	}
	return snapshot
}

func (m *Metrics) intake(events, accepted int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.events += int64(events)
	m.accepted += int64(accepted)
}

func (m *Metrics) refetched() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fetched++
}

func (m *Metrics) attempted(name, result string, took time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.attempts == nil {
		m.attempts = map[AttemptKind]AttemptCount{}
	}
	k := AttemptKind{name, result}
	c := m.attempts[k]
	c.Count++
	c.Took += took
	m.attempts[k] = c
}
