package shopifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// api is the state of the HTTP side. Shop.mu guards it.
type api struct {
	tokens map[string]time.Time // token to the end of its life; zero: never
	issued int
	points float64 // left in the bucket
	filled time.Time
	calls  int

	outages  []Outage // ordered, before any that the dice say
	dice     apiDice
	scopes   []string // granted to the app
	withheld []string // fields that the token may not see

	host    string  // of the request in hand, with http://
	bulkEnd string  // how an operation ends that it starts; empty: well
	events  []Event // that it caused
}

func newAPI(opt Options) api {
	return api{
		tokens: map[string]time.Time{opt.AccessToken: {}},
		points: float64(opt.BucketSize), filled: opt.Now(), dice: newAPIDice(opt),
		scopes: []string{"read_orders", "read_customers", "read_locations"},
	}
}

// Calls is the number of API requests so far.
func (s *Shop) Calls() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.api.calls
}

// An app without the scope allOrders is shown no orders that are older than shownFor.
const (
	allOrders = "read_all_orders"
	shownFor  = 60 * 24 * time.Hour
)

// Grant gives the app one more scope, as a merchant does who installs it again. It
// has read_orders, read_customers and read_locations from the first; only with
// read_all_orders is it shown orders that were placed more than 60 days ago.
func (s *Shop) Grant(scope string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api.scopes = append(s.api.scopes, scope)
}

func (s *Shop) granted() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.api.scopes)
}

// shows says whether the app may see an order. One that it may not is left out of
// lists, and null by its id. The caller holds the lock.
func (s *Shop) shows(o *Order) bool {
	return slices.Contains(s.api.scopes, allOrders) || !o.CreatedAt.Before(s.opt.Now().Add(-shownFor))
}

// RevokeTokens ends every token at once, the configured one included.
func (s *Shop) RevokeTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.api.tokens)
}

// ServeHTTP answers the Admin GraphQL API and the token endpoint.
func (s *Shop) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", s.opt.Now().UTC().Format(http.TimeFormat))
	o := s.nextOutage()
	if o.Slow > 0 {
		select {
		case <-s.opt.After(o.Slow):
		case <-r.Context().Done():
			return
		}
	}
	switch {
	case o.Status != 0:
		s.broke(fmt.Sprintf("status %d", o.Status))
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if o.Status == http.StatusTooManyRequests {
			w.Header().Set("Retry-After", "2.0")
		}
		w.WriteHeader(o.Status)
		_, _ = fmt.Fprintf(w, "<!DOCTYPE html><html><body><h1>%d %s</h1></body></html>", o.Status, http.StatusText(o.Status))
	case o.Cut:
		s.broke("cut")
		s.cut(w, r)
	default:
		s.route(w, r, o)
	}
}

// cut does the work and breaks the connection halfway through the answer.
func (s *Shop) cut(w http.ResponseWriter, r *http.Request) {
	whole := &capture{header: w.Header()}
	s.route(whole, r, Outage{})
	w.Header().Set("Content-Length", fmt.Sprint(whole.Len()))
	w.WriteHeader(whole.status)
	_, _ = w.Write(whole.Bytes()[:whole.Len()/2])
	_ = http.NewResponseController(w).Flush()
	panic(http.ErrAbortHandler)
}

// capture keeps an answer back.
type capture struct {
	bytes.Buffer
	header http.Header
	status int
}

// Header and WriteHeader make it an http.ResponseWriter.
func (c *capture) Header() http.Header { return c.header }

// WriteHeader notes the status.
func (c *capture) WriteHeader(status int) { c.status = status }

func (s *Shop) route(w http.ResponseWriter, r *http.Request, o Outage) {
	version, isGraphQL := strings.CutSuffix(strings.TrimPrefix(r.URL.Path, "/admin/api/"), "/graphql.json")
	switch {
	case r.URL.Path == "/admin/oauth/access_token" && r.Method == http.MethodPost:
		s.grant(w, r)
	case strings.HasPrefix(r.URL.Path, bulkPath) && r.Method == http.MethodGet:
		s.download(w, r)
	case strings.HasPrefix(r.URL.Path, "/admin/api/") && isGraphQL && r.Method == http.MethodPost:
		w.Header().Set("X-Shopify-API-Version", s.served(version))
		s.graphQL(w, r, o)
	default:
		answer(w, http.StatusNotFound, object{"errors": "Not Found"})
	}
}

// supported are the versions that the shop serves in late 2026.
var supported = []string{"2026-01", "2026-04", "2026-07", "2026-10"}

// served is the version that answers: the one asked for, or, where that one has
// retired, the oldest that is still served.
func (s *Shop) served(version string) string {
	if version == s.opt.APIVersion || slices.Contains(supported, version) || version == "unstable" {
		return version
	}
	return supported[0]
}

func answer(w http.ResponseWriter, status int, doc object) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write(encode(doc))
}

// maxRequest bounds what a request may send.
const maxRequest = 1 << 20

// request is the body of a GraphQL call.
type request struct {
	Query         string         `json:"query"`
	OperationName string         `json:"operationName"`
	Variables     map[string]any `json:"variables"`
}

