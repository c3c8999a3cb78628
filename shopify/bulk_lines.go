package shopify

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// BulkOrder is one order of a bulk operation's file.
type BulkOrder struct {
	ID        int64
	Name      string // #1001
	UpdatedAt time.Time
	// Body is what DecodeGraphQLOrder takes. It is nil where a file can't hold the
	// whole order, as one with refunds: fetch it by its id.
	Body json.RawMessage
}

// bulkLines puts the orders of a bulk operation's file together,
// https://shopify.dev/docs/api/usage/bulk-operations/queries#the-jsonl-data-format:
// each line is an object, and one that names a __parentId belongs to it. The
// operation was told to group them, so an order is whole when the next begins.
type bulkLines struct {
	emit    func(BulkOrder) error
	line    int   // number of the last line, from 1
	objects int64 // lines that are not empty
	order   node  // in the making; without fields before the first
	size    int   // of its lines in bytes
}

func newBulkLines(emit func(BulkOrder) error) *bulkLines { return &bulkLines{emit: emit} }

// all reads every line; the last order then waits for end. broken says that
// the file broke off, which another try may not.
func (b *bulkLines) all(file io.Reader) (broken bool, err error) {
	lines := bufio.NewScanner(file)
	lines.Buffer(make([]byte, 64<<10), MaxBody)
	for lines.Scan() && lines.Err() == nil { // with an error, the last line may be cut off
		b.line++
		if len(bytes.TrimSpace(lines.Bytes())) == 0 {
			continue
		}
		b.objects++
		if err := b.take(lines.Bytes()); err != nil {
			return false, err
		}
	}
	switch err := lines.Err(); {
	case errors.Is(err, bufio.ErrTooLong):
		return false, fmt.Errorf("shopify: line %d of the bulk file has more than %d bytes", b.line+1, MaxBody)
	case err != nil:
		return true, fmt.Errorf("shopify: the bulk file broke off after line %d: %w", b.line, err)
	}
	return false, nil
}

// take reads one line.
func (b *bulkLines) take(line []byte) error {
	n, err := parseObject(line)
	if err != nil {
		return fmt.Errorf("line %d of the bulk file: %w", b.line, err)
	}
	parent := n.text("__parentId")
	if parent != "" {
		return b.add(n, parent, len(line))
	}
	if err := b.end(false); err != nil {
		return err
	}
	if !strings.HasPrefix(n.text("id"), "gid://shopify/Order/") || n.id("id") == 0 || n.at("updatedAt").IsZero() {
		return fmt.Errorf("shopify: line %d of the bulk file is no order with an id and updatedAt", b.line)
	}
	b.order, b.size = n, len(line)
	return nil
}

// bulkLists are the lists that an order's lines belong in.
var bulkLists = map[string]string{"LineItem": "lineItems", "ShippingLine": "shippingLines"}

// add puts a line below the order that it belongs to.
func (b *bulkLines) add(n node, parent string, size int) error {
	if b.order.fields == nil || parent != b.order.text("id") {
		return fmt.Errorf("shopify: line %d of the bulk file belongs to another order than the one before it", b.line)
	}
	kind := n.text("__typename")
	list, known := bulkLists[kind]
	switch {
	case known:
		delete(n.fields, "__typename")
	case strings.Contains(kind, "Discount") && strings.HasSuffix(kind, "Application"): // DiscountCodeApplication and its like
		list = "discountApplications"
	default:
		return fmt.Errorf("shopify: line %d of the bulk file is a %q, which belongs to no order", b.line, plain(kind, 40))
	}
	delete(n.fields, "__parentId")
	b.size += size
	if b.elsewhere() {
		return nil
	}
	connection, _ := b.order.fields[list].(map[string]any)
	if connection == nil {
		connection = map[string]any{}
		b.order.fields[list] = connection
	}
	have, _ := connection["nodes"].([]any)
	connection["nodes"] = append(have, n.fields)
	return nil
}

// elsewhere says that the order must be fetched by its id: the contents of its
// refunds can't come by bulk, or it is larger than an order may be.
func (b *bulkLines) elsewhere() bool {
	return len(b.order.objects("refunds")) > 0 || b.size > MaxBody
}

// end hands on the order in the making, if there is one. In doubt, where lines
// of it may be missing, it is a head only.
func (b *bulkLines) end(doubt bool) error {
	if b.order.fields == nil {
		return nil
	}
	o := BulkOrder{ID: b.order.id("id"), Name: b.order.text("name"), UpdatedAt: b.order.at("updatedAt")}
	if !doubt && !b.elsewhere() {
		body, err := json.Marshal(b.order.fields)
		if err != nil {
			return fmt.Errorf("shopify: writing order %d of the bulk file: %w", o.ID, err)
		}
		o.Body = body
	}
	b.order = node{}
	return b.emit(o)
}
