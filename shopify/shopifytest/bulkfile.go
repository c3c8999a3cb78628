package shopifytest

import (
	"bytes"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// below is a connection that a bulk operation met in a node.
type below struct {
	typ string // of the node
	src any
	sel *ast.Field
}

// bulkFile is the result of a bulk operation: one object a line.
type bulkFile struct {
	lines [][]byte
	roots int
}

// writeBulk reads all that the query asks for. Grouped, each order's lines follow
// it at once; otherwise they follow later, and only the order within each
// connection is kept.
func (s *Shop) writeBulk(q *query, grouped bool) bulkFile {
	var file bulkFile
	q.collect("QueryRoot", q.op.SelectionSet, func(sel *ast.Field) {
		f := q.schema["QueryRoot"][sel.Name]
		if slices.Contains(q.withheld, sel.Name) {
			q.denied("QueryRoot", f, sel, nil)
			return
		}
		for some := range slices.Chunk(s.everything(f, q.args(sel)), 4) {
			var children [][]byte
			for _, n := range some {
				file.roots++
				own, more := q.bulkNode(f.typ, n, q.nodeOf(f.typ, sel), "")
				file.lines = append(file.lines, own)
				if grouped {
					file.lines = append(file.lines, more...)
					continue
				}
				children = append(more, children...) // the last order's come first
			}
			file.lines = append(file.lines, children...)
		}
	})
	return file
}

// everything is the whole of a connection at the top, without pages.
func (s *Shop) everything(f field, a args) []any {
	if f.typ != "Order" {
		delete(a, "first")
		return f.get(s, a).(page).nodes
	}
	s.index.catchUp(s.opt.Now())
	var all []any
	want := parseSearch(a.string("query"), s.opt.Zone)
	for _, r := range s.behind(cursor{}, a, want) {
		if o := s.orders[r.id]; s.shows(o) && want.matches(o, s.index.known[r.id]) {
			all = append(all, o)
		}
	}
	return all
}

// bulkNode is the line of a node, and the lines below it.
func (q *query) bulkNode(typ string, n any, set ast.SelectionSet, parent string) (own []byte, more [][]byte) {
	if t, ok := n.(typed); ok {
		typ, n = t.name, t.src
	}
	q.below = nil
	doc, _ := q.project(typ, n, set, nil)
	if parent != "" {
		doc["__parentId"] = parent
	}
	met := q.below
	for _, b := range met {
		f, a := q.schema[b.typ][b.sel.Name], q.args(b.sel)
		delete(a, "first") // bulk operations pay no heed to it
		for _, child := range f.get(b.src, a).(page).nodes {
			line, below := q.bulkNode(f.typ, child, q.nodeOf(f.typ, b.sel), doc["id"].(string))
			more = append(append(more, line), below...)
		}
	}
	return encode(doc), more
}

// bytes is the file itself, up to so many lines.
func (f bulkFile) bytes(lines int) []byte {
	var out bytes.Buffer
	for _, line := range f.lines[:lines] {
		out.Write(line)
		out.WriteByte('\n')
	}
	return out.Bytes()
}
