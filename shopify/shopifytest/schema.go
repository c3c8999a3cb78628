package shopifytest

import (
	"strconv"
	"time"
)

// schema is the part of the Admin API 2026-10 that the pretend shop answers:
// object types by name, each with its fields.
type schema map[string]fields

type fields map[string]field

// field is one field of an object type.
type field struct {
	typ  string // the type it leads to; empty for a scalar or enum
	kind fieldKind
	args []string
	get  func(src any, a args) any
}

type fieldKind int

const (
	plain      fieldKind = iota
	list                 // get returns []any
	connection           // get returns a page
	mutation             // plain, but it changes the shop
)

// page is one page of a connection. A cursor marks the place behind its node.
type page struct {
	nodes   []any
	cursors []string
	more    bool // there are nodes behind
	back    bool // there are nodes before
}

// typed names the concrete type of a value where a field leads to an interface
// or a union.
type typed struct {
	name string
	src  any
}

// abstract lists the interfaces and unions with their members.
var abstract = map[string][]string{
	"DiscountApplication": {"DiscountCodeApplication", "AutomaticDiscountApplication", "ManualDiscountApplication", "ScriptDiscountApplication"},
	"PricingValue":        {"MoneyV2", "PricingPercentageValue"},
	"PurchasingEntity":    {"Customer", "PurchasingCompany"},
	"Node":                {"Order", "Refund"},
}

// free names the types that cost nothing: money is priced as a leaf.
var free = map[string]bool{"MoneyBag": true, "MoneyV2": true, "PageInfo": true, "UserError": true, "BulkOperationUserError": true}

// leaf makes a scalar field of values of T.
func leaf[T any](get func(T) any) field {
	return field{get: func(src any, _ args) any { return get(src.(T)) }}
}

// to makes a field of T that leads to one object; get returns nil for null.
func to[T any](typ string, get func(T) any) field {
	f := leaf(get)
	f.typ = typ
	return f
}

// many makes a field of T that is a plain list of objects.
func many[T any](typ string, get func(T) []any, argNames ...string) field {
	return field{typ: typ, kind: list, args: argNames, get: func(src any, a args) any {
		all := get(src.(T))
		if first := a.int("first", len(all)); first < len(all) {
			all = all[:first]
		}
		return all
	}}
}

// connect makes a field of T that is a connection over all of a list.
func connect[T any](typ string, get func(T) []any, argNames ...string) field {
	return field{typ: typ, kind: connection, args: append(argNames, "first", "after"), get: func(src any, a args) any {
		return paged(get(src.(T)), a)
	}}
}

// null is a field that is always null here.
func null(typ string) field {
	return field{typ: typ, get: func(any, args) any { return nil }}
}

// constant is a scalar that is the same everywhere.
func constant(v any) field { return field{get: func(any, args) any { return v }} }

// paged cuts a list into the page that the arguments ask for. Its cursors are
// positions.
func paged(all []any, a args) page {
	start := 0
	if after := a.string("after"); after != "" {
		start, _ = strconv.Atoi(after)
		start = min(max(start, 0), len(all))
	}
	end := min(start+a.int("first", len(all)), len(all))
	p := page{nodes: all[start:end], more: end < len(all), back: start > 0}
	for i := start; i < end; i++ {
		p.cursors = append(p.cursors, strconv.Itoa(i+1))
	}
	return p
}

// items turns a slice into a list of pointers.
func items[T, V any](from []T, wrap func(*T) V) []any {
	all := make([]any, len(from))
	for i := range from {
		all[i] = wrap(&from[i])
	}
	return all
}

// utc is a time as GraphQL tells it; null for none.
func utc(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(time.RFC3339)
}

// money is a bag that knows its currencies.
type money struct {
	Bag
	o *Order
}

// coin is one amount of a bag.
type coin struct {
	minor    int64
	currency string
}

func moneyFields() schema {
	return schema{
		"MoneyBag": {
			"shopMoney":        to("MoneyV2", func(m money) any { return coin{m.Shop, m.o.Currency} }),
			"presentmentMoney": to("MoneyV2", func(m money) any { return coin{m.Bag.Presentment, m.o.Presentment} }),
		},
		"MoneyV2": {
			"amount":       leaf(func(c coin) any { return short(c.minor, c.currency) }),
			"currencyCode": leaf(func(c coin) any { return c.currency }),
		},
		"PageInfo": {
			"hasNextPage":     leaf(func(p page) any { return p.more }),
			"hasPreviousPage": leaf(func(p page) any { return p.back }),
			"startCursor":     leaf(func(p page) any { return p.cursor(0) }),
			"endCursor":       leaf(func(p page) any { return p.cursor(len(p.cursors) - 1) }),
		},
		"Count": {
			"count":     leaf(func(c count) any { return c.n }),
			"precision": leaf(func(c count) any { return c.precision() }),
		},
		"UserError": {
			"field":   leaf(func(e userError) any { return e.field }),
			"message": leaf(func(e userError) any { return e.message }),
		},
	}
}

func (p page) cursor(i int) any {
	if i < 0 || i >= len(p.cursors) {
		return nil
	}
	return p.cursors[i]
}

// count is a number that may stop at a limit.
type count struct {
	n      int
	capped bool
}

func (c count) precision() string {
	if c.capped {
		return "AT_LEAST"
	}
	return "EXACT"
}

// userError is a mutation's refusal.
type userError struct {
	field   []string
	message string
}
