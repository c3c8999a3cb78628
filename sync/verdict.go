package ordersync

import (
	"fmt"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"gapless/store"
)

// class is where an order of Shopify's stands: each in exactly one place.
type class string

const (
	classNone      class = "" // no order of Shopify's
	classERP       class = "in the ERP"
	classCancelled class = "cancelled" // in Shopify, and nothing live in the ERP
	classExcluded  class = "excluded"
	classPending   class = "pending"
	classParked    class = "parked"
	classMissing   class = "missing"
)

// Causes of gaps.
const (
	CauseNeverCame    = "webhook_never_came"
	CauseLate         = "webhook_late"
	CauseRefused      = "webhook_refused"
	CauseDown         = "gapless_was_down"
	CauseERPFailed    = "erp_failed"
	CauseERPLost      = "erp_lost" // it was there, and is gone
	CauseERPEdited    = "erp_edited"
	CauseERPCancelled = "cancelled_in_erp"
	CauseERPDoubled   = "erp_doubled"
	CauseNotUpdated   = "not_updated" // delivered here, older there
	CauseOrderRefused = "order_refused"
	CauseDeleted      = "deleted_in_shopify"
	CauseNotOurs      = "unknown_to_shopify"
	CauseRemoved      = "subscription_removed"
	CauseChanged      = "subscription_changed"
	CauseQuiet        = "webhooks_fell_silent"
)

// verdict is what the comparison of one order comes to.
type verdict struct {
	class   class
	kind    string // of the gap; empty: all is well
	cause   string
	detail  string
	about   string
	ask     bool   // Shopify has more to tell of this order: fetch it
	overdue bool   // it is on the way for too long; the gap of that is found by FindStuck
	doc     *entry // the one live document
}

// comparison is what is needed to judge a line.
type comparison struct {
	began     time.Time // orders placed before it, and unknown here, are not Gapless's
	until     time.Time // changes after it are on their way, not missing
	listed    time.Time // the ERP's list shows every document that changed from here on
	asked     time.Time // the ERP may not show later writes; deliveries that moved since are judged by their own word
	allowed   time.Time // what is on the way since before it is so for too long; zero: nothing is
	tolerance decimal.Decimal
	shopify   bool // the side was read whole
	erp       bool
}

// judge says where one order stands. Each case is one way in which the sides can differ.
func (c comparison) judge(l line) verdict {
	live := l.live()
	switch {
	case l.known == nil && l.head == nil:
		return c.stranger(l, live)
	case l.head != nil && (l.known == nil || l.known.State == "" || l.head.updated.After(l.known.UpdatedAt)):
		return c.unheard(l, live)
	case !l.known.DeletedAt.IsZero():
		return c.deleted(l, live)
	}
	return c.standing(l, live)
}

// stranger is a document in the ERP whose order nobody knows.
func (c comparison) stranger(l line, live []entry) verdict {
	if len(live) == 0 || !c.shopify {
		return verdict{}
	}
	return verdict{kind: store.GapOrphan, cause: CauseNotOurs, about: live[0].name,
		detail: fmt.Sprintf("the ERP holds %s for an order that neither Shopify nor Gapless knows", live[0].name)}
}

// unheard is an order that Shopify knows, or knows newer than we do.
func (c comparison) unheard(l line, live []entry) verdict {
	v := verdict{class: classPending, ask: true, about: version(l.head.updated)}
	if len(live) == 1 {
		v.doc = &live[0]
	}
	if l.known == nil && l.head.created.Before(c.began) && len(live) == 0 { // else somebody had it brought in: a copy from a backup does not know it
		return verdict{class: classExcluded}
	}
	if l.head.updated.After(c.until) {
		return v // its webhook may still be on its way
	}
	if l.known == nil && len(live) == 1 && !olderThan(live[0].version, l.head.updated) {
		v.class = classERP // it was carried there: a copy from a backup does not know it
		return v
	}
	v.cause = CauseNeverCame
	switch {
	case len(live) == 0 && (l.known == nil || !l.known.Present):
		v.class, v.kind = classMissing, store.GapMissing
		v.detail = fmt.Sprintf("Shopify lists %s, and nothing was heard of it", l.head.name)
	default:
		v.class, v.kind = classERP, store.GapStale
		v.detail = fmt.Sprintf("Shopify changed %s at %s, and nothing was heard of it", l.head.name, version(l.head.updated))
	}
	return v
}

