package shopifytest

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// object is one JSON object. The encoder sorts its keys, so a body is the same
// to the byte whenever the order is.
type object = map[string]any

// restBody writes REST JSON the way webhooks of API version 2026-10 carry it:
// times with the shop's offset, money in strings with the currency's digits.
type restBody struct {
	o    *Order
	zone *time.Location
	shop string // myshopify domain
}

func (b restBody) time(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.In(b.zone).Format(time.RFC3339)
}

func (b restBody) amount(a Bag) string { return fixed(a.Shop, b.o.Currency) }

func (b restBody) set(a Bag) object {
	return object{
		"shop_money":        object{"amount": fixed(a.Shop, b.o.Currency), "currency_code": b.o.Currency},
		"presentment_money": object{"amount": fixed(a.Presentment, b.o.Presentment), "currency_code": b.o.Presentment},
	}
}

// setOrNull is for what most orders do not have.
func (b restBody) setOrNull(a Bag, has bool) any {
	if !has {
		return nil
	}
	return b.set(a)
}

// orNull is nil for an empty string, as Shopify sends it.
func orNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func gid(kind string, id int64) string { return fmt.Sprintf("gid://shopify/%s/%d", kind, id) }

// order is the whole order, as orders/create, orders/updated and their like
// carry it.
func (b restBody) order() object {
	o := b.o
	doc := object{
		"id": o.ID, "admin_graphql_api_id": gid("Order", o.ID), "name": o.Name(),
		"number": o.Number - 1000, "order_number": o.Number,
		"created_at": b.time(o.CreatedAt), "processed_at": b.time(o.ProcessedAt), "updated_at": b.time(o.UpdatedAt),
		"cancelled_at": b.time(o.CancelledAt), "closed_at": b.time(o.ClosedAt), "cancel_reason": orNull(o.CancelReason),
		"confirmed": true, "test": o.Test, "estimated_taxes": false, "tax_exempt": false,
		"taxes_included": o.TaxesIncluded, "duties_included": o.DutiesIncluded,
		"currency": o.Currency, "presentment_currency": o.Presentment,
		"financial_status": o.FinancialStatus(), "fulfillment_status": b.fulfillmentStatus(),
		"source_name": o.Source, "po_number": orNull(o.PONumber), "note": orNull(o.Note),
		"tags": strings.Join(o.Tags, ", "), "note_attributes": attributes(o.Attributes),
		"payment_gateway_names": o.gateways(),
		"email":                 o.Email, "contact_email": orNull(o.Email), "phone": orNull(o.Phone), "customer_locale": orNull(o.Locale),
		"billing_address": b.address(o.Billing), "shipping_address": b.address(o.Shipping), "customer": b.customer(),
		"line_items": each(o.Lines, b.line), "shipping_lines": each(o.ShippingLines, b.shippingLine),
		"discount_applications": each(o.Discounts, b.discount), "discount_codes": b.discountCodes(),
		"refunds": each(o.Refunds, b.refund), "fulfillments": each(o.Fulfillments, b.fulfillment),
		"tax_lines": b.taxTotals(o.taxes(false)), "returns": []any{}, "line_item_groups": []any{}, "payment_terms": nil,
	}
	b.addTotals(doc)
	b.addOrigin(doc)
	return doc
}

// addTotals writes every sum, as placed and as it stands.
func (b restBody) addTotals(doc object) {
	placed, now, paid := b.o.Placed, b.o.Current(), b.o.Payments()
	for key, amount := range map[string]Bag{
		"total_line_items_price": placed.Lines, "total_discounts": placed.Discounts, "subtotal_price": placed.Subtotal,
		"total_tax": placed.Tax, "total_price": placed.Total,
		"current_subtotal_price": now.Subtotal, "current_total_discounts": now.Discounts,
		"current_total_tax": now.Tax, "current_total_price": now.Total,
	} {
		doc[key], doc[key+"_set"] = b.amount(amount), b.set(amount)
	}
	doc["total_shipping_price_set"], doc["current_shipping_price_set"] = b.set(placed.Shipping), b.set(now.Shipping)
	doc["total_tip_received"] = b.amount(now.Tip)
	doc["total_outstanding"] = b.amount(b.o.Outstanding())
	doc["original_total_duties_set"] = b.setOrNull(placed.Duties, !placed.Duties.IsZero())
	doc["current_total_duties_set"] = b.setOrNull(now.Duties, !placed.Duties.IsZero())
	doc["original_total_additional_fees_set"] = b.setOrNull(placed.Fees, !placed.Fees.IsZero())
	doc["current_total_additional_fees_set"] = b.setOrNull(now.Fees, !placed.Fees.IsZero())
	doc["total_cash_rounding_payment_adjustment_set"] = b.set(paid.PaymentRounding)
	doc["total_cash_rounding_refund_adjustment_set"] = b.set(paid.RefundRounding)
}

// addOrigin writes where the order came from, and the many keys that are null.
func (b restBody) addOrigin(doc object) {
	o, weight := b.o, int64(0)
	for _, l := range o.Lines {
		weight += l.Product.Grams * l.Quantity
	}
	token := fmt.Sprintf("%016x%016x", uint64(o.ID)*0x9e3779b97f4a7c15, uint64(o.ID))
	doc["token"], doc["confirmation_number"], doc["total_weight"] = token, strings.ToUpper(token[:9]), weight
	doc["order_status_url"] = "https://" + b.shop + "/orders/" + token + "/authenticate?key=" + token[:8]
	doc["merchant_business_entity_id"], doc["buyer_accepts_marketing"] = "NTQ4MzgwMDA5", false
	doc["app_id"] = 580111
	for _, key := range []string{
		"browser_ip", "cart_token", "checkout_token", "client_details", "device_id", "landing_site", "landing_site_ref",
		"location_id", "merchant_of_record_app_id", "reference", "referring_site", "source_identifier", "source_url", "user_id",
	} {
		doc[key] = nil
	}
}

// fulfillmentStatus uses the words of REST, which has none for "not yet".
func (b restBody) fulfillmentStatus() any {
	switch s := b.o.FulfillmentStatus(); s {
	case "unfulfilled":
		return nil
	case "partially_fulfilled":
		return "partial"
	default:
		return s
	}
}

// gateways names each gateway once, in the order of first use.
func (o *Order) gateways() []string {
	names := []string{}
next:
	for _, t := range o.Transactions {
		for _, n := range names {
			if n == t.Gateway {
				continue next
			}
		}
		names = append(names, t.Gateway)
	}
	return names
}

// each renders every element; never null.
func each[T any](from []T, render func(*T) object) []object {
	list := make([]object, len(from))
	for i := range from {
		list[i] = render(&from[i])
	}
	return list
}

func attributes(from []Attribute) []object {
	return each(from, func(a *Attribute) object { return object{"name": a.Name, "value": a.Value} })
}

// encode makes bytes of a body. A ledger always encodes.
func encode(doc any) []byte {
	body, err := json.Marshal(doc)
	if err != nil {
		panic("shopifytest: " + err.Error())
	}
	return body
}
