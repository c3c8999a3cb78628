package pull

import (
	"context"
	"errors"
	"time"

	"gapless/erp"
)

// Feed keeps what is on offer and what the ERP answered, so that both survive a
// restart.
type Feed interface {
	// Offer puts a document on offer in the place of what was on offer of its
	// reference, and returns what stands then. Offering again what was the last
	// offer changes nothing, nor does offering an older version.
	Offer(ctx context.Context, doc erp.Document) (Offer, error)
	// Newest is the last offer of a reference, or ErrNone.
	Newest(ctx context.Context, ref string) (Offer, error)
	// Taken is the document that the ERP acknowledged last of a reference: one or none.
	Taken(ctx context.Context, ref string) ([]erp.Found, error)
	// TakenSince yields each such document that was acknowledged at or after since,
	// oldest first. It stops at the first error of yield and returns it.
	TakenSince(ctx context.Context, since time.Time, yield func(erp.Found) error) error
}

// ErrNone says that nothing was ever offered of a reference.
var ErrNone = errors.New("nothing was offered of this reference")

// Offer is one version of an order, and what the ERP answered to it.
type Offer struct {
	Version   string
	Hash      string // of the document
	OfferedAt time.Time
	Answer    Answer

	ID     string      // the ERP's own number, on Taken
	Total  *erp.Amount // as the ERP computed it, on Taken; nil where it does not tell
	Reason string      // as the ERP worded it, on Refused
	Field  string      // at fault, on Refused; empty where the ERP does not tell
}

// Answer is what the ERP said to an offer.
type Answer string

// Answers.
const (
	None    Answer = "" // it has not answered yet
	Taken   Answer = "taken"
	Refused Answer = "refused"
)

// is says that the offer is of this document.
func (o Offer) is(doc erp.Document) bool { return o.Version == doc.Version && o.Hash == doc.Hash() }
