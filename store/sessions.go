package store

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"time"
)

// A session ends when nothing was heard of it for SessionIdle, and after
// SessionLife in any case. Places are remembered for placeLife.
const (
	SessionIdle = 12 * time.Hour
	SessionLife = 7 * 24 * time.Hour
	placeLife   = 90 * 24 * time.Hour
	seenEvery   = 5 * time.Minute // how exactly SeenAt is kept
)

// Session is a log-in that lasts, and whose it is.
type Session struct {
	ID int64
	User
	LoggedInAt  time.Time
	SeenAt      time.Time
	ConfirmedAt time.Time // when the person last proved who they are, by a log-in or the password
}

// newSecret is 256 bits of chance, and what is kept of them.
func newSecret(prefix string) (secret string, hash []byte) {
	random := make([]byte, 32)
	rand.Read(random) // never fails
	secret = prefix + base64.RawURLEncoding.EncodeToString(random)
	return secret, hashed(secret)
}

func hashed(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}

// LogIn begins a session of u, as it was when the password was checked: where
// that has changed meanwhile, it is ErrNotFound. The session that the browser
// had before, if any, ends.
func (s *Store) LogIn(ctx context.Context, u User, address, before string) (secret string, err error) {
	secret, hash := newSecret("")
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		return s.beginSession(t, u, hash, address, before, "from "+address)
	})
	if err != nil {
		return "", err
	}
	return secret, nil
}

func (s *Store) beginSession(t *tx, u User, hash []byte, address, before, how string) error {
	now := s.now()
	n, err := t.changed(`INSERT INTO sessions (hash, person_id, created_at, seen_at, confirmed_at, expires_at)
		SELECT $1, id, $2, $2, $2, $3 FROM people WHERE id = $4 AND password = $5 AND disabled_at = 0`,
		hash, micros(now), micros(now.Add(SessionLife)), u.ID, u.Password)
	if err == nil && n == 0 {
		err = fmt.Errorf("person %q: %w", u.Name, ErrNotFound)
	}
	if err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM sessions WHERE hash = $1`, hashed(before)); err != nil {
		return err
	}
	if err := forgetOld(t, now); err != nil {
		return err
	}
	if err := t.exec(`INSERT INTO places (person_id, address, seen_at) VALUES ($1, $2, $3)
		ON CONFLICT (person_id, address) DO UPDATE SET seen_at = excluded.seen_at`, u.ID, address, micros(now)); err != nil {
		return err
	}
	return s.audit(t, u.Name, "logged in", u.Name, how)
}

// forgetOld drops sessions and links that have run out, and places long unseen.
func forgetOld(t *tx, now time.Time) error {
	if err := t.exec(`DELETE FROM sessions WHERE expires_at <= $1`, micros(now)); err != nil {
		return err
	}
	if err := t.exec(`DELETE FROM links WHERE expires_at <= $1`, micros(now)); err != nil {
		return err
	}
	return t.exec(`DELETE FROM places WHERE seen_at <= $1`, micros(now.Add(-placeLife)))
}

// FindSession returns the live session of this secret, or ErrNotFound.
func (s *Store) FindSession(ctx context.Context, secret string) (Session, error) {
	now := s.now()
	var f Session
	var created, seen, confirmed int64
	var err error
	f.User, err = s.scanUser(s.readers.QueryRowContext(ctx, `SELECT `+userColumns+`, s.id, s.created_at, s.seen_at, s.confirmed_at
		FROM sessions s JOIN people u ON u.id = s.person_id
		WHERE s.hash = $1 AND s.expires_at > $2 AND u.disabled_at = 0`,
		hashed(secret), micros(now)).Scan, &f.ID, &created, &seen, &confirmed)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return f, err
	}
	f.LoggedInAt, f.ConfirmedAt, f.SeenAt = timeOf(created), timeOf(confirmed), s.heardOf(f.ID, timeOf(seen))
	if err != nil || now.Sub(f.SeenAt) >= SessionIdle {
		return Session{}, fmt.Errorf("session: %w", ErrNotFound)
	}
	return f, nil
}

// heardOf is when a session was last heard of: as written, or later.
func (s *Store) heardOf(session int64, written time.Time) time.Time {
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	if at := s.tally.seen[session]; at.After(written) {
		return at
	}
	return written
}

// SeenSession notes that something was heard of a session, now and then. It
// counts at once and is written soon: who looks does not wait for the writer.
func (s *Store) SeenSession(session Session) {
	now := s.now()
	if now.Sub(session.SeenAt) < seenEvery {
		return
	}
	s.tally.mu.Lock()
	defer s.tally.mu.Unlock()
	s.tally.seen[session.ID] = now
}

// ConfirmSession notes that the password was given again.
func (s *Store) ConfirmSession(ctx context.Context, session Session) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(`UPDATE sessions SET confirmed_at = $1 WHERE id = $2`, micros(s.now()), session.ID)
	})
}

// LogOut ends a session.
func (s *Store) LogOut(ctx context.Context, session Session) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		if err := t.exec(`DELETE FROM sessions WHERE id = $1`, session.ID); err != nil {
			return err
		}
		return s.audit(t, session.Name, "logged out", session.Name, "")
	})
}

// endSessions ends a person's sessions but one; 0: all.
func endSessions(t *tx, person, but int64) error {
	return t.exec(`DELETE FROM sessions WHERE person_id = $1 AND id <> $2`, person, but)
}

// KnowsPlace says whether a person has logged in from an address before.
func (s *Store) KnowsPlace(ctx context.Context, name, address string) (known bool, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM places
		WHERE person_id = (SELECT id FROM people WHERE name = $1) AND address = $2)`, name, address).Scan(&known)
	return known, err
}
