package shopifytest

import (
	"encoding/json"
)

func (b restBody) line(l *Line) object {
	doc := b.bareLine(l)
	doc["current_quantity"] = l.Current
	doc["attributed_staffs"], doc["sales_line_item_group_id"], doc["selling_plan_id"] = []any{}, nil, nil
	return doc
}

// bareLine is a line as refunds copy it: without what changes later.
func (b restBody) bareLine(l *Line) object {
	p := l.Product
	var status any
	switch {
	case l.Fulfilled > 0 && l.open() == 0:
		status = "fulfilled"
	case l.Fulfilled > 0:
		status = "partial"
	}
	duties := []object{}
	if l.DutyID != 0 {
		duties = append(duties, object{
			"id": l.DutyID, "harmonized_system_code": "610910", "country_code_of_origin": "PT",
			"shop_money":           b.set(l.Duty)["shop_money"],
			"presentment_money":    b.set(l.Duty)["presentment_money"],
			"price_set":            b.set(l.Duty),
			"tax_lines":            []any{},
			"admin_graphql_api_id": gid("Duty", l.DutyID),
		})
	}
	return object{
		"id": l.ID, "admin_graphql_api_id": gid("LineItem", l.ID), "name": p.name(), "title": p.Title,
		"variant_title": orNull(p.Variant), "sku": p.SKU, "vendor": orNull(p.Vendor), "quantity": l.Quantity,
		"fulfillable_quantity": l.open(), "fulfillment_service": "manual", "fulfillment_status": status,
		"gift_card": p.GiftCard, "taxable": !p.GiftCard, "requires_shipping": !p.GiftCard, "grams": p.Grams,
		"price": b.amount(l.Price), "price_set": b.set(l.Price),
		"total_discount": b.amount(Bag{}), "total_discount_set": b.set(Bag{}),
		"product_exists": true, "product_id": p.id(), "variant_id": p.id() + 1, "variant_inventory_management": "shopify",
		"properties": attributes(l.Notes), "tax_lines": each(l.Taxes, b.tax), "duties": duties,
		"discount_allocations": each(l.Discounts, b.allocation),
	}
}

// id is a number that always belongs to the same product.
func (p *Product) id() int64 {
	n := int64(7_000_000_000_000)
	for _, c := range p.SKU {
		n = n*31%1_000_000_007 + int64(c)
	}
	return 7_000_000_000_000 + n*2
}

func (b restBody) shippingLine(s *ShippingLine) object {
	return object{
		"id": s.ID, "title": s.Title, "code": orNull(s.Code), "source": "shopify", "phone": nil,
		"carrier_identifier": nil, "requested_fulfillment_service_id": nil, "is_removed": s.Removed,
		"price": b.amount(s.Price), "price_set": b.set(s.Price),
		"discounted_price": b.amount(s.discounted()), "discounted_price_set": b.set(s.discounted()),
		"current_discounted_price_set": b.set(s.current()),
		"tax_lines":                    each(s.Taxes, b.tax), "discount_allocations": each(s.Discounts, b.allocation),
	}
}

func (b restBody) tax(t *Tax) object {
	return object{
		"title": t.Title, "rate": json.Number(fraction(t.Rate, 5)), "channel_liable": t.ChannelLiable,
		"price": b.amount(t.Amount), "price_set": b.set(t.Amount),
	}
}

func (b restBody) taxTotals(sums []taxTotal) []object {
	return each(sums, func(s *taxTotal) object { return b.tax(&Tax{s.rate, s.amount}) })
}

func (b restBody) allocation(a *Allocation) object {
	return object{"amount": b.amount(a.Amount), "amount_set": b.set(a.Amount), "discount_application_index": a.Index}
}

func (b restBody) discount(d *Discount) object {
	doc := object{
		"type": d.Kind, "target_type": d.Target, "target_selection": d.Selection, "allocation_method": d.Method,
		"value_type": "fixed_amount", "value": fixed(d.Value.Presentment, b.o.Presentment),
	}
	if d.Percent > 0 {
		doc["value_type"], doc["value"] = "percentage", short(d.Percent*10, "USD")
	}
	if d.Kind == "discount_code" {
		doc["code"] = d.Title
		return doc
	}
	doc["title"] = d.Title
	if d.Kind == "manual" {
		doc["description"] = d.Title
	}
	return doc
}

