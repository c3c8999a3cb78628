//go:build linux

package bench

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/shopspring/decimal"

	"gapless/erp"
	"gapless/shopify"
	"gapless/store"
	ordersync "gapless/sync"
)

// sides are n orders in three places that agree but for one in so many that is
// faulty: a shop and an ERP that make up what they tell, and a store.
type sides struct {
	n      int64
	began  time.Time
	faulty int64 // 0: none is
}

const month = 30 * 24 * time.Hour

func someSides(n int64) *sides {
	return &sides{n: n, began: time.Now().UTC().Add(-month).Truncate(time.Second)}
}

// at is when an order was placed: one after the other, over a month less an hour.
func (s *sides) at(id int64) time.Time {
	return s.began.Add(time.Duration(id) * ((month - time.Hour) / time.Duration(s.n))).Truncate(time.Second)
}

// fault says what is wrong with an order: 0 is nothing.
func (s *sides) fault(id int64) int64 {
	if s.faulty == 0 || id%s.faulty != 0 {
		return 0
	}
	return 1 + id/s.faulty%4
}

const (
	unheard  = 1 // changed in Shopify, and nothing was heard of it
	lost     = 2 // gone from the ERP
	repriced = 3 // of another total in the ERP
	outdated = 4 // of an older version in the ERP
)

var total = decimal.RequireFromString("19.90")

// fill makes the store's orders, each with its delivery, as they stand after a
// month; statements do what no method of a store does.
func (s *sides) fill(folder string) error {
	file := filepath.Join(folder, "gapless.db")
	empty, err := store.Open(context.Background(), store.Options{Path: file})
	if err != nil {
		return err
	}
	if err := empty.Close(); err != nil {
		return err
	}
	db, err := sql.Open("sqlite", "file:"+file+"?_pragma=synchronous(OFF)&_pragma=cache_size(-200000)")
	if err != nil {
		return err
	}
	defer db.Close()
	const numbers = `WITH RECURSIVE n(i, at) AS (SELECT 1, $2 + $3 UNION ALL SELECT i + 1, $2 + (i + 1) * $3 FROM n WHERE i < $1),
		v(i, at, version) AS (SELECT i, at / 1000000 * 1000000, strftime('%Y-%m-%dT%H:%M:%SZ', at / 1000000, 'unixepoch') || '/00000000' FROM n) `
	step := ((month - time.Hour) / time.Duration(s.n)).Microseconds()
	for _, statement := range []string{
		`INSERT INTO orders (shop, id, name, version, hash, currency, total, test, customer_id, created_at, updated_at, fetched_at, cancelled_at, deleted_at,
			redacted_at, first_seen_at, event_id) SELECT 'acme', i, '#' || i, version, 'h', 'EUR', '19.90', 0, i % 1000, at, at, 0, 0, 0, 0, at, i FROM v`,
		`INSERT INTO deliveries (shop, order_id, erp, state, wanted, claimed, held, held_body, verify, present, token, lease_until, sent_at, sent, ghost, ghost_at,
			tries, next_at, since, seen_at, changed_at, reason, field, hint, rule, erp_ref, erp_total, written_at)
			SELECT 'acme', i, 'books', 'delivered', version, version, version, 'b', 0, 1, '', 0, 0, version, '', 0, 0, at, at, at, at + 1000000, '', '', '', '', 'SO' || i, '19.90',
			at + 1000000 FROM v`,
	} {
		if _, err := db.Exec(numbers+statement, s.n, s.began.UnixMicro(), step); err != nil {
			return fmt.Errorf("fill the store: %w", err)
		}
	}
	return nil
}

// engine is the engine between the three sides.
func (s *sides) engine(st *store.Store) (*ordersync.Engine, error) {
	return ordersync.New(st, ordersync.Config{
		Shops: []ordersync.Shop{{Name: "acme", ERP: "books", Client: shopSide{sides: s}, Webhooks: true, Reconcile: ordersync.ReconcileConfig{Settle: 2 * time.Minute}}},
		ERPs:  []ordersync.ERP{{Name: "books", Adapter: erpSide{sides: s}, Concurrency: 8, Timeout: 10 * time.Second}},
	})
}

// window takes all orders in.
func (s *sides) window() (from, to time.Time) { return s.began, time.Now() }

// shopSide tells the orders as Shopify lists them.
type shopSide struct {
	ordersync.ShopClient // what a comparison does not ask for
	*sides
}

// Shop tells nothing, so that no report is due.
func (shopSide) Shop(context.Context) (shopify.Shop, error) {
	return shopify.Shop{}, errors.New("it does not tell its time zone")
}

func (s shopSide) Orders(_ context.Context, _ shopify.Window, _ shopify.Priority, page func([]shopify.OrderHead) error) error {
	const size = 250
	heads := make([]shopify.OrderHead, 0, size)
	for id := int64(1); id <= s.n; id++ {
		at := s.at(id)
		h := shopify.OrderHead{ID: id, Name: "#" + strconv.FormatInt(id, 10), CreatedAt: at, UpdatedAt: at, Currency: "EUR"}
		h.Total = total
		if s.fault(id) == unheard {
			h.UpdatedAt = at.Add(time.Minute)
		}
		if heads = append(heads, h); len(heads) == size || id == s.n {
			if err := page(heads); err != nil {
				return err
			}
			heads = heads[:0]
		}
	}
	return nil
}

// erpSide tells the documents as an ERP lists them: by change, and so in an order
// that has little to do with that of the numbers.
type erpSide struct {
	erp.Adapter
	*sides
}

func (erpSide) Tier() erp.Tier { return erp.TierA }

func (e erpSide) List(_ context.Context, _ time.Time, yield func(erp.Found) error) error {
	const stride = 7919 // no divisor of n
	for i, id := int64(0), int64(1); i < e.n; i++ {
		if e.fault(id) != lost {
			if err := yield(e.document(id)); err != nil {
				return err
			}
		}
		if id += stride; id > e.n {
			id -= e.n
		}
	}
	return nil
}

func (e erpSide) Lookup(_ context.Context, reference string, _ *erp.Transcript) ([]erp.Found, error) {
	id, err := strconv.ParseInt(strings.TrimPrefix(reference, "acme-"), 10, 64)
	if err != nil || e.fault(id) == lost {
		return nil, err
	}
	return []erp.Found{e.document(id)}, nil
}

func (e erpSide) document(id int64) erp.Found {
	at, number := e.at(id), strconv.FormatInt(id, 10)
	worth := erp.NewAmount(total, 2)
	f := erp.Found{Ref: "acme-" + number, ID: "SO" + number, Version: versionAt(at), Total: &worth, Currency: "EUR", UpdatedAt: at.Add(time.Second)}
	switch e.fault(id) {
	case repriced:
		worth = erp.NewAmount(total.Add(total), 2)
	case outdated:
		f.Version = versionAt(e.began)
	}
	return f
}

func versionAt(at time.Time) string {
	return string(append(at.AppendFormat(make([]byte, 0, 32), time.RFC3339), "/00000000"...))
}
