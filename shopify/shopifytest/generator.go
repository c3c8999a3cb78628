package shopifytest

import (
	"fmt"
	"math/rand/v2"
	"time"
)

// Generator invents orders and changes to them. It holds no clock and no other
// randomness than its own: one seed, one market and the same calls give the
// same orders to the byte. It is not safe for concurrent use.
type Generator struct {
	r      *rand.Rand
	market Market
	lastID int64
	number int64
}

// firstNumber makes the first order "#1001", as in a new shop.
const firstNumber = 1001

// NewGenerator returns a generator of orders in the market.
func NewGenerator(r *rand.Rand, m Market) *Generator {
	return &Generator{r: r, market: m, number: firstNumber}
}

// draft is an order in the making, with what its later steps need to know.
type draft struct {
	*Order
	region *Region
	pay    *Exchange // nil: the shop's currency
	till   bool      // sold over the counter
}

// New places an order at the given instant.
func (g *Generator) New(at time.Time) *Order {
	at = at.UTC().Truncate(time.Second)
	d := draft{Order: &Order{
		ID: g.orderID(), Number: g.number, CreatedAt: at, ProcessedAt: at, UpdatedAt: at,
		Currency: g.market.Currency, Presentment: g.market.Currency,
		Source: "web", Version: 1, Test: g.chance(2),
	}}
	g.number++
	d.region = &g.market.Regions[g.r.IntN(len(g.market.Regions))]
	d.TaxesIncluded, d.Locale = d.region.Included, d.region.Locale
	if n := len(g.market.Exchange); n > 0 && g.chance(25) {
		d.pay = &g.market.Exchange[g.r.IntN(n)]
		d.Presentment = d.pay.Currency
	}
	switch {
	case g.chance(8):
		d.till, d.Source = true, "pos"
	case g.chance(4):
		d.Source = "shopify_draft_order"
	}
	g.addLines(d)
	g.addShipping(d)
	g.addDiscounts(d)
	g.addTaxes(d)
	g.addExtras(d)
	g.addPeople(d)
	g.addWords(d)
	d.Placed = d.Current()
	g.addPayment(d)
	return d.Order
}

// chance is true in percent of all cases.
func (g *Generator) chance(percent int) bool { return g.r.IntN(100) < percent }

// id hands out numbers with gaps, as a shop among many sees them.
func (g *Generator) id() int64 {
	g.lastID += 1 + int64(g.r.IntN(97))
	return 5_000_000_000_000 + g.lastID
}

// orderID is past 2^53 for every fourth order, so that a reader that takes ids
// for floats is found out.
func (g *Generator) orderID() int64 {
	id := g.id()
	if g.chance(25) {
		id += 820_000_000_000_000_000 | 1
	}
	return id
}

func (g *Generator) addLines(d draft) {
	n := 1 + g.r.IntN(4)
	switch g.r.IntN(400) {
	case 0:
		n = 51 + g.r.IntN(70) // needs follow-up pages
	case 1, 2, 3, 4, 5, 6, 7, 8:
		n = 8 + g.r.IntN(20)
	}
	for range n {
		d.Lines = append(d.Lines, g.line(d.pay))
	}
}

func (g *Generator) line(pay *Exchange) Line {
	p := &g.market.Catalog[g.r.IntN(len(g.market.Catalog))]
	quantity := int64(1)
	if g.chance(35) {
		quantity += int64(g.r.IntN(6))
	}
	l := Line{ID: g.id(), Product: p, Quantity: quantity, Current: quantity, Price: g.market.price(p.Price, pay)}
	if g.chance(6) {
		l.Notes = []Attribute{{"Engraving", pick(g.r, words)}, {"_bundle", fmt.Sprint(g.r.IntN(9))}}
	}
	return l
}

func (g *Generator) addShipping(d draft) {
	heavy := false
	for i := range d.Lines {
		heavy = heavy || !d.Lines[i].Product.GiftCard
	}
	if d.till || !heavy {
		return
	}
	n := 1
	if g.chance(5) {
		n = 2
	}
	for range n {
		rate := shippingRates[g.r.IntN(len(shippingRates))]
		d.ShippingLines = append(d.ShippingLines, ShippingLine{
			ID: g.id(), Title: rate.title, Code: rate.code, Price: g.market.price(rate.price, d.pay),
		})
	}
}

// addTaxes taxes goods and shipping at their discounted prices. Gift cards are
// money, and money is not taxed.
func (g *Generator) addTaxes(d draft) {
	for i := range d.Lines {
		g.taxLine(d.region, &d.Lines[i])
	}
	for i := range d.ShippingLines {
		s := &d.ShippingLines[i]
		s.Taxes = taxesOn(d.region, 0, s.discounted())
	}
}

func (g *Generator) taxLine(region *Region, l *Line) {
	if l.Product.GiftCard {
		return
	}
	for i := range g.market.Catalog {
		if &g.market.Catalog[i] == l.Product {
			l.Taxes = taxesOn(region, i, l.net(l.Quantity))
		}
	}
}

// taxesOn reckons every tax of a class of goods on a price. A tax that the
// price includes is the part that its rate has in price and all taxes together.
func taxesOn(region *Region, class int, price Bag) []Tax {
	if len(region.Sets) == 0 {
		return nil
	}
	rates := region.Sets[class%len(region.Sets)]
	whole := int64(100_000)
	if region.Included {
		for _, r := range rates {
			whole += r.Rate
		}
	}
	taxes := make([]Tax, len(rates))
	for i, r := range rates {
		taxes[i] = Tax{TaxRate: r, Amount: price.Share(r.Rate, whole)}
	}
	return taxes
}

// addExtras adds what few orders have: duties, fees, a tip.
func (g *Generator) addExtras(d draft) {
	if d.region.Place.CountryCode != "US" && !d.till && g.chance(8) {
		d.DutiesIncluded = g.chance(30)
		for i := range d.Lines {
			if l := &d.Lines[i]; !l.Product.GiftCard {
				l.DutyID, l.Duty = g.id(), l.net(l.Quantity).Share(int64(20+g.r.IntN(100)), 1000)
			}
		}
	}
	if g.chance(4) {
		d.Fee, d.FeeName = g.market.price(int64(50+g.r.IntN(400)), d.pay), "Packaging fee"
	}
	if g.chance(8) {
		d.Tip = g.market.price(int64(100+g.r.IntN(900)), d.pay)
	}
}

// addPayment pays the order, reserves the money, or leaves it for later.
func (g *Generator) addPayment(d draft) {
	switch {
	case d.Placed.Total.Shop == 0:
	case d.till:
		g.payAll(d.Order, d.CreatedAt, pick(g.r, []string{"cash", "shopify_payments"}))
	case g.chance(70):
		g.payAll(d.Order, d.CreatedAt, pick(g.r, gateways))
	case g.chance(50):
		d.Transactions = append(d.Transactions, Transaction{
			ID: g.id(), Kind: "authorization", Status: "success", Gateway: "shopify_payments",
			At: d.CreatedAt, Amount: d.Placed.Total,
		})
	}
}
