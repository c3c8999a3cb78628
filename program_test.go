package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
)

func TestServeAnswersAndCarriesOrders(t *testing.T) {
	w := newWorld(t, setup{})
	r := w.serve()
	for path, want := range map[string]int{
		"/livez": 200, "/readyz": 200, "/metrics": 200, "/api/openapi.json": 200,
		"/api/v1/stats": 401, "/api/v1/orders": 401, "/nowhere": 404,
	} {
		require.Equal(t, want, w.get(path, "", nil), path)
	}
	w.trade(10)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	r.stop()
}

func TestASecondInstanceOnTheSameDatabaseRefusesToStart(t *testing.T) {
	w := newWorld(t, setup{})
	w.serve()
	code, _, stderr := w.try("serve")
	require.Equal(t, 1, code)
	require.Contains(t, oneSentence(t, stderr), "another Gapless process is using this database; stop it first")
	require.Equal(t, 200, w.get("/readyz", "", nil), "the first one goes on")
}

func TestAnAddressInUseIsSaidPlainly(t *testing.T) {
	w := newWorld(t, setup{})
	taken, err := net.Listen("tcp", w.address)
	require.NoError(t, err)
	defer taken.Close()
	code, _, stderr := w.try("serve")
	require.Equal(t, 1, code)
	require.Contains(t, oneSentence(t, stderr), "server.listen")
}

func TestAFolderThatIsMissingIsSaidPlainly(t *testing.T) {
	w := newWorld(t, setup{})
	w.environ = append(w.environ, "GAPLESS_STORE__URL=sqlite:"+w.dir+"/none/gapless.db")
	code, _, stderr := w.try("serve")
	require.Equal(t, 1, code)
	require.Contains(t, oneSentence(t, stderr), "create the folder")
}

// oneSentence is what an error must be: one line for people.
func oneSentence(t *testing.T, stderr string) string {
	t.Helper()
	require.True(t, strings.HasPrefix(stderr, "gapless: "), stderr)
	require.Equal(t, 1, strings.Count(stderr, "\n"), stderr)
	require.NotRegexp(t, `0x[0-9a-f]|%!|goroutine|\.go:|<nil>|map\[`, stderr)
	return stderr
}

// slowERP answers writes once it may, and the first one never.
type slowERP struct {
	next  http.Handler
	may   chan struct{}
	calls sync.WaitGroup // counted down by each write that arrives
	hangs atomic.Bool
}

func (e *slowERP) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodGet {
		e.next.ServeHTTP(w, r)
		return
	}
	body, _ := io.ReadAll(r.Body) // only then does the server notice that a client has gone
	r.Body = io.NopCloser(strings.NewReader(string(body)))
	e.calls.Done()
	if e.hangs.CompareAndSwap(false, true) {
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	select {
	case <-e.may:
	case <-r.Context().Done(): // it goes on all the same
	}
	e.next.ServeHTTP(w, r)
}

// Supervisors kill ten seconds after SIGTERM. By then the calls that will be
// answered are recorded, the others are left for the next start to look up, and
// clients that never finish are cut off.
func TestSIGTERMDrainsInTimeAndLosesNothing(t *testing.T) {
	slow := &slowERP{may: make(chan struct{})}
	const atOnce = 4
	slow.calls.Add(atOnce)
	w := newWorld(t, setup{
		before:  func(next http.Handler) http.Handler { slow.next = next; return slow },
		environ: []string{"GAPLESS_ERPS__BOOKS__TIMEOUT=30s", fmt.Sprintf("GAPLESS_ERPS__BOOKS__CONCURRENCY=%d", atOnce)},
	})
	r := w.start().ready()
	w.eventually(w.subscribed)
	for range 2 * atOnce {
		w.shop.Create()
	}
	require.NoError(t, w.shop.Flush(t.Context()))
	slow.calls.Wait()
	stuck := w.dial("POST /webhooks/shopify HTTP/1.1\r\nHost: gapless\r\nX-Shopify-Shop-Domain: pretend.myshopify.com\r\nContent-Length: 1000\r\n\r\n{\"half\":")
	defer stuck.Close()

	slow.calls.Add(1000) // what comes later need not be waited for
	r.term()
	require.True(t, r.log.says(t, "stopping", r.ended), "it ended: %s", r.log)
	close(slow.may)
	select {
	case <-r.ended:
	case <-time.After(10 * time.Second):
		t.Fatal("a supervisor would have killed it")
	}
	require.Zero(t, r.code, r.log)
	cut(t, stuck)
	var open int
	query(w, &open, `SELECT count(*) FROM attempts WHERE action = 'deliver' AND id NOT IN (SELECT attempt_id FROM outcomes)`)
	require.LessOrEqual(t, open, 1, "calls without a recorded result; the one that hung may be")

	again := w.start().ready()
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	again.stop()
}

// subscribed says that the shop does not know yet where to send webhooks.
func (w *world) subscribed() error {
	if n := len(w.shop.Subscriptions()); n < 11 {
		return fmt.Errorf("only %d webhook subscriptions", n)
	}
	return nil
}

