package shopify

import (
	"context"
	"errors"
	"fmt"
)

const (
	pageSize     = 250    // the most that Shopify lists at once
	maxListed    = 25_000 // the most that it lists for one query
	maxIdlePages = 5      // pages in a row that bring nothing new, though more are announced
)

// Orders lists the heads of a window's orders by ascending id, each once, a page
// at a time, and stops at the first error of page. Changes meanwhile move no
// order in the list; they may take it out of the window or into it, and
// Shopify's search index runs some seconds behind: let windows overlap. A field
// that Shopify withholds is an error that names it, a Partial *APIError: a head
// with a hole could be taken for an order without worth.
func (c *Client) Orders(ctx context.Context, w Window, p Priority, page func([]OrderHead) error) error {
	l := &listing{client: c, search: w.search(), priority: p, size: pageSize}
	for {
		orders, err := l.ask(ctx)
		if err != nil {
			return fmt.Errorf("listing orders %s: %w", l.search, err)
		}
		fresh, err := l.fresh(orders)
		if err != nil {
			return err
		}
		if len(fresh) > 0 {
			if err := page(fresh); err != nil {
				return err
			}
		}
		if l.listed >= maxListed {
			continue // whatever the page says: only this query ends here
		}
		if !more(orders) {
			return nil
		}
		if err := l.advance(orders, len(fresh) > 0); err != nil {
			return err
		}
	}
}

// listing is how far Orders has come.
type listing struct {
	client   *Client
	search   string
	priority Priority
	size     int // of the next page

	after  string         // cursor; empty on the first page of a query
	floor  int64          // the query lists ids from here on; 0: all
	listed int            // by this query
	last   int64          // the highest id so far
	page   map[int64]bool // the ids of the last page
	idle   int            // pages in a row that brought nothing
}

// ask asks for a page, and for ever smaller ones while it is too dear.
func (l *listing) ask(ctx context.Context) (node, error) {
	for {
		data, err := l.client.ask(ctx, ordersPageDocument, l.vars(), l.priority)
		var refusal *APIError
		if errors.As(err, &refusal) && refusal.has(codeMaxCost) && l.size > 1 {
			l.size /= 2
			continue
		}
		return data.object("orders"), err
	}
}

// vars asks for the next page. One query lists so many orders and no more, so
// the rest is listed by a new one from the next id on. Shopify's search has a
// filter for a range of ids (`id:>=1234`), see the argument query in
// https://shopify.dev/docs/api/admin-graphql/2026-10/queries/orders.
func (l *listing) vars() map[string]any {
	if l.listed+l.size > maxListed {
		l.after, l.listed, l.floor = "", 0, l.last+1
	}
	vars := map[string]any{"query": l.search, "first": l.size}
	if l.floor > 0 {
		vars["query"] = fmt.Sprintf("%s AND id:>=%d", l.search, l.floor)
	}
	if l.after != "" {
		vars["after"] = l.after
	}
	return vars
}

// fresh reads a page and leaves out what the page before told. Ids must ascend:
// a list in any other order could skip orders and nobody would see it.
func (l *listing) fresh(orders node) ([]OrderHead, error) {
	all, err := heads(orders)
	if err != nil {
		return nil, err
	}
	l.listed += len(all)
	var fresh []OrderHead
	before, page := l.page, map[int64]bool{}
	for _, h := range all {
		switch {
		case h.ID > l.last:
			l.last = h.ID
			fresh = append(fresh, h)
		case !before[h.ID] && !page[h.ID]:
			return nil, fmt.Errorf("shopify: the list of orders goes back from id %d to %d, so it may not be whole", l.last, h.ID)
		}
		page[h.ID] = true
	}
	if len(fresh) > 0 {
		l.page = page
	}
	return fresh, nil
}

// advance goes behind a page. One without anything new is passed over, or asked
// for again where it names no place to go on from.
func (l *listing) advance(orders node, progress bool) error {
	cursor := orders.object("pageInfo").text("endCursor")
	if progress {
		if cursor == "" || cursor == l.after {
			return errors.New("shopify: a page of orders names no cursor for the next one")
		}
		l.after, l.idle = cursor, 0
		return nil
	}
	if l.idle++; l.idle > maxIdlePages {
		return fmt.Errorf("shopify: more orders are said to follow id %d, but %d pages in a row brought none", l.last, l.idle)
	}
	if cursor != "" {
		l.after = cursor
	}
	return nil
}

// OrdersCount counts a window's orders. Where exact is false there are at least
// n.
func (c *Client) OrdersCount(ctx context.Context, w Window) (n int, exact bool, err error) {
	data, err := c.ask(ctx, ordersCountDocument, map[string]any{"query": w.search()}, Reconcile)
	if err != nil {
		return 0, false, fmt.Errorf("counting orders %s: %w", w.search(), err)
	}
	count := data.object("ordersCount")
	if !count.has("count") {
		return 0, false, errors.New("counting orders: Shopify answered without a count")
	}
	return int(count.integer("count")), count.word("precision") == "exact", nil
}
