package ui

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"
	"github.com/julienschmidt/httprouter"

	"gapless/store"
)

// api hangs the JSON API on the router. Its description is made from these
// operations and served at /api/openapi.json.
func (s *Server) api(r *httprouter.Router) {
	config := huma.DefaultConfig("Gapless", s.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/api/openapi", "", ""
	config.CreateHooks = nil // no $schema links in answers
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Security = []map[string][]string{{"token": {}}}
	api := humahttprouter.New(r, config)
	api.UseMiddleware(s.authorize(api))

	huma.Get(api, "/api/v1/orders", s.listOrders)
	huma.Get(api, "/api/v1/orders/{shop}/{id}", s.showOrder)
	huma.Get(api, "/api/v1/events", s.listEvents)
	huma.Get(api, "/api/v1/events/{id}", s.showEvent)
	huma.Get(api, "/api/v1/deliveries", s.listDeliveries)
	huma.Get(api, "/api/v1/stats", s.stats)
	huma.Register(api, huma.Operation{
		OperationID: "post-replays", Method: http.MethodPost, Path: "/api/v1/replays", DefaultStatus: http.StatusAccepted,
		Summary: "Verify orders in their ERP and send them again where needed",
	}, s.replay)
}

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

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Page is what every list takes.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" doc:"next of the page before" maxLength:"200"`
}

type answer[T any] struct{ Body T }

// List is one page.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"cursor of the next page; missing on the last"`
}

type ordersIn struct {
	Page
	Shop  string `query:"shop" maxLength:"50"`
	State string `query:"state" enum:"due,sending,delivered,unknown,parked,excluded"`
	Name  string `query:"name" maxLength:"100" doc:"exact, like #1001"`
}

func (s *Server) listOrders(ctx context.Context, in *ordersIn) (*answer[List[Order]], error) {
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
	decisions, err := s.Store.Decisions(ctx, key, 500)
	if err != nil {
		return nil, s.failed("the history could not be read", err)
	}
	events, err := s.Store.Events(ctx, store.EventFilter{Shop: in.Shop, OrderID: in.ID, Limit: 200})
	if err != nil {
		return nil, s.failed("the events could not be read", err)
	}
	tries, err := s.Store.Tries(ctx, store.TryFilter{Order: key, Limit: 100, Full: true})
	if err != nil {
		return nil, s.failed("the attempts could not be read", err)
	}
	detail := OrderDetail{Order: OrderOf(order, delivery), Content: order.Content, Decisions: []Decision{}, Events: []Event{}, Attempts: []Attempt{}}
	for _, d := range decisions {
		detail.Decisions = append(detail.Decisions, Decision{d.At, d.Step, d.Outcome, d.Detail, d.EventID})
	}
	for _, e := range events {
		detail.Events = append(detail.Events, EventOf(e))
	}
	for _, t := range tries {
		detail.Attempts = append(detail.Attempts, attemptOf(t))
	}
	return &answer[OrderDetail]{detail}, nil
}

// Event is something heard about a shop.
type Event struct {
	ID          int64           `json:"id"`
	Shop        string          `json:"shop"`
	Source      string          `json:"source" enum:"webhook,refetch"`
	Topic       string          `json:"topic"`
	WebhookID   string          `json:"webhook_id,omitempty"`
	EventID     string          `json:"event_id,omitempty"`
	Headers     json.RawMessage `json:"headers"`
	TriggeredAt *time.Time      `json:"triggered_at"`
	ReceivedAt  time.Time       `json:"received_at"`
	Size        int64           `json:"size" doc:"bytes of the body"`
}

// EventOf tells a stored event without its body.
func EventOf(e store.Event) Event {
	headers := json.RawMessage(e.Headers)
	if !json.Valid(headers) {
		headers = json.RawMessage(`{}`)
	}
	return Event{e.ID, e.Shop, e.Source, e.Topic, e.WebhookID, e.EventID, headers, orNil(e.TriggeredAt), e.ReceivedAt, e.Size}
}

type eventsIn struct {
	Page
	Shop  string `query:"shop" maxLength:"50"`
	Topic string `query:"topic" maxLength:"100"`
}