func (s *Shop) graphQL(w http.ResponseWriter, r *http.Request, o Outage) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequest))
	if err != nil {
		answer(w, http.StatusRequestEntityTooLarge, object{"errors": "Request Entity Too Large"})
		return
	}
	var ask request
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	if decoder.Decode(&ask) != nil || ask.Query == "" {
		answer(w, http.StatusBadRequest, object{"errors": object{"query": "Required parameter missing or invalid"}})
		return
	}
	done := s.ask(r, ask, o)
	s.tell(done.events)
	s.broke(done.faults...)
	for _, id := range done.drifting {
		s.Mutate(id)
	}
	answer(w, done.status, done.doc)
}

// asked is the answer to a GraphQL call, and what comes with it.
type asked struct {
	status   int
	doc      object
	events   []Event  // that it caused
	faults   []string // that came to pass
	drifting []int64  // orders of the answer that are to change at once
}

// ask answers one GraphQL call.
func (s *Shop) ask(r *http.Request, ask request, o Outage) asked {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.authorized(r.Header.Get("X-Shopify-Access-Token")) {
		return asked{status: http.StatusUnauthorized, doc: object{"errors": "[API] Invalid API key or access token (unrecognized login or wrong password)"}}
	}
	s.api.host, s.api.bulkEnd, s.api.events = "http://"+r.Host, o.Bulk, nil
	if r.TLS != nil {
		s.api.host = "https://" + r.Host
	}
	q := newQuery(s.schema, ask.Query, ask.OperationName, ask.Variables)
	q.outage, q.withheld = o, s.api.withheld
	done := asked{status: http.StatusOK, doc: s.respond(q)}
	for n := min(o.Drift, len(q.listed)); n > 0; n-- {
		q.broke("drift")
		done.drifting = append(done.drifting, pick(s.api.dice.Rand, q.listed))
	}
	done.events, done.faults = s.api.events, q.faults
	return done
}

// respond runs a query within the budget.
func (s *Shop) respond(q *query) object {
	if len(q.errors) > 0 {
		return object{"errors": q.errors}
	}
	cost := q.cost()
	if cost > s.opt.MaxCost {
		q.fail(fmt.Sprintf("Query cost is %d, which exceeds the single query max cost limit (%d).", cost, s.opt.MaxCost), "MAX_COST_EXCEEDED", nil, nil)
		q.errors[0]["extensions"].(object)["cost"] = cost
		q.errors[0]["extensions"].(object)["maxCost"] = s.opt.MaxCost
		return object{"errors": q.errors}
	}
	s.refill()
	if q.outage.Throttle {
		q.broke("throttled")
	}
	if q.outage.Throttle || float64(cost) > s.api.points {
		q.fail("Throttled", "THROTTLED", nil, nil)
		return object{"errors": q.errors, "extensions": s.costs(cost, nil)}
	}
	doc := s.execute(q)
	s.api.points -= float64(q.spent)
	doc["extensions"] = s.costs(cost, q.spent)
	return doc
}

// refill adds what has leaked back into the bucket since the last time.
func (s *Shop) refill() {
	now := s.opt.Now()
	if since := now.Sub(s.api.filled).Seconds(); since > 0 {
		s.api.points = min(float64(s.opt.BucketSize), s.api.points+since*float64(s.opt.RestoreRate))
		s.api.filled = now
	}
}

func (s *Shop) costs(requested int, actual any) object {
	return object{"cost": object{
		"requestedQueryCost": requested, "actualQueryCost": actual,
		"throttleStatus": object{
			"maximumAvailable": float64(s.opt.BucketSize), "currentlyAvailable": int(s.api.points), "restoreRate": float64(s.opt.RestoreRate),
		},
	}}
}

func (s *Shop) authorized(token string) bool {
	ends, ok := s.api.tokens[token]
	return ok && (ends.IsZero() || s.opt.Now().Before(ends))
}

// grant answers the client credentials grant, in JSON or as a form.
func (s *Shop) grant(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxRequest)
	ask := map[string]string{}
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		_ = json.NewDecoder(r.Body).Decode(&ask) // an empty ask is refused below
	} else {
		for _, key := range []string{"client_id", "client_secret", "grant_type"} {
			ask[key] = r.PostFormValue(key)
		}
	}
	switch {
	case ask["grant_type"] != "client_credentials":
		answer(w, http.StatusBadRequest, object{"error": "unsupported_grant_type"})
	case s.opt.ClientID == "" || ask["client_id"] != s.opt.ClientID || ask["client_secret"] != s.opt.ClientSecret:
		answer(w, http.StatusBadRequest, object{"error": "application_cannot_be_found"})
	default:
		answer(w, http.StatusOK, object{
			"access_token": s.issue(), "scope": strings.Join(s.granted(), ","),
			"expires_in": int(s.opt.TokenTTL.Seconds()),
		})
	}
}

func (s *Shop) issue() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.api.issued++
	token := fmt.Sprintf("pretend-grant-%d", s.api.issued)
	s.api.tokens[token] = s.opt.Now().Add(s.opt.TokenTTL)
	return token
}
