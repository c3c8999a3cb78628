package ui

import (
	"net/url"
	"slices"
	"strconv"
)

// tabs are the views of one list.
type tabs struct {
	Label string
	Tabs  []tab
}

type tab struct {
	Label, URL string
	Current    bool
}

// chooser is a field of a filter with few values.
type chooser struct {
	Label, Name string
	Options     []option
}

type option struct {
	Value, Text string
	Chosen      bool
}

// oneOf is a value of the address, where it is one of those that are meant;
// else the first of them.
func (v *visit) oneOf(name string, known ...string) string {
	if got := v.URL.Query().Get(name); slices.Contains(known, got) {
		return got
	}
	return known[0]
}

// shopChosen is the shop of the address; empty: all.
func (v *visit) shopChosen() string { return v.oneOf("shop", append([]string{""}, v.Shops...)...) }

// shops let one shop be chosen; nothing where there is only one.
func (v *visit) shopChooser() *chooser {
	if len(v.Shops) < 2 {
		return nil
	}
	c := &chooser{Label: "Shop", Name: "shop", Options: []option{{"", "All shops", false}}}
	for _, name := range v.Shops {
		c.Options = append(c.Options, option{name, name, name == v.shopChosen()})
	}
	return c
}

// with is the address of this page with some values changed; empty ones are
// left out, and so is the place in the list.
func (v *visit) with(pairs ...string) string {
	q := v.URL.Query()
	for _, passing := range []string{"before", "did", "n"} {
		q.Del(passing)
	}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	for name := range q {
		if q.Get(name) == "" {
			q.Del(name)
		}
	}
	if len(q) == 0 {
		return v.URL.Path
	}
	return v.URL.Path + "?" + q.Encode()
}

// beforeID is the place in a list that goes by id; 0: its start.
func (v *visit) beforeID() int64 {
	id, err := strconv.ParseInt(v.URL.Query().Get("before"), 10, 64)
	if err != nil || id < 1 {
		return 0
	}
	return id
}

// numberChosen is an id in the address; 0: none.
func (v *visit) numberChosen(name string) int64 {
	id, err := strconv.ParseInt(v.URL.Query().Get(name), 10, 64)
	if err != nil {
		return 0
	}
	return max(id, 0)
}

// older is the address of the next page of such a list; empty: there is none.
func (v *visit) older(shown int, last int64) string {
	if shown < perPage {
		return ""
	}
	return v.with("before", strconv.FormatInt(last, 10))
}

// perPage is how much a list shows at once.
const perPage = 50

// id is the number in the path; what is none leads nowhere.
func (v *visit) id() int64 {
	id, err := strconv.ParseInt(v.params.ByName("id"), 10, 64)
	if err != nil {
		return -1
	}
	return id
}

// orderPath is where an order is shown.
func orderPath(shop string, id int64) string {
	return "/orders/" + url.PathEscape(shop) + "/" + strconv.FormatInt(id, 10)
}

// shopShown is a shop's name where it tells something: there are several.
func (v *visit) shopShown(name string) string {
	if len(v.Shops) == 1 {
		return ""
	}
	return name
}