func (s *Server) listEvents(ctx context.Context, in *eventsIn) (*answer[List[Event]], error) {
	before, err := readIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	events, err := s.Store.Events(ctx, store.EventFilter{Shop: in.Shop, Topic: in.Topic, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, s.failed("events could not be read", err)
	}
	list := List[Event]{Items: []Event{}}
	for _, e := range events {
		list.Items = append(list.Items, EventOf(e))
	}
	if len(events) == in.Limit {
		list.Next = strconv.FormatInt(events[len(events)-1].ID, 10)
	}
	return &answer[List[Event]]{list}, nil
}

// readIDCursor reads the cursor of lists that go by id; 0 is the start.
func readIDCursor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, huma.Error422UnprocessableEntity("cursor is not one of ours; leave it out to start anew")
	}
	return id, nil
}

type eventIn struct {
	ID int64 `path:"id"`
}

// EventDetail is an event with its body, base64 where it is not UTF-8 text.
type EventDetail struct {
	Event
	Body   string `json:"body" doc:"as it came; empty where it is no longer kept"`
	Base64 bool   `json:"base64,omitempty" doc:"the body is not text and is written in base64"`
}

func (s *Server) showEvent(ctx context.Context, in *eventIn) (*answer[EventDetail], error) {
	e, err := s.Store.Event(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, huma.Error404NotFound("there is no such event")
	}
	if err != nil {
		return nil, s.failed("the event could not be read", err)
	}
	detail := EventDetail{Event: EventOf(e), Body: string(e.Body)}
	if valid := strings.ToValidUTF8(detail.Body, ""); valid != detail.Body {
		detail.Body, detail.Base64 = base64.StdEncoding.EncodeToString(e.Body), true
	}
	return &answer[EventDetail]{detail}, nil
}

// Attempt is one call to an ERP.
type Attempt struct {
	ID         int64           `json:"id"`
	Shop       string          `json:"shop"`
	OrderID    int64           `json:"order_id"`
	ERP        string          `json:"erp"`
	Action     string          `json:"action" enum:"deliver,lookup"`
	Ref        string          `json:"ref"`
	Version    string          `json:"version"`
	StartedAt  time.Time       `json:"started_at"`
	Result     string          `json:"result" doc:"empty while it runs, or where it was cut off"`
	Reason     string          `json:"reason,omitempty"`
	Field      string          `json:"field,omitempty"`
	Hint       string          `json:"hint,omitempty"`
	ERPRef     string          `json:"erp_ref,omitempty"`
	Applied    bool            `json:"applied" doc:"false where another attempt had taken over"`
	DurationMS float64         `json:"duration_ms"`
	Exchanges  json.RawMessage `json:"exchanges,omitempty" doc:"what was said and heard"`
}

func attemptOf(t store.Try) Attempt {
	a := Attempt{ID: t.ID, Shop: t.Shop, OrderID: t.DeliveryKey.ID, ERP: t.ERP, Action: t.Action, Ref: t.Ref, Version: t.Version, StartedAt: t.StartedAt}
	if o := t.Outcome; o != nil {
		a.Result, a.Reason, a.Field, a.Hint, a.ERPRef, a.Applied = o.Result, o.Reason, o.Field, o.Hint, o.ERPRef, o.Applied
		a.DurationMS, a.Exchanges = float64(o.Duration.Microseconds())/1000, o.Exchanges
	}
	return a
}

func (s *Server) listDeliveries(ctx context.Context, in *Page) (*answer[List[Attempt]], error) {
	before, err := readIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	tries, err := s.Store.Tries(ctx, store.TryFilter{Before: before, Limit: in.Limit})
	if err != nil {
		return nil, s.failed("deliveries could not be read", err)
	}
	list := List[Attempt]{Items: []Attempt{}}
	for _, t := range tries {
		list.Items = append(list.Items, attemptOf(t))
	}
	if len(tries) == in.Limit {
		list.Next = strconv.FormatInt(tries[len(tries)-1].ID, 10)
	}
	return &answer[List[Attempt]]{list}, nil
}

