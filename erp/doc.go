// Package erp is what Gapless knows of every ERP and of none in particular.
//
// An [Order] is a Shopify order in neutral terms. An [Adapter] turns it into the
// ERP's own document (Map), brings that document to its newest version
// (Deliver) and tells what the ERP holds (Lookup, List). Each delivery ends in
// one [Outcome], and a [Transcript] keeps what was said on the wire. An ERP that
// can't be called is no exception: erp/pull delivers by putting a document on
// offer, and looks up what the ERP acknowledged.
//
// An adapter lives in a folder of its own (erp/http, erp/tryton, ...), imports
// this package and no other of ours, and passes erptest.Run, which plays every
// fault a network and an ERP can show.
package erp
