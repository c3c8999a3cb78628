package shopifytest

import (
	"encoding/json"
	"strconv"
	"strings"
)

// sum makes a money field of an order.
func sum(get func(*Order) Bag) field {
	return to("MoneyBag", func(o *Order) any { return money{get(o), o} })
}

// upper turns a word of REST into one of GraphQL.
func upper(s string) any { return orNull(strings.ToUpper(s)) }

// legacy is an id as a number in a string.
func legacy(id int64) any { return strconv.FormatInt(id, 10) }

// orNil is a nil any for a nil pointer, which a plain conversion is not.
func orNil[T any](p *T) any {
	if p == nil {
		return nil
	}
	return p
}

// orderFields are the fields of Order.
func orderFields() fields {
	f := orderFacts()
	for name, get := range map[string]func(*Order) Bag{
		"originalTotalPriceSet":    func(o *Order) Bag { return o.Placed.Total },
		"totalPriceSet":            func(o *Order) Bag { return o.Placed.Total },
		"subtotalPriceSet":         func(o *Order) Bag { return o.Placed.Subtotal },
		"totalTaxSet":              func(o *Order) Bag { return o.Placed.Tax },
		"totalDiscountsSet":        func(o *Order) Bag { return o.Placed.Discounts },
		"totalShippingPriceSet":    func(o *Order) Bag { return o.Placed.Shipping },
		"totalTipReceivedSet":      func(o *Order) Bag { return o.Tip },
		"totalReceivedSet":         func(o *Order) Bag { return o.Payments().Received },
		"totalRefundedSet":         func(o *Order) Bag { return o.Payments().Refunded },
		"totalRefundedShippingSet": func(o *Order) Bag { return o.Payments().RefundedShipping },
		"totalOutstandingSet":      (*Order).Outstanding,
		"totalCapturableSet":       (*Order).capturable,
		"netPaymentSet":            func(o *Order) Bag { return o.Payments().Net() },
		"refundDiscrepancySet":     func(o *Order) Bag { return o.Payments().Discrepancy },
		"currentSubtotalPriceSet":  func(o *Order) Bag { return o.Current().Subtotal },
		"currentTotalPriceSet":     func(o *Order) Bag { return o.Current().Total },
		"currentTotalTaxSet":       func(o *Order) Bag { return o.Current().Tax },
		"currentTotalDiscountsSet": func(o *Order) Bag { return o.Current().Discounts },
		"currentShippingPriceSet":  func(o *Order) Bag { return o.Current().Shipping },
	} {
		f[name] = sum(get)
	}
	// Null, not zero, on orders that never had any.
	f["currentTotalDutiesSet"] = to("MoneyBag", func(o *Order) any { return o.moneyOrNil(o.Current().Duties, o.Placed.Duties) })
	f["originalTotalDutiesSet"] = to("MoneyBag", func(o *Order) any { return o.moneyOrNil(o.Placed.Duties, o.Placed.Duties) })
	f["currentTotalAdditionalFeesSet"] = to("MoneyBag", func(o *Order) any { return o.moneyOrNil(o.Fee, o.Fee) })
	f["originalTotalAdditionalFeesSet"] = f["currentTotalAdditionalFeesSet"]
	return f
}

func (o *Order) moneyOrNil(b, had Bag) any {
	if had.IsZero() {
		return nil
	}
	return money{b, o}
}

// capturable is what is reserved and not yet taken.
func (o *Order) capturable() Bag {
	if o.FinancialStatus() != "authorized" {
		return Bag{}
	}
	return o.Payments().Authorized
}

