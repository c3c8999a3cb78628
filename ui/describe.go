package ui

import (
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"gapless/sync/report"
)

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
	return func(o *huma.Operation) {
		o.Summary, o.DefaultStatus = summary, http.StatusAccepted
		o.Errors = append(failures(o.Path), http.StatusBadRequest, http.StatusConflict, http.StatusRequestEntityTooLarge)
	}
}

// read says what a GET answers, and that it is not sent to who has it already;
// see notModified.
func read(summary string) func(*huma.Operation) {
	return func(o *huma.Operation) {
		o.Summary, o.Errors = summary, failures(o.Path)
		o.Parameters = append(o.Parameters, &huma.Param{Name: "If-None-Match", In: "header", Description: "ETag of an answer that is at hand: 304 if it would be the same", Schema: &huma.Schema{Type: huma.TypeString}})
		o.Responses = map[string]*huma.Response{"200": {Headers: tagged()}, "304": notSentAgain()}
	}
}

func tagged() map[string]*huma.Param {
	return map[string]*huma.Param{"ETag": {Description: "names this answer; send it as If-None-Match", Schema: &huma.Schema{Type: huma.TypeString}}}
}

func notSentAgain() *huma.Response {
	return &huma.Response{Description: "The answer is the one that the client has", Headers: tagged()}
}

// failures are the errors that an operation may answer besides those of its
// input, as problem details.
func failures(path string) []int {
	all := []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusServiceUnavailable}
	if strings.Contains(path, "{") {
		all = append(all, http.StatusNotFound)
	}
	return all
}
