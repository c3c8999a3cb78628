package main

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptrace"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/fsnotify/fsnotify"
	"github.com/stretchr/testify/require"
	"golang.org/x/time/rate"

	"gapless/erp/erptest"
	"gapless/shopify/shopifytest"
)

// Gapless is killed again and again while orders come in, change and go out,
// each time at another point of its work, and started again on the same store.
// In the end, by the private ledgers of both sides, every order is in the ERP
// exactly once and at its newest version.
func TestKilledAtAnyMomentNothingIsLostOrDoubled(t *testing.T) {
	kills := 280
	if testing.Short() {
		kills = 20
	}
	for name, s := range map[string]setup{
		"an ERP with unique references": {},
		"an ERP that would make doubles": {
			erp:     erptest.Options{NoKey: true},
			environ: []string{"GAPLESS_ERPS__BOOKS__TIER=B", "GAPLESS_ERPS__BOOKS__METHOD=POST", "GAPLESS_ERPS__BOOKS__UPDATE_METHOD=PUT"},
		},
	} {
		t.Run(name, func(t *testing.T) { killAgainAndAgain(t, s, kills/2) })
	}
}

// moments are where the blow falls. The last four are crossings: the killer
// waits for the next request that passes there.
var moments = []string{
	"starting", "serving", "stopping",
	"webhook arrives", "webhook is answered", "call arrives", "call is answered",
}

// lateEffect is how long a call may go on after its caller was killed. Together
// with the timeout of a call it stays below the longest request that the config
// admits to.
const lateEffect = 500 * time.Millisecond

func killAgainAndAgain(t *testing.T, s setup, kills int) {
	k := &killer{random: rand.New(rand.NewPCG(1, 2)), durable: map[string]bool{}, answered: make(chan struct{})}
	s.before, s.hook = k.standBeforeERP, k.standBeforeWebhooks
	s.environ = append(s.environ, "GAPLESS_ERPS__BOOKS__LONGEST_REQUEST=1500ms")
	s.erp.Latency = 5 * time.Millisecond
	s.shop = shopifytest.Options{Seed: 11, RetryScale: 0.0005, KeepLog: 1, Observer: k.hear, Faults: shopifytest.Faults{
		Drop: 0.05, Repeat: 0.05, Reorder: 0.05, Stale: 0.05, MaxDelay: time.Second,
	}}
	w := newWorld(t, s)
	w.erp.SetFaults(erptest.Mix{
		erptest.TimeoutBeforeEffect: 0.005, erptest.TimeoutAfterEffect: 0.005, erptest.TimeoutLateEffect: 0.01,
		erptest.ServerError: 0.02, erptest.HTML: 0.01, erptest.CutBeforeEffect: 0.02, erptest.CutAfterEffect: 0.02, erptest.OKButNothing: 0.02,
	})
	_, err := binary() // built before the first order is placed
	require.NoError(t, err)
	closeShop := w.openForTrade()
	for i := range kills {
		k.strike(w.start(), moments[i%len(moments)])
	}
	closeShop()
	w.erp.SetFaults(nil)

	last := w.start().ready()
	require.NoError(t, w.shop.Flush(t.Context()))
	want := w.expected()
	w.eventually(func() error { return w.compare(want) })
	w.eventually(w.atRest)
	require.NoError(t, w.compare(want))
	last.stop()
	k.account(w, kills)
}

// openForTrade lets orders be placed and changed, and webhooks be sent, until
// the shop is closed.
func (w *world) openForTrade() (closeShop func()) {
	ctx, stop := context.WithCancel(w.Context())
	var busy sync.WaitGroup
	busy.Go(func() { w.shop.Run(ctx) })
	busy.Go(func() {
		for pace := rate.NewLimiter(40, 5); pace.Wait(ctx) == nil; {
			w.shop.Act()
		}
	})
	return func() { stop(); busy.Wait() }
}

// atRest says what still waits in the store, beside the running Gapless.
func (w *world) atRest() error {
	var moving int
	query(w, &moving, `SELECT (SELECT count(*) FROM deliveries WHERE state IN ('due', 'sending', 'unknown')) + (SELECT count(*) FROM refetches)
		+ (SELECT count(*) FROM events WHERE id > (SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'intake'))`)
	if moving > 0 {
		return fmt.Errorf("%d things to do", moving)
	}
	return nil
}

// query reads one value from the store's file.
func query(w *world, into any, text string) {
	w.Helper()
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "gapless.db")+"?mode=ro&_pragma=busy_timeout(10000)")
	require.NoError(w, err)
	defer db.Close()
	require.NoError(w, db.QueryRow(text).Scan(into))
}

// killer strikes at the moments it is told to, and remembers what the shop and
// the ERP saw.
type killer struct {
	mu       sync.Mutex
	random   *rand.Rand
	moment   string          // the crossing it lies in wait at
	reached  chan struct{}   // closed by the first who comes there
	struck   chan struct{}   // closed when the blow has fallen
	durable  map[string]bool // webhooks that were answered with 200
	arrived  int             // writing calls that reached the ERP
	answered chan struct{}   // closed, and made anew, when the ERP has answered a request
	missed   int             // crossings that nobody came by
}

// some is a number below most.
func (k *killer) some(most int) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.random.IntN(most)
}

// strike kills r at the moment.
func (k *killer) strike(r *run, moment string) {
	switch moment {
	case "starting":
		r.writes(k.some(40))
	case "serving":
		r.ready().writes(k.some(350))
	case "stopping":
		r.ready().writes(k.some(240))
		r.term()
		r.writes(k.some(60))
	default:
		r.ready().writes(k.some(120))
		defer k.lieInWait(moment)()
		if moment == "webhook arrives" { // it is read, checked, queued, committed
			r.writes(k.some(20))
		}
	}
	r.kill()
}

