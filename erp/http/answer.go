package httperp

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
)

// paths find the parts of a document in an answer.
type paths struct {
	ref, id, version, total, currency, cancelled, updated *erp.JQ
	lines, items, next                                    *erp.JQ
}

var errNotJSON = errors.New("the ERP's answer is not JSON; is url the address of its API?")

var errOtherOrder = errors.New("the ERP's answer does not name the order asked for; check order_path and reference_path")

// parse reads one JSON value and keeps every digit of its numbers.
func parse(body []byte) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, errNotJSON
	}
	if _, err := decoder.Token(); err != io.EOF {
		return nil, errNotJSON
	}
	return v, nil
}

// documents are the documents of ref in a look-up's answer: one object, or a
// list in which others may stand too. A document without a reference of its own
// stands for the one asked for. An answer that names no order is an error: to
// read it as "not there" could double the order.
func (p paths) documents(v any, ref string) ([]erp.Found, error) {
	items, err := p.items.Run(v)
	if err != nil {
		return nil, errors.New("items_path does not fit the ERP's answer; mend it")
	}
	switch items := items.(type) {
	case nil:
		return nil, nil
	case []any:
		var found []erp.Found
		for _, item := range items {
			if f := p.found(item); f.Ref == ref {
				f.Lines = p.linesIn(item)
				found = append(found, f)
			}
		}
		return found, nil
	}
	f := p.found(items)
	if f.Ref == "" && f.Version+f.Currency != "" {
		f.Ref = ref
	}
	if f.Ref != ref || hasError(items) {
		return nil, errOtherOrder
	}
	f.Lines = p.linesIn(items)
	return []erp.Found{f}, nil
}

// mostLines bounds the lines that are read of one document.
const mostLines = 1000

// linesIn are a document's lines; nil where it tells none, or none that can be
// read: half a document would pass for one that lacks the rest.
func (p paths) linesIn(v any) []erp.FoundLine {
	told, err := p.lines.Run(v)
	list, ok := told.([]any)
	if err != nil || !ok || len(list) == 0 || len(list) > mostLines {
		return nil
	}
	lines := make([]erp.FoundLine, 0, len(list))
	for _, item := range list {
		line, ok := item.(map[string]any)
		if !ok {
			return nil
		}
		quantity := amount(plain(line["quantity"]))
		if quantity == nil {
			return nil
		}
		if quantity.IsZero() {
			continue // all removed or refunded
		}
		lines = append(lines, erp.FoundLine{SKU: plain(line["sku"]), Title: plain(line["title"]), Quantity: quantity.Decimal, Amount: amount(plain(line["amount"]))})
	}
	return lines
}

// found reads one document, as far as it can be read.
func (p paths) found(v any) erp.Found {
	f := erp.Found{
		Ref: text(p.ref, v), ID: text(p.id, v), Version: text(p.version, v),
		Total: amount(text(p.total, v)), Currency: text(p.currency, v),
	}
	if f.ID == "" {
		f.ID = f.Ref
	}
	switch cancelled := text(p.cancelled, v); cancelled {
	case "", "false", "0":
	default:
		f.Cancelled = true
	}
	if at, err := time.Parse(time.RFC3339, text(p.updated, v)); err == nil {
		f.UpdatedAt = at.UTC()
	}
	return f
}

// text is the string, number or bool at the path; empty where there is none.
func text(p *erp.JQ, v any) string {
	result, err := p.Run(v)
	if err != nil {
		return ""
	}
	return plain(result)
}

func plain(v any) string {
	switch v.(type) {
	case nil, []any, map[string]any:
		return ""
	}
	return fmt.Sprint(v)
}

// amount reads a total; nil where the text is none or absurdly large or fine.
func amount(s string) *erp.Amount {
	if s == "" || len(s) > 40 {
		return nil
	}
	d, err := decimal.NewFromString(s)
	if err != nil || d.Exponent() > 20 || d.Exponent() < -20 {
		return nil
	}
	return &erp.Amount{Decimal: d}
}

// complaint is what an answer says went wrong.
type complaint struct{ text, field string }

// complain reads the usual shapes: {"error": ...}, {"errors": [...]},
// {"message": ...}, problem details (RFC 9457), or plain text. Pages of HTML
// say nothing.
func complain(body []byte) complaint {
	v, err := parse(body)
	if err != nil {
		if bytes.Contains(body, []byte("<")) {
			return complaint{}
		}
		return complaint{text: string(body)}
	}
	return complaintIn(v, 0)
}

// complaintIn looks for the innermost message. depth bounds answers that nest.
func complaintIn(v any, depth int) complaint {
	if depth > 8 {
		return complaint{}
	}
	switch v := v.(type) {
	case string:
		return complaint{text: v}
	case []any:
		if len(v) > 0 {
			return complaintIn(v[0], depth+1)
		}
	case map[string]any:
		return complaintOf(v, depth)
	}
	return complaint{}
}

func complaintOf(v map[string]any, depth int) complaint {
	for _, key := range []string{"errors", "error", "message", "error_description", "detail", "title", "reason", "msg"} {
		c := complaintIn(v[key], depth+1)
		if c.text == "" {
			continue
		}
		for _, key := range []string{"field", "path", "pointer", "property"} {
			if name, ok := v[key].(string); ok && c.field == "" {
				c.field = name
			}
		}
		return c
	}
	// {"errors": {"email": ["is not valid"]}}: the key is the field.
	if depth > 0 && len(v) == 1 {
		for field, inner := range v {
			c := complaintIn(inner, depth+1)
			if c.field == "" {
				c.field = field
			}
			return c
		}
	}
	return complaint{}
}

// safe is the complaint as it may be shown.
func (c complaint) safe(o erp.Order) complaint {
	return complaint{erp.Excerpt(c.text, o), erp.Excerpt(c.field, o)}
}

// after reads Retry-After: seconds, with a fraction or not, or an HTTP date. It
// is at least 0 and at most a day.
func after(header string, now time.Time) time.Duration {
	const longest = 24 * time.Hour
	var wait time.Duration
	if seconds, err := strconv.ParseFloat(header, 64); err == nil && !math.IsNaN(seconds) {
		wait = time.Duration(min(max(seconds, 0), longest.Seconds()) * float64(time.Second))
	} else if at, err := http.ParseTime(header); err == nil {
		wait = at.Sub(now)
	}
	return min(max(wait, 0), longest)
}