// Stats is the state of the whole.
type Stats struct {
	Shops          []string `json:"shops"`
	Orders         int64    `json:"orders"`
	PendingEvents  int64    `json:"pending_events" doc:"stored, not yet decided"`
	Refetching     int64    `json:"refetching" doc:"orders Shopify is to be asked for"`
	EventsLastHour struct {
		Received  int64 `json:"received"`
		Duplicate int64 `json:"duplicate"`
		Rejected  int64 `json:"rejected"`
	} `json:"events_last_hour"`
	DeliveriesLastHour struct {
		Sent   int64 `json:"sent"`
		Failed int64 `json:"failed"`
	} `json:"deliveries_last_hour"`
	Delivered  int64 `json:"delivered"`
	Sending    int64 `json:"sending"`
	Retrying   int64 `json:"retrying"`
	Due        int64 `json:"due"`
	Unknown    int64 `json:"unknown"`
	Parked     int64 `json:"parked"`
	Excluded   int64 `json:"excluded"`
	WebhookLag struct {
		P50 float64 `json:"p50"`
		P99 float64 `json:"p99"`
	} `json:"webhook_lag_s"`
}

func (s *Server) stats(ctx context.Context, _ *struct{}) (*answer[Stats], error) {
	st, err := s.Store.Stats(ctx, s.Now().Add(-time.Hour))
	if err != nil {
		return nil, s.failed("figures could not be gathered", err)
	}
	v := Stats{Shops: s.Shops, Orders: st.Orders, PendingEvents: st.PendingEvents, Refetching: st.Refetching, Retrying: st.Retrying,
		Delivered: st.States[store.StateDelivered], Sending: st.States[store.StateSending], Due: st.States[store.StateDue],
		Unknown: st.States[store.StateUnknown], Parked: st.States[store.StateParked], Excluded: st.States[store.StateExcluded]}
	v.EventsLastHour.Received, v.EventsLastHour.Duplicate, v.EventsLastHour.Rejected = st.Received, st.Duplicates, st.Refused
	v.DeliveriesLastHour.Sent, v.DeliveriesLastHour.Failed = st.Sent, st.Failed
	v.WebhookLag.P50, v.WebhookLag.P99 = st.LagP50.Seconds(), st.LagP99.Seconds()
	return &answer[Stats]{v}, nil
}

type replayIn struct {
	Body struct {
		Orders []replayOrder `json:"orders" minItems:"1" maxItems:"500"`
		DryRun bool          `json:"dry_run,omitempty" doc:"only say which calls would be made"`
	}
}

type replayOrder struct {
	Shop string `json:"shop"`
	ID   int64  `json:"id"`
}

// Replayed is what a replay started, or would.
type Replayed struct {
	Started int64  `json:"started"`
	Plans   []Plan `json:"plans,omitempty"`
}

func (s *Server) replay(ctx context.Context, in *replayIn) (*answer[Replayed], error) {
	keys := make([]store.OrderKey, len(in.Body.Orders))
	for i, o := range in.Body.Orders {
		keys[i] = store.OrderKey{Shop: o.Shop, ID: o.ID}
	}
	var out Replayed
	if in.Body.DryRun {
		for _, k := range keys {
			plan, err := s.Actions.Plan(ctx, k)
			if errors.Is(err, store.ErrNotFound) {
				return nil, huma.Error404NotFound(fmt.Sprintf("there is no order %d of %s", k.ID, k.Shop))
			}
			if err != nil {
				return nil, s.failed("the calls could not be planned", err)
			}
			out.Plans = append(out.Plans, plan)
		}
		return &answer[Replayed]{out}, nil
	}
	by, _ := ctx.Value(contextKey{}).(string)
	started, err := s.Actions.Replay(ctx, keys, by)
	if err != nil {
		return nil, s.failed("the replay could not be started", err)
	}
	out.Started = started
	return &answer[Replayed]{out}, nil
}

// failed keeps the cause in the log and tells the client what to do.
func (s *Server) failed(what string, err error) error {
	s.Log.Error(what, "err", err)
	return huma.Error503ServiceUnavailable(what + "; try again, and look at the log if it stays so")
}
