package shopifytest

import (
	"fmt"
	"time"
)

// Kind says what an Event tells.
type Kind string

// What happens in a shop.
const (
	Changed   Kind = "changed"   // an order was placed or changed
	Queued    Kind = "queued"    // a webhook waits to be sent; repeats and twins count too
	Sent      Kind = "sent"      // answered with 2xx
	Failed    Kind = "failed"    // answered otherwise, or not at all; Status tells
	Dropped   Kind = "dropped"   // fault: never sent
	Repeated  Kind = "repeated"  // fault: a copy with the same webhook id
	Twinned   Kind = "twinned"   // fault: a copy with another webhook id
	Delayed   Kind = "delayed"   // fault
	Reordered Kind = "reordered" // fault
	Corrupted Kind = "corrupted" // fault: sent with a wrong signature
	Stale     Kind = "stale"     // fault: an older state of the order was queued
	Lost      Kind = "lost"      // given up after the last retry
	Removed   Kind = "removed"   // a subscription was removed after failing too long
	Broken    Kind = "broken"    // fault: an API request went wrong; Topic tells how
)

// Event is one thing that happened, for narration, logs and counts.
type Event struct {
	At      time.Time
	Kind    Kind
	OrderID int64  // 0 where it is about no order
	Order   string // "#1001"
	Action  Action // on Changed

	Topic     string // from here on, of webhooks
	WebhookID string
	EventID   string
	Attempt   int // 1 for the first
	Status    int // HTTP status; 0 where no answer came
	Wait      time.Duration
}

// String is the event as one line for people.
func (e Event) String() string {
	switch e.Kind {
	case Changed:
		return fmt.Sprintf("%s: %s", e.Order, e.Action)
	case Broken:
		return "API: " + e.Topic
	case Delayed, Reordered:
		return fmt.Sprintf("%s: %s %s by %s", e.Order, e.Topic, e.Kind, e.Wait.Round(time.Millisecond))
	case Sent, Failed:
		return fmt.Sprintf("%s: %s %s, attempt %d, status %d", e.Order, e.Topic, e.Kind, e.Attempt, e.Status)
	}
	return fmt.Sprintf("%s: %s %s", e.Order, e.Topic, e.Kind)
}
