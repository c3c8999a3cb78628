package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// Backup writes a consistent, verified copy to path while the store is in use,
// and notes when.
func (s *Store) Backup(ctx context.Context, path string) error {
	if sameFile(path, s.path) {
		return fmt.Errorf("%s is the database itself; name another file for its copy", path)
	}
	begun := s.now()
	if err := copyVerified(ctx, s.control, path); err != nil {
		return err
	}
	if err := s.noteTime(ctx, "backed_up", begun); err != nil {
		return fmt.Errorf("%s is written and verified, but: %w", path, err)
	}
	return nil
}

// LastBackup tells what moment the newest backup shows; the zero time: none was
// ever made.
func (s *Store) LastBackup(ctx context.Context) (time.Time, error) {
	return s.notedTime(ctx, "backed_up")
}

// copyVerified writes a consistent copy of a live database to path, replacing
// an older copy, and checks that the copy is whole. Whoever goes on from the
// copy finds ERPs that have moved on meanwhile, so the copy is made to look each
// order up before it sends anything.
func copyVerified(ctx context.Context, db *sql.DB, path string) error {
	unfinished := path + ".unfinished"
	if err := removeIfThere(unfinished); err != nil {
		return err
	}
	if err := ownersOnly(unfinished); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, `VACUUM INTO ?`, unfinished); err != nil {
		return fmt.Errorf("copy to %s: %w", unfinished, err)
	}
	if err := verifyFirst(ctx, unfinished); err != nil {
		return err
	}
	if err := verify(ctx, unfinished); err != nil {
		return err
	}
	if err := syncFile(unfinished); err != nil {
		return err
	}
	for _, stale := range []string{path + "-wal", path + "-shm"} { // SQLite would play an older copy's WAL into this one
		if err := removeIfThere(stale); err != nil {
			return err
		}
	}
	return os.Rename(unfinished, path)
}

// verifyFirst marks every delivery to be looked up first, and so those of orders
// that the copy does not know but its successor will hear of: the meta row's
// value becomes the time of the first start from the copy.
func verifyFirst(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=rw")
	if err != nil {
		return err
	}
	_, err = db.ExecContext(ctx, `UPDATE deliveries SET verify = 1;
		INSERT INTO meta (key, value) VALUES ('verify_first', 'yes') ON CONFLICT (key) DO UPDATE SET value = excluded.value`)
	if err = errors.Join(err, db.Close()); err != nil {
		return fmt.Errorf("mark the copy: %w", err)
	}
	return nil
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// verify runs SQLite's own check over every page and index of the file.
func verify(ctx context.Context, path string) error {
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	var verdict string
	if err := db.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return fmt.Errorf("verify %s: %w", path, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("verify %s: %s", path, verdict)
	}
	return nil
}

func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

func sameFile(a, b string) bool {
	ia, err := os.Stat(a)
	if err != nil {
		return false
	}
	ib, err := os.Stat(b)
	return err == nil && os.SameFile(ia, ib)
}
