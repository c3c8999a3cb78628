package ui

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"gapless/store"
)

// storeCollector reads gauges from the store when somebody asks.
type storeCollector struct {
	store *store.Store
	shops []string
	now   func() time.Time

	deliveries, gaps, complete, lag, refetching, pending, queued, queuedBytes, size, walSize *prometheus.Desc
}

func newStoreCollector(s *store.Store, shops []string, now func() time.Time) *storeCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("gapless_"+name, help, labels, nil)
	}
	return &storeCollector{
		store: s, shops: shops, now: now,
		deliveries:  desc("deliveries", "Orders by the state of their delivery.", "state"),
		gaps:        desc("gaps", "Gaps that are not closed.", "kind", "state"),
		complete:    desc("complete_through_seconds", "Every change before this moment was compared on all three sides, in seconds since 1970; 0: none were.", "shop"),
		lag:         desc("webhook_lag_seconds", "From Shopify's trigger to receipt, of the last hour's webhooks.", "quantile"),
		refetching:  desc("refetches_waiting", "Orders that Shopify is to be asked for by id."),
		pending:     desc("events_pending", "Events stored and not yet decided."),
		queued:      desc("store_queue_rows", "Writes that wait for a commit."),
		queuedBytes: desc("store_queue_bytes", "Bytes of the writes that wait for a commit."),
		size:        desc("store_database_bytes", "Size of the database file."),
		walSize:     desc("store_wal_bytes", "Size of the write-ahead log."),
	}
}

// Describe names the gauges.
func (c *storeCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect reads them.
func (c *storeCollector) Collect(ch chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	rows, bytes := c.store.Queued()
	gauge(c.queued, float64(rows))
	gauge(c.queuedBytes, float64(bytes))
	database, wal := c.store.Size()
	gauge(c.size, float64(database))
	gauge(c.walSize, float64(wal))
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := c.store.Stats(ctx, c.now().Add(-time.Hour))
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.deliveries, err)
		return
	}
	gauge(c.refetching, float64(st.Refetching))
	gauge(c.pending, float64(st.PendingEvents))
	gauge(c.lag, st.LagP50.Seconds(), "0.5")
	gauge(c.lag, st.LagP99.Seconds(), "0.99")
	for _, state := range []string{store.StateDue, store.StateSending, store.StateDelivered, store.StateUnknown, store.StateParked, store.StateExcluded} {
		gauge(c.deliveries, float64(st.States[state]), state)
	}
	for _, kind := range store.GapKinds {
		for _, state := range []string{store.GapOpen, store.GapHealing, store.GapIgnored} {
			gauge(c.gaps, float64(st.Gaps[store.GapGroup{Kind: kind, State: state}]), kind, state)
		}
	}
	for _, name := range c.shops {
		shop, err := c.store.Shop(ctx, name)
		if err != nil {
			ch <- prometheus.NewInvalidMetric(c.complete, err)
			return
		}
		gauge(c.complete, seconds(shop.CompleteThrough), name)
	}
}

// seconds is a moment as Prometheus counts them; 0: none.
func seconds(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}

// EngineMetrics is what the engine has done since it started.
type EngineMetrics struct {
	Events   int64 // taken in
	Accepted int64 // of them, new versions of orders
	Fetched  int64 // orders asked for by id
	Attempts map[AttemptKind]AttemptCount
	Circuits map[string]bool          // ERPs; true: attempts pause
	Paces    map[string]time.Duration // by shop: the time between polls at present
}

// AttemptKind names a count of attempts.
type AttemptKind struct{ ERP, Result string }

// AttemptCount is how many attempts there were, and how long they took together.
type AttemptCount struct {
	Count int64
	Took  time.Duration
}

// engineCollector reads the engine's counters when somebody asks.
type engineCollector struct {
	metrics func() EngineMetrics

	events, accepted, fetched, attempts, seconds, circuit, pace *prometheus.Desc
}

func newEngineCollector(metrics func() EngineMetrics) *engineCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("gapless_"+name, help, labels, nil)
	}
	return &engineCollector{
		metrics:  metrics,
		events:   desc("events_taken_in_total", "Events decided since start."),
		accepted: desc("order_versions_total", "New versions of orders since start."),
		fetched:  desc("orders_fetched_total", "Orders asked for by id since start."),
		attempts: desc("attempts_total", "Calls to ERPs since start.", "erp", "result"),
		seconds:  desc("attempt_seconds_total", "Time calls to ERPs took since start, in seconds.", "erp", "result"),
		circuit:  desc("erp_circuit_open", "1 while attempts on an ERP pause because it fails.", "erp"),
		pace:     desc("poll_interval_seconds", "Time between polls at present.", "shop"),
	}
}

// Describe names the metrics.
func (c *engineCollector) Describe(ch chan<- *prometheus.Desc) { prometheus.DescribeByCollect(c, ch) }

// Collect reads them.
func (c *engineCollector) Collect(ch chan<- prometheus.Metric) {
	m := c.metrics()
	counter := func(d *prometheus.Desc, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, v, labels...)
	}
	counter(c.events, float64(m.Events))
	counter(c.accepted, float64(m.Accepted))
	counter(c.fetched, float64(m.Fetched))
	for k, n := range m.Attempts {
		counter(c.attempts, float64(n.Count), k.ERP, k.Result)
		counter(c.seconds, n.Took.Seconds(), k.ERP, k.Result)
	}
	for name, open := range m.Circuits {
		v := 0.0
		if open {
			v = 1
		}
		ch <- prometheus.MustNewConstMetric(c.circuit, prometheus.GaugeValue, v, name)
	}
	for shop, pace := range m.Paces {
		ch <- prometheus.MustNewConstMetric(c.pace, prometheus.GaugeValue, pace.Seconds(), shop)
	}
}
