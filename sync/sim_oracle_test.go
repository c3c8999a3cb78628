package ordersync

import (
	"context"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"

	"gapless/erp/erptest"
	"gapless/store"
)

// memory is what the oracles remember. The numbers in failures are those of the
// invariants in docs/simulation.md.
type memory struct {
	acknowledged map[string]bool         // webhook ids that were answered with 2xx
	forgotten    map[person]bool         // who was to be forgotten, by an acknowledged webhook
	redacted     bool                    // something ever was, by one that need not have been acknowledged
	touched      map[string]bool         // references that people changed in the ERP themselves
	withheld     map[store.OrderKey]bool // orders of which Shopify has kept fields back, not asked for since
	holes        map[string]bool         // references of those of which it ever has, or whose buyer a restored copy names again
	past         map[string]bool         // references of orders placed before Gapless began
	closed       map[int64]time.Time     // gaps, and when
	polled       map[string]time.Time    // shops, and from when on polls see their changes
	broughtIn    map[string]bool         // backfills that are done
}

func newMemory() memory {
	return memory{acknowledged: map[string]bool{}, forgotten: map[person]bool{}, touched: map[string]bool{}, withheld: map[store.OrderKey]bool{}, holes: map[string]bool{},
		past: map[string]bool{}, closed: map[int64]time.Time{}, polled: map[string]time.Time{}, broughtIn: map[string]bool{}}
}

// answered is called when the door writes a status.
func (w *world) answered(r *http.Request, body []byte, status int) {
	if status/100 == 2 {
		shop, _, _ := strings.Cut(r.Header.Get("X-Shopify-Shop-Domain"), ".")
		w.acknowledged[shop+" "+r.Header.Get("X-Shopify-Webhook-Id")] = true
		w.heardOf(shop, r, body)
	}
}

// durable holds invariant 1: what was answered with 2xx is in the store, once.
func (w *world) durable() {
	events, err := w.proc.store.Events(context.Background(), store.EventFilter{Limit: 100_000})
	if err != nil {
		w.fail("reading events: %v", err)
	}
	stored := map[string]bool{}
	for _, e := range events {
		if id := e.Shop + " " + e.WebhookID; e.WebhookID != "" {
			if stored[id] {
				w.fail("1: webhook %s is stored twice", id)
			}
			stored[id] = true
		}
	}
	for id := range w.acknowledged {
		if !stored[id] {
			w.fail("1: webhook %s was answered with 200 and is not stored", id)
		}
	}
}

// watch is called right before a write.
func (t *task) watch(step string) {
	switch step {
	case "Settle":
		t.before = t.delivery()
	case "AppendAnswer", "DropRefetch":
		t.doubts = t.asked()
	}
}

// observe is called right after a write. It holds invariant 7: an attempt that
// is no longer the current one changes nothing.
func (t *task) observe(step string) {
	switch {
	case step == "Begin":
		t.began = t.now
		t.beginsRightly()
	case step == "Recover", step == "TakeBack":
		t.remembersCalls()
	case step == "Redact":
		t.redacted = true
		t.takenBack()
	case step == "ApplyIntake" && t.redacted:
		t.takenBack()
	case step == "AppendAnswer", step == "DropRefetch":
		t.endsRightly(step)
	case step == "FoundGaps":
		t.foundRightly()
	case step == "CloseGap":
		t.closedRightly()
	case step == "Complete":
		t.completeRightly()
	case step == "Polled":
		t.polledRightly(t.searched)
	case step == "SaveRun":
		t.broughtInWhole()
	case step != "Settle":
	case t.before.Token == t.claim.Token:
		t.settled = true
		t.settlesRightly(t.delivery())
		t.remembersCalls()
	default:
		if now := t.delivery(); now != t.before {
			t.fail("7: an attempt whose token is no longer current changed the delivery of %s from %+v to %+v", t.reference(), t.before, now)
		}
	}
}

