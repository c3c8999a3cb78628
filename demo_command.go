package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"gapless/erp/sandbox"
	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
	ordersync "gapless/sync"
	"gapless/sync/report"
)

type demoCommand struct {
	Listen   string        `help:"Address to serve on; 0.0.0.0:8080 lets other machines see the demo, too." default:"127.0.0.1:0"`
	Rate     Rate          `help:"How much happens in the shop." default:"2/s"`
	Seed     uint64        `help:"Replays the same orders and the same faults." default:"1"`
	Duration time.Duration `help:"Stop by itself after this long; 0: on Ctrl-C." placeholder:"60s"`
	Dir      string        `help:"Folder to keep the demo's files in; default: a temporary one." placeholder:"DIR"`
}

// demoFaults is what the demo does to its webhooks, and demoERPFaults to its ERP.
var (
	demoFaults = shopifytest.Faults{
		Drop: 0.08, Repeat: 0.06, Delay: 0.08, Reorder: 0.10, Corrupt: 0.05, CorruptLost: 0.5, Stale: 0.05, MaxDelay: 10 * time.Second,
	}
	demoERPFaults = sandbox.Faults{sandbox.Down: 0.04, sandbox.CutBefore: 0.03, sandbox.CutAfter: 0.04, sandbox.Ignored: 0.02}
)

// Run plays a shop and an ERP around a real appliance, tells what happens, and
// in the end compares the two ends. It fails if anything is missing.
func (cmd demoCommand) Run(ctx context.Context, p *Program) error {
	dir, remove, err := cmd.folder()
	if err != nil {
		return err
	}
	defer remove()
	d := &demo{out: p.Stdout, cmd: cmd, started: time.Now(), gaps: map[int64]string{}}
	if err := d.open(ctx, dir); err != nil {
		return err
	}
	defer d.close()
	return d.play(ctx)
}

func (cmd demoCommand) folder() (dir string, remove func(), err error) {
	if cmd.Dir != "" {
		return cmd.Dir, func() {}, os.MkdirAll(cmd.Dir, 0o700)
	}
	dir, err = os.MkdirTemp("", "gapless-demo-")
	return dir, func() { os.RemoveAll(dir) }, err
}

// demo is a pretend shop, a real appliance and a pretend ERP in one process.
type demo struct {
	out     io.Writer
	cmd     demoCommand
	started time.Time

	shop       *shopifytest.Shop
	shopServer *http.Server
	hooks      *http.Transport // of its webhooks
	books      *sandbox.ERP
	appliance  *Appliance
	listener   net.Listener
	lastTry    int64
	gaps       map[int64]string // told of, with the state that was told
	healed     int
	silent     bool           // no webhook arrives just now
	balance    report.Balance // of the last comparison

	mu   sync.Mutex // of out, and of what the shop's own goroutines tell
	lost int
}

// demoConfig is the config of the demo; it is written to the demo's folder, so
// that other commands can look at the demo while it runs.
const demoConfig = `# The config of gapless demo. Look around while it runs: gapless --config %[1]s/config.toml orders
[server]
listen = "%[2]s"
public_url = "http://127.0.0.1:%[4]d"
log_level = "error"

[store]
url = "sqlite:%[1]s/gapless.db"

[[shops]]
name = "demo"
domain = "demo.myshopify.com"
access_token = "demo-token"
webhook_secrets = ["demo-secret"]
erp = "books"
api_url = "http://%[3]s"
poll = { active = "2s", idle = "5s", overlap = "1m", grace = "3s" }
reconcile = { every = "20s", window = "24h", settle = "5s", stuck = "10s" }

[[erps]]
name = "books"
kind = "sandbox"
path = "%[1]s/erp.jsonl"
latency = "40ms"
longest_request = "1s"
retry = { first = "500ms", max = "5s" }

[[rules]]
name = "test orders"
when = ".test"
then = "exclude"
`

func (d *demo) open(ctx context.Context, dir string) (err error) {
	dir, err = filepath.Abs(dir)
	if err != nil {
		return err
	}
	if d.listener, err = net.Listen("tcp", d.cmd.Listen); err != nil {
		return fmt.Errorf("listen on %s: %w; choose another with --listen", d.cmd.Listen, err)
	}
	api, err := d.openShop()
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "config.toml")
	text := fmt.Sprintf(demoConfig, filepath.ToSlash(dir), d.listener.Addr(), api, d.port())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		return fmt.Errorf("write the demo's config: %w", err)
	}
	config, err := (&Program{}).config(path)
	if err != nil {
		return err
	}
	if d.appliance, err = openAppliance(ctx, config, false, slog.New(slog.DiscardHandler)); err != nil {
		return err
	}
	d.appliance.Server.Open = true // there is nothing here but invented data
	d.books = d.appliance.ERPs["books"].(*sandbox.ERP)
	d.books.SetFaults(demoERPFaults)
	d.greet(dir)
	return nil
}

