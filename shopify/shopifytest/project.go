package shopifytest

import (
	"fmt"
	"slices"

	"github.com/vektah/gqlparser/v2/ast"
)

// run projects the operation on the root value: the answer holds what was asked
// for and nothing else. The second result is the actual cost.
func (q *query) run(root any) (any, int) {
	data, cost := q.project(q.root(), root, q.op.SelectionSet, nil)
	if q.hollow {
		return nil, cost
	}
	return data, cost
}

// project answers a selection on one object.
func (q *query) project(typ string, src any, set ast.SelectionSet, path []any) (object, int) {
	out, cost := object{}, 0
	q.collect(typ, set, func(sel *ast.Field) {
		if sel.Name == "__typename" {
			out[sel.Alias] = typ
			return
		}
		if q.bulk && q.schema[typ][sel.Name].kind == connection && !slices.Contains(q.withheld, sel.Name) {
			q.below = append(q.below, below{typ, src, sel}) // goes on lines of its own
			return
		}
		value, c := q.resolve(typ, src, sel, append(slices.Clip(path), sel.Alias))
		if old, again := out[sel.Alias].(object); again {
			if more, ok := value.(object); ok {
				value = merge(old, more)
			}
		}
		out[sel.Alias], cost = value, cost+c
	})
	return out, cost
}

// merge joins two answers to the same field, as two fragments may ask for.
func merge(a, b object) object {
	for key, v := range b {
		old, isObject := a[key].(object)
		if more, ok := v.(object); ok && isObject {
			v = merge(old, more)
		}
		a[key] = v
	}
	return a
}

// collect calls visit with every field that a selection has on a concrete type,
// those of matching fragments included.
func (q *query) collect(typ string, set ast.SelectionSet, visit func(*ast.Field)) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			if q.included(sel.Directives) {
				visit(sel)
			}
		case *ast.InlineFragment:
			if q.included(sel.Directives) && matches(typ, sel.TypeCondition) {
				q.collect(typ, sel.SelectionSet, visit)
			}
		case *ast.FragmentSpread:
			if f := q.doc.Fragments.ForName(sel.Name); q.included(sel.Directives) && matches(typ, f.TypeCondition) {
				q.collect(typ, f.SelectionSet, visit)
			}
		}
	}
}

// included obeys @include and @skip.
func (q *query) included(directives ast.DirectiveList) bool {
	for _, d := range directives {
		arg := d.Arguments.ForName("if")
		if arg == nil {
			continue
		}
		v, _ := arg.Value.Value(q.variables)
		if yes, _ := v.(bool); yes == (d.Name == "skip") {
			return false
		}
	}
	return true
}

func matches(typ, condition string) bool {
	return condition == "" || condition == typ || slices.Contains(abstract[condition], typ)
}

// resolve answers one field with its price.
func (q *query) resolve(typ string, src any, sel *ast.Field, path []any) (any, int) {
	f := q.schema[typ][sel.Name]
	if sel.Name == q.outage.Deny || slices.Contains(q.withheld, sel.Name) {
		q.denied(typ, f, sel, path)
		return nil, 0
	}
	value := f.get(src, q.args(sel))
	if p, ok := value.(page); ok && f.typ == "Order" {
		value = q.list(p, sel)
	}
	if f.typ == "" {
		return value, 0
	}
	switch v := value.(type) {
	case nil:
		return q.nothing(f), 0
	case problem:
		q.fail(string(v), "BAD_REQUEST", sel.Position, path)
		return nil, 0
	case page:
		return q.projectPage(f.typ, v, sel.SelectionSet, path)
	case []any:
		return q.projectList(f.typ, v, sel.SelectionSet, path)
	}
	out, cost := q.projectOne(f.typ, value, sel.SelectionSet, path)
	switch {
	case f.kind == mutation:
		cost = 10
	case !free[f.typ]:
		cost++
	}
	return out, cost
}

// denied refuses one field. A list at the top is never null, so that there is no
// data at all without it.
func (q *query) denied(typ string, f field, sel *ast.Field, path []any) {
	q.fail(fmt.Sprintf("Access denied for %s field.", sel.Name), "ACCESS_DENIED", sel.Position, path)
	q.broke(sel.Name + " withheld")
	scope := "read_orders"
	if sel.Name == "customer" {
		scope = "read_customers"
	}
	q.errors[len(q.errors)-1]["extensions"].(object)["requiredAccess"] = "`" + scope + "` access scope."
	q.hollow = q.hollow || typ == "QueryRoot" && (f.kind == list || f.kind == connection)
}

// list notes which orders a page holds, or empties it where that is the fault:
// it then leads back to where it began.
func (q *query) list(p page, sel *ast.Field) page {
	if q.outage.Empty {
		q.broke("empty page")
		p = page{more: true, back: p.back}
		if after := q.args(sel).string("after"); after != "" {
			p.cursors = []string{after}
		}
	}
	for _, n := range p.nodes {
		q.listed = append(q.listed, n.(*Order).ID)
	}
	return p
}

// nothing is the answer for no value: null, or an empty list.
func (q *query) nothing(f field) any {
	if f.kind == list {
		return []any{}
	}
	return nil
}

func (q *query) projectOne(typ string, value any, set ast.SelectionSet, path []any) (any, int) {
	if value == nil {
		return nil, 0
	}
	if t, ok := value.(typed); ok {
		typ, value = t.name, t.src
	}
	return q.project(typ, value, set, path)
}

// projectList answers a plain list. It is priced like a single object.
func (q *query) projectList(typ string, all []any, set ast.SelectionSet, path []any) ([]any, int) {
	out, dearest := make([]any, len(all)), 0
	for i, v := range all {
		var cost int
		out[i], cost = q.projectOne(typ, v, set, append(slices.Clip(path), i))
		dearest = max(dearest, cost)
	}
	return out, 1 + dearest
}

// projectPage answers a connection with nodes, edges and page info.
func (q *query) projectPage(typ string, p page, set ast.SelectionSet, path []any) (object, int) {
	out, node := object{}, 0
	q.collect(typ+"Connection", set, func(sel *ast.Field) {
		at := append(slices.Clip(path), sel.Alias)
		switch sel.Name {
		case "__typename":
			out[sel.Alias] = typ + "Connection"
		case "pageInfo":
			out[sel.Alias], _ = q.project("PageInfo", p, sel.SelectionSet, at)
		case "nodes":
			out[sel.Alias], node = q.projectList(typ, p.nodes, sel.SelectionSet, at)
		case "edges":
			out[sel.Alias], node = q.projectEdges(typ, p, sel.SelectionSet, at)
		}
	})
	if len(p.nodes) == 0 {
		return out, 2
	}
	return out, 2 + scale(len(p.nodes))*node
}

func (q *query) projectEdges(typ string, p page, set ast.SelectionSet, path []any) ([]any, int) {
	edges, dearest := make([]any, len(p.nodes)), 0
	for i, n := range p.nodes {
		edge := object{}
		q.collect(typ+"Edge", set, func(sel *ast.Field) {
			switch sel.Name {
			case "cursor":
				edge[sel.Alias] = p.cursors[i]
			case "node":
				var cost int
				edge[sel.Alias], cost = q.projectOne(typ, n, sel.SelectionSet, append(slices.Clip(path), i, sel.Alias))
				dearest = max(dearest, 1+cost)
			}
		})
		edges[i] = edge
	}
	return edges, dearest
}
