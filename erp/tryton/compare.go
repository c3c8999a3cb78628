package tryton

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"
)

// heldLine is a line as Tryton holds it.
type heldLine struct {
	Product  int64           `json:"product"`
	Quantity decimal.Decimal `json:"quantity"`
	Price    numeric         `json:"unit_price"`
	Taxes    []int64         `json:"taxes"`
}

// key tells lines apart that mean something else.
func (l heldLine) key() string {
	taxes := slices.Sorted(slices.Values(l.Taxes))
	return fmt.Sprint(l.Product, l.Quantity, l.Price.StringFixed(priceDigits), taxes)
}

// sameLines says whether the sale's lines, but for rounding, are the wanted ones.
func (a *Adapter) sameLines(ctx context.Context, c conn, w wanted, s sale) (bool, error) {
	want, err := a.wantedKeys(ctx, c, w)
	if err != nil {
		return false, err
	}
	rounding, err := a.findProducts(ctx, c, []string{a.settings.Products.Rounding})
	if err != nil {
		return false, err
	}
	var held []heldLine
	r := search("sale.line", []any{[]any{"sale", "=", s.ID}, []any{"type", "=", "line"}},
		"product", "quantity", "unit_price", "taxes")
	if err := c.read(ctx, &held, r); err != nil {
		return false, err
	}
	var have []string
	for _, l := range held {
		isRounding := func(r record) bool { return r.id == l.Product }
		if !slices.ContainsFunc(rounding[a.settings.Products.Rounding], isRounding) {
			have = append(have, l.key())
		}
	}
	slices.Sort(have)
	slices.Sort(want)
	return slices.Equal(have, want), nil
}

// wantedKeys are the keys of the lines the document asks for.
func (a *Adapter) wantedKeys(ctx context.Context, c conn, w wanted) ([]string, error) {
	products, err := a.products(ctx, c, w.document)
	if err != nil {
		return nil, err
	}
	var keys []string
	for i, l := range w.Lines {
		taxes, err := a.lineTaxes(ctx, c, l)
		if err != nil {
			return nil, err
		}
		price, err := decimal.NewFromString(l.UnitPrice)
		if err != nil {
			return nil, fmt.Errorf("read a unit price: %w", err)
		}
		held := heldLine{products[i].id, decimal.NewFromInt(l.Quantity), numeric{price}, taxes}
		keys = append(keys, held.key())
	}
	return keys, nil
}