// deleted is an order that Shopify has no more. Its document stays until a
// person has decided about it.
func (c comparison) deleted(l line, live []entry) verdict {
	if len(live) == 0 {
		return verdict{}
	}
	return verdict{kind: store.GapOrphan, cause: CauseDeleted, about: live[0].name,
		detail: fmt.Sprintf("%s was deleted in Shopify, and the ERP still holds %s", l.known.Name, live[0].name)}
}

// standing judges by the state of the delivery.
func (c comparison) standing(l line, live []entry) verdict {
	k := l.known
	v := verdict{about: k.Wanted}
	if len(live) == 1 {
		v.doc = &live[0]
	}
	moved := !c.asked.IsZero() && !k.ChangedAt.Before(c.asked)
	switch {
	case k.State == store.StateParked:
		v.class, v.kind, v.cause, v.detail = classParked, store.GapParked, CauseOrderRefused, k.Reason
	case k.State == store.StateExcluded:
		v.class = classExcluded
		if len(live) > 0 && !moved {
			v.class, v.kind, v.cause = classERP, store.GapStale, CauseNotUpdated
			v.detail = fmt.Sprintf("%s is excluded, and %s is still live in the ERP", k.Name, live[0].name)
		}
	case k.State != store.StateDelivered:
		v.class, v.overdue = classPending, k.Since.Before(c.allowed) && !k.Behind
	case !k.CancelledAt.IsZero():
		v.class = classCancelled
		if len(live) > 0 && !moved {
			v.class, v.kind, v.cause = classERP, store.GapStale, CauseNotUpdated
			v.detail = fmt.Sprintf("%s is cancelled, and %s is still live in the ERP", k.Name, live[0].name)
		}
	case moved:
		v.class, v.doc = classERP, nil
	case !c.erp:
		v.class = classERP
	default:
		c.inERP(l, live, &v)
	}
	return v
}

// inERP judges the document of an order that counts as delivered.
func (c comparison) inERP(l line, live []entry, v *verdict) {
	k := l.known
	v.class = classERP
	switch {
	case len(live) == 0 && len(l.docs) > 0:
		v.class, v.kind, v.cause, v.detail = classMissing, store.GapMissing, CauseERPCancelled, fmt.Sprintf("%s was cancelled in the ERP, not in Shopify", l.docs[0].name)
	case len(live) == 0:
		v.class, v.kind, v.cause, v.detail = classMissing, store.GapMissing, CauseERPLost, fmt.Sprintf("%s was in the ERP, and is there no more", k.Name)
	case len(live) > 1:
		v.kind, v.cause, v.detail = store.GapDoubled, CauseERPDoubled, fmt.Sprintf("the ERP holds %d live documents for %s", len(live), k.Name)
	case live[0].version != "" && live[0].version != k.Wanted && live[0].version != k.Sent:
		v.kind, v.cause, v.detail = store.GapStale, CauseNotUpdated, fmt.Sprintf("%s in the ERP holds %s, not %s", live[0].name, live[0].version, k.Wanted)
		v.ask = newerVersion(live[0].version, k.Wanted)
	case live[0].currency != "" && live[0].currency != k.Currency:
		v.kind, v.cause, v.detail = store.GapMismatch, CauseERPEdited, fmt.Sprintf("%s is in %s in Shopify and in %s in the ERP", k.Name, k.Currency, live[0].currency)
	case c.differs(live[0].total, k.Total):
		v.kind, v.cause, v.detail = store.GapMismatch, CauseERPEdited, fmt.Sprintf("%s is worth %s %s in Shopify and %s in the ERP", k.Name, k.Total, k.Currency, live[0].total)
	}
}

// differs says that an amount the ERP tells is not Shopify's, beyond the tolerance.
func (c comparison) differs(there, here string) bool {
	if there == "" || there == here {
		return false
	}
	a, err1 := decimal.NewFromString(there)
	b, err2 := decimal.NewFromString(here)
	return err1 != nil || err2 != nil || a.Sub(b).Abs().GreaterThan(c.tolerance)
}

// olderThan says that a version is of an earlier moment.
func olderThan(v string, at time.Time) bool {
	moment, _, known := strings.Cut(v, "/")
	return known && moment < version(at)
}

// version is how versions begin: the moment of the change.
func version(at time.Time) string { return at.UTC().Format(time.RFC3339) }
