package ui

import (
	"slices"
	"strings"

	"gapless/store"
)

// moving is the state of a filter for orders on their way to the ERP.
const moving = "moving"

// orderBadge is where an order stands, in a word or two.
func orderBadge(o store.Order, d store.Delivery) badge {
	switch {
	case !o.DeletedAt.IsZero():
		return badge{"Deleted in Shopify", ""}
	case d.State == store.StateDelivered && !o.CancelledAt.IsZero():
		return badge{"Cancelled", ""}
	case d.State == store.StateDelivered:
		return badge{"In the ERP", "good"}
	case d.State == store.StateParked:
		return badge{"Waits for you", "bad"}
	case d.State == store.StateExcluded:
		return badge{"Left out", ""}
	case d.State == "":
		return badge{"No ERP", ""}
	case d.Tries > 0:
		return badge{"Being tried again", "warn"}
	case d.State == store.StateUnknown:
		return badge{"Being checked in the ERP", "warn"}
	}
	return badge{"On the way", "warn"}
}

type ordersBody struct {
	Query string
	Find  string // what can be searched for
	More  bool   // than are shown were found
	Tabs  tabs
	State string
	Shop  *chooser
	Rows  []orderRow
	Older string
}

type orderRow struct {
	Name, Path, Shop string
	Amount, ERPRef   string
	InERP            string // where the ERP's document is seen
	Badge            badge
	Reason           string
	Placed           *moment
	Test             bool
}

// ordersPage lists orders, those first seen last at the top, or finds some.
func ordersPage(v *visit) (view, error) {
	body := ordersBody{
		Find: "Order name, Shopify's number, or the ERP's", Query: strings.TrimSpace(v.URL.Query().Get("q")), Shop: v.shopChooser(),
		State: v.oneOf("state", "", store.StateDelivered, moving, store.StateParked, store.StateExcluded),
	}
	if v.seesPeople() {
		body.Find += ", or the customer"
	}
	for _, t := range []tab{{"All", "", false}, {"In the ERP", store.StateDelivered, false}, {"On the way", moving, false}, {"Waiting for you", store.StateParked, false}, {"Left out", store.StateExcluded, false}} {
		body.Tabs.Tabs = append(body.Tabs.Tabs, tab{t.Label, v.with("state", t.URL), t.URL == body.State})
	}
	body.Tabs.Label = "Orders by state"
	views, err := v.findOrders(body.Query, body.State)
	if err != nil {
		return view{}, err
	}
	if body.Query != "" && len(views) == 1 {
		return view{redirect: orderPath(views[0].Shop, views[0].ID)}, nil
	}
	clocks, err := v.clocks()
	if err != nil {
		return view{}, err
	}
	for _, o := range views {
		body.Rows = append(body.Rows, orderRow{Name: short(o.Name, 60), Path: orderPath(o.Shop, o.ID), Shop: v.shopShown(o.Shop), Amount: money(o.Total, o.Currency), ERPRef: short(o.Delivery.ERPRef, 60), InERP: v.erpDocument(o.Delivery),
			Badge: orderBadge(o.Order, o.Delivery), Reason: short(o.Delivery.Reason, 160), Placed: clocks(o.Shop).at(o.CreatedAt), Test: o.Test})
	}
	body.More = body.Query != "" && len(views) == perPage
	if len(views) == perPage && body.Query == "" {
		last := views[len(views)-1]
		body.Older = v.with("before", orderCursor(store.Cursor{SeenAt: last.FirstSeenAt, ID: last.ID, Shop: last.Shop}))
	}
	return view{template: "orders", title: "Orders", body: body}, nil
}

// findOrders lists one page, or all that a search can mean.
func (v *visit) findOrders(query, state string) ([]store.OrderView, error) {
	if query != "" {
		return v.search(v.Context(), query, v.shopChosen(), perPage, v.seesPeople())
	}
	before, err := readOrderCursor(v.URL.Query().Get("before"))
	if err != nil {
		return nil, wrongInput("This page of the list is not to be found. Start at its top.")
	}
	f := store.OrderFilter{Shop: v.shopChosen(), State: state, Before: before, Limit: perPage}
	if state != moving {
		return v.Store.Orders(v.Context(), f)
	}
	var all []store.OrderView
	for _, f.State = range []string{store.StateDue, store.StateSending, store.StateUnknown} {
		some, err := v.Store.Orders(v.Context(), f)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, newestFirst)
	return all[:min(len(all), perPage)], nil
}

func newestFirst(a, b store.OrderView) int {
	if c := b.FirstSeenAt.Compare(a.FirstSeenAt); c != 0 {
		return c
	}
	if a.ID != b.ID {
		return int(max(-1, min(1, b.ID-a.ID)))
	}
	return strings.Compare(b.Shop, a.Shop)
}
