package shopify

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"time"
)

// Content is an order written out, and what names it.
type Content struct {
	JSON []byte // canonical: equal orders have equal bytes
	// Hash is 16 hex digits of JSON's SHA-256. Two orders with one hash say the same.
	Hash string
	// Version names the content at a time: updated_at in UTC, a slash and the
	// first 8 digits of Hash. Versions of one order sort by time; updated_at alone
	// is not enough, since Shopify tells it to the second.
	Version string
}

// Content writes o out. It costs about as much as decoding did, so ask once.
func (o *Order) Content() Content {
	canonical, err := json.Marshal(o)
	if err != nil {
		// Only a year past 9999 can't be written, and the decoders let none in.
		panic("shopify: the content of an order: " + err.Error())
	}
	digest := sha256.Sum256(canonical)
	hash := hex.EncodeToString(digest[:8])
	return Content{JSON: canonical, Hash: hash, Version: o.UpdatedAt.UTC().Format(time.RFC3339) + "/" + hash[:8]}
}

// Redact removes all that points to a person: names, emails, phones, notes,
// attributes, and of the addresses all but the codes of country and province.
// The customer's id stays, so that a later request about the same person finds
// the order. The content's hash and version change with it.
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

// People are the e-mail addresses and names of those who ordered and get the goods.
func (o *Order) People() []string {
	people := []string{o.Email}
	if c := o.Customer; c != nil {
		people = append(people, c.Email, c.LastName, c.FirstName)
	}
	for _, a := range []*Address{o.Billing, o.Shipping} {
		if a != nil {
			people = append(people, a.LastName, a.FirstName, a.Name, a.Company)
		}
	}
	return people
}

func redactAddress(a *Address) *Address {
	if a == nil {
		return nil
	}
	return orNil(Address{ProvinceCode: a.ProvinceCode, CountryCode: a.CountryCode})
}
