package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"modernc.org/sqlite"
)

// Options say how a store is opened.
type Options struct {
	Path string // of the SQLite file; its folder must exist
	// Key encrypts bodies, orders and transcripts: 32 bytes, or none.
	Key []byte
	// Guest opens the store beside the process that owns it: no lock, no
	// migration. For commands that look, or ask for small changes.
	Guest bool
	// QueueRows and QueueBytes bound the writes that wait; 0: 4,096 and 64 MiB.
	QueueRows  int
	QueueBytes int64
	// MaxBytes bounds the database's size; 0: the disk alone does. A full
	// database answers as a full disk does.
	MaxBytes int64
	Now      func() time.Time
	Log      *slog.Logger
	// Step is for simulations: whoever writes calls it in its own goroutine,
	// before the write is queued and again when it is done. It need not return.
	Step func(done bool)
}

// ErrLocked says that another process owns the database.
var ErrLocked = errors.New("another Gapless process is using this database; stop it first, or give this one a store.url of its own")

// Store is the database. It is safe for concurrent use.
type Store struct {
	path    string
	codec   *codec
	search  []byte // key of what customers are found by; nil: a guest came first
	now     func() time.Time
	log     *slog.Logger
	control *sql.DB // for the writer's connection and the checkpointer's
	readers *readers
	lock    *os.File
	packers *packers
	writer  *writer
	check   *checkpointer
	tally   *tally
	leases  *leases

	mu       sync.Mutex
	watchers map[chan struct{}]Topic

	closing sync.Once
	closed  error
}

// pageSize is SQLite's own. With larger pages, those that every commit touches
// weigh more than what is saved on the bodies, which are some 2 KB when packed.
const pageSize = 4096

// The driver sorts pragmas, so their order here says nothing.
const pragmas = "&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=busy_timeout(10000)" +
	"&_pragma=wal_autocheckpoint(0)&_pragma=secure_delete(ON)&_pragma=journal_size_limit(-1)&_pragma=cache_size(-8000)&_txlock=immediate"

// Open opens the store, creating or upgrading the database as needed.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	o = o.withDefaults()
	s := &Store{path: o.Path, now: o.Now, log: o.Log, watchers: map[chan struct{}]Topic{}}
	defer func() {
		if err != nil {
			s.release() //nolint:errcheck // the first error tells
			err = fmt.Errorf("open the store %s: %w", o.Path, err)
		}
	}()
	if s.codec, err = newCodec(o.Key); err != nil {
		return nil, err
	}
	if !o.Guest {
		if s.lock, err = lockFile(o.Path + ".lock"); err != nil {
			return nil, err
		}
		if err := ownersOnly(o.Path); err != nil {
			return nil, err
		}
	} else if _, err := os.Stat(o.Path); err != nil {
		return nil, err
	}
	// fdatasync keeps what fsync keeps, less the file's times, and is quicker.
	sqlite.Fdatasync(true) //nolint:errcheck // where it is missing, fsync does
	if err := s.connect(ctx, o); err != nil {
		return nil, err
	}
	if err := s.checkKey(ctx, o.Guest); err != nil {
		return nil, err
	}
	if err := s.searchKey(ctx, o.Guest); err != nil {
		return nil, err
	}
	if !o.Guest {
		if err := errors.Join(s.beginFromCopy(ctx), s.noteTime(ctx, "owned_since", s.now())); err != nil {
			return nil, err
		}
	}
	s.packers = startPackers(s.codec)
	if s.writer, err = newWriter(ctx, s.control, o, s.wake); err != nil {
		return nil, err
	}
	if s.check, err = startCheckpointer(ctx, s.control, s.writer, o.Log); err != nil {
		return nil, errors.Join(err, s.writer.close())
	}
	s.tally, s.leases = startTally(s), startLeases(s)
	return s, nil
}

func (o Options) withDefaults() Options {
	if o.QueueRows == 0 {
		o.QueueRows = 4096
	}
	if o.QueueBytes == 0 {
		o.QueueBytes = 64 << 20
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Step == nil {
		o.Step = func(bool) {}
	}
	return o
}

func (s *Store) connect(ctx context.Context, o Options) (err error) {
	dsn := "file:" + escapePath(o.Path) + "?mode=rwc" + pragmas
	if o.MaxBytes > 0 {
		dsn += fmt.Sprintf("&_pragma=max_page_count(%d)", max(o.MaxBytes/pageSize, 64))
	}
	if s.control, err = sql.Open("sqlite", dsn); err != nil {
		return err
	}
	s.control.SetMaxOpenConns(3) // writer, checkpointer, one more for a copy
	steps, err := migrations()
	if err != nil {
		return err
	}
	if o.Guest {
		err = sameSchema(ctx, s.control, steps)
	} else {
		err = migrate(ctx, s.control, o.Path, steps)
	}
	if err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+escapePath(o.Path)+"?mode=ro"+
		"&_pragma=busy_timeout(10000)&_pragma=query_only(1)&_pragma=cache_size(-1000)")
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(4)
	db.SetMaxIdleConns(4)
	s.readers = &readers{DB: db, prepared: map[string]*sql.Stmt{}}
	return nil
}

func sameSchema(ctx context.Context, db *sql.DB, steps []migration) error {
	var at int
	if err := db.QueryRowContext(ctx, `PRAGMA user_version`).Scan(&at); err != nil {
		return err
	}
	if newest := steps[len(steps)-1].version; at != newest {
		return fmt.Errorf("its schema is %d and this Gapless works with %d; start `gapless serve` of this version once", at, newest)
	}
	return nil
}

