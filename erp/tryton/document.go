package tryton

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// priceDigits is how many decimals Tryton takes in a unit price.
const priceDigits = 4

// document is what the sale should be, with codes and names in place of
// Tryton's ids. Its JSON is what Map returns.
type document struct {
	Reference   string `json:"reference"`
	Cancelled   bool   `json:"cancelled,omitempty"` // then nothing else is set
	Description string `json:"description,omitempty"`
	SaleDate    string `json:"sale_date,omitempty"` // "2026-11-20"
	Comment     string `json:"comment,omitempty"`
	Currency    string `json:"currency,omitempty"`
	Total       string `json:"total,omitempty"`
	// MaxRounding is the most that rounding can make Tryton's total differ.
	MaxRounding string    `json:"max_rounding,omitempty"`
	Party       *party    `json:"party,omitempty"`
	Invoice     *address  `json:"invoice_address,omitempty"`
	Shipment    *address  `json:"shipment_address,omitempty"`
	Lines       []docLine `json:"lines,omitempty"`
}

type party struct {
	Code  string `json:"code"`
	Name  string `json:"name"`
	Email string `json:"email,omitempty"`
	Phone string `json:"phone,omitempty"`
}

type address struct {
	Name        string `json:"name,omitempty"`
	Street      string `json:"street,omitempty"`
	PostalCode  string `json:"postal_code,omitempty"`
	City        string `json:"city,omitempty"`
	Province    string `json:"province,omitempty"`
	Subdivision string `json:"subdivision,omitempty"` // "ES-M"
	Country     string `json:"country,omitempty"`     // "ES"
	Field       string `json:"field"`                 // the order's field it comes from
}

// docLine is one line. UnitPrice is without tax.
type docLine struct {
	Product     string   `json:"product"`
	StandIn     string   `json:"stand_in,omitempty"` // the product to take where Tryton has no Product
	Description string   `json:"description,omitempty"`
	Quantity    int64    `json:"quantity"`
	UnitPrice   string   `json:"unit_price"`
	Taxes       []taxRef `json:"taxes,omitempty"`
	Field       string   `json:"field"` // the order's field that names the product
}

// taxRef names a tax of Tryton, or else tells its rate.
type taxRef struct {
	Name string `json:"name,omitempty"`
	Rate string `json:"rate,omitempty"`
	// Title is Shopify's, for messages.
	Title string `json:"title,omitempty"`
}

