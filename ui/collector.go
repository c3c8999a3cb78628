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
	now   func() time.Time

	deliveries, refetching, pending, queued, queuedBytes, size, walSize *prometheus.Desc
}

func newStoreCollector(s *store.Store, now func() time.Time) *storeCollector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("gapless_"+name, help, labels, nil)
	}
	return &storeCollector{
		store: s, now: now,
		deliveries:  desc("deliveries", "Orders by the state of their delivery.", "state"),
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
	gauge := func(d *prometheus.Desc, v int64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, float64(v), labels...)
	}
	rows, bytes := c.store.Queued()
	gauge(c.queued, int64(rows))
	gauge(c.queuedBytes, bytes)
	database, wal := c.store.Size()
	gauge(c.size, database)
	gauge(c.walSize, wal)
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	st, err := c.store.Stats(ctx, c.now().Add(-time.Hour))
	if err != nil {
		ch <- prometheus.NewInvalidMetric(c.deliveries, err)
		return
	}
	gauge(c.refetching, st.Refetching)
	gauge(c.pending, st.PendingEvents)
	for _, state := range []string{store.StateDue, store.StateSending, store.StateDelivered, store.StateUnknown, store.StateParked, store.StateExcluded} {
		gauge(c.deliveries, st.States[state], state)
	}
}
