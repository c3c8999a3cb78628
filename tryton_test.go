package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp/tryton/trytontest"
	"gapless/shopify/shopifytest"
)

const trytonERP = `
[[erps]]
name = "books"
kind = "tryton"
url = "%s"
database = "%s"
user = "%s"
password = "%s"
state = "%s"
concurrency = 2
timeout = "30s"
longest_request = "6s"
retry = { first = "50ms", max = "1s" }
products.tip = "TIP"
products.duties = "DUTIES"
products.fees = "FEES"
`

// The whole way into a real Tryton: webhooks get lost, orders change and are
// cancelled, Gapless is killed in the middle of a call. In the end Tryton, asked
// behind Gapless's back, holds every order once, worth what Shopify says.
func TestARealTrytonHoldsEveryOrderOnce(t *testing.T) {
	t.Run("quotation", func(t *testing.T) { intoTryton(t, "quotation", 40) })
	t.Run("confirmed", func(t *testing.T) { intoTryton(t, "confirmed", 8) })
}

func intoTryton(t *testing.T, state string, orders int) {
	server := trytontest.Start(t)
	books := openBooks(t, server)
	w := newWorld(t, setup{
		config: fmt.Sprintf(trytonERP, server.URL, server.Database, server.User, server.Password, state),
		shop:   shopifytest.Options{Seed: uint64(orders), Market: marketOfTryton(), RetryScale: 0.001, Faults: shopifytest.Faults{Drop: 0.1, Repeat: 0.05}},
	})
	r := w.start().ready()
	w.eventually(w.subscribed)
	hush := w.sendWebhooks()
	for third := range 3 {
		for len(w.shop.Orders()) < orders*(third+1)/3 {
			w.shop.Act()
		}
		if third < 2 {
			w.eventually(w.calling)
			r.kill()
			r = w.start().ready()
		}
	}
	hush()
	settled := func() error { // Tryton is asked last: it has enough to do
		if err := w.atRest(); err != nil {
			return err
		}
		return w.compareTryton(books, state)
	}
	require.NoError(t, w.shop.Flush(t.Context()))
	w.eventually(settled)
	w.changeWhatWasDelivered()
	require.NoError(t, w.shop.Flush(t.Context()))
	w.eventually(settled)
	if state == "quotation" { // a person cancels a sale by mistake: the comparison finds it, and it is made good
		w.cancelByHand(books)
		w.eventually(func() error { // what was written within Tryton's longest request is not judged yet
			code, told, stderr := w.try("reconcile", "--since", "1h")
			if code != exitGaps || !strings.Contains(told, "Missing in the ERP") {
				return fmt.Errorf("reconcile ends with %d: %s%s", code, told, stderr)
			}
			return nil
		})
		w.eventually(settled)
		w.eventually(w.noGaps)
	}
	r.stop()
	var calls, cut int
	query(w, &calls, `SELECT count(*) FROM attempts WHERE action = 'deliver'`)
	query(w, &cut, `SELECT count(*) FROM attempts WHERE action = 'deliver' AND id NOT IN (SELECT attempt_id FROM outcomes)`)
	require.Positive(t, cut, "no kill interrupted a call")
	t.Logf("%d orders, %d webhooks dropped, %d calls, %d of them cut off by a kill", len(w.shop.Orders()), w.shop.Counts()[shopifytest.Dropped], calls, cut)
}

// marketOfTryton sells what the seeded Tryton knows, at its taxes.
func marketOfTryton() shopifytest.Market {
	m := shopifytest.SimpleMarket("EUR", 21_000, 10_000)
	known := []string{"TSHIRT-BLK-S", "TSHIRT-BLK-M", "MUG-01", "COFFEE-1KG", "SNOW-001", "GIFT-50"}
	m.Catalog = slices.DeleteFunc(m.Catalog, func(p shopifytest.Product) bool { return !slices.Contains(known, p.SKU) })
	return m
}

// sendWebhooks sends what comes due until hush.
func (w *world) sendWebhooks() (hush func()) {
	ctx, stop := context.WithCancel(w.Context())
	var sending sync.WaitGroup
	sending.Go(func() { w.shop.Run(ctx) })
	return func() { stop(); sending.Wait() }
}

// changeWhatWasDelivered cancels some orders and takes goods off others.
func (w *world) changeWhatWasDelivered() {
	for i, o := range w.shop.Orders() {
		if i%5 == 0 {
			w.shop.Apply(o.ID, []shopifytest.Action{shopifytest.DoCancel, shopifytest.DoEdit}[i/5%2])
		}
	}
}

