package shopify

import (
	"fmt"
	"time"
)

// Axis is the time of an order that a window goes by.
type Axis int

const (
	ByUpdated Axis = iota // its last change
	ByCreated             // its placing
)

// String is the axis as Shopify's search calls it.
func (a Axis) String() string {
	if a == ByCreated {
		return "created_at"
	}
	return "updated_at"
}

// Window is the span [From, To) of one axis.
type Window struct {
	By       Axis
	From, To time.Time
}

// search is the window in Shopify's search syntax. The times must be quoted:
// unquoted, Shopify ignores the time of day and takes the shop's zone. It knows
// whole seconds, so the window is widened to them.
func (w Window) search() string {
	end := w.To.UTC().Truncate(time.Second)
	if end.Before(w.To) {
		end = end.Add(time.Second)
	}
	return fmt.Sprintf("%[1]s:>='%[2]s' AND %[1]s:<'%[3]s'", w.By, w.From.UTC().Format(time.RFC3339), end.Format(time.RFC3339))
}
