package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// User is a person who logs in.
type User struct {
	ID         int64
	Name       string
	Role       string // viewer, operator or admin
	Password   string // its hash; empty: none was chosen yet
	TOTP       string // secret of the second factor in base32; empty: none
	CreatedAt  time.Time
	DisabledAt time.Time // zero: may log in
	SeenAt     time.Time // last log-in that is remembered
	Bound      bool      // has logged in by an OpenID Connect provider
}

// Declined is a change that can't be made, in words for whoever asked for it.
type Declined string

// Error is these words.
func (d Declined) Error() string { return string(d) }

// ErrLastAdmin says that a change would leave nobody who can make it undone.
const ErrLastAdmin = Declined("this is the last admin who can log in; make somebody else an admin first")

const userColumns = `u.id, u.name, u.role, u.password, u.totp, u.created_at, u.disabled_at,
	coalesce((SELECT max(seen_at) FROM places WHERE person_id = u.id), 0), EXISTS (SELECT 1 FROM identities WHERE person_id = u.id)`

func (s *Store) scanUser(scan func(...any) error, more ...any) (u User, err error) {
	var totp []byte
	var created, disabled, seen int64
	err = scan(append([]any{&u.ID, &u.Name, &u.Role, &u.Password, &totp, &created, &disabled, &seen, &u.Bound}, more...)...)
	if err != nil {
		return u, err
	}
	u.CreatedAt, u.DisabledAt, u.SeenAt = timeOf(created), timeOf(disabled), timeOf(seen)
	if len(totp) > 0 {
		secret, err := s.codec.unpack(totp)
		if err != nil {
			return u, fmt.Errorf("the second factor of %s: %w", u.Name, err)
		}
		u.TOTP = string(secret)
	}
	return u, nil
}

// FindUser returns the person of this name, or ErrNotFound.
func (s *Store) FindUser(ctx context.Context, name string) (User, error) {
	u, err := s.scanUser(s.readers.QueryRowContext(ctx, `SELECT `+userColumns+` FROM people u WHERE u.name = $1`, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return u, fmt.Errorf("person %q: %w", name, ErrNotFound)
	}
	return u, err
}

// Users lists all people by name.
func (s *Store) Users(ctx context.Context) ([]User, error) {
	rows, err := s.readers.QueryContext(ctx, `SELECT `+userColumns+` FROM people u ORDER BY u.name`)
	if err != nil {
		return nil, fmt.Errorf("list people: %w", err)
	}
	defer rows.Close()
	var all []User
	for rows.Next() {
		u, err := s.scanUser(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, rows.Err()
}

// AddUser makes a person without a password, and returns the secret of the link
// by which they choose one.
func (s *Store) AddUser(ctx context.Context, name, role, by string) (link string, err error) {
	link, hash := newSecret("")
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		taken, err := t.exists(`SELECT 1 FROM people WHERE name = $1`, name)
		if err != nil {
			return err
		}
		if taken {
			return Declined(fmt.Sprintf("there is somebody named %q already; choose another name, or make a new link for theirs", name))
		}
		id, err := s.insertUser(t, name, role, "")
		if err != nil {
			return err
		}
		if err := s.addLink(t, hash, id); err != nil {
			return err
		}
		return s.audit(t, by, "person added", name, "role "+role)
	})
	if err != nil {
		return "", err
	}
	return link, nil
}

func (s *Store) insertUser(t *tx, name, role, password string) (int64, error) {
	if name == BySchedule {
		return 0, Declined(fmt.Sprintf("%q stands for what Gapless does by itself; choose another name", name))
	}
	return t.insert(`INSERT INTO people (name, role, password, totp, totp_step, created_at, disabled_at) VALUES ($1, $2, $3, x'', 0, $4, 0)`,
		name, role, password, micros(s.now()))
}

// changeUser runs change on the person of this name, notes it, and refuses it
// where it would leave no admin.
func (s *Store) changeUser(ctx context.Context, name, by, what, detail string, change func(*tx, int64) error) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		var id int64
		err := t.queryRow(`SELECT id FROM people WHERE name = $1`, name).Scan(&id)
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("person %q: %w", name, ErrNotFound)
		}
		if err != nil {
			return err
		}
		before, err := t.exists(anAdmin)
		if err != nil {
			return err
		}
		if err := change(t, id); err != nil {
			return err
		}
		if after, err := t.exists(anAdmin); err != nil {
			return err
		} else if before && !after {
			return ErrLastAdmin
		}
		return s.audit(t, by, what, name, detail)
	})
}

// anAdmin finds an admin who can log in.
const anAdmin = `SELECT 1 FROM people WHERE role = 'admin' AND disabled_at = 0 AND password <> ''`

// SetRole says what a person may do from now on, and ends their sessions.
func (s *Store) SetRole(ctx context.Context, name, role, by string) error {
	return s.changeUser(ctx, name, by, "role changed", "role "+role, func(t *tx, id int64) error {
		n, err := t.changed(`UPDATE people SET role = $1 WHERE id = $2 AND role <> $1`, role, id)
		if err != nil || n == 0 {
			return err
		}
		return endSessions(t, id, 0)
	})
}

// SetDisabled keeps a person out, at once, or lets them in again.
func (s *Store) SetDisabled(ctx context.Context, name string, disabled bool, by string) error {
	if !disabled {
		return s.changeUser(ctx, name, by, "person enabled", "", func(t *tx, id int64) error {
			return t.exec(`UPDATE people SET disabled_at = 0 WHERE id = $1`, id)
		})
	}
	return s.changeUser(ctx, name, by, "person disabled", "", func(t *tx, id int64) error {
		if err := t.exec(`UPDATE people SET disabled_at = $1 WHERE id = $2 AND disabled_at = 0`, micros(s.now()), id); err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM links WHERE person_id = $1`, id); err != nil {
			return err
		}
		return endSessions(t, id, 0)
	})
}

// RemoveUser forgets a person, but for what they did.
func (s *Store) RemoveUser(ctx context.Context, name, by string) error {
	return s.changeUser(ctx, name, by, "person removed", "", func(t *tx, id int64) error {
		for _, query := range []string{
			`DELETE FROM people WHERE id = $1`, `DELETE FROM recovery_codes WHERE person_id = $1`, `DELETE FROM links WHERE person_id = $1`,
			`DELETE FROM places WHERE person_id = $1`, `DELETE FROM identities WHERE person_id = $1`,
		} {
			if err := t.exec(query, id); err != nil {
				return err
			}
		}
		return endSessions(t, id, 0)
	})
}

// SetPassword changes the password of a person who knew the old one. Their
// other sessions end.
func (s *Store) SetPassword(ctx context.Context, session Session, hash string) error {
	return s.changeUser(ctx, session.Name, session.Name, "password changed", "", func(t *tx, id int64) error {
		if err := t.exec(`UPDATE people SET password = $1 WHERE id = $2`, hash, id); err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM links WHERE person_id = $1`, id); err != nil {
			return err
		}
		return endSessions(t, id, session.ID)
	})
}

// Rehash keeps a password's hash made in today's way, unless the password was
// changed meanwhile.
func (s *Store) Rehash(ctx context.Context, u User, hash string) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`UPDATE people SET password = $1 WHERE id = $2 AND password = $3`, hash, u.ID, u.Password)
	})
}
