package report

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/shopspring/decimal"
)

// Report is one shop's day. Times are UTC; writers turn them into the shop's own.
type Report struct {
	Shop     string `json:"shop"`
	Day      string `json:"day"`      // "2006-01-02", in the shop's time
	Timezone string `json:"timezone"` // the shop's, by its IANA name; one that is unknown counts as UTC

	// From and To are when the shop's local day begins and ends. To is not part of it.
	From time.Time `json:"from"`
	To   time.Time `json:"to"`

	MadeAt          time.Time `json:"made_at"`
	CompleteThrough time.Time `json:"complete_through,omitzero"` // all before it was checked; zero: nothing was
	Complete        bool      `json:"complete"`                  // checked through To
	Unchecked       string    `json:"unchecked,omitempty"`       // why the day could not be checked, in plain words; empty: it could
	FrozenAt        time.Time `json:"frozen_at,omitzero"`        // from then on the figures stay; zero: they still move

	// Known is what the orders of the day that are known here were worth when it was
	// frozen. What becomes of them is told by it; nil: it is not frozen, or an older
	// version froze it.
	Known *Tally `json:"known,omitempty"`

	Balance    Balance     `json:"balance"`
	ByRule     []Excluded  `json:"by_rule"` // what Balance.Excluded consists of
	Gaps       []Gap       `json:"gaps"`
	Webhooks   Webhooks    `json:"webhooks"`
	Notes      []string    `json:"notes"`      // which sides could not be seen, in plain words
	Amendments []Amendment `json:"amendments"` // what changed after the day was frozen
}

// Balanced says that what was seen of the day adds up. What could not be checked
// is not balanced.
func (r Report) Balanced() bool { return r.Unchecked == "" && r.Balance.Balanced() }

// Excluded is what one rule left out.
type Excluded struct {
	Rule  string `json:"rule"`
	Tally Tally  `json:"tally"`
}

// Gap is one difference between Shopify and the ERP. One that is about the shop
// as a whole (subscription, silence) has no order and no money.
type Gap struct {
	ID        int64  `json:"id"`
	Kind      string `json:"kind"` // missing, stale, mismatch, doubled, stuck, parked, orphan, subscription, silence
	Shop      string `json:"shop"`
	Order     string `json:"name"` // the order's name, like #1001
	OrderID   int64  `json:"order_id"`
	Subject   string `json:"subject"`    // what else it is about, a webhook topic; empty: nothing else
	Cause     string `json:"cause"`      // webhook_never_came, erp_failed, ...
	CauseText string `json:"cause_text"` // the same in plain words
	State     string `json:"state"`      // open, healing, closed, ignored

	FoundBy       string    `json:"found_by"`         // the kind of run that saw it
	Since         time.Time `json:"since,omitzero"`   // when it came about, as far as is known
	FirstSeen     time.Time `json:"first_seen"`       // when it was found; where it came back, that time
	DetectedAfter int64     `json:"detected_after_s"` // seconds from Since to FirstSeen
	HealedBy      string    `json:"healed_by"`
	ClosedAt      time.Time `json:"closed_at,omitzero"`
	HealAfter     int64     `json:"heal_after_s"` // seconds from FirstSeen to ClosedAt; 0 while open
	IgnoredBy     string    `json:"ignored_by"`   // who leaves it as it is; empty: nobody does
	Reason        string    `json:"reason"`       // why

	// News says in a letter why people hear of it: "new", "still open", "closed".
	// It is left out of reports.
	News string `json:"news,omitempty"`

	Total    decimal.Decimal `json:"total"`    // what the order is worth in Shopify
	Currency string          `json:"currency"` // empty: no money is at stake
}

// MarshalJSON writes the total with its currency's decimals.
func (g Gap) MarshalJSON() ([]byte, error) {
	type fields Gap
	return json.Marshal(struct {
		fields
		Total string `json:"total"`
	}{fields(g), digits(g.Currency, g.Total)})
}

// Webhooks is how the shop's webhooks of the day fared.
type Webhooks struct {
	Received  int64   `json:"received"`
	Duplicate int64   `json:"duplicate"` // came again, and counts as received no second time
	Refused   int64   `json:"refused"`   // turned away at the door
	Late      int64   `json:"late"`      // of those received
	LagP50    float64 `json:"lag_p50_s"` // seconds from the change in Shopify to its arrival: half came within
	LagP99    float64 `json:"lag_p99_s"` // 99 of 100 came within
	NeverCame int64   `json:"never_came"`
}

// Amendment is what changed after the day was frozen.
type Amendment struct {
	At   time.Time `json:"at"`
	What string    `json:"what"` // in plain words
}

// The formats that Write knows.
const (
	FormatText = "text"
	FormatHTML = "html"
	FormatCSV  = "csv"
	FormatJSON = "json"
)

// Write writes the report in one of the formats text, html, csv and json. Any
// other is an error before anything is written.
func (r Report) Write(w io.Writer, format string) error {
	write, known := map[string]func(io.Writer) error{
		FormatText: r.writeText, FormatHTML: r.writeHTML, FormatCSV: r.writeCSV, FormatJSON: r.writeJSON,
	}[format]
	if !known {
		return fmt.Errorf("a report has no format %q; choose text, html, csv or json", format)
	}
	if err := write(w); err != nil {
		return fmt.Errorf("writing the report as %s: %w", format, err)
	}
	return nil
}

func (r Report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

// MarshalJSON adds what follows from the data: headline, balanced and
// difference. Lists are [], never null.
func (r Report) MarshalJSON() ([]byte, error) {
	type fields Report
	derived := struct {
		Headline string `json:"headline"`
		Balanced bool   `json:"balanced"`
		fields
		Difference Tally `json:"difference"`
	}{r.Headline(), r.Balanced(), fields(r), r.Balance.Difference()}
	derived.ByRule, derived.Gaps = listed(r.ByRule), listed(r.Gaps)
	derived.Notes, derived.Amendments = listed(r.Notes), listed(r.Amendments)
	return json.Marshal(derived)
}
