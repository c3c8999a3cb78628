package shopify

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// finish gives o the form that both shapes share, and refuses it where it
// can't be used: without an id or updated_at nothing can be ordered by it, and
// an amount that can't be read must not count as zero.
func (n node) finish(o *Order) (*Order, error) {
	switch {
	case o.ID == 0:
		return nil, errors.New("shopify: the order has no id")
	case o.UpdatedAt.IsZero():
		return nil, fmt.Errorf("shopify: order %d has no updated_at", o.ID)
	case len(*n.faults) > 0:
		return nil, fmt.Errorf("shopify: order %d: %s is not a number", o.ID, (*n.faults)[0])
	}
	slices.Sort(o.Tags)
	o.Tags = slices.Compact(o.Tags)
	slices.SortFunc(o.Refunds, func(a, b Refund) int { return cmp.Compare(a.ID, b.ID) })
	return o, nil
}

// each builds one value from each object.
func each[T any](nodes []node, build func(node) T) []T {
	var out []T
	for _, n := range nodes {
		out = append(out, build(n))
	}
	return out
}

// attributes reads names and values: {name, value} in REST, {key, value} in
// GraphQL; very old orders hold one object of names.
func (n node) attributes(key string) []Attribute {
	if old := n.object(key); old.fields != nil {
		var out []Attribute
		for name := range old.fields {
			out = append(out, Attribute{Name: name, Value: old.text(name)})
		}
		slices.SortFunc(out, func(a, b Attribute) int { return cmp.Compare(a.Name, b.Name) })
		return out
	}
	return each(n.objects(key), func(a node) Attribute {
		return Attribute{Name: cmp.Or(a.text("name"), a.text("key")), Value: a.text("value")}
	})
}

// orNil gives nil for an address or customer that says nothing.
func orNil[T comparable](value T) *T {
	var nothing T
	if value == nothing {
		return nil
	}
	return &value
}

// variantTitle drops the name Shopify gives to the only variant of a product.
func variantTitle(title string) string {
	if title == "Default Title" {
		return ""
	}
	return title
}

// sortAllocations orders the shares of a line by discount.
func sortAllocations(list []Allocation) []Allocation {
	slices.SortStableFunc(list, func(a, b Allocation) int { return cmp.Compare(a.Index, b.Index) })
	return list
}

// fulfillmentStatus maps REST's and GraphQL's words to the four that both can
// tell. GraphQL's display statuses also say why nothing was shipped yet; begun
// decides between the two that these can hide.
func fulfillmentStatus(word string, begun bool) string {
	switch word {
	case "partial":
		return "partially_fulfilled"
	case "", "unfulfilled", "fulfillment_not_required":
		return "unfulfilled"
	case "open", "in_progress", "on_hold", "scheduled", "pending_fulfillment", "request_declined":
		if begun {
			return "partially_fulfilled"
		}
		return "unfulfilled"
	}
	return word
}

// discountKinds names the kinds of discount as REST's type and as GraphQL's
// __typename spell them.
var discountKinds = map[string]string{
	"discount_code":                "code",
	"DiscountCodeApplication":      "code",
	"AutomaticDiscountApplication": "automatic",
	"ManualDiscountApplication":    "manual",
	"ScriptDiscountApplication":    "script",
}

// discount builds a discount. A code's title is left out, since GraphQL has
// none.
func discount(kind, code, title string) Discount {
	if known, ok := discountKinds[kind]; ok {
		kind = known
	}
	if kind == "code" {
		return Discount{Kind: kind, Code: code}
	}
	return Discount{Kind: kind, Title: title}
}

// sum adds the bags that part picks from the nodes.
func sum(nodes []node, part func(node) Bag) Bag {
	var total Bag
	for _, n := range nodes {
		bag := part(n)
		total.Shop = total.Shop.Add(bag.Shop)
		total.Presentment = total.Presentment.Add(bag.Presentment)
	}
	return Bag{canonical(total.Shop), canonical(total.Presentment)}
}

// successful says whether a transaction of a refund gave money back.
func successful(transaction node) bool {
	return transaction.word("kind") == "refund" && transaction.word("status") == "success"
}
