package shopify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Page sizes of what an order holds. They keep each query far below the 1000
// points that Shopify takes at most.
const (
	firstLines    = 50
	furtherLines  = 100
	refundLines   = 50
	refundsAtOnce = 10
	maxPages      = 100
)

// errChanged says that the order was updated between two pages.
var errChanged = errors.New("shopify: the order changed while it was read")

// Order fetches one order in full: the JSON object that DecodeGraphQLOrder
// takes, with all lines and refunds merged into it. It is ErrNotFound where
// Shopify answers null. Where the token may not read some fields, these are null
// and the error is a Partial *APIError beside the body, which can be used.
func (c *Client) Order(ctx context.Context, id int64, p Priority) (json.RawMessage, error) {
	waitedFor := ""
	for range 3 {
		f := &fetching{client: c, id: gid("Order", id), priority: p, began: c.now()}
		body, err := f.whole(ctx)
		switch {
		case errors.Is(err, errChanged):
			continue
		case err == nil && f.mayBeMixed() && f.version != waitedFor:
			waitedFor = f.version
			if err := c.wait(ctx, young); err != nil {
				return nil, fmt.Errorf("fetching order %d: waiting until its pages are of one state: %w", id, err)
			}
			continue
		case err != nil:
			return nil, fmt.Errorf("fetching order %d: %w", id, err)
		case f.withheld != nil:
			return body, f.withheld
		}
		return body, nil
	}
	return nil, fmt.Errorf("fetching order %d: %w three times", id, errChanged)
}

// fetching is one order on its way from several queries.
type fetching struct {
	client   *Client
	id       string
	priority Priority
	began    time.Time
	queries  int
	version  string    // of the order, as the first page told
	withheld *APIError // the first refusal of single fields, with those of all
}

// young is how long after its updatedAt an order may still change without showing
// it: that has whole seconds, and clocks differ.
const young = 2 * time.Second

// mayBeMixed says that an edit may have come between two of the queries, although
// each told the same version.
func (f *fetching) mayBeMixed() bool {
	updated, err := time.Parse(time.RFC3339, f.version)
	return f.queries > 1 && err == nil && f.began.Before(updated.Add(young))
}

// ask runs a document; refused fields are remembered and left null.
func (f *fetching) ask(ctx context.Context, doc document, vars map[string]any) (node, error) {
	f.queries++
	data, err := f.client.run(ctx, doc, vars, f.priority)
	var refusal *APIError
	if errors.As(err, &refusal) && refusal.Partial {
		if f.withheld == nil {
			f.withheld = refusal
		}
		f.withheld.withhold(refusal.Withheld...)
		err = nil
	}
	if err != nil {
		return node{}, err
	}
	return parseObject(data)
}

func (f *fetching) whole(ctx context.Context) (json.RawMessage, error) {
	data, err := f.ask(ctx, orderDocument, map[string]any{"id": f.id, "lines": firstLines})
	if err != nil {
		return nil, err
	}
	order := data.object("order")
	if order.fields == nil {
		return nil, f.missing()
	}
	f.version = versionOf(order)
	for _, list := range []string{"discountApplications", "shippingLines"} {
		if more(order.object(list)) {
			return nil, fmt.Errorf("shopify: it has more %s than one page holds", list)
		}
	}
	if err := f.furtherLines(ctx, order.object("lineItems")); err != nil {
		return nil, err
	}
	if err := f.refunds(ctx, order); err != nil {
		return nil, err
	}
	body, err := json.Marshal(order.fields)
	if err != nil {
		return nil, fmt.Errorf("shopify: writing the merged order: %w", err)
	}
	return body, nil
}

// versionOf tells states of an order apart, but for those of one second.
func versionOf(order node) string { return order.text("updatedAt") }

// missing tells an order that is not there from one that may not be read.
func (f *fetching) missing() error {
	if f.withheld == nil {
		return ErrNotFound
	}
	f.withheld.Partial = false
	return f.withheld
}

// furtherLines appends all further pages to the first page of lines.
func (f *fetching) furtherLines(ctx context.Context, lines node) error {
	return appendPages(lines, func(cursor string) (node, error) {
		data, err := f.ask(ctx, orderLinesDocument, map[string]any{"id": f.id, "lines": furtherLines, "after": cursor})
		if err != nil {
			return node{}, err
		}
		order := data.object("order")
		if versionOf(order) != f.version {
			return node{}, errChanged
		}
		return order.object("lineItems"), nil
	})
}

// refunds puts the refunds' contents in the place of their ids.
func (f *fetching) refunds(ctx context.Context, order node) error {
	var ids []string
	for _, refund := range order.objects("refunds") {
		ids = append(ids, refund.text("id"))
	}
	var all []any
	for some := range slices.Chunk(ids, refundsAtOnce) {
		found, err := f.refundsByID(ctx, some, "")
		if err != nil {
			return err
		}
		for _, refund := range found {
			if err := f.furtherRefundLines(ctx, refund); err != nil {
				return err
			}
			all = append(all, refund.fields)
		}
	}
	if all != nil {
		order.fields["refunds"] = all
	}
	return nil
}

// refundsByID reads refunds that belong to the order as it was first read.
func (f *fetching) refundsByID(ctx context.Context, ids []string, cursor string) ([]node, error) {
	vars := map[string]any{"ids": ids, "lines": refundLines}
	if cursor != "" {
		vars["after"] = cursor
	}
	data, err := f.ask(ctx, refundsDocument, vars)
	if err != nil {
		return nil, err
	}
	refunds := data.objects("nodes")
	if len(refunds) != len(ids) {
		return nil, errChanged
	}
	for _, refund := range refunds {
		if versionOf(refund.object("order")) != f.version {
			return nil, errChanged
		}
		for _, list := range []string{"refundShippingLines", "transactions"} {
			if more(refund.object(list)) {
				return nil, fmt.Errorf("shopify: a refund has more %s than one page holds", list)
			}
		}
	}
	return refunds, nil
}

func (f *fetching) furtherRefundLines(ctx context.Context, refund node) error {
	return appendPages(refund.object("refundLineItems"), func(cursor string) (node, error) {
		page, err := f.refundsByID(ctx, []string{refund.text("id")}, cursor)
		if err != nil {
			return node{}, err
		}
		return page[0].object("refundLineItems"), nil
	})
}

// more says whether a connection has a further page.
func more(connection node) bool { return connection.object("pageInfo").yes("hasNextPage") }

// appendPages appends the nodes of all further pages to those of the first.
func appendPages(first node, next func(cursor string) (node, error)) error {
	page := first
	for range maxPages {
		if !more(page) {
			return nil
		}
		cursor := page.object("pageInfo").text("endCursor")
		if cursor == "" {
			return errors.New("shopify: a page names no cursor for the next one")
		}
		var err error
		if page, err = next(cursor); err != nil {
			return err
		}
		have, _ := first.fields["nodes"].([]any)
		got, _ := page.fields["nodes"].([]any)
		first.fields["nodes"] = append(have, got...)
	}
	return fmt.Errorf("shopify: a list goes on for more than %d pages", maxPages)
}
