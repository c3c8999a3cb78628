package ordersync

import (
	"github.com/shopspring/decimal"

	"gapless/sync/report"
)

// count takes an order that Shopify lists into the balance.
func (r *reconciler) count(l line, v verdict) {
	if l.head == nil {
		return
	}
	b := &r.out.Balance
	currency, worth := l.head.currency, l.head.total
	if l.known != nil && l.known.UpdatedAt.After(l.head.updated) { // it changed since Shopify was read
		currency, worth = l.known.Currency, l.known.Total
	}
	total := amountOf(worth)
	add(&b.Shopify, currency, total)
	switch v.class {
	case classERP:
		if v.kind != "" {
			b.Wrong++
		}
		r.countDocument(l, v, currency, worth, total)
	case classCancelled:
		add(&b.Cancelled, currency, total)
	case classExcluded:
		add(&b.Excluded, currency, total)
		rule := ruleBefore
		if l.known != nil {
			rule = l.known.Rule
		}
		if r.byRule[rule] == nil {
			r.byRule[rule] = &report.Tally{}
		}
		add(r.byRule[rule], currency, total)
	case classParked:
		add(&b.Parked, currency, total)
	case classMissing:
		add(&b.Missing, currency, total)
	default:
		add(&b.Pending, currency, total)
		if about, ignored := r.ignored[l.id]; v.overdue && ignored && about == l.known.Wanted {
			r.out.IgnoredStuck++
		} else if v.overdue {
			b.Overdue++
		}
	}
}

func add(t *report.Tally, currency string, amount decimal.Decimal) {
	t.Orders++
	t.Add(currency, amount)
}

// countDocument counts what the ERP says the document is worth, in a list or when
// it was last asked; where it does not tell, what it was sent. What lies within
// the tolerance is no difference.
func (r *reconciler) countDocument(l line, v verdict, currency, worth string, total decimal.Decimal) {
	there := worth
	switch {
	case v.doc != nil && v.doc.total != "":
		there = v.doc.total
	case l.known != nil && l.known.ERPTotal != "":
		there = l.known.ERPTotal
	}
	if r.differs(there, worth) {
		total = amountOf(there)
	}
	if v.doc != nil && v.doc.currency != "" {
		currency = v.doc.currency
	}
	add(&r.out.Balance.ERP, currency, total)
}

// amountOf reads an amount that was checked when it came; what can't be read
// counts as nothing, and so shows as a difference.
func amountOf(text string) decimal.Decimal {
	d, err := decimal.NewFromString(text)
	if err != nil {
		return decimal.Zero
	}
	return d
}
