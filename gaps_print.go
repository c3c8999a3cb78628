package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// gapAbout is the order a gap is about, or what else it is about.
func gapAbout(g store.Gap) string {
	switch {
	case g.OrderName != "":
		return g.OrderName
	case g.OrderID != 0:
		return fmt.Sprint(g.OrderID)
	case g.Subject != "":
		return g.Subject
	}
	return "the shop"
}

// tellGap tells a gap in a few lines: what is wrong, why, and what happens next.
func tellGap(w io.Writer, g store.Gap, now time.Time) {
	line := []string{fmt.Sprintf("%s: %s", printable(gapAbout(g)), report.KindText(g.Kind))}
	if sum := report.MoneyText(g.Total, g.Currency); sum != "" {
		line = append(line, sum)
	}
	fmt.Fprintf(w, "  %s, %s (gap %d of %s)\n", strings.Join(line, ", "), gapAge(g, now), g.ID, g.Shop)
	why := report.CauseText(g.Cause)
	if g.Detail != "" {
		why += ": " + g.Detail
	}
	fmt.Fprintf(w, "      why:  %s\n", printable(why))
	if next := gapNext(g); next != "" {
		fmt.Fprintf(w, "      next: %s\n", printable(next))
	}
}

func gapAge(g store.Gap, now time.Time) string {
	age := "for " + report.Span(now.Sub(g.Since))
	if g.State == store.GapClosed {
		age = "for " + report.Span(g.ClosedAt.Sub(g.Since)) + " until " + g.ClosedAt.Format(time.RFC3339)
	}
	return g.State + ", " + age
}

func gapNext(g store.Gap) string {
	switch g.State {
	case store.GapClosed:
		return "nothing; healed " + report.WayText(g.HealedBy)
	case store.GapIgnored:
		return "nothing; ignored by " + g.IgnoredBy + ": " + g.Reason
	}
	return report.RemedyText(g.Kind, g.State)
}

// mostTold is how many gaps a command tells; the rest is counted.
const mostTold = 100

// tellGaps tells gaps one after the other.
func tellGaps(w io.Writer, gaps []store.Gap) {
	for _, g := range gaps[:min(len(gaps), mostTold)] {
		tellGap(w, g, time.Now())
	}
	if more := len(gaps) - mostTold; more > 0 {
		fmt.Fprintf(w, "  %d more; gapless gaps --limit %d lists them\n", more, len(gaps))
	}
}

// allGaps walks all pages of a filter.
func allGaps(ctx context.Context, db *store.Store, f store.GapFilter) (all []store.Gap, err error) {
	for f.Limit = 500; ; f.Before = all[len(all)-1].ID {
		page, err := db.Gaps(ctx, f)
		if all = append(all, page...); err != nil || len(page) < f.Limit {
			return all, err
		}
	}
}
