package tryton

import (
	"context"
	"fmt"
	"slices"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// step is what a delivery has to do.
type step int

const (
	nothing step = iota
	advance      // the content is right, the state is not
	restamp      // only note or version differ
	rewrite      // the content differs and the sale may still be edited
	replace      // the content differs and the sale was processed
	create       // there is no sale
)

func (s step) result() erp.Result {
	switch s {
	case nothing:
		return erp.Unchanged
	case create:
		return erp.Created
	}
	return erp.Updated
}

// decide finds the step, and the sale to take it on. It only reads.
func (a *Adapter) decide(ctx context.Context, c conn, w wanted, rows []sale, live *sale) (step, *sale, error) {
	if live == nil {
		for i, s := range rows {
			if s.State == stateCancelled { // by a person, or Shopify brought the order back
				return rewrite, &rows[i], nil
			}
		}
		if w.exists && len(rows) == 0 {
			return 0, nil, &failure{result: erp.Unknown, reason: "the sale that was in Tryton is gone"}
		}
		return create, nil, nil
	}
	same, err := a.sameContent(ctx, c, w, *live)
	if err != nil {
		return 0, nil, err
	}
	_, m := readComment(live.Comment)
	switch {
	case !same && live.reached(stateProcessing):
		return replace, live, nil
	case !same:
		return rewrite, live, nil
	case m != w.mark():
		return restamp, live, nil
	case !live.reached(target(a.settings.State, len(w.Lines))):
		return advance, live, nil
	}
	return nothing, live, nil
}

// sameContent compares by total and fingerprint and, where somebody removed
// our mark from the comment, line by line.
func (a *Adapter) sameContent(ctx context.Context, c conn, w wanted, s sale) (bool, error) {
	total, err := decimal.NewFromString(w.Total)
	if err != nil {
		return false, fmt.Errorf("read the total: %w", err)
	}
	if !total.Equal(s.Total.Decimal) || w.Currency != s.Currency.Code {
		return false, nil
	}
	if _, m := readComment(s.Comment); m.fingerprint != "" {
		return m.fingerprint == w.fingerprint(), nil
	}
	return a.sameLines(ctx, c, w, s)
}

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
