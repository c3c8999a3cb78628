package ui

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"gapless/store"
)

// message is one server-sent event.
type message struct {
	event string
	id    string // with which a client can come back to here
	data  any
}

// OrderChange says that something was decided about an order.
type OrderChange struct {
	Shop    string    `json:"shop"`
	ID      int64     `json:"id"`
	Name    string    `json:"name"`
	Version string    `json:"version"`
	ERP     string    `json:"erp"`
	State   string    `json:"state" doc:"of its delivery, now"`
	Step    string    `json:"step"`
	Outcome string    `json:"outcome"`
	At      time.Time `json:"at"`
}

// DeliveryChange says that a call to an ERP began or ended.
type DeliveryChange struct {
	ID      int64     `json:"id" doc:"of the attempt"`
	Shop    string    `json:"shop"`
	OrderID int64     `json:"order_id"`
	Name    string    `json:"name"`
	ERP     string    `json:"erp"`
	Action  string    `json:"action" enum:"deliver,lookup"`
	Version string    `json:"version"`
	Result  string    `json:"result" doc:"empty: it is under way"`
	State   string    `json:"state" doc:"of the delivery, now"`
	At      time.Time `json:"at" doc:"when it began"`
}

// GapChange says that something happened to a gap.
type GapChange struct {
	ID      int64     `json:"id"`
	Shop    string    `json:"shop"`
	OrderID int64     `json:"order_id"`
	Name    string    `json:"name"`
	ERP     string    `json:"erp"`
	Kind    string    `json:"kind"`
	Cause   string    `json:"cause"`
	State   string    `json:"state" doc:"now"`
	Step    string    `json:"step"`
	At      time.Time `json:"at"`
}

// RunChange says that a run began, went on or ended.
type RunChange struct {
	ID    int64  `json:"id"`
	Shop  string `json:"shop"`
	Kind  string `json:"kind"`
	State string `json:"state"`
	Done  int64  `json:"done"`
	Total int64  `json:"total"`
	Found int64  `json:"found"`
}

// How much is told at once, and how far back a client that comes back is told
// what it missed. Both count changes.
const (
	changesAtOnce = 500
	changesBack   = 5000
)

// follower knows how far one client has been told what changes.
type follower struct {
	store *store.Store
	mark  store.Mark
	calls map[int64]bool      // under way when it was last told
	runs  map[int64]RunChange // the same, as they were told
}

// followFrom goes on after the event with this id, or, where there is none or it
// is too old, from now on; missed says the latter.
func followFrom(s *store.Store, lastID string, newest store.Mark) (f *follower, missed bool) {
	f = &follower{store: s, mark: newest, calls: map[int64]bool{}, runs: map[int64]RunChange{}}
	if lastID == "" {
		return f, false
	}
	var m store.Mark
	n, err := fmt.Sscanf(lastID, "%d-%d-%d-%d", &m.Decision, &m.Attempt, &m.Step, &m.Run)
	if n < 4 || err != nil || !within(m, newest) {
		return f, true
	}
	f.mark = m
	return f, false
}

func within(m, newest store.Mark) bool {
	for _, behind := range []int64{newest.Decision - m.Decision, newest.Attempt - m.Attempt, newest.Step - m.Step, newest.Run - m.Run} {
		if behind < 0 || behind > changesBack {
			return false
		}
	}
	return true
}

// id is the place that has been told so far. What is under way is told again
// from there.
func (f *follower) id() string {
	call, run := f.mark.Attempt, f.mark.Run
	for id := range f.calls {
		call = min(call, id-1)
	}
	for id := range f.runs {
		run = min(run, id-1)
	}
	return fmt.Sprintf("%d-%d-%d-%d", f.mark.Decision, call, f.mark.Step, run)
}

