package tryton

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/erp/tryton/trytontest"
)

// rig is an adapter on the real Tryton and the way behind its back.
type rig struct {
	*testing.T
	*Adapter
	books *books
}

// open starts an adapter whose settings differ from the usual ones by twist.
func open(t *testing.T, twist func(*Settings)) rig {
	server := trytontest.Start(t)
	s := settings(server, server.URL)
	twist(&s)
	return rig{t, newAdapter(t, s), openBooks(t, server)}
}

func quotation(s *Settings) { s.State = stateQuotation }
func confirmed(s *Settings) { s.State = stateConfirmed }

// sample starts an order under a reference of this test's own.
func (r rig) sample(name string) erptest.Sample {
	return erptest.Sample{Ref: "acme-" + strings.ReplaceAll(r.Name(), "/", "-") + "-" + name}
}

// deliver wants the result and returns the outcome.
func (r rig) deliver(o erp.Order, version string, want erp.Result) erp.Outcome {
	r.Helper()
	out := r.Deliver(r.Context(), docOf(r, r.Adapter, o, version), nil)
	require.Equal(r, want, out.Result, out.Reason)
	return out
}

// refuses wants a refusal that names the field and leaves no sale behind.
func (r rig) refuses(o erp.Order, field string) erp.Outcome {
	r.Helper()
	out := r.deliver(o, "1", erp.Rejected)
	require.Equal(r, field, out.Field, out.Reason)
	require.NotEmpty(r, out.Hint)
	require.Empty(r, r.books.sales(r, o.Ref))
	return out
}

func less(s erptest.Sample) erp.Order {
	s.Quantities = []int64{1, 1, 1}
	return s.Order()
}

func off(s erptest.Sample) erp.Order {
	s.Cancelled = true
	return s.Order()
}

func TestTwoOrdersOfANewCustomerMakeOneParty(t *testing.T) {
	r := open(t, quotation)
	const customer = 7001
	var both sync.WaitGroup
	outs := make([]erp.Outcome, 2)
	for i := range outs {
		o := r.sample(fmt.Sprint(i)).Order()
		o.Customer.ID = customer
		alone := open(t, quotation) // its cache knows nothing of the other's
		doc := docOf(t, alone.Adapter, o, "1")
		both.Go(func() { outs[i] = alone.Deliver(context.WithoutCancel(t.Context()), doc, nil) })
	}
	both.Wait()
	for _, out := range outs {
		require.Equal(t, erp.Created, out.Result, out.Reason)
	}
	var parties []struct{ ID int64 }
	r.books.rows(t, &parties, "party.party", []any{[]any{"code", "=", fmt.Sprint("acme-", customer)}})
	require.Len(t, parties, 1)
}

// A shop that moves to another time zone may date its orders anew; what is
// booked stays.
func TestASaleThatIsBookedKeepsItsDate(t *testing.T) {
	r := open(t, confirmed)
	o := r.sample("").Order()
	o.Date = "2026-11-23"
	r.deliver(o, "1", erp.Created)
	booked := r.books.one(t, o.Ref)
	require.Equal(t, day{2026, 11, 23}, booked.Date)
	o.Date = "2026-11-24"
	r.deliver(o, "2", erp.Updated)
	after := r.books.one(t, o.Ref)
	require.Equal(t, booked.ID, after.ID)
	require.Equal(t, booked.Date, after.Date)
}

