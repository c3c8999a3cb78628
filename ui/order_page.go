package ui

import (
	"encoding/json"
	"errors"
	"net/url"
	"strconv"
	"strings"

	"gapless/store"
	"gapless/sync/report"
)

type orderBody struct {
	Name, Shop string
	ID         int64
	Badge      badge
	Next       string // what happens, or is to be done
	Hint       string
	Admin      string
	InERP      string // where the ERP's document is seen
	MayAct     bool
	Facts      []fact
	Sides      []side
	Lines      linesBody
	Ask        string // where the ERP is asked for its lines; empty: nowhere
	Unread     string // why the lines can't be shown
	Gaps       []gapRow
	AllGaps    string // where all are; empty: here
	Course     history
	Earlier    string // where all of the course is that is read
	Document   string // the order as rules and mapping see it
	Hidden     string // why Document, and what was said and heard, is not shown
}

// side is one thing as Shopify has it and as the ERP does.
type side struct {
	What, Shopify, ERP string
	Differs            bool
}

// orderPage tells all that was heard of an order, decided about it, and done.
func orderPage(v *visit) (view, error) {
	id, err := strconv.ParseInt(v.params.ByName("id"), 10, 64)
	if err != nil {
		return view{}, notFound("There is no such order here")
	}
	key := store.OrderKey{Shop: v.params.ByName("shop"), ID: id}
	o, err := v.Store.Order(v.Context(), key)
	if errors.Is(err, store.ErrNotFound) {
		return view{}, notFound("There is no such order here")
	}
	if err != nil {
		return view{}, err
	}
	d, err := v.Store.Delivery(v.Context(), key)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return view{}, err
	}
	shop, err := v.Store.Shop(v.Context(), key.Shop)
	if err != nil {
		return view{}, err
	}
	c := v.clock(shop)
	body := orderBody{Name: short(o.Name, 60), Shop: o.Shop, ID: o.ID, Badge: orderBadge(o, d), Admin: v.adminOrder(o.Shop, o.ID), InERP: v.erpDocument(d), MayAct: v.may("operator") && d.State != "",
		Facts: orderFacts(o, d, c), Sides: sidesOf(o, d, c)}
	body.Next, body.Hint = orderNext(d, c)
	gaps, err := v.Store.Gaps(v.Context(), store.GapFilter{Shop: o.Shop, OrderID: o.ID, Limit: mostGaps + 1})
	if err != nil {
		return view{}, err
	}
	if len(gaps) > mostGaps {
		gaps, body.AllGaps = gaps[:mostGaps], gapsOf(key)
	}
	for _, g := range gaps {
		body.Gaps = append(body.Gaps, gapRowOf(g, c))
	}
	if !v.seesPeople() {
		body.Hidden = hidden
	}
	said, err := v.Store.Tries(v.Context(), store.TryFilter{Order: key, Limit: mostSaid, Full: true})
	if err != nil {
		return view{}, err
	}
	v.fillSheet(&body, o, d, said, c)
	body.Course, err = v.course(key, gaps, said, c)
	if more := len(body.Course.All) - shownAtFirst; more > 0 && v.URL.Query().Get("all") == "" {
		body.Course.All, body.Earlier = body.Course.All[more:], v.with("all", "yes")
	}
	return view{template: "order", title: "Order " + body.Name, body: body}, err
}

// mostGaps is how many gaps of an order its page tells of.
const mostGaps = 20

// gapsOf is where all gaps of an order are listed.
func gapsOf(k store.OrderKey) string {
	return "/gaps?" + url.Values{"state": {"all"}, "shop": {k.Shop}, "order": {strconv.FormatInt(k.ID, 10)}}.Encode()
}

// shownAtFirst is how much of a course a page shows before it is asked for all.
const shownAtFirst = 40