// tellAll tells, in batches, all that changed since it last did.
func (f *follower) tellAll(ctx context.Context, tell func([]message) error) error {
	for _, changes := range []func(context.Context) (batch []message, more bool, err error){f.gaps, f.runsNow, f.orders, f.deliveries} {
		for more := true; more; {
			var batch []message
			var err error
			if batch, more, err = changes(ctx); err != nil {
				return err
			}
			if len(batch) == 0 {
				continue
			}
			if err := tell(batch); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f *follower) message(event string, data any) message { return message{event, f.id(), data} }

// orders tells each order once, by the last that was decided about it.
func (f *follower) orders(ctx context.Context) (batch []message, more bool, err error) {
	all, err := f.store.OrdersSince(ctx, f.mark.Decision, changesAtOnce)
	last := map[store.OrderKey]int64{}
	for _, c := range all {
		last[c.OrderKey] = c.ID
	}
	for _, c := range all {
		f.mark.Decision = c.ID
		if c.Name != "" && last[c.OrderKey] == c.ID {
			batch = append(batch, f.message("order", OrderChange{c.Shop, c.OrderKey.ID, c.Name, c.Version, c.ERP, c.State, c.Step, c.Outcome, c.At}))
		}
	}
	return batch, len(all) == changesAtOnce, err
}

// deliveries tells calls that began, and those that ended which were under way
// before.
func (f *follower) deliveries(ctx context.Context) (batch []message, more bool, err error) {
	for _, id := range slices.Sorted(maps.Keys(f.calls)) {
		c, err := f.store.Call(ctx, id)
		if err != nil {
			return nil, false, err
		}
		if c.Result != "" {
			delete(f.calls, id)
			batch = append(batch, f.message("delivery", deliveryChange(c)))
		}
	}
	all, err := f.store.CallsSince(ctx, f.mark.Attempt, changesAtOnce)
	for _, c := range all {
		f.mark.Attempt = c.ID
		if c.Result == "" {
			f.calls[c.ID] = true
		}
		batch = append(batch, f.message("delivery", deliveryChange(c)))
	}
	f.forgetCutOff()
	return batch, len(all) == changesAtOnce, err
}

// mostCalls bounds the calls that are watched. A call that was cut off never
// ends: the oldest are not waited for.
const mostCalls = 200

func (f *follower) forgetCutOff() {
	ids := slices.Sorted(maps.Keys(f.calls))
	for _, id := range ids[:max(0, len(ids)-mostCalls)] {
		delete(f.calls, id)
	}
}

func deliveryChange(c store.CallChange) DeliveryChange {
	return DeliveryChange{c.ID, c.Shop, c.OrderKey.ID, c.Name, c.ERP, c.Action, c.Version, c.Result, c.State, c.At}
}

func (f *follower) gaps(ctx context.Context) (batch []message, more bool, err error) {
	all, err := f.store.GapsSince(ctx, f.mark.Step, changesAtOnce)
	for _, c := range all {
		f.mark.Step = c.ID
		batch = append(batch, f.message("gap", GapChange{c.GapID, c.Shop, c.OrderKey.ID, c.Name, c.ERP, c.Kind, c.Cause, c.State, c.Step, c.At}))
	}
	return batch, len(all) == changesAtOnce, err
}

// runsNow tells runs that began, and how those go on that were under way.
func (f *follower) runsNow(ctx context.Context) (batch []message, more bool, err error) {
	tell := func(r store.Run) {
		now := RunChange{r.ID, r.Shop, r.Kind, r.State, r.Done, r.Total, r.Found}
		was, known := f.runs[r.ID]
		delete(f.runs, r.ID)
		if r.State == store.RunRunning {
			f.runs[r.ID] = now
		}
		if !known || was != now {
			batch = append(batch, f.message("run", now))
		}
	}
	for _, id := range slices.Sorted(maps.Keys(f.runs)) {
		r, err := f.store.Run(ctx, id)
		if err != nil {
			return nil, false, err
		}
		tell(r)
	}
	all, err := f.store.RunsSince(ctx, f.mark.Run, changesAtOnce)
	for _, r := range all {
		f.mark.Run = r.ID
		tell(r)
	}
	return batch, len(all) == changesAtOnce, err
}