// discountCodes lists each code with all it took off.
func (b restBody) discountCodes() []object {
	codes := []object{}
	for i, d := range b.o.Discounts {
		if d.Kind != "discount_code" {
			continue
		}
		kind := "fixed_amount"
		switch {
		case d.Target == "shipping_line":
			kind = "shipping"
		case d.Percent > 0:
			kind = "percentage"
		}
		codes = append(codes, object{"code": d.Title, "type": kind, "amount": b.amount(b.o.taken(i))})
	}
	return codes
}

// taken is all that a discount took off when the order was placed.
func (o *Order) taken(index int) Bag {
	sum := Bag{}
	add := func(allocations []Allocation) {
		for _, a := range allocations {
			if a.Index == index {
				sum = sum.Plus(a.Amount)
			}
		}
	}
	for i := range o.Lines {
		add(o.Lines[i].Discounts)
	}
	for i := range o.ShippingLines {
		add(o.ShippingLines[i].Discounts)
	}
	return sum
}

// refund is a refund as refunds/create carries it and orders hold it.
func (b restBody) refund(r *Refund) object {
	duties, restocked := Bag{}, false
	for _, d := range r.Duties {
		duties = duties.Plus(d.Amount)
	}
	for _, l := range r.Lines {
		restocked = restocked || l.Restock != "no_restock"
	}
	adjustments := []object{}
	if a := r.Adjustment; a.ID != 0 {
		// Shopify counts money that leaves the merchant as negative.
		off := Bag{}.Minus(a.Amount)
		adjustments = append(adjustments, object{
			"id": a.ID, "order_id": b.o.ID, "refund_id": r.ID, "kind": "refund_discrepancy", "reason": "Refund discrepancy",
			"amount": b.amount(off), "amount_set": b.set(off), "tax_amount": b.amount(Bag{}), "tax_amount_set": b.set(Bag{}),
		})
	}
	transactions := []object{}
	for i := range b.o.Transactions {
		if t := &b.o.Transactions[i]; r.paidBy(t.ID) {
			transactions = append(transactions, b.transaction(t))
		}
	}
	return object{
		"id": r.ID, "admin_graphql_api_id": gid("Refund", r.ID), "order_id": b.o.ID, "note": orNull(r.Note),
		"created_at": b.time(r.At), "processed_at": b.time(r.At), "user_id": nil, "restock": restocked, "return": nil,
		"refund_line_items":     each(r.Lines, b.refundLine),
		"refund_shipping_lines": each(r.Shipping, b.refundShipping),
		"duties": each(r.Duties, func(d *RefundDuty) object {
			return object{"duty_id": d.DutyID, "amount_set": b.set(d.Amount)}
		}),
		"total_duties_set": b.set(duties), "order_adjustments": adjustments, "transactions": transactions,
	}
}

func (r *Refund) paidBy(id int64) bool {
	for _, p := range r.Payments {
		if p == id {
			return true
		}
	}
	return false
}

// refundLine sends its two plain amounts as numbers, as Shopify does here only.
func (b restBody) refundLine(l *RefundLine) object {
	doc := object{
		"id": l.ID, "quantity": l.Quantity, "line_item_id": l.LineID, "location_id": nil, "restock_type": l.Restock,
		"subtotal": json.Number(b.amount(l.Subtotal)), "subtotal_set": b.set(l.Subtotal),
		"total_tax": json.Number(b.amount(l.Tax)), "total_tax_set": b.set(l.Tax),
	}
	if line := b.o.line(l.LineID); line != nil {
		doc["line_item"] = b.bareLine(line)
	}
	return doc
}

// line finds a line by its id; nil where there is none.
func (o *Order) line(id int64) *Line {
	for i := range o.Lines {
		if o.Lines[i].ID == id {
			return &o.Lines[i]
		}
	}
	return nil
}