// dial opens a connection to Gapless and sends text.
func (w *world) dial(text string) net.Conn {
	w.Helper()
	conn, err := net.Dial("tcp", w.address)
	require.NoError(w, err)
	_, err = io.WriteString(conn, text)
	require.NoError(w, err)
	return conn
}

// cut waits until the other side has closed the connection.
func cut(t *testing.T, conn net.Conn) {
	t.Helper()
	require.NoError(t, conn.SetReadDeadline(time.Now().Add(patience)))
	_, err := io.Copy(io.Discard, conn)
	require.False(t, errors.Is(err, os.ErrDeadlineExceeded), "the connection is still open")
}

// Many clients that send a byte now and then, in the header or in the body, are
// cut off, and keep nobody from being served.
func TestSlowClientsAreCutOffWhileOthersAreServed(t *testing.T) {
	w := newWorld(t, setup{})
	r := w.serve("GAPLESS_SERVER__READ_TIMEOUT=1s")
	w.eventually(w.subscribed)
	const header = "POST /webhooks/shopify HTTP/1.1\r\nHost: gapless\r\nX-Shopify-Shop-Domain: pretend.myshopify.com\r\n"
	var crowd []net.Conn
	var dripping sync.WaitGroup
	for i := range 100 {
		text := header
		if i%2 == 0 {
			text += "Content-Length: 5000\r\n\r\n"
		}
		conn := w.dial(text)
		defer conn.Close()
		crowd = append(crowd, conn)
		dripping.Go(func() { drip(conn) })
	}
	w.trade(10)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	for _, conn := range crowd {
		cut(t, conn)
	}
	dripping.Wait()
	require.Equal(t, 200, w.get("/readyz", "", nil))
	r.stop()
}

// drip sends a byte now and then until nobody takes it any more.
func drip(conn net.Conn) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		if _, err := conn.Write([]byte("x")); err != nil {
			return
		}
	}
}

// A whole run with all that goes wrong, at the most talkative level, with an ERP
// that repeats the customer's name and address in its errors: the log holds
// nothing that a stranger must not read.
func TestNothingSecretOrPersonalIsLogged(t *testing.T) {
	w := newWorld(t, setup{
		shop: shopifytest.Options{Seed: 3, RetryScale: 0.00001, Faults: shopifytest.Faults{Drop: 0.1, Corrupt: 0.2, CorruptLost: 0.5, Repeat: 0.1, Stale: 0.1, MaxDelay: time.Millisecond}},
		erp:  erptest.Options{SKUs: []string{"TSHIRT-BLK-S", "TSHIRT-BLK-M", "TSHIRT-WHT-M", "MUG-01", "COFFEE-1KG", "SNOW-001"}},
	})
	w.erp.SetFaults(erptest.Mix{erptest.ServerError: 0.1, erptest.HTML: 0.1, erptest.CutAfterEffect: 0.1, erptest.OKButNothing: 0.1})
	r := w.serve()
	w.eventually(w.subscribed)
	token := strings.TrimSpace(w.gapless("token", "add", "test"))
	w.shop.Break(3, shopifytest.Outage{Status: 503})
	w.trade(150)
	w.shop.Send("orders/updated", json.RawMessage(`{"id": "Edith Abernathy", "email": "buyer1@example.com", "broken"`))
	require.NoError(t, w.shop.Flush(t.Context()))
	require.Equal(t, 200, w.get("/api/v1/orders?limit=500", token, nil))
	require.Equal(t, 401, w.get("/api/v1/orders", token+"x", nil))
	w.erp.SetFaults(nil)
	w.eventually(w.atRest)
	require.Contains(t, w.gapless("orders", "--state", "parked"), "unknown article GIFT-50", "no order was refused, so that nothing was tried here")
	r.stop()

	log := r.log.String()
	require.Contains(t, log, "level=", "nothing was logged at all")
	for _, secret := range append(w.people(), "pretend-token", "pretend-secret", "erp-token-of-the-test", token) {
		require.NotContains(t, log, secret)
	}
}

// people are the names, addresses and numbers of the shop's customers.
func (w *world) people() (all []string) {
	for _, o := range w.shop.Orders() {
		var told struct {
			Email, Phone string
			Billing      struct {
				FirstName string `json:"first_name"`
				LastName  string `json:"last_name"`
				Address1  string
			} `json:"billing_address"`
		}
		require.NoError(w, json.Unmarshal(w.shop.REST(o.ID), &told))
		all = append(all, told.Email, told.Phone, told.Billing.FirstName, told.Billing.LastName, told.Billing.Address1)
	}
	all = slices.DeleteFunc(all, func(s string) bool { return s == "" })
	require.NotEmpty(w, all)
	return all
}