// openShop opens the pretend shop, and says where its API is. Its webhooks go to
// where the demo listens, whatever address that is.
func (d *demo) openShop() (api net.Addr, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("open the pretend shop: %w", err)
	}
	d.hooks = &http.Transport{DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, d.listener.Addr().String())
	}}
	d.shop = shopifytest.New(shopifytest.Options{
		Seed: d.cmd.Seed, BucketSize: 20_000, RestoreRate: 5_000, Domain: "demo.myshopify.com", AccessToken: "demo-token", WebhookSecret: "demo-secret",
		Faults: demoFaults, RetryScale: 0.0005, Observer: d.hear, Client: &http.Client{Transport: d.hooks},
	})
	d.shopServer = &http.Server{Handler: d.shop, ReadHeaderTimeout: 5 * time.Second}
	go d.shopServer.Serve(listener) //nolint:errcheck // it ends with Close
	return listener.Addr(), nil
}

func (d *demo) port() int { return d.listener.Addr().(*net.TCPAddr).Port }

// greet says what there is to see and where, and who else may see it.
func (d *demo) greet(dir string) {
	ip, address := d.listener.Addr().(*net.TCPAddr).IP, d.listener.Addr().String()
	if ip.IsUnspecified() {
		address = fmt.Sprintf("127.0.0.1:%d", d.port())
	}
	fmt.Fprintf(d.out, "A pretend shop sends its orders to Gapless, which carries them into a pretend ERP.\n"+
		"Webhooks get lost, doubled, late and forged on the way, and the ERP fails now and then.\n"+
		"Pages: http://%[1]s/\nAPI: http://%[1]s/api/v1/stats    files: %[2]s    stop: Ctrl-C\n", address, dir)
	if !ip.IsLoopback() {
		fmt.Fprintf(d.out, "Warning: there is no log-in here. Whoever reaches port %d of this machine sees the demo and may act in it.\n", d.port())
	}
	fmt.Fprintln(d.out)
}

func (d *demo) close() {
	if d.appliance != nil {
		d.appliance.Close()
	}
	d.shop.Close()
	d.hooks.CloseIdleConnections()
	d.shopServer.Close()
}

// play lets things happen until ctx ends, then stops the faults, lets
// everything come to rest and judges.
func (d *demo) play(ctx context.Context) error {
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	done := make(chan error, 1)
	go func() { done <- d.appliance.Run(running, d.listener) }()
	if err := d.subscribed(running); err != nil {
		return err
	}
	var sending sync.WaitGroup
	sender, hush := context.WithCancel(running)
	sending.Go(func() { d.shop.Run(sender) })
	if d.cmd.Duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, d.cmd.Duration)
		defer cancel()
	}
	d.trade(ctx)

	d.line("", "The shop closes. Faults end; everything under way is finished.")
	d.books.SetFaults(nil)
	hush()
	sending.Wait()
	if err := d.settle(running); err != nil {
		return err
	}
	verdict := d.judge(running)
	stop()
	return errors.Join(verdict, <-done)
}

// subscribed waits until the appliance has made its webhook subscriptions.
func (d *demo) subscribed(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		shop, err := d.appliance.Store.Shop(ctx, "demo")
		if err != nil {
			return err
		}
		if !shop.SubscribedAt.IsZero() {
			d.line("gapless", "subscribed to the shop's webhooks")
			return nil
		}
		if err := waitFor(ctx, 20*time.Millisecond); err != nil {
			return errors.New("the webhook subscriptions were not made in 30 s")
		}
	}
}

// trade lets orders be placed and changed at the demo's rate, and tells what
// reaches the ERP.
func (d *demo) trade(ctx context.Context) {
	limiter := rate.NewLimiter(rate.Limit(d.cmd.Rate.PerSecond()), 1)
	for limiter.Wait(ctx) == nil {
		d.weather()
		d.shop.Act()
		d.tellDeliveries(ctx)
		d.tellGaps(ctx)
	}
}

// weather takes Shopify's webhooks away for some seconds now and then, as it
// happens: nothing arrives, and nobody says so.
func (d *demo) weather() {
	const cycle, quiet = 25 * time.Second, 5 * time.Second
	silent := time.Since(d.started)%cycle > cycle-quiet
	if silent == d.silent {
		return
	}
	d.silent = silent
	if !silent {
		d.shop.SetFaults(demoFaults)
		d.line("shopify", "webhooks arrive again")
		return
	}
	d.shop.SetFaults(shopifytest.Faults{Drop: 1})
	d.line("shopify", "no webhook arrives any more, for some seconds")
}

