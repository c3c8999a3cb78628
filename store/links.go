package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// LinkLife is how long a one-time link is good for.
const LinkLife = 24 * time.Hour

// Link is a one-time link by which a person chooses a password.
type Link struct {
	Name string // whose; empty: it makes the first admin
}

func (s *Store) addLink(t *tx, hash []byte, person int64) error {
	if err := t.exec(`DELETE FROM links WHERE person_id = $1`, person); err != nil {
		return err
	}
	return t.exec(`INSERT INTO links (hash, person_id, expires_at) VALUES ($1, $2, $3)`, hash, person, micros(s.now().Add(LinkLife)))
}

// SetupLink returns the secret of a new link that makes the first admin, in
// place of the one before; empty: there are people already.
func (s *Store) SetupLink(ctx context.Context) (link string, err error) {
	secret, hash := newSecret("")
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		peopled, err := t.exists(`SELECT 1 FROM people`)
		if err != nil || peopled {
			return err
		}
		link = secret
		return s.addLink(t, hash, 0)
	})
	return link, err
}

// ResetLink returns the secret of a new link by which a person chooses a new
// password, in place of the one before. Until it is used nothing else changes.
func (s *Store) ResetLink(ctx context.Context, name, by string) (link string, err error) {
	link, hash := newSecret("")
	err = s.changeUser(ctx, name, by, "reset link made", "", func(t *tx, id int64) error {
		disabled, err := t.exists(`SELECT 1 FROM people WHERE id = $1 AND disabled_at > 0`, id)
		if err == nil && disabled {
			err = Declined(name + " is disabled; enable them first")
		}
		if err != nil {
			return err
		}
		return s.addLink(t, hash, id)
	})
	if err != nil {
		return "", err
	}
	return link, nil
}

// FindLink returns the link of this secret, or ErrNotFound where it was used,
// replaced or has run out.
func (s *Store) FindLink(ctx context.Context, secret string) (l Link, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT coalesce(u.name, '') FROM links l LEFT JOIN people u ON u.id = l.person_id
		WHERE l.hash = $1 AND l.expires_at > $2`, hashed(secret), micros(s.now())).Scan(&l.Name)
	if errors.Is(err, sql.ErrNoRows) {
		return l, fmt.Errorf("link: %w", ErrNotFound)
	}
	return l, err
}

// UseLink uses a link up: the person it is for has this password from then on,
// no second factor, no session from before, and is nobody at a provider until
// they log in by it again. A link for the first admin makes a person of this
// name. It is ErrNotFound where FindLink finds nothing.
func (s *Store) UseLink(ctx context.Context, secret, name, password string) (u User, err error) {
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		var id int64
		err := t.queryRow(`DELETE FROM links WHERE hash = $1 AND expires_at > $2 RETURNING person_id`, hashed(secret), micros(s.now())).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("link: %w", ErrNotFound)
		}
		if err != nil {
			return err
		}
		if id == 0 {
			id, err = s.firstAdmin(t, name, password)
		} else {
			err = s.resetPassword(t, id, password)
		}
		if err != nil {
			return err
		}
		u, err = s.scanUser(t.queryRow(`SELECT `+userColumns+` FROM people u WHERE u.id = $1`, id).Scan)
		return err
	})
	return u, err
}

func (s *Store) firstAdmin(t *tx, name, password string) (int64, error) {
	peopled, err := t.exists(`SELECT 1 FROM people`)
	if err == nil && peopled {
		err = fmt.Errorf("link: %w", ErrNotFound)
	}
	if err != nil {
		return 0, err
	}
	id, err := s.insertUser(t, name, "admin", password)
	if err != nil {
		return 0, err
	}
	return id, s.audit(t, name, "first admin made", name, "by the set-up link")
}

func (s *Store) resetPassword(t *tx, id int64, password string) error {
	var name string
	if err := t.queryRow(`UPDATE people SET password = $1 WHERE id = $2 RETURNING name`, password, id).Scan(&name); err != nil {
		return err
	}
	if err := dropTOTP(t, id); err != nil {
		return err
	}
	if err := unbind(t, id); err != nil {
		return err
	}
	if err := endSessions(t, id, 0); err != nil {
		return err
	}
	return s.audit(t, name, "password chosen", name, "by a one-time link")
}
