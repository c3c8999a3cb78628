package tryton

import (
	"context"
	"fmt"
	"strings"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// values are the fields of a record to be written, by Tryton's names.
type values = map[string]any

// lines are the sale's lines with Tryton's ids.
func (a *Adapter) lines(ctx context.Context, c conn, d document) ([]values, error) {
	products, err := a.products(ctx, c, d)
	if err != nil {
		return nil, err
	}
	made := make([]values, len(d.Lines))
	for i, l := range d.Lines {
		taxes, err := a.lineTaxes(ctx, c, l)
		if err != nil {
			return nil, err
		}
		price, err := decimal.NewFromString(l.UnitPrice)
		if err != nil {
			return nil, fmt.Errorf("read a unit price: %w", err)
		}
		made[i] = saleLine(i, products[i], l.Description, l.Quantity, price, taxes)
	}
	return made, nil
}

func saleLine(at int, product record, description string, quantity int64, price decimal.Decimal, taxes []int64) values {
	return values{
		"type": "line", "sequence": at + 1, "product": product.id, "unit": product.unit,
		"description": description, "quantity": quantity, "unit_price": numeric{price},
		"taxes": []any{[]any{"add", append([]int64{}, taxes...)}}, // never null
	}
}

// products finds the product of each line, asking Tryton once for all.
func (a *Adapter) products(ctx context.Context, c conn, d document) ([]record, error) {
	var codes []string
	for _, l := range d.Lines {
		codes = append(codes, l.Product)
		if l.StandIn != "" {
			codes = append(codes, l.StandIn)
		}
	}
	found, err := a.findProducts(ctx, c, codes)
	if err != nil {
		return nil, err
	}
	made := make([]record, len(d.Lines))
	for i, l := range d.Lines {
		code := l.Product
		if len(found[code]) == 0 && l.StandIn != "" {
			code = l.StandIn
		}
		switch len(found[code]) {
		case 1:
			made[i] = found[code][0]
		case 0:
			return nil, unknownProduct(code, l.Field)
		default:
			return nil, &erp.Problem{
				Reason: fmt.Sprintf("Tryton has %d products with the code %q", len(found[code]), code), Field: l.Field,
				Hint: "give each product in Tryton a code of its own",
			}
		}
	}
	return made, nil
}

func unknownProduct(code, field string) error {
	hint := fmt.Sprintf("create a salable product with the code %q in Tryton", code)
	if strings.HasSuffix(field, ".sku") {
		hint += ", or set fallback_product"
	}
	return &erp.Problem{
		Reason: fmt.Sprintf("Tryton has no product with the code %q", code), Field: field, Hint: hint,
	}
}

// findProducts maps each code to the active products that bear it. Codes are
// not unique in Tryton.
func (a *Adapter) findProducts(ctx context.Context, c conn, codes []string) (map[string][]record, error) {
	found := map[string][]record{}
	var unknown []string
	for _, code := range codes {
		if r, known := a.known.get("product " + code); known {
			found[code] = []record{r}
		} else {
			unknown = append(unknown, code)
		}
	}
	if len(unknown) == 0 {
		return found, nil
	}
	var rows []struct {
		ID   int64  `json:"id"`
		Code string `json:"code"`
		Unit int64  `json:"sale_uom"`
	}
	err := c.read(ctx, &rows, search("product.product", []any{[]any{"code", "in", unknown}}, "code", "sale_uom"))
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		found[row.Code] = append(found[row.Code], record{row.ID, row.Unit})
	}
	for _, code := range unknown {
		if len(found[code]) == 1 {
			a.known.put("product "+code, found[code][0])
		}
	}
	return found, nil
}

// search reads the fields of all records in domain, oldest first.
func search(model string, domain []any, fields ...string) request {
	return ask("model."+model+".search_read", domain, 0, nil, []any{[]any{"id", "ASC"}}, fields)
}

