package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// ErrNotFound says that there is no such row.
var ErrNotFound = errors.New("not found")

// Sources of events.
const (
	SourceWebhook = "webhook" // Shopify sent it
	SourceRefetch = "refetch" // Gapless asked Shopify for the order by id
)

// Event is something heard about a shop, kept as it came.
type Event struct {
	ID          int64
	Shop        string // name in the config
	Source      string
	Topic       string
	WebhookID   string // X-Shopify-Webhook-Id; empty unless a webhook
	EventID     string // X-Shopify-Event-Id
	Headers     string // the other X-Shopify headers, a JSON object
	TriggeredAt time.Time
	ReceivedAt  time.Time
	Size        int64  // bytes of the body as it came
	Body        []byte // nil where it was not read, or is gone
}

// Append makes e durable and sets its ID, or says that a webhook with the same
// id was stored before. It returns ErrBusy at once where the queue is full, and
// any other error where the disk refused; then nothing was stored.
func (s *Store) Append(ctx context.Context, e *Event) (duplicate bool, err error) {
	x := &write{event: e, key: keyOf(e.Shop, e.WebhookID), body: s.packers.pack(e.Body), wakes: Events}
	x.size = int64(len(x.body) + len(e.Headers) + 256)
	if err := s.writer.submit(ctx, x, false); err != nil {
		return false, err
	}
	if x.duplicate {
		s.Count(e.Shop, CountDuplicate)
	}
	return x.duplicate, nil
}

// AppendAnswer makes durable what Shopify answered on a refetch, and ends the
// refetch unless another was asked for meanwhile.
func (s *Store) AppendAnswer(ctx context.Context, e *Event, r Refetch) error {
	return s.writer.submit(ctx, &write{event: e, body: s.packers.pack(e.Body), wakes: Events, apply: func(t *tx) error {
		return endRefetch(t, r)
	}}, true)
}

const eventColumns = `e.id, e.shop, e.source, e.topic, e.webhook_id, e.event_id, e.headers, e.triggered_at, e.received_at, e.size`

func scanEvent(scan func(...any) error, more ...any) (Event, error) {
	var e Event
	var triggered, received int64
	err := scan(append([]any{&e.ID, &e.Shop, &e.Source, &e.Topic, &e.WebhookID, &e.EventID, &e.Headers, &triggered, &received, &e.Size}, more...)...)
	e.TriggeredAt, e.ReceivedAt = timeOf(triggered), timeOf(received)
	return e, err
}

// intakeCursor is the last event that intake has decided.
const intakeCursor = `(SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'intake')`

// DecidedThrough tells up to when everything that was heard is decided too: when
// the oldest event came that intake has not seen, or now.
func (s *Store) DecidedThrough(ctx context.Context) (time.Time, error) {
	var oldest int64
	err := s.readers.QueryRowContext(ctx, `SELECT coalesce((SELECT received_at FROM events WHERE id > `+intakeCursor+` ORDER BY id LIMIT 1), 0)`).Scan(&oldest)
	if err != nil {
		return time.Time{}, fmt.Errorf("look for events that are not decided: %w", err)
	}
	if oldest == 0 {
		return s.now(), nil
	}
	return timeOf(oldest), nil
}

// PendingEvents returns up to limit events that intake has not seen, oldest
// first, with their bodies, and no more than fit into pendingBytes. A body that
// is gone or can't be unpacked comes as nil.
func (s *Store) PendingEvents(ctx context.Context, limit int) ([]Event, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT `+eventColumns+`, b.body
		FROM events e LEFT JOIN bodies b ON b.event_id = e.id
		WHERE e.id > `+intakeCursor+`
		ORDER BY e.id LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("read pending events: %w", err)
	}
	defer rows.Close()
	var events []Event
	for size := int64(0); size < pendingBytes && rows.Next(); {
		var body []byte
		e, err := scanEvent(rows.Scan, &body)
		if err != nil {
			return nil, err
		}
		size += e.Size
		events = append(events, s.withBody(e, body))
	}
	return events, rows.Err()
}

// pendingBytes bounds the bodies that are in memory at once, but for one.
const pendingBytes = 16 << 20

func (s *Store) withBody(e Event, packed []byte) Event {
	if packed == nil {
		return e
	}
	var err error
	if e.Body, err = s.codec.unpack(packed); err != nil {
		s.log.Error("the body of an event can't be read; a poll fetches what it told of", "event", e.ID, "err", err)
		e.Body = nil
	}
	return e
}

// EventHead returns one event without its body, or ErrNotFound.
func (s *Store) EventHead(ctx context.Context, id int64) (Event, error) {
	e, err := scanEvent(s.readers.QueryRowContext(ctx, `SELECT `+eventColumns+` FROM events e WHERE e.id = $1`, id).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("event %d: %w", id, ErrNotFound)
	}
	return e, err
}

// Event returns one event with its body, where it is still kept.
func (s *Store) Event(ctx context.Context, id int64) (Event, error) {
	var body []byte
	e, err := scanEvent(s.readers.QueryRowContext(ctx, `SELECT `+eventColumns+`, b.body
		FROM events e LEFT JOIN bodies b ON b.event_id = e.id WHERE e.id = $1`, id).Scan, &body)
	if errors.Is(err, sql.ErrNoRows) {
		return e, fmt.Errorf("event %d: %w", id, ErrNotFound)
	}
	if err != nil || body == nil {
		return e, err
	}
	e.Body, err = s.codec.unpack(body)
	return e, err
}

