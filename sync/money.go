package ordersync

import (
	"fmt"

	"github.com/shopspring/decimal"

	"gapless/erp"
	"gapless/shopify"
)

// money is an order's parts in one of its two currencies, at current
// quantities. Shopify tells discounts and taxes of a line for all units ever on
// it; a line that lost units bears its share, and the minor units that sharing
// leaves over go where Shopify's own sums say they belong.
type money struct {
	lines      []part
	shipping   []part
	byDiscount []decimal.Decimal // by index of the order's discounts
	tax        decimal.Decimal   // all of it, as Shopify tells
	duties     decimal.Decimal
	fees       decimal.Decimal
	tip        decimal.Decimal
	total      decimal.Decimal // as Shopify tells
}

// part is one line or shipping line.
type part struct {
	amount   decimal.Decimal // after discount
	discount decimal.Decimal
	taxes    []decimal.Decimal
	shared   bool // discount and taxes were shared out, so each may be a minor unit off
}

func (p part) taxTotal() decimal.Decimal { return sum(p.taxes) }

func sum(ds []decimal.Decimal) decimal.Decimal {
	total := decimal.Zero
	for _, d := range ds {
		total = total.Add(d)
	}
	return total
}

// moneyIn works out the parts in the currency that pick picks.
func moneyIn(o *shopify.Order, pick func(shopify.Bag) decimal.Decimal, digits int32) money {
	m := money{
		byDiscount: make([]decimal.Decimal, len(o.Discounts)),
		tax:        pick(o.CurrentTax),
		duties:     pick(o.CurrentDuties),
		fees:       pick(o.CurrentFees),
		tip:        o.Tip,
		total:      pick(o.CurrentTotal),
	}
	for _, l := range o.Lines {
		m.lines = append(m.lines, m.line(l, pick, digits))
	}
	for _, l := range o.ShippingLines {
		m.shipping = append(m.shipping, m.shippingLine(l, pick, digits))
	}
	m.settleDiscounts(pick(o.CurrentSubtotal), digits)
	m.settleTaxes(digits)
	return m
}

func (m *money) line(l shopify.Line, pick func(shopify.Bag) decimal.Decimal, digits int32) part {
	p := part{shared: l.CurrentQuantity != l.Quantity}
	share := func(d decimal.Decimal) decimal.Decimal {
		if !p.shared {
			return d
		}
		if l.Quantity == 0 {
			return decimal.Zero
		}
		return d.Mul(decimal.NewFromInt(l.CurrentQuantity)).DivRound(decimal.NewFromInt(l.Quantity), digits+8).Round(digits)
	}
	p.discount = m.allocated(l.Allocations, pick, share)
	p.amount = pick(l.Price).Mul(decimal.NewFromInt(l.CurrentQuantity)).Round(digits).Sub(p.discount)
	p.taxes = sharedTaxes(l.Taxes, pick, share)
	return p
}

func (m *money) shippingLine(l shopify.ShippingLine, pick func(shopify.Bag) decimal.Decimal, digits int32) part {
	ordered, now := pick(l.Discounted), pick(l.Current)
	p := part{amount: now, shared: !now.Equal(ordered)}
	share := func(d decimal.Decimal) decimal.Decimal {
		if !p.shared {
			return d
		}
		if ordered.IsZero() {
			return decimal.Zero
		}
		return d.Mul(now).DivRound(ordered, digits+8).Round(digits)
	}
	p.discount = m.allocated(l.Allocations, pick, share)
	p.taxes = sharedTaxes(l.Taxes, pick, share)
	return p
}

// allocated adds up a line's discounts, and each discount's lines.
func (m *money) allocated(as []shopify.Allocation, pick func(shopify.Bag) decimal.Decimal, share func(decimal.Decimal) decimal.Decimal) decimal.Decimal {
	total := decimal.Zero
	for _, a := range as {
		d := share(pick(a.Amount))
		total = total.Add(d)
		if a.Index >= 0 && a.Index < len(m.byDiscount) {
			m.byDiscount[a.Index] = m.byDiscount[a.Index].Add(d)
		}
	}
	return total
}

func sharedTaxes(told []shopify.TaxLine, pick func(shopify.Bag) decimal.Decimal, share func(decimal.Decimal) decimal.Decimal) []decimal.Decimal {
	taxes := make([]decimal.Decimal, len(told))
	for i, t := range told {
		taxes[i] = share(pick(t.Amount))
	}
	return taxes
}

