package shopifytest

// Totals are the sums of an order at one point of its life. They obey
//
//	Total = Subtotal + Shipping + Duties + Fees + Tip (+ Tax, unless included)
//	Subtotal = Lines − the discounts on lines
type Totals struct {
	Lines     Bag // price × quantity
	Subtotal  Bag
	Discounts Bag // on lines and shipping
	Shipping  Bag // after discounts
	Tax       Bag
	Duties    Bag
	Fees      Bag
	Tip       Bag
	Total     Bag
}

// Current sums the order as it stands: at current quantities, less what was
// given back of the shipping.
func (o *Order) Current() Totals {
	t := Totals{Fees: o.Fee, Tip: o.Tip}
	for i := range o.Lines {
		l := &o.Lines[i]
		goods, discount := l.Price.Times(l.Current), l.discount(l.Current)
		t.Lines = t.Lines.Plus(goods)
		t.Discounts = t.Discounts.Plus(discount)
		t.Subtotal = t.Subtotal.Plus(goods).Minus(discount)
		t.Tax = t.Tax.Plus(l.tax(l.Current))
		t.Duties = t.Duties.Plus(l.Duty.Share(l.Current, l.Quantity))
	}
	for i := range o.ShippingLines {
		s := &o.ShippingLines[i]
		t.Shipping = t.Shipping.Plus(s.current())
		t.Discounts = t.Discounts.Plus(s.currentDiscount())
		t.Tax = t.Tax.Plus(s.tax(s.current()))
	}
	t.Total = t.Subtotal.Plus(t.Shipping).Plus(t.Duties).Plus(t.Fees).Plus(t.Tip)
	if !o.TaxesIncluded {
		t.Total = t.Total.Plus(t.Tax)
	}
	return t
}

// discount is the share of all discounts that n units bear.
func (l *Line) discount(n int64) Bag {
	var sum Bag
	for _, a := range l.Discounts {
		sum = sum.Plus(a.Amount.Share(n, l.Quantity))
	}
	return sum
}

// tax is the share of all taxes that n units bear.
func (l *Line) tax(n int64) Bag {
	var sum Bag
	for _, t := range l.Taxes {
		sum = sum.Plus(t.Amount.Share(n, l.Quantity))
	}
	return sum
}

// net is what n units cost after discounts.
func (l *Line) net(n int64) Bag { return l.Price.Times(n).Minus(l.discount(n)) }

// open is the number of units that wait for a parcel.
func (l *Line) open() int64 { return max(0, l.Current-l.Fulfilled) }

func (s *ShippingLine) discount() Bag {
	var sum Bag
	for _, a := range s.Discounts {
		sum = sum.Plus(a.Amount)
	}
	return sum
}

// discounted is the price after discounts, as ordered.
func (s *ShippingLine) discounted() Bag { return s.Price.Minus(s.discount()) }

// current is what the customer pays for it now.
func (s *ShippingLine) current() Bag { return s.discounted().Minus(s.Refunded) }

// currentDiscount keeps its proportion to what is still charged. Shipping that
// was free from the start stays so.
func (s *ShippingLine) currentDiscount() Bag {
	if s.Removed {
		return Bag{}
	}
	if s.discounted().IsZero() {
		return s.discount()
	}
	return s.discount().portion(s.current(), s.discounted())
}

// tax is the tax on a part of the discounted price.
func (s *ShippingLine) tax(part Bag) Bag {
	var sum Bag
	for _, t := range s.Taxes {
		sum = sum.Plus(t.Amount.portion(part, s.discounted()))
	}
	return sum
}

// taxTotal is one row of an order's tax table.
type taxTotal struct {
	rate   *TaxRate
	amount Bag
}

