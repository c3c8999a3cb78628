package ui

import (
	"context"
	"strconv"
	"strings"

	"gapless/store"
)

// mostQuery is how long what is searched for may be, in bytes.
const mostQuery = 200

// search looks for an order's name, with or without its #, for Shopify's number,
// for the reference that the ERP's document carries, for the ERP's own and, for
// those who may see people, for a customer's e-mail address or name. It returns
// about limit orders, those of the customer last; states leave those whose
// delivery is in one of them.
func (s *Server) search(ctx context.Context, query, shop string, limit int, people bool, states ...string) ([]store.OrderView, error) {
	if query = strings.TrimSpace(query); query == "" || len(query) > mostQuery {
		return nil, nil
	}
	var all []store.OrderView
	seen := map[store.OrderKey]bool{}
	add := func(some []store.OrderView, err error) error {
		for _, o := range some {
			if !seen[o.OrderKey] && len(all) < limit {
				seen[o.OrderKey] = true
				all = append(all, o)
			}
		}
		return err
	}
	for _, f := range inStates(meant(query), states) {
		if f.Limit = limit; shop != "" && f.Shop != "" && f.Shop != shop {
			continue
		}
		if shop != "" {
			f.Shop = shop
		}
		if err := add(s.Store.Orders(ctx, f)); err != nil {
			return nil, err
		}
	}
	if !people {
		return all, nil
	}
	err := add(s.Store.OrdersOf(ctx, query, shop, limit, states...))
	return all, err
}

// inStates are filters for each of the states; none: as they are.
func inStates(filters []store.OrderFilter, states []string) (all []store.OrderFilter) {
	if len(states) == 0 {
		return filters
	}
	for _, f := range filters {
		for _, f.State = range states {
			all = append(all, f)
		}
	}
	return all
}

// meant are the orders that a query can mean, customers aside.
func meant(query string) []store.OrderFilter {
	filters := []store.OrderFilter{{Name: query}, {Name: "#" + strings.TrimPrefix(query, "#")}, {ERPRef: query}}
	if id, err := strconv.ParseInt(strings.TrimPrefix(query, "#"), 10, 64); err == nil && id > 0 {
		filters = append(filters, store.OrderFilter{ID: id})
	}
	if at := strings.LastIndex(query, "-"); at > 0 {
		if id, err := strconv.ParseInt(query[at+1:], 10, 64); err == nil && id > 0 {
			filters = append(filters, store.OrderFilter{Shop: query[:at], ID: id})
		}
	}
	return filters
}
