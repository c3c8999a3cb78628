package httperp_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
)

// Whatever mix of faults strikes writes and look-ups, an engine that follows
// the rule of recovery ends with one live document an order, at the newest
// version. Between two versions it waits until no request of the older one is
// under way: a late one would overwrite the newer, and no adapter could help it.
func TestConvergesUnderFaults(t *testing.T) {
	const orders = 30
	answered := []erptest.Fault{
		erptest.TooManyRequests, erptest.ServerError, erptest.Unavailable, erptest.HTML,
		erptest.CutBeforeEffect, erptest.CutAfterEffect, erptest.OKButNothing,
	}
	for _, c := range []struct {
		tier     erp.Tier
		settings httperp.Settings
		faults   []erptest.Fault
	}{
		{erp.TierA, httperp.Settings{Timeout: 100 * time.Millisecond}, erptest.Faults},
		// Outside tier A the engine waits after each silent fault, which the
		// suite plays.
		{erp.TierB, httperp.Settings{Method: "POST", CreatePath: "/orders"}, answered},
	} {
		t.Run(string(c.tier), func(t *testing.T) {
			ledger := faulty(t, erptest.Options{NoKey: c.tier == erp.TierB, Seed: 11}, c.faults)
			for _, version := range []string{"1", "2"} {
				server := httptest.NewServer(ledger)
				c.settings.URL, c.settings.Tier = server.URL, c.tier
				a := newAdapter(t, c.settings, time.Now)
				var deliveries sync.WaitGroup
				for i := range orders {
					s := erptest.Sample{Ref: fmt.Sprintf("acme-%d", i), Cancelled: version == "2" && i%5 == 0}
					deliveries.Go(func() { bring(t, a, s.Order(), version) })
				}
				deliveries.Wait()
				server.Close() // after the last request has landed
			}
			for i := range orders {
				docs := ledger.Documents(fmt.Sprintf("acme-%d", i))
				if len(docs) != 1 || docs[0].Version != "2" || docs[0].Cancelled != (i%5 == 0) {
					t.Errorf("order %d: %+v", i, docs)
				}
			}
		})
	}
}

// faulty is a pretend ERP that spoils half of its writes and some look-ups.
func faulty(t *testing.T, o erptest.Options, writes []erptest.Fault) *erptest.ERP {
	t.Helper()
	ledger, err := erptest.NewERP(o)
	if err != nil {
		t.Fatal(err)
	}
	mix := erptest.Mix{}
	for _, f := range writes {
		mix[f] = 0.5 / float64(len(writes))
	}
	ledger.SetFaults(mix)
	ledger.SetReadFaults(erptest.Mix{
		erptest.ServerError: 0.1, erptest.HTML: 0.1, erptest.CutBeforeEffect: 0.1, erptest.CutAfterEffect: 0.1,
	})
	return ledger
}

// bring plays the engine until the ERP has been seen to hold the order.
func bring(t *testing.T, a *httperp.Adapter, o erp.Order, version string) {
	body, err := a.Map(o)
	if err != nil {
		t.Error(err)
		return
	}
	doc := erp.Document{Ref: o.Ref, Version: version, Order: o, Body: body, Cancelled: o.CancelledAt != nil}
	for range 200 {
		switch out := a.Deliver(context.Background(), doc, nil); out.Result {
		case erp.Created, erp.Updated, erp.Unchanged:
			return
		case erp.Rejected:
			t.Errorf("%s rejected: %s", doc.Ref, out.Reason)
			return
		case erp.Unknown:
			found, err := a.Lookup(context.Background(), doc.Ref, nil)
			for err != nil {
				found, err = a.Lookup(context.Background(), doc.Ref, nil)
			}
			doc.Exists = len(found) > 0
		}
	}
	t.Errorf("%s did not arrive in 200 attempts", doc.Ref)
}

func BenchmarkDeliver(b *testing.B) {
	ledger, err := erptest.NewERP(erptest.Options{})
	if err != nil {
		b.Fatal(err)
	}
	server := newServer(b, ledger)
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	a, err := httperp.New(httperp.Settings{URL: server.URL, Secret: secret}, &http.Client{Transport: transport}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	o := erptest.Order("acme-1")
	body, err := a.Map(o)
	if err != nil {
		b.Fatal(err)
	}
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			doc := erp.Document{Ref: fmt.Sprintf("acme-%d", i%1000), Version: "1", Order: o, Body: body}
			if out := a.Deliver(b.Context(), doc, nil); out.Result != erp.Created && out.Result != erp.Updated {
				b.Error(out)
				return
			}
		}
	})
}
