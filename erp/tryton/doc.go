// Package tryton carries orders into Tryton 6.0 as sales, over JSON-RPC.
//
// # Tier B
//
// Tryton can be searched by a sale's reference and reads its own writes, but it
// enforces no unique reference: four clients that searched and then created at
// the same time made four sales. And a request whose client has gone still
// commits a moment later. So after an ambiguous call the engine waits [Adapter.Settle],
// looks up, and only then delivers again. The adapter itself always looks up
// first, creates a draft, checks that this draft is the only live sale with the
// reference, and quotes and confirms only then.
//
// # One delivery
//
//	Map      order -> document in Tryton's terms, with codes and names (pure)
//	resolve  codes and names -> ids, kept for a few minutes; party and addresses
//	search   the sales that bear the reference
//	decide   create, rewrite, advance, replace, note only, or nothing
//	write    and read the state back after every button: Tryton answers null
//	         both to a button that worked and to one that did nothing
//
// # Money
//
// A line is sold at Shopify's price before discounts, without tax; what was
// taken off follows as a line of quantity one on the discount product, with the
// same taxes. A discount spread over a unit price with four decimals would miss
// Shopify's amount by cents as soon as it does not divide; the amount of a line
// of one does not. It also keeps turnover and discounts apart in the books.
// Tryton computes the taxes itself. Where its rounding and Shopify's part ways
// by a few cents a line on the rounding product makes the total equal; where
// they differ by more than rounding can explain the order is refused.
//
// # Dates
//
// A sale is of the day that the order belongs to in the shop's own calendar. A
// shop that moves to another time zone changes nothing that is booked.
//
// # What Tryton keeps of us
//
// The sale's comment ends in a block that starts with a fixed line and holds
// the order's note, our version and a fingerprint of the content. Text above
// that block belongs to people and stays.
package tryton
