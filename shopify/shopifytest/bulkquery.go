package shopifytest

import (
	"fmt"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
)

// newBulkQuery parses the query of a bulk operation and says in Shopify's words
// what is wrong with it.
func newBulkQuery(s schema, text string) (q *query, faults []string) {
	q = &query{schema: s, variables: map[string]any{}, bulk: true}
	q.prepare(text, "", nil)
	for _, e := range q.errors {
		faults = append(faults, "Invalid bulk query: "+e["message"].(string))
	}
	if len(faults) > 0 {
		return q, faults
	}
	if q.op.Operation != ast.Query {
		return q, []string{"Invalid operation type. Only `query` operations are supported."}
	}
	v := bulkVisit{query: q}
	v.visit("QueryRoot", q.op.SelectionSet, 0, false)
	return q, v.faults()
}

// bulkVisit looks for what bulk operations don't allow,
// https://shopify.dev/docs/api/usage/bulk-operations/queries#operation-restrictions.
type bulkVisit struct {
	*query
	fields      int      // at the top
	connections int      // in all
	deepest     int      // nesting of connections; 0 for those at the top
	noEdges     []string // connections that are not read by edges > node
	noID        []string // parents of connections that don't select their id
	inList      bool     // there is a connection below a plain list
	topNode     bool
}

func (v *bulkVisit) visit(typ string, set ast.SelectionSet, depth int, inList bool) {
	v.collect(typ, set, func(sel *ast.Field) {
		f := v.schema[typ][sel.Name]
		if typ == "QueryRoot" {
			v.fields++
			v.topNode = v.topNode || sel.Name == "node" || sel.Name == "nodes"
		}
		switch {
		case f.kind == connection:
			v.inList = v.inList || inList
			v.connection(f.typ, sel, depth)
		case f.typ != "":
			v.visit(f.typ, sel.SelectionSet, depth, inList || f.kind == list)
		}
	})
}

func (v *bulkVisit) connection(node string, sel *ast.Field, depth int) {
	v.connections++
	v.deepest = max(v.deepest, depth)
	set := v.nodeOf(node, sel)
	if set == nil {
		v.noEdges = append(v.noEdges, sel.Name)
		return
	}
	before := v.connections
	v.visit(node, set, depth+1, false)
	hasID := false
	v.collect(node, set, func(inner *ast.Field) { hasID = hasID || inner.Name == "id" && inner.Alias == "id" })
	if v.connections > before && !hasID {
		v.noID = append(v.noID, sel.Name)
	}
}

// nodeOf is what a connection selects by edges > node; nil where it selects
// otherwise.
func (q *query) nodeOf(node string, sel *ast.Field) (set ast.SelectionSet) {
	q.collect(node+"Connection", sel.SelectionSet, func(edges *ast.Field) {
		if edges.Name != "edges" {
			return
		}
		q.collect(node+"Edge", edges.SelectionSet, func(inner *ast.Field) {
			if inner.Name == "node" {
				set = append(set, inner.SelectionSet...)
			}
		})
	})
	return set
}

func (v *bulkVisit) faults() (faults []string) {
	add := func(wrong bool, format string, a ...any) {
		if wrong {
			faults = append(faults, fmt.Sprintf(format, a...))
		}
	}
	add(len(v.noEdges) > 0, "All connection fields in a bulk query must select their contents using 'edges' > 'node', e.g: 'products { edges { node {'. Selecting via 'nodes' is not supported. Invalid connection fields: '%s'.", strings.Join(v.noEdges, "', '"))
	add(v.topNode, "Bulk queries cannot contain a top level `node` field.")
	add(v.fields > 1, "Bulk queries must contain a single top level field.")
	add(v.deepest > 2, "Bulk queries cannot contain connections with a nesting depth greater than 2.")
	add(v.connections > 5, "Bulk queries cannot contain more than 5 connections.")
	add(len(v.noID) > 0, "The parent 'node' field for a nested connection must select the 'id' field without an alias and must be of 'ID' return type. Connection fields without 'id': %s.", strings.Join(v.noID, ", "))
	add(v.inList, "Queries that contain a connection field within a list field are not currently supported.")
	add(v.connections == 0, "Bulk queries must contain at least one connection.")
	return faults
}
