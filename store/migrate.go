package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"slices"
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
	slices.SortFunc(all, func(a, b migration) int { return a.version - b.version })
	return all, nil
}

// migrate brings the schema forward, by all steps in one transaction: an upgrade
// that fails leaves the schema that the version before works with. A database
// that holds anything is copied before, and the copy verified, so that an upgrade
// can be taken back by hand.
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
	if at == newest {
		return nil
	}
	next := slices.IndexFunc(steps, func(m migration) bool { return m.version > at })
	return applyMigrations(ctx, db, steps[next:])
}

func applyMigrations(ctx context.Context, db *sql.DB, steps []migration) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	for _, m := range steps {
		if _, err := tx.ExecContext(ctx, m.sql); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
		if _, err := tx.ExecContext(ctx, fmt.Sprintf(`PRAGMA user_version = %d`, m.version)); err != nil {
			return fmt.Errorf("migration %s: %w", m.name, err)
		}
	}
	return tx.Commit()
}