// orderFacts are all fields of Order but its sums.
func orderFacts() fields {
	return fields{
		"id": leaf(func(o *Order) any { return gid("Order", o.ID) }), "legacyResourceId": leaf(func(o *Order) any { return legacy(o.ID) }),
		"name": leaf(func(o *Order) any { return o.Name() }), "number": leaf(func(o *Order) any { return o.Number }),
		"confirmationNumber": null(""), "poNumber": leaf(func(o *Order) any { return orNull(o.PONumber) }),
		"createdAt": leaf(func(o *Order) any { return utc(o.CreatedAt) }), "processedAt": leaf(func(o *Order) any { return utc(o.ProcessedAt) }),
		"updatedAt": leaf(func(o *Order) any { return utc(o.UpdatedAt) }), "closedAt": leaf(func(o *Order) any { return utc(o.ClosedAt) }),
		"cancelledAt":  leaf(func(o *Order) any { return utc(o.CancelledAt) }),
		"cancelReason": leaf(func(o *Order) any { return upper(o.CancelReason) }), "cancellation": to("OrderCancellation", (*Order).cancellation),
		"test": leaf(func(o *Order) any { return o.Test }), "edited": leaf(func(o *Order) any { return o.Edited }),
		"confirmed": constant(true), "closed": leaf(func(o *Order) any { return !o.ClosedAt.IsZero() }),
		"fullyPaid":     leaf(func(o *Order) any { return o.Outstanding().Shop <= 0 }),
		"unpaid":        leaf(func(o *Order) any { return o.Payments().Received.IsZero() }),
		"taxesIncluded": leaf(func(o *Order) any { return o.TaxesIncluded }), "taxExempt": constant(false), "estimatedTaxes": constant(false),
		"dutiesIncluded": leaf(func(o *Order) any { return o.DutiesIncluded }),
		"currencyCode":   leaf(func(o *Order) any { return o.Currency }), "presentmentCurrencyCode": leaf(func(o *Order) any { return o.Presentment }),
		"displayFinancialStatus":   leaf(func(o *Order) any { return upper(o.FinancialStatus()) }),
		"displayFulfillmentStatus": leaf(func(o *Order) any { return upper(o.FulfillmentStatus()) }),
		"returnStatus":             constant("NO_RETURN"), "sourceName": leaf(func(o *Order) any { return o.Source }), "sourceIdentifier": null(""),
		"app": null("OrderApp"), "attribution": null("OrderAttribution"), "retailLocation": null("Location"), "merchantBusinessEntity": to("BusinessEntity", func(*Order) any { return "NTQ4MzgwMDA5" }),
		"paymentGatewayNames": leaf(func(o *Order) any { return o.gateways() }), "note": leaf(func(o *Order) any { return orNull(o.Note) }),
		"tags":             leaf(func(o *Order) any { return append([]string{}, o.Tags...) }),
		"customAttributes": many("Attribute", func(o *Order) []any { return items(o.Attributes, self) }),
		"email":            leaf(func(o *Order) any { return orNull(o.Email) }), "phone": leaf(func(o *Order) any { return orNull(o.Phone) }),
		"customerLocale": leaf(func(o *Order) any { return orNull(o.Locale) }), "clientIp": null(""), "statusPageUrl": constant("https://orders.example.com/status"),
		"discountCodes": leaf((*Order).codes), "discountCode": leaf((*Order).firstCode),
		"customer":          to("Customer", func(o *Order) any { return orNil(o.Customer) }),
		"purchasingEntity":  to("PurchasingEntity", (*Order).purchaser),
		"billingAddress":    to("MailingAddress", func(o *Order) any { return orNil(o.Billing) }),
		"shippingAddress":   to("MailingAddress", func(o *Order) any { return orNil(o.Shipping) }),
		"paymentTerms":      null("PaymentTerms"),
		"taxLines":          many("TaxLine", func(o *Order) []any { return o.taxLines(o.taxes(false)) }),
		"currentTaxLines":   many("TaxLine", func(o *Order) []any { return o.taxLines(o.taxes(true)) }),
		"additionalFees":    many("AdditionalFee", (*Order).fees),
		"fulfillmentsCount": to("Count", func(o *Order) any { return count{n: len(o.Fulfillments)} }),
		"transactionsCount": to("Count", func(o *Order) any { return count{n: len(o.Transactions)} }),
		"risk":              to("OrderRiskSummary", func(o *Order) any { return o }),
		"totalCashRoundingAdjustment": to("CashRoundingAdjustment", func(o *Order) any {
			return o
		}),
		"discountApplications": connect("DiscountApplication", (*Order).applications),
		"shippingLines":        connect("ShippingLine", func(o *Order) []any { return items(o.ShippingLines, of[ShippingLine](o)) }, "includeRemovals"),
		"lineItems":            connect("LineItem", func(o *Order) []any { return items(o.Lines, of[Line](o)) }),
		"transactions":         many("OrderTransaction", func(o *Order) []any { return items(o.Transactions, of[Transaction](o)) }, "first", "capturable", "manuallyResolvable"),
		"refunds":              many("Refund", func(o *Order) []any { return items(o.Refunds, of[Refund](o)) }, "first"),
		"fulfillments":         many("Fulfillment", func(o *Order) []any { return items(o.Fulfillments, of[Fulfillment](o)) }, "first", "query"),
	}
}

