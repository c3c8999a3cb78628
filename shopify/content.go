package shopify

import (
	"cmp"
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

// Complete fills in from another telling of the order what Shopify withheld of this
// one, an *APIError's Withheld. It says whether it could: only what is told of
// people can be filled in, since the rest of an order must be of one state.
func (o *Order) Complete(from *Order, withheld []string) bool {
	whole := *o
	for _, path := range withheld {
		switch path {
		case "order.email":
			whole.Email = cmp.Or(o.Email, from.Email)
		case "order.phone":
			whole.Phone = cmp.Or(o.Phone, from.Phone)
		case "order.note":
			whole.Note = cmp.Or(o.Note, from.Note)
		case "order.customer", "order.customer.firstName", "order.customer.lastName", "order.customer.defaultEmailAddress", "order.customer.defaultPhoneNumber":
			whole.Customer = completeCustomer(o.Customer, from.Customer)
		case "order.billingAddress":
			whole.Billing = cmp.Or(o.Billing, from.Billing)
		case "order.shippingAddress":
			whole.Shipping = cmp.Or(o.Shipping, from.Shipping)
		default:
			return false
		}
	}
	*o = whole
	return true
}

func completeCustomer(c, from *Customer) *Customer {
	if c == nil || from == nil || c.ID != from.ID {
		return cmp.Or(c, from)
	}
	return &Customer{ID: c.ID, FirstName: cmp.Or(c.FirstName, from.FirstName), LastName: cmp.Or(c.LastName, from.LastName),
		Email: cmp.Or(c.Email, from.Email), Phone: cmp.Or(c.Phone, from.Phone)}
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
