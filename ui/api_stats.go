package ui

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"gapless/store"
	"gapless/sync/report"
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
	GapsOpen      int64            `json:"gaps_open" doc:"gaps that are open or healing"`
	Gaps          map[string]int64 `json:"gaps" doc:"the same by kind"`
	LastReconcile LastReconcile    `json:"last_reconcile"`
}

// Compared is how the last comparison of Shopify and the ERP went.
type Compared struct {
	At              *time.Time `json:"at" doc:"when it began; null: there was none"`
	CompleteThrough *time.Time `json:"complete_through" doc:"every change before it was compared; null: none were"`
	Balanced        bool       `json:"balanced" doc:"all sides were read whole and add up, and nothing is on the way for too long"`
	Run             int64      `json:"run,omitempty" doc:"at /api/v1/runs/{id}; none where there was none, and of several shops together"`
}

// LastReconcile is the same of all shops together, the least good of each.
type LastReconcile struct {
	Compared
	Shops map[string]Compared `json:"shops"`
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
	v.Gaps = map[string]int64{}
	for g, n := range st.Gaps {
		if g.State != store.GapIgnored {
			v.GapsOpen += n
			v.Gaps[g.Kind] += n
		}
	}
	if v.LastReconcile, err = s.lastReconcile(ctx); err != nil {
		return nil, s.failed("the last comparison could not be read", err)
	}
	return &answer[Stats]{v}, nil
}

func (s *Server) lastReconcile(ctx context.Context) (LastReconcile, error) {
	last := LastReconcile{Compared{Balanced: len(s.Shops) > 0}, map[string]Compared{}}
	for i, name := range s.Shops {
		c, err := s.compared(ctx, name)
		if err != nil {
			return last, err
		}
		last.Shops[name] = c
		last.Balanced = last.Balanced && c.Balanced
		if i == 0 {
			last.At, last.CompleteThrough, last.Run = c.At, c.CompleteThrough, c.Run
			continue
		}
		last.Run = 0
		last.At, last.CompleteThrough = earlier(last.At, c.At), earlier(last.CompleteThrough, c.CompleteThrough)
	}
	return last, nil
}

func (s *Server) compared(ctx context.Context, name string) (c Compared, err error) {
	shop, err := s.Store.Shop(ctx, name)
	if err != nil {
		return c, err
	}
	c.CompleteThrough = orNil(shop.CompleteThrough)
	run, err := s.Store.LastCompared(ctx, name)
	if errors.Is(err, store.ErrNotFound) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	var saw struct {
		Balance report.Balance
	}
	c.At, c.Run = orNil(run.StartedAt), run.ID
	c.Balanced = json.Unmarshal(run.Data, &saw) == nil && run.State == store.RunDone && saw.Balance.Balanced()
	return c, nil
}

// earlier is the earlier of two moments, or none where one of them is missing.
func earlier(a, b *time.Time) *time.Time {
	if a == nil || b == nil {
		return nil
	}
	if b.Before(*a) {
		return b
	}
	return a
}
