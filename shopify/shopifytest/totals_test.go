package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"pgregory.net/rapid"
)

var opened = time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)

// clock is a time that tests move.
type clock struct{ at time.Time }

func (c *clock) now() time.Time           { return c.at }
func (c *clock) advance(by time.Duration) { c.at = c.at.Add(by) }

func markets() []Market {
	yen := SimpleMarket("JPY", 10000, 8000)
	yen.Exchange = []Exchange{{"USD", 66}, {"KWD", 20}}
	dinar := SimpleMarket("KWD", 5000)
	dinar.Exchange = []Exchange{{"JPY", 4870000}}
	inclusive := SimpleMarket("EUR", 21000, 10000)
	inclusive.Regions[0].Included = true
	return []Market{DefaultMarket(), SimpleMarket("EUR", 21000, 10000), inclusive, yen, dinar}
}

// amounts reads decimals out of a REST body, past all code that made it.
type amounts struct {
	t   tester
	doc map[string]any
}

func read(t tester, body []byte) amounts {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var doc map[string]any
	noError(t, decoder.Decode(&doc))
	return amounts{t, doc}
}

// set is one side of a money set; zero where it is null.
func (a amounts) set(key, side string) decimal.Decimal {
	m, ok := a.doc[key].(map[string]any)
	if !ok {
		return decimal.Zero
	}
	d, err := decimal.NewFromString(m[side].(map[string]any)["amount"].(string))
	noError(a.t, err)
	return d
}

func (a amounts) list(key string) []amounts {
	var all []amounts
	for _, v := range a.doc[key].([]any) {
		all = append(all, amounts{a.t, v.(map[string]any)})
	}
	return all
}

func (a amounts) int(key string) int64 {
	n, err := a.doc[key].(json.Number).Int64()
	noError(a.t, err)
	return n
}

// checkCurrent adds up an order from its lines, with decimals, and compares
// with the sums that the body claims.
func checkCurrent(t tester, body []byte) {
	order := read(t, body)
	for _, side := range []string{"shop_money", "presentment_money"} {
		places := int32(digits(order.doc["currency"].(string)))
		if side == "presentment_money" {
			places = int32(digits(order.doc["presentment_currency"].(string)))
		}
		subtotal, tax, shipping := decimal.Zero, decimal.Zero, decimal.Zero
		for _, l := range order.list("line_items") {
			current, quantity := decimal.NewFromInt(l.int("current_quantity")), decimal.NewFromInt(l.int("quantity"))
			share := func(d decimal.Decimal) decimal.Decimal { return d.Mul(current).DivRound(quantity, 12).Round(places) }
			subtotal = subtotal.Add(l.set("price_set", side).Mul(current))
			for _, a := range l.list("discount_allocations") {
				subtotal = subtotal.Sub(share(a.set("amount_set", side)))
			}
			for _, x := range l.list("tax_lines") {
				tax = tax.Add(share(x.set("price_set", side)))
			}
		}
		for _, s := range order.list("shipping_lines") {
			now, ordered := s.set("current_discounted_price_set", side), s.set("discounted_price_set", side)
			shipping = shipping.Add(now)
			for _, x := range s.list("tax_lines") {
				if !ordered.IsZero() {
					tax = tax.Add(x.set("price_set", side).Mul(now).DivRound(ordered, 12).Round(places))
				}
			}
		}
		total := subtotal.Add(shipping).Add(order.set("current_total_duties_set", side)).Add(order.set("current_total_additional_fees_set", side))
		if !order.doc["taxes_included"].(bool) {
			total = total.Add(tax)
		}
		check(t, subtotal.Equal(order.set("current_subtotal_price_set", side)), "subtotal of %s", body)
		check(t, tax.Equal(order.set("current_total_tax_set", side)), "tax of %s", body)
		check(t, shipping.Equal(order.set("current_shipping_price_set", side)), "shipping of %s", body)
		if side == "shop_money" { // REST tells the tip in shop money only
			tip := decimal.RequireFromString(order.doc["total_tip_received"].(string))
			check(t, total.Add(tip).Equal(order.set("current_total_price_set", side)), "total of %s", body)
		}
	}
}

