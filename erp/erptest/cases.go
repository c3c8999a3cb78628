package erptest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gapless/erp"
)

func mapIsPure(p play) {
	for _, included := range []bool{false, true} {
		s := p.sample()
		s.TaxesIncluded = included
		o, twin := s.Order(), s.Order()
		first, err := p.h.Adapter.Map(o)
		p.noError(err)
		second, err := p.h.Adapter.Map(o)
		p.noError(err)
		p.want(bytes.Equal(first, second), "the same order gave other bytes: %s, %s", first, second)
		p.want(reflect.DeepEqual(twin, o), "Map changed the order")
		p.untouched(o.Ref)
	}
}

func create(p play) {
	doc := p.doc(p.sample().Order(), "1")
	out := p.must(doc, erp.Created)
	p.want(out.ID != "", "created without an ID")
	p.worth(out.Total, doc)
	p.holds(doc)
}

func createAgain(p play) {
	doc := p.doc(p.sample().Order(), "1")
	first := p.must(doc, erp.Created)
	for _, exists := range []bool{true, false} {
		p.h.settle()
		doc.Exists = exists
		out := p.must(doc, erp.Unchanged, erp.Updated)
		p.want(out.ID == first.ID, "document %s became %s", first.ID, out.ID)
		p.holds(doc)
	}
}

// changed is the order of s after a customer took two units less.
func changed(s Sample) erp.Order {
	s.Quantities, s.At = []int64{2, 1, 1}, placed.Add(time.Hour)
	return s.Order()
}

func cancelled(s Sample) erp.Order {
	s.Cancelled, s.At = true, placed.Add(2*time.Hour)
	return s.Order()
}

func change(p play) {
	s := p.sample()
	p.must(p.doc(s.Order(), "1"), erp.Created)
	newer := p.doc(changed(s), "2")
	newer.Exists = true
	p.must(newer, erp.Updated)
	p.holds(newer)
}

// changeForgotten: after a restored backup the engine may not know that the
// document is there.
func changeForgotten(p play) {
	s := p.sample()
	p.must(p.doc(s.Order(), "1"), erp.Created)
	p.h.settle()
	newer := p.doc(changed(s), "2")
	p.must(newer, erp.Updated)
	p.holds(newer)
}

func cancel(p play) {
	s := p.sample()
	p.must(p.doc(s.Order(), "1"), erp.Created)
	doc := p.doc(cancelled(s), "2")
	doc.Exists = true
	p.must(doc, erp.Updated)
	p.gone(doc.Ref)
	p.must(doc, erp.Unchanged, erp.Updated)
	p.gone(doc.Ref)
	found, err := p.h.Adapter.Lookup(p.Context(), doc.Ref, nil)
	p.noError(err)
	for _, f := range found {
		p.want(f.Cancelled, "look-up calls a cancelled document live")
	}
}

func cancelForgotten(p play) {
	s := p.sample()
	p.must(p.doc(s.Order(), "1"), erp.Created)
	p.h.settle()
	doc := p.doc(cancelled(s), "2")
	p.must(doc, erp.Updated)
	p.gone(doc.Ref)
}

func cancelNeverCreated(p play) {
	doc := p.doc(cancelled(p.sample()), "1")
	p.must(doc, erp.Unchanged, erp.Created, erp.Updated)
	p.gone(doc.Ref)
}

func lookup(p play) {
	doc := p.doc(p.sample().Order(), "1")
	found, err := p.h.Adapter.Lookup(p.Context(), doc.Ref, nil)
	p.noError(err)
	p.want(len(found) == 0, "found what is not there: %+v", found)

	out := p.must(doc, erp.Created)
	p.h.settle()
	var transcript erp.Transcript
	found, err = p.h.Adapter.Lookup(p.Context(), doc.Ref, &transcript)
	p.noError(err)
	p.want(len(transcript.Exchanges()) > 0, "the look-up left no transcript")
	p.want(len(found) == 1, "found %d documents, want one", len(found))
	p.want(found[0].ID == out.ID, "delivered as %s, found as %s", out.ID, found[0].ID)
	p.tells(found[0], doc)
}

