package erp

import (
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"
)

// Amount is money in the order's currency, written in JSON as a string with
// exactly the digits of that currency ("20.00", "1500", "1.250"). It is never a
// float.
type Amount struct{ decimal.Decimal }

// NewAmount fixes d at the currency's number of digits, rounding half away
// from zero where d is finer.
func NewAmount(d decimal.Decimal, digits int32) Amount {
	return Amount{decimal.NewFromBigInt(d.Round(digits).Shift(digits).BigInt(), -digits)}
}

// String writes every digit the amount was fixed at, trailing zeros included.
func (a Amount) String() string {
	if a.Exponent() < 0 {
		return a.StringFixed(-a.Exponent())
	}
	return a.Decimal.String()
}

// MarshalJSON writes the amount as a string.
func (a Amount) MarshalJSON() ([]byte, error) { return json.Marshal(a.String()) }

// Order is the neutral order: what one Shopify order is worth now, in the terms
// every ERP shares. Amounts are shop money; Presentment holds what the customer
// saw where that is another currency.
//
// The parts add up, to the currency's minor unit:
//
//	Total = Σ Lines.Amount + Σ Shipping.Amount + Duties + Fees + Tip
//	        + Rounding (+ TotalTax, unless TaxesIncluded)
//
// Cash rounding is outside Total: it changes what was paid at the till, not
// what the order is worth.
type Order struct {
	Ref         string     `json:"ref"`  // the reference the ERP document carries, unique over all shops
	Shop        string     `json:"shop"` // the shop's name in the config
	ID          int64      `json:"id"`   // Shopify's number, may pass 2^53
	Name        string     `json:"name"` // "#1001", not unique
	Number      int64      `json:"number"`
	Date        string     `json:"date"` // "2026-11-22": ProcessedAt's day, else CreatedAt's, in the shop's own calendar
	CreatedAt   time.Time  `json:"created_at"`
	ProcessedAt time.Time  `json:"processed_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	CancelledAt *time.Time `json:"cancelled_at"`
	// CancelReason is Shopify's word in lower case: customer, fraud, inventory, declined, staff, other.
	CancelReason string `json:"cancel_reason,omitempty"`
	Test         bool   `json:"test"`

	Currency      string `json:"currency"`      // ISO 4217 of every amount outside Presentment
	Total         Amount `json:"total"`         // worth now, after edits, returns and refunds of lines
	TotalOrdered  Amount `json:"total_ordered"` // worth when it was placed
	Subtotal      Amount `json:"subtotal"`      // Σ Lines.Amount
	TotalShipping Amount `json:"total_shipping"`
	TotalDiscount Amount `json:"total_discount"`
	TotalTax      Amount `json:"total_tax"`
	TaxesIncluded bool   `json:"taxes_included"` // the amounts above and below already hold their tax
	Duties        Amount `json:"duties"`
	Fees          Amount `json:"fees"`
	Tip           Amount `json:"tip"` // zero where Shopify sent the tip as a line
	// Rounding is what is left over where Shopify converted each part from the
	// customer's money by itself: at most one minor unit a part, and zero where
	// the customer paid in the shop's currency.
	Rounding     Amount `json:"rounding"`
	CashRounding Amount `json:"cash_rounding"`
	Paid         Amount `json:"paid"` // received less refunded
	Outstanding  Amount `json:"outstanding"`

	FinancialStatus   string `json:"financial_status"`   // lower case: pending, authorized, paid, refunded, voided, ...
	FulfillmentStatus string `json:"fulfillment_status"` // unfulfilled, partially_fulfilled, fulfilled, restocked
	Source            string `json:"source"`
	PONumber          string `json:"po_number,omitempty"`

	Customer   *Customer `json:"customer"`
	Email      string    `json:"email,omitempty"`
	Phone      string    `json:"phone,omitempty"`
	Billing    *Address  `json:"billing"`
	ShippingTo *Address  `json:"shipping_to"`

	Lines     []Line     `json:"lines"`
	Shipping  []Shipping `json:"shipping"`
	Discounts []Discount `json:"discounts"`
	Taxes     []Tax      `json:"taxes"` // Σ over lines and shipping by title, rate and who owes it
	Refunds   []Refund   `json:"refunds"`
	Payments  []Payment  `json:"payments"`

	Note       string      `json:"note"`
	Tags       []string    `json:"tags"`
	Attributes []Attribute `json:"attributes"`

	// Presentment is nil where the customer paid in the shop's currency.
	Presentment *Presentment `json:"presentment,omitempty"`
}

// Line is one order line at its current quantity.
type Line struct {
	ID        int64  `json:"id"`
	SKU       string `json:"sku"`
	Title     string `json:"title"`
	Variant   string `json:"variant,omitempty"`
	Vendor    string `json:"vendor,omitempty"`
	Quantity  int64  `json:"quantity"` // units wanted now; 0 where all were removed or refunded
	Ordered   int64  `json:"ordered"`  // units when the line was added
	UnitPrice Amount `json:"unit_price"`
	Discount  Amount `json:"discount"` // of the line and its share of the order's, for Quantity units
	Amount    Amount `json:"amount"`   // UnitPrice × Quantity − Discount
	Tax       Amount `json:"tax"`      // Σ Taxes

	Taxes            []Tax       `json:"taxes"`
	GiftCard         bool        `json:"gift_card,omitempty"`
	Taxable          bool        `json:"taxable"`
	RequiresShipping bool        `json:"requires_shipping"`
	Attributes       []Attribute `json:"attributes,omitempty"`

	Presentment *LinePresentment `json:"presentment,omitempty"`
}

// Name is the title with the variant, as people know the article.
func (l Line) Name() string {
	if l.Variant == "" {
		return l.Title
	}
	return l.Title + " - " + l.Variant
}

// Shipping is one way of delivery the customer pays for.
type Shipping struct {
	ID       int64  `json:"id"`
	Title    string `json:"title"`
	Code     string `json:"code,omitempty"`
	Price    Amount `json:"price"`    // before discounts
	Discount Amount `json:"discount"` // Price − Amount
	Amount   Amount `json:"amount"`   // charged now
	Tax      Amount `json:"tax"`
	Taxes    []Tax  `json:"taxes"`
}

// Tax is one tax on a line, on shipping or, summed, on the order.
type Tax struct {
	Title  string          `json:"title"`
	Rate   decimal.Decimal `json:"rate"` // 0.21 is 21 %
	Amount Amount          `json:"amount"`
	// ChannelLiable says that the sales channel pays this tax to the state, so
	// the merchant must not.
	ChannelLiable bool `json:"channel_liable,omitempty"`
}

// Discount is one discount of the order, with all it took off lines and
// shipping at their current quantities.
type Discount struct {
	Title  string `json:"title"` // the code, where there is one
	Code   string `json:"code,omitempty"`
	Kind   string `json:"kind"` // code, automatic, manual, script
	Amount Amount `json:"amount"`
}

// Refund is money or goods given back. A refund without lines gives back an
// amount only.
type Refund struct {
	ID        int64        `json:"id"`
	CreatedAt time.Time    `json:"created_at"`
	Note      string       `json:"note"`
	Amount    Amount       `json:"amount"` // paid back by successful transactions
	Lines     []RefundLine `json:"lines"`
	Shipping  Amount       `json:"shipping"` // of Amount, given back on shipping
}

// RefundLine is the part of a refund that belongs to one order line.
type RefundLine struct {
	LineID   int64  `json:"line_id"`
	Quantity int64  `json:"quantity"`
	Amount   Amount `json:"amount"`
	Tax      Amount `json:"tax"`
	Restock  string `json:"restock"` // no_restock, cancel, return, legacy_restock
}

// Payment names a gateway the order was paid through. Amount is set only where
// one gateway took all of it; Shopify's webhooks don't split it.
type Payment struct {
	Gateway string  `json:"gateway"`
	Amount  *Amount `json:"amount,omitempty"`
}

// Customer is the person or company that ordered; a till or guest order may
// have none.
type Customer struct {
	ID        int64  `json:"id"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
}

