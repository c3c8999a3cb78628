package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// Identity is who somebody is at an OpenID Connect provider that has vouched
// for it.
type Identity struct {
	Issuer  string
	Subject string // never changes there, and is nobody else's
	Name    string // by which people know them here; it may change, and may be given to somebody else
}

// Why somebody whom a provider vouches for is not let in, besides ErrNotFound.
const (
	ErrDisabled     = Declined("you are disabled here; ask an admin to enable you")
	ErrOtherSubject = Declined("somebody else logs in by that name already; ask an admin for a new link, which makes room for you once it is used")
	ErrNoAdmin      = Declined("nobody is known here yet; make the first admin by the link that Gapless prints at its start")
)

// LogInAs begins a session of the person whom a provider says it is, and ends
// the one that the browser had before, if any. At their first log-in the name
// finds the person, and from then on the subject alone. Nobody of that name is
// ErrNotFound or, where role is given, a new person with this role. Where it
// fails, u is whom it is about, as far as somebody is known.
func (s *Store) LogInAs(ctx context.Context, who Identity, role, address, before string) (u User, secret string, err error) {
	secret, hash := newSecret("")
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		u, err = s.personOf(t, who, role)
		if err == nil && !u.DisabledAt.IsZero() {
			err = ErrDisabled
		}
		if err != nil {
			return err
		}
		return s.beginSession(t, u, hash, address, before, "by "+who.Issuer+" from "+address)
	})
	if err != nil {
		return u, "", err
	}
	return u, secret, nil
}

// personOf finds who is bound to the subject, or binds whom the name finds.
func (s *Store) personOf(t *tx, who Identity, role string) (User, error) {
	u, err := s.scanUser(t.queryRow(`SELECT `+userColumns+` FROM people u JOIN identities i ON i.person_id = u.id
		WHERE i.issuer = $1 AND i.subject = $2`, who.Issuer, who.Subject).Scan)
	if !errors.Is(err, sql.ErrNoRows) {
		return u, err
	}
	u, err = s.scanUser(t.queryRow(`SELECT `+userColumns+` FROM people u WHERE u.name = $1`, who.Name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		u, err = s.newcomer(t, who, role)
	}
	if err != nil {
		return u, err
	}
	return u, s.bind(t, u, who)
}

// newcomer makes a person of whom nobody here has heard. The first one is an
// admin, whom only the set-up link makes.
func (s *Store) newcomer(t *tx, who Identity, role string) (u User, err error) {
	if role == "" {
		return u, fmt.Errorf("person %q: %w", who.Name, ErrNotFound)
	}
	peopled, err := t.exists(`SELECT 1 FROM people`)
	if err == nil && !peopled {
		err = ErrNoAdmin
	}
	if err != nil {
		return u, err
	}
	id, err := s.insertUser(t, who.Name, role, "")
	if err != nil {
		return u, err
	}
	if err := s.audit(t, who.Name, "person added", who.Name, "role "+role+", by "+who.Issuer); err != nil {
		return u, err
	}
	return s.scanUser(t.queryRow(`SELECT `+userColumns+` FROM people u WHERE u.id = $1`, id).Scan)
}

func (s *Store) bind(t *tx, u User, who Identity) error {
	bound, err := t.exists(`SELECT 1 FROM identities WHERE person_id = $1 AND issuer = $2`, u.ID, who.Issuer)
	if err == nil && bound {
		err = ErrOtherSubject
	}
	if err != nil {
		return err
	}
	err = t.exec(`INSERT INTO identities (issuer, subject, person_id, bound_at) VALUES ($1, $2, $3, $4)`, who.Issuer, who.Subject, u.ID, micros(s.now()))
	if err != nil {
		return err
	}
	return s.audit(t, u.Name, "bound to a provider", u.Name, who.Issuer+" as "+who.Subject)
}

// unbind has the next log-in by a provider bind the person anew.
func unbind(t *tx, person int64) error {
	return t.exec(`DELETE FROM identities WHERE person_id = $1`, person)
}
