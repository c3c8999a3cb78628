package ui

import (
	"net/http"
	"strings"
)

type ignoreView struct {
	chosen
	What   string
	As     string // it is, or they are
	Names  []string
	Reason string
	Wrong  string
	Back   string
}

// ignorePage asks why gaps may stay as they are.
func ignorePage(v *visit) (view, error) { return v.askWhy("", "", 0) }

func (v *visit) askWhy(reason, wrong string, status int) (view, error) {
	c, err := v.chosen()
	if err != nil {
		return view{}, err
	}
	body := ignoreView{chosen: c, What: plural(int64(len(c.Gaps)), "gap"), As: "it is", Reason: reason, Wrong: wrong, Back: c.gapsPath()}
	if len(c.Gaps) > 1 {
		body.As = "they are"
	}
	for _, id := range c.Gaps[:min(len(c.Gaps), 20)] {
		g, err := v.Store.Gap(v.Context(), id)
		if err != nil {
			return view{}, err
		}
		body.Names = append(body.Names, gapName(g))
	}
	return view{template: "ignore", title: "Leave " + body.What + " as " + body.As, body: body, status: status}, nil
}

// mostReason is how long a reason may be, in bytes.
const mostReason = 1000

// ignoreNow leaves gaps as they are, with who says so and why.
func ignoreNow(v *visit) (view, error) {
	reason := strings.TrimSpace(v.PostForm.Get("reason"))
	switch {
	case reason == "":
		return v.askWhy("", "Say why: whoever looks at it next wants to know.", http.StatusUnprocessableEntity)
	case len(reason) > mostReason:
		return v.askWhy(short(reason, mostReason), "That is too long. A sentence or two will do.", http.StatusUnprocessableEntity)
	}
	c, err := v.chosen()
	if err != nil {
		return view{}, err
	}
	n, err := v.Actions.IgnoreGaps(v.Context(), c.Gaps, v.person.Name, reason)
	if err != nil {
		return view{}, err
	}
	return view{redirect: did(c.gapsPath(), "ignored", n)}, nil
}
