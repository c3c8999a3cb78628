package ui

import (
	"context"
	"errors"
	"fmt"

	"github.com/danielgtaylor/huma/v2"

	"gapless/store"
)

type replayIn struct {
	Body struct {
		Orders []replayOrder `json:"orders" minItems:"1" maxItems:"500"`
		DryRun bool          `json:"dry_run,omitempty" doc:"only say which calls would be made"`
	}
}

type replayOrder struct {
	Shop string `json:"shop"`
	ID   int64  `json:"id"`
}

// Replayed is what a replay started, or would.
type Replayed struct {
	Started int64  `json:"started"`
	Plans   []Plan `json:"plans,omitempty"`
}

func (s *Server) replay(ctx context.Context, in *replayIn) (*answer[Replayed], error) {
	keys := make([]store.OrderKey, len(in.Body.Orders))
	for i, o := range in.Body.Orders {
		keys[i] = store.OrderKey{Shop: o.Shop, ID: o.ID}
	}
	var out Replayed
	if in.Body.DryRun {
		for _, k := range keys {
			plan, err := s.Actions.Plan(ctx, k)
			if errors.Is(err, store.ErrNotFound) {
				return nil, huma.Error404NotFound(fmt.Sprintf("there is no order %d of %s", k.ID, k.Shop))
			}
			if err != nil {
				return nil, s.failed("the calls could not be planned", err)
			}
			out.Plans = append(out.Plans, plan)
		}
		return &answer[Replayed]{out}, nil
	}
	by, _ := ctx.Value(contextKey{}).(string)
	started, err := s.Actions.Replay(ctx, keys, by)
	if err != nil {
		return nil, s.failed("the replay could not be started", err)
	}
	out.Started = started
	return &answer[Replayed]{out}, nil
}
