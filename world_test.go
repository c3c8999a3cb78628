package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
)

// world is what stands around Gapless: a pretend shop and a pretend ERP, each
// with a ledger that only the test sees, over real HTTP, and a folder with a
// config and a store.
type world struct {
	testing.TB
	shop    *shopifytest.Shop
	erp     *erptest.ERP
	dir     string
	config  string          // its path
	environ []string        // of every run
	address string          // where Gapless listens
	api     string          // the shop's
	http    *http.Client    // of the test itself
	hooks   *http.Transport // of the shop's webhooks
	calls   *calls
}

// setup says what differs from a usual world.
type setup struct {
	shop    shopifytest.Options
	erp     erptest.Options
	before  func(http.Handler) http.Handler           // stands before the ERP
	hook    func(http.RoundTripper) http.RoundTripper // stands before the webhooks
	config  string                                    // in place of the [[erps]] table
	environ []string                                  // GAPLESS_SECTION__KEY=value
}

const shopName = "acme"

// Waits are short: what takes minutes in a real shop takes seconds here.
const worldConfig = `
[server]
listen = "%[1]s"
public_url = "http://%[1]s"
log_level = "debug"

[store]
url = "sqlite:%[2]s/gapless.db"

[[shops]]
name = "acme"
domain = "pretend.myshopify.com"
access_token = "pretend-token"
webhook_secrets = ["pretend-secret"]
erp = "books"
api_url = "%[3]s"
poll = { active = "1s", idle = "2s", overlap = "1m" }
`

const httpERP = `
[[erps]]
name = "books"
kind = "http"
url = "%s"
token = "erp-token-of-the-test"
concurrency = 8
timeout = "400ms"
longest_request = "700ms"
retry = { first = "5ms", max = "200ms" }
circuit = { failures = 1000, pause = "100ms" }
`

// newWorld opens the shop and the ERP until the test ends. Gapless runs in it by
// serve, start or run.
func newWorld(t testing.TB, s setup) *world {
	t.Helper()
	w := &world{
		TB: t, dir: t.TempDir(), address: freeAddress(t), http: &http.Client{Transport: &http.Transport{}}, hooks: &http.Transport{MaxIdleConnsPerHost: 8}, calls: &calls{heard: map[string]call{}},
	}
	running := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, running) })
	t.Cleanup(w.http.CloseIdleConnections)
	w.openShop(s)
	if s.config == "" {
		s.config = fmt.Sprintf(httpERP, w.openERP(s))
	}
	w.config = filepath.Join(w.dir, "config.toml")
	text := fmt.Sprintf(worldConfig, w.address, w.dir, w.api) + s.config
	require.NoError(t, os.WriteFile(w.config, []byte(text), 0o600))
	w.environ = append([]string{"HOME=" + w.dir}, s.environ...)
	return w
}

func (w *world) openShop(s setup) {
	if s.shop.BucketSize == 0 {
		s.shop.BucketSize, s.shop.RestoreRate = 20_000, 20_000
	}
	var carrier http.RoundTripper = w.hooks
	if s.hook != nil {
		carrier = s.hook(carrier)
	}
	s.shop.Client = &http.Client{Transport: carrier}
	w.shop = shopifytest.New(s.shop)
	server := httptest.NewServer(w.shop)
	w.api = server.URL
	w.Cleanup(func() { w.hooks.CloseIdleConnections(); server.CloseClientConnections(); server.Close() })
}

func (w *world) openERP(s setup) (url string) {
	var err error
	w.erp, err = erptest.NewERP(s.erp)
	require.NoError(w, err)
	handler := w.calls.standBefore(w.erp)
	if s.before != nil {
		handler = s.before(handler)
	}
	server := httptest.NewServer(handler)
	w.Cleanup(func() { w.erp.Close(); server.CloseClientConnections(); server.Close() })
	return server.URL
}

// freeAddress is one that stays free while Gapless is down: below the ports that
// systems hand out by themselves.
func freeAddress(t testing.TB) string {
	for range 100 {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 15_000+rand.IntN(15_000)))
		if err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// binary builds Gapless once.
var binary = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "gapless-test-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "gapless")
	build := exec.Command("go", "build", "-o", path, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build Gapless: %w\n%s", err, out)
	}
	built = dir
	return path, nil
})

