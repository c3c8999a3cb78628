package shopify

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestDecodeWebhook(t *testing.T) {
	for _, c := range []struct {
		topic, body string
		want        Message
	}{
		{"orders/edited", `{"order_edit":{"id":5,"order_id":"77","line_items":{}}}`, Message{Kind: KindRefetch, OrderID: 77}},
		{"refunds/create", `{"id":5,"order_id":77,"transactions":[]}`, Message{Kind: KindRefetch, OrderID: 77}},
		{"orders/delete", `{"id":77}`, Message{Kind: KindDeleted, OrderID: 77}},
		{"orders/updated", `{"id":77,"updated_at":"2026-01-01T00:00:00Z"}`, Message{Kind: KindRefetch, OrderID: 77}},
		{"orders/updated", `{"id":77,"updated_at":"2026-01-01T00:00:00Z","line_items":[]}`, Message{Kind: KindRefetch, OrderID: 77}},
		{"orders/risk_assessment_changed", `{"order_id":77,"risk_level":"low"}`, Message{Kind: KindRefetch, OrderID: 77}},
		{"fulfillments/create", `{"id":5,"order_id":77}`, Message{Kind: KindRefetch, OrderID: 77}},
		{"products/update", `{"id":5}`, Message{Kind: KindUnknown}},
		{"app/uninstalled", `{"id":5,"email":"x@example.com"}`, Message{Kind: KindUninstalled}},
		{
			"bulk_operations/finish", `{"admin_graphql_api_id":"gid://shopify/BulkOperation/9","status":"FAILED","error_code":"timeout"}`,
			Message{Kind: KindBulkFinished, Bulk: &BulkFinished{ID: "gid://shopify/BulkOperation/9", Status: "failed", ErrorCode: "timeout"}},
		},
		{
			"customers/redact", `{"shop_id":1,"customer":{"id":8,"email":"x@example.com","phone":"1"},"orders_to_redact":[77,"78",null]}`,
			Message{Kind: KindRedactCustomer, Redact: &Redaction{CustomerID: 8, OrderIDs: []int64{77, 78}}},
		},
		{
			"customers/data_request", `{"orders_requested":[77],"customer":{"id":8},"data_request":{"id":3}}`,
			Message{Kind: KindDataRequest, Redact: &Redaction{CustomerID: 8, OrderIDs: []int64{77}}},
		},
		{"shop/redact", `{"shop_id":1}`, Message{Kind: KindRedactShop, Redact: &Redaction{}}},
	} {
		t.Run(c.topic, func(t *testing.T) {
			c.want.Topic = c.topic
			got, err := DecodeWebhook(c.topic, []byte(c.body))
			require.NoError(t, err)
			require.Equal(t, c.want, got)
		})
	}
}

func TestDecodeWebhookTakesWholeOrders(t *testing.T) {
	body := fixture(t, "full.rest")
	want, err := DecodeRESTOrder(body)
	require.NoError(t, err)
	for _, topic := range []string{"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled", "orders/partially_fulfilled", " Orders/Updated"} {
		m, err := DecodeWebhook(topic, body)
		require.NoError(t, err)
		require.Equal(t, KindOrder, m.Kind)
		require.Equal(t, want.ID, m.OrderID)
		require.Equal(t, want, m.Order)
	}
}

func TestUndecodableWebhooksStillNameTheirOrder(t *testing.T) {
	order := string(fixture(t, "full.rest"))
	for name, c := range map[string]struct {
		topic, body string
		id          int64
	}{
		"cut off":            {"orders/updated", order[:len(order)/2], 9007199254740995001},
		"cut off early":      {"orders/updated", order[:60], 9007199254740995001},
		"a gid with slashes": {"orders/updated", `{"x":tru,"admin_graphql_api_id":"gid:\/\/shopify\/Order\/77"`, 77},
		"a broken refund":    {"refunds/create", `{"id":5,"order_id":"77",`, 77},
		"wrong money":        {"orders/updated", `{"id":77,"updated_at":"2026-01-01T00:00:00Z","line_items":[],"current_total_price":"ten"}`, 77},
		"wrong everything":   {"orders/updated", `<html>`, 0},
		"no order in it":     {"refunds/create", `{"note":"x"}`, 0},
		"an edit of nothing": {"orders/edited", `{"order_edit":{}}`, 0},
		"a deletion of none": {"orders/delete", `{"id":null}`, 0},
		"an id out of range": {"orders/delete", `{"id":99999999999999999999}`, 0},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := DecodeWebhook(c.topic, []byte(c.body))
			require.Error(t, err)
			require.Nil(t, m.Order)
			require.Equal(t, c.id, OrderIDOf([]byte(c.body)))
		})
	}
}

func FuzzDecodeWebhook(f *testing.F) {
	for _, topic := range append([]string{"customers/redact", "shop/redact", "customers/data_request", "x/y"}, Topics...) {
		f.Add(topic, []byte(`{"id":1,"order_id":2,"updated_at":"2026-01-01T00:00:00Z","line_items":[],"current_total_price":"1"}`))
	}
	f.Add("orders/create", fixture(f, "full.rest"))
	f.Fuzz(func(t *testing.T, topic string, body []byte) {
		OrderIDOf(body)
		m, err := DecodeWebhook(topic, body)
		if err != nil {
			require.Nil(t, m.Order)
			return
		}
		require.NotEmpty(t, m.Kind)
		require.Equal(t, m.Kind == KindOrder, m.Order != nil)
		if m.Kind == KindOrder || m.Kind == KindRefetch || m.Kind == KindDeleted {
			require.Positive(t, m.OrderID)
		}
	})
}
