package ui

import (
	"context"

	"gapless/store"
)

// Actions is what the API asks of the engine.
type Actions interface {
	// Replay has orders verified in their ERP and sent again where needed, and
	// returns how many it set in motion.
	Replay(ctx context.Context, orders []store.OrderKey, by string) (int64, error)
	// Plan says what delivering an order now would ask of its ERP.
	Plan(ctx context.Context, order store.OrderKey) (Plan, error)
	// ReplayGaps sets in motion what is to mend gaps, and returns of how many.
	ReplayGaps(ctx context.Context, ids []int64, by string) (int64, error)
	// PlanGap says what replaying a gap now would come to.
	PlanGap(ctx context.Context, id int64) (Plan, error)
	// IgnoreGap leaves a gap as it is.
	IgnoreGap(ctx context.Context, id int64, by, reason string) error
	// StartRun begins a run and returns its id; it goes on after that. The same
	// one that is under way is store.ErrRunning; what can't be meant, a WrongRequest.
	StartRun(ctx context.Context, run RunRequest, by string) (id int64, err error)
}

// WrongRequest is a mistake of the one who asks. Its text says what to ask for.
type WrongRequest string

// Error is the text.
func (w WrongRequest) Error() string { return string(w) }

// Plan is a dry run of one order or gap.
type Plan struct {
	Order  string     `json:"order"` // its name
	Ref    string     `json:"ref"`   // its reference in the ERP
	Action string     `json:"action" enum:"send,nothing,exclude,park,ask,subscribe,poll"`
	Reason string     `json:"reason,omitempty"` // why, except for send
	Hint   string     `json:"hint,omitempty"`
	Calls  []PlanCall `json:"calls"`
}

// PlanCall is one writing request to the ERP, without secrets.
type PlanCall struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}
