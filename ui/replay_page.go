package ui

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// chosen are the gaps or orders that somebody acts on.
type chosen struct {
	Gaps   []int64
	Orders []store.OrderKey
}

// mostChosen is how many can be acted on at once.
const mostChosen = 500

// chosen reads them from the address or the form.
func (v *visit) chosen() (c chosen, err error) {
	for _, text := range v.Form["gap"] {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return c, wrongInput("One of the gaps is not a number. Go back and select again.")
		}
		c.Gaps = append(c.Gaps, id)
	}
	for _, text := range v.Form["order"] {
		shop, number, _ := strings.Cut(text, "/")
		id, err := strconv.ParseInt(number, 10, 64)
		if err != nil {
			return c, wrongInput("One of the orders is not a number. Go back and select again.")
		}
		c.Orders = append(c.Orders, store.OrderKey{Shop: shop, ID: id})
	}
	switch n := len(c.Gaps) + len(c.Orders); {
	case n == 0:
		return c, wrongInput("Nothing was selected. Go back, tick what you want to act on, and try again.")
	case n > mostChosen:
		return c, wrongInput(fmt.Sprintf("At most %d can be acted on at once.", mostChosen))
	}
	return c, nil
}

type replayView struct {
	chosen
	Count    int
	What     string // "3 gaps"
	Previews []preview
	Unshown  int  // that are replayed too
	Closed   bool // every one of the gaps: nothing is left to replay
	Back     string
}

// preview is what replaying one gap or order comes to.
type preview struct {
	Name, Path string
	Action     badge
	Reason     string
	Hint       string
	Calls      []PlanCall
	Long       bool   // what some of them send is left out
	Failure    string // why it can't be told
	Compared   *sides
}

// sides are the two ends of an order now.
type sides struct {
	Shopify string
	ERP     []string
	Lines   *linesBody // those that differ; nil: the ERP does not tell its lines
}

// mostPreviewed bounds the calls to an ERP that one preview makes, and
// previewTime how long they may take.
const (
	mostPreviewed = 10
	previewTime   = 15 * time.Second
)

var planActions = map[string]badge{
	"send": {"Sends this to the ERP", "warn"}, "nothing": {"Nothing to send", "good"}, "exclude": {"Left out", ""}, "park": {"Would wait for you again", "bad"},
	"ask": {"Asks Shopify first", "warn"}, "subscribe": {"Subscribes anew", "warn"}, "poll": {"Asks Shopify for changes", "warn"},
}

// replayPage shows what a replay would do, and does nothing.
func replayPage(v *visit) (view, error) {
	c, err := v.chosen()
	if err != nil {
		return view{}, err
	}
	body := replayView{chosen: c, Count: len(c.Gaps) + len(c.Orders), Back: "/gaps"}
	body.What = plural(int64(body.Count), "gap")
	if len(c.Orders) > 0 {
		body.What, body.Back = plural(int64(body.Count), "order"), orderPath(c.Orders[0].Shop, c.Orders[0].ID)
	}
	ctx, cancel := context.WithTimeout(v.Context(), previewTime)
	defer cancel()
	closed := 0
	for _, id := range c.Gaps[:min(len(c.Gaps), mostPreviewed)] {
		g, err := v.Store.Gap(v.Context(), id)
		if err != nil {
			return view{}, err
		}
		if g.State == store.GapClosed {
			closed++
		}
		p, err := v.previewGap(ctx, g)
		if err != nil {
			return view{}, err
		}
		body.Previews = append(body.Previews, p)
	}
	body.Closed = closed == body.Count
	for _, k := range c.Orders[:min(len(c.Orders), mostPreviewed)] {
		p, err := v.previewOrder(ctx, k)
		if err != nil {
			return view{}, err
		}
		body.Previews = append(body.Previews, p)
	}
	body.Unshown = body.Count - len(body.Previews)
	space := room(mostOfCall)
	for i := range body.Previews {
		body.Previews[i].fit(&space)
	}
	return view{template: "replay", title: "Replay " + body.What, body: body}, nil
}

// fit leaves out what is too long for the page.
func (p *preview) fit(space *room) {
	p.Calls = slices.Clone(p.Calls)
	for i, c := range p.Calls {
		if !space.take(len(c.Body)) {
			p.Calls[i].Body, p.Long = "", true
		}
	}
}

