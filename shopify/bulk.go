package shopify

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	// ErrBulkBusy: Shopify runs as many bulk operations of this app as it may,
	// five at once. One of them must end first.
	ErrBulkBusy = errors.New("shopify: a bulk operation is already running; it must end first")
	// ErrBulkGone: Shopify keeps no such operation, or its file no longer.
	ErrBulkGone = errors.New("shopify: there is no such bulk operation or its file is no longer kept; start it again")
)

// bulkKept is for how long an operation is worth looking for: it ends within ten
// days, and its file is kept for seven more.
const bulkKept = 17 * 24 * time.Hour

// BulkStatus is the state of a bulk operation.
type BulkStatus string

const (
	BulkCreated   BulkStatus = "created"
	BulkRunning   BulkStatus = "running" // and any state that is not known here
	BulkCompleted BulkStatus = "completed"
	BulkCanceling BulkStatus = "canceling"
	BulkCanceled  BulkStatus = "canceled" // Shopify itself cancels those that stall
	BulkExpired   BulkStatus = "expired"  // the file is no longer kept
	BulkFailed    BulkStatus = "failed"
)

// BulkOperation is a query that Shopify runs by itself, into a file.
type BulkOperation struct {
	ID          string // gid://shopify/BulkOperation/1
	Status      BulkStatus
	ErrorCode   string // why it failed: access_denied, internal_server_error, timeout
	CreatedAt   time.Time
	CompletedAt *time.Time
	Orders      int64  // in the file so far
	Objects     int64  // orders and what is below them
	Size        int64  // of the file in bytes
	URL         string // of the whole file, signed, for seven days; empty where no order was found
	PartialURL  string // of what a failed operation got

	query string
}

// Done says that the operation has come to an end, good or bad.
func (o BulkOperation) Done() bool {
	switch o.Status {
	case BulkCompleted, BulkCanceled, BulkExpired, BulkFailed:
		return true
	}
	return false
}

// Reads says that the operation is one that BulkOrders started for the window.
func (o BulkOperation) Reads(w Window) bool {
	return strings.Contains(o.query, strconv.Quote(w.search()))
}

// BulkOrders starts a bulk operation that reads a window's orders in full, by
// ascending id. Where one for the same window is under way already, started by a
// call whose answer was lost, it is taken over. ErrBulkBusy says that Shopify
// runs as many as it may.
func (c *Client) BulkOrders(ctx context.Context, w Window) (BulkOperation, error) {
	known, err := c.CurrentBulk(ctx)
	if err != nil {
		return BulkOperation{}, err
	}
	for _, o := range known {
		if (o.Status == BulkCreated || o.Status == BulkRunning) && o.Reads(w) {
			return o, nil
		}
	}
	return c.startBulk(ctx, bulkOrdersDocument, w)
}

// startBulk has a document read a window's orders.
func (c *Client) startBulk(ctx context.Context, d document, w Window) (BulkOperation, error) {
	query := strings.Replace(d.text, `"SEARCH"`, strconv.Quote(w.search()), 1)
	result, err := c.change(ctx, bulkRunning, "bulkOperationRunQuery", map[string]any{"query": query})
	if busy(result) {
		return BulkOperation{}, ErrBulkBusy
	}
	if err == nil {
		return bulkOperation(result.object("bulkOperation"))
	}
	return BulkOperation{}, fmt.Errorf("starting a bulk operation: %w", err)
}

// busy says that a bulk operation was refused because of others.
func busy(result node) bool {
	return slices.ContainsFunc(result.objects("userErrors"), func(e node) bool {
		code := e.text("code")
		return code == "OPERATION_IN_PROGRESS" || code == "LIMIT_REACHED" || strings.Contains(e.text("message"), "already in progress")
	})
}

// BulkOperation asks how far an operation is; ErrBulkGone where Shopify knows
// none by this id.
func (c *Client) BulkOperation(ctx context.Context, id string) (BulkOperation, error) {
	data, err := c.ask(ctx, bulkOperationByID, map[string]any{"id": id}, Backfill)
	if err != nil {
		return BulkOperation{}, fmt.Errorf("asking for a bulk operation: %w", err)
	}
	if !data.has("bulkOperation") {
		return BulkOperation{}, ErrBulkGone
	}
	return bulkOperation(data.object("bulkOperation"))
}

// CurrentBulk lists this app's bulk queries that run or may still have a file,
// newest first.
func (c *Client) CurrentBulk(ctx context.Context) ([]BulkOperation, error) {
	since := c.budget.now().Add(-bulkKept).UTC().Format(time.RFC3339)
	vars := map[string]any{"query": fmt.Sprintf("operation_type:query AND created_at:>='%s'", since)}
	nodes, err := c.list(ctx, bulkOperationsList, "bulkOperations", vars, Backfill)
	if err != nil {
		return nil, fmt.Errorf("listing bulk operations: %w", err)
	}
	var all []BulkOperation
	for _, n := range nodes {
		o, err := bulkOperation(n)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
	slices.SortStableFunc(all, func(a, b BulkOperation) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), cmp.Compare(idOf(b.ID), idOf(a.ID)))
	})
	return all, nil
}

// BulkCancel stops an operation. It may go on for a moment as BulkCanceling.
func (c *Client) BulkCancel(ctx context.Context, id string) error {
	if _, err := c.change(ctx, bulkCancellation, "bulkOperationCancel", map[string]any{"id": id}); err != nil {
		return fmt.Errorf("cancelling a bulk operation: %w", err)
	}
	return nil
}

// bulkOperation reads an operation as the fragment Operation asks for it.
func bulkOperation(n node) (BulkOperation, error) {
	o := BulkOperation{
		ID:          n.text("id"),
		Status:      bulkStatus(n.word("status")),
		ErrorCode:   n.word("errorCode"),
		CreatedAt:   n.at("createdAt"),
		CompletedAt: n.atOrNil("completedAt"),
		Orders:      n.integer("rootObjectCount"),
		Objects:     n.integer("objectCount"),
		Size:        n.integer("fileSize"),
		URL:         n.text("url"),
		PartialURL:  n.text("partialDataUrl"),
		query:       n.text("query"),
	}
	if o.ID == "" {
		return o, errors.New("shopify: a bulk operation came without its id")
	}
	return o, nil
}

// bulkStatus reads a state. One that is not known yet is taken for running: the
// operation is asked about again, and nothing is concluded.
func bulkStatus(word string) BulkStatus {
	switch s := BulkStatus(word); s {
	case BulkCreated, BulkCompleted, BulkCanceling, BulkCanceled, BulkExpired, BulkFailed:
		return s
	}
	return BulkRunning
}
