package ui

import (
	"html/template"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// overviewBody is what the overview shows.
type overviewBody struct {
	Shops      []shopToday
	Gaps       []gapCount
	Live       int64
	Last       lastHour
	Throughput template.HTML
	Lags       template.HTML
	Lines      []lineState
}

// shopToday is one shop's day so far.
type shopToday struct {
	Name     string
	Alone    bool // the only one: its verdict is the page's
	Tone     string
	Icon     string
	Sentence string
	Equation []term
	Complete *moment   // every change before it was compared; nil: none was
	Compared *moment   // when the last comparison began
	Balanced bool      // it read all sides whole, and they add up
	Run      int64     // the last comparison
	Healed   int64     // gaps of today that are closed
	Money    int       // currencies
	Old      time.Time // of when its figures are, which are being made anew; zero: of now
	Left     string    // what does not add up
	Notes    []string
	gaps     store.ShopGaps // of all days
}

// term is one number of the equation.
type term struct {
	Label, URL string
	Orders     int64
	Money      []string
	Tone       string
}

type gapCount struct {
	Kind, Text, URL string
	N               int64
	Oldest          *moment
}

type lastHour struct {
	store.LastHour
	Half, Most string
}

// lineState is how one connection is.
type lineState struct {
	Icon, Name, What string
	Tone, State      string
	At               *moment
}

// overview answers: is anything missing?
func overview(v *visit) (view, error) {
	body, asOf := overviewBody{}, v.now
	var err error
	if body.Shops, err = v.shopsToday(); err != nil {
		return view{}, err
	}
	for _, t := range body.Shops {
		if !t.Old.IsZero() && t.Old.Before(asOf) {
			asOf = t.Old
		}
	}
	kinds, err := v.Store.LiveGapKinds(v.Context())
	if err != nil {
		return view{}, err
	}
	first, err := v.firstClock()
	if err != nil {
		return view{}, err
	}
	for _, k := range kinds {
		body.Live += k.N
		body.Gaps = append(body.Gaps, gapCount{k.Kind, report.KindText(k.Kind), "/gaps?kind=" + k.Kind, k.N, first.at(k.Oldest)})
	}
	last, err := v.Store.LastHour(v.Context(), v.now)
	if err != nil {
		return view{}, err
	}
	body.Last = lastHour{last, span(last.Lag), span(last.LagMost)}
	hours, err := v.hours(v.Context())
	if err != nil {
		return view{}, err
	}
	body.Throughput, body.Lags = throughput(hours, first), lags(hours, first)
	body.Lines, err = v.lines()
	return view{template: "overview", title: "Overview", body: body, asOf: asOf}, err
}

// firstClock is the first shop's: what is about all shops goes by it.
func (v *visit) firstClock() (clock, error) {
	if len(v.Shops) == 0 {
		return clock{time.UTC, v.now}, nil
	}
	shop, err := v.Store.Shop(v.Context(), v.Shops[0])
	return v.clock(shop), err
}

func (v *visit) shopsToday() ([]shopToday, error) {
	var all []shopToday
	for _, name := range v.Shops {
		t, err := v.shopToday(name)
		if err != nil {
			return nil, err
		}
		t.Alone = len(v.Shops) == 1
		all = append(all, t)
	}
	return all, nil
}

func (v *visit) shopToday(name string) (shopToday, error) {
	t := shopToday{Name: name}
	shop, err := v.Store.Shop(v.Context(), name)
	if err != nil {
		return t, err
	}
	c := v.clock(shop)
	b, old, err := v.today(v.Context(), name, c.midnight())
	if err != nil {
		return t, err
	}
	if t.Healed, err = v.Store.HealedSince(v.Context(), name, c.midnight()); err != nil {
		return t, err
	}
	compared, err := v.compared(v.Context(), name)
	if err != nil {
		return t, err
	}
	if compared.At != nil {
		t.Compared, t.Balanced, t.Run = c.at(*compared.At), compared.Balanced, compared.Run
	}
	if t.gaps, err = v.Store.ShopGaps(v.Context(), name); err != nil {
		return t, err
	}
	t.Old = old
	t.Complete = c.at(shop.CompleteThrough)
	t.judge(b, v.sight(shop))
	t.equate(b, c.midnight().Format(time.DateOnly))
	return t, nil
}

// equate makes the terms of the day's equation. Each leads to the list of what it
// counts, if there is one.
func (t *shopToday) equate(b report.Balance, day string) {
	shop := template.URLQueryEscaper(t.Name)
	orders, missing := "/orders?shop="+shop+"&day="+day, "/gaps?shop="+shop+"&kind=missing"
	if t.gaps.Missing != b.Missing.Orders {
		missing = "" // that list is of all days
	}
	for _, part := range []struct {
		label, url, tone string
		tally            report.Tally
	}{
		{"in Shopify", orders, "", b.Shopify},
		{"in the ERP", orders + "&state=delivered", "", b.ERP},
		{"cancelled", "", "", b.Cancelled},
		{"left out by a rule", orders + "&state=excluded", "", b.Excluded},
		{"on the way", orders + "&state=moving", "", b.Pending},
		{"waiting for you", orders + "&state=parked", "warn", b.Parked},
		{"missing", missing, "bad", b.Missing},
	} {
		x := term{Label: part.label, URL: part.url, Orders: part.tally.Orders, Tone: part.tone}
		for _, m := range part.tally.Money {
			if part.tally.Orders > 0 {
				x.Money = append(x.Money, m.String())
			}
		}
		if x.Orders == 0 {
			x.Tone = "zero"
		}
		t.Equation = append(t.Equation, x)
	}
}
