package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify/shopifytest"
	"gapless/store"
	"gapless/ui"
)

// outside runs a command that needs no world.
func outside(args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	p := &Program{Args: args, Stdout: &out, Stderr: &errs}
	code = p.Run(context.Background())
	return code, out.String(), errs.String()
}

func TestEveryMistakeOfAConfigIsToldAtOnce(t *testing.T) {
	w := newWorld(t, setup{config: `
[[erps]]
name = "bookss"
kind = "http"
url = "http://127.0.0.1:1"
tier = "D"
body = "{number: .name"
order_path = "/orders"
retry = { first = "1h", max = "1s" }
[[erps]]
name = "ledger"
kind = "tryton"
database = "gapless"
user = "gapless"
password = "env:NOT_SET"
state = "posted"
[[erps]]
name = "trial"
kind = "sandbox"
path = "trial.jsonl"
fail_rate = 2.0
[[erps]]
name = "shelf"
kind = "pull"
body = "env:SHELF_BODY"
[[rules]]
name = "broken"
when = ".test ||"
then = "exclude"
[alerts]
webhook_url = "https://example.com/alerts"
webhook_secret = "no base64!"
[smtp]
host = "mail.example.com"
user = "gapless"
tls = "off"
`, environ: []string{"GAPLESS_SERVER__LOG_LEVEL=loud", "SHELF_BODY=whispered |"}})
	t.Chdir(w.dir)
	for _, command := range []string{"serve", "check", "orders"} {
		code, stdout, stderr := w.try(command)
		require.Equal(t, 2, code, command)
		require.Empty(t, stdout)
		require.Contains(t, stderr, "14 problems", stderr)
		for _, mistake := range []string{
			`shops[0].erp: there is no [[erps]] table named "books"; did you mean bookss?`,
			"erps[0].retry.max: it is shorter than retry.first; make it the longer one",
			`server.log_level: "loud" is not known here; write one of debug, info, warn, error`,
			`erps[0].tier: there is no such tier; write "A", "B" or "C"`,
			"erps[0].body: jq does not understand it: unexpected EOF; write a jq program such as",
			"erps[0].order_path: it does not lead to one order; write a path with {ref} in it",
			"erps[1].url: is not the address of a Tryton server; set it to one like",
			"erps[1].password: the environment has no variable NOT_SET; set it, or correct the name after env:",
			`erps[1].state: is not a state a sale can be left in; set it to "draft", "quotation" or "confirmed"`,
			"erps[2].fail_rate: it is not a share; write a number from 0 to 1",
			"erps[3].body: what env:SHELF_BODY stands for can't be used; write a jq program such as",
			"rules[0].when: jq does not understand it: unexpected token \"|\"; write a jq condition over the order",
			`alerts.webhook_secret: it is not base64; write "whsec_" and the secret's bytes in base64`,
			`smtp.tls: the password would travel in clear; write "starttls" or "implicit"`,
		} {
			require.Contains(t, stderr, mistake, command)
		}
		require.NotContains(t, stderr, "whispered")
	}
	require.NoFileExists(t, filepath.Join(w.dir, "gapless.db"), "nothing was begun")
	require.NoFileExists(t, filepath.Join(w.dir, "trial.jsonl"))
}

// What only an adapter or a compiler can tell is told like the rest.
func TestMistakesThatOnlyTheKindKnowsAreToldAtOnce(t *testing.T) {
	w := newWorld(t, setup{config: `
[[erps]]
name = "books"
kind = "http"
url = "http://127.0.0.1:1"
tier = "D"
method = "GET"
total_path = "..["
[[rules]]
name = "broken"
when = ".test ||"
then = "exclude"
`})
	for _, command := range []string{"serve", "check", "poll"} {
		code, _, stderr := w.try(command)
		require.Equal(t, 2, code, command)
		for _, mistake := range []string{"erps[0].tier", "erps[0].method", "erps[0].total_path", "rules[0].when"} {
			require.Contains(t, stderr, mistake, command)
		}
	}
}

