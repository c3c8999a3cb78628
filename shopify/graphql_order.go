package shopify

import (
	"cmp"
	"slices"
)

// DecodeGraphQLOrder reads the order object that graphql/order.graphql asks
// for, after Client.Order merged further lines and the refunds into it. It is as
// lenient, and as strict, as DecodeRESTOrder, and gives the same Order for the
// same order.
func DecodeGraphQLOrder(body []byte) (*Order, error) {
	n, err := parseObject(body)
	if err != nil {
		return nil, err
	}
	return graphQLOrder(n)
}

// graphQLOrder reads an order as
// https://shopify.dev/docs/api/admin-graphql/2026-10/objects/Order describes it.
func graphQLOrder(n node) (*Order, error) {
	discounts, positions := graphQLDiscounts(n)
	rounding := n.object("totalCashRoundingAdjustment")
	o := &Order{
		ID:           n.id("id"),
		Name:         n.text("name"),
		Number:       n.integer("number"),
		CreatedAt:    n.at("createdAt"),
		ProcessedAt:  n.at("processedAt"),
		UpdatedAt:    n.at("updatedAt"),
		CancelledAt:  n.atOrNil("cancelledAt"),
		ClosedAt:     n.atOrNil("closedAt"),
		CancelReason: n.word("cancelReason"),

		Test:           n.yes("test"),
		TaxesIncluded:  n.yes("taxesIncluded"),
		DutiesIncluded: n.yes("dutiesIncluded"),

		Currency:            n.text("currencyCode"),
		PresentmentCurrency: n.text("presentmentCurrencyCode"),

		FinancialStatus:   n.word("displayFinancialStatus"),
		FulfillmentStatus: fulfillmentStatus(n.word("displayFulfillmentStatus"), begun(n)),
		SourceName:        n.text("sourceName"),
		PONumber:          n.text("poNumber"),
		Note:              n.text("note"),

		Tags:       n.tags(),
		Attributes: n.attributes("customAttributes"),
		Gateways:   n.texts("paymentGatewayNames"),

		Email:    n.text("email"),
		Phone:    n.text("phone"),
		Locale:   n.text("customerLocale"),
		Customer: graphQLCustomer(n.object("customer")),
		Billing:  graphQLAddress(n.object("billingAddress")),
		Shipping: graphQLAddress(n.object("shippingAddress")),

		Total:           n.bag("totalPriceSet", ""),
		TotalDiscount:   n.bag("totalDiscountsSet", ""),
		CurrentTotal:    n.bag("currentTotalPriceSet", ""),
		CurrentSubtotal: n.bag("currentSubtotalPriceSet", ""),
		CurrentTax:      n.bag("currentTotalTaxSet", ""),
		CurrentDiscount: n.bag("currentTotalDiscountsSet", ""),
		CurrentShipping: n.bag("currentShippingPriceSet", ""),
		CurrentDuties:   n.bag("currentTotalDutiesSet", ""),
		CurrentFees:     n.bag("currentTotalAdditionalFeesSet", ""),
		Tip:             n.bag("totalTipReceivedSet", "").Shop,
		Outstanding:     n.bag("totalOutstandingSet", "").Shop,
		PaymentRounding: rounding.bag("paymentSet", ""),
		RefundRounding:  rounding.bag("refundSet", ""),

		Lines:         each(n.objects("lineItems"), func(l node) Line { return graphQLLine(l, positions) }),
		ShippingLines: each(n.objects("shippingLines"), func(l node) ShippingLine { return graphQLShippingLine(l, positions) }),
		Discounts:     discounts,
		Refunds:       each(n.objects("refunds"), graphQLRefund),
	}
	if o.PresentmentCurrency == "" {
		o.PresentmentCurrency = o.Currency
	}
	return n.finish(o)
}

// begun says whether any unit has been fulfilled.
func begun(n node) bool {
	return slices.ContainsFunc(n.objects("lineItems"), func(l node) bool {
		return l.has("unfulfilledQuantity") &&
			l.integer("quantity")-l.integer("nonFulfillableQuantity")-l.integer("unfulfilledQuantity") > 0
	})
}

