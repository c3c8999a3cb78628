package tryton

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/shopspring/decimal"
)

// JSON has no decimals, dates or times. Tryton marks them with "__class__".

// numeric is a Decimal on the wire: {"__class__":"Decimal","decimal":"20.0000"}.
type numeric struct{ decimal.Decimal }

// MarshalJSON keeps every digit the value has.
func (n numeric) MarshalJSON() ([]byte, error) {
	digits := max(0, -n.Exponent())
	return json.Marshal(map[string]string{"__class__": "Decimal", "decimal": n.StringFixed(digits)})
}

// UnmarshalJSON reads a Decimal; null is zero.
func (n *numeric) UnmarshalJSON(b []byte) error {
	var wire *struct {
		Class   string `json:"__class__"`
		Decimal string `json:"decimal"`
	}
	if err := json.Unmarshal(b, &wire); err != nil {
		return fmt.Errorf("read a Decimal: %w", err)
	}
	if wire == nil {
		n.Decimal = decimal.Zero
		return nil
	}
	if wire.Class != "Decimal" {
		return fmt.Errorf("read a Decimal: class %q", wire.Class)
	}
	// Bounded before it is parsed: "1E999999999" would cost gigabytes as digits.
	if len(wire.Decimal) > 64 {
		return fmt.Errorf("read a Decimal: %d characters", len(wire.Decimal))
	}
	d, err := decimal.NewFromString(wire.Decimal)
	if err != nil {
		return fmt.Errorf("read a Decimal: %w", err)
	}
	if d.Exponent() > 30 || d.Exponent() < -30 {
		return fmt.Errorf("read a Decimal: exponent %d", d.Exponent())
	}
	n.Decimal = d
	return nil
}

// date is a day on the wire: {"__class__":"date","year":2026,"month":11,"day":23}.
type date struct{ time.Time }

// MarshalJSON writes the day of the time's own zone.
func (d date) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]any{
		"__class__": "date", "year": d.Year(), "month": int(d.Month()), "day": d.Day(),
	})
}

// stamp is a datetime on the wire: naive, and always UTC.
type stamp struct{ time.Time }

type wireStamp struct {
	Class       string `json:"__class__"`
	Year        int    `json:"year"`
	Month       int    `json:"month"`
	Day         int    `json:"day"`
	Hour        int    `json:"hour"`
	Minute      int    `json:"minute"`
	Second      int    `json:"second"`
	Microsecond int    `json:"microsecond"`
}

// MarshalJSON writes the instant in UTC, to the microsecond.
func (s stamp) MarshalJSON() ([]byte, error) {
	t := s.UTC()
	return json.Marshal(wireStamp{
		"datetime", t.Year(), int(t.Month()), t.Day(),
		t.Hour(), t.Minute(), t.Second(), t.Nanosecond() / 1000,
	})
}

// UnmarshalJSON reads a datetime; null is the zero time, as in the write_date
// of a record that was never written.
func (s *stamp) UnmarshalJSON(b []byte) error {
	var w *wireStamp
	if err := json.Unmarshal(b, &w); err != nil {
		return fmt.Errorf("read a datetime: %w", err)
	}
	if w == nil {
		s.Time = time.Time{}
		return nil
	}
	if w.Class != "datetime" {
		return fmt.Errorf("read a datetime: class %q", w.Class)
	}
	s.Time = time.Date(w.Year, time.Month(w.Month), w.Day, w.Hour, w.Minute, w.Second, w.Microsecond*1000, time.UTC)
	return nil
}
