package ui

import (
	"context"
	"encoding/json"
	"time"

	"github.com/shopspring/decimal"

	"gapless/store"
	"gapless/sync/report"
)

// Actions is what the API and the pages ask of the engine.
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
	// IgnoreGaps leaves gaps as they are, all or, where one is store.ErrNotFound,
	// none. It returns how many; closed ones need nothing.
	IgnoreGaps(ctx context.Context, ids []int64, by, reason string) (int64, error)
	// StartRun begins a run and returns its id; it goes on after that. The same
	// one that is under way is store.ErrRunning; what can't be meant, a WrongRequest.
	StartRun(ctx context.Context, run RunRequest, by string) (id int64, err error)
	// PlanRun says what StartRun would begin.
	PlanRun(ctx context.Context, run RunRequest) (RunPlan, error)

	// Neutral is an order as rules and mapping see it, JSON.
	Neutral(ctx context.Context, order store.OrderKey) (json.RawMessage, error)
	// Documents asks the ERP which documents it holds of an order.
	Documents(ctx context.Context, order store.OrderKey) ([]Document, error)
	// TryRule says what the rules make of an order, and a condition that is not
	// among them. One that can't be read is a WrongRequest.
	TryRule(ctx context.Context, order store.OrderKey, when string) (Trial, error)
	// Report is a day's report: the one that was kept, or what the day's last
	// comparison saw. Where there is neither, it is store.ErrNotFound.
	Report(ctx context.Context, shop, day string) (report.Report, error)
	// StartDay begins to compare a day of the shop, like StartRun.
	StartDay(ctx context.Context, shop, day, by string) (id int64, err error)
	// Connections tells what Gapless is connected to, without asking anybody.
	Connections() Connections
	// Test tries a connection: a shop's, an ERP's, or one of Connections.Others.
	// Its error says what to mend.
	Test(ctx context.Context, kind, name string) error
}

// Document is what an ERP holds of an order.
type Document struct {
	ID        string // the ERP's own number
	Version   string // as last sent; empty where the ERP does not keep it
	Total     string // empty where the ERP does not tell
	Currency  string
	Cancelled bool
	Lines     []DocumentLine // nil where the ERP does not tell
	Bare      bool           // their amounts are without taxes and before discounts
}

// DocumentLine is one line of such a document.
type DocumentLine struct {
	SKU, Title string
	Quantity   decimal.Decimal
	Amount     string // empty where the ERP does not tell
	Extra      bool   // it stands for a discount, a fee or what rounding left over
}

// Trial is what rules make of an order.
type Trial struct {
	Rule    string // the first of the config's that matches; empty: none does
	Then    string // what it does: exclude or hold
	Asked   bool   // a condition of one's own was tried
	Matches bool   // it is true of the order
}

// Connections are the ends that Gapless connects.
type Connections struct {
	Shops  []ShopConnection
	ERPs   []ERPConnection
	Others []string // what else can be tested: the mail server, the disk, the OpenID Connect provider
	Free   int64    // bytes free where the store is; less than 0: not known
}

// ShopConnection is one shop.
type ShopConnection struct {
	Name, Domain, ERP      string
	Webhooks               bool
	APIVersion, APIAnswers string        // what is asked for, and what Shopify answers with; empty: not asked yet
	Pace                   time.Duration // between polls at present
	Compares               time.Duration // from one regular comparison to the next
	TokenExpires           time.Time     // zero: never or, where it is renewed, there is none yet
	TokenRenewed           bool          // before it expires
}

// ERPConnection is one ERP.
type ERPConnection struct {
	Name, Kind string
	Tier       string    // A, B or C: how far it can keep an order from being doubled
	Until      time.Time // attempts pause until then; zero: they don't
	Reason     string    // why they do
	Link       string    // where people see a document, with {ref} or {id}; empty: nowhere
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
	// Document is nil where it does not come to that.
	Document json.RawMessage `json:"document,omitempty" doc:"the order as the mapping makes it"`
}

// RunPlan is a dry run of a run.
type RunPlan struct {
	Kind string     `json:"kind"`
	Shop string     `json:"shop"`
	From *time.Time `json:"from" doc:"its window; null: a poll goes on where the last one ended"`
	To   *time.Time `json:"to"`
	Heal bool       `json:"heal" doc:"mends what it finds"`
	// What a backfill would do; nil for other runs.
	Orders  *int `json:"orders,omitempty" doc:"of a backfill: how many were placed in its window"`
	Unknown *int `json:"unknown,omitempty" doc:"of those: how many it would bring in"`
}

// PlanCall is one writing request to the ERP, without secrets.
type PlanCall struct {
	Method string            `json:"method"`
	URL    string            `json:"url"`
	Header map[string]string `json:"header,omitempty"`
	Body   string            `json:"body,omitempty"`
}