// Address is a postal address as the customer gave it.
type Address struct {
	Name         string `json:"name,omitempty"`
	FirstName    string `json:"first_name,omitempty"`
	LastName     string `json:"last_name,omitempty"`
	Company      string `json:"company,omitempty"`
	Address1     string `json:"address1,omitempty"`
	Address2     string `json:"address2,omitempty"`
	City         string `json:"city,omitempty"`
	Zip          string `json:"zip,omitempty"`
	Province     string `json:"province,omitempty"`
	ProvinceCode string `json:"province_code,omitempty"`
	Country      string `json:"country,omitempty"`
	CountryCode  string `json:"country_code,omitempty"` // ISO 3166-1 alpha-2
	Phone        string `json:"phone,omitempty"`
}

// Attribute is a name and value the shop attached to an order or a line.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Presentment is the order in the money the customer saw.
type Presentment struct {
	Currency      string `json:"currency"`
	Total         Amount `json:"total"`
	TotalTax      Amount `json:"total_tax"`
	TotalShipping Amount `json:"total_shipping"`
}

// LinePresentment is a line in the money the customer saw.
type LinePresentment struct {
	UnitPrice Amount `json:"unit_price"`
	Discount  Amount `json:"discount"`
	Amount    Amount `json:"amount"`
	Tax       Amount `json:"tax"`
}
