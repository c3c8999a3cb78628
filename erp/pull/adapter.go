package pull

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gapless/erp"
)

// Settings say how orders look on offer.
type Settings struct {
	// Body is a jq program that makes the JSON object on offer from the neutral
	// order; default ".".
	Body string `toml:"body"`
}

// Check tells whether the body program can be used. The error is an
// *erp.SettingError.
func (s Settings) Check() error {
	_, err := erp.CompileBody(s.Body)
	return err
}

// Adapter is an erp.Adapter. It is safe for concurrent use.
type Adapter struct {
	body erp.Body
	feed Feed
	now  func() time.Time
}

var _ erp.Adapter = (*Adapter)(nil)

// New checks the settings. The error is an *erp.SettingError. now is the clock.
func New(s Settings, feed Feed, now func() time.Time) (*Adapter, error) {
	body, err := erp.CompileBody(s.Body)
	if err != nil {
		return nil, err
	}
	return &Adapter{body, feed, now}, nil
}

// Tier is A: the reference is the key, see the package's doc.
func (a *Adapter) Tier() erp.Tier { return erp.TierA }

// Map runs the body program over the neutral order.
func (a *Adapter) Map(o erp.Order) ([]byte, error) { return a.body.Make(o) }

// Deliver puts the document on offer, unless it is already, and tells what the
// ERP answered to it.
func (a *Adapter) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	stands, err := a.stands(ctx, doc, t)
	switch {
	case err != nil:
		return erp.Outcome{Result: erp.Retry, Reason: "the order could not be put on offer: " + err.Error()}
	case !stands.is(doc):
		return erp.Outcome{Result: erp.Retry, Reason: "a newer version of the order is on offer already"}
	case stands.Answer == Taken:
		return erp.Outcome{Result: erp.Updated, ID: stands.ID, Total: stands.Total}
	case stands.Answer == Refused:
		return refused(stands, doc.Order)
	}
	return erp.Outcome{
		Result: erp.Unknown, Reason: "the order is on offer, and the ERP has not fetched and acknowledged it yet",
		After: min(max(time.Hour, a.now().Sub(stands.OfferedAt)), 24*time.Hour),
	}
}

// stands is what is on offer once doc was offered. The transcript holds the
// document only where it was put there now.
func (a *Adapter) stands(ctx context.Context, doc erp.Document, t *erp.Transcript) (Offer, error) {
	n := t.Ask("FIND", address(doc.Ref), nil)
	stands, err := a.newest(ctx, doc.Ref)
	t.Answer(n, 0, told(stands), err)
	if err != nil || stands.is(doc) {
		return stands, err
	}
	n = t.Ask(verb(doc), address(doc.Ref), doc.Body)
	stands, err = a.feed.Offer(ctx, doc)
	t.Answer(n, 0, told(stands), err)
	return stands, err
}

// newest is the last offer of ref; the zero Offer where there is none.
func (a *Adapter) newest(ctx context.Context, ref string) (Offer, error) {
	newest, err := a.feed.Newest(ctx, ref)
	if errors.Is(err, ErrNone) {
		return Offer{}, nil
	}
	return newest, err
}

func refused(o Offer, order erp.Order) erp.Outcome {
	out := erp.Outcome{
		Result: erp.Rejected, Reason: "the ERP refused the order without a reason", Field: erp.Excerpt(o.Field, order),
		Hint: "correct the order in Shopify, or what it names in the ERP, then replay it",
	}
	if said := erp.Excerpt(o.Reason, order); said != "" {
		out.Reason = "the ERP refused the order: " + said
	}
	return out
}

// Lookup finds what the ERP acknowledged last of ref.
func (a *Adapter) Lookup(ctx context.Context, ref string, t *erp.Transcript) ([]erp.Found, error) {
	n := t.Ask("TAKEN", address(ref), nil)
	found, err := a.feed.Taken(ctx, ref)
	t.Answer(n, 0, told(found), err)
	if err != nil {
		return nil, fmt.Errorf("reading what the ERP acknowledged: %w", err)
	}
	return found, nil
}

// List yields what the ERP acknowledged since.
func (a *Adapter) List(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
	return a.feed.TakenSince(ctx, since, yield)
}

// Plan names the offer that Deliver would make.
func (a *Adapter) Plan(ctx context.Context, doc erp.Document) ([]erp.Call, error) {
	newest, err := a.newest(ctx, doc.Ref)
	if err != nil {
		return nil, fmt.Errorf("reading what is on offer: %w", err)
	}
	if newest.is(doc) && newest.Answer != Refused {
		return nil, nil
	}
	return []erp.Call{{Method: verb(doc), URL: address(doc.Ref), Body: string(doc.Body)}}, nil
}

// Check has nothing to test: it is the ERP that calls.
func (a *Adapter) Check(ctx context.Context) error { return ctx.Err() }

func address(ref string) string { return "feed:orders/" + ref }

func verb(doc erp.Document) string {
	if doc.Cancelled {
		return "OFFER CANCELLED"
	}
	return "OFFER"
}

// told is what the feed answered, as the transcript shows it.
func told(v any) []byte {
	text, err := json.Marshal(v)
	if err != nil {
		return []byte(err.Error())
	}
	return text
}