func TestWrongUsageExitsWithTwo(t *testing.T) {
	for _, args := range [][]string{
		{}, {"sevre"}, {"serve", "--prot", "80"}, {"demo", "--rate", "many"}, {"orders", "--state", "lost"}, {"token"}, {"backup"},
		{"serve", "--config", filepath.Join(t.TempDir(), "none.toml")},
	} {
		code, stdout, stderr := outside(args...)
		require.Equal(t, 2, code, args)
		require.Empty(t, stdout, args)
		oneSentence(t, stderr)
	}
}

func TestHelpAndVersion(t *testing.T) {
	code, stdout, _ := outside("--help")
	require.Zero(t, code)
	for _, command := range []string{"serve", "demo", "check", "poll", "reconcile", "gaps", "runs", "orders", "events", "replay", "token", "backup", "version"} {
		require.Contains(t, stdout, command)
	}
	code, stdout, _ = outside("version")
	require.Zero(t, code)
	require.Regexp(t, `^gapless dev \(commit unknown\)\ngo1\.\S+ \w+/\w+\nSQLite 3\.\d+\.\d+\n$`, stdout)
}

func TestCheckSaysWhatIsWell(t *testing.T) {
	w := newWorld(t, setup{})
	w.serve()
	w.eventually(w.subscribed)
	said := w.gapless("check")
	for _, line := range []string{"ok    config\n", "ok    disk for ", "ok    shop acme\n", "ok    webhook subscriptions of acme\n", "ok    ERP books\n", "warn  store.encryption_key"} {
		require.Contains(t, said, line)
	}
	require.NotContains(t, said, "FAIL")
	const hidden = "warn  the app of acme has no scope read_all_orders: orders placed more than 60 days ago can't be brought in or compared\n"
	require.Contains(t, said, hidden)
	w.shop.Grant("read_all_orders")
	require.NotContains(t, w.gapless("check"), hidden)
}

func TestCheckNamesEachThingThatIsWrong(t *testing.T) {
	w := newWorld(t, setup{})
	for what, broken := range map[string]struct{ environ, fails string }{
		"wrong token":           {"GAPLESS_SHOPS__ACME__ACCESS_TOKEN=shpat_of_somebody_else", "FAIL  shop acme: "},
		"unreachable ERP":       {"GAPLESS_ERPS__BOOKS__URL=http://127.0.0.1:9", "FAIL  ERP books: "},
		"missing subscriptions": {"", "FAIL  webhook subscriptions of acme: no right subscription for orders/create, orders/updated, "},
		"no folder":             {"GAPLESS_STORE__URL=sqlite:" + w.dir + "/none/gapless.db", "FAIL  disk for "},
	} {
		t.Run(what, func(t *testing.T) {
			var out, errs bytes.Buffer
			code := w.program(&out, &errs, []string{broken.environ}, "check").Run(t.Context())
			require.Equal(t, 1, code)
			require.Contains(t, oneSentence(t, errs.String()), "mend what is marked FAIL")
			require.Contains(t, out.String(), broken.fails)
			require.NotContains(t, out.String()+errs.String(), "shpat_of_somebody_else")
		})
	}
}

func TestCheckComparesTheClockWithShopifys(t *testing.T) {
	for off, says := range map[time.Duration]string{8 * time.Hour: `FAIL  clock: that of this machine is (8h0m|7h59m)\d+s behind Shopify's`, -8 * time.Hour: `FAIL  clock: that of this machine is (8h0m|7h59m)\d+s ahead of Shopify's`} {
		w := newWorld(t, setup{shop: shopifytest.Options{Now: func() time.Time { return time.Now().Add(off) }}})
		code, said, _ := w.try("check")
		require.Equal(t, 1, code)
		require.Regexp(t, says, said)
	}
	w := newWorld(t, setup{})
	_, said, _ := w.try("check")
	require.NotContains(t, said, "clock")
}

func TestCheckOfflineAsksNobody(t *testing.T) {
	w := newWorld(t, setup{environ: []string{"GAPLESS_ERPS__BOOKS__URL=http://127.0.0.1:9", "GAPLESS_SHOPS__ACME__ACCESS_TOKEN=wrong"}})
	said := w.gapless("check", "--offline")
	require.Contains(t, said, "ok    config\n")
	require.Zero(t, w.shop.Calls())
}

