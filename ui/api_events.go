package ui

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"

	"gapless/store"
)

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

type eventIn struct {
	ID int64 `path:"id"`
}

// EventDetail is an event with its body, base64 where it is not UTF-8 text.
type EventDetail struct {
	Event
	Body   string `json:"body" doc:"as it came; empty where it is no longer kept"`
	Hidden string `json:"hidden,omitempty" doc:"why the body is not shown: viewers don't see customers' data"`
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
	if !seesPeople(ctx) {
		return &answer[EventDetail]{EventDetail{Event: EventOf(e), Hidden: hidden}}, nil
	}
	return &answer[EventDetail]{EventDetailOf(e)}, nil
}

// EventDetailOf tells a stored event with its body.
func EventDetailOf(e store.Event) EventDetail {
	detail := EventDetail{Event: EventOf(e), Body: string(e.Body)}
	if !utf8.Valid(e.Body) {
		detail.Body, detail.Base64 = base64.StdEncoding.EncodeToString(e.Body), true
	}
	return detail
}
