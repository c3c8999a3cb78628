package ui

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

// templates are the pages by name, each with the layout and the parts they share.
var templates = parseTemplates()

func parseTemplates() map[string]*template.Template {
	shared := template.Must(template.New("layout").Funcs(template.FuncMap{
		"static": staticURL, "icon": icon, "number": number, "plural": plural,
	}).ParseFS(templateFiles, "templates/layout.html", "templates/parts.html"))
	all := map[string]*template.Template{}
	names, err := fs.Glob(templateFiles, "templates/pages/*.html")
	if err != nil {
		panic(err)
	}
	for _, name := range names {
		page := template.Must(template.Must(shared.Clone()).ParseFS(templateFiles, name))
		all[strings.TrimSuffix(path.Base(name), ".html")] = page
	}
	return all
}

// frame is what the layout shows around a page.
type frame struct {
	Title   string
	Nav     []navItem
	Person  Person
	Known   bool    // somebody is logged in
	AsOf    *moment // of when the page is, which scripts keep up to date
	Open    bool    // a demo
	Version string
	Notice  *notice
	Body    any
}

type navItem struct {
	Path, Label, Icon string
	Count             int64
	Current           bool
	Apart             bool // begins the lesser half
}

// nav is the way to every page. Those that people need every morning come first.
var nav = []navItem{
	{Path: "/", Label: "Overview", Icon: "home"},
	{Path: "/gaps", Label: "Gaps", Icon: "gap"},
	{Path: "/orders", Label: "Orders", Icon: "order"},
	{Path: "/reports", Label: "Reports", Icon: "report"},
	{Path: "/events", Label: "Messages", Icon: "event", Apart: true},
	{Path: "/runs", Label: "Runs", Icon: "run"},
	{Path: "/health", Label: "Health", Icon: "health"},
	{Path: "/settings", Label: "Settings", Icon: "settings"},
}

func (v *visit) frame(shown view) frame {
	f := frame{Title: shown.title, Person: v.person, Known: v.person.Name != "", Open: v.Open, Version: v.Version, Body: shown.body, Notice: v.notice()}
	if !f.Known {
		return f
	}
	f.AsOf = v.asOf(shown)
	f.Nav = append(f.Nav, nav...)
	for i := range f.Nav {
		n := &f.Nav[i]
		n.Current = v.URL.Path == n.Path || n.Path != "/" && strings.HasPrefix(v.URL.Path+"/", n.Path+"/")
		if n.Path == "/gaps" {
			n.Count, _ = v.Store.LiveGaps(v.Context()) // the page itself says where the store can't be read
		}
	}
	return f
}

// asOf is of when a page is, by the first shop's clock.
func (v *visit) asOf(shown view) *moment {
	c, _ := v.firstClock() // where the store can't be read it is UTC
	if shown.asOf.IsZero() {
		return c.at(v.now)
	}
	return c.at(shown.asOf)
}

// notice is a sentence at the top of a page.
type notice struct{ Text, Tone, Icon string }

// notices are what a page says at its top after a form was posted.
var notices = map[string]string{
	"replayed": "Started: %s. Each gap closes once the ERP itself shows the order.",
	"ignored":  "Left as it is: %s. Look for it under Left as they are.",
	"nothing":  "Nothing to do: it was settled meanwhile.",
	didNothing: "You had been logged out, so nothing was done. Please do it again.",
	"sent":     "Started: the order is checked in the ERP and sent again where needed.",
	"busy":     "The order is being sent just now. Look again in a moment.",
	"running":  "The same run is under way already.",
	"started":  "Started. What it finds shows up here.",
	"role":     "The role is changed. They log in anew and have it.",
	"disabled": "They can't log in any more, and are logged out everywhere.",
	"enabled":  "They can log in again.",
	"removed":  "Removed. The audit log keeps what was done.",
	"password": "Your password is changed. You are logged out everywhere else.",
	"plain":    "From now on your password alone logs you in.",
}

// notice is chosen by the address, which a form's answer redirects to; nil: none.
// Only the count in it is free.
func (v *visit) notice() *notice {
	what := v.URL.Query().Get("did")
	text, known := notices[what]
	n, err := strconv.ParseUint(v.URL.Query().Get("n"), 10, 16)
	counts := strings.Contains(text, "%s")
	switch {
	case !known || counts && err != nil:
		return nil
	case counts:
		return &notice{Text: fmt.Sprintf(text, plural(int64(n), "gap"))}
	case what == didNothing:
		return &notice{text, "warn", "unsure"}
	}
	return &notice{Text: text}
}

// policy lets a page use what this server sends and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// send answers with a view. Nothing is sent before all of it is made.
func (s *Server) send(w http.ResponseWriter, v *visit, shown view) {
	if shown.cookie != nil {
		http.SetCookie(w, shown.cookie)
	}
	if shown.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(shown.retry.Seconds())+1))
	}
	switch {
	case shown.redirect != "":
		http.Redirect(w, v.Request, shown.redirect, http.StatusSeeOther)
		return
	case shown.file != nil:
		w.Header().Set("Content-Type", shown.file.kind)
		w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", shown.file.name))
		w.Write(shown.file.content)
		return
	}
	var b bytes.Buffer
	if err := templates[shown.template].ExecuteTemplate(&b, "layout", v.frame(shown)); err != nil {
		s.Log.Error("a page could not be drawn", "path", loggedPath(v.Request), "err", err)
		http.Error(w, "This page could not be drawn. The log of Gapless says why.", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", policy)
	if shown.template != "error" {
		h.Set("Referrer-Policy", "same-origin") // else browsers hide where a form comes from
	}
	if shown.status != 0 {
		w.WriteHeader(shown.status)
	}
	w.Write(b.Bytes())
}