// taxes adds up the taxes of lines and shipping by rate, in the order they
// first appear; current or as they stand on the lines.
func (o *Order) taxes(current bool) []taxTotal {
	var sums []taxTotal
	add := func(r *TaxRate, b Bag) {
		for i := range sums {
			if sums[i].rate == r {
				sums[i].amount = sums[i].amount.Plus(b)
				return
			}
		}
		sums = append(sums, taxTotal{r, b})
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		for _, t := range l.Taxes {
			switch {
			case current:
				add(t.TaxRate, t.Amount.Share(l.Current, l.Quantity))
			case !l.Added:
				add(t.TaxRate, t.Amount)
			}
		}
	}
	for i := range o.ShippingLines {
		s := &o.ShippingLines[i]
		for _, t := range s.Taxes {
			if current {
				add(t.TaxRate, t.Amount.portion(s.current(), s.discounted()))
			} else {
				add(t.TaxRate, t.Amount)
			}
		}
	}
	return sums
}

// Payments are the sums of an order's transactions.
type Payments struct {
	Received         Bag // captured and sold
	Refunded         Bag // by successful refunds
	Authorized       Bag
	Voided           bool
	PaymentRounding  Bag
	RefundRounding   Bag
	Discrepancy      Bag // paid back beyond the refunded goods
	PendingRefund    Bag
	RefundedShipping Bag
}

// Payments sums the transactions.
func (o *Order) Payments() Payments {
	var p Payments
	for _, t := range o.Transactions {
		switch {
		case t.Kind == "refund" && t.Status == "pending":
			p.PendingRefund = p.PendingRefund.Plus(t.Amount)
		case t.Status != "success":
		case t.Kind == "refund":
			p.Refunded = p.Refunded.Plus(t.Amount)
			p.RefundRounding = p.RefundRounding.Plus(t.Rounding)
		case t.Kind == "sale" || t.Kind == "capture":
			p.Received = p.Received.Plus(t.Amount)
			p.PaymentRounding = p.PaymentRounding.Plus(t.Rounding)
		case t.Kind == "authorization":
			p.Authorized = p.Authorized.Plus(t.Amount)
		case t.Kind == "void":
			p.Voided = true
		}
	}
	for _, r := range o.Refunds {
		p.Discrepancy = p.Discrepancy.Plus(r.Adjustment.Amount)
		for _, s := range r.Shipping {
			p.RefundedShipping = p.RefundedShipping.Plus(s.Amount)
		}
	}
	return p
}

// Net is what the merchant kept.
func (p Payments) Net() Bag { return p.Received.Minus(p.Refunded) }

// Outstanding is what the customer still owes; negative where money is owed to
// the customer. Money given back as a courtesy is not owed again.
func (o *Order) Outstanding() Bag {
	p := o.Payments()
	return o.Current().Total.Minus(p.Net()).Minus(p.Discrepancy)
}

// FinancialStatus is Shopify's word for the payments, in lower case.
func (o *Order) FinancialStatus() string {
	p := o.Payments()
	switch {
	case p.Received.IsZero() && (p.Voided || o.Cancelled()):
		return "voided"
	case p.Received.IsZero() && !p.Authorized.IsZero():
		return "authorized"
	case p.Received.IsZero() && o.Placed.Total.IsZero():
		return "paid"
	case p.Received.IsZero():
		return "pending"
	case p.Refunded.Shop >= p.Received.Shop:
		return "refunded"
	case p.Refunded.Shop > 0:
		return "partially_refunded"
	case o.Outstanding().Shop > 0:
		return "partially_paid"
	}
	return "paid"
}

// FulfillmentStatus is Shopify's word for the parcels, in lower case:
// unfulfilled, partially_fulfilled, fulfilled or restocked.
func (o *Order) FulfillmentStatus() string {
	var sent, open, current int64
	for i := range o.Lines {
		sent += o.Lines[i].Fulfilled
		open += o.Lines[i].open()
		current += o.Lines[i].Current
	}
	switch {
	case sent == 0 && current == 0 && o.Cancelled():
		return "restocked"
	case sent == 0:
		return "unfulfilled"
	case open > 0:
		return "partially_fulfilled"
	}
	return "fulfilled"
}
