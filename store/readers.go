package store

import (
	"context"
	"database/sql"
	"sync"
)

// readers is the pool of reading connections. The engine's loops ask the same
// few queries again and again, and to parse one costs more than to answer it:
// each is prepared once a connection. Queries must be made of constants.
type readers struct {
	*sql.DB
	mu    sync.Mutex
	stmts map[string]*sql.Stmt
}

func (r *readers) prepared(ctx context.Context, query string) (*sql.Stmt, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if s, ok := r.stmts[query]; ok {
		return s, nil
	}
	s, err := r.PrepareContext(ctx, query)
	if err == nil {
		r.stmts[query] = s
	}
	return s, err
}

// QueryContext runs a query that is prepared.
func (r *readers) QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := r.prepared(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.QueryContext(ctx, args...)
}

// QueryRowContext runs a query of one row that is prepared.
func (r *readers) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	s, err := r.prepared(ctx, query)
	if err != nil {
		return r.DB.QueryRowContext(ctx, query, args...) // its Scan tells why
	}
	return s.QueryRowContext(ctx, args...)
}
