package shopifytest

import "time"

// refund gives back goods, shipping, money alone, or a mix. The money is in
// most cases what the goods cost, and never more than was paid.
func (g *Generator) refund(o *Order, at time.Time) (*Refund, bool) {
	if o.Cancelled() || o.Payments().Net().Shop <= 0 {
		return nil, false
	}
	r := Refund{At: at}
	if g.chance(30) {
		r.Note = pick(g.r, words)
	}
	worth := Bag{}
	if g.chance(80) {
		worth = g.giveBackGoods(o, &r, "return")
		if g.chance(25) {
			worth = worth.Plus(g.giveBackShipping(o, &r))
		}
	}
	g.payBack(o, &r, g.courtesy(o, worth))
	if len(r.Lines) == 0 && len(r.Shipping) == 0 && len(r.Payments) == 0 {
		return nil, false
	}
	r.ID = g.id()
	o.Refunds = append(o.Refunds, r)
	return &o.Refunds[len(o.Refunds)-1], true
}

// courtesy is the amount to pay back: what the goods are worth, or, for a
// refund without goods and now and then with them, some other amount.
func (g *Generator) courtesy(o *Order, worth Bag) Bag {
	if worth.IsZero() || g.chance(10) {
		return worth.Plus(o.Payments().Net().Share(int64(1+g.r.IntN(20)), 100))
	}
	return worth
}

// giveBackGoods takes back units of one or more lines and returns their worth.
func (g *Generator) giveBackGoods(o *Order, r *Refund, restock string) Bag {
	worth := Bag{}
	for _, i := range g.r.Perm(len(o.Lines)) {
		l := &o.Lines[i]
		if l.Current == 0 {
			continue
		}
		if g.chance(20) {
			restock = "no_restock"
		}
		worth = worth.Plus(g.giveBackUnits(o, r, l, 1+g.r.Int64N(l.Current), restock))
		if g.chance(60) {
			break
		}
	}
	return worth
}

func (g *Generator) giveBackUnits(o *Order, r *Refund, l *Line, n int64, restock string) Bag {
	rest := l.Current - n
	part := RefundLine{
		ID: g.id(), LineID: l.ID, Quantity: n, Restock: restock,
		Subtotal: l.net(l.Current).Minus(l.net(rest)), Tax: l.tax(l.Current).Minus(l.tax(rest)),
	}
	duty := l.Duty.Share(l.Current, l.Quantity).Minus(l.Duty.Share(rest, l.Quantity))
	l.Current = rest
	r.Lines = append(r.Lines, part)
	if l.DutyID != 0 {
		r.Duties = append(r.Duties, RefundDuty{l.DutyID, duty})
	}
	return withTax(o, part.Subtotal, part.Tax).Plus(duty)
}

// giveBackShipping takes back all, or half, of what shipping still costs.
func (g *Generator) giveBackShipping(o *Order, r *Refund) Bag {
	worth := Bag{}
	for i := range o.ShippingLines {
		s := &o.ShippingLines[i]
		amount := s.current()
		if amount.Shop <= 0 || amount.Presentment <= 0 {
			continue
		}
		if g.chance(30) {
			amount = amount.Share(1, 2)
		}
		before := s.tax(s.current())
		s.Refunded = s.Refunded.Plus(amount)
		tax := before.Minus(s.tax(s.current()))
		r.Shipping = append(r.Shipping, RefundShipping{ID: g.id(), LineID: s.ID, Amount: amount, Tax: tax})
		worth = worth.Plus(withTax(o, amount, tax))
	}
	return worth
}

// withTax adds the tax unless the amount already holds it.
func withTax(o *Order, amount, tax Bag) Bag {
	if o.TaxesIncluded {
		return amount
	}
	return amount.Plus(tax)
}

// payBack moves the money, at most what the merchant still holds, and books
// what differs from the goods' worth as an adjustment. A refund may be pending
// at the bank: it then counts only once it succeeds, which never happens here.
func (g *Generator) payBack(o *Order, r *Refund, amount Bag) {
	p := o.Payments()
	amount = amount.atMost(p.Net().Minus(p.PendingRefund))
	if amount.Shop > 0 && amount.Presentment > 0 {
		t := Transaction{ID: g.id(), Kind: "refund", Status: "success", At: r.At, Amount: amount}
		for _, paid := range o.Transactions {
			if paid.Kind == "sale" || paid.Kind == "capture" {
				t.ParentID, t.Gateway = paid.ID, paid.Gateway
			}
		}
		if g.chance(5) {
			t.Status = "pending"
		}
		if t.Gateway == "cash" && o.Currency == o.Presentment && digits(o.Currency) == 2 {
			off := ratio(amount.Shop, 1, 5)*5 - amount.Shop
			t.Rounding = Bag{off, off}
		}
		o.Transactions = append(o.Transactions, t)
		r.Payments = append(r.Payments, t.ID)
	} else {
		amount = Bag{}
	}
	if off := amount.Minus(r.worth(o)); !off.IsZero() {
		r.Adjustment = Adjustment{g.id(), off}
	}
}

// worth is what the refunded goods, shipping and duties cost.
func (r *Refund) worth(o *Order) Bag {
	sum := Bag{}
	for _, l := range r.Lines {
		sum = sum.Plus(withTax(o, l.Subtotal, l.Tax))
	}
	for _, s := range r.Shipping {
		sum = sum.Plus(withTax(o, s.Amount, s.Tax))
	}
	for _, d := range r.Duties {
		sum = sum.Plus(d.Amount)
	}
	return sum
}

// cancel calls the order off. Most cancellations give everything back; some
// leave the lines as they were, as cancellations through older apps do.
func (g *Generator) cancel(o *Order, at time.Time) (*Refund, bool) {
	if o.Cancelled() || len(o.Fulfillments) > 0 {
		return nil, false
	}
	o.CancelledAt, o.ClosedAt = at, at
	o.CancelReason = pick(g.r, []string{"customer", "fraud", "inventory", "declined", "staff", "other"})
	if p := o.Payments(); p.Received.IsZero() && !p.Authorized.IsZero() {
		o.Transactions = append(o.Transactions, Transaction{
			ID: g.id(), ParentID: o.Transactions[0].ID, Kind: "void", Status: "success",
			Gateway: o.Transactions[0].Gateway, At: at, Amount: p.Authorized,
		})
	}
	if g.chance(20) {
		return nil, true
	}
	r, worth := Refund{At: at}, Bag{}
	for i := range o.Lines {
		if l := &o.Lines[i]; l.Current > 0 {
			worth = worth.Plus(g.giveBackUnits(o, &r, l, l.Current, "cancel"))
		}
	}
	worth = worth.Plus(g.giveBackShipping(o, &r))
	g.payBack(o, &r, worth)
	if len(r.Lines) == 0 && len(r.Payments) == 0 {
		return nil, true
	}
	r.ID = g.id()
	o.Refunds = append(o.Refunds, r)
	return &o.Refunds[len(o.Refunds)-1], true
}
