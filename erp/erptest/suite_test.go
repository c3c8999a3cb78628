package erptest_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// broken is an adapter with one vice. What a func leaves out works.
type broken struct {
	erp.Adapter
	mapping func(erp.Order) ([]byte, error)
	deliver func(context.Context, erp.Document, *erp.Transcript) erp.Outcome
	lookup  func(context.Context, string, *erp.Transcript) ([]erp.Found, error)
	list    func(context.Context, time.Time, func(erp.Found) error) error
	plan    func(context.Context, erp.Document) ([]erp.Call, error)
}

func (b broken) Map(o erp.Order) ([]byte, error) {
	if b.mapping != nil {
		return b.mapping(o)
	}
	return b.Adapter.Map(o)
}

func (b broken) Deliver(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
	if b.deliver != nil {
		return b.deliver(ctx, doc, t)
	}
	return b.Adapter.Deliver(ctx, doc, t)
}

func (b broken) Lookup(ctx context.Context, ref string, t *erp.Transcript) ([]erp.Found, error) {
	if b.lookup != nil {
		return b.lookup(ctx, ref, t)
	}
	return b.Adapter.Lookup(ctx, ref, t)
}

func (b broken) List(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
	if b.list != nil {
		return b.list(ctx, since, yield)
	}
	return b.Adapter.List(ctx, since, yield)
}

func (b broken) Plan(ctx context.Context, doc erp.Document) ([]erp.Call, error) {
	if b.plan != nil {
		return b.plan(ctx, doc)
	}
	return b.Adapter.Plan(ctx, doc)
}

// after changes the outcome of every delivery.
func after(a erp.Adapter, change func(erp.Document, *erp.Outcome)) broken {
	return broken{Adapter: a, deliver: func(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
		out := a.Deliver(ctx, doc, t)
		change(doc, &out)
		return out
	}}
}

// before changes every document before it is delivered.
func before(a erp.Adapter, change func(*erp.Document)) broken {
	return broken{Adapter: a, deliver: func(ctx context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
		change(&doc)
		return a.Deliver(ctx, doc, t)
	}}
}

// vices are adapters the suite must catch, each in the case named.
var vices = []struct {
	name, caught string
	noKey        bool // the ERP takes every POST for a new order
	spoil        func(erp.Adapter) erp.Adapter
}{
	{name: "calls unknown a retry", caught: "faults/cut_after_effect/create",
		spoil: func(a erp.Adapter) erp.Adapter {
			return after(a, func(_ erp.Document, out *erp.Outcome) {
				if out.Result == erp.Unknown {
					out.Result = erp.Retry
				}
			})
		}},
	{name: "calls unknown a success", caught: "faults/timeout_before_effect/create",
		spoil: func(a erp.Adapter) erp.Adapter {
			return after(a, func(_ erp.Document, out *erp.Outcome) {
				if out.Result == erp.Unknown {
					out.Result = erp.Updated
				}
			})
		}},
	{name: "forgets Retry-After", caught: "faults/429/create",
		spoil: func(a erp.Adapter) erp.Adapter {
			return after(a, func(_ erp.Document, out *erp.Outcome) { out.After = 0 })
		}},
	{name: "names the customer", caught: "refusal",
		spoil: func(a erp.Adapter) erp.Adapter {
			return after(a, func(doc erp.Document, out *erp.Outcome) { out.Reason += doc.Order.Email })
		}},
	{name: "creates blindly", caught: "create_again", noKey: true},
	{name: "creates blindly after a cut", caught: "faults/timeout,_late_effect/create", noKey: true},
	{name: "claims and does nothing", caught: "create",
		spoil: func(a erp.Adapter) erp.Adapter {
			return broken{Adapter: a, deliver: func(_ context.Context, doc erp.Document, t *erp.Transcript) erp.Outcome {
				t.Ask("PUT", "nowhere", nil)
				return erp.Outcome{Result: erp.Created, ID: "1", Total: &doc.Order.Total}
			}}
		}},
	{name: "ignores cancellation", caught: "cancel",
		spoil: func(a erp.Adapter) erp.Adapter {
			return before(a, func(doc *erp.Document) {
				doc.Cancelled = false
				doc.Body = []byte(strings.Replace(string(doc.Body), `"cancelled_at":"`, `"was_cancelled_at":"`, 1))
			})
		}},
	{name: "loses a cent", caught: "totals",
		spoil: func(a erp.Adapter) erp.Adapter {
			return before(a, func(doc *erp.Document) {
				total := `"total":"` + doc.Order.Total.String()
				doc.Body = []byte(strings.Replace(string(doc.Body), total, total+"1", 1))
			})
		}},
	{name: "maps differently each time", caught: "map_is_pure",
		spoil: func(a erp.Adapter) erp.Adapter {
			calls := 0
			return broken{Adapter: a, mapping: func(o erp.Order) ([]byte, error) {
				calls++
				o.Note = fmt.Sprint(calls)
				return a.Map(o)
			}}
		}},
	{name: "plans by doing", caught: "plan",
		spoil: func(a erp.Adapter) erp.Adapter {
			return broken{Adapter: a, plan: func(ctx context.Context, doc erp.Document) ([]erp.Call, error) {
				a.Deliver(ctx, doc, nil)
				return a.Plan(ctx, doc)
			}}
		}},
	{name: "finds nothing", caught: "look_up",
		spoil: func(a erp.Adapter) erp.Adapter {
			return broken{Adapter: a, lookup: func(context.Context, string, *erp.Transcript) ([]erp.Found, error) {
				return nil, nil
			}}
		}},
	{name: "loses a line", caught: "lines",
		spoil: func(a erp.Adapter) erp.Adapter {
			return broken{Adapter: a, lookup: func(ctx context.Context, ref string, t *erp.Transcript) ([]erp.Found, error) {
				found, err := a.Lookup(ctx, ref, t)
				for i := range found {
					found[i].Lines = found[i].Lines[1:]
				}
				return found, err
			}}
		}},
	{name: "lists everything", caught: "list",
		spoil: func(a erp.Adapter) erp.Adapter {
			return broken{Adapter: a, list: func(ctx context.Context, _ time.Time, yield func(erp.Found) error) error {
				return a.List(ctx, time.Time{}, yield)
			}}
		}},
	{name: "swallows yield's error", caught: "list_stops",
		spoil: func(a erp.Adapter) erp.Adapter {
			return broken{Adapter: a, list: func(ctx context.Context, since time.Time, yield func(erp.Found) error) error {
				a.List(ctx, since, yield)
				return nil
			}}
		}},
}

