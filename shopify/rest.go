package shopify

import (
	"errors"
	"fmt"
	"slices"
)

// ErrRefundMoney says that a REST body leaves open what a refund was worth in
// the shop's money: it tells transactions in the customer's currency only, and
// a rate of our own would be some cents off. GraphQL tells both.
var ErrRefundMoney = errors.New("a refund is told in the customer's currency only; fetch the order by its id")

// DecodeRESTOrder reads the REST-shaped order that the orders/* webhooks carry
// (all supported API versions). Missing, null, oddly typed and unknown fields
// are taken in stride. It is an error where body is no JSON object, has no id
// or updated_at, holds an amount that is not a number, or paid a refund in
// another currency than the shop's (ErrRefundMoney).
func DecodeRESTOrder(body []byte) (*Order, error) {
	n, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	return restOrder(n)
}

// restOrder reads an order as
// https://shopify.dev/docs/api/admin-rest/latest/resources/order describes it.
func restOrder(n node) (*Order, error) {
	o := &Order{
		ID:           n.id("id"),
		Name:         n.text("name"),
		Number:       n.integer("order_number"),
		CreatedAt:    n.at("created_at"),
		ProcessedAt:  n.at("processed_at"),
		UpdatedAt:    n.at("updated_at"),
		CancelledAt:  n.atOrNil("cancelled_at"),
		ClosedAt:     n.atOrNil("closed_at"),
		CancelReason: n.word("cancel_reason"),

		Test:           n.yes("test"),
		TaxesIncluded:  n.yes("taxes_included"),
		DutiesIncluded: n.yes("duties_included"),

		Currency:            n.text("currency"),
		PresentmentCurrency: n.text("presentment_currency"),

		FinancialStatus:   n.word("financial_status"),
		FulfillmentStatus: fulfillmentStatus(n.word("fulfillment_status"), false),
		SourceName:        n.text("source_name"),
		PONumber:          n.text("po_number"),
		Note:              n.text("note"),

		Tags:       n.tags(),
		Attributes: n.attributes("note_attributes"),
		Gateways:   n.texts("payment_gateway_names"),

		Email:    n.text("email"),
		Phone:    n.text("phone"),
		Locale:   n.text("customer_locale"),
		Customer: restCustomer(n.object("customer")),
		Billing:  restAddress(n.object("billing_address")),
		Shipping: restAddress(n.object("shipping_address")),

		Total:           n.bag("total_price_set", "total_price"),
		TotalDiscount:   n.bag("total_discounts_set", "total_discounts"),
		CurrentTotal:    n.bag("current_total_price_set", "current_total_price"),
		CurrentSubtotal: n.bag("current_subtotal_price_set", "current_subtotal_price"),
		CurrentTax:      n.bag("current_total_tax_set", "current_total_tax"),
		CurrentDiscount: n.bag("current_total_discounts_set", "current_total_discounts"),
		CurrentShipping: n.bag("current_shipping_price_set", ""),
		CurrentDuties:   n.bag("current_total_duties_set", ""),
		CurrentFees:     n.bag("current_total_additional_fees_set", ""),
		Tip:             n.decimal("total_tip_received"),
		Outstanding:     n.decimal("total_outstanding"),
		PaymentRounding: n.bag("total_cash_rounding_payment_adjustment_set", ""),
		RefundRounding:  n.bag("total_cash_rounding_refund_adjustment_set", ""),

		Lines:         each(n.objects("line_items"), restLine),
		ShippingLines: each(n.objects("shipping_lines"), restShippingLine),
		Discounts:     each(n.objects("discount_applications"), restDiscount),
		Refunds:       each(n.objects("refunds"), restRefund),
	}
	if !n.has("current_shipping_price_set") {
		o.CurrentShipping = n.bag("total_shipping_price_set", "")
	}
	if o.PresentmentCurrency == "" {
		o.PresentmentCurrency = o.Currency
	}
	if o.PresentmentCurrency != o.Currency && paidBack(n) {
		return nil, fmt.Errorf("shopify: order %d: %w", o.ID, ErrRefundMoney)
	}
	return n.finish(o)
}

