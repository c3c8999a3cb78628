// Package pull is for ERPs behind a firewall: they can call out, and can't be
// called. Gapless puts each order on offer; the ERP, or a script beside it,
// fetches what is on offer and acknowledges what it did.
//
//	Gapless ──Deliver──► offer ◄──GET /feed/NAME/orders── the ERP's script
//	                       ▲                                │ writes the ERP
//	  Lookup, List ──► acknowledged ◄──POST /feed/NAME/ack──┘
//
// The newest version of an order is the one on offer: it takes the place of an
// older one, and an older one never takes its place. A cancellation is an offer
// too. What was not acknowledged is offered again, for as long as it takes.
//
// Delivering ends in Unknown: the ERP may fetch an offer at any time, and until it
// acknowledges it nobody knows what became of it. The acknowledgement wakes the
// delivery, whose look-up tells then. While none comes, the delivery looks again
// after an hour, and each time twice as late, so that an ERP which is away for
// weeks leaves no long history.
//
// Tier: A, if the script keeps to two rules. It writes an order under its
// reference, which is unique in the ERP, so that an order which is offered twice,
// or fetched by two scripts at once, meets its own document; and it never puts an
// older offer in the place of a newer one, which the number seq of each tells:
// with one script at a time that comes by itself. Gapless can't see whether it does.
//
// What this proves: look-up and list repeat what the ERP acknowledged, so the
// comparison shows whether each of Shopify's orders was taken, at which version,
// and, where the ERP tells its total, at the right one. What it can't prove: that
// a document is in the ERP still. One that was deleted or changed there after it
// was acknowledged looks as it was, unless the script acknowledges it anew.
package pull
