//go:build linux

package bench

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	_ "modernc.org/sqlite"

	"gapless/shopify"
	"gapless/store"
	ordersync "gapless/sync"
)

// keep is what a server does with a webhook before it answers 200.
type keep func(context.Context, *shopify.Webhook) (bool, error)

// servers differ in nothing but their keep. The door, with its check of the
// signature, and net/http are the same in all.
var servers = map[string]func(folder string) (keep, error){
	"ceiling": func(string) (keep, error) {
		return func(context.Context, *shopify.Webhook) (bool, error) { return false, nil }, nil
	},
	"file":      keepInFile,
	"gapless":   keepInStore,
	"insert":    keepByInsert,
	"comparing": keepAndCompare,
}

// TestMain makes this program a server where a benchmark started it as one: in a
// process of its own, whose memory is its own.
func TestMain(m *testing.M) {
	if name := os.Getenv("GAPLESS_BENCH_SERVER"); name != "" {
		serve(name)
		return
	}
	os.Exit(m.Run())
}

// serve tells its address on stdout and serves until stdin ends.
func serve(name string) {
	kept, err := servers[name](os.Getenv("GAPLESS_BENCH_FOLDER"))
	if err != nil {
		panic(err)
	}
	door, err := shopify.NewDoor([]shopify.DoorShop{{Name: "acme", Domain: domain, Secrets: []string{secret}}})
	if err != nil {
		panic(err)
	}
	door.Keep = kept
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	// The timeouts of `gapless serve`: deadlines cost, too.
	server := &http.Server{Handler: door, ReadHeaderTimeout: 5 * time.Second, ReadTimeout: 15 * time.Second, WriteTimeout: 45 * time.Second}
	go server.Serve(listener)
	defer profile(name)()
	store.SpareProcessor() // as `gapless serve` does
	fmt.Println(listener.Addr())
	io.Copy(io.Discard, os.Stdin)
}

// profile writes a CPU profile for each server if GAPLESS_BENCH_PROFILE names
// where to.
func profile(name string) (stop func()) {
	prefix := os.Getenv("GAPLESS_BENCH_PROFILE")
	if prefix == "" {
		return func() {}
	}
	file, err := os.Create(prefix + name + ".pprof")
	if err != nil {
		panic(err)
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		panic(err)
	}
	return pprof.StopCPUProfile
}

// keepInStore is Gapless.
func keepInStore(folder string) (keep, error) {
	s, err := store.Open(context.Background(), store.Options{Path: filepath.Join(folder, "gapless.db")})
	if err != nil {
		return nil, err
	}
	return ordersync.KeepIn(s), nil
}

// keepByInsert is what one would write first: a transaction a request, in the
// schema of Gapless, as durable as it. It doesn't even look for duplicates.
func keepByInsert(folder string) (keep, error) {
	db, err := emptyStore(folder)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, w *shopify.Webhook) (bool, error) {
		tx, err := db.BeginTx(ctx, nil)
		if err != nil {
			return false, err
		}
		defer tx.Rollback() // after the commit it does nothing
		inserted, err := tx.ExecContext(ctx, `INSERT INTO events (shop, source, topic, webhook_id, event_id, headers, triggered_at, received_at, size)
			VALUES ($1, 'webhook', $2, $3, $4, $5, $6, $7, $8)`,
			w.Shop, w.Topic, w.WebhookID, w.EventID, w.Headers, w.TriggeredAt.UnixMicro(), w.ReceivedAt.UnixMicro(), len(w.Body))
		if err != nil {
			return false, err
		}
		id, err := inserted.LastInsertId()
		if err != nil {
			return false, err
		}
		if _, err := tx.ExecContext(ctx, `INSERT INTO bodies (event_id, body) VALUES ($1, $2)`, id, w.Body); err != nil {
			return false, err
		}
		return false, tx.Commit()
	}, nil
}

// emptyStore is a database with the schema of Gapless, in other hands. One
// connection is quicker than several, which would wait for each other's locks.
func emptyStore(folder string) (*sql.DB, error) {
	file := filepath.Join(folder, "plain.db")
	s, err := store.Open(context.Background(), store.Options{Path: file})
	if err != nil {
		return nil, err
	}
	if err := s.Close(); err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// keepInFile appends to a bare file and syncs for whoever waits: the least that
// is durable.
func keepInFile(folder string) (keep, error) {
	file, err := os.Create(filepath.Join(folder, "appended"))
	if err != nil {
		return nil, err
	}
	l := &appended{file: file}
	l.synced.L = &l.mu
	return func(_ context.Context, w *shopify.Webhook) (bool, error) { return false, l.append(w.Body) }, nil
}

type appended struct {
	file    *os.File
	mu      sync.Mutex
	synced  sync.Cond
	waiting [][]byte
	round   int // the sync that the waiting bodies will be part of
	done    int // syncs that are over
	syncing bool
	err     error
}

// append leaves its body with whoever syncs next, which may be itself.
func (a *appended) append(body []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waiting = append(a.waiting, body)
	mine := a.round
	for a.done <= mine {
		if a.syncing {
			a.synced.Wait()
			continue
		}
		a.sync()
	}
	return a.err
}

func (a *appended) sync() {
	group := a.waiting
	a.waiting, a.syncing = nil, true
	a.round++
	a.mu.Unlock()
	err := writeAll(a.file, group)
	a.mu.Lock()
	a.done++
	a.syncing = false
	if err != nil {
		a.err = err
	}
	a.synced.Broadcast()
}

func writeAll(file *os.File, group [][]byte) error {
	// Old bodies are overwritten after a while: a file of many gigabytes
	// would measure the disk's cache.
	if at, err := file.Seek(0, io.SeekCurrent); err != nil {
		return err
	} else if at > 1<<30 {
		if _, err := file.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	var all []byte
	for _, body := range group {
		all = append(all, body...)
	}
	if _, err := file.Write(all); err != nil {
		return err
	}
	return syscall.Fdatasync(int(file.Fd()))
}

// process is a server under measurement.
type process struct {
	*exec.Cmd
	address string
	folder  string // where it keeps what it keeps
	stdout  *bufio.Reader
}

// start starts a server in a process of its own.
func start(t testing.TB, name string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0]), folder: t.TempDir()}
	p.Env = append(os.Environ(), "GAPLESS_BENCH_SERVER="+name, "GAPLESS_BENCH_FOLDER="+p.folder)
	p.Stderr = os.Stderr
	stdin, err := p.StdinPipe()
	require.NoError(t, err)
	stdout, err := p.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, p.Start())
	t.Cleanup(func() {
		require.NoError(t, stdin.Close())
		require.NoError(t, p.Wait())
	})
	p.stdout = bufio.NewReader(stdout)
	p.address = p.says(t)
	return p
}

// says waits for the next line that the server says.
func (p *process) says(t testing.TB) string {
	t.Helper()
	line, err := p.stdout.ReadString('\n')
	require.NoError(t, err)
	return strings.TrimSpace(line)
}

// memory reads a size from the process's status, as VmHWM or VmRSS, in MiB.
func (p *process) memory(t testing.TB, what string) float64 {
	t.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.Process.Pid))
	require.NoError(t, err)
	_, after, found := strings.Cut(string(status), what+":")
	require.True(t, found, "%s in %s", what, status)
	kib, err := strconv.ParseFloat(strings.Fields(after)[0], 64)
	require.NoError(t, err)
	return kib / 1024
}
