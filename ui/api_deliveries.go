package ui

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"gapless/store"
)

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
