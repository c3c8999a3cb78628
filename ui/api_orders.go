package ui

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gapless/store"
)

// Order is an order as the API tells it.
type Order struct {
	Shop        string     `json:"shop"`
	ID          int64      `json:"id" doc:"Shopify's number; may pass 2^53"`
	Name        string     `json:"name" example:"#1001"`
	Version     string     `json:"version" doc:"newest known version"`
	State       string     `json:"state" enum:"due,sending,delivered,unknown,parked,excluded"`
	Wanted      string     `json:"wanted" doc:"version the ERP should hold"`
	Held        string     `json:"held" doc:"version the ERP holds; empty: none"`
	ERP         string     `json:"erp"`
	ERPRef      string     `json:"erp_ref" doc:"the ERP's own number"`
	ERPTotal    string     `json:"erp_total,omitempty" doc:"as the ERP computed it"`
	Total       string     `json:"total" doc:"decimal, shop money, worth now"`
	Currency    string     `json:"currency"`
	Test        bool       `json:"test"`
	CreatedAt   time.Time  `json:"created_at"`
	UpdatedAt   time.Time  `json:"updated_at"`
	FirstSeenAt time.Time  `json:"first_seen_at"`
	CancelledAt *time.Time `json:"cancelled_at"`
	DeletedAt   *time.Time `json:"deleted_at"`
	NextAt      *time.Time `json:"next_at" doc:"when the next attempt is due, while due or unknown"`
	Tries       int        `json:"tries" doc:"attempts since the last success"`
	Reason      string     `json:"reason"`
	Field       string     `json:"field,omitempty"`
	Hint        string     `json:"hint"`
	Rule        string     `json:"rule,omitempty" doc:"the rule that excluded or holds it"`
}

// OrderOf tells a stored order and its delivery.
func OrderOf(o store.Order, d store.Delivery) Order {
	v := Order{
		Shop: o.Shop, ID: o.ID, Name: o.Name, Version: o.Version, State: d.State, Wanted: d.Wanted, Held: d.Held, ERP: d.ERP, ERPRef: d.ERPRef,
		ERPTotal: d.ERPTotal, Total: o.Total, Currency: o.Currency, Test: o.Test, CreatedAt: o.CreatedAt, UpdatedAt: o.UpdatedAt, FirstSeenAt: o.FirstSeenAt,
		CancelledAt: orNil(o.CancelledAt), DeletedAt: orNil(o.DeletedAt), Tries: d.Tries, Reason: d.Reason, Field: d.Field, Hint: d.Hint, Rule: d.Rule,
	}
	if d.State == store.StateDue || d.State == store.StateUnknown {
		v.NextAt = orNil(d.NextAt)
	}
	return v
}

type ordersIn struct {
	Page
	Shop  string `query:"shop" maxLength:"50"`
	State string `query:"state" enum:"due,sending,delivered,unknown,parked,excluded"`
	Name  string `query:"name" maxLength:"100" doc:"exact, like #1001"`
	Query string `query:"q" maxLength:"200" doc:"finds an order by its name, its number, the ERP's, its reference or, with the scope operator, its customer's e-mail address or name; the newest, without a next page, state or name aside"`
}

func (s *Server) listOrders(ctx context.Context, in *ordersIn) (*answer[List[Order]], error) {
	if in.Query != "" {
		return s.findOrders(ctx, in)
	}
	before, err := readOrderCursor(in.Cursor)
	if err != nil {
		return nil, huma.Error422UnprocessableEntity("cursor is not one of ours; leave it out to start anew")
	}
	views, err := s.Store.Orders(ctx, store.OrderFilter{Shop: in.Shop, State: in.State, Name: in.Name, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, s.failed("orders could not be read", err)
	}
	list := List[Order]{Items: []Order{}}
	for _, v := range views {
		list.Items = append(list.Items, OrderOf(v.Order, v.Delivery))
	}
	if len(views) == in.Limit {
		last := views[len(views)-1]
		list.Next = orderCursor(store.Cursor{SeenAt: last.FirstSeenAt, ID: last.ID, Shop: last.Shop})
	}
	return &answer[List[Order]]{list}, nil
}

func (s *Server) findOrders(ctx context.Context, in *ordersIn) (*answer[List[Order]], error) {
	views, err := s.search(ctx, in.Query, in.Shop, in.Limit, seesPeople(ctx))
	if err != nil {
		return nil, s.failed("orders could not be searched", err)
	}
	list := List[Order]{Items: []Order{}}
	for _, v := range views {
		list.Items = append(list.Items, OrderOf(v.Order, v.Delivery))
	}
	return &answer[List[Order]]{list}, nil
}

func orderCursor(c store.Cursor) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d.%d.%s", c.SeenAt.UnixMicro(), c.ID, c.Shop))
}

