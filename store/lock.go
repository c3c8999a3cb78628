package store

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// lockFile takes the lock that the owner of a database holds while it lives.
// The kernel lets go of it when the process ends, however it ends.
func lockFile(path string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, ErrLocked
	}
	return f, nil
}

// OwnedSince tells since when a process owns the database that lives still: one
// that runs the engine on it. The zero time: none does.
func (s *Store) OwnedSince(ctx context.Context) (time.Time, error) {
	if held, err := held(s.path + ".lock"); err != nil || !held {
		return time.Time{}, err
	}
	return s.notedTime(ctx, "owned_since")
}

// held says whether a process holds a lock.
func held(path string) (bool, error) {
	f, err := os.OpenFile(filepath.Clean(path), os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close() // and with it, the lock
	err = syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB)
	if errors.Is(err, syscall.EWOULDBLOCK) {
		return true, nil
	}
	return false, err
}

// ownersOnly makes the file, if there is none, readable by its owner alone: it
// holds people's addresses. SQLite gives its WAL the same permissions.
func ownersOnly(path string) error {
	f, err := os.OpenFile(filepath.Clean(path), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}