// settleDiscounts moves the minor units that sharing discounts left over, so
// that the lines come to Shopify's own subtotal. More than one unit a line is
// not rounding, and is left for balance to name.
func (m *money) settleDiscounts(subtotal decimal.Decimal, digits int32) {
	unit := decimal.New(1, -digits)
	off := subtotal.Sub(m.subtotal())
	for i := range m.lines {
		p := &m.lines[i]
		if !p.shared || p.discount.IsZero() || off.Abs().LessThan(unit) {
			continue
		}
		step := unit.Mul(decimal.NewFromInt(int64(off.Sign())))
		p.amount, p.discount, off = p.amount.Add(step), p.discount.Sub(step), off.Sub(step)
	}
}

// settleTaxes does the same for taxes.
func (m *money) settleTaxes(digits int32) {
	unit := decimal.New(1, -digits)
	off := m.tax.Sub(m.taxOfParts())
	for _, parts := range [][]part{m.lines, m.shipping} {
		for _, p := range parts {
			for i := range p.taxes {
				if !p.shared || p.taxes[i].IsZero() || off.Abs().LessThan(unit) {
					continue
				}
				step := unit.Mul(decimal.NewFromInt(int64(off.Sign())))
				p.taxes[i], off = p.taxes[i].Add(step), off.Sub(step)
			}
		}
	}
}

func (m *money) subtotal() decimal.Decimal {
	return sumOf(m.lines, func(p part) decimal.Decimal { return p.amount })
}
func (m *money) shippingTotal() decimal.Decimal {
	return sumOf(m.shipping, func(p part) decimal.Decimal { return p.amount })
}
func (m *money) taxOfParts() decimal.Decimal {
	return sumOf(m.lines, part.taxTotal).Add(sumOf(m.shipping, part.taxTotal))
}

func (m *money) discount() decimal.Decimal {
	of := func(p part) decimal.Decimal { return p.discount }
	return sumOf(m.lines, of).Add(sumOf(m.shipping, of))
}

func sumOf(parts []part, of func(part) decimal.Decimal) decimal.Decimal {
	total := decimal.Zero
	for _, p := range parts {
		total = total.Add(of(p))
	}
	return total
}

// balance checks that the parts come to Shopify's total and its taxes. Some
// shops' tips are told beside the lines and some as one of them, and so it is
// with duties and prices; whichever adds up is right, and what is in the lines
// already is zero afterwards. Where each part was converted from the customer's
// money, what rounding left over is returned.
func (m *money) balance(o *shopify.Order, currency string) (rounding decimal.Decimal, err error) {
	parts := m.subtotal().Add(m.shippingTotal()).Add(m.fees)
	if !o.TaxesIncluded {
		parts = parts.Add(m.tax)
	}
	for _, beside := range []struct{ tip, duties decimal.Decimal }{
		{m.tip, m.duties}, {decimal.Zero, m.duties}, {m.tip, decimal.Zero}, {decimal.Zero, decimal.Zero},
	} {
		if parts.Add(beside.tip).Add(beside.duties).Equal(m.total) {
			m.tip, m.duties = beside.tip, beside.duties
			return decimal.Zero, m.balanceTaxes(o, currency)
		}
	}
	parts = parts.Add(m.tip).Add(m.duties)
	off := m.total.Sub(parts)
	if off.Abs().LessThanOrEqual(m.tolerance(o)) {
		return off, nil
	}
	return decimal.Zero, &erp.Problem{
		Reason: fmt.Sprintf("the order's parts come to %s %s but Shopify's total is %s, a difference of %s", parts, currency, m.total, off),
		Field:  "total",
		Hint:   "compare the order in the Shopify admin; if it looks right there, report it to Gapless's maintainers, and book this order by hand",
	}
}

func (m *money) balanceTaxes(o *shopify.Order, currency string) error {
	off := m.tax.Sub(m.taxOfParts())
	if off.Abs().LessThanOrEqual(m.tolerance(o)) || !o.CurrentDuties.Shop.IsZero() || !m.fees.IsZero() || len(o.Refunds) > 0 {
		return nil // duties and fees bear taxes of their own, and a refund may give back tax alone
	}
	return &erp.Problem{
		Reason: fmt.Sprintf("the taxes of the order's parts come to %s %s but Shopify says %s, a difference of %s", m.taxOfParts(), currency, m.tax, off),
		Field:  "total_tax",
		Hint:   "compare the order's taxes in the Shopify admin; book this order by hand if they are right there",
	}
}

// tolerance is what converting each part to another currency may leave over.
func (m *money) tolerance(o *shopify.Order) decimal.Decimal {
	if o.PresentmentCurrency == "" || o.PresentmentCurrency == o.Currency {
		return decimal.Zero
	}
	parts := int64(5)
	for _, ps := range [][]part{m.lines, m.shipping} {
		for _, p := range ps {
			parts += 1 + int64(len(p.taxes))
		}
	}
	return decimal.New(parts, -finest(o, erp.Digits(o.Currency)))
}
