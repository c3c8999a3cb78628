// Package erptest holds every adapter to the contract of package erp.
//
// [Run] is the conformance suite. An adapter's test opens a [Harness]: the
// adapter, a way to plan faults, and a look into the ERP's real ledger. The
// suite creates, changes and cancels orders, breaks the connection in every
// way it knows, plays the engine's rule of recovery, and then asks the ledger,
// not the adapter, whether exactly one live document stands there.
//
// [Proxy] puts the faults in front of any ERP that speaks HTTP. [ERP] is a
// pretend ERP for the http adapter, with a ledger that remembers every write,
// for simulations, benchmarks and kill tests. [Sample] makes orders whose parts
// add up.
package erptest
