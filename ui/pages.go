package ui

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/julienschmidt/httprouter"
	"github.com/klauspost/compress/gzhttp"

	"gapless/store"
)

// pageRoute is one page: who may ask for it, and what makes it.
type pageRoute struct {
	method, path string
	role         string
	show         func(*visit) (view, error)
}

// pageRoutes are all pages. GET never writes; see backFromOIDC for the one
// exception among peopleRoutes.
var pageRoutes = []pageRoute{
	{"GET", "/", "viewer", overview},
	{"GET", "/gaps", "viewer", gapsPage},
	{"GET", "/gaps/:id", "viewer", gapPage},
	{"GET", "/replay", "operator", replayPage},
	{"POST", "/replay", "operator", replayNow},
	{"GET", "/ignore", "operator", ignorePage},
	{"POST", "/ignore", "operator", ignoreNow},
	{"GET", "/orders", "viewer", ordersPage},
	{"GET", "/orders/:shop/:id", "viewer", orderPage},
	{"GET", "/events", "viewer", eventsPage},
	{"GET", "/events/:id", "viewer", eventPage},
	{"GET", "/events/:id/raw", "operator", eventRaw},
	{"GET", "/calls/:id", "viewer", callPage},
	{"GET", "/calls/:id/raw", "operator", callRaw},
	{"GET", "/runs", "viewer", runsPage},
	{"GET", "/runs/:id", "viewer", runPage},
	{"POST", "/runs", "operator", startRunNow},
	{"GET", "/reports", "viewer", reportsPage},
	{"GET", "/reports/:day", "viewer", reportPage},
	{"POST", "/reports/:day", "operator", compareDay},
	{"GET", "/health", "viewer", healthPage},
	{"GET", "/settings", "viewer", settingsPage},
	{"POST", "/settings", "operator", testNow},
}

// visit is one request for a page.
type visit struct {
	*Server
	*http.Request
	person Person
	params httprouter.Params
	now    time.Time
}

// view is what answers a visit: a template with what it shows, a redirect, or
// a file.
type view struct {
	template string
	title    string
	body     any
	asOf     time.Time // of when it is; zero: of now
	status   int       // 0: 200
	redirect string    // after a form was posted
	file     *file
	cookie   *http.Cookie
	retry    time.Duration // 0: at once
}

// file is an answer that is no page.
type file struct {
	name, kind string
	content    []byte
}

// pageError is an answer in plain words: what is the matter, and what to do.
type pageError struct {
	status      int
	Title, What string
}

// Error is both sentences.
func (e pageError) Error() string { return e.Title + ": " + e.What }

func notFound(what string) pageError {
	return pageError{http.StatusNotFound, what, "It may have been removed, or the address has a mistake."}
}

// wrongInput is a form or an address that can't be meant.
func wrongInput(what string) error {
	return pageError{http.StatusUnprocessableEntity, "That did not work", what}
}

// pages hangs the pages on the router.
func (s *Server) pages(r *httprouter.Router) {
	for _, route := range slices.Concat(pageRoutes, peopleRoutes) {
		r.Handler(route.method, route.path, gzhttp.GzipHandler(s.page(route)))
	}
	r.Handler(http.MethodGet, staticPath+"*file", gzhttp.GzipHandler(http.HandlerFunc(serveStatic)))
	r.NotFound, r.MethodNotAllowed = http.HandlerFunc(s.nowhere), http.HandlerFunc(wrongMethod)
}

// page answers visits of one route.
func (s *Server) page(route pageRoute) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, mostForm)
		v := &visit{Server: s, Request: r, params: httprouter.ParamsFromContext(r.Context()), now: s.Now()}
		shown, err := v.answer(route)
		if err != nil {
			s.explain(w, v, err)
			return
		}
		s.send(w, v, shown)
	})
}

// mostForm is how long a form may be, in bytes.
const mostForm = 256 << 10

func (v *visit) answer(route pageRoute) (view, error) {
	var err error
	v.person, err = v.findPerson(v.Request)
	switch {
	case errors.Is(err, store.ErrNotFound):
		if route.role != anybody {
			return v.toLogin(), nil
		}
	case err != nil:
		return view{}, err
	case !v.may(route.role):
		return view{}, pageError{http.StatusForbidden, "That is not yours to do",
			fmt.Sprintf("You are %s here; this needs %s. Ask an admin for it.", aRole(v.person.Role), aRole(route.role))}
	}
	if err := v.ParseForm(); err != nil {
		return view{}, wrongInput("The form could not be read. Go back and send it again.")
	}
	v.seen()
	if err := v.record(route); err != nil {
		return view{}, err
	}
	return route.show(v)
}

// aRole is "a viewer", "an operator" or "an admin".
func aRole(role string) string {
	if role == "viewer" {
		return "a viewer"
	}
	return "an " + role
}

// may says whether the person has at least this role.
func (v *visit) may(role string) bool {
	return ranked(v.person.Role, role)
}

// explain answers with an error page. What the reader can't help goes to the log.
func (s *Server) explain(w http.ResponseWriter, v *visit, err error) {
	var told pageError
	switch {
	case errors.As(err, &told):
	case errors.Is(err, store.ErrNotFound):
		told = notFound("There is nothing here")
	default:
		s.Log.Error("a page could not be made", "path", loggedPath(v.Request), "err", err)
		told = pageError{http.StatusServiceUnavailable, "This page could not be made just now",
			"Reload it in a moment. If it stays so, the log of Gapless says why."}
	}
	s.send(w, v, view{template: "error", title: told.Title, body: told, status: told.status})
}

// nowhere answers for addresses that lead to nothing.
func (s *Server) nowhere(w http.ResponseWriter, r *http.Request) {
	if isAPI(r) {
		problem(w, http.StatusNotFound, "there is nothing at this address; /api/openapi.json lists what there is")
		return
	}
	if !strings.Contains(r.Header.Get("Accept"), "text/html") {
		http.NotFound(w, r)
		return
	}
	v := &visit{Server: s, Request: r, now: s.Now()}
	v.person, _ = s.person(r)
	s.explain(w, v, notFound("There is no such page"))
}

// wrongMethod answers where an address is right and the method is not; which ones
// are stands in the header Allow.
func wrongMethod(w http.ResponseWriter, r *http.Request) {
	what := "this address does not take " + r.Method
	if isAPI(r) {
		problem(w, http.StatusMethodNotAllowed, what)
		return
	}
	http.Error(w, what, http.StatusMethodNotAllowed)
}