// beginFromCopy notes when a restored copy was first started from: orders that
// are placed later can't be in the ERP yet, so they need no look-up. For all
// others a call may have left that the copy does not know of, up to this moment.
// Sessions and links that have ended since would live again, so all of them end.
func (s *Store) beginFromCopy(ctx context.Context) error {
	_, err := s.control.ExecContext(ctx, `DELETE FROM sessions WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'verify_first' AND value = 'yes');
		DELETE FROM links WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'verify_first' AND value = 'yes');
		UPDATE deliveries SET sent_at = $1, sent = 'not known', ghost = 'not known', ghost_at = $1
			WHERE EXISTS (SELECT 1 FROM meta WHERE key = 'verify_first' AND value = 'yes');
		UPDATE meta SET value = CAST($1 AS TEXT) WHERE key = 'verify_first' AND value = 'yes'`, micros(s.now()))
	return err
}

// checkKey refuses a key other than the one the database was begun with. One
// that was begun without may be given one by its owner: what is written from
// then on is encrypted.
func (s *Store) checkKey(ctx context.Context, guest bool) error {
	var known string
	err := s.control.QueryRowContext(ctx, `SELECT value FROM meta WHERE key = 'encryption_key'`).Scan(&known)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	switch {
	case known == s.codec.key:
		return nil
	case known != "" && s.codec.key == "":
		return errors.New("it is encrypted, and store.encryption_key is empty; set it to the key the database was begun with")
	case known != "":
		return errors.New("store.encryption_key is not the key this database was encrypted with")
	case guest:
		return errors.New("store.encryption_key is new to this database; restart `gapless serve` with it first")
	}
	_, err = s.control.ExecContext(ctx, `INSERT INTO meta (key, value) VALUES ('encryption_key', $1)`, s.codec.key)
	return err
}

// Close finishes the writes that are queued and closes the database. Closing
// again only tells how it went.
func (s *Store) Close() error {
	s.closing.Do(func() { s.closed = s.close() })
	return s.closed
}

func (s *Store) close() error {
	s.tally.close()
	s.leases.close()
	err := errors.Join(s.check.close(), s.writer.close())
	if _, cerr := checkpoint(context.Background(), s.control, "PASSIVE"); cerr != nil {
		s.log.Warn("the last checkpoint failed; the next start replays the WAL", "err", cerr)
	}
	return errors.Join(err, s.release())
}

func (s *Store) release() (err error) {
	if s.packers != nil {
		s.packers.close()
	}
	if s.readers != nil {
		err = errors.Join(err, s.readers.Close())
	}
	if s.control != nil {
		err = errors.Join(err, s.control.Close())
	}
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// Topic is a kind of change; several can be or-ed.
type Topic uint8

// Topics to watch.
const (
	Events     Topic = 1 << iota // something was heard
	Refetches                    // orders are to be asked for
	Deliveries                   // deliveries became due or moved on
	Gaps                         // gaps opened, moved on or closed
	Runs                         // runs began, went on or ended
	Letters                      // people are to be told something
	Offers                       // an ERP may fetch something new
)

// Watch returns a channel that receives after changes of these topics. Changes
// that come while nobody receives are one.
func (s *Store) Watch(topics Topic) (changes <-chan struct{}, cancel func()) {
	ch := make(chan struct{}, 1)
	s.mu.Lock()
	s.watchers[ch] = topics
	s.mu.Unlock()
	return ch, func() {
		s.mu.Lock()
		delete(s.watchers, ch)
		s.mu.Unlock()
	}
}

func (s *Store) wake(topics Topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch, wants := range s.watchers {
		if wants&topics == 0 {
			continue
		}
		select {
		case ch <- struct{}{}:
		default:
		}
	}
}

// Ready says whether the store can take a write now: it makes one.
func (s *Store) Ready(ctx context.Context) error {
	return s.writer.apply(ctx, 0, func(t *tx) error {
		return t.exec(keepNumber, "ready", micros(s.now()))
	})
}

// Failing says why the last writes could not be stored; nil: they were. Nothing is
// stored to find out.
func (s *Store) Failing() error {
	if err := s.writer.failing.Load(); err != nil {
		return *err
	}
	return nil
}

// Queued tells how many writes wait and how many bytes they hold.
func (s *Store) Queued() (rows int, bytes int64) {
	return len(s.writer.queue), s.writer.bytes.Load()
}

// Size tells the bytes of the database file and of its WAL.
func (s *Store) Size() (database, wal int64) {
	for _, f := range []struct {
		path string
		size *int64
	}{{s.path, &database}, {s.path + "-wal", &wal}} {
		if info, err := os.Stat(f.path); err == nil {
			*f.size = info.Size()
		}
	}
	return database, wal
}

// SQLiteVersion is the version of SQLite inside.
func SQLiteVersion() string {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return "unknown"
	}
	defer db.Close()
	var v string
	if err := db.QueryRow(`SELECT sqlite_version()`).Scan(&v); err != nil {
		return "unknown"
	}
	return v
}

func escapePath(path string) string { return strings.ReplaceAll(url.PathEscape(path), "%2F", "/") }

// micros is how times are stored; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// timeOf undoes micros.
func timeOf(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}
