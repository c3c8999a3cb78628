package tryton

import (
	"context"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// heldLines are the lines of sales, by the sale's id, without those that only
// structure a document: titles, subtotals, comments.
func (a *Adapter) heldLines(ctx context.Context, c conn, sales []sale) (map[int64][]erp.FoundLine, error) {
	ids := make([]int64, len(sales))
	lines := make(map[int64][]erp.FoundLine, len(sales))
	for i, s := range sales {
		ids[i], lines[s.ID] = s.ID, []erp.FoundLine{}
	}
	var rows []struct {
		Sale        int64           `json:"sale"`
		Code        productCode     `json:"product."`
		Description string          `json:"description"`
		Quantity    decimal.Decimal `json:"quantity"`
		Amount      numeric         `json:"amount"`
		Currency    struct {
			Digits int32 `json:"digits"`
		} `json:"currency."`
	}
	domain := []any{[]any{"sale", "in", ids}, []any{"type", "=", "line"}}
	if err := c.read(ctx, &rows, search("sale.line", domain, "sale", "product.code", "description", "quantity", "amount", "currency.digits")); err != nil {
		return nil, err
	}
	for _, r := range rows {
		amount := erp.NewAmount(r.Amount.Decimal, r.Currency.Digits)
		lines[r.Sale] = append(lines[r.Sale], erp.FoundLine{
			SKU: r.Code.Code, Title: r.Description, Quantity: r.Quantity, Amount: &amount, Extra: a.extra(r.Code.Code),
		})
	}
	return lines, nil
}

// productCode is empty where a line names no product.
type productCode struct {
	Code string `json:"code"`
}

// extra says that the product stands for an amount and not for an article.
func (a *Adapter) extra(code string) bool {
	p := a.settings.Products
	switch code {
	case "":
		return false
	case p.Discount, p.Rounding, p.Tip, p.Duties, p.Fees, p.ChannelTax:
		return true
	}
	return false
}
