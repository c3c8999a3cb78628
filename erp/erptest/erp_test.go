package erptest_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
	"gapless/erp/erptest"
)

func start(t testing.TB, o erptest.Options) (*erptest.ERP, *httptest.Server) {
	t.Helper()
	ledger, err := erptest.NewERP(o)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(ledger)
	t.Cleanup(func() {
		ledger.Close()
		server.Close()
	})
	return ledger, server
}

// send makes one request and gives its status; 0 where no whole answer came.
func send(t testing.TB, method, url, body string) int {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Close = true
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	if _, err := io.ReadAll(answer.Body); err != nil {
		return 0
	}
	return answer.StatusCode
}

func TestSamplesAddUp(t *testing.T) {
	for _, included := range []bool{false, true} {
		for _, plain := range []bool{false, true} {
			for _, quantities := range [][]int64{nil, {1, 0, 7}, {0, 0, 0}} {
				s := erptest.Sample{
					Ref: "acme-1", TaxesIncluded: included, NoDiscount: plain, NoShipping: plain, Quantities: quantities,
				}
				addsUp(t, s.Order())
			}
		}
	}
	a, b := erptest.Order("acme-1"), erptest.Order("acme-2")
	if a.ID == b.ID || a.ID <= 1<<53 {
		t.Errorf("ids %d and %d: want two beyond 2^53", a.ID, b.ID)
	}
	if a.Total.String() != "96.74" {
		t.Errorf("the usual order is worth %s", a.Total)
	}
}

// addsUp holds the order to what erp.Order promises of its parts.
func addsUp(t *testing.T, o erp.Order) {
	t.Helper()
	var total, tax decimal.Decimal
	for _, l := range o.Lines {
		if want := l.UnitPrice.Mul(decimal.NewFromInt(l.Quantity)).Sub(l.Discount.Decimal); !l.Amount.Equal(want) {
			t.Errorf("line %s: %s, want %s", l.SKU, l.Amount, want)
		}
		total, tax = total.Add(l.Amount.Decimal), tax.Add(l.Tax.Decimal)
	}
	if !o.Subtotal.Equal(total) {
		t.Errorf("subtotal %s, want %s", o.Subtotal, total)
	}
	for _, s := range o.Shipping {
		total, tax = total.Add(s.Amount.Decimal), tax.Add(s.Tax.Decimal)
	}
	if !o.TaxesIncluded {
		total = total.Add(tax)
	}
	var byTitle decimal.Decimal
	for _, x := range o.Taxes {
		byTitle = byTitle.Add(x.Amount.Decimal)
	}
	if !o.TotalTax.Equal(tax) || !byTitle.Equal(tax) || !o.Total.Equal(total) {
		t.Errorf("total %s, tax %s, by title %s; want %s, %s", o.Total, o.TotalTax, byTitle, total, tax)
	}
}

func TestERPWithoutKeyDoubles(t *testing.T) {
	ledger, server := start(t, erptest.Options{NoKey: true})
	const order = `{"ref":"acme-1","version":"1","total":"1.00"}`
	if got := send(t, "PUT", server.URL+"/orders/acme-1", order); got != 404 {
		t.Errorf("PUT of nothing: %d", got)
	}
	for range 2 {
		if got := send(t, "POST", server.URL+"/orders", order); got != 201 {
			t.Errorf("POST: %d", got)
		}
	}
	if n := len(ledger.Live("acme-1")); n != 2 {
		t.Errorf("%d documents, want 2", n)
	}
}

func TestERPRemembersEveryWrite(t *testing.T) {
	ledger, server := start(t, erptest.Options{})
	for _, v := range []string{"1", "2", "2"} {
		send(t, "PUT", server.URL+"/orders/acme-1", `{"version":"`+v+`","total":"`+v+`.50","currency":"EUR"}`)
	}
	send(t, "PUT", server.URL+"/orders/acme-1", `{"version":"3","total":"0.00","cancelled_at":"2026-11-20T09:30:00Z"}`)
	docs := ledger.Documents("acme-1")
	if len(docs) != 1 || len(docs[0].Writes) != 4 || docs[0].Version != "3" || len(ledger.Live("acme-1")) != 0 {
		t.Fatalf("documents %+v", docs)
	}
	if w := docs[0].Writes[1]; w.Version != "2" || w.Total.String() != "2.50" || w.Cancelled {
		t.Fatalf("second write %+v", w)
	}
	if all := ledger.All(); !reflect.DeepEqual(all["acme-1"], docs) || len(all) != 1 {
		t.Fatalf("all %+v", all)
	}
}

func TestERPWantsSignature(t *testing.T) {
	ledger, server := start(t, erptest.Options{Secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"})
	if got := send(t, "PUT", server.URL+"/orders/acme-1", `{"total":"1.00"}`); got != 401 || len(ledger.Documents("acme-1")) > 0 {
		t.Fatalf("unsigned: %d, %v", got, ledger.Documents("acme-1"))
	}
	if _, err := erptest.NewERP(erptest.Options{Secret: "whsec_?"}); err == nil {
		t.Error("a secret that is not base64 passed")
	}
}

func TestERPHidesNewDocumentsForALag(t *testing.T) {
	now := time.Now()
	_, server := start(t, erptest.Options{Lag: time.Minute, Now: func() time.Time { return now }})
	send(t, "PUT", server.URL+"/orders/acme-1", `{"total":"1.00"}`)
	early := send(t, "GET", server.URL+"/orders/acme-1", "")
	now = now.Add(time.Minute)
	if late := send(t, "GET", server.URL+"/orders/acme-1", ""); early != 404 || late != 200 {
		t.Fatalf("early %d, late %d", early, late)
	}
}

// The same seed draws the same faults, every kind comes up, and what had an
// effect is in the ledger.
func TestERPFaultsFollowTheSeed(t *testing.T) {
	mix := erptest.Mix{}
	for _, f := range erptest.Faults {
		if !f.Silent() {
			mix[f] = 0.1
		}
	}
	run := func() string {
		ledger, server := start(t, erptest.Options{Seed: 4})
		ledger.SetFaults(mix)
		var statuses []int
		for i := range 200 {
			statuses = append(statuses, send(t, "PUT", fmt.Sprintf("%s/orders/acme-%d", server.URL, i), `{"total":"1.00"}`))
		}
		met := ledger.Met()
		for f := range mix {
			if met[f] == 0 {
				t.Errorf("200 requests never met %q", f)
			}
		}
		effects := 0
		for f, n := range met {
			if f.HasEffect() {
				effects += n
			}
		}
		if n := len(ledger.All()); n != effects {
			t.Errorf("%d documents, want %d", n, effects)
		}
		ledger.SetFaults(nil)
		if got := send(t, "PUT", server.URL+"/orders/last", `{"total":"1.00"}`); got != 201 {
			t.Errorf("without faults: %d", got)
		}
		return fmt.Sprint(statuses)
	}
	if first, again := run(), run(); first != again {
		t.Errorf("the same seed gave\n%s\nand\n%s", first, again)
	}
}

func BenchmarkERP(b *testing.B) {
	_, server := start(b, erptest.Options{})
	body := fmt.Sprintf(`{"ref":"acme","version":"1","total":"1.00","note":%q}`, strings.Repeat("x", 4000))
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer client.CloseIdleConnections()
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			r, _ := http.NewRequest("PUT", fmt.Sprintf("%s/orders/acme-%d", server.URL, i%1000), strings.NewReader(body))
			answer, err := client.Do(r)
			if err != nil {
				b.Error(err)
				return
			}
			io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	})
}
