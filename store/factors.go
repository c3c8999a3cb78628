package store

import (
	"context"
	"crypto/sha256"
)

// SetTOTP keeps the secret of a person's second factor and the codes that may
// replace it; step is that of the code which proved it. Their other sessions end.
func (s *Store) SetTOTP(ctx context.Context, session Session, secret string, step int64, recovery []string) error {
	sealed := s.codec.pack([]byte(secret))
	return s.changeUser(ctx, session.Name, session.Name, "second factor set up", "", func(t *tx, id int64) error {
		if err := t.exec(`UPDATE people SET totp = $1, totp_step = $2 WHERE id = $3`, sealed, step, id); err != nil {
			return err
		}
		if err := t.exec(`DELETE FROM recovery_codes WHERE person_id = $1`, id); err != nil {
			return err
		}
		for _, code := range recovery {
			hash := sha256.Sum256([]byte(code))
			if err := t.exec(`INSERT INTO recovery_codes (person_id, hash) VALUES ($1, $2)`, id, hash[:]); err != nil {
				return err
			}
		}
		return endSessions(t, id, session.ID)
	})
}

// DropTOTP takes a person's second factor away.
func (s *Store) DropTOTP(ctx context.Context, session Session) error {
	return s.changeUser(ctx, session.Name, session.Name, "second factor taken away", "", dropTOTP)
}

func dropTOTP(t *tx, id int64) error {
	if err := t.exec(`UPDATE people SET totp = x'' WHERE id = $1`, id); err != nil {
		return err
	}
	return t.exec(`DELETE FROM recovery_codes WHERE person_id = $1`, id)
}

// TakeTOTP notes that the code of a time step was used. It says no where that
// code, or a newer one, was used before.
func (s *Store) TakeTOTP(ctx context.Context, u User, step int64) (fresh bool, err error) {
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		n, err := t.changed(`UPDATE people SET totp_step = $1 WHERE id = $2 AND totp_step < $1`, step, u.ID)
		fresh = n > 0
		return err
	})
	return fresh, err
}

// TakeRecoveryCode uses up one of a person's codes. It says no where there is
// no such code.
func (s *Store) TakeRecoveryCode(ctx context.Context, u User, code string) (taken bool, err error) {
	hash := sha256.Sum256([]byte(code))
	err = s.writer.apply(ctx, 0, func(t *tx) error {
		n, err := t.changed(`DELETE FROM recovery_codes WHERE person_id = $1 AND hash = $2`, u.ID, hash[:])
		if taken = n > 0; err != nil || !taken {
			return err
		}
		return s.audit(t, u.Name, "recovery code used", u.Name, "")
	})
	return taken, err
}

// RecoveryCodes tells how many codes a person has left.
func (s *Store) RecoveryCodes(ctx context.Context, u User) (left int64, err error) {
	err = s.readers.QueryRowContext(ctx, `SELECT count(*) FROM recovery_codes WHERE person_id = $1`, u.ID).Scan(&left)
	return left, err
}