// TestTotalsToTheCent: orders drawn at random from fixed seeds, and those a
// merchant would try first, are worth the same in Tryton.
func TestTotalsToTheCent(t *testing.T) {
	r := open(t, func(s *Settings) {
		quotation(s)
		s.Taxes = map[string]string{"0.04": "State tax 4"}
	})
	orders := map[string]erp.Order{}
	for seed := range 8 {
		o := rapid.Custom(anOrder).Example(seed)
		for i := range o.Lines {
			o.Lines[i].SKU = erptest.DefaultSKUs[i%3]
		}
		orders[fmt.Sprint("random ", seed)] = o
	}
	orders["refunded in part"] = less(erptest.Sample{})
	orders["refunded in whole"] = erptest.Sample{Quantities: []int64{0, 0, 0}, NoShipping: true}.Order()
	tip := erptest.Order("")
	tip.Tip, tip.Duties, tip.Fees = amountOf("3.00"), amountOf("12.34"), amountOf("0.50")
	tip.Total = erp.NewAmount(tip.Total.Add(decimal.RequireFromString("15.84")), 2)
	orders["tip, duties and fees"] = tip
	for name, o := range orders {
		t.Run(name, func(t *testing.T) {
			r := rig{t, r.Adapter, r.books}
			o.Ref = r.sample("").Ref
			out := r.deliver(o, "1", erp.Created)
			require.True(t, out.Total.Equal(o.Total.Decimal), "told: %s, order: %s", out.Total, o.Total)
			held := r.books.one(t, o.Ref)
			require.True(t, held.Total.Decimal.Equal(o.Total.Decimal), "held: %s, order: %s", held.Total.Decimal, o.Total)
		})
	}
}

// TestUsualOrderNeedsNoRounding: the books show Shopify's own net and tax.
func TestUsualOrderNeedsNoRounding(t *testing.T) {
	r := open(t, quotation)
	o := erptest.Sample{Ref: r.sample("").Ref, TaxesIncluded: true, NoDiscount: true}.Order()
	r.deliver(o, "1", erp.Created)
	held := r.books.one(t, o.Ref)
	require.Len(t, held.Lines, 4)
	require.True(t, held.Tax.Decimal.Equal(o.TotalTax.Decimal), "%s, Shopify: %s", held.Tax.Decimal, o.TotalTax)
}

func TestAConfirmedSaleIsInvoicedAndShipped(t *testing.T) {
	r := open(t, confirmed)
	o := r.sample("").Order()
	r.deliver(o, "1", erp.Created)
	held := r.books.one(t, o.Ref)
	require.Equal(t, stateProcessing, held.State)
	require.Len(t, held.Shipments, 1)
	var invoices []struct {
		Total amount `json:"total_amount"`
	}
	r.books.rows(t, &invoices, "account.invoice", []any{[]any{"id", "in", held.Invoices}}, "total_amount")
	require.Len(t, invoices, 1)
	require.True(t, invoices[0].Total.Decimal.Equal(o.Total.Decimal), "invoiced: %s", invoices[0].Total.Decimal)
}

func TestAChangeBeforeProcessingKeepsTheSale(t *testing.T) {
	for _, state := range []string{stateDraft, stateQuotation} {
		t.Run(state, func(t *testing.T) {
			r := open(t, func(s *Settings) { s.State = state })
			s := r.sample("")
			r.deliver(s.Order(), "1", erp.Created)
			before := r.books.one(t, s.Ref)
			r.deliver(less(s), "2", erp.Updated)
			after := r.books.one(t, s.Ref)
			require.Equal(t, before.ID, after.ID)
			require.Equal(t, before.Number, after.Number)
			require.Equal(t, state, after.State)
			require.True(t, after.Total.Decimal.Equal(less(s).Total.Decimal))
			r.deliver(less(s), "2", erp.Unchanged)
		})
	}
}

func TestAChangeAfterProcessingReplacesTheSale(t *testing.T) {
	r := open(t, confirmed)
	s := r.sample("")
	r.deliver(s.Order(), "1", erp.Created)
	before := r.books.one(t, s.Ref)
	calls, err := r.Plan(t.Context(), docOf(t, r.Adapter, less(s), "2"))
	require.NoError(t, err)
	require.Contains(t, fmt.Sprint(calls), "stock.shipment.out.cancel")
	require.Contains(t, fmt.Sprint(calls), "sale.sale.create")

	r.deliver(less(s), "2", erp.Updated)
	require.NotEqual(t, before.ID, r.books.one(t, s.Ref).ID)
	found, err := r.Lookup(t.Context(), s.Ref, nil)
	require.NoError(t, err)
	require.Len(t, found, 1, "the replaced sale has left the reference")
	require.Equal(t, "2", found[0].Version)
}

