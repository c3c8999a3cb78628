package shopify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Hash is 16 hex digits of the SHA-256 over the order's canonical JSON. Two
// orders with one hash say the same.
func (o *Order) Hash() string {
	canonical, err := json.Marshal(o)
	if err != nil {
		// Only a year past 9999 can't be written, and the decoders let none in.
		panic("shopify: hash of order: " + err.Error())
	}
	digest := sha256.Sum256(canonical)
	return hex.EncodeToString(digest[:8])
}

// Version names the order's content at a time: updated_at in UTC, a slash and
// the first 8 digits of Hash. Versions of one order sort by time; updated_at
// alone is not enough, since Shopify tells it to the second.
func (o *Order) Version() string {
	return o.UpdatedAt.UTC().Format(time.RFC3339) + "/" + o.Hash()[:8]
}

// Redact removes all that points to a person: names, emails, phones, notes,
// attributes, and of the addresses all but the codes of country and province.
// The customer's id stays, so that a later request about the same person finds
// the order. Hash and Version change with it.
func (o *Order) Redact() {
	o.Email, o.Phone, o.Note, o.Attributes = "", "", "", nil
	if o.Customer != nil {
		o.Customer = orNil(Customer{ID: o.Customer.ID})
	}
	o.Billing, o.Shipping = redactAddress(o.Billing), redactAddress(o.Shipping)
	for i := range o.Lines {
		o.Lines[i].Attributes = nil // engravings, gift messages
	}
	for i := range o.Refunds {
		o.Refunds[i].Note = ""
	}
}

func redactAddress(a *Address) *Address {
	if a == nil {
		return nil
	}
	return orNil(Address{ProvinceCode: a.ProvinceCode, CountryCode: a.CountryCode})
}
