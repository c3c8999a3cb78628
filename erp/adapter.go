package erp

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"time"

	"github.com/shopspring/decimal"
)

// Tier says how far an ERP can keep an order from being doubled.
type Tier string

const (
	// TierA: the ERP enforces a unique external key, so that sending again is
	// harmless. Exactly once, provable.
	TierA Tier = "A"
	// TierB: the ERP can be looked up by reference and reads its own writes.
	// After an ambiguous call Gapless waits out the ERP's longest request,
	// looks up, and only then creates.
	TierB Tier = "B"
	// TierC: look-ups lag behind writes. After an ambiguous call Gapless never
	// creates again by itself; it probes, then asks a person.
	TierC Tier = "C"
)

// Document is what one order should be in the ERP.
type Document struct {
	Ref     string // unique over all shops; the ERP document carries it
	Version string // changes when, and only when, the order's content does
	Order   Order
	// Body is the document as this adapter's Map made it, JSON. Two equal
	// bodies ask the ERP for the same thing.
	Body []byte
	// Cancelled asks that no live document remains.
	Cancelled bool
	// Exists says what the caller knows of the ERP: true where a document with
	// this Ref was seen there, so that the adapter updates and never creates.
	Exists bool
}

// Hash tells documents of different content apart, whatever their versions.
func (d Document) Hash() string {
	sum := sha256.Sum256(d.Body)
	hash := hex.EncodeToString(sum[:8])
	if d.Cancelled {
		hash += "-cancelled"
	}
	return hash
}

// Found is one document that the ERP holds.
type Found struct {
	Ref       string    // the reference it carries
	ID        string    // the ERP's own number for people ("SO-1042")
	Version   string    // as last sent; empty where the ERP cannot keep it
	Total     *Amount   // nil where the ERP does not tell
	Currency  string    // empty where the ERP does not tell
	Cancelled bool      // it is there but no longer live
	UpdatedAt time.Time // UTC; zero where the ERP does not tell
	// Lines are what it holds, told by Lookup alone; nil where the ERP does not tell.
	Lines []FoundLine
	// Bare says that the amounts of Lines are without taxes and before discounts,
	// so that they are no measure of the order's.
	Bare bool
}

// FoundLine is one line of a document that the ERP holds.
type FoundLine struct {
	SKU      string          `json:"sku"`   // the ERP's code of the article
	Title    string          `json:"title"` // as the document words it
	Quantity decimal.Decimal `json:"quantity"`
	Amount   *Amount         `json:"amount"` // nil where the ERP does not tell
	// Extra says that the line stands for no article and no shipping of the
	// order, but for a discount, a fee, or what rounding left over.
	Extra bool `json:"extra,omitempty"`
}

// Result is the kind of an Outcome.
type Result string

const (
	Created   Result = "created"   // the document is there now and was not before
	Updated   Result = "updated"   // it was there and now holds this version (or is cancelled)
	Unchanged Result = "unchanged" // it already held this version
	Rejected  Result = "rejected"  // the ERP refuses this document; repeating it is pointless
	Retry     Result = "retry"     // nothing happened in the ERP; try again later
	Unknown   Result = "unknown"   // sent, and no answer tells what became of it
)

// Outcome is what became of one delivery. The engine makes exactly one state
// change from it.
type Outcome struct {
	Result Result
	ID     string  // of the ERP document, on Created, Updated and Unchanged
	Total  *Amount // as the ERP computed it, where it tells
	// Reason says in one plain sentence what happened, on Rejected, Retry and
	// Unknown. It never holds personal data or a secret.
	Reason string
	Field  string // on Rejected: the order's field at fault ("lines[2].sku")
	Hint   string // on Rejected: what a person should do
	// After is, on Retry, how long the ERP asked to wait, 0 where it did not say;
	// on Unknown, for how long a look-up can tell nothing new.
	After time.Duration
	// Lingers says, on Retry, that the request reached the ERP and may still
	// take effect: sending this version again is harmless, but a newer one must
	// wait, or the older could land on top of it.
	Lingers bool
}

// Adapter carries documents into one ERP. Its package's doc comment states its
// tier and why. Implementations are safe for concurrent use; the engine never
// makes two calls for one Ref at the same time.
//
// What an adapter promises, and erptest.Run holds it to:
//
//   - Map is pure: the same order gives the same bytes, and it never calls out.
//   - Deliver brings the ERP's document for doc.Ref to doc.Version and reads
//     back what it claims: an ERP that answers "ok" may have done nothing.
//   - Deliver is called again after any outcome and any crash. With doc.Exists
//     false it still never leaves a second live document as far as its tier
//     allows.
//   - Retry is said only where the ERP surely did nothing, or where doing it
//     again is harmless (Lingers). A request that left and was not clearly
//     answered is Unknown: a time-out, a cut connection, 5xx after a write, an
//     answer that cannot be read.
//   - Every exchange is written to the transcript, requests before they leave.
//   - The context ends the call; a call cut off by it is Unknown if it had left.
type Adapter interface {
	Tier() Tier

	// Map makes the document's body from the order, or says with a *Problem
	// which field stands in the way.
	Map(o Order) ([]byte, error)

	// Deliver creates, updates or cancels.
	Deliver(ctx context.Context, doc Document, t *Transcript) Outcome

	// Lookup finds every document that carries ref: none, one or, where
	// something went wrong, several. A cancelled document counts. It tells
	// their lines where the ERP does. An error says that the ERP could not tell.
	Lookup(ctx context.Context, ref string, t *Transcript) ([]Found, error)

	// List yields the documents that changed at or after since, each at least
	// once, in the order of change as far as the ERP can. It stops at the
	// first error of yield and returns it. Where it asks over the network, each
	// request waits for its [Pace].
	List(ctx context.Context, since time.Time, yield func(Found) error) error

	// Plan says which writing calls Deliver would make now, for a dry run. It
	// reads from the ERP and writes nothing.
	Plan(ctx context.Context, doc Document) ([]Call, error)

	// Check tests address, credentials and settings, for `gapless check`. The
	// error says what to mend.
	Check(ctx context.Context) error
}

// Call is one writing request to an ERP as it would go over the wire, without
// secrets.
type Call struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}

// Problem is why an order can't become a document: the order parks with it
// until a person has acted.
type Problem struct {
	Reason string // one plain sentence
	Field  string // the order's field at fault
	Hint   string // what to do
}

// Error gives reason and hint in one line.
func (p *Problem) Error() string {
	if p.Hint == "" {
		return p.Reason
	}
	return p.Reason + "; " + p.Hint
}