func readOrderCursor(text string) (c store.Cursor, err error) {
	if text == "" {
		return c, nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, err
	}
	at, rest, _ := strings.Cut(string(raw), ".")
	id, shop, _ := strings.Cut(rest, ".")
	us, err1 := strconv.ParseInt(at, 10, 64)
	c.ID, err = strconv.ParseInt(id, 10, 64)
	c.SeenAt, c.Shop = time.UnixMicro(us), shop
	return c, errors.Join(err1, err)
}

type orderIn struct {
	Shop string `path:"shop" maxLength:"50"`
	ID   int64  `path:"id"`
}

// OrderDetail is an order with its history.
type OrderDetail struct {
	Order
	Content   json.RawMessage `json:"content" doc:"the order in Shopify's terms"`
	Hidden    string          `json:"hidden,omitempty" doc:"why content and exchanges are not shown: viewers don't see customers' data"`
	Decisions []Decision      `json:"decisions"`
	Events    []Event         `json:"events"`
	Attempts  []Attempt       `json:"attempts"`
}

// Decision is one line of an order's history.
type Decision struct {
	At      time.Time `json:"at"`
	Step    string    `json:"step"`
	Outcome string    `json:"outcome"`
	Detail  string    `json:"detail,omitempty"`
	EventID int64     `json:"event_id,omitempty"`
}

func (s *Server) showOrder(ctx context.Context, in *orderIn) (*answer[OrderDetail], error) {
	key := store.OrderKey{Shop: in.Shop, ID: in.ID}
	order, err := s.Store.Order(ctx, key)
	if errors.Is(err, store.ErrNotFound) {
		return nil, huma.Error404NotFound("there is no such order here")
	}
	if err != nil {
		return nil, s.failed("the order could not be read", err)
	}
	delivery, err := s.Store.Delivery(ctx, key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return nil, s.failed("the delivery could not be read", err)
	}
	detail, err := OrderDetailOf(ctx, s.Store, order, delivery)
	if err != nil {
		return nil, s.failed("the order could not be read", err)
	}
	if !seesPeople(ctx) {
		detail.hide()
	}
	return &answer[OrderDetail]{detail}, nil
}

// OrderDetailOf tells a stored order and its delivery with all that happened to it.
func OrderDetailOf(ctx context.Context, s *store.Store, o store.Order, d store.Delivery) (OrderDetail, error) {
	detail := OrderDetail{Order: OrderOf(o, d), Content: o.Content, Decisions: []Decision{}, Events: []Event{}, Attempts: []Attempt{}}
	decisions, err := s.Decisions(ctx, o.OrderKey, 500)
	if err != nil {
		return detail, fmt.Errorf("read its history: %w", err)
	}
	events, err := s.Events(ctx, store.EventFilter{Shop: o.Shop, OrderID: o.ID, Limit: 200})
	if err != nil {
		return detail, fmt.Errorf("read its events: %w", err)
	}
	tries, err := s.Tries(ctx, store.TryFilter{Order: o.OrderKey, Limit: 100, Full: true})
	if err != nil {
		return detail, fmt.Errorf("read its attempts: %w", err)
	}
	for _, d := range decisions {
		detail.Decisions = append(detail.Decisions, Decision{d.At, d.Step, d.Outcome, d.Detail, d.EventID})
	}
	for _, e := range events {
		detail.Events = append(detail.Events, EventOf(e))
	}
	for _, t := range tries {
		detail.Attempts = append(detail.Attempts, attemptOf(t))
	}
	return detail, nil
}

// hide takes the customer's data out.
func (d *OrderDetail) hide() {
	d.Content, d.Hidden = nil, hidden
	for i := range d.Attempts {
		d.Attempts[i].Exchanges = nil
	}
}
