// Package store keeps everything Gapless knows in one SQLite file.
//
// # What is in it
//
//	events ── bodies          what was heard, as it came; append-only
//	   │
//	   ▼ intake (a cursor in meta, never skipping an id)
//	orders ── contents        the newest version of each order
//	   │ customers            by what each is found of its customer, hashed
//	   │ refetches            orders whose version is in doubt, to be asked for by id
//	   ▼
//	deliveries                one row per (shop, order, erp): wanted and held
//	   │
//	   ▼
//	attempts ── outcomes ── transcripts    each call to an ERP: intent, result, wording
//
//	offers ── offer_bodies    what ERPs that pull may fetch, and what they answered
//
//	decisions                 why each of these steps went as it did
//
//	runs                      comparisons, polls that found something, backfills
//	gaps ── gap_steps         what differs between Shopify, this store and the ERP
//	reports                   each shop's day, frozen, and what amends it
//	letters                   what people are to be told, until it is sent
//
//	people ── sessions        who logs in; links, places, recovery_codes and identities serve the log-in
//	audit                     who did what; append-only
//
// # The states of a delivery
//
//	    ┌──────────────── wanted moves on ───────────────┐
//	    ▼                                                │
//	┌─ due ──claim──► sending ──created, updated──► delivered
//	│   ▲                │ │ │
//	│   ├──── retry ─────┘ │ └──rejected──► parked ── new version, replay ──► due
//	│   │                  ▼
//	│   └── absent ──── unknown ──found──► delivered (or due, if it holds another version)
//	│                      ▲
//	│                      └── no answer, lease ran out, process died after the intent
//	└── a rule says so ──► excluded ── new version, replay ──► due
//
// The schema refuses every other state, a delivered row that does not hold what
// is wanted, a parked one without a reason, an excluded one without its rule.
//
// # The states of a gap
//
//	found ──► open ──something is set in motion──► healing
//	           │ ▲                                    │ the ERP was asked, and shows it right
//	 a person  ▼ │ it is about something new          ▼
//	        ignored                                closed ── the very same fault is back ──► open
//
// An order has one live gap of a kind at most. Nothing but an answer of the ERP
// itself closes an order's gap.
//
// # Durability
//
// WAL with synchronous=FULL on every connection: what a method has returned
// from without error survives a power cut. All writes go through one connection
// that commits them in groups (writer.go); reads use a pool of their own.
package store
