package shopifytest

import (
	"encoding/base64"
	"fmt"
	"slices"
)

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
	p := page{back: at.n > 0}
	for _, r := range s.behind(at, a, want) {
		o := s.orders[r.id]
		if !s.shows(o) || !want.matches(o, s.index.known[r.id]) {
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

// behind are the indexed orders behind a place, in the order that a search asked
// for. The order at the place may have moved since: it goes on where that stood.
func (s *Shop) behind(at cursor, a args, want search) []row {
	rows, compare := s.sorted(a, want)
	if at.n == 0 {
		return rows
	}
	i, found := slices.BinarySearchFunc(rows, at.row, compare)
	if found {
		i++
	}
	return rows[i:]
}

// sorted are the indexed orders in the order that a search asked for, and how
// that order compares. By update they lie ready; by id or by time of
// processing, which is Shopify's default, the rows are made anew.
func (s *Shop) sorted(a args, want search) ([]row, func(a, b row) int) {
	rows, compare := s.index.rows, byTime
	switch a.string("sortKey") {
	case "UPDATED_AT":
		i, _ := slices.BinarySearchFunc(rows, row{want.from(), 0}, byTime)
		rows = rows[i:]
	case "ID":
		rows = make([]row, len(s.index.ids))
		for i, id := range s.index.ids {
			rows[i].id = id
		}
	default:
		rows = slices.Clone(rows)
		for i, r := range rows {
			rows[i].at = s.orders[r.id].ProcessedAt.Unix()
		}
		slices.SortFunc(rows, byTime)
	}
	if !a.bool("reverse") {
		return rows, compare
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
		if o := s.orders[r.id]; s.shows(o) && want.matches(o, r.at) {
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
