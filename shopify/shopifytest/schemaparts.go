package shopifytest

import (
	"encoding/json"
	"fmt"
)

// partFields are the types an order is made of.
func partFields() schema {
	return schema{
		"LineItem":     lineFields(),
		"ShippingLine": shippingFields(),
		"TaxLine": {
			"title": fact(func(t *Tax) any { return t.Title }), "source": null(""), "priceSet": bag(func(t *Tax) Bag { return t.Amount }),
			"rate":           fact(func(t *Tax) any { return json.Number(fraction(t.Rate, 5)) }),
			"ratePercentage": fact(func(t *Tax) any { return json.Number(fraction(t.Rate, 3)) }),
			"channelLiable":  fact(func(t *Tax) any { return t.ChannelLiable }),
		},
		"Duty": {
			"id": fact(func(l *Line) any { return gid("Duty", l.DutyID) }), "price": bag(func(l *Line) Bag { return l.Duty }),
			"taxLines":             many("TaxLine", func(part[Line]) []any { return nil }),
			"harmonizedSystemCode": constant("610910"), "countryCodeOfOrigin": constant("PT"),
		},
		"Attribute": {
			"key":   leaf(func(a *Attribute) any { return a.Name }),
			"value": leaf(func(a *Attribute) any { return a.Value }),
		},
		"Customer": {
			"id": leaf(func(c *Customer) any { return gid("Customer", c.ID) }), "legacyResourceId": leaf(func(c *Customer) any { return legacy(c.ID) }),
			"firstName": leaf(func(c *Customer) any { return c.FirstName }), "lastName": leaf(func(c *Customer) any { return c.LastName }),
			"displayName":         leaf(func(c *Customer) any { return c.FirstName + " " + c.LastName }),
			"defaultEmailAddress": to("CustomerEmailAddress", func(c *Customer) any { return orNull(c.Email) }),
			"defaultPhoneNumber":  to("CustomerPhoneNumber", func(c *Customer) any { return orNull(c.Phone) }),
			"taxExempt":           constant(false), "note": null(""), "tags": leaf(func(c *Customer) any { return append([]string{}, c.Tags...) }),
		},
		"CustomerEmailAddress": {"emailAddress": leaf(func(s string) any { return s })},
		"CustomerPhoneNumber":  {"phoneNumber": leaf(func(s string) any { return s })},
		"PurchasingEntity":     {},
		"PurchasingCompany":    {"company": null("Company"), "location": null("Company"), "contact": null("Company")},
		"Company":              {"id": null(""), "name": null(""), "externalId": null("")},
		"MailingAddress":       addressFields(),
		"OrderCancellation":    {"staffNote": null("")},
		"OrderApp":             {"id": null(""), "name": null("")},
		"OrderAttribution":     {"handle": null(""), "displayName": null("")},
		"Location":             {"id": null(""), "name": null("")},
		"BusinessEntity":       {"id": leaf(func(id string) any { return "gid://shopify/BusinessEntity/" + id })},
		"PaymentTerms": {
			"paymentTermsName": null(""), "paymentTermsType": null(""), "dueInDays": null(""), "overdue": null(""),
			"paymentSchedules": connect("PaymentSchedule", func(*Order) []any { return nil }),
		},
		"PaymentSchedule": {"dueAt": null(""), "completedAt": null("")},
		"AdditionalFee": {
			"id": leaf(func(o *Order) any { return gid("AdditionalFee", o.ID) }), "name": leaf(func(o *Order) any { return o.FeeName }),
			"price": sum(func(o *Order) Bag { return o.Fee }), "taxLines": many("TaxLine", func(*Order) []any { return nil }),
		},
		"CashRoundingAdjustment": {
			"paymentSet": sum(func(o *Order) Bag { return o.Payments().PaymentRounding }),
			"refundSet":  sum(func(o *Order) Bag { return o.Payments().RefundRounding }),
		},
		"OrderRiskSummary":    {"recommendation": constant("ACCEPT"), "assessments": many("OrderRiskAssessment", func(*Order) []any { return nil })},
		"OrderRiskAssessment": {"riskLevel": null("")},
		"LineItemGroup":       {"id": null(""), "title": null(""), "quantity": null(""), "variantSku": null("")},
		"SellingPlan":         {"name": null(""), "sellingPlanId": null("")},
		"Return":              {"id": null(""), "name": null(""), "status": null("")},
		"OrderTransaction":    transactionFields(),
		"Fulfillment":         fulfillmentFields(),
		"FulfillmentTrackingInfo": {
			"company": constant("Pretend Post"), "number": fact(func(f *Fulfillment) any { return f.Tracking }), "url": null(""),
		},
	}
}