// fingerprint tells contents apart that make a different sale. The comment is
// not part of it: Tryton lets it be written in every state. Nor is the date: it
// changes only where the shop moves to another time zone, for which no sale that
// is booked is made anew.
func (d document) fingerprint() string {
	d.Comment, d.SaleDate = "", ""
	b, err := json.Marshal(d)
	if err != nil {
		panic("a document of strings can't fail to encode: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// Map makes the document. A cancelled order needs no more than its reference.
func (a *Adapter) Map(o erp.Order) ([]byte, error) {
	if o.CancelledAt != nil {
		return json.Marshal(document{Reference: o.Ref, Cancelled: true})
	}
	m := mapper{settings: a.settings, order: o}
	lines, err := m.lines()
	if err != nil {
		return nil, err
	}
	d := document{
		Reference: o.Ref, Description: oneLine("Shopify " + o.Name), SaleDate: o.Date,
		Comment: paragraphs(o.Note), Currency: o.Currency, Total: o.Total.String(),
		MaxRounding: m.maxRounding(lines).String(), Party: m.party(), Lines: lines,
		Invoice:  m.address(o.Billing, "billing"),
		Shipment: m.address(o.ShippingTo, "shipping_to"),
	}
	d.Invoice, d.Shipment = cmp.Or(d.Invoice, d.Shipment), cmp.Or(d.Shipment, d.Invoice)
	return json.Marshal(d)
}

// mapper makes the parts of one order's document.
type mapper struct {
	settings Settings
	order    erp.Order
}

// party is the customer's, by Shopify's number for them, or the guests'.
func (m mapper) party() *party {
	c := m.order.Customer
	if c == nil || c.ID == 0 {
		return &party{Code: m.settings.GuestParty, Name: "Shopify guest orders"}
	}
	prefix := m.settings.PartyPrefix
	if prefix == "" {
		prefix = m.order.Shop + "-"
	}
	code := prefix + strconv.FormatInt(c.ID, 10)
	name := oneLine(c.FirstName + " " + c.LastName)
	for _, a := range []*erp.Address{m.order.Billing, m.order.ShippingTo} {
		if a != nil {
			name = cmp.Or(name, oneLine(a.Company), oneLine(a.Name))
		}
	}
	email, phone := cmp.Or(c.Email, m.order.Email), cmp.Or(c.Phone, m.order.Phone)
	return &party{
		Code: code, Name: cmp.Or(name, oneLine(email), "Shopify customer "+code),
		Email: oneLine(email), Phone: oneLine(phone),
	}
}

func (m mapper) address(a *erp.Address, field string) *address {
	if a == nil {
		return nil
	}
	made := &address{
		Name:   oneLine(cmp.Or(a.Name, a.FirstName+" "+a.LastName)),
		Street: paragraphs(a.Address1 + "\n" + a.Address2), PostalCode: oneLine(a.Zip),
		City: oneLine(a.City), Province: oneLine(a.Province),
		Country: strings.ToUpper(oneLine(a.CountryCode)), Field: field,
	}
	if company := oneLine(a.Company); company != "" {
		made.Name = strings.TrimSuffix(company+", "+made.Name, ", ")
	}
	if made.Country != "" && a.ProvinceCode != "" {
		made.Subdivision = made.Country + "-" + strings.ToUpper(oneLine(a.ProvinceCode))
	}
	return made
}

// lines are the articles, each followed by what was taken off it, then
// shipping and what else the total holds.
func (m mapper) lines() ([]docLine, error) {
	var all []docLine
	for i, l := range m.order.Lines {
		if l.Quantity == 0 {
			continue // all removed or refunded
		}
		made, err := m.article(i, l)
		if err != nil {
			return nil, err
		}
		all = append(all, made...)
	}
	for i, s := range m.order.Shipping {
		field := fmt.Sprintf("shipping[%d]", i)
		all = append(all, m.line(m.settings.Products.Shipping, field, s.Title, 1, s.Amount.Decimal, m.charged(s.Taxes, s.Amount)))
	}
	extras, err := m.extras()
	return append(all, extras...), err
}

// article is a line at its price before discounts, and the discount.
func (m mapper) article(i int, l erp.Line) ([]docLine, error) {
	field := fmt.Sprintf("lines[%d].sku", i)
	product, standIn, err := m.product(l, field)
	if err != nil {
		return nil, err
	}
	taxes := m.charged(l.Taxes, l.Amount)
	line := m.line(product, field, l.Name(), l.Quantity, l.UnitPrice.Decimal, taxes)
	line.StandIn = standIn
	if l.Discount.IsZero() {
		return []docLine{line}, nil
	}
	off := m.line(m.settings.Products.Discount, fmt.Sprintf("lines[%d].discount", i), "Discount: "+l.Name(), 1, l.Discount.Neg(), taxes)
	return []docLine{line, off}, nil
}

// product is the code to sell the line under, and the one to take where Tryton
// does not know that.
func (m mapper) product(l erp.Line, field string) (code, standIn string, err error) {
	standIn = m.settings.FallbackProduct
	if l.GiftCard {
		standIn = cmp.Or(m.settings.Products.GiftCard, standIn)
	}
	sku := oneLine(l.SKU)
	switch {
	case sku != "" && sku != standIn:
		return sku, standIn, nil
	case sku == "" && l.Title == "Tip" && m.settings.Products.Tip != "": // Shopify's checkout adds tips as such lines
		return m.settings.Products.Tip, "", nil
	case standIn != "":
		return standIn, "", nil
	}
	return "", "", &erp.Problem{
		Reason: "a line has no SKU", Field: field,
		Hint: "give the article a SKU in Shopify, or set fallback_product to the code of a product in Tryton",
	}
}

// extras are the amounts that no line and no shipping stands for.
func (m mapper) extras() ([]docLine, error) {
	o, codes := m.order, m.settings.Products
	var all []docLine
	for _, e := range []struct {
		amount             decimal.Decimal
		code, title, field string
	}{
		{o.Tip.Decimal, codes.Tip, "Tip", "tip"},
		{o.Duties.Decimal, codes.Duties, "Duties", "duties"},
		{o.Fees.Decimal, codes.Fees, "Fees", "fees"},
		{m.channelTax(), codes.ChannelTax, "Tax paid by the sales channel", "channel_tax"},
	} {
		if e.amount.IsZero() {
			continue
		}
		if e.code == "" {
			return nil, &erp.Problem{
				Reason: "the order holds an amount that no product stands for: " + strings.ToLower(e.title), Field: e.field,
				Hint: "create a service product for it in Tryton and set products." + e.field + " to its code",
			}
		}
		all = append(all, m.line(e.code, e.field, e.title, 1, e.amount, nil))
	}
	return all, nil
}

// channelTax sums the taxes that are the sales channel's to pay.
func (m mapper) channelTax() decimal.Decimal {
	var sum decimal.Decimal
	add := func(taxes []erp.Tax) {
		for _, t := range taxes {
			if t.ChannelLiable {
				sum = sum.Add(t.Amount.Decimal)
			}
		}
	}
	for _, l := range m.order.Lines {
		if l.Quantity != 0 {
			add(l.Taxes)
		}
	}
	for _, s := range m.order.Shipping {
		add(s.Taxes)
	}
	return sum
}

// charged drops the taxes that Shopify lists with their rate but did not
// charge, as for customers who are exempt.
func (m mapper) charged(taxes []erp.Tax, on erp.Amount) []erp.Tax {
	var kept []erp.Tax
	for _, t := range taxes {
		due := on.Mul(t.Rate).Abs()
		if !t.Amount.IsZero() || due.LessThan(m.minorUnit()) {
			kept = append(kept, t)
		}
	}
	return kept
}

// line makes a line of the price, out of which it takes taxes that are in it.
func (m mapper) line(product, field, title string, quantity int64, price decimal.Decimal, taxes []erp.Tax) docLine {
	if m.order.TaxesIncluded {
		rates := decimal.NewFromInt(1)
		for _, t := range taxes {
			rates = rates.Add(t.Rate)
		}
		price = price.DivRound(rates, priceDigits)
	}
	l := docLine{
		Product: product, Field: field, Description: oneLine(title),
		Quantity: quantity, UnitPrice: price.StringFixed(priceDigits),
	}
	for _, t := range taxes {
		if !t.ChannelLiable {
			l.Taxes = append(l.Taxes, m.tax(t))
		}
	}
	return l
}

// tax names the tax that the settings give for the title or the rate.
func (m mapper) tax(t erp.Tax) taxRef {
	percent := t.Rate.Shift(2).String()
	for _, key := range []string{t.Title, percent + "%", percent + " %", t.Rate.String()} {
		if name, named := m.settings.Taxes[taxKey(key)]; named {
			return taxRef{Name: name, Title: oneLine(t.Title)}
		}
	}
	return taxRef{Rate: t.Rate.String(), Title: oneLine(t.Title)}
}

// minorUnit is the least amount of the order's currency.
func (m mapper) minorUnit() decimal.Decimal { return decimal.New(1, m.order.Total.Exponent()) }

// maxRounding bounds what rounding can explain. Shopify and Tryton each round a
// tax by half a minor unit at most, which makes one for each tax of a line;
// prices that had their tax taken out add one for the amount of the line and
// half of the last digit of the price for each unit. One more is for the sum.
func (m mapper) maxRounding(lines []docLine) decimal.Decimal {
	units, pieces := int64(1), int64(0)
	for _, l := range lines {
		units += int64(len(l.Taxes))
		if m.order.TaxesIncluded && len(l.Taxes) > 0 {
			units, pieces = units+1, pieces+l.Quantity
		}
	}
	return m.minorUnit().Mul(decimal.NewFromInt(units)).Add(decimal.New(pieces, -priceDigits))
}

// oneLine makes text fit a single-line field: no control characters, which
// PostgreSQL refuses in part, and no doubled spaces.
func oneLine(s string) string { return strings.Join(strings.Fields(printable(s)), " ") }

// paragraphs is oneLine for fields of several lines.
func paragraphs(s string) string {
	var kept []string
	for line := range strings.Lines(s) {
		if line = oneLine(line); line != "" {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && !unicode.IsSpace(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
