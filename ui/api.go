package ui

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"
	"github.com/julienschmidt/httprouter"
)

// api hangs the JSON API on the router. Its description is made from these
// operations and served at /api/openapi.json.
func (s *Server) api(r *httprouter.Router) {
	config := huma.DefaultConfig("Gapless", s.Version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "/api/openapi", "", ""
	config.CreateHooks = nil // no $schema links in answers
	config.Components.Schemas = huma.NewMapRegistry("#/components/schemas/", schemaName)
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{"token": {Type: "http", Scheme: "bearer"}}
	config.Security = []map[string][]string{{"token": {}}}
	api := humahttprouter.New(r, config)
	api.UseMiddleware(s.authorize(api))

	huma.Get(api, "/api/v1/orders", s.listOrders, read("Orders, those heard of last first"))
	huma.Get(api, "/api/v1/orders/{shop}/{id}", s.showOrder, read("One order with its history"))
	huma.Get(api, "/api/v1/events", s.listEvents, read("What was heard from Shopify, newest first"))
	huma.Get(api, "/api/v1/events/{id}", s.showEvent, read("One message from Shopify with its body"))
	huma.Get(api, "/api/v1/deliveries", s.listDeliveries, read("Calls to the ERPs, newest first"))
	huma.Get(api, "/api/v1/gaps", s.listGaps, read("Gaps between Shopify and the ERPs, newest first"))
	huma.Get(api, "/api/v1/gaps/{id}", s.showGap, read("One gap with what happened to it"))
	huma.Get(api, "/api/v1/runs", s.listRuns, read("Comparisons, polls and backfills, newest first"))
	huma.Get(api, "/api/v1/runs/{id}", s.showRun, read("One run with what came of it"))
	huma.Get(api, "/api/v1/reports/{day}", s.showReport, read("The report of a day"))
	huma.Get(api, "/api/v1/stats", s.stats, read("Figures of the present, the last hour and the last comparison"))
	huma.Post(api, "/api/v1/replays", s.postReplays, accepted("Verify orders in their ERP and send them again where needed"))
	huma.Post(api, "/api/v1/gaps/{id}/replay", s.replayGap, accepted("Set in motion what is to mend a gap"))
	huma.Post(api, "/api/v1/gaps/{id}/ignore", s.ignoreGap, accepted("Leave a gap as it is"))
	huma.Post(api, "/api/v1/runs", s.startRun, accepted("Begin a comparison, a poll or a backfill"))
	huma.Register(api, s.streamOperation(api), s.stream)
	s.feed(api)
}

// problem answers as the API's operations do where they fail.
func problem(w http.ResponseWriter, status int, detail string) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	json.NewEncoder(w).Encode(huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: detail}) //nolint:errcheck // the client has gone
}

// isAPI says that a request is a program's.
func isAPI(r *http.Request) bool {
	return strings.HasPrefix(r.URL.Path, "/api/") || strings.HasPrefix(r.URL.Path, feedPath)
}

// Page is what every list takes.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"500" default:"50"`
	Cursor string `query:"cursor" doc:"next of the page before" maxLength:"200"`
}

type answer[T any] struct{ Body T }

// List is one page.
type List[T any] struct {
	Items []T    `json:"items"`
	Next  string `json:"next,omitempty" doc:"cursor of the next page; missing on the last"`
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// readIDCursor reads the cursor of lists that go by id; 0 is the start.
func readIDCursor(text string) (int64, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseInt(text, 10, 64)
	if err != nil || id < 1 {
		return 0, huma.Error422UnprocessableEntity("cursor is not one of ours; leave it out to start anew")
	}
	return id, nil
}

// failed keeps the cause in the log and tells the client what to do.
func (s *Server) failed(what string, err error) error {
	s.Log.Error(what, "err", err)
	return huma.Error503ServiceUnavailable(what + "; try again, and look at the log if it stays so")
}