// tells wants what the adapter found to be the live document doc, as far as
// this ERP tells.
func (p play) tells(found erp.Found, doc erp.Document) {
	p.Helper()
	p.want(found.Ref == doc.Ref, "reference %q, want %q", found.Ref, doc.Ref)
	p.want(!found.Cancelled, "a live document counts as cancelled")
	if found.Version != "" {
		p.want(found.Version == doc.Version, "version %q, want %q", found.Version, doc.Version)
	}
	if found.Currency != "" {
		p.want(found.Currency == doc.Order.Currency, "currency %q", found.Currency)
	}
	p.worth(found.Total, doc)
}

// worth wants a total, where one is told, to equal the order's.
func (p play) worth(total *erp.Amount, doc erp.Document) {
	p.Helper()
	if total != nil {
		p.want(total.Equal(doc.Order.Total.Decimal), "total %s, of the order %s", total, doc.Order.Total)
	}
}

// untouched wants no document at all under ref.
func (p play) untouched(ref string) {
	p.Helper()
	held := p.h.Ledger(p, ref)
	p.want(len(held) == 0, "the ledger should be empty and holds %+v", held)
}

func list(p play) {
	since := p.h.now().Add(-time.Minute)
	s, other := p.sample(), p.sample()
	p.must(p.doc(s.Order(), "1"), erp.Created)
	kept := p.doc(other.Order(), "1")
	p.must(kept, erp.Created)
	off := p.doc(cancelled(s), "2")
	off.Exists = true
	p.must(off, erp.Updated)
	p.h.settle()

	last := map[string]erp.Found{}
	p.noError(p.h.Adapter.List(p.Context(), since, func(f erp.Found) error {
		last[f.Ref] = f
		return nil
	}))
	found, listed := last[kept.Ref]
	p.want(listed, "a new document is not listed")
	p.tells(found, kept)
	if f, listed := last[off.Ref]; listed {
		p.want(f.Cancelled, "the list calls a cancelled document live")
	}

	p.noError(p.h.Adapter.List(p.Context(), p.h.now().Add(time.Hour), func(f erp.Found) error {
		p.want(f.Ref != kept.Ref, "listed, though it did not change since")
		return nil
	}))
}

func listStops(p play) {
	since := p.h.now().Add(-time.Minute)
	for range 2 {
		p.must(p.doc(p.sample().Order(), "1"), erp.Created)
	}
	p.h.settle()
	stop, calls := errors.New("enough"), 0
	err := p.h.Adapter.List(p.Context(), since, func(erp.Found) error {
		calls++
		return stop
	})
	p.want(errors.Is(err, stop), "the error of yield became %v", err)
	p.want(calls == 1, "yield was called %d times after it said stop", calls)
}

func totals(p play) {
	for _, included := range []bool{false, true} {
		for _, discounted := range []bool{false, true} {
			p.Run(fmt.Sprintf("tax included %t, discount %t", included, discounted), func(t *testing.T) {
				p := play{t, p.h}
				s := p.sample()
				s.TaxesIncluded, s.NoDiscount = included, !discounted
				doc := p.doc(s.Order(), "1")
				out := p.must(doc, erp.Created)
				p.worth(out.Total, doc)
				p.holds(doc)
			})
		}
	}
}

