package ui

import (
	"fmt"

	"gapless/store"
)

type callBody struct {
	happening
	ID     int64
	Order  string // where its order is
	Facts  []fact
	File   string // what was said and heard, to the byte; empty: nothing is kept
	Hidden string // why what was said is not shown
}

// callPage shows one call to an ERP, however long ago it was.
func callPage(v *visit) (view, error) {
	t, err := v.Store.Try(v.Context(), v.id())
	if err != nil {
		return view{}, err
	}
	shop, err := v.Store.Shop(v.Context(), t.Shop)
	if err != nil {
		return view{}, err
	}
	c := v.clock(shop)
	body := callBody{happening: done(t, c), ID: t.ID, Order: orderPath(t.Shop, t.DeliveryKey.ID), Hidden: hidden}
	body.Facts = []fact{{"Began", "", c.at(t.StartedAt)}, {"Shop", t.Shop, nil}, {"ERP", t.ERP, nil}, {"Reference", short(t.Ref, 100), nil}, {"Version", c.version(t.Version), nil}}
	if v.seesPeople() {
		body.Hidden = ""
	}
	if said := saidIn(t); said != nil && v.seesPeople() {
		body.Calls, body.File = fitted(exchangesOf(said)), body.Link+"/raw"
	}
	return view{template: "call", title: fmt.Sprintf("Call %d", t.ID), body: body}, nil
}

// mostOfCall is how many bytes of calls a page holds that is about calls alone.
const mostOfCall = 64 << 10

// fitted leaves out the words of exchanges that are too long for one page together.
func fitted(all []exchange) []exchange {
	space := room(mostOfCall)
	for i, x := range all {
		if !space.take(wordsOf(all[i : i+1])) {
			all[i] = exchange{Head: short(x.Head, 200), Answered: short(x.Answered, 200), Left: true}
		}
	}
	return all
}

// callRaw hands over what was said and heard, as it is kept.
func callRaw(v *visit) (view, error) {
	t, err := v.Store.Try(v.Context(), v.id())
	if err != nil {
		return view{}, err
	}
	said := saidIn(t)
	if said == nil {
		return view{}, notFound("What was said in this call is not kept here")
	}
	return view{file: &file{fmt.Sprintf("gapless-call-%d.json", t.ID), "application/json", said}}, nil
}

// saidIn is what was said in an attempt and heard; nil where nothing is kept.
func saidIn(t store.Try) []byte {
	if t.Outcome == nil {
		return nil
	}
	return t.Outcome.Exchanges
}
