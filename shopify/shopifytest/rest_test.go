package shopifytest

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
)

// The keys that bodies of API version 2026-10 have (facts/shopify.md).
const (
	orderKeys = `id admin_graphql_api_id app_id browser_ip buyer_accepts_marketing cancel_reason cancelled_at cart_token checkout_token
		client_details closed_at confirmation_number confirmed contact_email created_at currency current_shipping_price_set
		current_subtotal_price current_subtotal_price_set current_total_additional_fees_set current_total_discounts
		current_total_discounts_set current_total_duties_set current_total_price current_total_price_set current_total_tax
		current_total_tax_set customer_locale device_id discount_codes duties_included email estimated_taxes financial_status
		fulfillment_status landing_site landing_site_ref location_id merchant_business_entity_id merchant_of_record_app_id name note
		note_attributes number order_number order_status_url original_total_additional_fees_set original_total_duties_set
		payment_gateway_names phone po_number presentment_currency processed_at reference referring_site source_identifier source_name
		source_url subtotal_price subtotal_price_set tags tax_exempt tax_lines taxes_included test token
		total_cash_rounding_payment_adjustment_set total_cash_rounding_refund_adjustment_set total_discounts total_discounts_set
		total_line_items_price total_line_items_price_set total_outstanding total_price total_price_set total_shipping_price_set total_tax
		total_tax_set total_tip_received total_weight updated_at user_id billing_address customer discount_applications fulfillments
		line_items payment_terms refunds shipping_address shipping_lines returns line_item_groups`
	lineKeys = `id admin_graphql_api_id attributed_staffs current_quantity fulfillable_quantity fulfillment_service fulfillment_status
		gift_card grams name price price_set product_exists product_id properties quantity requires_shipping sales_line_item_group_id sku
		taxable title total_discount total_discount_set variant_id variant_inventory_management variant_title vendor tax_lines duties
		discount_allocations selling_plan_id`
	shippingKeys = `id carrier_identifier code current_discounted_price_set discounted_price discounted_price_set is_removed phone price
		price_set requested_fulfillment_service_id source title tax_lines discount_allocations`
	refundKeys = `id order_id created_at note user_id processed_at duties total_duties_set return refund_shipping_lines restock
		admin_graphql_api_id order_adjustments refund_line_items transactions`
)

func TestBodiesHaveShopifysKeys(t *testing.T) {
	s := New(Options{Now: func() time.Time { return opened }})
	seen := map[string]bool{}
	sameKeys := func(what, want string, doc map[string]any) {
		equal(t, slices.Sorted(slices.Values(strings.Fields(want))), slices.Sorted(maps.Keys(doc)), what)
		seen[what] = true
	}
	for range 200 {
		s.Act()
	}
	for _, o := range s.Orders() {
		order := read(t, s.REST(o.ID))
		sameKeys("order", orderKeys, order.doc)
		for _, l := range order.list("line_items") {
			sameKeys("line", lineKeys, l.doc)
		}
		for _, l := range order.list("shipping_lines") {
			sameKeys("shipping line", shippingKeys, l.doc)
		}
		for _, r := range order.list("refunds") {
			sameKeys("refund", refundKeys, r.doc)
		}
	}
	equal(t, 4, len(seen), "kinds of bodies")
}

func TestTimesCarryTheShopsOffset(t *testing.T) {
	zone, err := time.LoadLocation("Europe/Madrid")
	noError(t, err)
	s := New(Options{Zone: zone, Now: func() time.Time { return opened }})
	id := s.Create()
	equal(t, "2026-11-23T11:00:00+01:00", read(t, s.REST(id)).doc["updated_at"], "REST")
	answer := s.GraphQL(`query($id: ID!) { order(id: $id) { updatedAt } shop { ianaTimezone } }`, map[string]any{"id": gid("Order", id)})
	equal(t, `{"data":{"order":{"updatedAt":"2026-11-23T10:00:00Z"},"shop":{"ianaTimezone":"Europe/Madrid"}}}`, string(answer), "GraphQL")
}

// shared pairs the sums that both renderings tell.
var shared = map[string]string{
	"total_price_set": "totalPriceSet", "subtotal_price_set": "subtotalPriceSet", "total_tax_set": "totalTaxSet",
	"total_discounts_set": "totalDiscountsSet", "total_shipping_price_set": "totalShippingPriceSet",
	"current_total_price_set": "currentTotalPriceSet", "current_subtotal_price_set": "currentSubtotalPriceSet",
	"current_total_tax_set": "currentTotalTaxSet", "current_total_discounts_set": "currentTotalDiscountsSet",
	"current_shipping_price_set": "currentShippingPriceSet", "current_total_duties_set": "currentTotalDutiesSet",
	"current_total_additional_fees_set": "currentTotalAdditionalFeesSet",
}

func TestBothRenderingsAgreeOnAllSums(t *testing.T) {
	c := clock{opened}
	s := New(Options{Seed: 11, Now: c.now})
	for range 600 {
		s.Act()
		c.advance(time.Second)
	}
	var query strings.Builder
	query.WriteString("query($id: ID!) { order(id: $id) { tip: totalTipReceivedSet { ...M } due: totalOutstandingSet { ...M } lineItems(first: 200) { nodes { quantity currentQuantity originalUnitPriceSet { ...M } taxLines { priceSet { ...M } } } } ")
	for _, field := range slices.Sorted(maps.Values(shared)) {
		query.WriteString(field + " { ...M } ")
	}
	query.WriteString("} } fragment M on MoneyBag { shop_money: shopMoney { amount } presentment_money: presentmentMoney { amount } }")
	for _, o := range s.Orders() {
		rest := read(t, s.REST(o.ID))
		var answer struct {
			Data struct{ Order json.RawMessage }
		}
		noError(t, json.Unmarshal(s.GraphQL(query.String(), map[string]any{"id": gid("Order", o.ID)}), &answer))
		graphQL := read(t, answer.Data.Order)
		agree(t, rest, graphQL, shared)
		for key, alias := range map[string]string{"total_tip_received": "tip", "total_outstanding": "due"} {
			check(t, decimal.RequireFromString(rest.doc[key].(string)).Equal(graphQL.set(alias, "shop_money")), "%s of %s", key, o.Name)
		}
		lines := amounts{t, graphQL.doc["lineItems"].(map[string]any)}.list("nodes")
		for i, l := range rest.list("line_items") {
			equal(t, l.int("current_quantity"), lines[i].int("currentQuantity"), "current quantity")
			agree(t, l, lines[i], map[string]string{"price_set": "originalUnitPriceSet"})
			for j, tax := range l.list("tax_lines") {
				agree(t, tax, lines[i].list("taxLines")[j], map[string]string{"price_set": "priceSet"})
			}
		}
	}
}

func agree(t *testing.T, rest, graphQL amounts, keys map[string]string) {
	t.Helper()
	for key, field := range keys {
		for _, side := range []string{"shop_money", "presentment_money"} {
			want, got := rest.set(key, side), graphQL.set(field, side)
			check(t, want.Equal(got), "%s is %s, %s is %s", key, want, field, got)
		}
	}
}
