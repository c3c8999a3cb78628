package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"os"
	"sort"
	"strconv"
	"strings"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

// ErrNewerSchema says that a newer Gapless has written the database.
var ErrNewerSchema = errors.New("the database was written by a newer version of Gapless; install that version or restore a backup made before the upgrade")

type migration struct {
	version int
	name    string
	sql     string
}

func migrations() ([]migration, error) {
	entries, err := migrationFiles.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var all []migration
	for _, e := range entries {
		number, _, _ := strings.Cut(e.Name(), "_")
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("migration %s: its name must start with its number", e.Name())
		}
		text, err := migrationFiles.ReadFile("migrations/" + e.Name())
		if err != nil {
			return nil, err
		}
		all = append(all, migration{version, e.Name(), string(text)})
	}
	sort.Slice(all, func(i, j int) bool { return all[i].version < all[j].version })
	return all, nil
}

// migrate brings the schema forward, each step in a transaction of its own. A
// database that holds anything is copied, and the copy verified, before the
// first step, so that an upgrade can be taken back by hand.
func migrate(ctx context.Context, db *sql.DB, path string, steps []migration) error {
	var at int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&at); err != nil {
		return fmt.Errorf("read the schema version: %w", err)
	}
	newest := steps[len(steps)-1].version
	if at > newest {
		return ErrNewerSchema
	}
	if at > 0 && at < newest {
		saved := fmt.Sprintf("%s.before-schema-%d", path, newest)
		if err := copyVerified(ctx, db, saved); err != nil {
			return fmt.Errorf("copy the database before the upgrade: %w", err)
		}
	}
	for _, m := range steps {
		if m.version <= at {
			continue
		}
		if err := applyMigration(ctx, db, m); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return nil
}

func applyMigration(ctx context.Context, db *sql.DB, m migration) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if _, err := tx.ExecContext(ctx, m.sql); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, m.version)); err != nil {
		return err
	}
	return tx.Commit()
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
