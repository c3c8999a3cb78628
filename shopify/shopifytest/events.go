package shopifytest

import "encoding/json"

// topics are the topics that a change sends, the specific ones before
// orders/updated, which accompanies them all.
func (c Change) topics(o *Order) []string {
	switch c.Action {
	case DoCreate:
		topics := []string{"orders/create"}
		if o.FinancialStatus() == "paid" {
			topics = append(topics, "orders/paid")
		}
		return append(topics, "orders/updated")
	case DoPay:
		if o.FinancialStatus() == "paid" {
			return []string{"orders/paid", "orders/updated"}
		}
	case DoEdit:
		return []string{"orders/edited", "orders/updated"}
	case DoFulfil:
		if o.FulfillmentStatus() == "fulfilled" {
			return []string{"orders/fulfilled", "orders/updated"}
		}
		return []string{"orders/partially_fulfilled", "orders/updated"}
	case DoRefund:
		return []string{"refunds/create", "orders/updated"}
	case DoCancel:
		if c.Refund != nil {
			return []string{"orders/cancelled", "refunds/create", "orders/updated"}
		}
		return []string{"orders/cancelled", "orders/updated"}
	case DoDelete:
		return []string{"orders/delete"}
	}
	return []string{"orders/updated"}
}

// body is what one topic carries of a change; whole is the encoded order.
func (b restBody) body(topic string, c Change, whole []byte) []byte {
	switch topic {
	case "orders/edited":
		return encode(b.edited(c.Edit))
	case "refunds/create":
		return encode(b.refund(c.Refund))
	case "orders/delete":
		return encode(object{"id": b.o.ID})
	}
	return whole
}

// edited tells what an edit did. It holds no order.
func (b restBody) edited(e *OrderEdit) object {
	deltas := func(from []FulfilledLine) []object {
		return each(from, func(l *FulfilledLine) object { return object{"id": l.LineID, "delta": l.Quantity} })
	}
	none := object{"additions": []any{}, "removals": []any{}}
	return object{"order_edit": object{
		"id": e.ID, "app_id": nil, "order_id": b.o.ID, "user_id": nil, "notify_customer": false, "staff_note": "",
		"created_at": b.time(b.o.UpdatedAt), "committed_at": b.time(b.o.UpdatedAt),
		"line_items":     object{"additions": deltas(e.Additions), "removals": deltas(e.Removals)},
		"discounts":      object{"line_item": none},
		"shipping_lines": none,
	}}
}

// Uninstalled is the body of app/uninstalled: the shop, with many nulls.
func (s *Shop) Uninstalled() json.RawMessage {
	return encode(object{
		"id": s.opt.ID, "name": "Pretend Shop", "email": "owner@example.com", "domain": nil, "myshopify_domain": nil,
		"currency": s.opt.Market.Currency, "iana_timezone": nil, "plan_name": nil, "created_at": nil, "updated_at": nil,
	})
}

// BulkFinished is the body of bulk_operations/finish.
func (s *Shop) BulkFinished(id int64, status string) json.RawMessage {
	at := s.opt.Now().In(s.opt.Zone).Format("2006-01-02T15:04:05-07:00")
	return encode(object{
		"admin_graphql_api_id": gid("BulkOperation", id), "type": "query", "status": status, "error_code": nil,
		"created_at": at, "completed_at": at,
	})
}

// CustomersRedact is the body of customers/redact for one order's customer.
func (s *Shop) CustomersRedact(customer, order int64) json.RawMessage {
	return encode(object{
		"shop_id": s.opt.ID, "shop_domain": s.opt.Domain, "orders_to_redact": []int64{order},
		"customer": s.contact(customer, order),
	})
}

// contact is how the compliance topics name a customer: by what is known of them
// from an order.
func (s *Shop) contact(customer, order int64) object {
	s.mu.Lock()
	defer s.mu.Unlock()
	named := object{"id": customer, "email": nil, "phone": nil}
	if o := s.orders[order]; o != nil && o.Customer != nil && o.Customer.ID == customer {
		named["email"], named["phone"] = o.Customer.Email, o.Customer.Phone
	}
	return named
}

// CustomersDataRequest is the body of customers/data_request.
func (s *Shop) CustomersDataRequest(customer, order int64) json.RawMessage {
	return encode(object{
		"shop_id": s.opt.ID, "shop_domain": s.opt.Domain, "orders_requested": []int64{order},
		"customer": s.contact(customer, order), "data_request": object{"id": customer + 1},
	})
}

// ShopRedact is the body of shop/redact.
func (s *Shop) ShopRedact() json.RawMessage {
	return encode(object{"shop_id": s.opt.ID, "shop_domain": s.opt.Domain})
}
