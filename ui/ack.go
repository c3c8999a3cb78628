package ui

import (
	"context"
	"regexp"

	"gapless/store"
)

type acksIn struct {
	ERP  string `path:"erp" maxLength:"50"`
	Body struct {
		Acks []Ack `json:"acks" minItems:"1" maxItems:"500"`
	}
}

// Ack is what an ERP did with an order that it fetched.
type Ack struct {
	Ref      string `json:"ref"`
	Version  string `json:"version" doc:"as it was fetched"`
	Status   string `json:"status" doc:"taken, or refused: the order is parked until a person has acted"`
	ID       string `json:"id,omitempty" doc:"the ERP's own number, for people"`
	Total    string `json:"total,omitempty" doc:"decimal, as the ERP computed it"`
	Currency string `json:"currency,omitempty"`
	Reason   string `json:"reason,omitempty" doc:"why it was refused"`
	Field    string `json:"field,omitempty" doc:"the field at fault" example:"lines[2].sku"`
}

// Acked answers an acknowledgement.
type Acked struct {
	Ref     string `json:"ref"`
	Version string `json:"version"`
	OK      bool   `json:"ok" doc:"it counts, or was known already"`
	Newer   bool   `json:"newer,omitempty" doc:"a newer version of the order is on offer"`
	Error   string `json:"error,omitempty" doc:"why it changes nothing"`
}

// Acks answer acknowledgements, in their order.
type Acks struct {
	Acks []Acked `json:"acks"`
}

func (s *Server) acknowledge(ctx context.Context, in *acksIn) (*answer[Acks], error) {
	if err := s.pulls(in.ERP); err != nil {
		return nil, err
	}
	out := Acks{make([]Acked, len(in.Body.Acks))}
	var good []store.Ack
	var places []int // of the good ones
	for i, a := range in.Body.Acks {
		out.Acks[i] = Acked{Ref: a.Ref, Version: a.Version, Error: a.wrong()}
		if out.Acks[i].Error == "" {
			good, places = append(good, a.told()), append(places, i)
		}
	}
	if len(good) == 0 {
		return &answer[Acks]{out}, nil
	}
	newer, errs, err := s.Store.Acknowledge(ctx, in.ERP, good)
	if err != nil {
		return nil, s.failed("the acknowledgements could not be stored", err)
	}
	for i, place := range places {
		acked := &out.Acks[place]
		acked.Newer, acked.OK = newer[i], errs[i] == nil
		if errs[i] != nil {
			acked.Error = errs[i].Error()
		}
	}
	return &answer[Acks]{out}, nil
}

// decimalText bounds amounts to what an order can be worth.
var (
	decimalText  = regexp.MustCompile(`^-?\d{1,15}(\.\d{1,8})?$`)
	currencyText = regexp.MustCompile(`^[A-Z]{3}$`)
)

// wrong says what can't be read of an acknowledgement; empty: nothing.
func (a Ack) wrong() string {
	const mostText, mostReason = 200, 2000
	switch {
	case a.Ref == "" || a.Version == "":
		return "ref and version are needed, as they were fetched"
	case a.Status != "taken" && a.Status != "refused":
		return `status is to be "taken" or "refused"`
	case a.Total != "" && !decimalText.MatchString(a.Total):
		return `total is to be a decimal in a string, like "12.50"`
	case a.Currency != "" && !currencyText.MatchString(a.Currency):
		return `currency is to be three letters, like "EUR"`
	case len(a.ID) > mostText || len(a.Field) > mostText || len(a.Reason) > mostReason:
		return "id and field may have 200 bytes, reason 2000"
	}
	return ""
}

func (a Ack) told() store.Ack {
	return store.Ack{
		Ref: a.Ref, Label: a.Version, Taken: a.Status == "taken", ERPRef: a.ID, Total: a.Total, Currency: a.Currency, Reason: a.Reason, Field: a.Field,
	}
}