func oddOrders(p play) {
	odd := map[string]func(*Sample, *erp.Order){
		"a line with none left": func(s *Sample, o *erp.Order) {
			s.Quantities = []int64{2, 0, 3}
			*o = s.Order()
		},
		"no shipping": func(s *Sample, o *erp.Order) {
			s.NoShipping = true
			*o = s.Order()
		},
		"no customer": func(_ *Sample, o *erp.Order) {
			o.Customer, o.Email, o.Phone = nil, "", ""
		},
		"no addresses": func(_ *Sample, o *erp.Order) {
			o.Billing, o.ShippingTo = nil, nil
		},
		"nobody at all": func(_ *Sample, o *erp.Order) {
			o.Customer, o.Email, o.Phone, o.Billing, o.ShippingTo, o.Note = nil, "", "", nil, nil, ""
		},
		"duties, fees, a tip, rounding": func(_ *Sample, o *erp.Order) {
			o.Duties, o.Fees, o.Tip, o.Rounding = cents("3.00"), cents("1.25"), cents("2.00"), cents("-0.01")
			o.Total = erp.NewAmount(o.Total.Add(cents("6.24").Decimal), 2)
		},
		"many scripts": func(_ *Sample, o *erp.Order) {
			o.Note = "Γειά σου 漢字 🎁 \u202eright to left\u202c \"quotes\" <b>&amp;\n\ttabs"
			o.Lines[0].Title = "Tričko 👕 ﷽ naïve — “x”"
			o.Customer.FirstName, o.ShippingTo.City = "Nguyễn", "Kraków"
		},
	}
	for name, twist := range odd {
		p.Run(name, func(t *testing.T) {
			p := play{t, p.h}
			s := p.sample()
			o := s.Order()
			twist(&s, &o)
			doc := p.doc(o, "1")
			p.must(doc, erp.Created)
			p.holds(doc)
		})
	}
}

func refusal(p play) {
	o := p.sample().Order()
	p.h.Refused(&o)
	doc := p.doc(o, "1")
	out := p.must(doc, erp.Rejected)
	p.want(out.Field != "", "which field is at fault?")
	p.want(out.Hint != "", "what should a person do?")
	p.h.settle()
	p.untouched(o.Ref)
}

func plan(p play) {
	s := p.sample()
	doc := p.doc(s.Order(), "1")
	p.plans(doc)
	p.untouched(doc.Ref)

	p.must(doc, erp.Created)
	newer := p.doc(changed(s), "2")
	newer.Exists = true
	p.plans(newer)
	p.holds(doc)
}

// plans wants at least one writing call, whole and without secrets.
func (p play) plans(doc erp.Document) {
	p.Helper()
	calls, err := p.h.Adapter.Plan(p.Context(), doc)
	p.noError(err)
	p.want(len(calls) > 0, "the plan names no call")
	for _, c := range calls {
		p.want(c.Method != "" && c.URL != "", "a call without method or address: %+v", c)
		for _, secret := range p.h.Secrets {
			p.want(!strings.Contains(fmt.Sprintf("%+v", c), secret), "a secret in the plan")
		}
	}
}

// tooLate: a call whose context is over never reaches the ERP.
func tooLate(p play) {
	doc := p.doc(p.sample().Order(), "1")
	ctx, end := context.WithCancel(p.Context())
	end()
	out := p.deliver(ctx, doc)
	p.want(out.Result == erp.Retry || out.Result == erp.Unknown, "outcome %s", out.Result)
	p.h.settle()
	p.untouched(doc.Ref)
	_, err := p.h.Adapter.Lookup(ctx, doc.Ref, nil)
	p.want(err != nil, "a look-up whose context is over succeeded")
}

func sideBySide(p play) {
	docs := make([]erp.Document, 4)
	results := make([]erp.Outcome, len(docs))
	var calls sync.WaitGroup
	for i := range docs {
		docs[i] = p.doc(p.sample().Order(), "1")
		calls.Go(func() { results[i] = p.h.Adapter.Deliver(p.Context(), docs[i], new(erp.Transcript)) })
	}
	calls.Wait()
	for i, doc := range docs {
		// An ERP may push back under load, but only where nothing happened.
		if results[i].Result != erp.Created {
			p.want(results[i].Result == erp.Retry, "outcome %s: %s", results[i].Result, results[i].Reason)
			p.must(doc, erp.Created)
		}
		p.holds(doc)
	}
}

func check(p play) {
	p.noError(p.h.Adapter.Check(p.Context()))
	tiers := []erp.Tier{erp.TierA, erp.TierB, erp.TierC}
	p.want(slices.Contains(tiers, p.h.Adapter.Tier()), "tier %q", p.h.Adapter.Tier())
}
