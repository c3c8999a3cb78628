package tryton

import (
	"sync"
	"time"
)

// keepFor is how long an id found by code is believed. Only finds are kept: a
// product that someone creates after a refusal is seen at once.
const keepFor = 5 * time.Minute

// record is an id in Tryton and, of a product, the unit it is sold in.
type record struct {
	id, unit int64
}

// cache keeps records under what they were found by ("product MUG-01").
type cache struct {
	now func() time.Time

	mu   sync.Mutex
	kept map[string]kept
}

type kept struct {
	record
	until time.Time
}

// maxKept bounds the cache; a full one starts over.
const maxKept = 10_000

func newCache(now func() time.Time) *cache {
	return &cache{now: now, kept: map[string]kept{}}
}

func (c *cache) get(key string) (record, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, found := c.kept[key]
	return k.record, found && c.now().Before(k.until)
}

func (c *cache) put(key string, r record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.kept) >= maxKept {
		clear(c.kept)
	}
	c.kept[key] = kept{r, c.now().Add(keepFor)}
}

// clear forgets everything: Tryton refused something that rests on it.
func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.kept)
}
