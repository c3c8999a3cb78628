package shopifytest

import (
	"regexp"
	"strconv"
	"strings"
	"time"
)

// search is a parsed search string.
type search struct{ terms []term }

type term struct {
	key, op string
	at      time.Time // of a time
	text    string    // of anything else
}

// termPattern finds one comparison: a key, an operator, a quoted or bare value.
var termPattern = regexp.MustCompile(`([a-z_]+):(>=|<=|>|<)?(?:'([^']*)'|"([^"]*)"|([^\s()]+))`)

// parseSearch reads Shopify's search syntax as far as a poll needs it. A quoted
// time is taken as it says. Of a bare one only the date counts, in the shop's
// zone. Keys that the search does not know are ignored, as Shopify does.
func parseSearch(text string, zone *time.Location) search {
	var s search
	for _, m := range termPattern.FindAllStringSubmatch(text, -1) {
		t := term{key: m[1], op: m[2], text: m[3] + m[4] + m[5]}
		if strings.HasSuffix(t.key, "_at") {
			at, ok := searchTime(t.text, m[5] != "", zone)
			if !ok {
				continue
			}
			if t.at = at; m[5] != "" && t.op == "<=" {
				t.op, t.at = "<", at.AddDate(0, 0, 1)
			}
		}
		s.terms = append(s.terms, t)
	}
	return s
}

func searchTime(text string, bare bool, zone *time.Location) (time.Time, bool) {
	if bare && len(text) > len(time.DateOnly) {
		text = text[:len(time.DateOnly)]
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateOnly} {
		if at, err := time.ParseInLocation(layout, text, zone); err == nil {
			return at, true
		}
	}
	return time.Time{}, false
}

// matches looks at an order as the index knows it.
func (s search) matches(o *Order, updated int64) bool {
	for _, t := range s.terms {
		ok := true
		switch t.key {
		case "updated_at":
			ok = t.compare(time.Unix(updated, 0))
		case "created_at":
			ok = t.compare(o.CreatedAt)
		case "processed_at":
			ok = t.compare(o.ProcessedAt)
		case "name":
			ok = t.text == o.Name() || "#"+t.text == o.Name()
		case "id":
			ok = t.compareID(o.ID)
		case "test":
			ok = t.text == strconv.FormatBool(o.Test)
		}
		if !ok {
			return false
		}
	}
	return true
}

// compare takes > for >=, as the real search has been seen to do.
func (t term) compare(at time.Time) bool {
	switch t.op {
	case ">=", ">":
		return !at.Before(t.at)
	case "<=":
		return !at.After(t.at)
	case "<":
		return at.Before(t.at)
	}
	return at.Equal(t.at)
}

// compareID compares plain numbers, and takes > for >= as well.
func (t term) compareID(id int64) bool {
	bound, err := strconv.ParseInt(t.text, 10, 64)
	if err != nil {
		return false
	}
	switch t.op {
	case ">=", ">":
		return id >= bound
	case "<=":
		return id <= bound
	case "<":
		return id < bound
	}
	return id == bound
}

// from is the first second that can match, so that a page does not walk the
// whole index.
func (s search) from() int64 {
	for _, t := range s.terms {
		if t.key == "updated_at" && (t.op == ">=" || t.op == ">") {
			return t.at.Unix()
		}
	}
	return 0
}
