package store

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"maps"
	"slices"
)

// key identifies a webhook delivery: a hash of shop and X-Shopify-Webhook-Id.
type key [16]byte

func keyOf(shop, webhookID string) key {
	sum := sha256.Sum256([]byte(shop + "\x00" + webhookID))
	return key(sum[:16])
}

// dedupe answers "was this webhook stored before?" for ever, exactly, without a
// random index write in each commit. Webhook ids are random, so a unique index
// would dirty one page an event. Instead new keys are kept in memory, and
// folded into the table seen sorted, a slice of neighbours a commit, so that
// many keys share a page. After a crash the keys in memory are read again from
// the events that are not yet folded.
//
// Only the writer uses it, so it needs no lock.
type dedupe struct {
	guest    bool             // the owner of the database folds
	limit    int              // recentLimit, less in tests
	slice    int              // foldSlice, less in tests
	recent   map[key]struct{} // committed, not yet being folded
	recentTo int64            // the newest committed event
	group    map[key]struct{} // of the group under way
	groupTo  int64            // its newest event, 0: none

	pending  map[key]struct{} // being folded
	folding  []key            // the same keys, sorted; those from folded on still need their row in seen
	foldTo   int64            // the newest event among them
	folded   int
	foldFrom int // folded, as of the last commit
}

const (
	recentLimit = 32_768 // keys gathered before a fold: about 2 MB
	foldSlice   = 256    // keys folded in one commit
)

// loadDedupe reads the keys that were not folded before the last stop.
func loadDedupe(ctx context.Context, conn *sql.Conn, guest bool) (*dedupe, error) {
	d := &dedupe{guest: guest, limit: recentLimit, slice: foldSlice, recent: map[key]struct{}{}, group: map[key]struct{}{}}
	rows, err := conn.QueryContext(ctx, `SELECT id, shop, webhook_id FROM events
		WHERE id > (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'folded')
		AND webhook_id <> '' ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("read recent webhook ids: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var shop, id string
		if err := rows.Scan(&d.recentTo, &shop, &id); err != nil {
			return nil, err
		}
		d.recent[keyOf(shop, id)] = struct{}{}
	}
	return d, rows.Err()
}

var findSeen = forRows(`SELECT key FROM seen WHERE key IN (`, `?`, `)`)

// fresh returns those of a group's events that were not stored before, marks
// the others, and remembers the fresh ones for the group under way.
func (d *dedupe) fresh(t *tx, group []*write) (fresh []*write, err error) {
	var unknown []key
	for _, x := range group {
		if x.event != nil && x.event.WebhookID != "" && !d.remembers(x.key) {
			unknown = append(unknown, x.key)
		}
	}
	seen, err := findKeys(t, unknown)
	if err != nil {
		return nil, err
	}
	for _, x := range group {
		if x.event == nil {
			continue
		}
		if x.event.WebhookID != "" {
			if x.duplicate = d.remembers(x.key) || seen[x.key]; x.duplicate {
				continue
			}
			d.group[x.key] = struct{}{}
		}
		fresh = append(fresh, x)
	}
	return fresh, nil
}

// remembers says whether k is in memory.
func (d *dedupe) remembers(k key) bool {
	for _, known := range []map[key]struct{}{d.group, d.recent, d.pending} {
		if _, ok := known[k]; ok {
			return true
		}
	}
	return false
}

// findKeys returns those of keys that were folded.
func findKeys(t *tx, keys []key) (map[key]bool, error) {
	found := map[key]bool{}
	err := batches(keys, func(part []key) error {
		args := make([]any, len(part))
		for i := range part {
			args[i] = part[i][:]
		}
		rows, err := t.query(findSeen[len(part)], args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var k []byte
			if err := rows.Scan(&k); err != nil {
				return err
			}
			found[key(k)] = true
		}
		return rows.Err()
	})
	return found, err
}

// appended notes the newest event of the group under way.
func (d *dedupe) appended(id int64) { d.groupTo = id }

// keep follows a commit: the group's keys are durable with their events.
func (d *dedupe) keep() {
	d.recentTo = max(d.recentTo, d.groupTo)
	for k := range d.group {
		d.recent[k] = struct{}{}
	}
	clear(d.group)
	d.groupTo = 0
	d.foldFrom = d.folded
	if d.folded == len(d.folding) {
		d.folding, d.pending, d.folded, d.foldFrom = nil, nil, 0, 0
	}
}

// forget follows a rollback.
func (d *dedupe) forget() {
	clear(d.group)
	d.groupTo = 0
	d.folded = d.foldFrom
}

// foldSome moves the fold on by one slice.
func (d *dedupe) foldSome(t *tx) error {
	if d.folding == nil {
		if d.guest || len(d.recent) < d.limit {
			return nil
		}
		d.startFold()
	}
	return d.fold(t, d.slice)
}

// startFold freezes the recent keys. Those of the group under way stay out: its
// commit may still fail.
func (d *dedupe) startFold() {
	d.pending, d.recent = d.recent, make(map[key]struct{}, d.limit)
	d.foldTo = d.recentTo
	d.folding = slices.SortedFunc(maps.Keys(d.pending), func(a, b key) int { return bytes.Compare(a[:], b[:]) })
	d.folded, d.foldFrom = 0, 0
}

func (d *dedupe) fold(t *tx, most int) error {
	upTo := min(d.folded+most, len(d.folding))
	for _, k := range d.folding[d.folded:upTo] {
		if err := t.exec(`INSERT INTO seen (key) VALUES ($1) ON CONFLICT DO NOTHING`, k[:]); err != nil {
			return err
		}
	}
	d.folded = upTo
	if d.folded < len(d.folding) {
		return nil
	}
	return t.exec(keepNumber, "folded", d.foldTo)
}

// foldAll folds everything, at a clean stop, so that the next start is quick.
func (d *dedupe) foldAll(t *tx) error {
	if d.guest {
		return nil
	}
	if err := t.exec(`BEGIN IMMEDIATE`); err != nil {
		return err
	}
	for d.folding != nil || len(d.recent) > 0 {
		if d.folding == nil {
			d.startFold()
		}
		if err := d.fold(t, len(d.folding)); err != nil {
			t.exec(`ROLLBACK`) //nolint:errcheck // the first error tells
			return err
		}
		d.keep()
	}
	return t.exec(`COMMIT`)
}