func lineFields() fields {
	zero := func(*Line) Bag { return Bag{} }
	return fields{
		"id": fact(func(l *Line) any { return gid("LineItem", l.ID) }), "name": fact(func(l *Line) any { return l.Product.name() }),
		"title": fact(func(l *Line) any { return l.Product.Title }), "variantTitle": fact(func(l *Line) any { return orNull(l.Product.Variant) }),
		"sku": fact(func(l *Line) any { return l.Product.SKU }), "vendor": fact(func(l *Line) any { return orNull(l.Product.Vendor) }),
		"quantity": fact(func(l *Line) any { return l.Quantity }), "currentQuantity": fact(func(l *Line) any { return l.Current }),
		"refundableQuantity": fact(func(l *Line) any { return l.Current }), "unfulfilledQuantity": fact(func(l *Line) any { return l.open() }),
		"nonFulfillableQuantity": fact(func(l *Line) any { return l.Quantity - l.Current }),
		"isGiftCard":             fact(func(l *Line) any { return l.Product.GiftCard }), "taxable": fact(func(l *Line) any { return !l.Product.GiftCard }),
		"requiresShipping": fact(func(l *Line) any { return !l.Product.GiftCard }),
		"customAttributes": many("Attribute", func(p part[Line]) []any { return items(p.it.Notes, self) }),
		"lineItemGroup":    null("LineItemGroup"), "sellingPlan": null("SellingPlan"),
		"originalUnitPriceSet": bag(func(l *Line) Bag { return l.Price }), "originalTotalSet": bag(func(l *Line) Bag { return l.Price.Times(l.Quantity) }),
		"discountedUnitPriceSet": bag(func(l *Line) Bag { return l.Price }),
		"discountedUnitPriceAfterAllDiscountsSet": bag(func(l *Line) Bag {
			return l.net(l.Quantity).Share(1, l.Quantity)
		}),
		"discountedTotalSet": bag(func(l *Line) Bag { return l.Price.Times(l.Quantity) }), "totalDiscountSet": bag(zero),
		"priceAfterAllDiscountsBeforeTaxesSet": to("MoneyBag", func(p part[Line]) any { return money{p.beforeTaxes(p.it), p.Order} }),
		"discountAllocations":                  many("DiscountAllocation", func(p part[Line]) []any { return items(p.it.Discounts, of[Allocation](p.Order)) }),
		"taxLines":                             many("TaxLine", func(p part[Line]) []any { return items(p.it.Taxes, of[Tax](p.Order)) }, "first"),
		"duties":                               many("Duty", lineDuties),
	}
}

func (o *Order) beforeTaxes(l *Line) Bag {
	if o.TaxesIncluded {
		return l.net(l.Quantity).Minus(l.tax(l.Quantity))
	}
	return l.net(l.Quantity)
}

func lineDuties(p part[Line]) []any {
	if p.it.DutyID == 0 {
		return nil
	}
	return []any{p}
}

func shippingFields() fields {
	return fields{
		"id": fact(func(s *ShippingLine) any { return gid("ShippingLine", s.ID) }), "title": fact(func(s *ShippingLine) any { return s.Title }),
		"code": fact(func(s *ShippingLine) any { return orNull(s.Code) }), "source": constant("shopify"), "custom": constant(false),
		"isRemoved": fact(func(s *ShippingLine) any { return s.Removed }), "carrierIdentifier": null(""), "shippingRateHandle": null(""), "phone": null(""),
		"originalPriceSet": bag(func(s *ShippingLine) Bag { return s.Price }), "discountedPriceSet": bag((*ShippingLine).discounted),
		"currentDiscountedPriceSet": bag((*ShippingLine).current),
		"taxLines":                  many("TaxLine", func(p part[ShippingLine]) []any { return items(p.it.Taxes, of[Tax](p.Order)) }),
		"discountAllocations": many("DiscountAllocation", func(p part[ShippingLine]) []any {
			return items(p.it.Discounts, of[Allocation](p.Order))
		}),
	}
}

