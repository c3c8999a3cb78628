package shopify

import (
	"time"

	"github.com/shopspring/decimal"
)

// Order is one Shopify order as both of Shopify's shapes tell it: the REST JSON
// of webhooks and the answer to order.graphql. It holds only what both can say,
// so that the same order by either way is equal, field for field. Words that
// the shapes spell differently (statuses, reasons, kinds) are lower case with
// underscores.
type Order struct {
	ID           int64      `json:"id"`
	Name         string     `json:"name"`
	Number       int64      `json:"number"` // REST order_number, GraphQL number
	CreatedAt    time.Time  `json:"created_at"`
	ProcessedAt  time.Time  `json:"processed_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	CancelledAt  *time.Time `json:"cancelled_at,omitempty"`
	ClosedAt     *time.Time `json:"closed_at,omitempty"`
	CancelReason string     `json:"cancel_reason,omitempty"`

	Test           bool `json:"test,omitempty"`
	TaxesIncluded  bool `json:"taxes_included,omitempty"`
	DutiesIncluded bool `json:"duties_included,omitempty"`

	Currency            string `json:"currency"`
	PresentmentCurrency string `json:"presentment_currency"`

	FinancialStatus   string `json:"financial_status,omitempty"`
	FulfillmentStatus string `json:"fulfillment_status,omitempty"` // unfulfilled, partially_fulfilled, fulfilled, restocked
	SourceName        string `json:"source_name,omitempty"`
	PONumber          string `json:"po_number,omitempty"`
	Note              string `json:"note,omitempty"`

	Tags       []string    `json:"tags,omitempty"` // sorted
	Attributes []Attribute `json:"attributes,omitempty"`
	Gateways   []string    `json:"gateways,omitempty"`

	Email    string    `json:"email,omitempty"`
	Phone    string    `json:"phone,omitempty"`
	Locale   string    `json:"locale,omitempty"`
	Customer *Customer `json:"customer,omitempty"`
	Billing  *Address  `json:"billing,omitempty"`
	Shipping *Address  `json:"shipping,omitempty"`

	// As ordered, before edits and returns.
	Total         Bag `json:"total"`
	TotalDiscount Bag `json:"total_discount"`
	// As it stands now.
	CurrentTotal    Bag `json:"current_total"`
	CurrentSubtotal Bag `json:"current_subtotal"`
	CurrentTax      Bag `json:"current_tax"`
	CurrentDiscount Bag `json:"current_discount"`
	CurrentShipping Bag `json:"current_shipping"`
	CurrentDuties   Bag `json:"current_duties"`
	CurrentFees     Bag `json:"current_fees"`
	// In shop money only: REST tells no more.
	Tip             decimal.Decimal `json:"tip"`
	Outstanding     decimal.Decimal `json:"outstanding"`
	PaymentRounding Bag             `json:"payment_rounding"` // cash rounding at payment
	RefundRounding  Bag             `json:"refund_rounding"`

	Lines         []Line         `json:"lines,omitempty"`
	ShippingLines []ShippingLine `json:"shipping_lines,omitempty"`
	Discounts     []Discount     `json:"discounts,omitempty"` // in the order of their index
	Refunds       []Refund       `json:"refunds,omitempty"`
}

// Bag is an amount in the shop's money and in the customer's.
type Bag struct {
	Shop        decimal.Decimal `json:"shop"`
	Presentment decimal.Decimal `json:"presentment"`
}

// Line is one line item. Quantity counts every unit ever on the line, removed
// and refunded ones too; CurrentQuantity is what is wanted now. Taxes and
// Allocations belong to Quantity units.
type Line struct {
	ID               int64        `json:"id"`
	SKU              string       `json:"sku,omitempty"`
	Title            string       `json:"title,omitempty"`
	VariantTitle     string       `json:"variant_title,omitempty"`
	Vendor           string       `json:"vendor,omitempty"`
	Quantity         int64        `json:"quantity"`
	CurrentQuantity  int64        `json:"current_quantity"`
	Price            Bag          `json:"price"` // of one unit, before discounts
	GiftCard         bool         `json:"gift_card,omitempty"`
	Taxable          bool         `json:"taxable,omitempty"`
	RequiresShipping bool         `json:"requires_shipping,omitempty"`
	Attributes       []Attribute  `json:"attributes,omitempty"`
	Allocations      []Allocation `json:"allocations,omitempty"`
	Taxes            []TaxLine    `json:"taxes,omitempty"`
}

// ShippingLine is one way of delivery. Removed lines stay in the list with a
// Current of zero.
type ShippingLine struct {
	ID          int64        `json:"id"`
	Title       string       `json:"title,omitempty"`
	Code        string       `json:"code,omitempty"`
	Price       Bag          `json:"price"`      // before discounts
	Discounted  Bag          `json:"discounted"` // when ordered
	Current     Bag          `json:"current"`    // after discounts and refunds
	Removed     bool         `json:"removed,omitempty"`
	Allocations []Allocation `json:"allocations,omitempty"`
	Taxes       []TaxLine    `json:"taxes,omitempty"`
}

// TaxLine is one tax on a line item or shipping line.
type TaxLine struct {
	Title         string          `json:"title,omitempty"`
	Rate          decimal.Decimal `json:"rate"` // 0.21 is 21 %
	Amount        Bag             `json:"amount"`
	ChannelLiable bool            `json:"channel_liable,omitempty"`
}

// Allocation is the share of a discount that one line bears.
type Allocation struct {
	Index  int `json:"index"` // into Order.Discounts
	Amount Bag `json:"amount"`
}

// Discount is one discount application.
type Discount struct {
	Kind  string `json:"kind"` // code, automatic, manual, script
	Code  string `json:"code,omitempty"`
	Title string `json:"title,omitempty"`
}

// Refund is money or goods given back.
type Refund struct {
	ID        int64        `json:"id"`
	CreatedAt time.Time    `json:"created_at"`
	Note      string       `json:"note,omitempty"`
	Amount    Bag          `json:"amount"` // Σ successful refund transactions; Presentment equals Shop where only one is told
	Lines     []RefundLine `json:"lines,omitempty"`
	Shipping  Bag          `json:"shipping"` // Σ refund shipping lines, without tax
}

// RefundLine is the part of a refund that belongs to one line item.
type RefundLine struct {
	LineID   int64  `json:"line_id"`
	Quantity int64  `json:"quantity"`
	Subtotal Bag    `json:"subtotal"` // after discounts
	Tax      Bag    `json:"tax"`
	Restock  string `json:"restock,omitempty"` // no_restock, cancel, return, legacy_restock
}

// Customer is the buyer.
type Customer struct {
	ID        int64  `json:"id"`
	FirstName string `json:"first_name,omitempty"`
	LastName  string `json:"last_name,omitempty"`
	Email     string `json:"email,omitempty"`
	Phone     string `json:"phone,omitempty"`
}

// Address is a postal address.
type Address struct {
	FirstName    string `json:"first_name,omitempty"`
	LastName     string `json:"last_name,omitempty"`
	Name         string `json:"name,omitempty"`
	Company      string `json:"company,omitempty"`
	Address1     string `json:"address1,omitempty"`
	Address2     string `json:"address2,omitempty"`
	City         string `json:"city,omitempty"`
	Zip          string `json:"zip,omitempty"`
	Province     string `json:"province,omitempty"`
	ProvinceCode string `json:"province_code,omitempty"`
	Country      string `json:"country,omitempty"`
	CountryCode  string `json:"country_code,omitempty"`
	Phone        string `json:"phone,omitempty"`
}

// Attribute is a name and value attached to an order or a line.
type Attribute struct {
	Name  string `json:"name"`
	Value string `json:"value,omitempty"`
}
