package shopifytest_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
)

// window holds all that ever happened in a lived shop.
func window(now time.Time) shopify.Window {
	return shopify.Window{From: opened, To: now.Add(time.Hour)}
}

// finished runs a bulk operation to its end.
func finished(t *testing.T, client *shopify.Client, now *time.Time) shopify.BulkOperation {
	t.Helper()
	o, err := client.BulkOrders(t.Context(), window(*now))
	if err != nil {
		t.Fatal(err)
	}
	*now = now.Add(time.Minute)
	if o, err = client.BulkOperation(t.Context(), o.ID); err != nil || !o.Done() {
		t.Fatalf("%+v, %v", o, err)
	}
	return o
}

func TestBulkOutlivesItsFaults(t *testing.T) {
	shop, client, now := lived(t, shopifytest.Options{Seed: 6}, 300)
	want := len(shop.Orders())
	op := finished(t, client, now)
	shop.Break(1, shopifytest.Outage{Status: 503})
	shop.Break(1, shopifytest.Outage{Cut: true})
	shop.Break(1, shopifytest.Outage{Status: 429})
	seen := map[int64]int{}
	count := func(b shopify.BulkOrder) error { seen[b.ID]++; return nil }
	if err := client.ReadBulk(t.Context(), op, 0, count); err != nil || len(seen) != want {
		t.Fatalf("%d of %d orders; %v", len(seen), want, err)
	}
	for id, n := range seen {
		if n != 1 {
			t.Fatalf("order %d came %d times", id, n)
		}
	}
	clear(seen)
	if err := client.ReadBulk(t.Context(), op, want-7, count); err != nil || len(seen) != 7 {
		t.Fatalf("%d orders were left; %v", len(seen), err)
	}

	*now = now.Add(8 * 24 * time.Hour)
	if err := client.ReadBulk(t.Context(), op, 0, count); !errors.Is(err, shopify.ErrBulkGone) {
		t.Fatalf("after a week: %v", err)
	}
	if op, err := client.BulkOperation(t.Context(), op.ID); err != nil || op.Status != shopify.BulkExpired {
		t.Fatalf("after a week: %+v, %v", op, err)
	}
}

func TestBulkOperationsThatEndBadly(t *testing.T) {
	shop, client, now := lived(t, shopifytest.Options{Seed: 6}, 300)
	for end, want := range map[string]shopify.BulkStatus{
		"FAILED": shopify.BulkFailed, "CANCELED": shopify.BulkCanceled, "EXPIRED": shopify.BulkExpired,
	} {
		shop.Break(1, shopifytest.Outage{}) // the list of those under way
		shop.Break(1, shopifytest.Outage{Bulk: end})
		op := finished(t, client, now)
		if op.Status != want || op.URL != "" {
			t.Fatalf("%s: %+v", end, op)
		}
		whole := 0
		err := client.ReadBulk(t.Context(), op, 0, func(b shopify.BulkOrder) error {
			if b.Body == nil {
				return nil
			}
			whole++
			snapshot, _ := shop.Order(b.ID)
			sameOrder(t, decoded(t, b), byID(t, client, snapshot))
			return nil
		})
		if (err == nil) != (end == "FAILED") || (whole > 0) != (end == "FAILED") {
			t.Fatalf("%s: %d orders; %v", end, whole, err)
		}
	}

	// Where there is nothing to find there is no file.
	op, err := client.BulkOrders(t.Context(), shopify.Window{From: now.Add(time.Hour), To: now.Add(2 * time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	*now = now.Add(time.Minute)
	if op, err = client.BulkOperation(t.Context(), op.ID); err != nil || op.Status != shopify.BulkCompleted {
		t.Fatalf("%+v, %v", op, err)
	}
	if err := client.ReadBulk(t.Context(), op, 0, func(shopify.BulkOrder) error { return errors.New("an order") }); err != nil {
		t.Fatal(err)
	}
}

func TestBulkOperationsAreFoundAgainAndCancelled(t *testing.T) {
	_, client, now := lived(t, shopifytest.Options{BulkLimit: 1}, 30)
	op, err := client.BulkOrders(t.Context(), window(*now))
	if err != nil {
		t.Fatal(err)
	}
	again, err := client.BulkOrders(t.Context(), window(*now))
	if err != nil || again.ID != op.ID {
		t.Fatalf("the same window: %+v, %v", again, err)
	}
	if _, err := client.BulkOrders(t.Context(), window(now.Add(time.Hour))); !errors.Is(err, shopify.ErrBulkBusy) {
		t.Fatalf("another window: %v", err)
	}
	if err := client.BulkCancel(t.Context(), op.ID); err != nil {
		t.Fatal(err)
	}
	if op, err = client.BulkOperation(t.Context(), op.ID); err != nil || op.Status != shopify.BulkCanceling {
		t.Fatalf("%+v, %v", op, err)
	}
	*now = now.Add(time.Minute)
	all, err := client.CurrentBulk(t.Context())
	if err != nil || len(all) != 1 || all[0].Status != shopify.BulkCanceled || !all[0].Reads(window(now.Add(-time.Minute))) {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := client.BulkCancel(t.Context(), op.ID); err == nil {
		t.Fatal("what has ended can't be cancelled")
	}
}

// The client reads a shop that has all faults at once to its end, or says why it
// can't.
func TestListingThroughAllFaults(t *testing.T) {
	for seed := range uint64(8) {
		shop, client, now := lived(t, shopifytest.Options{Seed: seed, APIFaults: shopifytest.APIFaults{
			Status: .1, Cut: .05, Throttle: .1, Empty: .2, Drift: .5, Lag: .3, MaxLag: time.Second,
		}}, 1500)
		want := map[int64]bool{}
		for _, o := range shop.Orders() {
			want[o.ID] = true
		}
		*now = now.Add(2 * time.Second) // the index has caught up
		last := int64(0)
		err := client.Orders(context.Background(), shopify.Window{By: shopify.ByCreated, From: opened, To: *now}, shopify.Reconcile, func(page []shopify.OrderHead) error {
			for _, h := range page {
				if h.ID <= last {
					t.Fatalf("seed %d: %d after %d", seed, h.ID, last)
				}
				last = h.ID
				delete(want, h.ID)
			}
			return nil
		})
		if err == nil && len(want) > 0 {
			t.Fatalf("seed %d: %d orders were skipped", seed, len(want))
		}
		var refusal *shopify.APIError
		if err != nil && !errors.As(err, &refusal) {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}