// takenBack notes the attempts whose order a redaction has taken from them, or must.
func (w *world) takenBack() {
	for _, t := range w.tasks {
		if t.claim == nil || t.settled {
			continue
		}
		o, err := w.proc.store.Order(context.Background(), t.claim.DeliveryKey.OrderKey)
		t.names = t.names || err == nil && !o.RedactedAt.IsZero() && t.claim.Order.RedactedAt.IsZero()
		if t.delivery().Token != t.claim.Token {
			t.disturbed, t.revoked = true, true
		}
	}
}

// beginsRightly holds invariant 11: what names somebody who is forgotten is not sent
// any more.
func (t *task) beginsRightly() {
	if t.names && t.delivery().Token == t.claim.Token {
		t.fail("11: an attempt at %s begins, and its buyer was forgotten meanwhile", t.reference())
	}
}

func (t *task) delivery() store.Delivery {
	d, err := t.proc.store.Delivery(context.Background(), t.claim.DeliveryKey.OrderKey)
	if err != nil {
		t.fail("reading a delivery: %v", err)
	}
	return d
}

// reference of the order that an attempt is about.
func (t *task) reference() string { return ref(t.claim.Shop, t.claim.DeliveryKey.ID) }

// oneAttemptEach: no second attempt at an order begins while one is within its lease.
func (w *world) oneAttemptEach(c store.Claim) {
	for _, t := range w.tasks {
		if t.claim != nil && t.claim.DeliveryKey == c.DeliveryKey && !t.disturbed && !t.settled {
			w.fail("7: a second attempt at %s begins while the first is within its lease", ref(c.DeliveryKey.Shop, c.DeliveryKey.ID))
		}
	}
}

// intended holds invariant 8 at each writing call: its intent is durable.
func (t *task) intended(r *http.Request) {
	if t.claim == nil {
		t.fail("8: %s sends %s %s, and only attempts may", t.name, r.Method, r.URL.Path)
		return
	}
	tries, err := t.proc.store.Tries(context.Background(), store.TryFilter{Order: t.claim.DeliveryKey.OrderKey, Limit: 20})
	if err != nil {
		t.fail("reading attempts: %v", err)
	}
	if token := t.delivery().Token; token != t.claim.Token && !t.revoked {
		t.fail("7: %s %s leaves, and another attempt has taken over", r.Method, r.URL.Path)
	}
	if !slices.ContainsFunc(tries, func(x store.Try) bool {
		return x.Token == t.claim.Token && x.Action == store.ActionDeliver && x.Version == r.Header.Get("X-Gapless-Version") && x.Ref == path.Base(r.URL.Path)
	}) {
		t.fail("8: %s %s leaves without a durable intent", r.Method, r.URL.Path)
	}
}

// entered holds invariants 4 and 5 after each effect in the ERP.
func (w *world) entered(reference string) {
	documents := w.books.ledger.Documents(reference)
	if n := len(w.books.ledger.Live(reference)); n > 1 && !w.touched[reference] {
		w.fail("4: %d live documents for %s", n, reference)
	}
	for _, d := range documents {
		w.olderNeverOverwrites(reference, d)
	}
}

// olderNeverOverwrites looks at the newest write of a document. Versions begin
// with their second; within one second none may come back once another was there.
func (w *world) olderNeverOverwrites(reference string, d erptest.Document) {
	versions := engineWrites(d)
	if len(versions) < 2 {
		return
	}
	last := versions[len(versions)-1]
	second, _, _ := strings.Cut(last, "/")
	for i, v := range versions[:len(versions)-1] {
		at, _, _ := strings.Cut(v, "/")
		if at > second {
			w.fail("5: %s of %s was overwritten by the older %s", v, reference, last)
		}
		if v == last && !w.holes[reference] && slices.ContainsFunc(versions[i:], func(other string) bool { return other != v }) {
			w.fail("5: %s of %s came back after %s", last, reference, strings.Join(versions, ", "))
		}
	}
}

// engineWrites are the versions of a document that Gapless wrote, oldest first;
// what people typed has no key.
func engineWrites(d erptest.Document) (versions []string) {
	for _, x := range d.Writes {
		if x.IdempotencyKey != "" && (len(versions) == 0 || versions[len(versions)-1] != x.Version) {
			versions = append(versions, x.Version)
		}
	}
	return versions
}