func restLine(n node) Line {
	line := Line{
		ID:               n.id("id"),
		SKU:              n.text("sku"),
		Title:            n.text("title"),
		VariantTitle:     variantTitle(n.text("variant_title")),
		Vendor:           n.text("vendor"),
		Quantity:         n.integer("quantity"),
		CurrentQuantity:  n.integer("current_quantity"),
		Price:            n.bag("price_set", "price"),
		GiftCard:         n.yes("gift_card"),
		Taxable:          n.yes("taxable"),
		RequiresShipping: n.yes("requires_shipping"),
		Attributes:       n.attributes("properties"),
		Allocations:      restAllocations(n),
		Taxes:            each(n.objects("tax_lines"), restTax),
	}
	if !n.has("current_quantity") {
		line.CurrentQuantity = line.Quantity
	}
	return line
}

func restShippingLine(n node) ShippingLine {
	line := ShippingLine{
		ID:          n.id("id"),
		Title:       n.text("title"),
		Code:        n.text("code"),
		Price:       n.bag("price_set", "price"),
		Discounted:  n.bag("discounted_price_set", "discounted_price"),
		Removed:     n.yes("is_removed"),
		Allocations: restAllocations(n),
		Taxes:       each(n.objects("tax_lines"), restTax),
	}
	line.Current = line.Discounted
	if n.has("current_discounted_price_set") {
		line.Current = n.bag("current_discounted_price_set", "")
	}
	return line
}

func restTax(n node) TaxLine {
	return TaxLine{
		Title:         n.text("title"),
		Rate:          n.decimal("rate"),
		Amount:        n.bag("price_set", "price"),
		ChannelLiable: n.yes("channel_liable"),
	}
}

func restAllocations(n node) []Allocation {
	return sortAllocations(each(n.objects("discount_allocations"), func(a node) Allocation {
		return Allocation{
			Index:  int(a.integer("discount_application_index")),
			Amount: a.bag("amount_set", "amount"),
		}
	}))
}

func restDiscount(n node) Discount {
	return discount(n.text("type"), n.text("code"), n.text("title"))
}

func restRefund(n node) Refund {
	return Refund{
		ID:        n.id("id"),
		CreatedAt: n.at("created_at"),
		Note:      n.text("note"),
		Amount:    restRefundAmount(n),
		Lines:     each(n.objects("refund_line_items"), restRefundLine),
		Shipping:  restRefundShipping(n),
	}
}

func restRefundLine(n node) RefundLine {
	return RefundLine{
		LineID:   n.id("line_item_id"),
		Quantity: n.integer("quantity"),
		Subtotal: n.bag("subtotal_set", "subtotal"),
		Tax:      n.bag("total_tax_set", "total_tax"),
		Restock:  n.word("restock_type"),
	}
}

// restRefundShipping sums what was given back on shipping. Until API version
// 2024-10 that was a negative order adjustment.
func restRefundShipping(n node) Bag {
	if lines := n.objects("refund_shipping_lines"); len(lines) > 0 {
		return sum(lines, func(l node) Bag { return l.bag("subtotal_amount_set", "amount") })
	}
	return sum(n.objects("order_adjustments"), func(a node) Bag {
		if a.word("kind") != "shipping_refund" {
			return Bag{}
		}
		bag := a.bag("amount_set", "amount")
		return Bag{bag.Shop.Neg(), bag.Presentment.Neg()}
	})
}

// restRefundAmount sums a refund's successful transactions. They are told in
// the customer's money, which restOrder has found to be the shop's too.
func restRefundAmount(n node) Bag {
	return sum(n.objects("transactions"), func(t node) Bag {
		if !successful(t) {
			return Bag{}
		}
		return t.bag("", "amount")
	})
}

// paidBack says whether any refund of the order gave money back.
func paidBack(n node) bool {
	for _, refund := range n.objects("refunds") {
		if slices.ContainsFunc(refund.objects("transactions"), successful) {
			return true
		}
	}
	return false
}

func restCustomer(n node) *Customer {
	return orNil(Customer{
		ID:        n.id("id"),
		FirstName: n.text("first_name"),
		LastName:  n.text("last_name"),
		Email:     n.text("email"),
		Phone:     n.text("phone"),
	})
}

func restAddress(n node) *Address {
	return orNil(Address{
		FirstName:    n.text("first_name"),
		LastName:     n.text("last_name"),
		Name:         n.text("name"),
		Company:      n.text("company"),
		Address1:     n.text("address1"),
		Address2:     n.text("address2"),
		City:         n.text("city"),
		Zip:          n.text("zip"),
		Province:     n.text("province"),
		ProvinceCode: n.text("province_code"),
		Country:      n.text("country"),
		CountryCode:  n.text("country_code"),
		Phone:        n.text("phone"),
	})
}