func graphQLLine(n node, positions map[int64]int) Line {
	return Line{
		ID:               n.id("id"),
		SKU:              n.text("sku"),
		Title:            n.text("title"),
		VariantTitle:     variantTitle(n.text("variantTitle")),
		Vendor:           n.text("vendor"),
		Quantity:         n.integer("quantity"),
		CurrentQuantity:  n.integer("currentQuantity"),
		Price:            n.bag("originalUnitPriceSet", ""),
		GiftCard:         n.yes("isGiftCard"),
		Taxable:          n.yes("taxable"),
		RequiresShipping: n.yes("requiresShipping"),
		Attributes:       n.attributes("customAttributes"),
		Allocations:      graphQLAllocations(n, positions),
		Taxes:            each(n.objects("taxLines"), graphQLTax),
	}
}

func graphQLShippingLine(n node, positions map[int64]int) ShippingLine {
	return ShippingLine{
		ID:          n.id("id"),
		Title:       n.text("title"),
		Code:        n.text("code"),
		Price:       n.bag("originalPriceSet", ""),
		Discounted:  n.bag("discountedPriceSet", ""),
		Current:     n.bag("currentDiscountedPriceSet", ""),
		Removed:     n.yes("isRemoved"),
		Allocations: graphQLAllocations(n, positions),
		Taxes:       each(n.objects("taxLines"), graphQLTax),
	}
}

func graphQLTax(n node) TaxLine {
	return TaxLine{
		Title:         n.text("title"),
		Rate:          n.decimal("rate"),
		Amount:        n.bag("priceSet", ""),
		ChannelLiable: n.yes("channelLiable"),
	}
}

// graphQLDiscounts reads the discounts in the order of their index, and where
// each index stands in that list: REST's index is the position itself.
func graphQLDiscounts(n node) ([]Discount, map[int64]int) {
	nodes := n.objects("discountApplications")
	slices.SortStableFunc(nodes, func(a, b node) int { return cmp.Compare(a.integer("index"), b.integer("index")) })
	positions := map[int64]int{}
	for i, d := range nodes {
		positions[d.integer("index")] = i
	}
	return each(nodes, func(d node) Discount {
		return discount(d.text("__typename"), d.text("code"), d.text("title"))
	}), positions
}

func graphQLAllocations(n node, positions map[int64]int) []Allocation {
	return sortAllocations(each(n.objects("discountAllocations"), func(a node) Allocation {
		index := a.object("discountApplication").integer("index")
		position, known := positions[index]
		if !known {
			position = int(index)
		}
		return Allocation{Index: position, Amount: a.bag("allocatedAmountSet", "")}
	}))
}

// graphQLRefund reads a refund as graphql/refunds.graphql asks for it.
func graphQLRefund(n node) Refund {
	return Refund{
		ID:        n.id("id"),
		CreatedAt: n.at("createdAt"),
		Note:      n.text("note"),
		Amount: sum(n.objects("transactions"), func(t node) Bag {
			if !successful(t) {
				return Bag{}
			}
			return t.bag("amountSet", "")
		}),
		Lines: each(n.objects("refundLineItems"), graphQLRefundLine),
		Shipping: sum(n.objects("refundShippingLines"), func(l node) Bag {
			return l.bag("subtotalAmountSet", "")
		}),
	}
}

func graphQLRefundLine(n node) RefundLine {
	return RefundLine{
		LineID:   n.object("lineItem").id("id"),
		Quantity: n.integer("quantity"),
		Subtotal: n.bag("subtotalSet", ""),
		Tax:      n.bag("totalTaxSet", ""),
		Restock:  n.word("restockType"),
	}
}

func graphQLCustomer(n node) *Customer {
	return orNil(Customer{
		ID:        n.id("id"),
		FirstName: n.text("firstName"),
		LastName:  n.text("lastName"),
		Email:     n.object("defaultEmailAddress").text("emailAddress"),
		Phone:     n.object("defaultPhoneNumber").text("phoneNumber"),
	})
}

func graphQLAddress(n node) *Address {
	return orNil(Address{
		FirstName:    n.text("firstName"),
		LastName:     n.text("lastName"),
		Name:         n.text("name"),
		Company:      n.text("company"),
		Address1:     n.text("address1"),
		Address2:     n.text("address2"),
		City:         n.text("city"),
		Zip:          n.text("zip"),
		Province:     n.text("province"),
		ProvinceCode: n.text("provinceCode"),
		Country:      n.text("country"),
		CountryCode:  n.text("countryCodeV2"),
		Phone:        n.text("phone"),
	})
}
