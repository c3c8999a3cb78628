package tryton

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gapless/erp"
	"gapless/erp/erptest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func mapping(t require.TestingT, s Settings) *Adapter {
	a, err := New(s, http.DefaultClient, time.Now)
	require.NoError(t, err)
	return a
}

func mapped(t require.TestingT, s Settings, o erp.Order) document {
	b, err := mapping(t, s).Map(o)
	require.NoError(t, err)
	var d document
	require.NoError(t, json.Unmarshal(b, &d))
	return d
}

func amountOf(s string) erp.Amount { return erp.NewAmount(decimal.RequireFromString(s), 2) }

// TestMapGolden: a change here changes what every merchant's Tryton is told, and
// makes every order look changed.
func TestMapGolden(t *testing.T) {
	plain := erptest.Order("acme-1")
	guest := erptest.Sample{Ref: "acme-3", TaxesIncluded: true, NoDiscount: true}.Order()
	guest.Customer, guest.Billing = nil, nil
	extras := erptest.Sample{Ref: "acme-4", NoShipping: true, NoDiscount: true}.Order()
	extras.Tip, extras.Duties, extras.Fees = amountOf("2.50"), amountOf("11.00"), amountOf("0.80")
	extras.Lines[2].GiftCard, extras.Lines[2].SKU, extras.Lines[2].Taxes = true, "", nil
	extras.Lines[1].Taxes[0].ChannelLiable = true
	s := good()
	s.Products = Products{Tip: "TIP", Duties: "DUTIES", Fees: "FEES", GiftCard: "GIFT", ChannelTax: "CHANNEL"}
	s.Taxes = map[string]string{"VAT 10 %": "IVA reducido"}
	for name, o := range map[string]erp.Order{
		"plain": plain, "included-guest": guest, "extras": extras,
		"cancelled": erptest.Sample{Ref: "acme-2", Cancelled: true}.Order(),
	} {
		t.Run(name, func(t *testing.T) {
			b, err := mapping(t, s).Map(o)
			require.NoError(t, err)
			var pretty bytes.Buffer
			require.NoError(t, json.Indent(&pretty, append(b, '\n'), "", "  "))
			file := filepath.Join("testdata", name+".json")
			if *update {
				require.NoError(t, os.WriteFile(file, pretty.Bytes(), 0o644))
			}
			want, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, string(want), pretty.String())
		})
	}
}

func TestMapNamesTheFieldInTheWay(t *testing.T) {
	for field, spoil := range map[string]func(*erp.Order){
		"lines[1].sku": func(o *erp.Order) { o.Lines[1].SKU = " " },
		"tip":          func(o *erp.Order) { o.Tip = amountOf("1.00") },
		"duties":       func(o *erp.Order) { o.Duties = amountOf("1.00") },
		"fees":         func(o *erp.Order) { o.Fees = amountOf("1.00") },
		"channel_tax":  func(o *erp.Order) { o.Lines[0].Taxes[0].ChannelLiable = true },
	} {
		o := erptest.Order("acme-1")
		spoil(&o)
		_, err := mapping(t, good()).Map(o)
		var p *erp.Problem
		require.ErrorAs(t, err, &p)
		require.Equal(t, field, p.Field)
		require.NotEmpty(t, p.Hint)
	}
}

func TestACancelledOrderNeedsNoProducts(t *testing.T) {
	o := erptest.Sample{Ref: "acme-1", Cancelled: true}.Order()
	o.Lines[0].SKU = ""
	require.Equal(t, document{Reference: "acme-1", Cancelled: true}, mapped(t, good(), o))
}

func TestATaxThatWasNotChargedIsLeftOut(t *testing.T) {
	o := erptest.Order("acme-1")
	o.Lines[0].Taxes[0].Amount = amountOf("0.00") // an exempt customer
	d := mapped(t, good(), o)
	require.Empty(t, d.Lines[0].Taxes)
	require.NotEmpty(t, d.Lines[2].Taxes)
}

func TestFingerprintLeavesTheNoteOut(t *testing.T) {
	o := erptest.Order("acme-1")
	before := mapped(t, good(), o)
	o.Note = "another"
	after := mapped(t, good(), o)
	require.Equal(t, before.fingerprint(), after.fingerprint())
	require.NotEqual(t, before.Comment, after.Comment)
	o.Lines[0].Quantity++
	require.NotEqual(t, before.fingerprint(), mapped(t, good(), o).fingerprint())
}

// A shop that moves to another time zone has none of its sales made anew.
func TestFingerprintLeavesTheDateOut(t *testing.T) {
	o := erptest.Order("acme-1")
	before := mapped(t, good(), o)
	o.Date = "2026-11-19"
	after := mapped(t, good(), o)
	require.Equal(t, "2026-11-19", after.SaleDate)
	require.Equal(t, before.fingerprint(), after.fingerprint())
}