var built string // the folder to remove

func TestMain(m *testing.M) {
	code := m.Run()
	if built != "" {
		os.RemoveAll(built)
	}
	os.Exit(code)
}

// journal is what a run of Gapless says. It can be waited for.
type journal struct {
	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{}
}

func newJournal() *journal { return &journal{changed: make(chan struct{})} }

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	close(j.changed)
	j.changed = make(chan struct{})
	return j.text.Write(p)
}

func (j *journal) String() string {
	text, _ := j.read()
	return text
}

func (j *journal) read() (string, <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String(), j.changed
}

// patience is how long a test waits for what must come. It is there to end a
// test that has failed, not to measure.
const patience = 80 * time.Second

// says waits until words were said, or false if the run ended without.
func (j *journal) says(t testing.TB, words string, ended <-chan struct{}) bool {
	t.Helper()
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	for {
		text, changed := j.read()
		if strings.Contains(text, words) {
			return true
		}
		select {
		case <-changed:
		case <-ended:
			text, _ := j.read()
			return strings.Contains(text, words)
		case <-giveUp.C:
			t.Fatalf("never said %q, but:\n%s", words, text)
		}
	}
}

const readyWords = "Gapless is ready"

// run is one `gapless serve`, in this process or in one of its own.
type run struct {
	world *world
	log   *journal
	code  int           // once ended
	ended chan struct{} // closed at its end
	term  func()        // tells it to stop
	kill  func()        // ends a process at once, and waits until it is gone
}

// serve runs Gapless in this process until stop, or the end of the test.
func (w *world) serve(environ ...string) *run {
	w.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	r := &run{world: w, log: newJournal(), ended: make(chan struct{}), term: cancel, kill: func() {}}
	p := w.program(r.log, r.log, environ, "serve")
	go func() {
		r.code = p.Run(ctx)
		close(r.ended)
	}()
	w.Cleanup(func() { cancel(); <-r.ended })
	r.ready()
	return r
}

// start starts Gapless as a process of its own, which ends with the test.
func (w *world) start(environ ...string) *run {
	w.Helper()
	path, err := binary()
	require.NoError(w, err)
	r := &run{world: w, log: newJournal(), ended: make(chan struct{})}
	cmd := exec.Command(path, "serve", "--config", w.config)
	cmd.Env, cmd.Stdout, cmd.Stderr = slices.Concat(w.environ, environ), r.log, r.log
	require.NoError(w, cmd.Start())
	go func() {
		cmd.Wait()
		r.code = cmd.ProcessState.ExitCode()
		close(r.ended)
	}()
	r.term = func() { cmd.Process.Signal(syscall.SIGTERM) }
	r.kill = func() { cmd.Process.Kill(); <-r.ended }
	w.Cleanup(r.kill)
	return r
}

// ready waits until it serves.
func (r *run) ready() *run {
	r.world.Helper()
	require.True(r.world, r.log.says(r.world, readyWords, r.ended), "it ended: %s", r.log)
	return r
}

// stop tells it to stop and wants a clean end.
func (r *run) stop() {
	r.world.Helper()
	r.term()
	<-r.ended
	require.Zero(r.world, r.code, r.log)
}

func (w *world) program(stdout, stderr io.Writer, environ []string, args ...string) *Program {
	return &Program{Args: append(args, "--config", w.config), Environ: append(w.environ, environ...), Stdout: stdout, Stderr: stderr}
}

// try runs a command in this process to its end.
func (w *world) try(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = w.program(&out, &errs, nil, args...).Run(w.Context())
	return code, out.String(), errs.String()
}

// gapless runs a command that must go well and returns what it printed.
func (w *world) gapless(args ...string) string {
	w.Helper()
	code, stdout, stderr := w.try(args...)
	require.Zero(w, code, stderr)
	return stdout
}

// trade lets the shop live for n acts, and sends its webhooks.
func (w *world) trade(n int) {
	w.Helper()
	for range n {
		w.shop.Act()
	}
	require.NoError(w, w.shop.Flush(w.Context()))
}

