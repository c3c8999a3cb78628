// Package ordersync is the engine: it owns the flow of every order from the
// moment something was heard about it until the ERP holds its newest version.
//
//	shopify.Door ─► store.Append ─► 200
//	                     │
//	    intake.go        ▼  decode; newer than what we know? withheld.go: what Shopify
//	                     │  keeps from the app stays as a webhook told it
//	                  orders ◄──── refetch.go: ask Shopify by id, where in doubt
//	                     │  ▲
//	                     │  └───── poll.go: what changed since we last looked?
//	    deliver.go       ▼  wanted ≠ held
//	      rules ─► mapping ─► look up ─► intent ─► call ─► one change of state
//	                       (lookup.go)                      (outcome.go)
//
// Beside this walk, what proves that it has missed nothing:
//
//	signs.go ──► pace.go      hints at lost webhooks bring the next poll forward
//	reconcile.go              Shopify, store and ERP over a window: merged by order
//	                          (compare.go, spool.go), judged one by one (verdict.go)
//	gaps.go                   what differs: why, what mends it, seen healed in the ERP
//	daily.go                  the balance of each shop's day, frozen; letters.go sends it,
//	                          afterwards.go tells what becomes of its orders
//	alarm.go                  people hear of comparisons that keep failing
//	backfill.go               orders of the past
//
// Every arrow is a step: a method of Engine that does one bounded piece of work
// and returns. Run drives the steps from goroutines that wait for the store to
// change or for a moment to come; a test can drive them one by one.
//
// The states of a delivery are drawn in package store. What keeps them honest
// here: the intent is durable before the call leaves; an answer that tells
// nothing becomes unknown, and unknown is looked up before anything is sent
// again; only the holder of the current token writes a result; leases and waits
// end by the time that has surely passed, not by a clock that was set (elapsed.go).
package ordersync