func TestWhatIsInvoicedIsLeftToPeople(t *testing.T) {
	r := open(t, confirmed)
	s := r.sample("")
	r.deliver(s.Order(), "1", erp.Created)
	before := r.books.one(t, s.Ref)
	r.books.call(t, nil, "model.account.invoice.write", before.Invoices,
		map[string]any{"invoice_date": date{time.Now()}})
	r.books.call(t, nil, "model.account.invoice.post", before.Invoices)
	for _, o := range []erp.Order{less(s), off(s)} {
		out := r.deliver(o, "2", erp.Rejected)
		require.Contains(t, out.Reason, "invoiced")
		require.NotEmpty(t, out.Hint)
		require.Equal(t, before, r.books.one(t, s.Ref))
	}
	renoted := s.Order()
	renoted.Note = "Only the note is new"
	r.deliver(renoted, "3", erp.Updated)
	after := r.books.one(t, s.Ref)
	require.Equal(t, before.ID, after.ID)
	require.Contains(t, after.Comment, renoted.Note)
}

func TestCancelInEveryState(t *testing.T) {
	for _, state := range []string{stateDraft, stateQuotation, stateConfirmed} {
		t.Run(state, func(t *testing.T) {
			r := open(t, func(s *Settings) { s.State = state })
			s := r.sample("")
			r.deliver(s.Order(), "1", erp.Created)
			calls, err := r.Plan(t.Context(), docOf(t, r.Adapter, off(s), "2"))
			require.NoError(t, err)
			require.NotEmpty(t, calls)
			r.deliver(off(s), "2", erp.Updated)
			for _, e := range r.books.sales(t, s.Ref) {
				require.False(t, r.books.live(t, e))
			}
			r.deliver(off(s), "2", erp.Unchanged)
			found, err := r.Lookup(t.Context(), s.Ref, nil)
			require.NoError(t, err)
			require.Len(t, found, 1)
			require.True(t, found[0].Cancelled)
			require.Equal(t, "2", found[0].Version)
		})
	}
}

func TestUnknownArticle(t *testing.T) {
	r := open(t, quotation)
	o := r.sample("").Order()
	o.Lines[1].SKU = "NEVER-SEEN"
	out := r.refuses(o, "lines[1].sku")
	require.Contains(t, out.Hint, "NEVER-SEEN")

	r = open(t, func(s *Settings) { quotation(s); s.FallbackProduct = "OTHER" })
	r.deliver(o, "1", erp.Created)
}

func TestUnknownTax(t *testing.T) {
	r := open(t, quotation)
	o := r.sample("none").Order()
	o.Lines[0].Taxes[0].Rate = decimal.RequireFromString("0.33")
	r.refuses(o, "lines[0].taxes")

	// 7 % is the rate of two taxes: a title must decide.
	o = anOrderAt(t, r.sample("two").Ref, "0.07")
	r.refuses(o, "lines[0].taxes")
	r = open(t, func(s *Settings) { quotation(s); s.Taxes = map[string]string{"reduced": "Reduced B 7"} })
	r.deliver(o, "1", erp.Created)
}

// anOrderAt is an order of one mug at 10.00 with one tax called "Reduced".
func anOrderAt(t *testing.T, ref, rate string) erp.Order {
	t.Helper()
	r := decimal.RequireFromString(rate)
	tax := erp.Tax{Title: "Reduced", Rate: r, Amount: erp.NewAmount(r.Shift(1), 2)}
	o := erptest.Sample{Ref: ref, NoShipping: true, NoDiscount: true}.Order()
	o.Lines = o.Lines[1:2]
	l := &o.Lines[0]
	l.UnitPrice, l.Amount, l.Tax, l.Taxes = amountOf("10.00"), amountOf("10.00"), tax.Amount, []erp.Tax{tax}
	o.Total = erp.NewAmount(l.Amount.Add(tax.Amount.Decimal), 2)
	return o
}

func TestATotalThatRoundingCannotExplain(t *testing.T) {
	r := open(t, confirmed)
	o := r.sample("").Order()
	o.Total = erp.NewAmount(o.Total.Add(decimal.NewFromInt(1)), 2)
	out := r.refuses(o, "total")
	require.Contains(t, out.Reason, "differ by 1")
}

func TestUnknownCurrencyAndCountry(t *testing.T) {
	r := open(t, quotation)
	o := r.sample("currency").Order()
	o.Currency = "CHF"
	r.refuses(o, "currency")
	o = r.sample("country").Order()
	o.ShippingTo.CountryCode = "ZZ"
	r.refuses(o, "shipping_to.country_code")
}

