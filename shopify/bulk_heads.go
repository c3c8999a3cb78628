package shopify

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// bulkAsked is the time between two questions how far an operation is; one that
// takes longer than bulkLongest is given up.
const (
	bulkAsked   = 10 * time.Second
	bulkLongest = 30 * time.Minute
)

// OrdersInBulk lists what Orders does, by a bulk operation: of the budget it takes
// hardly anything, however many orders there are, but it takes minutes. meanwhile is
// called whenever Shopify was asked how far it is. Where it can't be had whole
// within half an hour, or the caller gives up, that is an error, and the operation
// is cancelled.
func (c *Client) OrdersInBulk(ctx context.Context, w Window, meanwhile func() error, page func([]OrderHead) error) error {
	o, err := c.startBulk(ctx, bulkHeadsDocument, w)
	if err != nil {
		return fmt.Errorf("listing orders %s: %w", w.search(), err)
	}
	if o, err = c.awaitBulk(ctx, o, meanwhile); err != nil {
		return fmt.Errorf("listing orders %s: %w", w.search(), err)
	}
	var heads []OrderHead
	listed := int64(0)
	err = c.ReadBulk(ctx, o, 0, func(b BulkOrder) error {
		h, err := bulkHead(b)
		if err != nil {
			return err
		}
		listed++
		if heads = append(heads, h); len(heads) < pageSize {
			return nil
		}
		full := heads
		heads = nil
		return page(full)
	})
	switch {
	case err != nil:
		return fmt.Errorf("listing orders %s: %w", w.search(), err)
	case listed < o.Orders:
		return fmt.Errorf("listing orders %s: the bulk file held %d of %d orders", w.search(), listed, o.Orders)
	case len(heads) == 0:
		return nil
	}
	return page(heads)
}

// awaitBulk waits until an operation has completed.
func (c *Client) awaitBulk(ctx context.Context, o BulkOperation, meanwhile func() error) (_ BulkOperation, err error) {
	defer func() {
		if err != nil && !o.Done() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			err = errors.Join(err, c.BulkCancel(ctx, o.ID))
		}
	}()
	began := c.budget.now()
	for !o.Done() {
		if c.budget.now().Sub(began) > bulkLongest {
			return o, fmt.Errorf("shopify: the bulk operation is still %s after %s", o.Status, bulkLongest)
		}
		if err := c.wait(ctx, bulkAsked); err != nil {
			return o, fmt.Errorf("waiting for a bulk operation: %w", err)
		}
		now, err := c.BulkOperation(ctx, o.ID)
		if err != nil {
			return o, err
		}
		o = now
		if err := meanwhile(); err != nil {
			return o, err
		}
	}
	if o.Status != BulkCompleted {
		return o, fmt.Errorf("shopify: the bulk operation ended as %s %s", o.Status, o.ErrorCode)
	}
	return o, nil
}

// bulkHead reads a line of the file. What Shopify withholds is null there, and a
// head with a hole could be taken for an order without worth.
func bulkHead(b BulkOrder) (OrderHead, error) {
	n, err := parseObject(b.Body)
	if err != nil {
		return OrderHead{}, err
	}
	for _, field := range []string{"name", "createdAt", "currencyCode", "currentTotalPriceSet"} {
		if !n.has(field) {
			return OrderHead{}, fmt.Errorf("shopify: the bulk file tells no %s of order %d", field, b.ID)
		}
	}
	h := head(n)
	if len(*n.faults) > 0 {
		return OrderHead{}, fmt.Errorf("shopify: the %s of order %d is not a number", (*n.faults)[0], b.ID)
	}
	return h, nil
}
