package shopify

import "embed"

//go:embed graphql/*.graphql
var documentFiles embed.FS

// document is one GraphQL document of the graphql folder. A test holds each
// against Shopify's official schema.
type document struct {
	name, text string
	once       bool // it must not be repeated where its answer was lost
}

var (
	orderDocument        = mustDocument("order")
	orderLinesDocument   = mustDocument("order_lines")
	refundsDocument      = mustDocument("refunds")
	ordersPageDocument   = mustDocument("orders_page")
	ordersCountDocument  = mustDocument("orders_count")
	ordersByIDsDocument  = mustDocument("orders_by_ids")
	shopDocument         = mustDocument("shop")
	subscriptionsList    = mustDocument("subscriptions")
	subscriptionCreation = mustDocument("subscription_create")
	subscriptionUpdate   = mustDocument("subscription_update")
	subscriptionDeletion = mustDocument("subscription_delete")
	bulkOrdersDocument   = mustDocument("bulk_orders")
	bulkHeadsDocument    = mustDocument("bulk_heads")
	bulkOperationByID    = mustDocument("bulk_operation")
	bulkOperationsList   = mustDocument("bulk_operations")
	bulkCancellation     = mustDocument("bulk_cancel")
	bulkRunning          = document{name: "bulk_run", text: mustDocument("bulk_run").text, once: true}
)

// mustDocument reads an embedded document; a missing one is a mistake of the
// build, found by every test.
func mustDocument(name string) document {
	text, err := documentFiles.ReadFile("graphql/" + name + ".graphql")
	if err != nil {
		panic(err)
	}
	return document{name: name, text: string(text)}
}