func addressFields() fields {
	text := func(get func(*Address) string) field { return leaf(func(a *Address) any { return orNull(get(a)) }) }
	return fields{
		"firstName": text(func(a *Address) string { return a.FirstName }), "lastName": text(func(a *Address) string { return a.LastName }),
		"name": text((*Address).Name), "company": text(func(a *Address) string { return a.Company }),
		"address1": text(func(a *Address) string { return a.Address1 }), "address2": text(func(a *Address) string { return a.Address2 }),
		"city": text(func(a *Address) string { return a.City }), "zip": text(func(a *Address) string { return a.Zip }),
		"province": text(func(a *Address) string { return a.Province }), "provinceCode": text(func(a *Address) string { return a.ProvinceCode }),
		"country": text(func(a *Address) string { return a.Country }), "countryCodeV2": text(func(a *Address) string { return a.CountryCode }),
		"phone": text(func(a *Address) string { return a.Phone }),
	}
}

func transactionFields() fields {
	return fields{
		"id": fact(func(t *Transaction) any { return gid("OrderTransaction", t.ID) }), "kind": fact(func(t *Transaction) any { return upper(t.Kind) }),
		"status": fact(func(t *Transaction) any { return upper(t.Status) }), "test": leaf(func(p part[Transaction]) any { return p.Test }),
		"gateway": fact(func(t *Transaction) any { return t.Gateway }), "formattedGateway": fact(func(t *Transaction) any { return t.Gateway }),
		"manualPaymentGateway": fact(func(t *Transaction) any { return t.Gateway == "manual" }),
		"paymentId":            leaf(func(p part[Transaction]) any { return p.Name() + ".1" }), "errorCode": null(""),
		"createdAt": fact(func(t *Transaction) any { return utc(t.At) }), "processedAt": fact(func(t *Transaction) any { return utc(t.At) }),
		"amountSet": bag(func(t *Transaction) Bag { return t.Amount }),
		"amountRoundingSet": to("MoneyBag", func(p part[Transaction]) any {
			return p.moneyOrNil(p.it.Rounding, p.it.Rounding)
		}),
		"settlementCurrency": null(""), "settlementCurrencyRate": null(""), "parentTransaction": to("OrderTransaction", parentTransaction),
	}
}

func parentTransaction(p part[Transaction]) any {
	for i := range p.Transactions {
		if t := &p.Transactions[i]; t.ID == p.it.ParentID {
			return part[Transaction]{p.Order, t}
		}
	}
	return nil
}

func fulfillmentFields() fields {
	return fields{
		"id": fact(func(f *Fulfillment) any { return gid("Fulfillment", f.ID) }), "legacyResourceId": fact(func(f *Fulfillment) any { return legacy(f.ID) }),
		"name": leaf(func(p part[Fulfillment]) any { return p.Name() + ".1" }), "status": constant("SUCCESS"), "displayStatus": constant("FULFILLED"),
		"createdAt": fact(func(f *Fulfillment) any { return utc(f.At) }), "updatedAt": fact(func(f *Fulfillment) any { return utc(f.At) }),
		"totalQuantity": fact(func(f *Fulfillment) any { return f.units() }), "location": null("Location"),
		"trackingInfo": many("FulfillmentTrackingInfo", func(p part[Fulfillment]) []any { return []any{p} }, "first"),
	}
}

func (f *Fulfillment) units() (n int64) {
	for _, l := range f.Lines {
		n += l.Quantity
	}
	return n
}

