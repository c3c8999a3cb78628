package shopify

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode"
)

// ErrNotFound: Shopify knows no such order, or does not show it to this token.
// Orders older than 60 days need the scope read_all_orders, so this alone never
// means that an order was deleted.
var ErrNotFound = errors.New("shopify: no such order, or it is hidden from this token (orders older than 60 days need the scope read_all_orders)")

// Error codes of Shopify's GraphQL API,
// https://shopify.dev/docs/api/admin-graphql#status-and-error-codes.
const (
	codeThrottled    = "THROTTLED"
	codeMaxCost      = "MAX_COST_EXCEEDED"
	codeAccessDenied = "ACCESS_DENIED"
	codeInternal     = "INTERNAL_SERVER_ERROR"
	codeShopInactive = "SHOP_INACTIVE"
)

// APIError is Shopify's refusal of a request. Message is one plain sentence
// that says what to do; it never quotes a body.
type APIError struct {
	Status  int      // HTTP status; 200 for most GraphQL errors
	Codes   []string // of the GraphQL errors, such as ACCESS_DENIED
	Message string
	// Partial says that the data came all the same, with null for fields that
	// this token may not read.
	Partial bool
	// Withheld are those fields: GraphQL names, from the answer's top, such as
	// order.customer. Positions in lists are left out.
	Withheld []string

	retryAfter time.Duration // as the Retry-After header asks; 0 without
}

func (e *APIError) Error() string { return "shopify: " + e.Message }

// Temporary says that the same request may succeed later.
func (e *APIError) Temporary() bool {
	return e.Throttled() || e.Status >= 500 || e.Status == http.StatusRequestTimeout || e.has(codeInternal)
}

// Throttled says that the request came too fast; nothing was done.
func (e *APIError) Throttled() bool {
	return e.Status == http.StatusTooManyRequests || e.has(codeThrottled)
}

// Denied says that the app lacks a scope or an access for this, while the rest of the
// API is open to it.
func (e *APIError) Denied() bool { return e.has(codeAccessDenied) }

func (e *APIError) has(code string) bool { return slices.Contains(e.Codes, code) }

// statusError explains an HTTP status other than success. Shopify sends most of
// these with an HTML page, which tells an operator nothing.
func statusError(domain string, resp *http.Response) *APIError {
	advice := map[int]string{
		http.StatusUnauthorized:    "the access token is not accepted; make a new one in the app's settings and put it into the config",
		http.StatusPaymentRequired: "the shop is frozen until its owner pays Shopify's bill",
		http.StatusForbidden:       "the token may not do this, or the shop is closed; check the app's scopes and that it is still installed",
		http.StatusNotFound:        "no shop or no API version by this name; check domain and api_version in the config",
		http.StatusLocked:          "the shop is locked; its owner must ask Shopify support to unlock it",
		http.StatusTooManyRequests: "too many requests; they go on more slowly by themselves",
	}
	text, known := advice[resp.StatusCode]
	switch {
	case known:
	case resp.StatusCode >= 500:
		text = "Shopify has a fault; see shopifystatus.com if it lasts"
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		text = "redirected elsewhere, which is not followed; use the shop's own myshopify.com domain"
	default:
		text = "the request is not accepted"
	}
	return &APIError{
		Status:     resp.StatusCode,
		Message:    fmt.Sprintf("%s answered %d: %s", domain, resp.StatusCode, text),
		retryAfter: retryAfter(resp.Header.Get("Retry-After")),
	}
}

// retryAfter reads the seconds of a Retry-After header; Shopify sends "2.0".
func retryAfter(header string) time.Duration {
	seconds, err := time.ParseDuration(header + "s")
	if err != nil || seconds < 0 {
		return 0
	}
	return min(seconds, time.Minute)
}

// graphQLFault is one entry of "errors" in a GraphQL answer.
type graphQLFault struct {
	Message    string         `json:"message"`
	Path       []any          `json:"path"`
	Extensions map[string]any `json:"extensions"`
}

func (f graphQLFault) code() string { return textOf(f.Extensions["code"]) }

// graphQLError makes one error of all faults of an answer.
func graphQLError(domain string, faults []graphQLFault, hasData bool) *APIError {
	e := &APIError{Status: http.StatusOK, Partial: hasData}
	var said []string
	for _, f := range faults {
		code := f.code()
		if code != "" && !e.has(code) {
			e.Codes = append(e.Codes, code)
		}
		// Data with holes for any other reason is no answer.
		e.Partial = e.Partial && code == codeAccessDenied
		if code == codeAccessDenied {
			e.withhold(f.field())
		}
		if text := f.sentence(); len(said) < 5 && !slices.Contains(said, text) {
			said = append(said, text)
		}
	}
	e.Message = domain + ": " + strings.Join(said, "; ")
	return e
}

func (e *APIError) withhold(fields ...string) {
	for _, f := range fields {
		if !slices.Contains(e.Withheld, f) {
			e.Withheld = append(e.Withheld, f)
		}
	}
}

// sentence says what happened in an operator's words.
func (f graphQLFault) sentence() string {
	switch f.code() {
	case codeThrottled:
		return "too many requests; they go on more slowly by themselves"
	case codeMaxCost:
		return "the query asks for too much at once"
	case codeShopInactive:
		return "the shop is closed"
	case codeAccessDenied:
		return f.withheld()
	}
	return plain(f.Message, 200)
}

// withheld names the field that was refused and the scope it needs.
func (f graphQLFault) withheld() string {
	text := "Shopify withholds " + plain(f.field(), 100)
	if access := textOf(f.Extensions["requiredAccess"]); access != "" {
		text += ", which needs " + plain(access, 200)
	} else if f.Message != "" {
		text += ": " + plain(f.Message, 200)
	}
	return text + "; grant it to the app and install the app again"
}

// field joins the path of names; positions in lists say nothing.
func (f graphQLFault) field() string {
	var names []string
	for _, step := range f.Path {
		if name, ok := step.(string); ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return "the data"
	}
	return strings.Join(names, ".")
}

// plain makes a line that is fit for a log of somebody else's text.
func plain(text string, limit int) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
	text = strings.TrimSuffix(strings.TrimSpace(text), ".")
	if len(text) > limit {
		text = strings.ToValidUTF8(text[:limit], "") + "..."
	}
	return text
}
