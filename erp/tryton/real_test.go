package tryton

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/erp/tryton/trytontest"
)

// settings are those of the seeded Tryton at url.
func settings(s trytontest.Server, url string) Settings {
	return Settings{
		URL: url, Database: s.Database, User: s.User, Password: s.Password,
		Products: Products{Tip: "TIP", Duties: "DUTIES", Fees: "FEES", GiftCard: "GIFT-50"},
		Timeout:  time.Minute,
	}
}

func newAdapter(t testing.TB, s Settings) *Adapter {
	t.Helper()
	a, err := New(s, &http.Client{Transport: &http.Transport{}}, time.Now)
	require.NoError(t, err)
	return a
}

// TestConformance plays the suite against a real Tryton, through a proxy that
// breaks its writing requests. Tryton takes half a second to process a sale, so
// all faults strike sales that stop at quotation, and those that leave the most
// behind strike confirmed ones too.
func TestConformance(t *testing.T) {
	const elsewhere = "strikes sales that stop at quotation; the confirmed ones take too long for all"
	for state, h := range map[string]erptest.Harness{
		"quotation": {Writes: 2}, // create, quote
		"confirmed": {Writes: 3, Skip: map[erptest.Fault]string{
			erptest.TimeoutBeforeEffect: elsewhere, erptest.TimeoutAfterEffect: elsewhere,
			erptest.ServerError: elsewhere, erptest.Unavailable: elsewhere,
			erptest.HTML: elsewhere, erptest.CutBeforeEffect: elsewhere,
		}},
	} {
		t.Run(state, func(t *testing.T) { conformance(t, state, h) })
	}
}

func conformance(t *testing.T, state string, h erptest.Harness) {
	server := trytontest.Start(t)
	proxy := erptest.NewProxy(t, server.URL, writes)
	proxy.Nothing = []byte(`{"id":1,"result":null}`)
	s := settings(server, proxy.URL())
	s.State = state
	adapter := newAdapter(t, s)
	books := openBooks(t, server)

	// The suite counts the writes of a create. Party and address of its customer
	// are there from the first order on: make them now.
	first := docOf(t, adapter, erptest.Order("acme-first-"+state), "1")
	out := adapter.Deliver(t.Context(), first, nil)
	require.Equal(t, erp.Created, out.Result, out.Reason)

	h.Adapter, h.Ledger = adapter, books.found
	h.Lines = true
	h.Fault, h.Settle = proxy.Fault, proxy.Settle
	h.Refused = func(o *erp.Order) { o.Lines[1].SKU = "NO-SUCH-ARTICLE" }
	h.Secrets = []string{server.Password}
	erptest.Run(t, func(*testing.T) erptest.Harness { return h })
}

// writes tells the methods that change something from those that only read.
func writes(_ *http.Request, body []byte) bool {
	var call struct {
		Method string `json:"method"`
	}
	if json.Unmarshal(body, &call) != nil {
		return false
	}
	last := call.Method[strings.LastIndex(call.Method, ".")+1:]
	return !slices.Contains([]string{"search_read", "get_preferences", "login", "version"}, last)
}

func docOf(t testing.TB, a erp.Adapter, o erp.Order, version string) erp.Document {
	t.Helper()
	body, err := a.Map(o)
	require.NoError(t, err)
	return erp.Document{Ref: o.Ref, Version: version, Order: o, Body: body, Cancelled: o.CancelledAt != nil}
}

// books is the way into Tryton behind the adapter's back: the administrator's,
// with code of its own.
type books struct {
	url, session string
	context      map[string]any
}

func openBooks(t testing.TB, s trytontest.Server) *books {
	t.Helper()
	b := &books{url: s.URL + "/" + s.Database + "/"}
	var login []any
	b.post(t, &login, "common.db.login", s.AdminUser, map[string]string{"password": s.AdminPassword}, "en")
	key := fmt.Sprintf("%s:%v:%v", s.AdminUser, login[0], login[1])
	b.session = "Session " + base64.StdEncoding.EncodeToString([]byte(key))
	b.post(t, &b.context, "model.res.user.get_preferences", true, map[string]any{})
	return b
}

// call runs a method as the administrator; Tryton must not mind.
func (b *books) call(t testing.TB, out any, method string, params ...any) {
	t.Helper()
	b.post(t, out, method, append(params, b.context)...)
}

func (b *books) post(t testing.TB, out any, method string, params ...any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"id": 1, "method": method, "params": append([]any{}, params...)})
	require.NoError(t, err)
	req, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, b.url, bytes.NewReader(body))
	require.NoError(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", b.session)
	req.Close = true
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	var reply struct {
		Result json.RawMessage
		Error  json.RawMessage
	}
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&reply), method)
	require.Empty(t, string(reply.Error), method)
	if out != nil {
		require.NoError(t, json.Unmarshal(reply.Result, out), method)
	}
}

// rows reads fields of the records of model in the domain, by id.
func (b *books) rows(t testing.TB, out any, model string, domain []any, fields ...string) {
	t.Helper()
	b.call(t, out, "model."+model+".search_read", domain, 0, nil, []any{[]any{"id", "ASC"}}, fields)
}

// entry is a sale as it stands in the books.
type entry struct {
	ID          int64
	Number      string
	Reference   string
	State       string
	Comment     string
	Description string
	Date        day    `json:"sale_date"`
	Total       amount `json:"total_amount"`
	Untaxed     amount `json:"untaxed_amount"`
	Tax         amount `json:"tax_amount"`
	Party       int64
	Shipments   []int64
	Invoices    []int64
	Lines       []int64
}

type day struct{ Year, Month, Day int }

type amount struct{ Decimal decimal.Decimal }

type state struct{ State string }

// sales are all sales that bear the reference, or did until they were replaced.
func (b *books) sales(t testing.TB, ref string) []entry {
	t.Helper()
	var all []entry
	b.rows(t, &all, "sale.sale", []any{[]any{"reference", "in", []string{ref, ref + " (replaced)"}}},
		"number", "reference", "state", "comment", "description", "sale_date", "total_amount", "untaxed_amount", "tax_amount",
		"party", "shipments", "invoices", "lines")
	return all
}

// live says whether anything of the sale still stands: it waits for people, or
// one of its shipments or invoices is not cancelled.
func (b *books) live(t testing.TB, e entry) bool {
	t.Helper()
	switch e.State {
	case "cancelled":
		return false
	case "draft", "quotation", "confirmed":
		return true
	}
	var shipments, invoices []state
	b.rows(t, &shipments, "stock.shipment.out", []any{[]any{"id", "in", e.Shipments}}, "state")
	b.rows(t, &invoices, "account.invoice", []any{[]any{"id", "in", e.Invoices}}, "state")
	return slices.ContainsFunc(append(shipments, invoices...), func(s state) bool { return s.State != "cancelled" })
}

// one is the only live sale with the reference.
func (b *books) one(t testing.TB, ref string) entry {
	t.Helper()
	var live []entry
	for _, e := range b.sales(t, ref) {
		if b.live(t, e) {
			live = append(live, e)
		}
	}
	require.Len(t, live, 1, "live sales")
	require.Equal(t, ref, live[0].Reference)
	return live[0]
}

func (b *books) found(t testing.TB, ref string) []erp.Found {
	t.Helper()
	var found []erp.Found
	for _, e := range b.sales(t, ref) {
		total := erp.NewAmount(e.Total.Decimal, 2)
		found = append(found, erp.Found{
			Ref: e.Reference, ID: fmt.Sprint(e.ID), Total: &total, Currency: "EUR", Cancelled: !b.live(t, e),
		})
	}
	return found
}
