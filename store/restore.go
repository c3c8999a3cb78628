package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"time"
)

// Restore puts a copy of the backup at from in the place of the database at to,
// which nobody may have open. What was there is kept beside it, under the name
// returned. The copy is verified, and looks every order up in its ERP before it
// sends anything: the ERP has moved on since the backup.
func Restore(ctx context.Context, from, to string, now time.Time) (kept string, err error) {
	if sameFile(from, to) {
		return "", fmt.Errorf("%s is the database itself; name the backup", from)
	}
	lock, err := lockFile(to + ".lock")
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := fitsUs(ctx, from); err != nil {
		return "", fmt.Errorf("restore %s: %w", from, err)
	}
	if kept, err = setAside(to, now); err != nil {
		return "", fmt.Errorf("keep the database that is there: %w", err)
	}
	db, err := sql.Open("sqlite", "file:"+escapePath(from)+"?mode=ro")
	if err != nil {
		return kept, err
	}
	defer db.Close()
	if err := copyVerified(ctx, db, to); err != nil {
		return kept, fmt.Errorf("restore %s: %w", from, err)
	}
	return kept, nil
}

// fitsUs says why a file is no database that this Gapless can go on with.
func fitsUs(ctx context.Context, path string) error {
	if _, err := os.Stat(path); err != nil {
		return err
	}
	if err := verify(ctx, path); err != nil {
		return err
	}
	steps, err := migrations()
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+escapePath(path)+"?mode=ro")
	if err != nil {
		return err
	}
	defer db.Close()
	var at int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&at); err != nil {
		return err
	}
	switch newest := steps[len(steps)-1].version; {
	case at == 0:
		return errors.New("it is not a backup of Gapless")
	case at > newest:
		return ErrNewerSchema
	}
	return nil
}

// setAside renames a database and what belongs to it.
func setAside(path string, now time.Time) (kept string, err error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return "", nil
	}
	kept = path + ".before-restore-" + now.UTC().Format("20060102T150405Z")
	for _, part := range []string{"-wal", "-shm", ""} {
		if err := os.Rename(path+part, kept+part); err != nil && !errors.Is(err, os.ErrNotExist) {
			return kept, err
		}
	}
	return kept, nil
}