func TestSumsHoldThroughAllChanges(t *testing.T) {
	all := markets()
	seen := map[Action]int{}
	rapid.Check(t, func(t *rapid.T) {
		market := all[rapid.IntRange(0, len(all)-1).Draw(t, "market")]
		g := NewGenerator(rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)), market)
		c := clock{opened}
		for range 5 {
			o := g.New(c.now())
			equal(t, o.Placed, o.Current(), "totals of a new order")
			placed := o.Placed
			for step := range rapid.IntRange(1, 8).Draw(t, "changes") {
				body := encode(restBody{o: o, zone: time.UTC}.order())
				checkCurrent(t, body)
				checkPayments(t, o)
				before := *o
				change := g.Mutate(o, c.now())
				seen[change.Action]++
				equal(t, before.Version+1, o.Version, "version")
				check(t, !o.UpdatedAt.Before(before.UpdatedAt), "updated_at went back")
				equal(t, placed, o.Placed, "totals as placed")
				check(t, !bytes.Equal(body, encode(restBody{o: o, zone: time.UTC}.order())),
					"step %d: %s must show even within the same second", step, change.Action)
				c.advance(time.Duration(rapid.IntRange(0, 1).Draw(t, "seconds")) * time.Second)
			}
		}
	})
	for _, a := range []Action{DoPay, DoEdit, DoFulfil, DoRefund, DoCancel, DoTag, DoMove, DoClose} {
		check(t, seen[a] > 0, "%s was never tried", a)
	}
}

// checkPayments holds what the payments and refunds of any order obey.
func checkPayments(t tester, o *Order) {
	p := o.Payments()
	for _, side := range []func(Bag) int64{func(b Bag) int64 { return b.Shop }, func(b Bag) int64 { return b.Presentment }} {
		check(t, side(p.Net()) >= 0, "%s paid back more than it took", o.Name())
		check(t, side(o.Current().Total) >= 0, "%s: total below zero", o.Name())
		check(t, side(o.Current().Subtotal) >= 0, "%s: subtotal below zero", o.Name())
	}
	for i := range o.Lines {
		l := &o.Lines[i]
		check(t, l.Current >= 0 && l.Current <= l.Quantity, "%d of %d units", l.Current, l.Quantity)
		check(t, l.net(l.Quantity).Shop >= 0, "a line costs less than nothing")
	}
	if !o.Edited {
		checkRefundsSum(t, o)
	}
}

// checkRefundsSum: what was given back and what is left make the whole line.
func checkRefundsSum(t tester, o *Order) {
	for i := range o.Lines {
		l := &o.Lines[i]
		units, subtotal, tax := int64(0), Bag{}, Bag{}
		for _, r := range o.Refunds {
			for _, part := range r.Lines {
				if part.LineID == l.ID {
					units, subtotal, tax = units+part.Quantity, subtotal.Plus(part.Subtotal), tax.Plus(part.Tax)
				}
			}
		}
		equal(t, l.Quantity, l.Current+units, "units")
		equal(t, l.net(l.Quantity), l.net(l.Current).Plus(subtotal), "price kept and given back")
		equal(t, l.tax(l.Quantity), l.tax(l.Current).Plus(tax), "tax kept and given back")
	}
}

func TestPlacedTotalsFollowShopifysSums(t *testing.T) {
	for _, market := range markets() {
		g := NewGenerator(rand.New(rand.NewPCG(7, 7)), market)
		for range 500 {
			o := g.New(opened)
			total := o.Placed.Lines.Plus(o.Placed.Shipping).Plus(o.Tip).Plus(o.Placed.Duties).Plus(o.Fee)
			for i := range o.Discounts {
				if o.Discounts[i].Target == "line_item" {
					total = total.Minus(o.taken(i))
				}
			}
			if !o.TaxesIncluded {
				total = total.Plus(o.Placed.Tax)
			}
			equal(t, total, o.Placed.Total, "total of "+o.Name())
		}
	}
}

