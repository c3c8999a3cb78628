package shopify

import "embed"

//go:embed graphql/*.graphql
var documentFiles embed.FS

// document is one GraphQL document of the graphql folder. A test holds each
// against Shopify's official schema.
type document struct{ name, text string }

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