// A webhook that the process took while it was told to stop is there after the
// next start, though nobody fetches it: polls look at nothing here.
func TestWebhooksTakenWhileStoppingAreKept(t *testing.T) {
	w := newWorld(t, setup{environ: []string{"GAPLESS_SHOPS__ACME__POLL__IDLE=1h", "GAPLESS_SHOPS__ACME__POLL__OVERLAP=0s"}})
	r := w.serve()
	w.eventually(w.subscribed)
	conn := w.dial("GET /livez HTTP/1.1\r\nHost: gapless\r\n\r\n")
	defer conn.Close()
	alive, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	require.NoError(t, alive.Body.Close())
	for range 20 {
		w.shop.Create()
	}
	sent := make(chan error, 1)
	go func() { sent <- w.shop.Flush(t.Context()) }()
	r.term()
	<-r.ended
	require.NoError(t, <-sent)
	require.Zero(t, r.code, r.log)
	kept := w.shop.Counts()[shopifytest.Sent]
	var events int
	query(w, &events, `SELECT count(DISTINCT webhook_id) FROM events WHERE source = 'webhook'`)
	require.GreaterOrEqual(t, events, kept, "answered with 200, but not kept")
}

// A call that the ERP does not answer holds up a stop as long as the config says
// and no longer. It is looked up at the next start.
func TestAStopWaitsForDeliveriesAsLongAsTheConfigSays(t *testing.T) {
	arrived, answer := make(chan struct{}, 1), make(chan struct{})
	silent := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				select {
				case arrived <- struct{}{}:
				default:
				}
				<-answer
			}
			next.ServeHTTP(w, r)
		})
	}
	w := newWorld(t, setup{before: silent, environ: []string{"GAPLESS_SERVER__SHUTDOWN_TIMEOUT=100ms", "GAPLESS_ERPS__BOOKS__TIMEOUT=30s"}})
	defer close(answer)
	r := w.serve()
	w.eventually(w.subscribed)
	w.shop.Create()
	require.NoError(t, w.shop.Flush(t.Context()))
	<-arrived
	r.term()
	select {
	case <-r.ended:
	case <-time.After(5 * time.Second):
		t.Fatal("the stop still waits for the ERP")
	}
	require.Zero(t, r.code, r.log)
	var sending int
	query(w, &sending, `SELECT count(*) FROM deliveries WHERE sent_at > 0`)
	require.Equal(t, 1, sending, "the intent is kept")
}

// Nobody is there at first: the start prints the link by which the first admin
// is made, anew at each start, until it was used.
func TestTheFirstAdminComesByTheLinkThatTheStartPrints(t *testing.T) {
	w := newWorld(t, setup{})
	link := func(r *run) string {
		found := regexp.MustCompile(`Make the first admin here, within 24 hours: http://\S+(/setup/\S+)`).FindStringSubmatch(r.log.String())
		if found == nil {
			return ""
		}
		return found[1]
	}
	r := w.serve()
	w.eventually(w.subscribed)
	old := link(r)
	r.stop()
	r = w.serve()
	require.NotEqual(t, old, link(r))
	require.Equal(t, 404, w.get(old, "", nil))
	form := url.Values{"name": {"ann"}, "password": {"four words in a row"}, "again": {"four words in a row"}}
	w.http.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := w.http.PostForm("http://"+w.address+link(r), form)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 303, resp.StatusCode)
	cookie := resp.Cookies()[0]
	require.Contains(t, w.gapless("user", "list"), "ann   admin  password")
	r.stop()

	r = w.serve()
	require.Empty(t, link(r), "there is an admin")
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+w.address+"/api/v1/stats", nil)
	require.NoError(t, err)
	req.AddCookie(cookie)
	resp, err = w.http.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, 200, resp.StatusCode, "a restart logs nobody out")
	require.NotContains(t, r.log.String(), cookie.Value)
	r.stop()
}

func TestPeopleFromTheCommandLine(t *testing.T) {
	w := newWorld(t, setup{})
	w.serve()
	link := w.gapless("user", "add", "Bob@Example.com", "--role", "operator")
	require.Regexp(t, `^http://127\.0\.0\.1:\d+/setup/\S{43}\n$`, link)
	opens := func(link string) int {
		return w.get(strings.TrimPrefix(strings.TrimSpace(link), "http://"+w.address), "", nil)
	}
	require.Equal(t, 200, opens(link))
	reset := w.gapless("user", "reset", "bob@example.com")
	require.Equal(t, 404, opens(link), "the newer one counts")
	require.Equal(t, 200, opens(reset))
	require.Contains(t, w.gapless("user", "list"), "bob@example.com  operator  no password yet  -")
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "already", []string{"user", "add", "BOB@example.com"}},
		{2, "a name has", []string{"user", "add", "no spaces"}},
		{2, "emperor", []string{"user", "add", "kim", "--role", "emperor"}},
		{1, "kim", []string{"user", "reset", "kim"}},
		{1, "kim", []string{"user", "remove", "kim"}},
	} {
		code, stdout, stderr := w.try(c.args...)
		require.Equal(t, c.code, code, stderr)
		require.Empty(t, stdout)
		require.Contains(t, oneSentence(t, stderr), c.says)
	}
	w.gapless("user", "remove", "bob@example.com")
	require.NotContains(t, w.gapless("user", "list"), "bob")
}
