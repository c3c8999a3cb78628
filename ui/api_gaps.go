package ui

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gapless/store"
	"gapless/sync/report"
)

// Gap is a gap as the API tells it.
type Gap struct {
	ID            int64      `json:"id"`
	Kind          string     `json:"kind" enum:"missing,stale,mismatch,doubled,stuck,parked,orphan,subscription,silence"`
	KindText      string     `json:"kind_text" doc:"what is wrong, in plain words"`
	Shop          string     `json:"shop"`
	OrderID       int64      `json:"order_id" doc:"Shopify's number; 0: not about one order"`
	Name          string     `json:"name" doc:"of the order; empty: not about one order, or one that is not known yet"`
	ERP           string     `json:"erp"`
	Subject       string     `json:"subject,omitempty" doc:"what else it is about: a webhook topic"`
	State         string     `json:"state" enum:"open,healing,closed,ignored"`
	Cause         string     `json:"cause" doc:"a code word"`
	CauseText     string     `json:"cause_text" doc:"the cause in plain words"`
	Detail        string     `json:"detail" doc:"the evidence, in a sentence"`
	Next          string     `json:"next,omitempty" doc:"what is being done about it, or who must do what"`
	Total         string     `json:"total,omitempty" doc:"decimal: what the order is worth in Shopify, where it is known"`
	Currency      string     `json:"currency,omitempty"`
	FoundBy       string     `json:"found_by"`
	RunID         int64      `json:"run_id,omitempty" doc:"the run that found it"`
	Since         time.Time  `json:"since" doc:"when it began, as far as is known"`
	FirstSeen     time.Time  `json:"first_seen" doc:"when it was found; where it came back, that time"`
	DetectedAfter int64      `json:"detected_after_s" doc:"seconds from since to first_seen"`
	LastSeen      time.Time  `json:"last_seen"`
	CheckedAt     *time.Time `json:"checked_at" doc:"when the ERP was last asked about it"`
	HealedBy      string     `json:"healed_by"`
	ClosedAt      *time.Time `json:"closed_at"`
	IgnoredBy     string     `json:"ignored_by,omitempty"`
	Reason        string     `json:"reason" doc:"why it is ignored"`
	Reopened      int        `json:"reopened" doc:"how often it came back"`
}

// GapOf tells a stored gap.
func GapOf(g store.Gap) Gap {
	return Gap{
		ID: g.ID, Kind: g.Kind, KindText: report.KindText(g.Kind), Shop: g.Shop, OrderID: g.OrderID, Name: g.OrderName, ERP: g.ERP, Subject: g.Subject,
		State: g.State, Cause: g.Cause, CauseText: report.CauseText(g.Cause), Detail: g.Detail, Next: report.RemedyText(g.Kind, g.State),
		Total: g.Total, Currency: g.Currency, FoundBy: g.FoundBy, RunID: g.RunID, Since: g.Since, FirstSeen: g.FirstSeen,
		DetectedAfter: int64(g.FirstSeen.Sub(g.Since) / time.Second), LastSeen: g.LastSeen, CheckedAt: orNil(g.CheckedAt),
		HealedBy: g.HealedBy, ClosedAt: orNil(g.ClosedAt), IgnoredBy: g.IgnoredBy, Reason: g.Reason, Reopened: g.Reopened,
	}
}

type gapsIn struct {
	Page
	Shop  string `query:"shop" maxLength:"50"`
	Kind  string `query:"kind" enum:"missing,stale,mismatch,doubled,stuck,parked,orphan,subscription,silence"`
	State string `query:"state" enum:"live,open,healing,closed,ignored" doc:"live: open or healing; left out: all"`
}

