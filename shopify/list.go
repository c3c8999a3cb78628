package shopify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/shopspring/decimal"
)

const (
	pageSize     = 250    // the most that Shopify lists at once
	maxListed    = 25_000 // the most that it lists for one query
	headsByIDMax = 100
)

// OrderHead is what a light list tells of an order.
type OrderHead struct {
	ID          int64
	Name        string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	CancelledAt *time.Time
	Test        bool
	Currency    string          // of the shop
	Total       decimal.Decimal // worth now, shop money
}

// OrdersUpdated lists the orders whose updated_at is in [from, to), oldest
// first, a page at a time, and stops at the first error of page. An order that
// is updated meanwhile may come twice or, having left the window, not at all.
// Shopify's search index runs some seconds behind: let windows overlap. Windows
// with more than 25,000 orders end in ErrWindowTooLarge.
func (c *Client) OrdersUpdated(ctx context.Context, from, to time.Time, p Priority, page func([]OrderHead) error) error {
	vars := map[string]any{"query": updatedIn(from, to), "first": pageSize}
	for listed := 0; ; {
		orders, err := c.ordersPage(ctx, vars, p)
		if err != nil {
			return fmt.Errorf("listing orders updated %s: %w", vars["query"], err)
		}
		heads, err := heads(orders)
		if err != nil {
			return err
		}
		if listed += len(heads); listed > maxListed {
			return ErrWindowTooLarge
		}
		if err := page(heads); err != nil {
			return err
		}
		if !more(orders) {
			return nil
		}
		if listed >= maxListed {
			return ErrWindowTooLarge
		}
		cursor := orders.object("pageInfo").text("endCursor")
		if cursor == "" || cursor == vars["after"] {
			return errors.New("shopify: a page of orders names no cursor for the next one")
		}
		vars["after"] = cursor
	}
}

// ordersPage asks for a page, and for ever smaller ones while it is too dear.
func (c *Client) ordersPage(ctx context.Context, vars map[string]any, p Priority) (node, error) {
	for {
		data, err := c.ask(ctx, ordersPageDocument, vars, p)
		var refusal *APIError
		size := vars["first"].(int)
		if errors.As(err, &refusal) && refusal.has(codeMaxCost) && size > 1 {
			vars["first"] = size / 2
			continue
		}
		return data.object("orders"), err
	}
}

// OrdersCount counts the orders updated in [from, to). Where exact is false
// there are at least n.
func (c *Client) OrdersCount(ctx context.Context, from, to time.Time) (n int, exact bool, err error) {
	data, err := c.ask(ctx, ordersCountDocument, map[string]any{"query": updatedIn(from, to)}, Reconcile)
	if err != nil {
		return 0, false, fmt.Errorf("counting orders: %w", err)
	}
	count := data.object("ordersCount")
	if !count.has("count") {
		return 0, false, errors.New("counting orders: Shopify answered without a count")
	}
	return int(count.integer("count")), count.word("precision") == "exact", nil
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

// updatedIn is the search for a window. The times must be quoted: unquoted,
// Shopify ignores the time of day and takes the shop's zone. It knows whole
// seconds, so the window is widened to them.
func updatedIn(from, to time.Time) string {
	end := to.UTC().Truncate(time.Second)
	if end.Before(to) {
		end = end.Add(time.Second)
	}
	return fmt.Sprintf("updated_at:>='%s' AND updated_at:<'%s'",
		from.UTC().Format(time.RFC3339), end.Format(time.RFC3339))
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
		CreatedAt:   n.at("createdAt"),
		UpdatedAt:   n.at("updatedAt"),
		CancelledAt: n.atOrNil("cancelledAt"),
		Test:        n.yes("test"),
		Currency:    n.text("currencyCode"),
		Total:       n.bag("currentTotalPriceSet", "").Shop,
	}
}
