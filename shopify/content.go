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

// personal is a part of an order that Shopify may withhold by itself.
type personal struct {
	lacks func(o *Order) bool
	take  func(o, from *Order)
}

// parts are those that can be told apart from the rest, by their GraphQL names. All
// else in an order must be of one state.
var parts = map[string]personal{
	"order.email":                        {func(o *Order) bool { return o.Email == "" }, func(o, from *Order) { o.Email = from.Email }},
	"order.phone":                        {func(o *Order) bool { return o.Phone == "" }, func(o, from *Order) { o.Phone = from.Phone }},
	"order.note":                         {func(o *Order) bool { return o.Note == "" }, func(o, from *Order) { o.Note = from.Note }},
	"order.billingAddress":               {func(o *Order) bool { return o.Billing == nil }, func(o, from *Order) { o.Billing = from.Billing }},
	"order.shippingAddress":              {func(o *Order) bool { return o.Shipping == nil }, func(o, from *Order) { o.Shipping = from.Shipping }},
	"order.customer":                     {func(o *Order) bool { return o.Customer == nil }, func(o, from *Order) { o.Customer = from.Customer }},
	"order.customer.firstName":           ofCustomer(func(c *Customer) *string { return &c.FirstName }),
	"order.customer.lastName":            ofCustomer(func(c *Customer) *string { return &c.LastName }),
	"order.customer.defaultEmailAddress": ofCustomer(func(c *Customer) *string { return &c.Email }),
	"order.customer.defaultPhoneNumber":  ofCustomer(func(c *Customer) *string { return &c.Phone }),
}

// ofCustomer is a field of the customer, which is not taken from another customer.
func ofCustomer(field func(*Customer) *string) personal {
	return personal{
		lacks: func(o *Order) bool { return o.Customer != nil && *field(o.Customer) == "" },
		take: func(o, from *Order) {
			if o.Customer != nil && from.Customer != nil && o.Customer.ID == from.Customer.ID {
				c := *o.Customer
				*field(&c), o.Customer = *field(from.Customer), &c
			}
		},
	}
}

// Complete fills in from another telling of the order what Shopify withheld of this
// one, an *APIError's Withheld, where it is still empty. It says whether it could:
// else the order stays as it is.
func (o *Order) Complete(from *Order, withheld []string) bool {
	return o.tell(from, withheld, func(p personal) bool { return p.lacks(o) })
}

// Correct is Complete with a telling of the same state: it also replaces what was
// filled in before.
func (o *Order) Correct(from *Order, withheld []string) bool {
	return o.tell(from, withheld, func(p personal) bool { return !p.lacks(from) })
}

func (o *Order) tell(from *Order, withheld []string, which func(personal) bool) bool {
	told := *o
	for _, path := range withheld {
		p, known := parts[path]
		if !known {
			return false
		}
		if which(p) {
			p.take(&told, from)
		}
	}
	*o = told
	return true
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
