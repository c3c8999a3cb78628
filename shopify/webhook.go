package shopify

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// Kind says what a webhook asks for.
type Kind string

const (
	KindOrder          Kind = "order"           // Message.Order is the whole order
	KindRefetch        Kind = "refetch"         // Message.OrderID changed; fetch it
	KindDeleted        Kind = "deleted"         // Message.OrderID is gone from Shopify
	KindUninstalled    Kind = "uninstalled"     // the app was removed; its token is dead
	KindBulkFinished   Kind = "bulk_finished"   // Message.Bulk ended
	KindRedactCustomer Kind = "redact_customer" // forget the customer of Message.Redact
	KindRedactShop     Kind = "redact_shop"     // forget the whole shop
	KindDataRequest    Kind = "data_request"    // the customer of Message.Redact asks what is kept
	KindUnknown        Kind = "unknown"         // a topic that says nothing of orders
)

// Message is what a webhook says. Which fields are set depends on Kind.
type Message struct {
	Topic   string
	Kind    Kind
	OrderID int64 // 0 where no order is named
	Order   *Order
	Redact  *Redaction
	Bulk    *BulkFinished
}

// Redaction names whom a compliance webhook is about. The email and phone that
// Shopify sends along are not kept.
type Redaction struct {
	CustomerID int64
	OrderIDs   []int64 // may be empty: the customer ordered nothing
}

// BulkFinished says how a bulk operation ended.
type BulkFinished struct {
	ID        string // gid://shopify/BulkOperation/...
	Status    string // completed, failed, canceled, expired
	ErrorCode string
}

// DecodeWebhook reads the body of a webhook of the given topic
// (X-Shopify-Topic). A body that holds an order in part, or in a way that leaves
// a doubt about its money, comes back as KindRefetch. An error says why the body
// can't be used; OrderIDOf may still find which order it was about.
func DecodeWebhook(topic string, body []byte) (Message, error) {
	m := Message{Topic: strings.ToLower(strings.TrimSpace(topic))}
	n, err := parseObject(body)
	if err != nil {
		return m, err
	}
	switch m.Topic {
	case "orders/delete":
		m.Kind, m.OrderID = KindDeleted, n.id("id")
		return m.naming("id")
	case "orders/edited":
		m.Kind, m.OrderID = KindRefetch, n.object("order_edit").id("order_id")
		return m.naming("order_edit.order_id")
	case "refunds/create":
		m.Kind, m.OrderID = KindRefetch, n.id("order_id")
		return m.naming("order_id")
	case "app/uninstalled":
		m.Kind = KindUninstalled
	case "bulk_operations/finish":
		m.Kind = KindBulkFinished
		m.Bulk = &BulkFinished{ID: n.text("admin_graphql_api_id"), Status: n.word("status"), ErrorCode: n.word("error_code")}
	case "customers/redact":
		m.Kind, m.Redact = KindRedactCustomer, redaction(n, "orders_to_redact")
	case "customers/data_request":
		m.Kind, m.Redact = KindDataRequest, redaction(n, "orders_requested")
	case "shop/redact":
		m.Kind, m.Redact = KindRedactShop, &Redaction{}
	default:
		if strings.HasPrefix(m.Topic, "orders/") {
			return m.order(n)
		}
		m.Kind, m.OrderID = KindUnknown, n.id("order_id")
		if m.OrderID != 0 { // fulfilments, transactions and the like
			m.Kind = KindRefetch
		}
	}
	return m, nil
}

// naming is m, or an error where it names no order.
func (m Message) naming(field string) (Message, error) {
	if m.OrderID == 0 {
		return m, fmt.Errorf("shopify: the body of %s has no %s", m.Topic, field)
	}
	return m, nil
}

// order reads the body of the topics that carry an order.
func (m Message) order(n node) (Message, error) {
	m.OrderID = n.id("id")
	if m.OrderID == 0 {
		m.OrderID = n.id("order_id")
	}
	if !whole(n) {
		m.Kind = KindRefetch
		return m.naming("id")
	}
	order, err := restOrder(n)
	if errors.Is(err, ErrRefundMoney) {
		m.Kind = KindRefetch
		return m.naming("id")
	}
	if err != nil {
		return m, err
	}
	m.Kind, m.Order = KindOrder, order
	return m, nil
}

// whole tells an order from one that a subscription with includeFields cut
// down: that would decode to an order without lines or worth.
func whole(n node) bool {
	_, lines := n.fields["line_items"].([]any)
	return lines && n.has("updated_at") && (n.has("current_total_price_set") || n.has("current_total_price"))
}

func redaction(n node, orders string) *Redaction {
	r := &Redaction{CustomerID: n.object("customer").id("id")}
	list, _ := n.fields[orders].([]any)
	for _, member := range list {
		if id := idOf(member); id != 0 {
			r.OrderIDs = append(r.OrderIDs, id)
		}
	}
	return r
}

// orderIDs are the places where a body names its order, the surest first. They
// are looked for in the text, since the body may be cut off or broken.
var orderIDs = []*regexp.Regexp{
	regexp.MustCompile(`gid:\\?/\\?/shopify\\?/Order\\?/(\d+)`),
	regexp.MustCompile(`"order_id"\s*:\s*"?(\d+)`),
	regexp.MustCompile(`"id"\s*:\s*"?(\d+)`),
}

// OrderIDOf finds the order that an undecodable body is about, as well as it
// can, so that it can be fetched instead. It is 0 where no id is to be seen.
func OrderIDOf(body []byte) int64 {
	for _, pattern := range orderIDs {
		if found := pattern.FindSubmatch(body); found != nil {
			if id := idOf(string(found[1])); id != 0 {
				return id
			}
		}
	}
	return 0
}
