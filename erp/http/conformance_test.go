package httperp_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	token  = "token-that-nobody-may-see"
)

func TestConformance(t *testing.T) {
	erptest.Run(t, func(t *testing.T) erptest.Harness {
		return open(t, erptest.Options{}, httperp.Settings{})
	})
}

func TestConformanceTierAByPOST(t *testing.T) {
	erptest.Run(t, func(t *testing.T) erptest.Harness {
		return open(t, erptest.Options{}, httperp.Settings{
			Method: "POST", CreatePath: "/orders", Body: `. + {text: "shaped by jq"}`,
		})
	})
}

func TestConformanceTierB(t *testing.T) {
	erptest.Run(t, func(t *testing.T) erptest.Harness {
		return open(t, erptest.Options{NoKey: true}, httperp.Settings{
			Method: "POST", CreatePath: "/orders", Tier: erp.TierB,
		})
	})
}

func TestConformanceTierC(t *testing.T) {
	const lag = time.Minute
	erptest.Run(t, func(t *testing.T) erptest.Harness {
		now := &clock{at: time.Now()}
		h := open(t, erptest.Options{NoKey: true, Lag: lag, Now: now.Now}, httperp.Settings{
			Method: "POST", CreatePath: "/orders", Tier: erp.TierC,
		})
		landed := h.Settle
		h.Settle = func() {
			landed()
			now.Pass(lag)
		}
		h.Now = now.Now
		return h
	})
}

// open starts a pretend ERP behind a proxy and an adapter for it.
func open(t *testing.T, o erptest.Options, s httperp.Settings) erptest.Harness {
	o.Secret, o.SKUs = secret, erptest.DefaultSKUs
	ledger, server := startERP(t, o)
	proxy := erptest.NewProxy(t, server.URL, func(r *http.Request, _ []byte) bool {
		return r.Method != http.MethodGet
	})
	now := o.Now
	if now == nil {
		now = time.Now
	}
	s.URL, s.Secret, s.Token = proxy.URL(), secret, token
	s.Headers = map[string]string{"X-Api-Key": "key-that-nobody-may-see"}
	return erptest.Harness{
		Adapter: newAdapter(t, s, now),
		Fault:   proxy.Fault,
		Ledger: func(_ testing.TB, ref string) []erp.Found {
			var found []erp.Found
			for _, doc := range ledger.Documents(ref) {
				found = append(found, doc.Found)
			}
			return found
		},
		Lines:   true,
		Refused: func(o *erp.Order) { o.Lines[1].SKU = "NO-SUCH-ARTICLE" },
		Settle:  proxy.Settle,
		Secrets: []string{token, strings.TrimPrefix(secret, "whsec_"), "key-that-nobody-may-see"},
	}
}

func startERP(t *testing.T, o erptest.Options) (*erptest.ERP, *httptest.Server) {
	t.Helper()
	ledger, err := erptest.NewERP(o)
	if err != nil {
		t.Fatal(err)
	}
	return ledger, newServer(t, ledger)
}

func newServer(t testing.TB, ledger *erptest.ERP) *httptest.Server {
	server := httptest.NewServer(ledger)
	t.Cleanup(func() {
		ledger.Close()
		server.Close()
	})
	return server
}

func newAdapter(t *testing.T, s httperp.Settings, now func() time.Time) *httperp.Adapter {
	t.Helper()
	transport := &http.Transport{MaxIdleConnsPerHost: 8}
	t.Cleanup(transport.CloseIdleConnections)
	a, err := httperp.New(s, &http.Client{Transport: transport}, now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// clock is a time that passes only when told to.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
