package shopifytest

import (
	"cmp"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// index is what searches know of the orders: when each was last updated, some
// time after it was.
type index struct {
	lag   time.Duration
	rows  []row           // sorted
	known map[int64]int64 // order id to the second it stands at in rows
	late  []lateRow       // by the time they become visible
}

// row is one order with the time it is sorted by, in Unix seconds: in the
// index, its last update.
type row struct{ at, id int64 }

type lateRow struct {
	row
	visible time.Time
}

func byTime(a, b row) int {
	return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.id, b.id))
}

// note says that an order changed at an instant.
func (x *index) note(o *Order, at time.Time) {
	x.late = append(x.late, lateRow{row{o.UpdatedAt.Unix(), o.ID}, at.Add(x.lag)})
}

// catchUp makes visible what has waited out the lag.
func (x *index) catchUp(now time.Time) {
	n := 0
	for n < len(x.late) && !x.late[n].visible.After(now) {
		x.put(x.late[n].row)
		n++
	}
	if x.late = x.late[n:]; len(x.late) == 0 {
		x.late = nil
	}
}

func (x *index) put(r row) {
	x.remove(r.id)
	i, _ := slices.BinarySearchFunc(x.rows, r, byTime)
	x.rows = slices.Insert(x.rows, i, r)
	x.known[r.id] = r.at
}

func (x *index) remove(id int64) {
	updated, ok := x.known[id]
	if !ok {
		return
	}
	if i, found := slices.BinarySearchFunc(x.rows, row{updated, id}, byTime); found {
		x.rows = slices.Delete(x.rows, i, i+1)
	}
	delete(x.known, id)
}

// drop forgets a deleted order at once.
func (x *index) drop(id int64) {
	x.remove(id)
	x.late = slices.DeleteFunc(x.late, func(l lateRow) bool { return l.id == id })
}

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
			ok = t.text == strconv.FormatInt(o.ID, 10)
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

// maxPagination is how many objects one pagination can reach.
const maxPagination = 25_000

// cursor is a place in a search: behind a row, and how many rows led there.
type cursor struct {
	row
	n int
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%d %d %d", c.at, c.id, c.n))
}

func parseCursor(text string) (c cursor, ok bool) {
	if text == "" {
		return c, true
	}
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil {
		return c, false
	}
	_, err = fmt.Sscanf(string(raw), "%d %d %d", &c.at, &c.id, &c.n)
	return c, err == nil
}

// problem is an error in Shopify's words that a field answers with.
type problem string

// find answers orders(). The caller holds the lock.
func (s *Shop) find(a args) any {
	s.index.catchUp(s.opt.Now())
	first := a.int("first", 0)
	if first > 250 {
		return problem("The first argument must be at most 250")
	}
	at, ok := parseCursor(a.string("after"))
	if !ok {
		return problem("Invalid cursor for current pagination sort.")
	}
	if at.n+first > maxPagination {
		return problem("Pagination reaches at most 25,000 objects")
	}
	return s.page(parseSearch(a.string("query"), s.opt.Zone), a, at, first)
}

func (s *Shop) page(want search, a args, at cursor, first int) page {
	rows, compare := s.sorted(a, want)
	if at.n > 0 {
		// The row itself may have moved since: go on behind where it stood.
		i, found := slices.BinarySearchFunc(rows, at.row, compare)
		if found {
			i++
		}
		rows = rows[i:]
	}
	p := page{back: at.n > 0}
	for _, r := range rows {
		o := s.orders[r.id]
		if !want.matches(o, s.index.known[r.id]) {
			continue
		}
		if len(p.nodes) == first {
			p.more = true
			break
		}
		p.nodes = append(p.nodes, o)
		p.cursors = append(p.cursors, cursor{r, at.n + len(p.nodes)}.String())
	}
	return p
}

// sorted are the indexed orders in the order that a search asked for, and how
// that order compares. By update they lie ready; by time of processing, which
// is Shopify's default, the rows are made anew.
func (s *Shop) sorted(a args, want search) ([]row, func(a, b row) int) {
	rows := s.index.rows
	if a.string("sortKey") == "UPDATED_AT" {
		i, _ := slices.BinarySearchFunc(rows, row{want.from(), 0}, byTime)
		rows = rows[i:]
	} else {
		rows = slices.Clone(rows)
		for i, r := range rows {
			rows[i].at = s.orders[r.id].ProcessedAt.Unix()
		}
		slices.SortFunc(rows, byTime)
	}
	if !a.bool("reverse") {
		return rows, byTime
	}
	rows = slices.Clone(rows)
	slices.Reverse(rows)
	return rows, func(a, b row) int { return byTime(b, a) }
}

// count answers ordersCount(). The caller holds the lock.
func (s *Shop) count(a args) any {
	s.index.catchUp(s.opt.Now())
	want, n := parseSearch(a.string("query"), s.opt.Zone), 0
	for _, r := range s.index.rows {
		if want.matches(s.orders[r.id], r.at) {
			n++
		}
	}
	limit, given := a["limit"]
	if given && limit == nil {
		return count{n: n}
	}
	most := a.int("limit", 10_000)
	return count{n: min(n, most), capped: n > most}
}