// refundFields are a refund and the types below it.
func refundFields() schema {
	return schema{
		"Refund": {
			"id": fact(func(r *Refund) any { return gid("Refund", r.ID) }), "legacyResourceId": fact(func(r *Refund) any { return legacy(r.ID) }),
			"createdAt": fact(func(r *Refund) any { return utc(r.At) }), "processedAt": fact(func(r *Refund) any { return utc(r.At) }),
			"updatedAt": fact(func(r *Refund) any { return utc(r.At) }), "note": fact(func(r *Refund) any { return orNull(r.Note) }),
			"order": to("Order", func(p part[Refund]) any { return p.Order }), "return": null("Return"),
			"totalRefundedSet":    to("MoneyBag", func(p part[Refund]) any { return money{p.paidBack(p.it), p.Order} }),
			"refundLineItems":     connect("RefundLineItem", func(p part[Refund]) []any { return items(p.it.Lines, of[RefundLine](p.Order)) }),
			"refundShippingLines": connect("RefundShippingLine", func(p part[Refund]) []any { return items(p.it.Shipping, of[RefundShipping](p.Order)) }),
			"orderAdjustments":    connect("OrderAdjustment", refundAdjustments),
			"duties":              many("RefundDuty", func(p part[Refund]) []any { return items(p.it.Duties, of[RefundDuty](p.Order)) }),
			"transactions":        connect("OrderTransaction", refundTransactions),
		},
		"RefundLineItem": {
			"id": fact(func(l *RefundLine) any { return gid("RefundLineItem", l.ID) }), "quantity": fact(func(l *RefundLine) any { return l.Quantity }),
			"restockType": fact(func(l *RefundLine) any { return upper(l.Restock) }), "restocked": fact(func(l *RefundLine) any { return l.Restock != "no_restock" }),
			"location": null("Location"), "lineItem": to("LineItem", func(p part[RefundLine]) any { return part[Line]{p.Order, p.line(p.it.LineID)} }),
			"priceSet":    bag(func(l *RefundLine) Bag { return l.Subtotal.Share(1, l.Quantity) }),
			"subtotalSet": bag(func(l *RefundLine) Bag { return l.Subtotal }), "totalTaxSet": bag(func(l *RefundLine) Bag { return l.Tax }),
		},
		"RefundShippingLine": {
			"id":                fact(func(s *RefundShipping) any { return gid("RefundShippingLine", s.ID) }),
			"shippingLine":      to("ShippingLine", refundedShippingLine),
			"subtotalAmountSet": bag(func(s *RefundShipping) Bag { return s.Amount }), "taxAmountSet": bag(func(s *RefundShipping) Bag { return s.Tax }),
		},
		"OrderAdjustment": {
			"id": fact(func(a *Adjustment) any { return gid("OrderAdjustment", a.ID) }), "reason": constant("REFUND_DISCREPANCY"),
			"amountSet":    bag(func(a *Adjustment) Bag { return Bag{}.Minus(a.Amount) }),
			"taxAmountSet": bag(func(*Adjustment) Bag { return Bag{} }),
		},
		"RefundDuty": {
			"amountSet": bag(func(d *RefundDuty) Bag { return d.Amount }), "originalDuty": to("Duty", refundedDuty),
		},
	}
}

// paidBack is what a refund's successful transactions moved.
func (o *Order) paidBack(r *Refund) Bag {
	sum := Bag{}
	for _, t := range o.Transactions {
		if t.Status == "success" && r.paidBy(t.ID) {
			sum = sum.Plus(t.Amount)
		}
	}
	return sum
}

func refundAdjustments(p part[Refund]) []any {
	if p.it.Adjustment.ID == 0 {
		return nil
	}
	return []any{part[Adjustment]{p.Order, &p.it.Adjustment}}
}

func refundTransactions(p part[Refund]) []any {
	var all []any
	for i := range p.Transactions {
		if t := &p.Transactions[i]; p.it.paidBy(t.ID) {
			all = append(all, part[Transaction]{p.Order, t})
		}
	}
	return all
}

func refundedShippingLine(p part[RefundShipping]) any {
	for i := range p.ShippingLines {
		if s := &p.ShippingLines[i]; s.ID == p.it.LineID {
			return part[ShippingLine]{p.Order, s}
		}
	}
	return nil
}

func refundedDuty(p part[RefundDuty]) any {
	for i := range p.Lines {
		if l := &p.Lines[i]; l.DutyID == p.it.DutyID {
			return part[Line]{p.Order, l}
		}
	}
	return nil
}

// name is the product's title with its variant.
func (p *Product) name() string {
	if p.Variant == "" {
		return p.Title
	}
	return fmt.Sprintf("%s - %s", p.Title, p.Variant)
}