// cancelByHand cancels the sale of one order that is not cancelled.
func (w *world) cancelByHand(b *books) {
	w.Helper()
	for _, o := range w.shop.Orders() {
		if o.Cancelled {
			continue
		}
		for _, s := range b.sales(fmt.Sprintf("%s-%d", shopName, o.ID)) {
			if s.State == "quotation" {
				var nothing any
				b.call(&nothing, "model.sale.sale.cancel", []int64{s.ID}, b.context)
				return
			}
		}
	}
	require.Fail(w, "there is no sale to cancel")
}

// calling says that no call to the ERP is under way.
func (w *world) calling() error {
	var n int
	query(w, &n, `SELECT count(*) FROM deliveries d JOIN attempts a USING (shop, order_id, token) WHERE d.state = 'sending' AND a.action = 'deliver'
		AND a.id NOT IN (SELECT attempt_id FROM outcomes)`)
	if n == 0 {
		return errors.New("no call is under way")
	}
	return nil
}

// sale is a sale as it stands in Tryton.
type sale struct {
	ID        int64
	Reference string
	State     string
	Total     struct{ Decimal decimal.Decimal } `json:"total_amount"`
	Shipments []int64
	Invoices  []int64
}

// compareTryton says in what Tryton differs from the shop.
func (w *world) compareTryton(b *books, state string) error {
	live := map[string][]sale{}
	for _, s := range b.sales(shopName + "-%") {
		if b.live(s) {
			live[s.Reference] = append(live[s.Reference], s)
		}
	}
	for _, o := range w.shop.Orders() {
		ref := fmt.Sprintf("%s-%d", shopName, o.ID)
		want := 1
		if o.Cancelled {
			want = 0
		}
		if len(live[ref]) != want {
			_, history, _ := w.try("orders", o.Name)
			return fmt.Errorf("order %s (cancelled %v) has %d live sales\n%s", o.Name, o.Cancelled, len(live[ref]), history)
		}
		for _, s := range live[ref] {
			if !s.Total.Decimal.Equal(decimal.RequireFromString(o.Total)) {
				return fmt.Errorf("order %s is worth %s, its sale %s", o.Name, o.Total, s.Total.Decimal)
			}
			if s.Total.Decimal.IsZero() && s.State == "draft" {
				continue // nothing is left of the order, and Tryton quotes no empty sale
			}
			if (state == "quotation") != (s.State == "quotation") || s.State == "draft" {
				_, history, _ := w.try("orders", o.Name)
				return fmt.Errorf("the sale of order %s is in state %s\n%s", o.Name, s.State, history)
			}
		}
	}
	return nil
}

// books is the way into Tryton behind Gapless's back, as its administrator.
type books struct {
	testing.TB
	url, session string
	context      map[string]any
}

func openBooks(t testing.TB, s trytontest.Server) *books {
	b := &books{TB: t, url: s.URL + "/" + s.Database + "/"}
	var login []any
	b.call(&login, "common.db.login", s.AdminUser, map[string]string{"password": s.AdminPassword}, "en")
	b.session = "Session " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%v:%v", s.AdminUser, login[0], login[1]))
	b.call(&b.context, "model.res.user.get_preferences", true, map[string]any{})
	return b
}

func (b *books) sales(like string) (all []sale) {
	b.rows(&all, "sale.sale", []any{"reference", "like", like}, "reference", "state", "total_amount", "shipments", "invoices")
	return all
}

// live says that something of the sale still stands: people wait for it, or one
// of its shipments or invoices is not cancelled.
func (b *books) live(s sale) bool {
	switch s.State {
	case "cancelled":
		return false
	case "draft", "quotation", "confirmed":
		return true
	}
	var shipments, invoices []struct{ State string }
	b.rows(&shipments, "stock.shipment.out", []any{"id", "in", s.Shipments}, "state")
	b.rows(&invoices, "account.invoice", []any{"id", "in", s.Invoices}, "state")
	for _, part := range append(shipments, invoices...) {
		if part.State != "cancelled" {
			return true
		}
	}
	return false
}

func (b *books) rows(into any, model string, clause []any, fields ...string) {
	b.Helper()
	b.call(into, "model."+model+".search_read", []any{clause}, 0, nil, nil, fields, b.context)
}

func (b *books) call(into any, method string, params ...any) {
	b.Helper()
	body, err := json.Marshal(map[string]any{"id": 1, "method": method, "params": params})
	require.NoError(b, err)
	req, err := http.NewRequestWithContext(b.Context(), http.MethodPost, b.url, bytes.NewReader(body))
	require.NoError(b, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", b.session)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(b, err)
	defer resp.Body.Close()
	var reply struct{ Result, Error json.RawMessage }
	require.NoError(b, json.NewDecoder(resp.Body).Decode(&reply), method)
	require.Empty(b, strings.TrimSpace(string(reply.Error)), method)
	require.NoError(b, json.Unmarshal(reply.Result, into), method)
}
