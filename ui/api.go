package ui

import (
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humahttprouter"
	"github.com/julienschmidt/httprouter"

	"gapless/sync/report"
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

	huma.Get(api, "/api/v1/orders", s.listOrders)
	huma.Get(api, "/api/v1/orders/{shop}/{id}", s.showOrder)
	huma.Get(api, "/api/v1/events", s.listEvents)
	huma.Get(api, "/api/v1/events/{id}", s.showEvent)
	huma.Get(api, "/api/v1/deliveries", s.listDeliveries)
	huma.Get(api, "/api/v1/gaps", s.listGaps)
	huma.Get(api, "/api/v1/gaps/{id}", s.showGap)
	huma.Get(api, "/api/v1/runs", s.listRuns)
	huma.Get(api, "/api/v1/runs/{id}", s.showRun)
	huma.Get(api, "/api/v1/reports/{day}", s.showReport)
	huma.Get(api, "/api/v1/stats", s.stats)
	huma.Post(api, "/api/v1/replays", s.postReplays, accepted("Verify orders in their ERP and send them again where needed"))
	huma.Post(api, "/api/v1/gaps/{id}/replay", s.replayGap, accepted("Set in motion what is to mend a gap"))
	huma.Post(api, "/api/v1/gaps/{id}/ignore", s.ignoreGap, accepted("Leave a gap as it is"))
	huma.Post(api, "/api/v1/runs", s.startRun, accepted("Begin a comparison or a poll"))
	huma.Register(api, s.streamOperation(api), s.stream)
	s.feed(api)
}

// schemaName sets the types of reports apart, some of which are named as ours.
func schemaName(t reflect.Type, hint string) string {
	name := huma.DefaultSchemaNamer(t, hint)
	if t.PkgPath() == reflect.TypeFor[report.Report]().PkgPath() {
		return "Report" + name
	}
	return name
}

// accepted says what a POST starts, which goes on after it was answered.
func accepted(summary string) func(*huma.Operation) {
	return func(o *huma.Operation) { o.Summary, o.DefaultStatus = summary, http.StatusAccepted }
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
