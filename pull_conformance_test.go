package main

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/erp/pull"
	"gapless/store"
	"gapless/ui"
)

// The adapter over the real store, its feed over real HTTP, a puller, and a
// pretend ERP that the puller writes into.
func TestPullConformance(t *testing.T) {
	const calls = "it is the ERP that calls, and Gapless that answers"
	erptest.Run(t, func(t *testing.T) erptest.Harness {
		d := openDepot(t)
		return erptest.Harness{
			Adapter: d,
			Fault:   d.plan,
			Ledger: func(_ testing.TB, ref string) (found []erp.Found) {
				for _, doc := range d.ledger.Documents(ref) {
					found = append(found, doc.Found)
				}
				return found
			},
			Refused: func(o *erp.Order) { o.Lines[1].SKU = "NO-SUCH-ARTICLE" },
			Settle:  d.settle,
			Secrets: []string{d.puller.token},
			Skip: map[erptest.Fault]string{
				erptest.TooManyRequests: calls, erptest.ServerError: calls, erptest.Unavailable: calls, erptest.HTML: calls, erptest.OKButNothing: calls,
			},
		}
	})
}

// depot is an ERP that pulls, with an adapter that waits for its answers as the
// engine does.
type depot struct {
	*pull.Adapter
	store  *store.Store
	ledger *erptest.ERP
	puller *puller

	mu      sync.Mutex
	planned []fault
}

// fault befalls the puller with the next order that it deals with.
type fault struct {
	kind erptest.Fault
	met  chan struct{}
}

const depotName = "depot"

func openDepot(t *testing.T) *depot {
	t.Helper()
	d := new(depot)
	var err error
	d.store, err = store.Open(t.Context(), store.Options{Path: filepath.Join(t.TempDir(), "gapless.db")})
	require.NoError(t, err)
	d.Adapter, err = pull.New(pull.Settings{Body: `. + {text: "shaped by jq"}`}, feed{&Appliance{Store: d.store}, depotName}, time.Now)
	require.NoError(t, err)
	d.ledger, err = erptest.NewERP(erptest.Options{SKUs: erptest.DefaultSKUs})
	require.NoError(t, err)
	books := httptest.NewServer(d.ledger)
	server := ui.New(ui.Options{Store: d.store, Webhook: http.NotFoundHandler(), Feeds: []string{depotName}, Log: slog.New(slog.DiscardHandler)})
	gate := httptest.NewServer(server)
	token, err := d.store.AddToken(t.Context(), "puller", "feed", "the test")
	require.NoError(t, err)
	d.puller = &puller{feed: gate.URL + "/feed/" + depotName, token: token, books: books.URL, desk: &desk{seqs: map[string]int64{}}}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { d.run(ctx); close(ended) }()
	t.Cleanup(func() {
		stop()
		<-ended
		server.EndStreams()
		gate.Close()
		d.ledger.Close()
		books.Close()
		require.NoError(t, d.store.Close())
	})
	return d
}

func (d *depot) plan(kind erptest.Fault) <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := fault{kind, make(chan struct{})}
	d.planned = append(d.planned, f)
	return f.met
}

// next is the fault that the next order meets.
func (d *depot) next() fault {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.planned) == 0 {
		return fault{erptest.None, make(chan struct{})}
	}
	f := d.planned[0]
	d.planned = d.planned[1:]
	return f
}

// run is the puller, with what is planned for it. After each fault it begins anew.
func (d *depot) run(ctx context.Context) {
	for ctx.Err() == nil {
		var told ui.Offers
		if err := d.puller.ask(ctx, http.MethodGet, d.puller.feed+"/orders?wait=60&limit=1", nil, &told); err != nil {
			continue
		}
		for _, o := range told.Orders {
			d.meet(ctx, o, d.next())
		}
	}
}

// meet deals with one order as far as the fault lets it.
func (d *depot) meet(ctx context.Context, o ui.Offer, f fault) {
	switch f.kind {
	case erptest.TimeoutBeforeEffect, erptest.CutBeforeEffect: // it died after fetching
		close(f.met)
		return
	case erptest.TimeoutLateEffect: // it was slow
		close(f.met)
	}
	ack, err := d.puller.write(ctx, o)
	switch f.kind {
	case erptest.TimeoutAfterEffect, erptest.CutAfterEffect: // it died before it acknowledged
		close(f.met)
		return
	case erptest.None:
		close(f.met)
	}
	if err == nil {
		d.puller.ack(ctx, ack) // where it is lost, the order is there again
	}
}

// Deliver is the adapter's, and where its outcome is open what it comes to once
// the ERP has answered. A fault that befalls the puller leaves it open.
func (d *depot) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	before, err := d.Lookup(ctx, doc.Ref, nil)
	if err != nil {
		return d.Adapter.Deliver(ctx, doc, t)
	}
	befalls := d.befalls()
	out := d.Adapter.Deliver(ctx, doc, t)
	if out.Result == erp.Unknown && d.waits(ctx, doc.Ref, befalls) {
		out = d.Adapter.Deliver(ctx, doc, t)
	}
	if out.Result == erp.Updated && len(before) == 0 {
		out.Result = erp.Created
	}
	return out
}

// befalls is closed when the fault that is planned is met; nil: there is none.
func (d *depot) befalls() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.planned) == 0 || d.planned[0].kind == erptest.None {
		return nil
	}
	return d.planned[0].met
}

// waits waits until the ERP has answered, and says whether it did before
// anything befell it.
func (d *depot) waits(ctx context.Context, ref string, befalls <-chan struct{}) bool {
	changes, cancel := d.store.Watch(store.Deliveries)
	defer cancel()
	for {
		o, err := d.store.NewestOffer(ctx, depotName, ref)
		if befalls == nil && (err != nil || o.State != store.OfferOpen) {
			return err == nil
		}
		select {
		case <-changes:
		case <-befalls:
			return false
		case <-ctx.Done():
			return false
		}
	}
}

// settle waits until the ERP has dealt with all that is on offer.
func (d *depot) settle() {
	changes, cancel := d.store.Watch(store.Deliveries)
	defer cancel()
	for {
		offers, err := d.store.Offers(context.Background(), depotName, 0, 1)
		if err == nil && len(offers) == 0 {
			return
		}
		<-changes
	}
}
