// Package trytontest brings up a real Tryton for tests.
//
// [Start] installs Debian's packages where they are missing and it may, makes
// a seeded database once (kept in the user's cache folder, so that only the
// first run waits the minute it takes), and serves a copy of it with a
// PostgreSQL of its own: Tryton on SQLite puts every writing request in a
// queue, which would hide all that goes wrong between two of them.
//
// The servers hang on a pipe that the test process holds. When that process
// ends, in whatever way, they end too and their folder is removed.
package trytontest

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

//go:embed install.sh
var installScript []byte

//go:embed instance.py
var instanceScript []byte

//go:embed seed.py
var seedScript []byte

// packages pull in all the rest of Tryton and PostgreSQL.
var packages = []string{
	"tryton-server", "tryton-proteus", "tryton-modules-sale", "tryton-modules-account-invoice",
	"tryton-modules-account-product", "tryton-modules-stock", "tryton-modules-product",
	"tryton-modules-party", "python3-psycopg2", "postgresql",
}

// Server says where the Tryton is and who may log in. User is an integration
// user with sales, accounting, stock and party rights and no more.
type Server struct {
	URL      string // "http://127.0.0.1:34567"
	Database string
	User     string
	Password string

	AdminUser     string
	AdminPassword string
}

var (
	once   sync.Once
	shared Server
	failed error
	hold   io.WriteCloser //nolint:unused // kept, never read: the pipe the servers hang on, open until the process ends
)

// errNotInstalled says that there is no Tryton here and none could be installed.
var errNotInstalled = errors.New("tryton is not installed")

// Start returns the one Tryton of this test process, which the first call
// starts. Its data is shared by all tests of the process: each uses references
// of its own. Where Tryton is missing and can't be installed the test is
// skipped, but under CI=true it fails.
func Start(t testing.TB) Server {
	t.Helper()
	once.Do(func() { shared, failed = start(t) })
	if errors.Is(failed, errNotInstalled) && os.Getenv("CI") != "true" {
		t.Skipf("not tested against a real Tryton: %v", failed)
	}
	if failed != nil {
		t.Fatalf("start Tryton: %v", failed)
	}
	return shared
}

func start(t testing.TB) (Server, error) {
	if err := install(t); err != nil {
		return Server{}, err
	}
	server := Server{
		Database: "erp", User: "sync", Password: "sync-Wq7-test",
		AdminUser: "admin", AdminPassword: "admin-Wq7-test",
	}
	cluster, err := seed(t, server)
	if err != nil {
		return Server{}, err
	}
	port, err := freePort()
	if err != nil {
		return Server{}, fmt.Errorf("find a free port: %w", err)
	}
	server.URL = "http://127.0.0.1:" + port
	return server, serve(server, cluster, port)
}

// install brings in the packages that are missing, as root or with sudo.
func install(t testing.TB) error {
	var missing []string
	for _, name := range packages {
		status, err := exec.Command("dpkg-query", "-W", "-f", "${db:Status-Status}", name).Output()
		if err != nil || string(status) != "installed" {
			missing = append(missing, name)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return fmt.Errorf("%w, and this is no Debian to install it on", errNotInstalled)
	}
	command := append([]string{"sh", "-s", "--"}, missing...)
	if os.Getuid() != 0 {
		if exec.Command("sudo", "-n", "true").Run() != nil {
			return fmt.Errorf("%w, and installing it needs root: apt-get install %s",
				errNotInstalled, strings.Join(missing, " "))
		}
		command = append([]string{"sudo", "-n"}, command...)
	}
	t.Logf("installing %s", strings.Join(missing, ", "))
	run := exec.Command(command[0], command[1:]...)
	run.Stdin = bytes.NewReader(installScript)
	if out, err := run.CombinedOutput(); err != nil {
		return fmt.Errorf("%w, and apt-get failed: %w\n%s", errNotInstalled, err, tail(out))
	}
	return nil
}

// seed returns the folder of a seeded PostgreSQL cluster, which it makes where
// the cache has none for these scripts, packages, owner and year.
func seed(t testing.TB, server Server) (string, error) {
	versions, err := exec.Command("dpkg-query", "-W", "-f", "${Package}=${Version}\n",
		"tryton-*", "postgresql-*").Output()
	if err != nil {
		return "", fmt.Errorf("list packages: %w", err)
	}
	key := sha256.New()
	fmt.Fprintln(key, string(versions), time.Now().Year(), os.Getuid(), server)
	key.Write(instanceScript)
	key.Write(seedScript)
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	cluster := filepath.Join(cache, "gapless", "trytontest", hex.EncodeToString(key.Sum(nil))[:16])
	if _, err := os.Stat(cluster); err == nil {
		return cluster, nil
	}
	t.Log("making a seeded Tryton database; this takes a minute, once")
	command, err := script(server, "build", cluster)
	if err != nil {
		return "", err
	}
	if out, err := command.CombinedOutput(); err != nil {
		return "", fmt.Errorf("make the database: %w\n%s", err, tail(out))
	}
	return cluster, nil
}

// script is a call of instance.py, which is unpacked beside the seed.
func script(server Server, args ...string) (*exec.Cmd, error) {
	dir := filepath.Dir(args[1])
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("make the cache folder: %w", err)
	}
	for name, content := range map[string][]byte{"instance.py": instanceScript, "seed.py": seedScript} {
		// Renamed into place: another test process may be reading it.
		part := filepath.Join(dir, fmt.Sprintf("%s.%d", name, os.Getpid()))
		if err := os.WriteFile(part, content, 0o644); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
		if err := os.Rename(part, filepath.Join(dir, name)); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", name, err)
		}
	}
	command := exec.Command("/usr/bin/python3", append([]string{filepath.Join(dir, "instance.py")}, args...)...)
	command.Env = append(os.Environ(),
		"TRYTON_ADMIN_PASSWORD="+server.AdminPassword, "TRYTON_SYNC_PASSWORD="+server.Password)
	return command, nil
}

// serve starts the servers and waits until Tryton answers.
func serve(server Server, cluster, port string) error {
	command, err := script(server, "serve", cluster, port)
	if err != nil {
		return err
	}
	log, err := os.CreateTemp("", "trytontest-*.log")
	if err != nil {
		return err
	}
	defer os.Remove(log.Name()) // still readable through log
	defer log.Close()
	command.Stdout, command.Stderr = log, log
	if hold, err = command.StdinPipe(); err != nil {
		return err
	}
	if err := command.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- command.Wait() }()
	for !answers(server) {
		select {
		case err := <-ended:
			said, _ := os.ReadFile(log.Name())
			return errors.Join(err, fmt.Errorf("the server ended at its start; it said:\n%s", tail(said)))
		case <-time.After(100 * time.Millisecond):
		}
	}
	return nil
}

// answers asks whether Tryton serves the database. It also makes Tryton load
// its modules, which the first request pays for.
func answers(server Server) bool {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	ask, err := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/",
		strings.NewReader(`{"id":1,"method":"common.db.list","params":[]}`))
	if err != nil {
		return false
	}
	ask.Header.Set("Content-Type", "application/json")
	ask.Close = true
	answer, err := http.DefaultClient.Do(ask)
	if err != nil {
		return false
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return err == nil && bytes.Contains(body, []byte(`"`+server.Database+`"`))
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	return port, err
}

func tail(out []byte) string {
	if len(out) > 4000 {
		out = out[len(out)-4000:]
	}
	return string(out)
}