func (v *visit) previewGap(ctx context.Context, g store.Gap) (p preview, err error) {
	plan, err := v.Actions.PlanGap(ctx, g.ID)
	p = v.previewOf(plan, err)
	p.Name, p.Path = gapName(g), fmt.Sprintf("/gaps/%d", g.ID)
	if plan.Action != "send" {
		return p, nil
	}
	p.Compared, err = v.compareNow(ctx, g.Key())
	return p, err
}

func (v *visit) previewOrder(ctx context.Context, k store.OrderKey) (p preview, err error) {
	plan, err := v.Actions.Plan(ctx, k)
	p = v.previewOf(plan, err)
	p.Name, p.Path = short(plan.Order, 60), orderPath(k.Shop, k.ID)
	if plan.Order == "" {
		p.Name = strconv.FormatInt(k.ID, 10)
	}
	if err != nil {
		return p, nil
	}
	p.Compared, err = v.compareNow(ctx, k)
	return p, err
}

func (v *visit) previewOf(plan Plan, err error) preview {
	switch {
	case errors.Is(err, store.ErrNotFound):
		return preview{Failure: "It is not known here."}
	case err != nil:
		v.Log.Warn("a replay could not be previewed", "err", err)
		return preview{Failure: "The ERP could not be asked just now, so what it would get can't be shown. A replay waits until it answers."}
	}
	return preview{Action: planActions[plan.Action], Reason: plan.Reason, Hint: plan.Hint, Calls: plan.Calls}
}

// compareNow asks the ERP what it holds of an order; nil where it can't tell.
func (v *visit) compareNow(ctx context.Context, k store.OrderKey) (*sides, error) {
	o, err := v.Store.Order(v.Context(), k)
	if errors.Is(err, store.ErrNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	shop, err := v.Store.Shop(v.Context(), k.Shop)
	if err != nil {
		return nil, err
	}
	documents, err := v.Actions.Documents(ctx, k)
	if err != nil {
		return nil, nil
	}
	c := v.clock(shop)
	s := &sides{Shopify: report.MoneyText(o.Total, o.Currency) + ", as of " + c.version(o.Version)}
	for _, d := range documents {
		s.ERP = append(s.ERP, d.told(c))
	}
	s.Lines = v.linesApart(ctx, k, live(documents))
	return s, nil
}

// linesApart are the lines in which an order and its document differ.
func (v *visit) linesApart(ctx context.Context, k store.OrderKey, d Document) *linesBody {
	raw, err := v.Actions.Neutral(ctx, k)
	var s sheet
	if err != nil || d.Lines == nil || json.Unmarshal(raw, &s) != nil {
		return nil
	}
	rows := beside(s.sold(), d.Lines, d.Bare, s.Currency)
	return &linesBody{Head: "ERP now", Bare: d.Bare, Rows: slices.DeleteFunc(rows, func(r lineRow) bool { return r.Differs == "" })}
}

// told is "SO-12, 4.00 EUR, as of 14:05:09 1b2c, cancelled".
func (d Document) told(c clock) string {
	parts := []string{d.ID}
	if d.Total != "" {
		parts = append(parts, report.MoneyText(d.Total, d.Currency))
	}
	if d.Version != "" {
		parts = append(parts, "as of "+c.version(d.Version))
	}
	if d.Cancelled {
		parts = append(parts, "cancelled")
	}
	return strings.Join(parts, ", ")
}

// replayNow sets in motion what was previewed.
func replayNow(v *visit) (view, error) {
	c, err := v.chosen()
	if err != nil {
		return view{}, err
	}
	var started int64
	if len(c.Gaps) > 0 {
		if started, err = v.Actions.ReplayGaps(v.Context(), c.Gaps, v.person.Name); err != nil {
			return view{}, err
		}
		return view{redirect: did(c.gapsPath(), "replayed", started)}, nil
	}
	if started, err = v.Actions.Replay(v.Context(), c.Orders, v.person.Name); err != nil {
		return view{}, err
	}
	back := orderPath(c.Orders[0].Shop, c.Orders[0].ID)
	if started == 0 {
		return view{redirect: back + "?did=busy"}, nil
	}
	return view{redirect: back + "?did=sent"}, nil
}

// gapsPath is where what becomes of the gaps is seen.
func (c chosen) gapsPath() string {
	if len(c.Gaps) == 1 {
		return fmt.Sprintf("/gaps/%d", c.Gaps[0])
	}
	return "/gaps"
}

// did is a path that says what was done.
func did(path, what string, n int64) string {
	if n == 0 {
		what = "nothing"
	}
	return path + "?" + url.Values{"did": {what}, "n": {strconv.FormatInt(n, 10)}}.Encode()
}
