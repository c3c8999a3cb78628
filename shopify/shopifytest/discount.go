package shopifytest

import "fmt"

// addDiscounts puts up to three discounts on an order: off single lines, off
// all goods, off the shipping.
func (g *Generator) addDiscounts(d draft) {
	if g.chance(15) {
		g.discountLine(d)
	}
	if g.chance(25) {
		g.discountGoods(d)
	}
	if len(d.ShippingLines) > 0 && g.chance(12) {
		g.discountShipping(d)
	}
}

// discountLine takes something off one line by hand or by a campaign.
func (g *Generator) discountLine(d draft) {
	l := &d.Lines[g.r.IntN(len(d.Lines))]
	if l.Product.GiftCard {
		return
	}
	disc := g.discount(d, "line_item")
	disc.Selection, disc.Method = "explicit", "each"
	if disc.Kind == "automatic" {
		disc.Selection = "entitled"
	}
	whole := l.Price.Times(l.Quantity)
	l.Discounts = append(l.Discounts, Allocation{len(d.Discounts), disc.off(whole)})
	d.Discounts = append(d.Discounts, disc)
}

// discountGoods spreads one discount over all goods by what they cost.
func (g *Generator) discountGoods(d draft) {
	weights, whole := make([]Bag, len(d.Lines)), Bag{}
	for i := range d.Lines {
		if l := &d.Lines[i]; !l.Product.GiftCard {
			weights[i] = l.net(l.Quantity)
			whole = whole.Plus(weights[i])
		}
	}
	if whole.Shop == 0 || whole.Presentment == 0 {
		return
	}
	disc := g.discount(d, "line_item")
	disc.Selection, disc.Method = "all", "across"
	for i, part := range spread(disc.off(whole), weights) {
		if weights[i].Shop > 0 {
			d.Lines[i].Discounts = append(d.Lines[i].Discounts, Allocation{len(d.Discounts), part})
		}
	}
	d.Discounts = append(d.Discounts, disc)
}

// discountShipping makes shipping cheaper or free.
func (g *Generator) discountShipping(d draft) {
	disc := g.discount(d, "shipping_line")
	disc.Selection, disc.Method, disc.Value = "all", "each", Bag{}
	disc.Percent = []int64{1000, 500}[g.r.IntN(2)]
	for i := range d.ShippingLines {
		s := &d.ShippingLines[i]
		s.Discounts = []Allocation{{len(d.Discounts), disc.off(s.Price)}}
	}
	d.Discounts = append(d.Discounts, disc)
}

func (g *Generator) discount(d draft, target string) Discount {
	disc := Discount{Target: target, Kind: pick(g.r, []string{"discount_code", "discount_code", "automatic", "manual"})}
	switch disc.Kind {
	case "discount_code":
		disc.Title = fmt.Sprintf("SAVE%d-%s", g.r.IntN(90)+10, pick(g.r, []string{"SPRING", "ÉTÉ", "VIP"}))
	case "automatic":
		disc.Title = "Buy more, pay less"
	case "manual":
		disc.Title = "Goodwill"
	}
	if g.chance(60) {
		disc.Percent = []int64{50, 100, 125, 150, 333, 1000}[g.r.IntN(6)]
	} else {
		disc.Value = g.market.price(int64(100+g.r.IntN(1400)), d.pay)
	}
	return disc
}

// off is what the discount takes off a price, never more than the price.
func (d *Discount) off(price Bag) Bag {
	if d.Percent > 0 {
		return price.Share(d.Percent, 1000)
	}
	return d.Value.atMost(price)
}