func (s *Server) listGaps(ctx context.Context, in *gapsIn) (*answer[List[Gap]], error) {
	before, err := readIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	gaps, err := s.Store.Gaps(ctx, store.GapFilter{Shop: in.Shop, Kind: in.Kind, State: in.State, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, s.failed("gaps could not be read", err)
	}
	list := List[Gap]{Items: []Gap{}}
	for _, g := range gaps {
		list.Items = append(list.Items, GapOf(g))
	}
	if len(gaps) == in.Limit {
		list.Next = strconv.FormatInt(gaps[len(gaps)-1].ID, 10)
	}
	return &answer[List[Gap]]{list}, nil
}

type gapIn struct {
	ID int64 `path:"id"`
}

// GapDetail is a gap with what happened to it.
type GapDetail struct {
	Gap
	Steps []GapStep `json:"steps" doc:"oldest first"`
}

// GapStep is one thing that happened to a gap.
type GapStep struct {
	At     time.Time `json:"at"`
	Step   string    `json:"step" enum:"opened,seen,healing,closed,ignored,reopened,alerted"`
	By     string    `json:"by,omitempty"`
	Detail string    `json:"detail,omitempty"`
}

// GapDetailOf tells a stored gap and its steps.
func GapDetailOf(g store.Gap, steps []store.GapStep) GapDetail {
	detail := GapDetail{Gap: GapOf(g), Steps: []GapStep{}}
	for _, s := range steps {
		detail.Steps = append(detail.Steps, GapStep(s))
	}
	return detail
}

func (s *Server) showGap(ctx context.Context, in *gapIn) (*answer[GapDetail], error) {
	g, err := s.gap(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	steps, err := s.Store.GapSteps(ctx, g.ID)
	if err != nil {
		return nil, s.failed("what happened to the gap could not be read", err)
	}
	return &answer[GapDetail]{GapDetailOf(g, steps)}, nil
}

func (s *Server) gap(ctx context.Context, id int64) (store.Gap, error) {
	g, err := s.Store.Gap(ctx, id)
	if errors.Is(err, store.ErrNotFound) {
		return g, huma.Error404NotFound(fmt.Sprintf("there is no gap %d", id))
	}
	if err != nil {
		return g, s.failed("the gap could not be read", err)
	}
	return g, nil
}

// liveGap is one that something can still be done about.
func (s *Server) liveGap(ctx context.Context, id int64) (store.Gap, error) {
	g, err := s.gap(ctx, id)
	if err == nil && g.State == store.GapClosed {
		err = huma.Error409Conflict(fmt.Sprintf("gap %d is closed already", id))
	}
	return g, err
}

type replayGapIn struct {
	ID   int64 `path:"id"`
	Body *struct {
		DryRun bool `json:"dry_run,omitempty" doc:"only say what would be done"`
	}
}

func (s *Server) replayGap(ctx context.Context, in *replayGapIn) (*answer[Replayed], error) {
	if _, err := s.liveGap(ctx, in.ID); err != nil {
		return nil, err
	}
	return s.replay(ctx, replayBody{Gaps: []int64{in.ID}, DryRun: in.Body != nil && in.Body.DryRun})
}

type ignoreGapIn struct {
	ID   int64 `path:"id"`
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"1000" doc:"why it may stay as it is"`
		DryRun bool   `json:"dry_run,omitempty" doc:"only say how the gap would be"`
	}
}

// IgnoredGap is a gap that is left as it is, or would be.
type IgnoredGap struct {
	Gap
	DryRun bool `json:"dry_run,omitempty" doc:"nothing was done: so the gap would be"`
}

func (s *Server) ignoreGap(ctx context.Context, in *ignoreGapIn) (*answer[IgnoredGap], error) {
	reason := strings.TrimSpace(in.Body.Reason)
	if reason == "" {
		return nil, huma.Error422UnprocessableEntity("say why the gap is ignored")
	}
	g, err := s.liveGap(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if in.Body.DryRun {
		g.State, g.IgnoredBy, g.Reason = store.GapIgnored, asker(ctx), reason
		return &answer[IgnoredGap]{IgnoredGap{GapOf(g), true}}, nil
	}
	if err := s.Actions.IgnoreGap(ctx, in.ID, asker(ctx), reason); err != nil {
		return nil, s.failed("the gap could not be ignored", err)
	}
	g, err = s.gap(ctx, in.ID)
	return &answer[IgnoredGap]{IgnoredGap{GapOf(g), false}}, err
}