// TestSuiteCatches runs the suite in another process on each broken adapter: it
// must fail, in the case meant for it.
func TestSuiteCatches(t *testing.T) {
	for _, vice := range vices {
		t.Run(vice.name, func(t *testing.T) {
			only := strings.Split("TestBroken/"+vice.caught, "/")
			for i := range only {
				only[i] = "^" + only[i]
			}
			only[1] += "$"
			self := exec.Command(os.Args[0], "-test.run", strings.Join(only, "/"))
			self.Env = append(os.Environ(), "GAPLESS_BROKEN="+vice.name)
			out, err := self.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "--- FAIL: TestBroken/"+vice.caught) {
				t.Fatalf("the suite let it pass (%v):\n%s", err, out)
			}
		})
	}
}

// TestBroken is the other process of TestSuiteCatches.
func TestBroken(t *testing.T) {
	name := os.Getenv("GAPLESS_BROKEN")
	for _, vice := range vices {
		if vice.name != name {
			continue
		}
		erptest.Run(t, func(t *testing.T) erptest.Harness {
			h := harness(t, vice.noKey)
			if vice.spoil != nil {
				h.Adapter = vice.spoil(h.Adapter)
			}
			return h
		})
	}
}

// harness is the http adapter, which believes that its ERP is of tier A.
func harness(t *testing.T, noKey bool) erptest.Harness {
	ledger, server := start(t, erptest.Options{NoKey: noKey, SKUs: erptest.DefaultSKUs})
	proxy := erptest.NewProxy(t, server.URL, func(r *http.Request, _ []byte) bool {
		return r.Method != http.MethodGet
	})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	settings := httperp.Settings{URL: proxy.URL()}
	if noKey {
		settings.Method, settings.CreatePath = "POST", "/orders"
	}
	adapter, err := httperp.New(settings, &http.Client{Transport: transport}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return erptest.Harness{
		Adapter: adapter, Fault: proxy.Fault, Settle: proxy.Settle,
		Ledger: func(_ testing.TB, ref string) []erp.Found {
			var found []erp.Found
			for _, doc := range ledger.Documents(ref) {
				found = append(found, doc.Found)
			}
			return found
		},
		Refused: func(o *erp.Order) { o.Lines[0].SKU = "NO-SUCH-ARTICLE" },
		Lines:   true,
	}
}