func TestOrdersComeInAllKinds(t *testing.T) {
	g := NewGenerator(rand.New(rand.NewPCG(1, 1)), DefaultMarket())
	seen := map[string]int{}
	note := func(name string, is bool) {
		if is {
			seen[name]++
		}
	}
	for n := range 4000 {
		o := g.New(opened)
		equal(t, fmt.Sprintf("#%d", 1001+n), o.Name(), "name")
		note("id beyond 2^53", o.ID > 1<<53)
		note("small id", o.ID < 1<<53)
		note("test", o.Test)
		note("no customer", o.Customer == nil)
		note("no address", o.Billing == nil && o.Shipping == nil)
		note("other currency", o.Presentment != o.Currency)
		note("three decimals", o.Presentment == "KWD")
		note("no decimals", o.Presentment == "JPY")
		note("taxes included", o.TaxesIncluded && !o.Placed.Tax.IsZero())
		note("taxes on top", !o.TaxesIncluded && !o.Placed.Tax.IsZero())
		note("untaxed", o.Placed.Tax.IsZero())
		note("tip", !o.Tip.IsZero())
		note("duties", !o.Placed.Duties.IsZero())
		note("fees", !o.Fee.IsZero())
		note("cash rounding", !o.Payments().PaymentRounding.IsZero())
		note("many lines", len(o.Lines) > 50)
		note("note", o.Note != "")
		note("attributes", len(o.Attributes) > 0)
		note("two discounts", len(o.Discounts) > 1)
		note("authorized", o.FinancialStatus() == "authorized")
		note("pending", o.FinancialStatus() == "pending")
		note("paid", o.FinancialStatus() == "paid")
		for _, d := range o.Discounts {
			note(d.Kind+" "+d.Target, true)
		}
		for _, l := range o.Lines {
			note("gift card", l.Product.GiftCard)
		}
	}
	for _, kind := range []string{
		"id beyond 2^53", "small id", "test", "no customer", "no address", "other currency", "three decimals", "no decimals",
		"taxes included", "taxes on top", "untaxed", "tip", "duties", "fees", "cash rounding", "many lines", "note", "attributes",
		"two discounts", "authorized", "pending", "paid", "gift card", "discount_code line_item", "automatic line_item",
		"manual line_item", "discount_code shipping_line",
	} {
		check(t, seen[kind] > 0, "no order of kind %q", kind)
	}
}

func TestSimpleMarketKeepsToItsCurrencyAndTaxes(t *testing.T) {
	g := NewGenerator(rand.New(rand.NewPCG(1, 1)), SimpleMarket("EUR", 21000, 10000))
	for range 300 {
		o := g.New(opened)
		equal(t, "EUR", o.Currency, "currency")
		equal(t, "EUR", o.Presentment, "presentment")
		for _, l := range o.Lines {
			check(t, len(l.Taxes) <= 1, "%d taxes", len(l.Taxes))
			for _, tax := range l.Taxes {
				check(t, tax.Rate == 21000 || tax.Rate == 10000, "rate %d", tax.Rate)
			}
		}
	}
}

func TestOneSeedGivesTheSameBytes(t *testing.T) {
	play := func(seed uint64) []byte {
		c := &clock{opened}
		s := New(Options{Seed: seed, Now: c.now})
		var all bytes.Buffer
		for range 300 {
			s.Act()
			c.advance(time.Second)
		}
		for _, o := range s.Orders() {
			all.Write(s.REST(o.ID))
		}
		return all.Bytes()
	}
	check(t, bytes.Equal(play(5), play(5)), "one seed, two histories")
	check(t, !bytes.Equal(play(5), play(6)), "two seeds, one history")
}

func TestSpreadSumsAndNeverExceedsAWeight(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), 1, 40).Draw(t, "weights")
		sum := int64(0)
		for _, w := range weights {
			sum += w
		}
		total := rapid.Int64Range(0, sum).Draw(t, "total")
		got := int64(0)
		for i, p := range spreadMinor(total, weights) {
			check(t, p >= 0 && p <= weights[i], "part %d of weight %d", p, weights[i])
			got += p
		}
		equal(t, total, got, "sum of parts")
	})
}

func TestMoneyIsWrittenAsShopifyWritesIt(t *testing.T) {
	for _, c := range []struct {
		minor        int64
		currency     string
		rest, graphQ string
	}{
		{2000, "USD", "20.00", "20.0"}, {5, "USD", "0.05", "0.05"}, {-105, "EUR", "-1.05", "-1.05"}, {0, "USD", "0.00", "0.0"},
		{1500, "JPY", "1500", "1500.0"}, {1250, "KWD", "1.250", "1.25"}, {7, "BHD", "0.007", "0.007"},
	} {
		equal(t, c.rest, fixed(c.minor, c.currency), "REST")
		equal(t, c.graphQ, short(c.minor, c.currency), "GraphQL")
	}
}

func BenchmarkNewOrder(b *testing.B) {
	g := NewGenerator(rand.New(rand.NewPCG(1, 1)), DefaultMarket())
	for b.Loop() {
		g.New(opened)
	}
}

func BenchmarkREST(b *testing.B) {
	s := New(Options{Now: func() time.Time { return opened }})
	id := s.Create()
	for b.Loop() {
		s.REST(id)
	}
}
