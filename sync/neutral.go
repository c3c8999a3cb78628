package ordersync

import (
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
)

// ref is the reference an order carries in every ERP.
func ref(shop string, id int64) string { return store.OrderKey{Shop: shop, ID: id}.Ref() }

// neutral turns a Shopify order into the neutral one. The parts must come to
// Shopify's own total; if they don't, the order is wrong in some way nobody has
// foreseen, and the *erp.Problem names the difference instead of booking it.
func neutral(shop string, o *shopify.Order) (erp.Order, error) {
	digits := finest(o, erp.Digits(o.Currency))
	sums := moneyIn(o, func(b shopify.Bag) decimal.Decimal { return b.Shop }, digits)
	rounding, err := sums.balance(o, o.Currency)
	if err != nil {
		return erp.Order{}, err
	}
	amount := func(d decimal.Decimal) erp.Amount { return erp.NewAmount(d, digits) }
	n := erp.Order{
		Ref: ref(shop, o.ID), Shop: shop, ID: o.ID, Name: o.Name, Number: o.Number,
		CreatedAt: o.CreatedAt, ProcessedAt: o.ProcessedAt, UpdatedAt: o.UpdatedAt,
		CancelledAt: o.CancelledAt, CancelReason: o.CancelReason, Test: o.Test,

		Currency: o.Currency, Total: amount(sums.total), TotalOrdered: amount(o.Total.Shop),
		Subtotal: amount(sums.subtotal()), TotalShipping: amount(sums.shippingTotal()), TotalDiscount: amount(sums.discount()),
		TotalTax: amount(sums.tax), TaxesIncluded: o.TaxesIncluded,
		Duties: amount(sums.duties), Fees: amount(sums.fees), Tip: amount(sums.tip), Rounding: amount(rounding),
		CashRounding: amount(o.PaymentRounding.Shop.Sub(o.RefundRounding.Shop)),
		Paid:         amount(o.CurrentTotal.Shop.Sub(o.Outstanding)), Outstanding: amount(o.Outstanding),

		FinancialStatus: o.FinancialStatus, FulfillmentStatus: o.FulfillmentStatus, Source: o.SourceName, PONumber: o.PONumber,
		Customer: (*erp.Customer)(o.Customer), Email: o.Email, Phone: o.Phone,
		Billing: address(o.Billing), ShippingTo: address(o.Shipping),
		Note: o.Note, Tags: append([]string{}, o.Tags...), Attributes: attributes(o.Attributes),
	}
	n.Lines = lines(o, sums, digits)
	n.Shipping = shippingLines(o, sums, digits)
	n.Discounts = discounts(o, sums, digits)
	n.Taxes = taxTotals(n)
	n.Refunds = refunds(o, digits)
	n.Payments = payments(o, n.Paid)
	presentIn(&n, o)
	return n, nil
}

// neutralIn is neutral with the day that the order belongs to by the shop's clock.
func neutralIn(zone *time.Location, shop string, o *shopify.Order) (erp.Order, error) {
	n, err := neutral(shop, o)
	at := o.ProcessedAt
	if at.IsZero() {
		at = o.CreatedAt
	}
	n.Date = at.In(zone).Format(time.DateOnly)
	return n, err
}

// finest is the currency's number of digits, or more where Shopify itself tells
// totals more finely.
func finest(o *shopify.Order, digits int32) int32 {
	for _, d := range []decimal.Decimal{o.CurrentTotal.Shop, o.Total.Shop, o.CurrentTax.Shop, o.CurrentSubtotal.Shop} {
		for digits < 6 && !d.Equal(d.Truncate(digits)) {
			digits++
		}
	}
	return digits
}

func lines(o *shopify.Order, sums money, digits int32) []erp.Line {
	amount := func(d decimal.Decimal) erp.Amount { return erp.NewAmount(d, digits) }
	all := make([]erp.Line, 0, len(o.Lines))
	for i, l := range o.Lines {
		m := sums.lines[i]
		all = append(all, erp.Line{
			ID: l.ID, SKU: l.SKU, Title: l.Title, Variant: l.VariantTitle, Vendor: l.Vendor,
			Quantity: l.CurrentQuantity, Ordered: l.Quantity,
			UnitPrice: erp.NewAmount(l.Price.Shop, max(digits, -l.Price.Shop.Exponent())),
			Discount:  amount(m.discount), Amount: amount(m.amount), Tax: amount(m.taxTotal()), Taxes: taxes(l.Taxes, m.taxes, digits),
			GiftCard: l.GiftCard, Taxable: l.Taxable, RequiresShipping: l.RequiresShipping, Attributes: attributes(l.Attributes),
		})
	}
	return all
}

