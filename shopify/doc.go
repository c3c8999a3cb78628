// Package shopify holds all that Gapless knows of Shopify.
//
// Orders come by two ways, webhooks (REST-shaped JSON) and the GraphQL Admin
// API, and both decode to one Order:
//
//   - Door takes webhooks over HTTP, checks their signature and hands on the
//     raw bytes; DecodeWebhook says what such a body means. A webhook is a hint:
//     whatever is in doubt comes back as KindRefetch.
//   - Client asks the GraphQL API: one order in full, which orders a window
//     holds, how many, and the webhook subscriptions. It keeps to the shop's
//     rate limit, by priority, and repeats what failed for a moment. Many orders
//     at once come by a bulk operation, a query that Shopify runs into a file.
//   - DecodeRESTOrder and DecodeGraphQLOrder are lenient about everything but
//     the order's id, its updated_at and its money. The same order by either
//     way is equal, field for field, so Order.Hash and Order.Version can be
//     compared between them.
//
// The GraphQL documents are in the folder graphql; a test validates each
// against Shopify's official schema. go-shopify is only the carrier of requests:
// it has data races, sleeps through cancelled contexts and drops error codes, so
// pacing, retries, tokens and errors are done here, below and above it.
//
// The package keeps nothing and imports nothing else of Gapless. Time, waiting
// and the HTTP client are injected.
package shopify