// settle waits until nothing is under way. The last poll looks behind the last
// change; what it finds is delivered like everything else.
func (d *demo) settle(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	if err := d.shop.Flush(ctx); err != nil {
		return fmt.Errorf("send the last webhooks: %w", err)
	}
	if err := waitFor(ctx, d.appliance.Config.Shops[0].Reconcile.Settle); err != nil { // younger changes are not judged
		return err
	}
	if _, err := d.appliance.Engine.Poll(ctx, "demo"); err != nil {
		return err
	}
	if err := d.rest(ctx); err != nil {
		return err
	}
	r, err := d.compare(ctx)
	if err != nil || r.Balanced() {
		return err
	}
	d.line("gapless", "the comparison found something; it is mended")
	if err := d.rest(ctx); err != nil {
		return err
	}
	_, err = d.compare(ctx)
	return err
}

// rest waits until nothing is under way and no gap waits to be verified.
func (d *demo) rest(ctx context.Context) error {
	for {
		d.tellDeliveries(ctx)
		d.tellGaps(ctx)
		st, err := d.appliance.Store.Stats(ctx, d.started)
		if err != nil {
			return err
		}
		moving := st.PendingEvents + st.Refetching + st.States[store.StateDue] + st.States[store.StateSending] + st.States[store.StateUnknown]
		for _, n := range st.Gaps {
			moving += n
		}
		if moving == 0 {
			return nil
		}
		if err := waitFor(ctx, 100*time.Millisecond); err != nil {
			return fmt.Errorf("not everything came to rest within a minute: deliveries %v, %d orders still to be fetched, gaps %v", st.States, st.Refetching, st.Gaps)
		}
	}
}

// compare lets Gapless compare Shopify, its own store and the ERP.
func (d *demo) compare(ctx context.Context) (ordersync.Reconciliation, error) {
	r, err := d.appliance.Engine.Reconcile(ctx, "demo", ordersync.Pass{
		Kind: store.RunReconcile, From: d.started.Add(-time.Hour), To: time.Now(), Heal: true, By: "the demo",
	})
	d.balance = r.Balance
	return r, err
}

// hear tells what happens in the shop and to its webhooks.
func (d *demo) hear(e shopifytest.Event) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch e.Kind {
	case shopifytest.Changed:
		d.print("shop", fmt.Sprintf("order %s: %s", e.Order, e.Action))
	case shopifytest.Dropped, shopifytest.Lost:
		d.lost++
		d.print("lost", fmt.Sprintf("the webhook %s of %s never arrives", e.Topic, e.Order))
	case shopifytest.Corrupted:
		d.print("forged", fmt.Sprintf("the webhook %s of %s comes with a wrong signature", e.Topic, e.Order))
	case shopifytest.Delayed, shopifytest.Stale:
		d.print("late", fmt.Sprintf("the webhook %s of %s comes %s late", e.Topic, e.Order, e.Wait.Round(100*time.Millisecond)))
	}
}

// tellDeliveries tells the calls to the ERP that ended since it last did.
func (d *demo) tellDeliveries(ctx context.Context) {
	tries, err := d.appliance.Store.Tries(ctx, store.TryFilter{Limit: 100})
	if err != nil {
		return
	}
	for i := len(tries) - 1; i >= 0; i-- {
		t := tries[i]
		if t.ID <= d.lastTry || t.Outcome == nil || t.Action != store.ActionDeliver {
			continue
		}
		d.lastTry = t.ID
		what := t.Outcome.Result
		if t.Outcome.ERPRef != "" {
			what += " as " + t.Outcome.ERPRef
		}
		if t.Outcome.Reason != "" {
			what += ": " + t.Outcome.Reason
		}
		d.line("erp", fmt.Sprintf("order %s %s", d.name(ctx, t.OrderKey), what))
	}
}

// tellGaps tells of the gaps that opened or closed since it last did.
func (d *demo) tellGaps(ctx context.Context) {
	gaps, err := d.appliance.Store.Gaps(ctx, store.GapFilter{Limit: 200})
	if err != nil {
		return
	}
	for _, g := range slices.Backward(gaps) {
		told := d.gaps[g.ID]
		d.gaps[g.ID] = g.State
		switch {
		case told == g.State:
		case told == "":
			d.line("gap", fmt.Sprintf("%s: %s", g.Kind, g.Detail))
			if g.State == store.GapClosed {
				d.lineHealed(g)
			}
		case g.State == store.GapClosed:
			d.lineHealed(g)
		}
	}
}

