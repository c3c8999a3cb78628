package shopifytest

import (
	"fmt"
	"time"
)

// Order is the ledger of one order: every fact, and no sum that follows from
// the facts except Placed, which later edits must not touch.
type Order struct {
	ID          int64
	Number      int64 // consecutive; the name is "#" and the number
	CreatedAt   time.Time
	ProcessedAt time.Time
	UpdatedAt   time.Time // whole seconds, as Shopify tells it
	CancelledAt time.Time // zero: not cancelled
	ClosedAt    time.Time // zero: open

	CancelReason   string // customer, fraud, inventory, declined, staff, other
	Test           bool
	Edited         bool
	TaxesIncluded  bool
	DutiesIncluded bool
	Currency       string // the shop's
	Presentment    string // the customer's, often the same

	Source     string // web, pos, shopify_draft_order, ...
	Locale     string
	PONumber   string
	Note       string
	Tags       []string
	Attributes []Attribute

	Email    string
	Phone    string
	Customer *Customer
	Billing  *Address
	Shipping *Address

	Lines         []Line
	ShippingLines []ShippingLine
	Discounts     []Discount // allocations name them by index
	Tip           Bag
	Fee           Bag // additional fees
	FeeName       string

	Transactions []Transaction
	Refunds      []Refund
	Fulfillments []Fulfillment

	Placed  Totals // as the order was placed, before edits and refunds
	Version int64  // 1 when placed; every change adds one
}

// Name is what people call the order.
func (o *Order) Name() string { return fmt.Sprintf("#%d", o.Number) }

// Cancelled says whether the order was called off.
func (o *Order) Cancelled() bool { return !o.CancelledAt.IsZero() }

// Line is one line item. Discounts, Taxes and the duty belong to Quantity
// units; what Current units bear is their share of it.
type Line struct {
	ID        int64
	Product   *Product
	Quantity  int64 // every unit ever on the line
	Current   int64 // less what was removed or refunded
	Fulfilled int64
	Price     Bag // of one unit
	Discounts []Allocation
	Taxes     []Tax
	DutyID    int64
	Duty      Bag
	Added     bool // by an edit, after the order was placed
	Notes     []Attribute
}

// ShippingLine is one way of delivery. Refunded is what was given back of its
// discounted price.
type ShippingLine struct {
	ID        int64
	Title     string
	Code      string
	Price     Bag
	Discounts []Allocation
	Taxes     []Tax
	Refunded  Bag
	Removed   bool
}

// Allocation is the share of a discount that a line bears.
type Allocation struct {
	Index  int // into Order.Discounts
	Amount Bag
}

// Discount is one discount application.
type Discount struct {
	Kind      string // discount_code, automatic, manual
	Title     string // the code, where it is one
	Percent   int64  // per mille; 0: a fixed Value
	Value     Bag
	Target    string // line_item, shipping_line
	Selection string // all, entitled, explicit
	Method    string // across, each
}

// Tax is one tax on a line.
type Tax struct {
	*TaxRate
	Amount Bag
}

// Transaction is one movement of money.
type Transaction struct {
	ID       int64
	ParentID int64
	Kind     string // authorization, capture, sale, void, refund
	Status   string // success, pending, failure
	Gateway  string
	At       time.Time
	Amount   Bag
	Rounding Bag // cash rounding; what changed hands is Amount + Rounding
}

// Refund gives back goods, money or both.
type Refund struct {
	ID         int64
	At         time.Time
	Note       string
	Lines      []RefundLine
	Shipping   []RefundShipping
	Duties     []RefundDuty
	Adjustment Adjustment
	Payments   []int64 // ids of its transactions
}

// RefundLine gives back units of one line.
type RefundLine struct {
	ID       int64
	LineID   int64
	Quantity int64
	Subtotal Bag // after discounts
	Tax      Bag
	Restock  string // no_restock, cancel, return
}

// RefundShipping gives back a part of a shipping line.
type RefundShipping struct {
	ID     int64
	LineID int64
	Amount Bag
	Tax    Bag
}

// RefundDuty gives back duty of a line.
type RefundDuty struct {
	DutyID int64
	Amount Bag
}

// Adjustment is what was paid back beyond (negative: short of) the refunded
// goods. A zero ID says that there is none.
type Adjustment struct {
	ID     int64
	Amount Bag
}

// Fulfillment is one parcel.
type Fulfillment struct {
	ID       int64
	At       time.Time
	Tracking string
	Lines    []FulfilledLine
}

// FulfilledLine is what of a line was in the parcel.
type FulfilledLine struct{ LineID, Quantity int64 }

// Customer is the buyer.
type Customer struct {
	ID        int64
	FirstName string
	LastName  string
	Email     string
	Phone     string
	Tags      []string
}

// Address is a postal address; its place is shared by many.
type Address struct {
	FirstName string
	LastName  string
	Company   string
	Address1  string
	Address2  string
	Phone     string
	*Place
}

// Name is the full name.
func (a *Address) Name() string { return a.FirstName + " " + a.LastName }

// Place is where an address lies.
type Place struct {
	City, Zip, Province, ProvinceCode, Country, CountryCode string
}

// Attribute is a name and a value.
type Attribute struct{ Name, Value string }
