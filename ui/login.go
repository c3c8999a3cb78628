package ui

import (
	"context"
	"errors"
	"time"

	"gapless/store"
)

// denial is why nobody is let in, in words that tell a guesser nothing.
type denial struct {
	what  string
	retry time.Duration // 0: at once
}

// Error is what the page says.
func (r denial) Error() string { return r.what }

var errWrong = denial{what: "Name, password or code is not right. If you have lost one of them, ask an admin for a new link."}

// admit checks a log-in and returns whose it is, or a denial.
func (s *Server) admit(ctx context.Context, address, name, password, code string) (store.User, error) {
	known, err := s.Store.KnowsPlace(ctx, name, address)
	if err != nil {
		return store.User{}, err
	}
	if err := s.slow(ctx, known, name, address); err != nil {
		return store.User{}, err
	}
	u, err := s.prove(ctx, known, address, name, password, code)
	if err != nil {
		return store.User{}, err
	}
	s.throttle.forgive(name, address)
	if !known {
		s.throttle.takeBack(address)
	}
	return u, nil
}

// slow holds guessers up.
func (s *Server) slow(ctx context.Context, known bool, name, address string) error {
	var retry time.Duration
	if known {
		var err error
		if retry, err = s.throttle.enterKnown(ctx, name, address); err != nil {
			return err
		}
	} else {
		retry = s.throttle.enter(name, address)
	}
	if retry > 0 {
		return denial{"Too many attempts. Try again in " + roughly(retry) + ".", retry}
	}
	return nil
}

// roughly is a delay as people say it.
func roughly(d time.Duration) string {
	if d <= time.Minute {
		return plural(int64(d.Seconds())+1, "second")
	}
	return plural(int64(d.Minutes())+1, "minute")
}

// prove checks password and code, with the same work whoever it is.
func (s *Server) prove(ctx context.Context, known bool, address, name, password, code string) (store.User, error) {
	u, err := s.Store.FindUser(ctx, name)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return u, err
	}
	right, err := s.passwords.check(ctx, known, password, u.Password)
	if err != nil {
		return u, err
	}
	if right && u.DisabledAt.IsZero() {
		if right, err = s.secondFactor(ctx, u, code); err != nil {
			return u, err
		}
	}
	if !right || !u.DisabledAt.IsZero() {
		return u, s.wrong(ctx, u, address)
	}
	return s.rehashed(ctx, u, password)
}

// wrong notes that somebody tried to log in, with the same work whoever it is.
// What was typed for a name that nobody has is not kept: it may be a password.
func (s *Server) wrong(ctx context.Context, u store.User, address string) error {
	about := u.Name
	if u.ID == 0 {
		about = "a name that nobody has"
	}
	if err := s.Store.Audit(ctx, store.AuditEntry{Who: "somebody", What: "log-in refused", About: about, Detail: "from " + address}); err != nil {
		return err
	}
	return errWrong
}

// secondFactor checks a code of the app, or one that replaces it.
func (s *Server) secondFactor(ctx context.Context, u store.User, code string) (bool, error) {
	if u.TOTP == "" {
		return true, nil
	}
	if step, ok := matchTOTP(u.TOTP, code, s.Now()); ok {
		return s.Store.TakeTOTP(ctx, u, step)
	}
	return s.Store.TakeRecoveryCode(ctx, u, plainRecovery(code))
}

// rehashed keeps a hash of today's cost, now that the password is known.
func (s *Server) rehashed(ctx context.Context, u store.User, password string) (store.User, error) {
	if !s.passwords.dated(u.Password) {
		return u, nil
	}
	hash, err := s.passwords.hash(ctx, password)
	if err != nil {
		return u, err
	}
	if err := s.Store.Rehash(ctx, u, hash); err != nil {
		return u, err
	}
	u.Password = hash
	return u, nil
}