func orderFacts(o store.Order, d store.Delivery, c clock) []fact {
	facts := []fact{{Label: "Placed", At: c.at(o.CreatedAt)}, {Label: "Changed in Shopify", At: c.at(o.UpdatedAt)}, {Label: "Heard of first", At: c.at(o.FirstSeenAt)}}
	for _, f := range []fact{{"Cancelled", "", c.at(o.CancelledAt)}, {"Deleted in Shopify", "", c.at(o.DeletedAt)}, {"Personal data removed", "", c.at(o.RedactedAt)}} {
		if f.At != nil {
			facts = append(facts, f)
		}
	}
	facts = append(facts, fact{Label: "Shopify's number", Text: strconv.FormatInt(o.ID, 10)}, fact{Label: "Reference in the ERP", Text: o.Ref()})
	if d.Rule != "" {
		facts = append(facts, fact{Label: "Rule", Text: short(d.Rule, 100)})
	}
	if o.Test {
		facts = append(facts, fact{Label: "Test order", Text: "yes"})
	}
	return facts
}

// orderNext says what happens with an order that is not at rest, and what is to
// be done.
func orderNext(d store.Delivery, c clock) (next, hint string) {
	reason := c.tell(short(d.Reason, 400))
	switch d.State {
	case store.StateParked:
		return reason, short(d.Hint, 400)
	case store.StateExcluded:
		return "The rule " + short(d.Rule, 100) + " keeps it out of the ERP.", ""
	case store.StateDue, store.StateUnknown:
		next = "It is sent to the ERP as soon as it is its turn."
		if d.NextAt.After(c.now) {
			next = "It is tried again " + age(c.now.Sub(d.NextAt)) + "."
		}
		if reason != "" {
			next = strings.TrimSuffix(reason, ".") + ". " + next
		}
	case store.StateSending:
		next = "It is being sent to the ERP just now."
	}
	return next, ""
}

// sidesOf sets Shopify beside the ERP, as the ERP was last seen.
func sidesOf(o store.Order, d store.Delivery, c clock) []side {
	if d.State == "" {
		return nil
	}
	held, total := "nothing seen there yet", ""
	if d.Present {
		held, total = "there", report.MoneyText(d.ERPTotal, o.Currency)
	}
	if d.ERPRef != "" {
		held = short(d.ERPRef, 60)
	}
	version := "none"
	if d.Held != "" {
		version = c.version(d.Held)
	}
	sides := []side{
		{"Document", o.Name, held, !d.Present && d.State != store.StateExcluded && o.CancelledAt.IsZero()},
		{"Total", report.MoneyText(o.Total, o.Currency), total, total != "" && !amount(o.Total).Equal(amount(d.ERPTotal)) && o.CancelledAt.IsZero()},
		{"Version", c.version(o.Version), version, d.Held != o.Version && d.State != store.StateExcluded},
	}
	if !o.CancelledAt.IsZero() {
		sides = append(sides, side{"Cancelled", "yes", map[bool]string{true: "yes", false: "not yet"}[d.State == store.StateDelivered], d.State != store.StateDelivered})
	}
	return sides
}

// fillSheet adds the lines of the order. One that can't be read says why.
func (v *visit) fillSheet(body *orderBody, o store.Order, d store.Delivery, said []store.Try, c clock) {
	raw, err := v.Actions.Neutral(v.Context(), o.OrderKey)
	if err != nil {
		body.Unread = "The lines can't be shown: " + short(err.Error(), 300)
		return
	}
	var s sheet
	if err := json.Unmarshal(raw, &s); err != nil {
		body.Unread = "The lines can't be read."
		return
	}
	body.Lines = v.sheetLines(o, d, s, said, c)
	if d.State != "" {
		body.Ask = orderPath(o.Shop, o.ID) + "?erp=ask"
	}
	if v.seesPeople() {
		body.Document = pretty(raw)
	}
	for _, f := range []fact{{Label: "Payment", Text: s.FinancialStatus}, {Label: "Fulfilment", Text: s.FulfillmentStatus}} {
		if f.Text != "" {
			f.Text = strings.ReplaceAll(short(f.Text, 40), "_", " ")
			body.Facts = append(body.Facts, f)
		}
	}
}
