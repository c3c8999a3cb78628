package shopify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

const headsByIDMax = 100

// OrderHead is what a light list tells of an order.
type OrderHead struct {
	ID          int64
	Name        string // #1001
	Number      int64  // 1001; neither unique nor consecutive
	CreatedAt   time.Time
	UpdatedAt   time.Time
	CancelledAt *time.Time
	Test        bool
	Currency    string          // of the shop
	Total       decimal.Decimal // worth now, shop money
}

// OrdersByID reads the heads of some orders past the search index and its lag.
// Orders that Shopify does not show are left out.
func (c *Client) OrdersByID(ctx context.Context, ids []int64, p Priority) ([]OrderHead, error) {
	var all []OrderHead
	for some := range slices.Chunk(ids, headsByIDMax) {
		gids := make([]string, len(some))
		for i, id := range some {
			gids[i] = gid("Order", id)
		}
		data, err := c.ask(ctx, ordersByIDsDocument, map[string]any{"ids": gids}, p)
		if err != nil {
			return nil, fmt.Errorf("reading %d orders by id: %w", len(some), err)
		}
		found, err := heads(data)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	return all, nil
}

// heads reads the nodes of a list.
func heads(list node) ([]OrderHead, error) {
	if !list.has("nodes") {
		return nil, errors.New("shopify: the answer came without its orders")
	}
	out := each(list.objects("nodes"), head)
	for _, h := range out {
		if h.ID == 0 || h.UpdatedAt.IsZero() {
			return nil, errors.New("shopify: a listed order has no id or updatedAt")
		}
	}
	if list.faults != nil && len(*list.faults) > 0 {
		return nil, fmt.Errorf("shopify: a listed order's %s is not a number", (*list.faults)[0])
	}
	return out, nil
}

func head(n node) OrderHead {
	return OrderHead{
		ID:          n.id("id"),
		Name:        n.text("name"),
		Number:      n.integer("number"),
		CreatedAt:   n.at("createdAt"),
		UpdatedAt:   n.at("updatedAt"),
		CancelledAt: n.atOrNil("cancelledAt"),
		Test:        n.yes("test"),
		Currency:    n.text("currencyCode"),
		Total:       n.bag("currentTotalPriceSet", "").Shop,
	}
}
