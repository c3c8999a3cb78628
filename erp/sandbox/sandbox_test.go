package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"gapless/erp"
	"gapless/erp/erptest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestConformance(t *testing.T) {
	faults := map[erptest.Fault]Fault{
		erptest.None:                none,
		erptest.TimeoutBeforeEffect: HangBefore,
		erptest.TimeoutAfterEffect:  HangAfter,
		erptest.TooManyRequests:     Busy,
		erptest.ServerError:         Down,
		erptest.Unavailable:         Down,
		erptest.CutBeforeEffect:     CutBefore,
		erptest.CutAfterEffect:      CutAfter,
		erptest.OKButNothing:        Ignored,
	}
	erptest.Run(t, func(t *testing.T) erptest.Harness {
		e := open(t, Settings{
			Path: filepath.Join(t.TempDir(), "ledger.jsonl"), RefuseSKUs: []string{"NO-SUCH-ARTICLE"},
		})
		return erptest.Harness{
			Adapter: e,
			Fault:   func(f erptest.Fault) <-chan struct{} { return e.FailNext(faults[f]) },
			Ledger: func(_ testing.TB, ref string) []erp.Found {
				if d, held := e.ledger.find(ref); held {
					return []erp.Found{d.found()}
				}
				return nil
			},
			Refused: func(o *erp.Order) { o.Lines[2].SKU = "NO-SUCH-ARTICLE" },
			Writes:  2,
			Lines:   true,
			Skip: map[erptest.Fault]string{
				erptest.TimeoutLateEffect: "a call within the process does nothing after its caller has gone",
				erptest.HTML:              "there is no HTTP between the sandbox and its adapter",
			},
		}
	})
}

func open(t *testing.T, s Settings) *ERP {
	t.Helper()
	e, err := New(s, time.Now, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.Close() })
	return e
}

// order delivers the usual order under ref at version 1.
func order(t *testing.T, e *ERP, ref string) erp.Outcome {
	t.Helper()
	o := erptest.Order(ref)
	body, err := e.Map(o)
	if err != nil {
		t.Fatal(err)
	}
	return e.Deliver(t.Context(), erp.Document{Ref: ref, Version: "1", Order: o, Body: body}, nil)
}

func TestRestartKeepsTheLedger(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	e := open(t, Settings{Path: path})
	for i := range 3 {
		order(t, e, fmt.Sprintf("acme-%d", i))
	}
	want := fmt.Sprint(e.Documents())
	if e.Count() != 3 {
		t.Fatalf("%d live documents, want 3", e.Count())
	}
	e.Close()

	again := open(t, Settings{Path: path})
	if got := fmt.Sprint(again.Documents()); got != want {
		t.Fatalf("after the restart\n%s\nwant\n%s", got, want)
	}
	if out := order(t, again, "acme-1"); out.Result != erp.Unchanged || out.ID != "SO-2" {
		t.Fatalf("delivered again: %+v", out)
	}
}

// A crash may leave any beginning of the last line. What was synced before it
// stays, and new documents follow.
func TestRestartAfterATornLine(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	e := open(t, Settings{Path: path})
	order(t, e, "acme-1")
	e.Close()
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	created := strings.Index(string(whole), "\n") + 1
	for cut := created; cut < len(whole); cut++ {
		if err := os.WriteFile(path, whole[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		e := open(t, Settings{Path: path})
		if d := e.Documents(); len(d) != 1 || d[0].State != Draft {
			t.Fatalf("cut at %d: %+v", cut, d)
		}
		if out := order(t, e, "acme-1"); out.Result != erp.Updated {
			t.Fatalf("cut at %d: %+v", cut, out)
		}
		e.Close()
		e = open(t, Settings{Path: path})
		if d := e.Documents(); len(d) != 1 || d[0].State != Confirmed {
			t.Fatalf("cut at %d, confirmed and restarted: %+v", cut, d)
		}
		e.Close()
	}
}

func TestDamagedLineIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.jsonl")
	if err := os.WriteFile(path, []byte(`{"ref":"a","state":"draft"}`+"\n{}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := New(Settings{Path: path}, time.Now, nil)
	if err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Fatalf("error %v, want one that names line 2", err)
	}
}

// A draft is not the order: a look-up must not pass it off as delivered.
func TestDraftShowsNoVersion(t *testing.T) {
	e := open(t, Settings{})
	e.FailNext(none)
	e.FailNext(Down)
	if out := order(t, e, "acme-1"); out.Result != erp.Retry {
		t.Fatalf("outcome %+v", out)
	}
	found, err := e.Lookup(t.Context(), "acme-1", nil)
	if err != nil || len(found) != 1 || found[0].Version != "" || found[0].Cancelled {
		t.Fatalf("found %+v, %v", found, err)
	}
}

func TestSeedReplaysFaults(t *testing.T) {
	run := func(seed int64) string {
		e := open(t, Settings{FailRate: 0.3, RefuseRate: 0.1, Seed: seed})
		var results []string
		for i := range 40 {
			results = append(results, string(order(t, e, fmt.Sprintf("acme-%d", i)).Result))
		}
		return strings.Join(results, " ")
	}
	first := run(1)
	if again := run(1); again != first {
		t.Fatalf("the same seed gave\n%s\nand\n%s", first, again)
	}
	for _, want := range []erp.Result{erp.Created, erp.Rejected, erp.Retry, erp.Unknown} {
		if !strings.Contains(first, string(want)) {
			t.Errorf("40 orders at these rates gave no %s: %s", want, first)
		}
	}
}

func TestLatencyIsWaitedForEachCall(t *testing.T) {
	var waits []time.Duration
	e, err := New(Settings{Latency: 40 * time.Millisecond}, time.Now, func(_ context.Context, d time.Duration) error {
		waits = append(waits, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	order(t, e, "acme-1")
	if want := []time.Duration{4e7, 4e7, 4e7}; fmt.Sprint(waits) != fmt.Sprint(want) {
		t.Fatalf("waited %v, want %v: find, create, confirm", waits, want)
	}
}

func TestSettingsAreCheckedAllAtOnce(t *testing.T) {
	_, err := New(Settings{FailRate: 2, RefuseRate: -1, Latency: -1}, time.Now, nil)
	for _, key := range []string{"fail_rate", "refuse_rate", "latency"} {
		if err == nil || !strings.Contains(err.Error(), key) {
			t.Errorf("error %v does not name %s", err, key)
		}
	}
	var setting *erp.SettingError
	if !errors.As(err, &setting) || setting.Fix == "" {
		t.Errorf("no setting with a fix in %v", err)
	}
}

// Commands look at the sandbox of a running appliance through a ledger of their own.
func TestWhatAnotherProcessWroteIsSeen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "erp.jsonl")
	writer, err := openLedger(path)
	require.NoError(t, err)
	defer writer.close()
	reader, err := openLedger(path)
	require.NoError(t, err)
	defer reader.close()
	require.NoError(t, writer.change("acme-1", time.Now(), func(d *Document) { d.State = Confirmed }))
	d, held := reader.find("acme-1")
	require.True(t, held)
	require.True(t, d.Live())
	require.NoError(t, writer.change("acme-2", time.Now(), func(d *Document) { d.State = Cancelled }))
	require.Len(t, reader.all(), 2)
}
