package ui

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/store"
	"gapless/sync/report"
)

// asked is what pages asked of the engine, and what it answers.
type asked struct {
	neutral     json.RawMessage
	documents   []Document
	failing     error // of Documents
	trial       Trial
	when        string
	report      report.Report
	day         string
	connections Connections
	connecting  func() // as Connections is asked; nil: nothing
	tested      string
}

// Neutral tells the order of the test.
func (a *actions) Neutral(context.Context, store.OrderKey) (json.RawMessage, error) {
	return a.neutral, a.err
}

// Documents tells the documents of the test.
func (a *actions) Documents(context.Context, store.OrderKey) ([]Document, error) {
	return a.documents, errors.Join(a.err, a.failing)
}

// TryRule notes the condition.
func (a *actions) TryRule(_ context.Context, _ store.OrderKey, when string) (Trial, error) {
	a.when = when
	return a.trial, a.err
}

// Report tells the report of the test, where it is of this day.
func (a *actions) Report(_ context.Context, shop, day string) (report.Report, error) {
	if a.err == nil && (a.report.Shop != shop || a.report.Day != day) {
		return report.Report{}, store.ErrNotFound
	}
	return a.report, a.err
}

// StartDay notes who asked for what.
func (a *actions) StartDay(_ context.Context, _, day, by string) (int64, error) {
	a.day, a.by = day, by
	return 18, a.err
}

// Connections tells those of the test.
func (a *actions) Connections() Connections {
	if a.connecting != nil {
		a.connecting()
	}
	return a.connections
}

// Test notes what is tried.
func (a *actions) Test(_ context.Context, kind, name string) error {
	a.tested = kind + " " + name
	return a.err
}

// closeGap closes a gap as it is now.
func closeGap(t testing.TB, s *store.Store, id int64, by string) {
	t.Helper()
	g, err := s.Gap(context.Background(), id)
	require.NoError(t, err)
	require.NoError(t, s.CloseGap(context.Background(), g, by))
}