func TestErrorsAreOnePlainSentence(t *testing.T) {
	w := newWorld(t, setup{})
	code, _, stderr := w.try("orders")
	require.Equal(t, 1, code)
	require.Contains(t, oneSentence(t, stderr), "start `gapless serve` once")
	code, _, stderr = w.try("poll")
	require.Equal(t, 1, code)
	require.Contains(t, oneSentence(t, stderr), "start `gapless serve` once")
	w.serve()
	w.gapless("token", "add", "ops")
	backup := filepath.Join(w.dir, "backup.db")
	w.gapless("backup", backup)
	for _, c := range []struct {
		code int
		says string
		args []string
	}{
		{1, "#9", []string{"orders", "#9"}},
		{1, "12345", []string{"events", "12345"}},
		{2, "--order", []string{"replay"}},
		{1, "#9", []string{"replay", "--order", "#9"}},
		{2, `"yesterday" is not a day; write it like 2026-11-22`, []string{"replay", "--state", "parked", "--from", "yesterday"}},
		{2, "acne", []string{"replay", "--state", "parked", "--shop", "acne"}},
		{2, "acne", []string{"replay", "--order", "#9", "--shop", "acne"}},
		{2, "acne", []string{"poll", "--shop", "acne"}},
		{2, "acne", []string{"orders", "--shop", "acne"}},
		{2, "acne", []string{"gaps", "--shop", "acne"}},
		{2, "acne", []string{"events", "--shop", "acne"}},
		{2, "acne", []string{"runs", "--shop", "acne"}},
		{1, "ops", []string{"token", "add", "ops"}},
		{1, "dev", []string{"token", "remove", "dev"}},
		{1, "exists", []string{"backup", backup}},
		{1, "none", []string{"backup", filepath.Join(w.dir, "none", "backup.db")}},
	} {
		code, _, stderr := w.try(c.args...)
		require.Equal(t, c.code, code, c.args)
		require.Contains(t, oneSentence(t, stderr), c.says)
	}
}

func TestOrdersAndEventsAreListedAndShown(t *testing.T) {
	w := newWorld(t, setup{})
	w.serve()
	w.eventually(w.subscribed)
	id := w.shop.Create()
	require.NoError(t, w.shop.Flush(t.Context()))
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	w.eventually(w.atRest)
	told, _ := w.shop.Order(id)

	require.Regexp(t, `acme +#1001 +\d+ +delivered +\d[\d,]*\.\d\d USD +`, w.gapless("orders"))
	require.Regexp(t, `(?s)#1001.* intake +new .*deliver to books +created`, w.gapless("orders", "#1001"))
	var orders []ui.Order
	require.NoError(t, json.Unmarshal([]byte(w.gapless("orders", "--json", "--state", "delivered")), &orders))
	require.Len(t, orders, 1)
	require.Equal(t, id, orders[0].ID)
	require.Equal(t, told.Name, orders[0].Name)
	require.Equal(t, orders[0].Wanted, orders[0].Held)
	require.Equal(t, "[]\n", w.gapless("orders", "--json", "--state", "parked"))

	var events []ui.Event
	require.NoError(t, json.Unmarshal([]byte(w.gapless("events", "--json", "--topic", "orders/create")), &events))
	require.Len(t, events, 1)
	require.JSONEq(t, string(w.shop.REST(id)), w.gapless("events", jsonNumber(events[0].ID)), "the body as it came")

	var event ui.EventDetail
	require.NoError(t, json.Unmarshal([]byte(w.gapless("events", "--json", jsonNumber(events[0].ID))), &event))
	require.Equal(t, events[0].WebhookID, event.WebhookID)
	require.Equal(t, events[0].Size, event.Size)
	require.JSONEq(t, string(w.shop.REST(id)), event.Body)

	var order ui.OrderDetail
	require.NoError(t, json.Unmarshal([]byte(w.gapless("orders", "--json", "1001")), &order))
	require.Equal(t, orders[0], order.Order)
	require.NotEmpty(t, order.Content)
	require.Equal(t, events[0].ID, order.Events[len(order.Events)-1].ID)
	require.Equal(t, "intake", order.Decisions[0].Step)
	require.Equal(t, "created", order.Attempts[0].Result)
	require.NotEmpty(t, order.Attempts[0].Exchanges)
}

