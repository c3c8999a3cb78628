package ui

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// promised are the routes that outside tools rely on, each with an address that
// leads to something.
var promised = []struct{ method, path, body string }{
	{"POST", "/webhooks/shopify", "{}"},
	{"GET", "/livez", ""}, {"GET", "/readyz", ""}, {"GET", "/metrics", ""},
	{"GET", "/api/v1/orders", ""}, {"GET", "/api/v1/orders/acme/1", ""},
	{"GET", "/api/v1/events", ""}, {"GET", "/api/v1/events/1", ""},
	{"GET", "/api/v1/deliveries", ""},
	{"GET", "/api/v1/gaps", ""}, {"GET", "/api/v1/gaps/1", ""},
	{"GET", "/api/v1/runs", ""},
	{"GET", "/api/v1/reports/2026-11-22?shop=acme", ""},
	{"GET", "/api/v1/stats", ""},
	{"POST", "/api/v1/gaps/1/replay", ""}, {"POST", "/api/v1/gaps/1/ignore", `{"reason":"paid in cash"}`},
	{"POST", "/api/v1/replays", `{"orders":[{"shop":"acme","id":1}]}`}, {"POST", "/api/v1/runs", `{"kind":"poll","shop":"acme"}`},
	{"GET", "/api/v1/stream", ""},
	{"GET", "/api/openapi.json", ""},
	{"GET", "/feed/depot/orders?cursor=&wait=", ""}, {"POST", "/feed/depot/ack", `{"acks":[{"ref":"acme-1","version":"1","status":"taken"}]}`},
	{"GET", "/", ""}, {"GET", "/orders", ""}, {"GET", "/orders/acme/1", ""}, {"GET", "/gaps", ""}, {"GET", "/events", ""}, {"GET", "/runs", ""},
	{"GET", "/reports/2026-11-22?shop=acme", ""}, {"GET", "/reports/2026-11-22.csv?shop=acme", ""}, {"GET", "/reports/2026-11-22.json?shop=acme", ""},
	{"GET", "/health", ""}, {"GET", "/settings", ""}, {"GET", "/login", ""},
}

func TestEveryPromisedRouteAnswers(t *testing.T) {
	s := newPages(t, func(o *Options) { o.Webhook = http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}) })
	s.ui.EndStreams()
	for _, r := range promised {
		a := s.ask(r.method, r.path, r.body)
		require.Less(t, a.status, 400, "%s %s: %.200s", r.method, r.path, a.body)
	}
}

func TestAReportOfTheAPIIsTheOneOfTheFile(t *testing.T) {
	s := newPages(t)
	s.actions.report.MadeAt = epoch.Add(time.Hour)
	a := s.ask("GET", "/api/v1/reports/2026-11-22?shop=acme", "")
	require.Equal(t, http.StatusOK, a.status, a.body)
	require.JSONEq(t, s.html("GET", "/reports/2026-11-22.json?shop=acme", "").body, a.body)
	var told struct {
		Headline   string
		Difference struct{ Orders *int }
	}
	require.NoError(t, json.Unmarshal([]byte(a.body), &told))
	require.NotEmpty(t, told.Headline)
	require.NotNil(t, told.Difference.Orders)
	for path, want := range map[string]struct {
		status int
		says   string
	}{
		"2026-11-20?shop=acme":  {404, "no report of 2026-11-20 for acme"},
		"2026-11-22?shop=beta":  {404, "for beta"},
		"2026-11-22":            {422, "acme, beta"},
		"2026-11-22?shop=other": {422, "acme, beta"},
		"yesterday?shop=acme":   {422, "date"},
		"2026-02-30?shop=acme":  {422, "date"},
	} {
		a := s.ask("GET", "/api/v1/reports/"+path, "")
		require.Equal(t, want.status, a.status, path)
		require.Contains(t, a.body, want.says, path)
	}
	s.actions.err = store.ErrRunning
	require.Equal(t, http.StatusServiceUnavailable, s.ask("GET", "/api/v1/reports/2026-11-22?shop=acme", "").status)
	described := s.ask("GET", "/api/openapi.json", "").body
	require.True(t, strings.Contains(described, `"complete_through"`) && strings.Contains(described, `"ReportGap"`))
}
