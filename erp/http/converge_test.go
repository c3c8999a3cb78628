package httperp_test

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
)

// Whatever mix of faults strikes writes and look-ups, an engine that follows
// the rule of recovery ends with one live document an order, at the newest
// version.
func TestConvergesUnderFaults(t *testing.T) {
	cut := []erptest.Fault{
		erptest.TooManyRequests, erptest.ServerError, erptest.Unavailable, erptest.HTML,
		erptest.CutBeforeEffect, erptest.CutAfterEffect, erptest.OKButNothing,
	}
	for _, c := range []struct {
		tier     erp.Tier
		settings httperp.Settings
		faults   []erptest.Fault
	}{
		{erp.TierA, httperp.Settings{Timeout: 100 * time.Millisecond}, erptest.Faults},
		// A silent fault may take effect late; outside tier A the engine then
		// waits, which the suite plays.
		{erp.TierB, httperp.Settings{Method: "POST", CreatePath: "/orders"}, cut},
	} {
		t.Run(string(c.tier), func(t *testing.T) {
			ledger, server := startERP(t, erptest.Options{NoKey: c.tier == erp.TierB, Seed: 11})
			c.settings.URL, c.settings.Tier = server.URL, c.tier
			a := newAdapter(t, c.settings, time.Now)
			mix := erptest.Mix{}
			for _, f := range c.faults {
				mix[f] = 0.5 / float64(len(c.faults))
			}
			ledger.SetFaults(mix)
			ledger.SetReadFaults(erptest.Mix{erptest.ServerError: 0.1, erptest.HTML: 0.1, erptest.CutBeforeEffect: 0.1, erptest.CutAfterEffect: 0.1})
			var orders sync.WaitGroup
			for i := range 30 {
				orders.Go(func() {
					s := erptest.Sample{Ref: fmt.Sprintf("acme-%d", i), Cancelled: i%5 == 0}
					bring(t, a, erptest.Order(s.Ref), "1")
					bring(t, a, s.Order(), "2")
				})
			}
			orders.Wait()
			for i := range 30 {
				docs := ledger.Documents(fmt.Sprintf("acme-%d", i))
				if len(docs) != 1 || docs[0].Version != "2" || docs[0].Cancelled != (i%5 == 0) {
					t.Errorf("order %d: %+v", i, docs)
				}
			}
		})
	}
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
