package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Token is an API token. The token itself is shown once, when it is made; only
// its hash is kept.
type Token struct {
	ID        int64
	Name      string
	Scope     string // viewer, operator, admin, metrics or feed
	CreatedAt time.Time
}

// AddToken makes a token at somebody's word and returns it in clear, for its
// owner alone.
func (s *Store) AddToken(ctx context.Context, name, scope, by string) (secret string, err error) {
	secret, hash := newSecret("gapless_")
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		n, err := t.changed(`INSERT INTO tokens (name, scope, hash, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING`,
			name, scope, hash, micros(s.now()))
		if err == nil && n == 0 {
			err = Declined(fmt.Sprintf("there is a token named %q already; remove it first or choose another name", name))
		}
		if err != nil {
			return err
		}
		return s.audit(t, by, "token added", name, "scope "+scope)
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

// FindToken returns the token with this secret, or ErrNotFound. Looking up a
// hash tells a guesser nothing about how near the guess was.
func (s *Store) FindToken(ctx context.Context, secret string) (Token, error) {
	var t Token
	var created int64
	err := s.readers.QueryRowContext(ctx, `SELECT id, name, scope, created_at FROM tokens WHERE hash = $1`, hashed(secret)).Scan(&t.ID, &t.Name, &t.Scope, &created)
	if errors.Is(err, sql.ErrNoRows) {
		return t, fmt.Errorf("token: %w", ErrNotFound)
	}
	t.CreatedAt = timeOf(created)
	return t, err
}

// Tokens lists all tokens by name.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT id, name, scope, created_at FROM tokens ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []Token
	for rows.Next() {
		var t Token
		var created int64
		if err := rows.Scan(&t.ID, &t.Name, &t.Scope, &created); err != nil {
			return nil, err
		}
		t.CreatedAt = timeOf(created)
		all = append(all, t)
	}
	return all, rows.Err()
}

// RemoveToken ends a token, or returns ErrNotFound.
func (s *Store) RemoveToken(ctx context.Context, name, by string) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		n, err := t.changed(`DELETE FROM tokens WHERE name = $1`, name)
		if err == nil && n == 0 {
			err = fmt.Errorf("token %q: %w", name, ErrNotFound)
		}
		if err != nil {
			return err
		}
		return s.audit(t, by, "token removed", name, "")
	})
}