// EventFilter narrows a list of events; zero fields don't.
type EventFilter struct {
	Shop    string
	Topic   string
	OrderID int64 // events that intake found to be about this order of Shop
	Before  int64 // only events with a smaller id: the cursor
	Limit   int
}

// Events lists events without bodies, newest first.
func (s *Store) Events(ctx context.Context, f EventFilter) ([]Event, error) {
	query, args := f.query()
	rows, err := s.readers.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list events: %w", err)
	}
	defer rows.Close()
	var events []Event
	for rows.Next() {
		e, err := scanEvent(rows.Scan)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, rows.Err()
}

// everyShop finds the shops that were heard of, each by one look into an index.
const everyShop = `WITH RECURSIVE heard(shop) AS (SELECT min(shop) FROM events
	UNION ALL SELECT (SELECT min(shop) FROM events WHERE shop > heard.shop) FROM heard WHERE heard.shop IS NOT NULL)`

// query walks one shop's events, or one shop's of a topic; those of a topic in all
// shops are the newest of each shop's newest.
func (f EventFilter) query() (string, []any) {
	if f.Topic != "" && f.Shop == "" && f.OrderID == 0 {
		return f.topicQuery()
	}
	var w where
	if f.OrderID != 0 {
		w.and("e.id IN (SELECT event_id FROM decisions WHERE shop = ? AND order_id = ? AND order_id <> 0)", f.Shop, f.OrderID)
	} else if f.Shop != "" {
		w.and("e.shop = ?", f.Shop)
	}
	if f.Topic != "" {
		w.and("e.topic = ?", f.Topic)
	}
	if f.Before != 0 {
		w.and("e.id < ?", f.Before)
	}
	return w.list(`SELECT `+eventColumns+` FROM events e`, "e.id DESC", f.Limit)
}

func (f EventFilter) topicQuery() (string, []any) {
	var w where
	w.and("x.shop = heard.shop AND x.topic = ?", f.Topic)
	if f.Before != 0 {
		w.and("x.id < ?", f.Before)
	}
	newest, args := w.list(`SELECT x.id FROM events x`, "x.id DESC", f.Limit)
	limit := fmt.Sprintf("$%d", len(args))
	return everyShop + ` SELECT ` + eventColumns + ` FROM heard CROSS JOIN events e WHERE e.id IN (` + newest + `) ORDER BY e.id DESC LIMIT ` + limit, args
}

// The newest row older than a moment bounds what is looked at: ids grow with
// time, so the oldest bodies come first and the search ends where they do.
const (
	lastWebhook = `(SELECT max(id) FROM events WHERE source = 'webhook' AND received_at =
		(SELECT max(received_at) FROM events WHERE source = 'webhook' AND received_at < $1))`
	lastAnswer = `(SELECT max(id) FROM events WHERE source = 'refetch' AND received_at =
		(SELECT max(received_at) FROM events WHERE source = 'refetch' AND received_at < $1))`
	lastAttempt = `(SELECT max(id) FROM attempts WHERE started_at = (SELECT max(started_at) FROM attempts WHERE started_at < $1))`

	forgetBodies = `DELETE FROM bodies WHERE event_id IN (
		SELECT b.event_id FROM bodies b JOIN events e ON e.id = b.event_id
		WHERE b.event_id <= max(coalesce(` + lastWebhook + `, 0), coalesce(` + lastAnswer + `, 0))
			AND b.event_id <= ` + intakeCursor + ` AND e.received_at < $1
		ORDER BY b.event_id LIMIT $2)`
	forgetTranscripts = `DELETE FROM transcripts WHERE attempt_id IN (
		SELECT x.attempt_id FROM transcripts x JOIN attempts a ON a.id = x.attempt_id
		WHERE x.attempt_id <= ` + lastAttempt + ` AND a.started_at < $1
		ORDER BY x.attempt_id LIMIT $2)`
	forgetRefusals = `DELETE FROM offer_bodies WHERE seq IN (
		SELECT v.seq FROM offers v JOIN offer_bodies b ON b.seq = v.seq
		WHERE v.state = 'refused' AND v.answered_at < $1
		ORDER BY v.answered_at LIMIT $2)`
)

// ForgetBodies removes bodies, transcripts and refusals older than before, a bounded
// number at a time, and says whether there is more to do.
func (s *Store) ForgetBodies(ctx context.Context, before time.Time) (more bool, err error) {
	const most = 1000
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		for _, query := range []string{forgetBodies, forgetTranscripts, forgetRefusals} {
			n, err := t.changed(query, micros(before), most)
			if err != nil {
				return err
			}
			more = more || n == most
		}
		return nil
	})
	return more, err
}

// AppendFetched makes durable what Shopify told of an order without being asked
// for that one. It waits for room in the queue.
func (s *Store) AppendFetched(ctx context.Context, e *Event) error {
	return s.writer.submit(ctx, &write{event: e, body: s.packers.pack(e.Body), wakes: Events}, true)
}

// Ahead counts what a shop's engine has to take in before anything that is added
// now: events to decide, and orders to fetch.
func (s *Store) Ahead(ctx context.Context, shop string) (n int, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT (SELECT coalesce(max(id), 0) - `+intakeCursor+` FROM events)
			+ (SELECT count(*) FROM refetches WHERE shop = $1)`, shop).Scan(&n)
	return n, err
}
