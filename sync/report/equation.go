package report

import "strings"

// Equation is the balance in lines that add up, one for the orders and one for
// the money in each currency of Shopify's or of the rest:
//
//	412 orders in Shopify = 405 in the ERP + 2 cancelled + 3 excluded + 1 pending + 0 parked + 1 missing
//	23,410.20 EUR in Shopify = 23,010.00 in the ERP + 80.20 cancelled + ...
//
// A line that does not add up ends in what is left over.
func (b Balance) Equation() []string {
	var all Tally
	for _, t := range append(b.parts(), b.Shopify) {
		all.count(t, 1)
	}
	off := b.Difference()
	lines := []string{b.line(counted(b.Shopify.Orders, "order"), number(off.Orders), off.Orders == 0, func(t Tally) string { return number(t.Orders) })}
	for _, m := range all.Money {
		amount := func(t Tally) string { return bare(t.in(m.Currency)) }
		left := off.in(m.Currency)
		lines = append(lines, b.line(b.Shopify.in(m.Currency).String(), bare(left), left.Amount.IsZero(), amount))
	}
	return lines
}

// partNames are the names of a balance's parts, in their order.
var partNames = []string{"in the ERP", "cancelled", "excluded", "pending", "parked", "missing"}

func (b Balance) parts() []Tally {
	return []Tally{b.ERP, b.Cancelled, b.Excluded, b.Pending, b.Parked, b.Missing}
}

func (b Balance) line(whole, left string, even bool, figure func(Tally) string) string {
	terms := make([]string, len(partNames))
	for i, t := range b.parts() {
		terms[i] = figure(t) + " " + partNames[i]
	}
	line := whole + " in Shopify = " + strings.Join(terms, " + ")
	if !even {
		line += ", and " + left + " left over"
	}
	return line
}

// String is "12 orders, 118.40 EUR".
func (t Tally) String() string {
	return strings.Join(append([]string{counted(t.Orders, "order")}, sums(t)...), ", ")
}

// in is the sum of one currency.
func (t Tally) in(currency string) Money {
	for _, m := range t.Money {
		if m.Currency == currency {
			return m
		}
	}
	return Money{Currency: currency}
}

// bare is the amount for people, without its currency.
func bare(m Money) string {
	figure, _, _ := strings.Cut(m.String(), " ")
	return figure
}
