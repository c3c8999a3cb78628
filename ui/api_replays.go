package ui

import (
	"context"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"gapless/store"
)

type replayIn struct{ Body replayBody }

type replayBody struct {
	Orders []replayOrder `json:"orders,omitempty" maxItems:"500"`
	Gaps   []int64       `json:"gaps,omitempty" maxItems:"500" doc:"ids of gaps"`
	DryRun bool          `json:"dry_run,omitempty" doc:"only say which calls would be made"`
}

type replayOrder struct {
	Shop string `json:"shop"`
	ID   int64  `json:"id"`
}

// Replayed is what a replay started, or would.
type Replayed struct {
	Started int64  `json:"started" doc:"orders and gaps that were set in motion"`
	Plans   []Plan `json:"plans,omitempty"`
}

func (s *Server) postReplays(ctx context.Context, in *replayIn) (*answer[Replayed], error) {
	if len(in.Body.Orders)+len(in.Body.Gaps) == 0 {
		return nil, huma.Error422UnprocessableEntity("name what to replay: orders, or gaps")
	}
	return s.replay(ctx, in.Body)
}

func (s *Server) replay(ctx context.Context, asked replayBody) (*answer[Replayed], error) {
	for _, id := range asked.Gaps {
		if _, err := s.gap(ctx, id); err != nil {
			return nil, err
		}
	}
	if asked.DryRun {
		plans, err := s.plan(ctx, asked)
		return &answer[Replayed]{Replayed{Plans: plans}}, err
	}
	var out Replayed
	if len(asked.Gaps) > 0 {
		started, err := s.Actions.ReplayGaps(ctx, asked.Gaps, asker(ctx))
		if err != nil {
			return nil, s.failed("the replay could not be started", err)
		}
		out.Started += started
	}
	if len(asked.Orders) > 0 {
		started, err := s.Actions.Replay(ctx, asked.keys(), asker(ctx))
		if err != nil {
			return nil, s.failed("the replay could not be started", err)
		}
		out.Started += started
	}
	return &answer[Replayed]{out}, nil
}

func (b replayBody) keys() []store.OrderKey {
	keys := make([]store.OrderKey, len(b.Orders))
	for i, o := range b.Orders {
		keys[i] = store.OrderKey{Shop: o.Shop, ID: o.ID}
	}
	return keys
}

func (s *Server) plan(ctx context.Context, asked replayBody) ([]Plan, error) {
	var plans []Plan
	for _, k := range asked.keys() {
		plan, err := s.Actions.Plan(ctx, k)
		if errors.Is(err, store.ErrNotFound) {
			return nil, huma.Error404NotFound(fmt.Sprintf("there is no order %d of %s", k.ID, k.Shop))
		}
		if err != nil {
			return nil, s.failed("the calls could not be planned", err)
		}
		plans = append(plans, plan)
	}
	for _, id := range asked.Gaps {
		plan, err := s.Actions.PlanGap(ctx, id)
		if err != nil {
			return nil, s.failed("the calls could not be planned", err)
		}
		plans = append(plans, plan)
	}
	return plans, nil
}
