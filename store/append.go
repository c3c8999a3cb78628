package store

import "strings"

// To start a statement, and to open the tables and indexes behind it, costs as
// much as a row. So each statement on the way of a webhook takes many at once:
// there is one of it for each power of two, and a group of 30 is done in 4.

const rowsAtOnce = 32

// statements are one statement for 1, 2, 4 ... rowsAtOnce rows.
type statements map[int]string

// forRows repeats row in a statement.
func forRows(begin, row, end string) statements {
	s := statements{}
	for n := 1; n <= rowsAtOnce; n *= 2 {
		s[n] = begin + strings.Repeat(row+", ", n-1) + row + end
	}
	return s
}

// batches cuts list into parts that there is a statement for.
func batches[T any](list []T, do func(part []T) error) error {
	for n := rowsAtOnce; n > 0; n /= 2 {
		for len(list) >= n {
			if err := do(list[:n]); err != nil {
				return err
			}
			list = list[n:]
		}
	}
	return nil
}

var (
	insertEvents = forRows(`INSERT INTO events (id, shop, source, topic, webhook_id, event_id, headers, triggered_at, received_at, size) VALUES `,
		`(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, ``)
	insertBodies = forRows(`INSERT INTO bodies (event_id, body) VALUES `, `(?, ?)`, ``)
)

// appendEvents inserts the group's new events and marks the ones stored before.
func (w *writer) appendEvents(group []*write) error {
	fresh, err := w.dedup.fresh(w.tx, group)
	if err != nil || len(fresh) == 0 {
		return err
	}
	var last int64
	if err := w.tx.queryRow(`SELECT coalesce(max(id), 0) FROM events`).Scan(&last); err != nil {
		return err
	}
	for _, x := range fresh {
		last++
		x.event.ID = last
	}
	w.dedup.appended(last)
	return batches(fresh, w.insert)
}

func (w *writer) insert(part []*write) error {
	events, bodies := make([]any, 0, 10*rowsAtOnce), make([]any, 0, 2*rowsAtOnce)
	for _, x := range part {
		e := x.event
		events = append(events, e.ID, e.Shop, e.Source, e.Topic, e.WebhookID, e.EventID, e.Headers, micros(e.TriggeredAt), micros(e.ReceivedAt), len(e.Body))
		bodies = append(bodies, e.ID, x.body)
	}
	if err := w.tx.exec(insertEvents[len(part)], events...); err != nil {
		return err
	}
	return w.tx.exec(insertBodies[len(part)], bodies...)
}
