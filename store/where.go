package store

import (
	"strconv"
	"strings"
)

// where gathers the conditions of the filters that are set, and only those, so
// that the index which fits them is used.
type where struct {
	conditions []string
	args       []any
}

// and adds a condition with a ? for each of its values.
func (w *where) and(condition string, args ...any) {
	for _, a := range args {
		condition = strings.Replace(condition, "?", w.bind(a), 1)
	}
	w.conditions = append(w.conditions, condition)
}

// among is a condition for a column to hold one of some values.
func (w *where) among(column string, values []string) string {
	marks := make([]string, len(values))
	for i, v := range values {
		marks[i] = w.bind(v)
	}
	return column + " IN (" + strings.Join(marks, ", ") + ")"
}

func (w *where) bind(arg any) string {
	w.args = append(w.args, arg)
	return "$" + strconv.Itoa(len(w.args))
}

// list completes a query that lists limit rows in some order.
func (w *where) list(query, order string, limit int) (string, []any) {
	if len(w.conditions) > 0 {
		query += " WHERE " + strings.Join(w.conditions, " AND ")
	}
	return query + " ORDER BY " + order + " LIMIT " + w.bind(limit), w.args
}