// lineTaxes finds the taxes of a line. Two that lead to one tax of Tryton would
// be charged once.
func (a *Adapter) lineTaxes(ctx context.Context, c conn, l docLine) ([]int64, error) {
	ids, seen := []int64{}, map[int64]bool{}
	owner, _, _ := strings.Cut(l.Field, ".") // "lines[2]" of "lines[2].sku"
	for _, ref := range l.Taxes {
		id, err := a.tax(ctx, c, ref, owner+".taxes")
		if err != nil {
			return nil, err
		}
		if seen[id] {
			return nil, &erp.Problem{
				Reason: "two taxes of one line lead to the same tax in Tryton", Field: owner + ".taxes",
				Hint: "name a Tryton tax for each of their titles in the taxes setting",
			}
		}
		if id != 0 {
			ids, seen[id] = append(ids, id), true
		}
	}
	return ids, nil
}

// tax finds the tax; 0 where a rate of nothing has none and needs none.
func (a *Adapter) tax(ctx context.Context, c conn, ref taxRef, field string) (int64, error) {
	key := "tax " + ref.Name + " " + ref.Rate
	if r, known := a.known.get(key); known {
		return r.id, nil
	}
	matching, err := a.matchingTaxes(ctx, c, ref)
	if err != nil {
		return 0, err
	}
	if len(matching) == 1 {
		a.known.put(key, record{id: matching[0]})
		return matching[0], nil
	}
	if rate, err := decimal.NewFromString(ref.Rate); err == nil && rate.IsZero() {
		return 0, nil
	}
	return 0, ambiguousTax(ref, len(matching), field)
}

func ambiguousTax(ref taxRef, count int, field string) error {
	what := fmt.Sprintf("called %q", ref.Name)
	if ref.Name == "" {
		what = "at the rate " + ref.Rate
	}
	p := &erp.Problem{
		Reason: fmt.Sprintf("Tryton has no tax on sales %s", what), Field: field,
		Hint: fmt.Sprintf("create it, or set taxes.%q to the name of one", ref.Title),
	}
	if count > 1 {
		p.Reason = fmt.Sprintf("Tryton has %d taxes on sales %s", count, what)
		p.Hint = fmt.Sprintf("set taxes.%q to the name of the right one, which no other tax may bear", ref.Title)
	}
	return p
}

// matchingTaxes are the company's taxes on sales with that name or rate.
func (a *Adapter) matchingTaxes(ctx context.Context, c conn, ref taxRef) ([]int64, error) {
	s, err := c.open(ctx)
	if err != nil {
		return nil, err
	}
	domain := []any{
		[]any{"parent", "=", nil}, []any{"company", "=", s.context["company"]},
		[]any{"OR", []any{[]any{"group", "=", nil}}, []any{[]any{"group.kind", "in", []string{"sale", "both"}}}},
	}
	if ref.Name != "" {
		domain = append(domain, []any{"name", "=", ref.Name})
	} else {
		rate, err := decimal.NewFromString(ref.Rate)
		if err != nil {
			return nil, fmt.Errorf("read a tax rate: %w", err)
		}
		domain = append(domain, []any{"type", "=", "percentage"}, []any{"rate", "=", numeric{rate}})
	}
	var rows []struct {
		ID int64 `json:"id"`
	}
	if err := c.read(ctx, &rows, search("account.tax", domain)); err != nil {
		return nil, err
	}
	var ids []int64
	for _, r := range rows {
		ids = append(ids, r.ID)
	}
	return ids, nil
}

// find returns the id of the one record of model whose field has the value;
// false where there is none.
func (a *Adapter) find(ctx context.Context, c conn, model, field, value string) (int64, bool, error) {
	key := model + " " + value
	if r, known := a.known.get(key); known {
		return r.id, true, nil
	}
	var rows []struct {
		ID int64 `json:"id"`
	}
	if err := c.read(ctx, &rows, search(model, []any{[]any{field, "=", value}})); err != nil || len(rows) == 0 {
		return 0, false, err
	}
	a.known.put(key, record{id: rows[0].ID})
	return rows[0].ID, true, nil
}

// currency finds the currency of the order.
func (a *Adapter) currency(ctx context.Context, c conn, code string) (int64, error) {
	id, found, err := a.find(ctx, c, "currency.currency", "code", code)
	if err == nil && !found {
		err = &erp.Problem{
			Reason: "Tryton has no currency " + code, Field: "currency",
			Hint: "create the currency in Tryton, with its rate",
		}
	}
	return id, err
}
