package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"gapless/store"
)

// Run is a run as the API tells it.
type Run struct {
	ID        int64      `json:"id"`
	Shop      string     `json:"shop"`
	Kind      string     `json:"kind" enum:"poll,reconcile,deep,day,backfill"`
	State     string     `json:"state" enum:"running,done,partial,failed,stopped" doc:"partial: a side could not be read whole, so nothing counts as checked"`
	By        string     `json:"by"`
	From      *time.Time `json:"from" doc:"its window; null while a poll has not found out"`
	To        *time.Time `json:"to"`
	Heal      bool       `json:"heal" doc:"mends what it finds"`
	StartedAt time.Time  `json:"started_at"`
	EndedAt   *time.Time `json:"ended_at"`
	Done      int64      `json:"done" doc:"orders worked through"`
	Total     int64      `json:"total" doc:"of so many; 0: not known"`
	Found     int64      `json:"found" doc:"gaps found"`
	Note      string     `json:"note" doc:"what went wrong, or could not be seen"`
}

// RunDetail is a run with what came of it.
type RunDetail struct {
	Run
	Result json.RawMessage `json:"result" doc:"of a comparison, its balance; of a poll, what it saw"`
}

// RunOf tells a stored run.
func RunOf(r store.Run) Run {
	return Run{
		ID: r.ID, Shop: r.Shop, Kind: r.Kind, State: r.State, By: r.By, From: orNil(r.From), To: orNil(r.To), Heal: r.Heal,
		StartedAt: r.StartedAt, EndedAt: orNil(r.EndedAt), Done: r.Done, Total: r.Total, Found: r.Found, Note: r.Note,
	}
}

type runsIn struct {
	Page
	Shop  string `query:"shop" maxLength:"50"`
	Kind  string `query:"kind" enum:"poll,reconcile,deep,day,backfill"`
	State string `query:"state" enum:"running,done,partial,failed,stopped"`
}

func (s *Server) listRuns(ctx context.Context, in *runsIn) (*answer[List[Run]], error) {
	before, err := readIDCursor(in.Cursor)
	if err != nil {
		return nil, err
	}
	runs, err := s.Store.Runs(ctx, store.RunFilter{Shop: in.Shop, Kind: in.Kind, State: in.State, Before: before, Limit: in.Limit})
	if err != nil {
		return nil, s.failed("runs could not be read", err)
	}
	list := List[Run]{Items: []Run{}}
	for _, r := range runs {
		list.Items = append(list.Items, RunOf(r))
	}
	if len(runs) == in.Limit {
		list.Next = strconv.FormatInt(runs[len(runs)-1].ID, 10)
	}
	return &answer[List[Run]]{list}, nil
}

type runIn struct {
	ID int64 `path:"id"`
}

func (s *Server) showRun(ctx context.Context, in *runIn) (*answer[RunDetail], error) {
	r, err := s.Store.Run(ctx, in.ID)
	if errors.Is(err, store.ErrNotFound) {
		return nil, huma.Error404NotFound(fmt.Sprintf("there is no run %d", in.ID))
	}
	if err != nil {
		return nil, s.failed("the run could not be read", err)
	}
	return &answer[RunDetail]{RunDetail{RunOf(r), r.Data}}, nil
}

// RunRequest is a run that somebody asks for. Its window is told by Since, or by
// From and To, or is the last day; a poll has none, and a backfill must be told
// where it begins.
type RunRequest struct {
	Kind  string `json:"kind" enum:"reconcile,poll,backfill"`
	Shop  string `json:"shop,omitempty" doc:"may be left out where there is one shop"`
	Since string `json:"since,omitempty" maxLength:"20" example:"24h" doc:"how far back"`
	From  string `json:"from,omitempty" maxLength:"40" example:"2026-11-22" doc:"RFC 3339, or a day, which begins at the shop's midnight"`
	To    string `json:"to,omitempty" maxLength:"40" doc:"like from; left out: now"`
	Heal  *bool  `json:"heal,omitempty" doc:"mend what is found; left out: yes"`
}

type startRunIn struct {
	Body struct {
		RunRequest
		DryRun bool `json:"dry_run,omitempty" doc:"only say what would be started"`
	}
}

// StartedRun names a run that has begun, or says what would.
type StartedRun struct {
	ID   int64    `json:"id,omitempty" doc:"of the run, at /api/v1/runs/{id}; missing where nothing was started"`
	Plan *RunPlan `json:"plan,omitempty" doc:"of a dry run"`
}

func (s *Server) startRun(ctx context.Context, in *startRunIn) (*answer[StartedRun], error) {
	asked := in.Body.RunRequest
	var err error
	if asked.Shop, err = s.oneShop(asked.Shop); err != nil {
		return nil, err
	}
	var started StartedRun
	if in.Body.DryRun {
		started.Plan = new(RunPlan)
		*started.Plan, err = s.Actions.PlanRun(ctx, asked)
	} else {
		started.ID, err = s.Actions.StartRun(ctx, asked, asker(ctx))
	}
	var wrong WrongRequest
	switch {
	case errors.As(err, &wrong):
		return nil, huma.Error422UnprocessableEntity(wrong.Error())
	case errors.Is(err, store.ErrRunning):
		return nil, huma.Error409Conflict("the same run is under way already; GET /api/v1/runs?state=running shows it")
	case err != nil:
		return nil, s.failed("the run could not be started", err)
	}
	return &answer[StartedRun]{started}, nil
}