// An order's history is told in the order it happened, and what others wrote into
// it can't steer the terminal.
func TestAnOrderIsShownAsItHappened(t *testing.T) {
	closed := &refusing{says: "no period \x1b[2J\u009b2J"}
	w := newWorld(t, setup{before: func(next http.Handler) http.Handler { closed.next = next; return closed }})
	w.serve()
	w.eventually(w.subscribed)
	id := w.shop.Create()
	require.NoError(t, w.shop.Flush(t.Context()))
	w.eventually(w.atRest)
	closed.on.Store(true)
	require.True(t, w.shop.Apply(id, shopifytest.DoTag))
	require.NoError(t, w.shop.Flush(t.Context()))
	w.eventually(w.atRest)
	shown := w.gapless("orders", "#1001")
	require.Regexp(t, `(?s)intake +new .*deliver to books +created.*intake +newer.*deliver to books +rejected`, shown)
	require.NotContains(t, shown, "\x1b")
	require.NotContains(t, shown, "\u009b")
}

func jsonNumber(id int64) string { b, _ := json.Marshal(id); return string(b) }

// refusing stands before the ERP and refuses every write while it is on.
type refusing struct {
	next http.Handler
	on   atomic.Bool
	says string
}

func (f *refusing) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if f.on.Load() && r.Method != http.MethodGet {
		w.WriteHeader(http.StatusUnprocessableEntity)
		json.NewEncoder(w).Encode(map[string]string{"error": f.says})
		return
	}
	f.next.ServeHTTP(w, r)
}

func TestADryRunShowsTheVeryRequestThatReplaySends(t *testing.T) {
	closed := &refusing{says: "the period is closed"}
	w := newWorld(t, setup{before: func(next http.Handler) http.Handler { closed.next = next; return closed }})
	closed.on.Store(true)
	w.serve()
	w.eventually(w.subscribed)
	w.shop.Create()
	require.NoError(t, w.shop.Flush(t.Context()))
	w.eventually(w.atRest)
	require.Regexp(t, `#1001 .*parked .*the period is closed`, w.gapless("orders", "--state", "parked"))

	var plans []ui.Plan
	require.NoError(t, json.Unmarshal([]byte(w.gapless("replay", "--order", "#1001", "--dry-run", "--json")), &plans))
	require.Len(t, plans, 1)
	require.Equal(t, "send", plans[0].Action)
	require.Len(t, plans[0].Calls, 1)
	planned := plans[0].Calls[0]
	require.Equal(t, http.MethodPut, planned.Method)
	require.Contains(t, w.gapless("replay", "--order", "#1001", "--dry-run"), planned.Body)
	w.eventually(w.atRest)
	require.Empty(t, w.erp.All(), "a dry run sends nothing")

	closed.on.Store(false)
	require.Equal(t, "1 of 1 orders are verified in their ERP and sent again where needed\n", w.gapless("replay", "--state", "parked"))
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	sent := w.calls.call(planned.Header["Idempotency-Key"])
	require.Equal(t, planned.Method+" "+planned.URL, sent.method+" "+sent.url)
	require.Equal(t, planned.Body, string(sent.body))
	for name, value := range planned.Header {
		require.Equal(t, value, sent.header.Get(name), name)
	}
}

func TestReplayOfADeliveredOrderOnlyVerifiesIt(t *testing.T) {
	w := newWorld(t, setup{})
	w.serve()
	w.eventually(w.subscribed)
	w.trade(5)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	w.eventually(w.atRest)
	writes := func() (n int) {
		for _, docs := range w.erp.All() {
			n += len(docs[0].Writes)
		}
		return n
	}
	before := writes()
	require.Contains(t, w.gapless("replay", "--order", "#1001", "--dry-run"), "nothing, the ERP holds")
	w.gapless("replay", "--state", "delivered")
	w.eventually(w.atRest)
	require.Contains(t, w.gapless("orders", "#1001"), "lookup to books")
	require.Equal(t, before, writes())
}

