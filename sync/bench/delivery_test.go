//go:build linux

package bench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	httperp "gapless/erp/http"
	"gapless/shopify"
	"gapless/store"
	ordersync "gapless/sync"
)

// heard is a store that has heard of n orders and decided nothing yet.
func heard(b *testing.B, n int) *store.Store {
	b.Helper()
	s, err := store.Open(b.Context(), store.Options{Path: filepath.Join(b.TempDir(), "gapless.db")})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, s.Close()) })
	keep := ordersync.KeepIn(s)
	for i, hook := range webhooks(b, n) {
		now := time.Now()
		_, err := keep(b.Context(), &shopify.Webhook{
			Shop: "acme", Topic: "orders/create", WebhookID: fmt.Sprint(i), TriggeredAt: now, ReceivedAt: now, Body: hook.body,
		})
		require.NoError(b, err)
	}
	return s
}

// engineOver is the engine between s and adapter.
func engineOver(b *testing.B, s *store.Store, adapter erp.Adapter) *ordersync.Engine {
	b.Helper()
	engine, err := ordersync.New(s, ordersync.Config{
		Shops: []ordersync.Shop{{Name: "acme", ERP: "books", Client: shopSide{sides: someSides(0)}}},
		ERPs: []ordersync.ERP{{Name: "books", Adapter: adapter, Concurrency: 8, Timeout: 10 * time.Second,
			RetryFirst: time.Second, RetryMax: time.Minute}},
	})
	require.NoError(b, err)
	return engine
}

// decideAll takes every event in, and returns how many they were.
func decideAll(b *testing.B, engine *ordersync.Engine) (total int) {
	b.Helper()
	for {
		n, err := engine.Intake(b.Context())
		require.NoError(b, err)
		if n == 0 {
			return total
		}
		total += n
	}
}

// BenchmarkDecisions is the step after the door, alone: decode an order, compare
// it with what is known, store it and what its ERP should hold.
func BenchmarkDecisions(b *testing.B) {
	var rates, costs []float64
	for range *rounds {
		engine := engineOver(b, heard(b, 2048), nil)
		began, spent := time.Now(), processor(b)
		n := decideAll(b, engine)
		rates = append(rates, float64(n)/time.Since(began).Seconds())
		costs = append(costs, (processor(b)-spent).Seconds()*1e6/float64(n))
	}
	target("decisions a second", "-", rates)
	target("processor time of a decision in us", "-", costs)
}

// BenchmarkDelivery brings due orders to an ERP that takes 20 ms a call, eight
// calls at once: 400 a second is all it can take.
func BenchmarkDelivery(b *testing.B) {
	const latency, ideal = 20 * time.Millisecond, 400.0
	var shares, ofBare []float64
	for range min(*rounds, 3) {
		bare, rate := bareCalls(b, 800, latency), deliverAll(b, 2400, latency)
		shares, ofBare = append(shares, rate/ideal), append(ofBare, rate/bare)
	}
	target("delivery, of what the ERP can take", "at least 0.85", shares)
	target("delivery, of what bare calls reach", "-", ofBare)
}

// bareCalls are n small PUTs, eight at once, by net/http alone: what timers and
// connections leave of the ideal on this machine. It returns calls a second.
func bareCalls(b *testing.B, n int, latency time.Duration) float64 {
	b.Helper()
	server := books(b, latency)
	defer server.Close()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}
	defer client.CloseIdleConnections()
	var wg sync.WaitGroup
	began := time.Now()
	for worker := range 8 {
		wg.Go(func() {
			for i := worker; i < n; i += 8 {
				order := fmt.Sprintf(`{"ref":"%d","version":"1","total":"1.00","currency":"EUR"}`, i)
				r, err := http.NewRequest(http.MethodPut, fmt.Sprintf("%s/orders/%d", server.URL, i), strings.NewReader(order))
				if err != nil {
					b.Error(err)
					return
				}
				answer, err := client.Do(r)
				if err != nil {
					b.Error(err)
					return
				}
				io.Copy(io.Discard, answer.Body)
				answer.Body.Close()
				if answer.StatusCode >= 300 {
					b.Errorf("the ERP answered %s", answer.Status)
					return
				}
			}
		})
	}
	wg.Wait()
	return float64(n) / time.Since(began).Seconds()
}

// pretend is an ERP over HTTP.
type pretend struct {
	*erptest.ERP
	*httptest.Server
}

func books(b *testing.B, latency time.Duration) pretend {
	b.Helper()
	ledger, err := erptest.NewERP(erptest.Options{Latency: latency})
	require.NoError(b, err)
	return pretend{ledger, httptest.NewServer(ledger)}
}

func (p pretend) Close() { p.ERP.Close(); p.CloseClientConnections(); p.Server.Close() }

// deliverAll returns how many orders a second reached the ERP.
func deliverAll(b *testing.B, n int, latency time.Duration) float64 {
	b.Helper()
	server := books(b, latency)
	defer server.Close()
	adapter, err := httperp.New(httperp.Settings{URL: server.URL}, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 8}}, time.Now)
	require.NoError(b, err)
	s := heard(b, n)
	engine := engineOver(b, s, adapter)
	decideAll(b, engine)
	require.Len(b, states(b, s), 1, "all are due")

	changes, unwatch := s.Watch(store.Deliveries)
	defer unwatch()
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- engine.Run(ctx) }()
	for range changes {
		if server.Met()[erptest.None] >= n && states(b, s)[store.StateDelivered] == int64(n) {
			break
		}
	}
	took := time.Since(began)
	stop()
	require.NoError(b, <-ended)
	return float64(n) / took.Seconds()
}

func states(b *testing.B, s *store.Store) map[string]int64 {
	b.Helper()
	stats, err := s.Stats(b.Context(), time.Now())
	require.NoError(b, err)
	return stats.States
}
