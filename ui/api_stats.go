package ui

import (
	"context"
	"time"

	"gapless/store"
)

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