func shippingLines(o *shopify.Order, sums money, digits int32) []erp.Shipping {
	all := make([]erp.Shipping, 0, len(o.ShippingLines))
	for i, l := range o.ShippingLines {
		m := sums.shipping[i]
		if l.Removed && m.amount.IsZero() {
			continue
		}
		all = append(all, erp.Shipping{
			ID: l.ID, Title: l.Title, Code: l.Code,
			Price: erp.NewAmount(m.amount.Add(m.discount), digits), Discount: erp.NewAmount(m.discount, digits), Amount: erp.NewAmount(m.amount, digits),
			Tax: erp.NewAmount(m.taxTotal(), digits), Taxes: taxes(l.Taxes, m.taxes, digits),
		})
	}
	return all
}

func taxes(told []shopify.TaxLine, amounts []decimal.Decimal, digits int32) []erp.Tax {
	all := make([]erp.Tax, len(told))
	for i, t := range told {
		all[i] = erp.Tax{Title: t.Title, Rate: t.Rate, Amount: erp.NewAmount(amounts[i], digits), ChannelLiable: t.ChannelLiable}
	}
	return all
}

// taxTotals sums the taxes of lines and shipping, in the order they first appear.
func taxTotals(n erp.Order) []erp.Tax {
	type kind struct {
		title, rate string
		channel     bool
	}
	at := map[kind]int{}
	all := []erp.Tax{}
	add := func(taxes []erp.Tax) {
		for _, t := range taxes {
			k := kind{t.Title, t.Rate.String(), t.ChannelLiable}
			i, seen := at[k]
			if !seen {
				at[k] = len(all)
				all = append(all, t)
				continue
			}
			all[i].Amount = erp.NewAmount(all[i].Amount.Add(t.Amount.Decimal), -t.Amount.Exponent())
		}
	}
	for _, l := range n.Lines {
		add(l.Taxes)
	}
	for _, s := range n.Shipping {
		add(s.Taxes)
	}
	return all
}

func discounts(o *shopify.Order, sums money, digits int32) []erp.Discount {
	all := make([]erp.Discount, len(o.Discounts))
	for i, d := range o.Discounts {
		all[i] = erp.Discount{Title: d.Title, Code: d.Code, Kind: d.Kind, Amount: erp.NewAmount(sums.byDiscount[i], digits)}
		if d.Code != "" {
			all[i].Title = d.Code
		}
	}
	return all
}

func refunds(o *shopify.Order, digits int32) []erp.Refund {
	amount := func(d decimal.Decimal) erp.Amount { return erp.NewAmount(d, digits) }
	all := make([]erp.Refund, len(o.Refunds))
	for i, r := range o.Refunds {
		all[i] = erp.Refund{ID: r.ID, CreatedAt: r.CreatedAt, Note: r.Note, Amount: amount(r.Amount.Shop), Shipping: amount(r.Shipping.Shop), Lines: []erp.RefundLine{}}
		for _, l := range r.Lines {
			all[i].Lines = append(all[i].Lines, erp.RefundLine{LineID: l.LineID, Quantity: l.Quantity, Amount: amount(l.Subtotal.Shop), Tax: amount(l.Tax.Shop), Restock: l.Restock})
		}
	}
	return all
}

func payments(o *shopify.Order, paid erp.Amount) []erp.Payment {
	all := make([]erp.Payment, len(o.Gateways))
	for i, g := range o.Gateways {
		all[i].Gateway = g
	}
	if len(all) == 1 {
		all[0].Amount = &paid
	}
	return all
}

// presentIn adds the customer's money where it is another currency. It is for
// information: where its parts don't add up it is left out rather than the
// order parked.
func presentIn(n *erp.Order, o *shopify.Order) {
	if o.PresentmentCurrency == "" || o.PresentmentCurrency == o.Currency {
		return
	}
	digits := erp.Digits(o.PresentmentCurrency)
	sums := moneyIn(o, func(b shopify.Bag) decimal.Decimal { return b.Presentment }, digits)
	sums.tip = decimal.Zero // told in shop money only
	amount := func(d decimal.Decimal) erp.Amount { return erp.NewAmount(d, digits) }
	n.Presentment = &erp.Presentment{Currency: o.PresentmentCurrency, Total: amount(sums.total), TotalTax: amount(sums.tax), TotalShipping: amount(sums.shippingTotal())}
	for i := range n.Lines {
		m := sums.lines[i]
		n.Lines[i].Presentment = &erp.LinePresentment{
			UnitPrice: amount(o.Lines[i].Price.Presentment), Discount: amount(m.discount), Amount: amount(m.amount), Tax: amount(m.taxTotal()),
		}
	}
}

func address(a *shopify.Address) *erp.Address {
	if a == nil {
		return nil
	}
	return &erp.Address{
		Name: a.Name, FirstName: a.FirstName, LastName: a.LastName, Company: a.Company, Address1: a.Address1, Address2: a.Address2,
		City: a.City, Zip: a.Zip, Province: a.Province, ProvinceCode: a.ProvinceCode, Country: a.Country, CountryCode: a.CountryCode, Phone: a.Phone,
	}
}

func attributes(told []shopify.Attribute) []erp.Attribute {
	all := make([]erp.Attribute, len(told))
	for i, a := range told {
		all[i] = erp.Attribute(a)
	}
	return all
}