func TestAPersonsEdits(t *testing.T) {
	r := open(t, quotation)
	s := r.sample("")
	r.deliver(s.Order(), "1", erp.Created)
	before := r.books.one(t, s.Ref)
	write := func(v map[string]any) { r.books.call(t, nil, "model.sale.sale.write", []int64{before.ID}, v) }

	write(map[string]any{"comment": "Call before delivery\n" + before.Comment})
	r.deliver(s.Order(), "1", erp.Unchanged)
	r.books.call(t, nil, "model.sale.line.write", before.Lines[:1], map[string]any{"quantity": 5})
	r.deliver(s.Order(), "1", erp.Updated)
	after := r.books.one(t, s.Ref)
	require.Equal(t, before.ID, after.ID)
	require.True(t, after.Total.Decimal.Equal(s.Order().Total.Decimal), "Shopify's content again")
	require.True(t, strings.HasPrefix(after.Comment, "Call before delivery\n"), "a person's words stay")

	write(map[string]any{"comment": "all gone"})
	found, err := r.Lookup(t.Context(), s.Ref, nil)
	require.NoError(t, err)
	require.Empty(t, found[0].Version)
	r.deliver(s.Order(), "2", erp.Updated)
	again := r.books.one(t, s.Ref)
	require.Equal(t, after.Lines, again.Lines, "only the comment was written")

	r.books.call(t, nil, "model.sale.sale.cancel", []int64{before.ID})
	r.deliver(s.Order(), "2", erp.Updated)
	require.Equal(t, before.ID, r.books.one(t, s.Ref).ID, "a cancelled sale is taken up again")
}

func TestAVanishedSaleIsLookedUpBeforeItIsMadeAgain(t *testing.T) {
	r := open(t, quotation)
	doc := docOf(t, r.Adapter, r.sample("").Order(), "1")
	doc.Exists = true
	out := r.Deliver(t.Context(), doc, nil)
	require.Equal(t, erp.Unknown, out.Result)
	require.Empty(t, r.books.sales(t, doc.Ref))
}

// TestAReadThatFailsAfterTheCreate: the draft is there, so "nothing happened"
// would be a lie.
func TestAReadThatFailsAfterTheCreate(t *testing.T) {
	server := trytontest.Start(t)
	proxy := erptest.NewProxy(t, server.URL, func(_ *http.Request, body []byte) bool {
		return strings.Contains(string(body), `"model.sale.sale.search_read"`)
	})
	s := settings(server, proxy.URL())
	s.State = stateQuotation
	r := rig{t, newAdapter(t, s), openBooks(t, server)}
	proxy.Fault(erptest.None) // the look-up
	met := proxy.Fault(erptest.ServerError)
	o := r.sample("").Order()
	out := r.deliver(o, "1", erp.Unknown)
	require.NotEmpty(t, out.Reason)
	<-met
	require.Equal(t, stateDraft, r.books.one(t, o.Ref).State)
	r.deliver(o, "1", erp.Updated)
	require.Equal(t, stateQuotation, r.books.one(t, o.Ref).State)
}

func TestSeveralLiveSales(t *testing.T) {
	r := open(t, quotation)
	s := r.sample("")
	r.deliver(s.Order(), "1", erp.Created)
	first := r.books.one(t, s.Ref)
	twin := func() {
		var ids []int64
		r.books.call(t, &ids, "model.sale.sale.copy", []int64{first.ID}, map[string]any{})
		require.Len(t, ids, 1)
	}
	twin() // as if a request of ours came through late: a draft with our mark
	require.Len(t, r.books.sales(t, s.Ref), 2)
	r.deliver(s.Order(), "1", erp.Unchanged)
	require.Equal(t, first.ID, r.books.one(t, s.Ref).ID)

	twin()
	for _, e := range r.books.sales(t, s.Ref) {
		r.books.call(t, nil, "model.sale.sale.quote", []int64{e.ID})
	}
	out := r.deliver(s.Order(), "1", erp.Rejected)
	require.Equal(t, "ref", out.Field)
	require.Len(t, r.books.sales(t, s.Ref), 2, "which of the two is for a person to say")
}
