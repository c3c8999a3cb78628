package erptest

import (
	"hash/fnv"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// DefaultSKUs are the articles of a Sample: the first two are taxed at 21 %,
// the third at 10 %.
var DefaultSKUs = []string{"TSHIRT-BLK-S", "MUG-01", "COFFEE-1KG"}

// Sample says what an order holds; Order works out the amounts so that they add
// up. The zero value is a usual order: three lines, a discount code of 10 %,
// paid shipping, taxes on top.
type Sample struct {
	Ref           string
	SKUs          []string // three; nil: DefaultSKUs
	Quantities    []int64  // one a line; nil: 2, 1, 3
	TaxesIncluded bool
	NoDiscount    bool
	NoShipping    bool
	Cancelled     bool
	At            time.Time // updated_at; zero: a fixed instant
}

var (
	unitPrices = []string{"19.95", "8.50", "12.40"}
	titles     = []string{"T-shirt, black", "Mug", "Coffee beans 1 kg"}
	rates      = []string{"0.21", "0.21", "0.10"}
	placed     = time.Date(2026, 11, 20, 9, 30, 0, 0, time.UTC)
)

// Order makes the usual order under ref.
func Order(ref string) erp.Order { return Sample{Ref: ref}.Order() }

// Order makes the order: in EUR, with a customer and addresses, an id beyond
// 2^53 that follows from Ref, and totals that are the sums of the parts.
func (s Sample) Order() erp.Order {
	s = s.withDefaults()
	o := erp.Order{
		Ref: s.Ref, Shop: "acme", ID: orderID(s.Ref), Name: "#1001", Number: 1001,
		Date: placed.Format(time.DateOnly), CreatedAt: placed, ProcessedAt: placed, UpdatedAt: s.At,
		Currency: "EUR", TaxesIncluded: s.TaxesIncluded,
		Duties: cents("0"), Fees: cents("0"), Tip: cents("0"), Rounding: cents("0"), CashRounding: cents("0"),
		FinancialStatus: "paid", FulfillmentStatus: "unfulfilled", Source: "web",
		Email: "zoe.muller@example.com", Phone: "+34600123456",
		Customer: &erp.Customer{
			ID: 9007199254741993, FirstName: "Zoë", LastName: "Müller-Østergård",
			Email: "zoe.muller@example.com", Phone: "+34600123456",
		},
		Billing: address(), ShippingTo: address(),
		Note: "Leave it with the neighbour at number 44", Tags: []string{"vip"},
		Discounts: []erp.Discount{}, Taxes: []erp.Tax{}, Shipping: []erp.Shipping{},
		Refunds: []erp.Refund{}, Payments: []erp.Payment{{Gateway: "bogus"}},
		Attributes: []erp.Attribute{},
	}
	for i := range s.SKUs {
		o.Lines = append(o.Lines, s.line(i))
	}
	if !s.NoShipping {
		o.Shipping = append(o.Shipping, s.shipping())
	}
	if s.Cancelled {
		o.CancelledAt, o.CancelReason = &s.At, "customer"
	}
	addUp(&o)
	return o
}

func (s Sample) withDefaults() Sample {
	if s.SKUs == nil {
		s.SKUs = DefaultSKUs
	}
	if s.Quantities == nil {
		s.Quantities = []int64{2, 1, 3}
	}
	if s.At.IsZero() {
		s.At = placed.Add(time.Minute)
	}
	return s
}

func (s Sample) line(i int) erp.Line {
	price, quantity := cents(unitPrices[i]), decimal.NewFromInt(s.Quantities[i])
	gross := price.Mul(quantity)
	discount := cents("0")
	if !s.NoDiscount {
		discount = erp.NewAmount(gross.Mul(decimal.RequireFromString("0.10")), 2)
	}
	amount := erp.NewAmount(gross.Sub(discount.Decimal), 2)
	tax := s.tax(rates[i], amount)
	return erp.Line{
		ID: orderID(s.Ref) + int64(i) + 1, SKU: s.SKUs[i], Title: titles[i],
		Quantity: s.Quantities[i], Ordered: max(s.Quantities[i], 1),
		UnitPrice: price, Discount: discount, Amount: amount,
		Tax: tax.Amount, Taxes: []erp.Tax{tax}, Taxable: true, RequiresShipping: true,
	}
}

func (s Sample) shipping() erp.Shipping {
	price := cents("5.95")
	tax := s.tax("0.21", price)
	return erp.Shipping{
		ID: orderID(s.Ref) + 100, Title: "Standard", Code: "STD",
		Price: price, Discount: cents("0"), Amount: price,
		Tax: tax.Amount, Taxes: []erp.Tax{tax},
	}
}

// tax is the tax on amount, or the tax within it where prices include it.
func (s Sample) tax(rate string, amount erp.Amount) erp.Tax {
	r := decimal.RequireFromString(rate)
	due := amount.Mul(r)
	if s.TaxesIncluded {
		due = due.Div(r.Add(decimal.NewFromInt(1)))
	}
	return erp.Tax{Title: "VAT " + r.Shift(2).String() + " %", Rate: r, Amount: erp.NewAmount(due, 2)}
}

// addUp sets every total from the parts.
func addUp(o *erp.Order) {
	var subtotal, shipping, tax, discount decimal.Decimal
	byTitle := map[string]int{}
	sum := func(taxes []erp.Tax) {
		for _, t := range taxes {
			tax = tax.Add(t.Amount.Decimal)
			at, seen := byTitle[t.Title]
			if !seen {
				byTitle[t.Title] = len(o.Taxes)
				o.Taxes = append(o.Taxes, t)
				continue
			}
			o.Taxes[at].Amount = erp.NewAmount(o.Taxes[at].Amount.Add(t.Amount.Decimal), 2)
		}
	}
	for _, l := range o.Lines {
		subtotal, discount = subtotal.Add(l.Amount.Decimal), discount.Add(l.Discount.Decimal)
		sum(l.Taxes)
	}
	for _, s := range o.Shipping {
		shipping = shipping.Add(s.Amount.Decimal)
		sum(s.Taxes)
	}
	total := subtotal.Add(shipping)
	if !o.TaxesIncluded {
		total = total.Add(tax)
	}
	o.Subtotal, o.TotalShipping = erp.NewAmount(subtotal, 2), erp.NewAmount(shipping, 2)
	o.TotalTax, o.TotalDiscount = erp.NewAmount(tax, 2), erp.NewAmount(discount, 2)
	o.Total = erp.NewAmount(total, 2)
	o.TotalOrdered, o.Paid, o.Outstanding = o.Total, o.Total, cents("0")
	if discount.IsPositive() {
		o.Discounts = append(o.Discounts, erp.Discount{
			Title: "WELCOME10", Code: "WELCOME10", Kind: "code", Amount: o.TotalDiscount,
		})
	}
}

func address() *erp.Address {
	return &erp.Address{
		Name: "Zoë Müller-Østergård", FirstName: "Zoë", LastName: "Müller-Østergård",
		Address1: "Calle del Ejemplo 42", Address2: "3º izq.", City: "Madrid", Zip: "28013",
		Province: "Madrid", ProvinceCode: "M", Country: "Spain", CountryCode: "ES",
		Phone: "+34600123456",
	}
}

// personal are the strings of a Sample that no reason may repeat.
var personal = []string{
	"Zoë", "Müller", "zoe.muller@example.com", "600123456", "Calle del Ejemplo", "28013", "neighbour",
}

// orderID is a number beyond 2^53, where floats lose digits, that follows from ref.
func orderID(ref string) int64 {
	h := fnv.New32a()
	h.Write([]byte(ref))
	return 1<<53 + 1 + int64(h.Sum32())*1000
}

func cents(s string) erp.Amount { return erp.NewAmount(decimal.RequireFromString(s), 2) }
