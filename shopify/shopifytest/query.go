package shopifytest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/parser"
)

// query is one GraphQL request against the schema: parsed, checked as Shopify
// checks it, priced, and then run.
type query struct {
	schema    schema
	doc       *ast.QueryDocument
	op        *ast.OperationDefinition
	variables map[string]any
	errors    []object
	outage    Outage
	withheld  []string // fields that the token may not see
	faults    []string // that came to pass, each once
	listed    []int64  // the orders of the page that was answered
	hollow    bool     // a field was refused without which there is no data
	spent     int      // the actual cost, once run
	bulk      bool     // run as a bulk operation
	below     []below  // connections that were met, of a bulk operation
}

// newQuery parses text. Its errors hold what is wrong with the request; the
// query must not run unless they are empty.
func newQuery(s schema, text, operation string, variables map[string]any) *query {
	q := &query{schema: s, variables: map[string]any{}}
	q.prepare(text, operation, variables)
	return q
}

func (q *query) prepare(text, operation string, variables map[string]any) {
	doc, err := parser.ParseQuery(&ast.Source{Input: text})
	if err != nil {
		q.fail("syntax error: "+err.Error(), "", nil, nil)
		return
	}
	q.doc, q.op = doc, doc.Operations.ForName(operation)
	if q.op == nil {
		q.fail("No operation named \""+operation+"\"", "", nil, nil)
		return
	}
	q.setVariables(variables)
	q.check(q.root(), q.op.SelectionSet, []any{strings.TrimSpace(string(q.op.Operation) + " " + q.op.Name)})
}

func (q *query) root() string {
	if q.op.Operation == ast.Mutation {
		return "Mutation"
	}
	return "QueryRoot"
}

// fail adds an error the way Shopify writes it.
func (q *query) fail(message, code string, at *ast.Position, path []any) {
	e := object{"message": message}
	if code != "" {
		e["extensions"] = object{"code": code}
	}
	if at != nil {
		e["locations"] = []object{{"line": at.Line, "column": at.Column}}
	}
	if path != nil {
		e["path"] = slices.Clone(path)
	}
	q.errors = append(q.errors, e)
}

// broke notes that a fault came to pass.
func (q *query) broke(what string) {
	if !slices.Contains(q.faults, what) {
		q.faults = append(q.faults, what)
	}
}

// setVariables fills in defaults and demands what has none.
func (q *query) setVariables(given map[string]any) {
	for _, v := range q.op.VariableDefinitions {
		value, ok := given[v.Variable]
		switch {
		case ok && (value != nil || !v.Type.NonNull):
			q.variables[v.Variable] = value
		case v.DefaultValue != nil:
			q.variables[v.Variable], _ = v.DefaultValue.Value(nil)
		case v.Type.NonNull:
			q.fail(fmt.Sprintf("Variable $%s of type %s was provided invalid value", v.Variable, v.Type), "INVALID_VARIABLE", v.Position, nil)
		}
	}
}

// check walks a selection on a type and notes every field and argument that is
// not in the schema.
func (q *query) check(typ string, set ast.SelectionSet, path []any) {
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			q.checkField(typ, sel, append(path, sel.Alias))
		case *ast.InlineFragment:
			q.checkFragment(typ, sel.TypeCondition, sel.SelectionSet, sel.Position, append(path, "... on "+sel.TypeCondition))
		case *ast.FragmentSpread:
			f := q.doc.Fragments.ForName(sel.Name)
			if f == nil {
				q.fail(fmt.Sprintf("Fragment %s was used, but not defined", sel.Name), "useAndDefineFragment", sel.Position, path)
				continue
			}
			if slices.Contains(path, any("fragment "+f.Name)) {
				q.fail(fmt.Sprintf("Fragment %s contains an infinite loop", f.Name), "infiniteLoop", sel.Position, path)
				continue
			}
			q.checkFragment(typ, f.TypeCondition, f.SelectionSet, sel.Position, append(path, "fragment "+f.Name))
		}
	}
}

func (q *query) checkFragment(typ, condition string, set ast.SelectionSet, at *ast.Position, path []any) {
	if condition == "" {
		condition = typ
	}
	if _, known := q.schema[condition]; !known {
		q.fail(fmt.Sprintf("No such type %s, so it can't be a fragment condition", condition), "undefinedType", at, path)
		return
	}
	if condition != typ && !slices.Contains(abstract[typ], condition) && !slices.Contains(abstract[condition], typ) {
		q.fail(fmt.Sprintf("Fragment on %s can't be spread inside %s", condition, typ), "cannotSpreadFragment", at, path)
		return
	}
	q.check(condition, set, path)
}

