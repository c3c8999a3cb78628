package report

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/shopspring/decimal"
)

// Money is an amount in one currency.
type Money struct {
	Currency string          `json:"currency"` // ISO 4217
	Amount   decimal.Decimal `json:"amount"`
}

// Tally counts orders and adds up what they are worth.
type Tally struct {
	Orders int64   `json:"orders"`
	Money  []Money `json:"money"` // one a currency, sorted by it
}

// Add adds an amount to its currency's sum. Orders stays the caller's to count.
func (t *Tally) Add(currency string, amount decimal.Decimal) {
	at, found := slices.BinarySearchFunc(t.Money, currency, func(m Money, c string) int {
		return strings.Compare(m.Currency, c)
	})
	if !found {
		t.Money = slices.Insert(t.Money, at, Money{Currency: currency})
	}
	t.Money[at].Amount = t.Money[at].Amount.Add(amount)
}

// Revalued says in words what the orders of a day are worth that were worth so much
// before: a sentence for each currency in which that differs.
func (t Tally) Revalued(before Tally) (said []string) {
	var off Tally
	off.count(t, 1)
	off.count(before, -1)
	for _, m := range off.Money {
		if !m.Amount.IsZero() {
			said = append(said, "the orders of this day are worth "+t.in(m.Currency).String()+" now, not "+before.in(m.Currency).String()+", by changes in Shopify since")
		}
	}
	return said
}

// Empty says that no order was counted and no currency's sum differs from zero.
func (t Tally) Empty() bool {
	return t.Orders == 0 && !slices.ContainsFunc(t.Money, func(m Money) bool { return !m.Amount.IsZero() })
}

// MarshalJSON writes the amount with its currency's decimals.
func (m Money) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		Currency string `json:"currency"`
		Amount   string `json:"amount"`
	}{m.Currency, digits(m.Currency, m.Amount)})
}

// MarshalJSON writes a list, never null, where there is no money.
func (t Tally) MarshalJSON() ([]byte, error) {
	type plainTally Tally
	t.Money = listed(t.Money)
	return json.Marshal(plainTally(t))
}

// Balance sets what Shopify has of the day against where it went. Each order
// stands in exactly one of ERP, Cancelled, Excluded, Pending, Parked and Missing.
type Balance struct {
	Shopify   Tally `json:"shopify"`   // what Shopify has
	ERP       Tally `json:"erp"`       // in the ERP; its money is what the ERP itself says
	Cancelled Tally `json:"cancelled"` // cancelled in Shopify, and nothing live in the ERP
	Excluded  Tally `json:"excluded"`  // left out by a rule
	Pending   Tally `json:"pending"`   // on the way
	Parked    Tally `json:"parked"`    // waiting for a person
	Missing   Tally `json:"missing"`   // should be in the ERP and is not
	Wrong     int64 `json:"wrong"`     // documents in the ERP that are stale, doubled or of another total
	Overdue   int64 `json:"overdue"`   // of Pending: longer on the way than allowed, and nobody left it as it is
}

// Balanced says that the day adds up: Shopify's orders, and their money in every
// currency, are the sum of all the rest, nothing is missing, nothing is on the way
// for too long, and no document in the ERP is wrong.
//
// Pending orders within the time allowed and parked ones are accounted for, so
// they leave a day balanced: it is known where each is and what happens next. A
// missing order never does, even though it is counted and the sums agree.
//
// It says nothing about how far the day was checked; see [Report.Complete].
func (b Balance) Balanced() bool {
	return b.Difference().Empty() && b.Missing.Empty() && b.Wrong == 0 && b.Overdue == 0
}

// Difference is Shopify less all the rest: orders, and money in those currencies
// whose sums differ. Less than zero: the rest has more than Shopify.
func (b Balance) Difference() Tally {
	var off Tally
	off.count(b.Shopify, 1)
	for _, t := range b.parts() {
		off.count(t, -1)
	}
	off.Money = slices.DeleteFunc(off.Money, func(m Money) bool { return m.Amount.IsZero() })
	return off
}

// count takes o in, times a sign.
func (t *Tally) count(o Tally, sign int64) {
	t.Orders += sign * o.Orders
	for _, m := range o.Money {
		t.Add(m.Currency, m.Amount.Mul(decimal.NewFromInt(sign)))
	}
}

// listed is the list itself, or an empty one that JSON writes as [].
func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
