package ui

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gapless/store"
	"gapless/sync/report"
)

type reportIn struct {
	Day  string `path:"day" format:"date" example:"2026-11-22" doc:"in the shop's time"`
	Shop string `query:"shop" maxLength:"50" doc:"may be left out where there is one shop"`
}

// DayReport is a report as it writes itself. The fields of its own describe what
// the report's JSON adds to its data; nobody sets them.
type DayReport struct {
	report.Report
	Headline   string       `json:"headline" doc:"the outcome in a sentence"`
	Balanced   bool         `json:"balanced"`
	Difference report.Tally `json:"difference"`
}

func (s *Server) showReport(ctx context.Context, in *reportIn) (*answer[DayReport], error) {
	shop, err := s.oneShop(in.Shop)
	if err != nil {
		return nil, err
	}
	r, err := s.Actions.Report(ctx, shop, in.Day)
	if errors.Is(err, store.ErrNotFound) {
		return nil, huma.Error404NotFound(fmt.Sprintf("there is no report of %s for %s yet", in.Day, shop))
	}
	if err != nil {
		return nil, s.failed("the report could not be read", err)
	}
	return &answer[DayReport]{DayReport{Report: r}}, nil
}

// oneShop is the shop that was asked for; it need not be named where there is one.
func (s *Server) oneShop(asked string) (string, error) {
	if asked == "" && len(s.Shops) == 1 {
		return s.Shops[0], nil
	}
	if !slices.Contains(s.Shops, asked) {
		return "", huma.Error422UnprocessableEntity("name one of the shops: " + strings.Join(s.Shops, ", "))
	}
	return asked, nil
}