func TestPollFindsWhatNoWebhookTold(t *testing.T) {
	w := newWorld(t, setup{environ: []string{"GAPLESS_SHOPS__ACME__WEBHOOKS=off", "GAPLESS_SHOPS__ACME__POLL__ACTIVE=1h", "GAPLESS_SHOPS__ACME__POLL__IDLE=1h"}})
	w.serve()
	w.eventually(w.polledOnce)
	w.eventually(w.comparedOnce)
	w.trade(10)
	require.Regexp(t, `^acme: \d+ orders changed between \S+ and \S+; [1-9]\d* are fetched\n$`, w.gapless("poll", "--shop", "acme"))
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	require.Empty(t, w.shop.Subscriptions())
}

func TestAPollThatFailsKeepsNoOtherShopFromBeingPolled(t *testing.T) {
	w := newWorld(t, setup{})
	w.serve().stop()
	w.addShop("beta").Create()
	w.shop.Break(1000, shopifytest.Outage{Status: http.StatusForbidden})
	code, stdout, stderr := w.try("poll")
	require.Equal(t, exitFailed, code)
	require.Contains(t, oneSentence(t, stderr), "poll acme: ")
	require.Regexp(t, `^beta: 1 orders changed `, stdout)
}

// addShop puts another shop into the config, which is open until the test ends.
func (w *world) addShop(name string) *shopifytest.Shop {
	w.Helper()
	shop := shopifytest.New(shopifytest.Options{ID: 2, Domain: name + ".myshopify.com"})
	w.Cleanup(shop.Close)
	server := httptest.NewServer(shop)
	w.Cleanup(server.Close)
	text, err := os.ReadFile(w.config)
	require.NoError(w, err)
	text = fmt.Appendf(text, `
[[shops]]
name = %[1]q
domain = "%[1]s.myshopify.com"
access_token = "pretend-token"
webhook_secrets = ["pretend-secret"]
erp = "books"
api_url = %[2]q
`, name, server.URL)
	require.NoError(w, os.WriteFile(w.config, text, 0o600))
	return shop
}

// polledOnce says that the first poll, which the start makes, is not yet over.
func (w *world) polledOnce() error {
	var cursor int64
	query(w, &cursor, `SELECT coalesce(max(poll_cursor), 0) FROM shops`)
	if cursor == 0 {
		return os.ErrNotExist
	}
	return nil
}

func TestTokensOpenTheAPIUntilTheyAreRemoved(t *testing.T) {
	w := newWorld(t, setup{})
	w.serve()
	secret := strings.TrimSpace(w.gapless("token", "add", "dashboard"))
	require.Equal(t, 200, w.get("/api/v1/orders", secret, nil))
	listed := w.gapless("token", "list")
	require.Regexp(t, `dashboard +viewer`, listed)
	require.NotContains(t, listed, secret)
	w.gapless("token", "remove", "dashboard")
	require.Equal(t, 401, w.get("/api/v1/orders", secret, nil))
}

func TestABackupOfARunningStoreHoldsItsOrders(t *testing.T) {
	w := newWorld(t, setup{shop: shopifytest.Options{Seed: 5}})
	w.serve()
	w.eventually(w.subscribed)
	w.trade(60)
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	path := filepath.Join(w.dir, "copy.db")
	require.Contains(t, w.gapless("backup", path), "bytes, verified")

	saved, err := store.Open(t.Context(), store.Options{Path: path})
	require.NoError(t, err)
	defer func() { require.NoError(t, saved.Close()) }()
	orders, err := saved.Orders(t.Context(), store.OrderFilter{Limit: 500})
	require.NoError(t, err)
	var names, told []string
	for _, o := range orders {
		names = append(names, o.Name)
	}
	for _, o := range w.shop.Orders() {
		told = append(told, o.Name)
	}
	slices.Sort(names)
	slices.Sort(told)
	require.Equal(t, told, names)
}

func TestTheDemoLosesNothing(t *testing.T) {
	code, stdout, stderr := outside("demo", "--duration", "5s", "--rate", "15/s")
	require.Zero(t, code, stderr)
	require.Contains(t, stdout, "Nothing lost, nothing doubled.")
	require.Contains(t, stdout, " = ", "the balance")
	require.Contains(t, stdout, "never arrives", "no webhook was lost, so that nothing was shown")
}