// get answers a GET on Gapless, with a token or without.
func (w *world) get(path, token string, into any) int {
	w.Helper()
	req, err := http.NewRequestWithContext(w.Context(), http.MethodGet, "http://"+w.address+path, nil)
	require.NoError(w, err)
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	resp, err := w.http.Do(req)
	require.NoError(w, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(w, err)
	if into != nil {
		require.NoError(w, json.Unmarshal(body, into), "%s", body)
	}
	return resp.StatusCode
}

// eventually looks again and again until check is content.
func (w *world) eventually(check func() error) {
	w.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	for err := check(); err != nil; err = check() {
		select {
		case <-again.C:
		case <-giveUp.C:
			w.Fatalf("it never came about: %v", err)
		}
	}
}

// holding is what the ERP holds of an order, or must hold. Its moment is that of
// the version: two changes in one second differ in what they changed.
type holding struct {
	name, moment, total string
	cancelled           bool
	look                look
}

// look is what a person would see of an order beside its money.
type look struct{ paid, sent, note, tags, street string }

// expected is what the ERP must hold, by reference: the shop's ledger says it.
func (w *world) expected() map[string]holding {
	w.Helper()
	want := map[string]holding{}
	for _, o := range w.shop.Orders() {
		want[fmt.Sprintf("%s-%d", shopName, o.ID)] = holding{o.Name, o.UpdatedAt.UTC().Format(time.RFC3339), o.Total, o.Cancelled, w.lookInShop(o.ID)}
	}
	return want
}

func (w *world) lookInShop(id int64) look {
	var o struct {
		FinancialStatus   string `json:"financial_status"`
		FulfillmentStatus string `json:"fulfillment_status"`
		Note, Tags        string
		Shipping          struct{ Address1 string } `json:"shipping_address"`
	}
	require.NoError(w, json.Unmarshal(w.shop.REST(id), &o))
	sent := map[string]string{"": "unfulfilled", "partial": "partially_fulfilled"}[o.FulfillmentStatus]
	return look{o.FinancialStatus, cmp.Or(sent, o.FulfillmentStatus), o.Note, o.Tags, o.Shipping.Address1}
}

func lookInERP(body []byte) look {
	var o struct {
		FinancialStatus   string `json:"financial_status"`
		FulfillmentStatus string `json:"fulfillment_status"`
		Note              string
		Tags              []string
		Shipping          struct{ Address1 string } `json:"shipping_to"`
	}
	if err := json.Unmarshal(body, &o); err != nil {
		return look{note: err.Error()}
	}
	return look{o.FinancialStatus, o.FulfillmentStatus, o.Note, strings.Join(o.Tags, ", "), o.Shipping.Address1}
}

// compare says in what the ERP's ledger differs from want: each order is there
// exactly once, at its newest version and total, live or cancelled, and nothing
// else is.
func (w *world) compare(want map[string]holding) error {
	docs := w.erp.All()
	for ref, h := range want {
		held := docs[ref]
		if len(held) != 1 {
			return fmt.Errorf("order %s has %d documents", h.name, len(held))
		}
		last := held[0].Writes[len(held[0].Writes)-1]
		moment, _, _ := strings.Cut(last.Version, "/")
		got := holding{h.name, moment, last.Total.String(), last.Cancelled, lookInERP(w.calls.body(last.IdempotencyKey))}
		if got != h {
			return fmt.Errorf("the ERP holds %+v, want %+v", got, h)
		}
	}
	if len(docs) != len(want) {
		return fmt.Errorf("%d references in the ERP, %d orders in the shop", len(docs), len(want))
	}
	return nil
}

// calls are the writing requests that reached the ERP, by Idempotency-Key.
type calls struct {
	mu    sync.Mutex
	heard map[string]call
}

type call struct {
	method, url string
	header      http.Header
	body        []byte
}

// standBefore notes the calls on their way to the ERP.
func (c *calls) standBefore(erp http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			erp.ServeHTTP(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			panic(http.ErrAbortHandler) // the client stopped in the middle
		}
		c.mu.Lock()
		c.heard[r.Header.Get("Idempotency-Key")] = call{r.Method, "http://" + r.Host + r.URL.Path, r.Header.Clone(), body}
		c.mu.Unlock()
		r.Body = io.NopCloser(bytes.NewReader(body))
		erp.ServeHTTP(w, r)
	})
}

func (c *calls) body(key string) []byte { return c.call(key).body }

func (c *calls) call(key string) call {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.heard[key]
}
