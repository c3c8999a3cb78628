// Package shopifytest is a pretend Shopify shop. It invents orders, changes
// them, answers the Admin GraphQL API, and sends signed webhooks that it drops,
// repeats, delays, reorders and spoils as it is told. Tests, `gapless demo`,
// benchmarks and simulations run against it.
//
// It is a judge, so it shares nothing with what it judges: it has its own
// ledger types, counts money in whole minor units instead of decimals, and
// never calls package shopify.
//
// The parts, from the inside out:
//
//   - Order is the ledger: all facts of one order. Its totals follow from them.
//   - Generator makes orders and changes them, driven by a *rand.Rand, so that
//     one seed always gives the same bytes.
//   - renderings: REST JSON as webhooks carry it (rest.go), and a GraphQL
//     schema over the ledger (schema*.go) that a query is projected on.
//   - Shop holds many orders. It is an http.Handler (server.go) with searches
//     (find.go) and bulk operations (bulk.go), a sender of webhooks (sender.go)
//     and an oracle: Orders, Order, REST, GraphQL.
//   - Faults and APIFaults spoil webhooks and answers, by the seed; Break and
//     Withhold spoil answers on request. Orders older than 60 days are hidden from
//     the API until Grant gives the app the scope read_all_orders.
//
// In a test:
//
//	shop := shopifytest.New(shopifytest.Options{Seed: 1, Now: clock.Now, Faults: shopifytest.Faults{Drop: 0.1}})
//	api := httptest.NewServer(shop)
//	shop.Subscribe(shopifytest.Subscription{Topic: "orders/create", URI: door.URL})
//	id := shop.Create()                    // places an order, queues its webhooks
//	shop.Apply(id, shopifytest.DoRefund)   // changes it
//	err := shop.Flush(ctx)                 // delivers what was not dropped
//	want, _ := shop.Order(id)              // what must have arrived in the end
//
// Nothing here reads the wall clock or starts a goroutine by itself: time comes
// from Options.Now, and deliveries happen in Step, Flush or Run. (An
// *http.Client keeps idle connections; Close drops them.)
package shopifytest