// part is a piece of an order, with the order for its currencies.
type part[T any] struct {
	*Order
	it *T
}

// of wraps pieces of an order.
func of[T any](o *Order) func(*T) part[T] {
	return func(it *T) part[T] { return part[T]{o, it} }
}

func self[T any](it *T) *T { return it }

// bag makes a money field of a part of an order.
func bag[T any](get func(*T) Bag) field {
	return to("MoneyBag", func(p part[T]) any { return money{get(p.it), p.Order} })
}

// fact makes a scalar field of a part of an order.
func fact[T any](get func(*T) any) field {
	return leaf(func(p part[T]) any { return get(p.it) })
}

func (o *Order) cancellation() any {
	if !o.Cancelled() {
		return nil
	}
	return o
}

func (o *Order) purchaser() any {
	if o.Customer == nil {
		return nil
	}
	return typed{"Customer", o.Customer}
}

func (o *Order) codes() any {
	codes := []string{}
	for _, d := range o.Discounts {
		if d.Kind == "discount_code" {
			codes = append(codes, d.Title)
		}
	}
	return codes
}

func (o *Order) firstCode() any {
	if codes := o.codes().([]string); len(codes) > 0 {
		return codes[0]
	}
	return nil
}

func (o *Order) fees() []any {
	if o.Fee.IsZero() {
		return nil
	}
	return []any{o}
}

func (o *Order) taxLines(sums []taxTotal) []any {
	all := make([]any, len(sums))
	for i, s := range sums {
		all[i] = part[Tax]{o, &Tax{s.rate, s.amount}}
	}
	return all
}

// application is a discount with its place in the order.
type application struct {
	part[Discount]
	index int
}

func (o *Order) applications() []any {
	all := make([]any, len(o.Discounts))
	for i := range o.Discounts {
		all[i] = o.application(i)
	}
	return all
}

func (o *Order) application(i int) typed {
	name := map[string]string{
		"discount_code": "DiscountCodeApplication", "automatic": "AutomaticDiscountApplication", "manual": "ManualDiscountApplication",
	}[o.Discounts[i].Kind]
	return typed{name, application{part[Discount]{o, &o.Discounts[i]}, i}}
}

// value is the discount's worth: a percentage, or money in the customer's
// currency.
func (a application) value() any {
	if a.it.Percent > 0 {
		return typed{"PricingPercentageValue", a.it.Percent}
	}
	return typed{"MoneyV2", coin{a.it.Value.Presentment, a.Order.Presentment}}
}

func discountFields() schema {
	common := func(more fields) fields {
		f := fields{
			"index":            leaf(func(a application) any { return a.index }),
			"allocationMethod": leaf(func(a application) any { return upper(a.it.Method) }),
			"targetSelection":  leaf(func(a application) any { return upper(a.it.Selection) }),
			"targetType":       leaf(func(a application) any { return upper(a.it.Target) }),
			"value":            to("PricingValue", application.value),
		}
		for name, field := range more {
			f[name] = field
		}
		return f
	}
	title := leaf(func(a application) any { return a.it.Title })
	return schema{
		"DiscountApplication":          common(nil),
		"DiscountCodeApplication":      common(fields{"code": title}),
		"AutomaticDiscountApplication": common(fields{"title": title}),
		"ManualDiscountApplication":    common(fields{"title": title, "description": title}),
		"ScriptDiscountApplication":    common(fields{"title": title}),
		"PricingValue":                 {},
		"PricingPercentageValue":       {"percentage": leaf(func(perMille int64) any { return json.Number(fraction(perMille, 1)) })},
		"DiscountAllocation": {
			"allocatedAmountSet":  bag(func(a *Allocation) Bag { return a.Amount }),
			"discountApplication": to("DiscountApplication", func(p part[Allocation]) any { return p.application(p.it.Index) }),
		},
	}
}