// writes returns when the run has written so many times to the files of its store,
// or has ended. A start, a commit and a stop are some dozens of writes each, so that a
// blow falls in the middle of them.
func (r *run) writes(n int) {
	w := r.world
	w.Helper()
	watcher, err := fsnotify.NewWatcher()
	require.NoError(w, err)
	defer watcher.Close()
	require.NoError(w, watcher.Add(w.dir))
	giveUp := time.NewTimer(patience)
	defer giveUp.Stop()
	for n > 0 {
		select {
		case e := <-watcher.Events:
			if e.Has(fsnotify.Write) {
				n--
			}
		case <-r.ended:
			return
		case err := <-watcher.Errors:
			require.NoError(w, err)
		case <-giveUp.C:
			w.Fatalf("%d more writes never came:\n%s", n, r.log)
		}
	}
}

// lieInWait returns when somebody passes the crossing, and holds him there until
// the function it returns is called.
func (k *killer) lieInWait(moment string) (release func()) {
	k.mu.Lock()
	k.moment, k.reached, k.struck = moment, make(chan struct{}), make(chan struct{})
	reached, struck := k.reached, k.struck
	k.mu.Unlock()
	select {
	case <-reached:
	case <-time.After(2 * time.Second):
		k.mu.Lock()
		k.moment, k.missed = "", k.missed+1
		k.mu.Unlock()
	}
	return func() { close(struck) }
}

// pass is called by whoever passes a crossing, and says whether the killer lay
// in wait there and has struck.
func (k *killer) pass(moment string) (struck bool) {
	k.mu.Lock()
	if k.moment != moment {
		k.mu.Unlock()
		return false
	}
	k.moment = ""
	close(k.reached)
	blow := k.struck
	k.mu.Unlock()
	<-blow
	return true
}

func (k *killer) standBeforeERP(erp http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer k.answers() // also where it breaks off
		if r.Method == http.MethodGet {
			erp.ServeHTTP(w, r)
			return
		}
		k.mu.Lock()
		k.arrived++
		k.mu.Unlock()
		if k.pass("call arrives") { // its caller is dead, and it goes on for a while all the same
			k.outlast(k.some(40))
		}
		erp.ServeHTTP(&answering{w, k}, r)
	})
}

// outlast returns when the ERP has answered so many further requests, those of the
// next start, or when no call goes on any more.
func (k *killer) outlast(requests int) {
	giveUp := time.NewTimer(lateEffect)
	defer giveUp.Stop()
	for range requests {
		k.mu.Lock()
		next := k.answered
		k.mu.Unlock()
		select {
		case <-next:
		case <-giveUp.C:
			return
		}
	}
}

// answers tells those who wait that the ERP has answered a request.
func (k *killer) answers() {
	k.mu.Lock()
	defer k.mu.Unlock()
	close(k.answered)
	k.answered = make(chan struct{})
}

// answering passes a crossing between what a call did and its answer.
type answering struct {
	http.ResponseWriter
	killer *killer
}

func (a *answering) WriteHeader(status int) {
	a.killer.pass("call is answered")
	a.ResponseWriter.WriteHeader(status)
}

func (a *answering) Unwrap() http.ResponseWriter { return a.ResponseWriter }

func (k *killer) standBeforeWebhooks(next http.RoundTripper) http.RoundTripper {
	return roundTrip(func(r *http.Request) (*http.Response, error) {
		ctx := httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			WroteRequest: func(httptrace.WroteRequestInfo) { k.pass("webhook arrives") },
		})
		return next.RoundTrip(r.WithContext(ctx))
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func (k *killer) hear(e shopifytest.Event) {
	if e.Kind != shopifytest.Sent {
		return
	}
	k.mu.Lock()
	k.durable[e.WebhookID] = true
	k.mu.Unlock()
	k.pass("webhook is answered")
}

// account checks the store that all those deaths left behind.
func (k *killer) account(w *world, kills int) {
	w.Helper()
	var whole string
	query(w, &whole, `PRAGMA integrity_check`)
	require.Equal(w, "ok", whole)
	require.Empty(w, k.forgotten(w), "webhooks that were answered with 200")

	var cut, calls, recovered int
	query(w, &cut, `SELECT count(*) FROM attempts a LEFT JOIN outcomes o ON o.attempt_id = a.id WHERE o.attempt_id IS NULL AND a.action = 'deliver'`)
	query(w, &calls, `SELECT count(*) FROM attempts WHERE action = 'deliver'`)
	query(w, &recovered, `SELECT count(*) FROM outcomes WHERE result IN ('found', 'absent')`)
	require.Greater(w, cut, kills/len(moments), "calls that a kill interrupted")
	w.Logf("%d kills, %d orders, %d webhooks kept, %d calls of which %d were cut off (%d of them never reached the ERP), %d look-ups; %d crossings were empty",
		kills, len(w.shop.Orders()), len(k.durable), calls, cut, calls-k.arrived, recovered, k.missed)
}

// forgotten are the webhooks that were acknowledged and are not in the store.
func (k *killer) forgotten(w *world) (lost []string) {
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "gapless.db")+"?mode=ro")
	require.NoError(w, err)
	defer db.Close()
	rows, err := db.Query(`SELECT webhook_id FROM events WHERE source = 'webhook'`)
	require.NoError(w, err)
	defer rows.Close()
	kept := map[string]bool{}
	for rows.Next() {
		var id string
		require.NoError(w, rows.Scan(&id))
		kept[id] = true
	}
	require.NoError(w, rows.Err())
	for id := range k.durable {
		if !kept[id] {
			lost = append(lost, id)
		}
	}
	return lost
}