func (q *query) checkField(typ string, sel *ast.Field, path []any) {
	if sel.Name == "__typename" {
		return
	}
	f, ok := q.schema[typ][sel.Name]
	if !ok {
		q.fail(fmt.Sprintf("Field '%s' doesn't exist on type '%s'", sel.Name, typ), "undefinedField", sel.Position, path)
		last := q.errors[len(q.errors)-1]["extensions"].(object)
		last["typeName"], last["fieldName"] = typ, sel.Name
		return
	}
	for _, arg := range sel.Arguments {
		if !slices.Contains(f.args, arg.Name) {
			q.fail(fmt.Sprintf("Field '%s' doesn't accept argument '%s'", sel.Name, arg.Name), "argumentNotAccepted", arg.Position, append(path, arg.Name))
		}
	}
	switch {
	case f.typ == "" && len(sel.SelectionSet) > 0:
		q.fail(fmt.Sprintf("Selections can't be made on scalars (field '%s' has selections)", sel.Name), "selectionMismatch", sel.Position, path)
	case f.typ != "" && len(sel.SelectionSet) == 0:
		q.fail(fmt.Sprintf("Field must have selections (field '%s' returns %s but has no selections)", sel.Name, f.typ), "selectionMismatch", sel.Position, path)
	case f.kind == connection:
		if !q.bulk && q.args(sel).int("first", 0) == 0 {
			q.fail("you must provide one of first or last", "BAD_REQUEST", sel.Position, path)
		}
		q.check(f.typ+"Connection", sel.SelectionSet, path)
	case f.typ != "":
		q.check(f.typ, sel.SelectionSet, path)
	}
}

// addConnections gives the schema its connection and edge types.
func (s schema) addConnections() schema {
	for _, typ := range s {
		for _, f := range typ {
			if f.kind != connection {
				continue
			}
			node := f.typ
			s[node+"Connection"] = fields{
				"nodes":    {typ: node, kind: list},
				"edges":    {typ: node + "Edge", kind: list},
				"pageInfo": {typ: "PageInfo"},
			}
			s[node+"Edge"] = fields{"node": {typ: node}, "cursor": {}}
		}
	}
	return s
}

// args are the arguments of one field, variables filled in.
type args map[string]any

func (q *query) args(sel *ast.Field) args {
	a := args{}
	for _, arg := range sel.Arguments {
		v, err := arg.Value.Value(q.variables)
		if err == nil && (v != nil || arg.Value.Kind == ast.NullValue) { // a null that is written says something
			a[arg.Name] = v
		}
	}
	return a
}

// int reads a count: never negative, and no more than a page could hold.
func (a args) int(name string, otherwise int) int {
	n := int64(otherwise)
	switch v := a[name].(type) {
	case int: // a variable from Go
		n = int64(v)
	case int64: // a literal
		n = v
	case float64: // a variable from JSON
		n = int64(v)
	case json.Number: // the same, kept exact
		n, _ = v.Int64()
	}
	return int(min(max(n, 0), math.MaxInt32))
}

func (a args) string(name string) string {
	s, _ := a[name].(string)
	return s
}

func (a args) bool(name string) bool {
	b, _ := a[name].(bool)
	return b
}

// scale is by how much a connection of n nodes multiplies the price of one.
// The law is not published; this one fits the prices that Shopify was seen to
// charge (facts/shopify.md, section 2).
func scale(n int) int { return max(1, int(math.Floor(2*math.Log(float64(max(n, 1)))))) }

// cost is the requested cost of the operation: what it may cost at most.
func (q *query) cost() int {
	return q.setCost(q.root(), q.op.SelectionSet)
}

func (q *query) setCost(typ string, set ast.SelectionSet) int {
	total := 0
	for _, sel := range set {
		switch sel := sel.(type) {
		case *ast.Field:
			total += q.fieldCost(typ, sel)
		case *ast.InlineFragment:
			total += q.setCost(cmp.Or(sel.TypeCondition, typ), sel.SelectionSet)
		case *ast.FragmentSpread:
			f := q.doc.Fragments.ForName(sel.Name)
			total += q.setCost(f.TypeCondition, f.SelectionSet)
		}
	}
	return total
}

func (q *query) fieldCost(typ string, sel *ast.Field) int {
	f, ok := q.schema[typ][sel.Name]
	switch {
	case !ok || f.typ == "":
		return 0
	case f.kind == mutation:
		return 10
	case f.kind == connection:
		return 2 + scale(q.args(sel).int("first", 0))*q.nodeCost(f.typ, sel.SelectionSet)
	case free[f.typ]:
		return 0
	}
	return 1 + q.setCost(f.typ, sel.SelectionSet)
}

// nodeCost is the price of one node of a connection, whether it is asked for
// by nodes or by edges.
func (q *query) nodeCost(typ string, set ast.SelectionSet) int {
	for _, sel := range set {
		sel, ok := sel.(*ast.Field)
		switch {
		case ok && sel.Name == "nodes":
			return 1 + q.setCost(typ, sel.SelectionSet)
		case ok && sel.Name == "edges":
			for _, inner := range sel.SelectionSet {
				if node, ok := inner.(*ast.Field); ok && node.Name == "node" {
					return 1 + q.setCost(typ, node.SelectionSet)
				}
			}
		}
	}
	return 1
}
