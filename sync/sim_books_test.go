package ordersync

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"time"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
	"gapless/store"
)

// How the ERP is driven. waited is the ERP's longest request as the config has
// it: that of the world, and what tasks may stall meanwhile.
const (
	attemptTime = time.Minute
	waited      = 15 * time.Minute
	retryMax    = 15 * time.Minute
)

// books is the ERP of a world: the pretend ERP, the way there, and the adapter.
type books struct {
	*route
	ledger  *erptest.ERP
	adapter erp.Adapter
	unknown string            // an article that it does not know yet
	content map[string][]byte // of each write
}

func openBooks(w *world) *books {
	b := &books{content: map[string][]byte{}}
	var err error
	b.ledger, err = erptest.NewERP(erptest.Options{
		NoKey: w.mix.tier != erp.TierA, Lag: w.mix.erpLag,
		Now: func() time.Time { return w.now }, Wait: func(time.Duration) {},
	})
	if err != nil {
		panic(err)
	}
	b.route = &route{world: w, serve: b, odds: [2]odds{w.mix.asking, w.mix.changing}, landing: map[string]int{}, call: erpCall, leaves: b.leaving, done: b.written}
	settings := httperp.Settings{URL: "http://books", Tier: w.mix.tier, Body: w.mix.body, Timeout: time.Hour} // the line gives up by the world's clock
	if w.mix.tier != erp.TierA {
		settings.Method = http.MethodPost
	}
	if b.adapter, err = httperp.New(settings, &http.Client{Transport: b.route}, w.clock); err != nil {
		panic(err)
	}
	return b
}

// mayLand says that a call for a reference may still take effect.
func (b *books) mayLand(reference string) bool { return b.landing["/orders/"+reference] > 0 }

// config of this ERP for the engine.
func (b *books) config() ERP {
	return ERP{
		Name: "books", Adapter: b.adapter, Concurrency: 16, Timeout: attemptTime, Longest: waited,
		RetryFirst: time.Second, RetryMax: retryMax, Circuit: CircuitConfig{Failures: 4, Pause: time.Minute},
	}
}

// erpCall names a request to the ERP.
func erpCall(r *http.Request, _ []byte) (step string, changes bool) {
	return "erp " + r.Method, r.Method != http.MethodGet
}

// ServeHTTP is the ERP, which does not know every article from the start.
func (b *books) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body) // from memory: it can't fail
	if b.unknown != "" && r.Method != http.MethodGet && bytes.Contains(body, []byte(`"sku":"`+b.unknown+`"`)) {
		b.meets("article refused", "erp "+r.Method)
		w.WriteHeader(http.StatusUnprocessableEntity)
		return
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	b.ledger.ServeHTTP(w, r)
}

// leaving is called when a request is about to leave.
func (b *books) leaving(t *task, r *http.Request, _ []byte) {
	t.about = path.Base(r.URL.Path)
	if r.Method != http.MethodGet {
		t.intended(r)
	}
}

// written is called when a request was carried out.
func (b *books) written(r *http.Request, body []byte, answer *httptest.ResponseRecorder) {
	if r.Method == http.MethodGet {
		return
	}
	reference := path.Base(r.URL.Path)
	b.note("the ERP: %s %s, version %s: %d", r.Method, reference, r.Header.Get("X-Gapless-Version"), answer.Code)
	if answer.Code/100 == 2 {
		all := b.ledger.Documents(reference)
		b.content[writeOf(all[len(all)-1])] = body
		b.entered(reference)
	}
	b.leftOut(reference)
}

// leftOut lets somebody be quick with a document that an order has though it is left
// out: Gapless will soon find and cancel it.
func (b *books) leftOut(reference string) {
	if b.stateOf(reference) == store.StateExcluded && len(b.ledger.Live(reference)) > 0 {
		b.soon(b.upTo(time.Minute), func() {
			if len(b.ledger.Live(reference)) > 0 {
				b.typeInto(reference)
			}
		})
	}
}

// writeOf names the last write of a document.
func writeOf(d erptest.Document) string { return fmt.Sprint(d.Ref, " ", d.ID, " ", len(d.Writes)) }

// holds is the content of a document as it was written last, without its version.
func (b *books) holds(d erptest.Document) string { return withoutVersion(b.content[writeOf(d)]) }
