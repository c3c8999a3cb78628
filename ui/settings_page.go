package ui

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"gapless/store"
)

type settingsBody struct {
	Tabs   tabs
	Groups []group
	Tests  []test
	MayAct bool
	Try    tryOut
}

// group is one table of the config.
type group struct {
	Title string
	Facts []fact
}

// test is a connection that can be tried.
type test struct {
	Kind, Name, Label string
	Tried             bool
	Failure           string
}

// tryOut is what rules, and the mapping where that is asked, make of an order.
type tryOut struct {
	Order, When string
	Name, Path  string
	Asked       bool
	Trial       Trial
	Wrong       string
	Document    string
	Hidden      string // why neither the document nor the mapping is shown
	Mapped      *mapped
}

// mapped is what the ERP would get of an order.
type mapped struct {
	preview
	Document string
}

// settingsPage shows the config as loaded, and tries rules out on an order.
func settingsPage(v *visit) (view, error) { return v.settings("", "", nil) }

// testTime is how long a connection may take to answer.
const testTime = 20 * time.Second

// testNow tries one connection.
func testNow(v *visit) (view, error) {
	kind, name := v.PostForm.Get("kind"), v.PostForm.Get("name")
	ctx, cancel := context.WithTimeout(v.Context(), testTime)
	defer cancel()
	err := v.Actions.Test(ctx, kind, name)
	if errors.Is(err, store.ErrNotFound) {
		return view{}, wrongInput("There is no such connection in the config.")
	}
	return v.settings(kind, name, err)
}

func (v *visit) settings(kind, name string, failure error) (view, error) {
	body := settingsBody{Tabs: v.settingsTabs(), Groups: groups(v.Config), Tests: v.tests(), MayAct: v.may("operator")}
	for i := range body.Tests {
		if t := &body.Tests[i]; t.Kind == kind && t.Name == name {
			t.Tried = true
			if failure != nil {
				t.Failure = short(failure.Error(), 500)
			}
		}
	}
	var err error
	body.Try, err = v.tryOut()
	return view{template: "settings", title: "Settings", body: body}, err
}

func (v *visit) tests() []test {
	var all []test
	connected := v.Actions.Connections()
	for _, s := range connected.Shops {
		all = append(all, test{Kind: "shop", Name: s.Name, Label: "Shop " + s.Name})
	}
	for _, e := range connected.ERPs {
		all = append(all, test{Kind: "erp", Name: e.Name, Label: "ERP " + e.Name})
	}
	for _, o := range connected.Others {
		all = append(all, test{Kind: "other", Name: o, Label: map[string]string{"disk": "Disk", "mail": "Mail server", "oidc": "OpenID Connect provider"}[o]})
	}
	return all
}

// tryOut tries rules on the order of the address. It changes nothing.
func (v *visit) tryOut() (tryOut, error) {
	t := tryOut{Order: strings.TrimSpace(v.URL.Query().Get("order")), When: strings.TrimSpace(v.URL.Query().Get("when"))}
	switch {
	case t.Order == "" && t.When == "":
		return t, nil
	case len(t.When) > 4000:
		t.When, t.Wrong = "", "That condition is too long."
		return t, nil
	case t.Order == "":
		t.Wrong = "Name an order to try it on, such as #1001."
		return t, nil
	}
	found, err := v.search(v.Context(), t.Order, "", perPage, v.seesPeople())
	if err != nil {
		return t, err
	}
	if len(found) == 0 {
		t.Wrong = "There is no order of that name."
		return t, nil
	}
	key := found[0].OrderKey
	t.Name, t.Path = short(found[0].Name, 60), orderPath(key.Shop, key.ID)
	var wrong WrongRequest
	switch t.Trial, err = v.Actions.TryRule(v.Context(), key, t.When); {
	case errors.As(err, &wrong):
		t.Wrong = short(wrong.Error(), 500)
	case errors.Is(err, store.ErrNotFound):
		t.Wrong = "What the order holds is no longer kept here."
	case err != nil:
		return t, err
	default:
		t.Asked = true
	}
	if !v.seesPeople() {
		t.Hidden = hidden
		return t, nil
	}
	if v.URL.Query().Get("map") != "" {
		t.Mapped = v.mapped(key)
	}
	if raw, err := v.Actions.Neutral(v.Context(), key); err == nil {
		t.Document = pretty(raw)
	}
	return t, nil
}

// mapped asks for what a replay would send, which sends nothing. The ERP is asked
// what it holds.
func (v *visit) mapped(key store.OrderKey) *mapped {
	ctx, cancel := context.WithTimeout(v.Context(), previewTime)
	defer cancel()
	plan, err := v.Actions.Plan(ctx, key)
	m := &mapped{preview: v.previewOf(plan, err)}
	if len(plan.Document) > 0 {
		m.Document = pretty(plan.Document)
	}
	return m
}

// groups are the config's tables, in the order of their names.
func groups(config map[string]any) []group {
	var all []group
	for _, name := range slices.Sorted(maps.Keys(config)) {
		switch value := config[name].(type) {
		case []any:
			for _, one := range value {
				table, _ := one.(map[string]any)
				title, _ := table["name"].(string)
				all = append(all, group{strings.TrimSpace(name + " " + title), facts("", table)})
			}
		case map[string]any:
			all = append(all, group{name, facts("", value)})
		}
	}
	return all
}

// facts are the keys of a table, each value as the file may have it.
func facts(prefix string, table map[string]any) []fact {
	var all []fact
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if inner, ok := table[key].(map[string]any); ok && len(inner) > 0 {
			all = append(all, facts(prefix+key+".", inner)...)
			continue
		}
		all = append(all, fact{Label: prefix + key, Text: valueText(table[key])})
	}
	return all
}

// valueText shows a value whole: a text as it is, programs are read here.
func valueText(value any) string {
	switch value := value.(type) {
	case nil:
		return "not set"
	case string:
		return cmp.Or(value, `""`)
	case []any, map[string]any:
		var b strings.Builder
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(false)
		if err := e.Encode(value); err == nil {
			return strings.TrimSpace(b.String())
		}
	}
	return fmt.Sprint(value)
}