func TestAListWaitsForItsPaceBeforeItAsks(t *testing.T) {
	enough := errors.New("enough")
	ctx := erp.WithPace(t.Context(), func(context.Context) error { return enough })
	require.ErrorIs(t, mapping(t, good()).List(ctx, time.Now(), nil), enough)
}

// TestTotals: whatever the order, what Tryton makes of the document differs from
// Shopify's total by no more than the rounding it allows, with either of
// Tryton's ways to round taxes; and untaxed, it differs by nothing.
func TestTotals(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := anOrder(t)
		d := mapped(t, good(), o)
		most := decimal.RequireFromString(d.MaxRounding)
		for _, byLine := range []bool{false, true} {
			net, tax := trytonTotals(d, byLine)
			off := o.Total.Sub(net.Add(tax)).Abs()
			require.Truef(t, off.LessThanOrEqual(most), "off by %s, at most %s: %s", off, most, d.Total)
			if !o.TaxesIncluded {
				want := o.Total.Sub(o.TotalTax.Decimal)
				require.Truef(t, net.Equal(want), "without tax: %s, Shopify: %s", net, want)
			}
		}
	})
}

// anOrder draws an order and adds it up as Shopify does: taxes a line, rounded
// half away from zero.
func anOrder(t *rapid.T) erp.Order {
	o := erp.Order{
		Ref: "acme-1", Name: "#1", Currency: "EUR", Date: "2026-11-20",
		TaxesIncluded: rapid.Bool().Draw(t, "included"),
	}
	var total, taxes decimal.Decimal
	draw := func(name string, gross decimal.Decimal) (erp.Amount, []erp.Tax) {
		amount := erp.NewAmount(gross, 2)
		total = total.Add(amount.Decimal)
		sum := decimal.Zero
		rates := rapid.SampledFrom([][]string{{}, {"0.21"}, {"0.10"}, {"0"}, {"0.04", "0.045", "0.00375"}}).Draw(t, name)
		for _, r := range rates {
			sum = sum.Add(decimal.RequireFromString(r))
		}
		var list []erp.Tax
		for _, r := range rates {
			due := amount.Mul(decimal.RequireFromString(r))
			if o.TaxesIncluded {
				due = due.Div(sum.Add(decimal.NewFromInt(1)))
			}
			tax := erp.Tax{Title: r, Rate: decimal.RequireFromString(r), Amount: erp.NewAmount(due, 2)}
			taxes = taxes.Add(tax.Amount.Decimal)
			list = append(list, tax)
		}
		return amount, list
	}
	for range rapid.IntRange(1, 12).Draw(t, "lines") {
		price := decimal.New(rapid.Int64Range(0, 99999).Draw(t, "price"), -2)
		quantity := rapid.Int64Range(0, 300).Draw(t, "quantity")
		gross := price.Mul(decimal.NewFromInt(quantity))
		off := gross.Mul(decimal.New(rapid.Int64Range(0, 100).Draw(t, "percent off"), -2)).Round(2)
		l := erp.Line{SKU: "X", UnitPrice: erp.NewAmount(price, 2), Quantity: quantity, Discount: erp.NewAmount(off, 2)}
		l.Amount, l.Taxes = draw("line taxes", gross.Sub(off))
		o.Lines = append(o.Lines, l)
	}
	if rapid.Bool().Draw(t, "shipped") {
		amount, list := draw("shipping taxes", decimal.New(rapid.Int64Range(0, 9999).Draw(t, "shipping"), -2))
		o.Shipping = []erp.Shipping{{Amount: amount, Price: amount, Taxes: list}}
	}
	o.TotalTax = erp.NewAmount(taxes, 2)
	if !o.TaxesIncluded {
		total = total.Add(taxes)
	}
	o.Total = erp.NewAmount(total, 2)
	return o
}

// trytonTotals adds a document up as Tryton 6.0 does: amounts and taxes rounded
// half to even, taxes from unrounded lines, rounded at the end or after each line.
func trytonTotals(d document, byLine bool) (net, tax decimal.Decimal) {
	taxes := map[string]decimal.Decimal{}
	round := func() {
		for rate, sum := range taxes {
			taxes[rate] = sum.RoundBank(2)
		}
	}
	for _, l := range d.Lines {
		gross := decimal.RequireFromString(l.UnitPrice).Mul(decimal.NewFromInt(l.Quantity))
		net = net.Add(gross.RoundBank(2))
		for _, r := range l.Taxes {
			taxes[r.Rate] = taxes[r.Rate].Add(gross.Mul(decimal.RequireFromString(r.Rate)))
		}
		if byLine {
			round()
		}
	}
	round()
	for _, sum := range taxes {
		tax = tax.Add(sum)
	}
	return net, tax
}
