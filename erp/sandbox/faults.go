package sandbox

import (
	"math/rand"
	"sync"
	"time"
)

// Fault is one way in which a write to the sandbox goes wrong.
type Fault string

const (
	Down       Fault = "down"        // refused for now, no effect
	Busy       Fault = "busy"        // told to come back after BusyFor, no effect
	Refused    Fault = "refused"     // refused for good, no effect
	HangBefore Fault = "hang before" // no answer until the caller gives up, no effect
	HangAfter  Fault = "hang after"  // no answer until the caller gives up, done
	CutBefore  Fault = "cut before"  // no answer, no effect
	CutAfter   Fault = "cut after"   // no answer, done
	Ignored    Fault = "ignored"     // "ok", and no effect
	none       Fault = ""
)

// BusyFor is how long Busy asks to wait.
const BusyFor = 7 * time.Second

// allFaults fixes the order in which a mix is drawn from.
var allFaults = []Fault{Down, Busy, Refused, HangBefore, HangAfter, CutBefore, CutAfter, Ignored}

// Faults gives faults a probability each, together at most 1.
type Faults map[Fault]float64

// troubles decides what each write meets: first what was planned, then by chance.
type troubles struct {
	mu     sync.Mutex
	random *rand.Rand
	mix    Faults
	plan   []planned
}

type planned struct {
	fault Fault
	met   chan struct{}
}

func (t *troubles) set(mix Faults) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.mix = mix
}

func (t *troubles) next(f Fault) <-chan struct{} {
	t.mu.Lock()
	defer t.mu.Unlock()
	met := make(chan struct{})
	t.plan = append(t.plan, planned{f, met})
	return met
}

// draw is the fault for one write; met is to be closed when it struck.
func (t *troubles) draw() planned {
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.plan) > 0 {
		first := t.plan[0]
		t.plan = t.plan[1:]
		return first
	}
	drawn, x := none, t.random.Float64()
	for _, f := range allFaults {
		if x -= t.mix[f]; x < 0 {
			drawn = f
			break
		}
	}
	return planned{drawn, make(chan struct{})}
}
