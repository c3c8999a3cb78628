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

type deliveriesIn struct {
	Page
	Shop   string `query:"shop" maxLength:"50"`
	ERP    string `query:"erp" maxLength:"50"`
	Order  int64  `query:"order" minimum:"0" doc:"Shopify's number; where there are several shops, with shop"`
	Action string `query:"action" enum:"deliver,lookup"`
	Result string `query:"result" enum:"created,updated,unchanged,rejected,retry,unknown,found,absent" doc:"how they ended"`
}

func (in *deliveriesIn) filter(s *Server) (f store.TryFilter, err error) {
	f = store.TryFilter{Shop: in.Shop, ERP: in.ERP, Action: in.Action, Result: in.Result, Limit: in.Limit}
	if in.Order != 0 {
		f.Order.ID = in.Order
		if f.Order.Shop, err = s.oneShop(in.Shop); err != nil {
			return f, err
		}
	}
	f.Before, err = readIDCursor(in.Cursor)
	return f, err
}

func (s *Server) listDeliveries(ctx context.Context, in *deliveriesIn) (*answer[List[Attempt]], error) {
	f, err := in.filter(s)
	if err != nil {
		return nil, err
	}
	tries, err := s.Store.Tries(ctx, f)
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
