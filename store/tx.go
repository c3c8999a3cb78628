package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"

	"modernc.org/sqlite"
)

// tx is the writer's transaction as changes see it. Statements are prepared
// once and kept, so queries must be constant strings.
type tx struct {
	conn    *sql.Conn
	raw     map[string]driver.Stmt // what changes rows goes straight to the driver
	queries map[string]*sql.Stmt
}

func newTx(conn *sql.Conn) *tx {
	return &tx{conn: conn, raw: map[string]driver.Stmt{}, queries: map[string]*sql.Stmt{}}
}

// background is for every statement: a context that can end would cost a
// goroutine each.
var background = context.Background()

// direct hands query's statement of the driver to do, with args as it wants them.
func (t *tx) direct(query string, args []any, do func(driver.Stmt, []driver.NamedValue) error) error {
	named := make([]driver.NamedValue, len(args))
	for i, arg := range args {
		v, err := driver.DefaultParameterConverter.ConvertValue(arg)
		if err != nil {
			return err
		}
		named[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	return t.conn.Raw(func(c any) (err error) {
		s, ok := t.raw[query]
		if !ok {
			if s, err = c.(driver.ConnPrepareContext).PrepareContext(background, query); err != nil {
				return err
			}
			t.raw[query] = s
		}
		return do(s, named)
	})
}

func (t *tx) result(query string, args []any) (r driver.Result, err error) {
	err = t.direct(query, args, func(s driver.Stmt, named []driver.NamedValue) (err error) {
		r, err = s.(driver.StmtExecContext).ExecContext(background, named)
		return err
	})
	return r, err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.result(query, args)
	return err
}

// changed is exec that tells how many rows it changed.
func (t *tx) changed(query string, args ...any) (int64, error) {
	r, err := t.result(query, args)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// insert is exec that tells the rowid of the new row.
func (t *tx) insert(query string, args ...any) (int64, error) {
	r, err := t.result(query, args)
	if err != nil {
		return 0, err
	}
	return r.LastInsertId()
}

// exists says whether query finds a row.
func (t *tx) exists(query string, args ...any) (found bool, err error) {
	err = t.direct(query, args, func(s driver.Stmt, named []driver.NamedValue) error {
		rows, err := s.(driver.StmtQueryContext).QueryContext(background, named)
		if err != nil {
			return err
		}
		defer rows.Close()
		err = rows.Next(make([]driver.Value, len(rows.Columns())))
		if found = err == nil; errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	return found, err
}

// pagesWritten is how many pages went into the WAL since it was last asked.
func (t *tx) pagesWritten() (pages int64) {
	t.conn.Raw(func(c any) error { //nolint:errcheck // nothing in it fails
		n, _, err := c.(sqlite.DBStatus).Status(sqlite.DBStatusCacheWrite, true)
		pages = int64(n)
		return err
	})
	return pages
}

func (t *tx) stmt(query string) (*sql.Stmt, error) {
	if s, ok := t.queries[query]; ok {
		return s, nil
	}
	s, err := t.conn.PrepareContext(background, query)
	if err != nil {
		return nil, err
	}
	t.queries[query] = s
	return s, nil
}

func (t *tx) queryRow(query string, args ...any) row {
	s, err := t.stmt(query)
	if err != nil {
		return row{err: err}
	}
	return row{Row: s.QueryRowContext(background, args...)}
}

func (t *tx) query(query string, args ...any) (*sql.Rows, error) {
	s, err := t.stmt(query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(background, args...)
}

// row carries a failed preparation to Scan.
type row struct {
	*sql.Row
	err error
}

func (r row) Scan(dest ...any) error {
	if r.err != nil {
		return r.err
	}
	return r.Row.Scan(dest...)
}

// savepoint runs change so that its failure takes back its own writes only.
// The second error says that the whole transaction is lost.
func (t *tx) savepoint(change func(*tx) error) (failed, lost error) {
	if err := t.exec(`SAVEPOINT change`); err != nil {
		return nil, err
	}
	if failed = change(t); failed != nil {
		if err := t.exec(`ROLLBACK TO change`); err != nil {
			return failed, fmt.Errorf("%w (and %w)", failed, err)
		}
	}
	return failed, t.exec(`RELEASE change`)
}

// close closes every statement: one left open would keep the connection, and
// with it the files.
func (t *tx) close() {
	for _, s := range t.queries {
		s.Close()
	}
	for _, s := range t.raw {
		s.Close()
	}
}
