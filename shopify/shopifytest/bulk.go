package shopifytest

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

const (
	bulkKept  = 7 * 24 * time.Hour // for how long the file of a bulk operation is kept
	bulkTopic = "bulk_operations/finish"
)

// bulkOperation is one bulk query. It reads everything when it is made, and
// takes Options.BulkTime all the same.
type bulkOperation struct {
	shop     *Shop
	id       int64
	query    string
	host     string // where its file is served
	created  time.Time
	ends     time.Time
	canceled time.Time // zero: not asked for
	outcome  string    // COMPLETED, FAILED, CANCELED, EXPIRED
	code     string    // why it FAILED
	file     []byte
	objects  int
	roots    int
}

// status is where the operation stands now.
func (b *bulkOperation) status() string {
	switch now := b.shop.opt.Now(); {
	case now.Before(b.ends) && !b.canceled.IsZero():
		return "CANCELING"
	case now.Before(b.created.Add(b.shop.opt.BulkTime / 10)):
		return "CREATED"
	case now.Before(b.ends):
		return "RUNNING"
	case now.After(b.ends.Add(bulkKept)):
		return "EXPIRED"
	}
	return b.outcome
}

// startBulk answers bulkOperationRunQuery. The caller holds the lock.
func (s *Shop) startBulk(a args) bulkResult {
	q, faults := newBulkQuery(s.schema, a.string("query"))
	if len(faults) > 0 {
		var refusal bulkResult
		for _, fault := range faults {
			refusal.errors = append(refusal.errors, bulkError{userError{[]string{"query"}, fault}, "INVALID"})
		}
		return refusal
	}
	if busy := s.busyBulk(); len(busy) >= s.opt.BulkLimit {
		return refuseBulk(busy)
	}
	now := s.opt.Now()
	b := &bulkOperation{
		shop: s, id: 900_000_000_000 + int64(len(s.bulk)) + 1, query: a.string("query"), host: s.api.host,
		created: now, ends: now.Add(s.opt.BulkTime), outcome: cmp.Or(s.api.bulkEnd, s.api.dice.end()),
	}
	s.readBulk(b, q, a.bool("groupObjects"))
	s.bulk = append(s.bulk, b)
	s.announceBulk(b)
	return bulkResult{op: b}
}

// readBulk writes the operation's file. One that fails stops somewhere; one that
// asks for what the token may not see has nothing at all.
func (s *Shop) readBulk(b *bulkOperation, q *query, grouped bool) {
	q.withheld = s.api.withheld
	file := s.writeBulk(q, grouped)
	if len(q.errors) > 0 {
		b.outcome, b.code, file = "FAILED", "ACCESS_DENIED", bulkFile{}
	}
	b.objects, b.roots = len(file.lines), file.roots
	if b.outcome == "FAILED" && b.code == "" {
		b.code = pick(s.api.dice.Rand, []string{"INTERNAL_SERVER_ERROR", "TIMEOUT"})
		b.objects = s.api.dice.IntN(b.objects + 1)
	}
	if b.outcome == "COMPLETED" || b.outcome == "FAILED" {
		b.file = file.bytes(b.objects)
	}
}

func refuseBulk(busy []*bulkOperation) bulkResult {
	if len(busy) > 1 {
		return bulkResult{errors: []any{bulkError{userError{nil, "Bulk operations limit reached. Please try again later."}, "LIMIT_REACHED"}}}
	}
	text := fmt.Sprintf("A bulk query operation for this app and shop is already in progress: %s.", gid("BulkOperation", busy[0].id))
	return bulkResult{errors: []any{bulkError{userError{nil, text}, "OPERATION_IN_PROGRESS"}}}
}

// busyBulk are the operations that have not ended.
func (s *Shop) busyBulk() (busy []*bulkOperation) {
	for _, b := range s.bulk {
		if s.opt.Now().Before(b.ends) {
			busy = append(busy, b)
		}
	}
	return busy
}

// announceBulk queues the webhook that is sent when the operation ends.
func (s *Shop) announceBulk(b *bulkOperation) {
	body := s.BulkFinished(b.id, strings.ToLower(b.outcome))
	var events []Event
	if b.outcome != "COMPLETED" {
		events = []Event{{At: b.created, Kind: Broken, Topic: "bulk operation " + strings.ToLower(b.outcome)}}
	}
	events = append(events, s.queueTopic(Event{Topic: bulkTopic, EventID: s.sender.dice.uuid()}, body, b.created, b.ends)...)
	s.remember(events)
	s.api.events = append(s.api.events, events...)
}

// cancelBulk answers bulkOperationCancel. The caller holds the lock.
func (s *Shop) cancelBulk(a args) bulkResult {
	b := s.bulkByID(a.string("id"))
	if b == nil {
		return bulkResult{errors: []any{userError{[]string{"id"}, "Bulk operation does not exist"}}}
	}
	now := s.opt.Now()
	if !now.Before(b.ends) {
		text := "A bulk operation cannot be canceled when it is " + strings.ToLower(b.status())
		return bulkResult{op: b, errors: []any{userError{nil, text}}}
	}
	b.canceled, b.outcome, b.file, b.ends = now, "CANCELED", nil, now.Add(s.opt.BulkTime/10)
	for _, d := range s.sender.pending {
		if d.Topic == bulkTopic && bytes.Contains(d.body, []byte(gid("BulkOperation", b.id)+`"`)) {
			d.body = d.sub.payload(s.BulkFinished(b.id, "canceled"))
		}
	}
	return bulkResult{op: b}
}

func (s *Shop) bulkByID(id string) *bulkOperation {
	for _, b := range s.bulk {
		if gid("BulkOperation", b.id) == id {
			return b
		}
	}
	return nil
}

// findBulk answers bulkOperations, newest first.
func (s *Shop) findBulk(a args) any {
	var found []any
	want := parseSearch(a.string("query"), s.opt.Zone)
	for _, b := range s.bulk {
		if want.matchesBulk(b) {
			found = append(found, b)
		}
	}
	if !a.bool("reverse") {
		slices.Reverse(found)
	}
	return paged(found, a)
}

func (s search) matchesBulk(b *bulkOperation) bool {
	for _, t := range s.terms {
		switch {
		case t.key == "operation_type" && t.text != "query",
			t.key == "status" && !strings.EqualFold(t.text, b.status()),
			t.key == "created_at" && !t.compare(b.created):
			return false
		}
	}
	return true
}