func (b restBody) refundShipping(s *RefundShipping) object {
	doc := object{
		"id": s.ID, "shipping_line_id": s.LineID,
		"subtotal_amount_set": b.set(s.Amount), "tax_amount_set": b.set(s.Tax),
	}
	for i := range b.o.ShippingLines {
		if line := &b.o.ShippingLines[i]; line.ID == s.LineID {
			doc["shipping_line"] = b.shippingLine(line)
		}
	}
	return doc
}

// transaction tells its amount in the customer's money only, with its currency.
func (b restBody) transaction(t *Transaction) object {
	var parent, rounding any
	if t.ParentID != 0 {
		parent = t.ParentID
	}
	if !t.Rounding.IsZero() {
		rounding = fixed(t.Rounding.Presentment, b.o.Presentment)
	}
	unsettled := func(currency string) object { return object{"amount": "0.0", "currency": currency} }
	return object{
		"id": t.ID, "admin_graphql_api_id": gid("OrderTransaction", t.ID), "order_id": b.o.ID, "parent_id": parent,
		"kind": t.Kind, "status": t.Status, "gateway": t.Gateway, "message": nil, "test": b.o.Test,
		"amount": fixed(t.Amount.Presentment, b.o.Presentment), "currency": b.o.Presentment, "amount_rounding": rounding,
		"created_at": b.time(t.At), "processed_at": b.time(t.At), "authorization": nil, "location_id": nil, "user_id": nil,
		"device_id": nil, "error_code": nil, "source_name": b.o.Source, "receipt": object{},
		"payment_id":             b.o.Name() + ".1",
		"total_unsettled_set":    object{"shop_money": unsettled(b.o.Currency), "presentment_money": unsettled(b.o.Presentment)},
		"manual_payment_gateway": t.Gateway == "manual",
	}
}

func (b restBody) fulfillment(f *Fulfillment) object {
	lines := []object{}
	for _, sent := range f.Lines {
		doc := b.bareLine(b.o.line(sent.LineID))
		doc["quantity"] = sent.Quantity
		lines = append(lines, doc)
	}
	return object{
		"id": f.ID, "admin_graphql_api_id": gid("Fulfillment", f.ID), "order_id": b.o.ID, "name": b.o.Name() + ".1",
		"created_at": b.time(f.At), "updated_at": b.time(f.At), "status": "success", "service": "manual",
		"shipment_status": nil, "location_id": nil, "origin_address": object{}, "receipt": object{},
		"tracking_company": "Pretend Post", "tracking_number": f.Tracking, "tracking_numbers": []string{f.Tracking},
		"tracking_url": nil, "tracking_urls": []string{}, "line_items": lines,
	}
}

func (b restBody) address(a *Address) any {
	if a == nil {
		return nil
	}
	return object{
		"first_name": a.FirstName, "last_name": a.LastName, "name": a.Name(), "company": orNull(a.Company),
		"address1": a.Address1, "address2": orNull(a.Address2), "city": a.City, "zip": a.Zip,
		"province": orNull(a.Province), "province_code": orNull(a.ProvinceCode),
		"country": a.Country, "country_code": a.CountryCode, "phone": orNull(a.Phone), "latitude": nil, "longitude": nil,
	}
}

func (b restBody) customer() any {
	c := b.o.Customer
	if c == nil {
		return nil
	}
	doc := object{
		"id": c.ID, "admin_graphql_api_id": gid("Customer", c.ID), "created_at": nil, "updated_at": nil,
		"first_name": c.FirstName, "last_name": c.LastName, "email": c.Email, "phone": orNull(c.Phone),
		"state": "disabled", "note": nil, "verified_email": true, "multipass_identifier": nil,
		"tax_exempt": false, "tax_exemptions": []any{}, "currency": b.o.Currency,
	}
	if b.o.Billing != nil {
		home := b.address(b.o.Billing).(object)
		home["id"], home["customer_id"], home["country_name"], home["default"] = c.ID+1, c.ID, home["country"], true
		doc["default_address"] = home
	}
	return doc
}