func TestTheDemoPrintsTheAddressOfItsPages(t *testing.T) {
	for listen, warns := range map[string]bool{"127.0.0.1:0": false, "0.0.0.0:0": true} {
		t.Run(listen, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			out, ended := newJournal(), make(chan struct{})
			go func() {
				defer close(ended)
				(&Program{Args: []string{"demo", "--rate", "20/s", "--listen", listen}, Stdout: out, Stderr: out}).Run(ctx)
			}()
			defer func() { cancel(); <-ended }()
			require.True(t, out.says(t, "created as", ended), out)
			require.Equal(t, warns, strings.Contains(out.String(), "Warning: there is no log-in here. Whoever reaches port "), out)
			found := regexp.MustCompile(`Pages: (http://127\.0\.0\.1:\d+/)\n`).FindStringSubmatch(out.String())
			require.NotNil(t, found, out)
			defer http.DefaultClient.CloseIdleConnections()
			page := string(fetched(t, found[1]))
			require.Contains(t, page, "<h1", "a page, and no log-in")
			require.NotContains(t, page, "password")
			var stats struct {
				Heard struct{ Received int64 } `json:"events_last_hour"`
			}
			require.NoError(t, json.Unmarshal(fetched(t, found[1]+"api/v1/stats"), &stats))
			require.NotZero(t, stats.Heard.Received, "webhooks arrive")
		})
	}
}

// fetched is the answer to a GET, which must go well.
func fetched(t *testing.T, url string) []byte {
	t.Helper()
	answer, err := http.Get(url)
	require.NoError(t, err)
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, answer.StatusCode)
	return body
}

// The same seed plays the same orders and the same faults; only how far it gets
// is the clock's.
func TestTheDemoIsTheSameForTheSameSeed(t *testing.T) {
	play := func(dir string) []string {
		code, stdout, stderr := outside("demo", "--duration", "1s", "--rate", "20/s", "--seed", "7", "--dir", dir)
		require.Zero(t, code, stderr)
		var happened []string
		for line := range strings.Lines(stdout) {
			if _, what, found := strings.Cut(line, "  shop     "); found {
				happened = append(happened, what)
			}
		}
		return happened
	}
	one, other := play(t.TempDir()), play(t.TempDir())
	n := min(len(one), len(other))
	require.Greater(t, n, 10)
	require.Equal(t, one[:n], other[:n])
}

func TestAShopThatCannotBeAskedForItsDaysIsNotTheCallersMistake(t *testing.T) {
	w := newWorld(t, setup{})
	w.shop.Break(1000, shopifytest.Outage{Status: http.StatusForbidden})
	w.serve()
	for _, args := range [][]string{{"replay", "--state", "parked", "--from", "2026-11-22"}, {"backfill", "--from", "2026-11-22"}} {
		code, _, stderr := w.try(args...)
		require.Equal(t, 1, code, args)
		require.Contains(t, oneSentence(t, stderr), "ask acme for its time zone", args)
	}
}

// The name of a shop comes to stand for another one, whose orders must not be
// polled, compared or heard under it.
func TestNothingIsDoneUnderTheNameOfAnotherShop(t *testing.T) {
	w := newWorld(t, setup{})
	w.opened()
	other := shopifytest.New(shopifytest.Options{ID: 2, Domain: "beta.myshopify.com"})
	t.Cleanup(other.Close)
	server := httptest.NewServer(other)
	t.Cleanup(server.Close)
	text, err := os.ReadFile(w.config)
	require.NoError(t, err)
	changed := regexp.MustCompile(`(?m)^api_url = .*$`).ReplaceAllString(string(text), fmt.Sprintf("api_url = %q", server.URL))
	changed = regexp.MustCompile(`(?m)^domain = .*$`).ReplaceAllString(changed, `domain = "beta.myshopify.com"`)
	require.NoError(t, os.WriteFile(w.config, []byte(changed), 0o600))
	for _, args := range [][]string{{"poll"}, {"reconcile"}, {"replay", "--state", "parked"}} {
		code, _, stderr := w.try(args...)
		require.Equal(t, 1, code, args)
		require.Contains(t, oneSentence(t, stderr), "beta.myshopify.com is not the shop whose orders are stored under the name acme", args)
	}
}
