package ui

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// moving is the state of a filter for orders on their way to the ERP.
const moving = "moving"

// statesOf are the states of a delivery that a filter's state stands for; none: all.
func statesOf(state string) []string {
	switch state {
	case "":
		return nil
	case moving:
		return []string{store.StateDue, store.StateSending, store.StateUnknown}
	}
	return []string{state}
}

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
	Day   placed // of which the list is; zero: of all
	Days  string // the list of all days
	All   string // the list of all orders; empty: it is that
	Shop  *chooser
	Rows  []orderRow
	Older string
}

// placed is when orders of a list were placed: a day of a shop, from midnight to
// midnight.
type placed struct {
	shop     string
	from, to time.Time
	Text     string // "23 November"; empty: none
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
	var err error
	if body.Day, err = v.dayChosen(); err != nil {
		return view{}, err
	}
	body.Days = v.with("day", "")
	if body.Day.Text != "" || body.State != "" || v.shopChosen() != "" {
		body.All = v.with("state", "", "day", "", "shop", "")
	}
	views, err := v.findOrders(body.Query, body.State, body.Day)
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
		body.Rows = append(body.Rows, orderRow{Name: short(o.Name, 60), Path: orderPath(o.Shop, o.ID), Shop: v.shopShown(o.Shop), Amount: report.MoneyText(o.Total, o.Currency), ERPRef: short(o.Delivery.ERPRef, 60), InERP: v.erpDocument(o.Delivery),
			Badge: orderBadge(o.Order, o.Delivery), Reason: short(o.Delivery.Reason, 160), Placed: clocks(o.Shop).at(o.CreatedAt), Test: o.Test})
	}
	body.More = body.Query != "" && len(views) == perPage
	if len(views) == perPage && body.Query == "" {
		last := views[len(views)-1]
		body.Older = v.with("before", orderCursor(store.Cursor{SeenAt: body.Day.at(last), ID: last.ID, Shop: last.Shop}))
	}
	return view{template: "orders", title: "Orders", body: body}, nil
}

// dayChosen is the day of the address; zero: none. Each shop has days of its own,
// and what is searched for may be of any.
func (v *visit) dayChosen() (d placed, err error) {
	d.shop = v.shopChosen()
	if len(v.Shops) == 1 {
		d.shop = v.Shops[0]
	}
	date, wrong := time.Parse(time.DateOnly, v.URL.Query().Get("day"))
	if wrong != nil || d.shop == "" || v.URL.Query().Get("q") != "" {
		return placed{}, nil
	}
	shop, err := v.Store.Shop(v.Context(), d.shop)
	if err != nil {
		return placed{}, err
	}
	c := v.clock(shop)
	d.from, d.to, err = report.DayBounds(date.Format(time.DateOnly), c.zone)
	d.Text = date.Format("2 January 2006")
	if d.from.Equal(c.midnight()) {
		d.Text = "today"
	}
	return d, err
}

// at is where an order stands in a list: by when it was placed where the list
// is of a day, else by when it was first seen.
func (d placed) at(o store.OrderView) time.Time {
	if d.Text != "" {
		return o.CreatedAt
	}
	return o.FirstSeenAt
}

// findOrders lists one page, or all that a search can mean.
func (v *visit) findOrders(query, state string, d placed) ([]store.OrderView, error) {
	if query != "" {
		return v.search(v.Context(), query, v.shopChosen(), perPage, v.seesPeople(), statesOf(state)...)
	}
	before, err := readOrderCursor(v.URL.Query().Get("before"))
	if err != nil {
		return nil, wrongInput("This page of the list is not to be found. Start at its top.")
	}
	f := store.OrderFilter{Shop: v.shopChosen(), Before: before, Limit: perPage}
	if d.Text != "" {
		f.Shop, f.From, f.To = d.shop, d.from, d.to
	}
	var all []store.OrderView
	for _, f := range inStates([]store.OrderFilter{f}, statesOf(state)) {
		some, err := v.Store.Orders(v.Context(), f)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortFunc(all, func(a, b store.OrderView) int {
		return cmp.Or(d.at(b).Compare(d.at(a)), cmp.Compare(b.ID, a.ID), strings.Compare(b.Shop, a.Shop))
	})
	return all[:min(len(all), perPage)], nil
}
