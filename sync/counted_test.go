package ordersync

import (
	"context"
	"slices"
	"sync"

	"gapless/erp"
)

// counted is an adapter that counts the calls under way.
type counted struct {
	erp.Adapter

	mu    sync.Mutex
	busy  map[string]int // by reference
	now   int
	most  int // at the busiest moment
	twice []string
}

// beside stands for the reference of look-ups that are no part of a delivery.
const beside = ""

// Deliver counts one call.
func (c *counted) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	defer c.enter(doc.Ref)()
	return c.Adapter.Deliver(ctx, doc, t)
}

// Lookup counts one call. One that keeps no transcript is no part of a delivery:
// it only sees whether a gap is closed, and may do so beside any other.
func (c *counted) Lookup(ctx context.Context, reference string, t *erp.Transcript) ([]erp.Found, error) {
	counted := reference
	if t == nil {
		counted = beside
	}
	defer c.enter(counted)()
	return c.Adapter.Lookup(ctx, reference, t)
}

func (c *counted) enter(reference string) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.busy == nil {
		c.busy = map[string]int{}
	}
	c.busy[reference]++
	if c.busy[reference] > 1 && reference != beside {
		c.twice = append(c.twice, reference)
	}
	c.now++
	c.most = max(c.most, c.now)
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.busy[reference]--
		c.now--
	}
}

// overlaps are the references for which two calls were under way at once.
func (c *counted) overlaps() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.twice)
}

// busiest is how many calls were under way at once.
func (c *counted) busiest() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.most
}
