package store

import (
	"context"
	"database/sql"
	"sync"
)

// mostPrepared bounds the statements that are kept prepared. The program has a
// few dozen; filters make more.
const mostPrepared = 100

// readers are the connections that only read. A query is prepared once and kept:
// for the short ones to prepare takes longer than to run.
type readers struct {
	*sql.DB
	mu       sync.Mutex
	prepared map[string]*sql.Stmt
}

// QueryContext runs a query, by its prepared statement.
func (r *readers) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	statement, err := r.statement(ctx, query) //nolint:sqlclosecheck // it is kept
	if err != nil {
		return nil, err
	}
	if statement == nil {
		return r.DB.QueryContext(ctx, query, args...)
	}
	return statement.QueryContext(ctx, args...)
}

// QueryRowContext runs a query for one row, by its prepared statement.
func (r *readers) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	statement, err := r.statement(ctx, query) //nolint:sqlclosecheck // it is kept
	if statement == nil || err != nil {
		return r.DB.QueryRowContext(ctx, query, args...) // which tells of the error
	}
	return statement.QueryRowContext(ctx, args...)
}

// statement is the prepared statement of a query; nil: there are too many.
func (r *readers) statement(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.Lock()
	statement, full := r.prepared[query], len(r.prepared) >= mostPrepared
	r.mu.Unlock()
	if statement != nil || full {
		return statement, nil
	}
	statement, err := r.DB.PrepareContext(ctx, query) // may wait for a connection
	if err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if first := r.prepared[query]; first != nil {
		statement.Close() //nolint:sqlclosecheck // somebody else was quicker
		return first, nil
	}
	r.prepared[query] = statement
	return statement, nil
}

// Close closes the statements and the connections.
func (r *readers) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, statement := range r.prepared {
		statement.Close()
	}
	return r.DB.Close()
}
