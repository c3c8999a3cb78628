package shopify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"
)

// Bounds on what is decoded, beside MaxBody. An order with 500 lines is about
// 1 MB, 12 levels deep and under 100,000 values.
const (
	maxDepth  = 64
	maxValues = 1_000_000
)

// node is one JSON object read leniently: every getter takes what Shopify has
// been seen to send (a number for a string, a string for a number, null, an
// empty string, nothing at all) and answers the zero value for the rest. Only
// an amount that is there and can't be read is remembered as a fault: taking it
// for zero would lose money.
type node struct {
	fields map[string]any
	path   string    // where it stands in the body, with a final dot
	faults *[]string // paths of unreadable amounts, shared by all nodes of a body
}

// parseObject reads body as one JSON object.
func parseObject(body []byte) (node, error) {
	if err := checkBounds(body); err != nil {
		return node{}, err
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber() // ids pass 2^53 and money is no float
	var value any
	if err := decoder.Decode(&value); err != nil {
		return node{}, fmt.Errorf("shopify: the body is not JSON (at byte %d of %d)", decoder.InputOffset(), len(body))
	}
	if _, err := decoder.Token(); err != io.EOF {
		return node{}, errors.New("shopify: the body goes on after its JSON object")
	}
	fields, ok := value.(map[string]any)
	if !ok {
		return node{}, errors.New("shopify: the body is not a JSON object")
	}
	return node{fields: fields, faults: new([]string)}, nil
}

// checkBounds refuses what would cost far more memory than an order can need,
// before anything is built from it.
func checkBounds(body []byte) error {
	if len(body) > MaxBody {
		return fmt.Errorf("shopify: the body has %d bytes, more than %d", len(body), MaxBody)
	}
	depth, values := 0, 0
	for i := 0; i < len(body); i++ {
		switch body[i] {
		case '"':
			for i++; i < len(body) && body[i] != '"'; i++ {
				if body[i] == '\\' {
					i++
				}
			}
		case '{', '[':
			depth++
			values++
		case '}', ']':
			depth--
		case ',':
			values++
		}
		if depth > maxDepth {
			return fmt.Errorf("shopify: the body is nested deeper than %d levels", maxDepth)
		}
		if values > maxValues {
			return fmt.Errorf("shopify: the body has more than %d values", maxValues)
		}
	}
	return nil
}

func (n node) has(key string) bool { return n.fields[key] != nil }

// text reads a string; numbers and booleans are written out, null is empty.
func (n node) text(key string) string { return textOf(n.fields[key]) }

func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// word reads one of Shopify's own words: lower case, underscores.
func (n node) word(key string) string {
	return strings.ReplaceAll(strings.ToLower(strings.TrimSpace(n.text(key))), " ", "_")
}

func (n node) yes(key string) bool {
	switch strings.ToLower(strings.TrimSpace(n.text(key))) {
	case "true", "1", "yes":
		return true
	}
	return false
}

// id reads an id as a number, a string of digits or a gid
// ("gid://shopify/Order/1?x=y"). What is none of these, or not positive, is 0.
func (n node) id(key string) int64 { return idOf(n.fields[key]) }

func idOf(value any) int64 {
	text := strings.TrimSpace(textOf(value))
	text, _, _ = strings.Cut(text, "?")
	text = text[strings.LastIndexByte(text, '/')+1:]
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 0 {
		return 0
	}
	return id
}

// integer reads a whole number; a fraction is cut off.
func (n node) integer(key string) int64 {
	d, ok := parseDecimal(n.text(key))
	if whole := d.BigInt(); ok && whole.IsInt64() {
		return whole.Int64()
	}
	return 0
}

// at reads a time, in UTC and to the second: GraphQL tells no more. A missing
// or unreadable time is zero.
func (n node) at(key string) time.Time {
	t, err := time.Parse(time.RFC3339, strings.TrimSpace(n.text(key)))
	if err != nil {
		return time.Time{}
	}
	t = t.UTC().Truncate(time.Second)
	if t.Year() < 1 || t.Year() > 9999 { // the offset pushed it out of RFC 3339
		return time.Time{}
	}
	return t
}

// atOrNil is at for times that may not have come yet.
func (n node) atOrNil(key string) *time.Time {
	t := n.at(key)
	if t.IsZero() {
		return nil
	}
	return &t
}

// decimal reads an amount or a rate. Absent, null and empty are zero.
func (n node) decimal(key string) decimal.Decimal {
	value, there := n.fields[key]
	if !there || value == nil || value == "" {
		return decimal.Decimal{}
	}
	d, ok := parseDecimal(textOf(value))
	if !ok {
		*n.faults = append(*n.faults, n.path+key)
	}
	return d
}

// bag reads a money bag, in REST's or GraphQL's spelling. Where the bag is
// absent, the plain amount under fallback (REST's older fields) stands for
// both moneys; where the customer's money is absent, the shop's does.
func (n node) bag(key, fallback string) Bag {
	set := n.object(key)
	if set.fields == nil {
		amount := n.decimal(fallback)
		return Bag{amount, amount}
	}
	shop, customer := set.object("shop_money"), set.object("presentment_money")
	if shop.fields == nil {
		shop, customer = set.object("shopMoney"), set.object("presentmentMoney")
	}
	bag := Bag{Shop: shop.decimal("amount"), Presentment: customer.decimal("amount")}
	if !customer.has("amount") {
		bag.Presentment = bag.Shop
	}
	return bag
}

// object reads an object; anything else is an object without fields.
func (n node) object(key string) node {
	fields, _ := n.fields[key].(map[string]any)
	return node{fields: fields, path: n.path + key + ".", faults: n.faults}
}

// objects reads a list of objects: a plain array, or a GraphQL connection with
// its nodes. Members that are no objects are left out.
func (n node) objects(key string) []node {
	list, ok := n.fields[key].([]any)
	if !ok {
		list, _ = n.object(key).fields["nodes"].([]any)
	}
	var out []node
	for _, member := range list {
		if fields, ok := member.(map[string]any); ok {
			out = append(out, node{fields: fields, path: n.path + key + ".", faults: n.faults})
		}
	}
	return out
}

// texts reads a list of strings, or a single one; empty strings are left out.
func (n node) texts(key string) []string {
	list, ok := n.fields[key].([]any)
	if !ok {
		list = []any{n.fields[key]}
	}
	var out []string
	for _, member := range list {
		if text := strings.TrimSpace(textOf(member)); text != "" {
			out = append(out, text)
		}
	}
	return out
}

// parseDecimal reads a number of at most 64 characters. Equal numbers come out
// identical ("20.00" and 20), so that orders can be compared field for field.
func parseDecimal(text string) (decimal.Decimal, bool) {
	text = strings.TrimSpace(text)
	if len(text) > 64 {
		return decimal.Decimal{}, false
	}
	d, err := decimal.NewFromString(text)
	if err != nil || d.Exponent() > 30 || d.Exponent() < -60 {
		return decimal.Decimal{}, false
	}
	return canonical(d), true
}

// canonical gives equal numbers one representation: no power of ten, and no
// zeros at the end of a fraction.
func canonical(d decimal.Decimal) decimal.Decimal {
	switch {
	case d.IsZero():
		return decimal.Decimal{}
	case d.Exponent() == 0, d.Exponent() < 0 && d.NumDigits() < 19 && d.CoefficientInt64()%10 != 0:
		return d // as most are
	}
	return decimal.RequireFromString(d.String())
}

// tags reads an order's tags: one string with commas in REST, a list in
// GraphQL.
func (n node) tags() []string {
	var out []string
	for _, text := range n.texts("tags") {
		for tag := range strings.SplitSeq(text, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				out = append(out, tag)
			}
		}
	}
	return out
}