func (d *demo) lineHealed(g store.Gap) {
	d.healed++
	about := g.OrderName
	if about == "" {
		about = "the shop"
	}
	d.line("healed", fmt.Sprintf("%s is in order: seen in the ERP %s after the gap was found", about, g.ClosedAt.Sub(g.FirstSeen).Round(100*time.Millisecond)))
}

func (d *demo) name(ctx context.Context, k store.OrderKey) string {
	o, err := d.appliance.Store.Order(ctx, k)
	if err != nil {
		return fmt.Sprint(k.ID)
	}
	return o.Name
}

func (d *demo) line(who, what string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.print(who, what)
}

func (d *demo) print(who, what string) {
	fmt.Fprintf(d.out, "%6.1fs  %-8s %s\n", time.Since(d.started).Seconds(), who, what)
}

// judge compares what the shop has with what the ERP has, by their own books.
func (d *demo) judge(ctx context.Context) error {
	documents := map[string]sandbox.Document{}
	for _, doc := range d.books.Documents() {
		documents[doc.Ref] = doc
	}
	orders := d.shop.Orders()
	found := map[string]int{}
	for _, o := range orders {
		ref := fmt.Sprintf("demo-%d", o.ID)
		doc, there := documents[ref]
		delete(documents, ref)
		verdict, err := d.verdict(ctx, o, doc, there && doc.Live())
		if err != nil {
			return err
		}
		found[verdict]++
	}
	found[unasked] = len(documents)
	st, err := d.appliance.Store.Stats(ctx, d.started.Truncate(time.Minute))
	if err != nil {
		return err
	}
	fmt.Fprintf(d.out, "\n%d orders in the shop = %d in the ERP + %d excluded by the rule \"test orders\" + %d cancelled + %d wrong + %d missing\n",
		len(orders), found[inERP], found[excluded], found[cancelled], found[wrong], found[missing])
	fmt.Fprintf(d.out, "webhooks: %d stored, %d repeats known as such, %d refused, %d lost on the way\n",
		st.Received, st.Duplicates, st.Refused, d.lost)
	fmt.Fprintf(d.out, "gaps: %d opened, %d closed once the ERP itself showed the order\n", len(d.gaps), d.healed)
	fmt.Fprintf(d.out, "calls to the ERP: %d brought it up to date, %d failed and were made good\n", st.Sent, st.Failed)
	b := d.balance
	fmt.Fprintf(d.out, "Gapless's own balance: %d in Shopify = %d in the ERP + %d cancelled + %d excluded + %d pending + %d parked + %d missing\n",
		b.Shopify.Orders, b.ERP.Orders, b.Cancelled.Orders, b.Excluded.Orders, b.Pending.Orders, b.Parked.Orders, b.Missing.Orders)
	if b.Overdue > 0 {
		fmt.Fprintf(d.out, "of those pending, %d are on the way for too long\n", b.Overdue)
	}
	if !b.Balanced() || b.Shopify.Orders != int64(len(orders)) {
		return fmt.Errorf("Gapless's own balance is not what the two ledgers say: %d orders in the shop", len(orders))
	}
	if found[missing]+found[wrong]+found[unasked] > 0 {
		return fmt.Errorf("%d orders missing, %d wrong or old, %d documents nobody asked for", found[missing], found[wrong], found[unasked])
	}
	fmt.Fprintln(d.out, "Nothing lost, nothing doubled.")
	return nil
}

// Verdicts on one order.
const (
	inERP     = "in the ERP"
	excluded  = "excluded"
	cancelled = "cancelled"
	wrong     = "wrong"
	missing   = "missing"
	unasked   = "unasked"
)

// verdict judges one order by its newest version in the shop.
func (d *demo) verdict(ctx context.Context, o shopifytest.Snapshot, doc sandbox.Document, live bool) (string, error) {
	switch {
	case (o.Test || o.Cancelled) && live:
		return wrong, nil
	case o.Test:
		return excluded, nil
	case o.Cancelled:
		return cancelled, nil
	case !live:
		return missing, nil
	}
	body, err := d.appliance.Clients["demo"].Order(ctx, o.ID, shopify.Reconcile)
	if err != nil {
		return "", err
	}
	newest, err := shopify.DecodeGraphQLOrder(body)
	if err != nil {
		return "", err
	}
	if doc.Version != newest.Content().Version || doc.Total.String() != o.Total {
		return wrong, nil
	}
	return inERP, nil
}
