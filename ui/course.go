package ui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"gapless/store"
	"gapless/sync/report"
)

// How much of an order's history is read, and how many raw bodies and calls
// are on its page; the others are one click away.
const (
	mostHistory = 200
	mostRaw     = 4
	mostSaid    = 8
	mostShown   = 16 << 10 // bytes of one body
	mostWords   = 32 << 10 // bytes of all bodies of a page, and of all calls
)

// room is how many bytes a page still takes of what was said word for word: its
// first view stays small, however much that was.
type room int

// take says whether n bytes still fit, and takes them.
func (r *room) take(n int) bool {
	if n > int(*r) {
		return false
	}
	*r -= room(n)
	return true
}

// history is an order's course, oldest first.
type history struct {
	All   []happening
	Older string // of what there is more, in words; empty: this is all
	Where string // where the older messages are; empty: there are none
}

// course is all that was heard of an order, decided about it, and done, in one
// line of time; said are the newest calls, word for word.
func (v *visit) course(key store.OrderKey, gaps []store.Gap, said []store.Try, c clock) (h history, err error) {
	ctx := v.Context()
	var older []string
	events, err := v.Store.Events(ctx, store.EventFilter{Shop: key.Shop, OrderID: key.ID, Limit: mostHistory + 1})
	if err != nil {
		return h, err
	}
	if len(events) > mostHistory {
		events = events[:mostHistory]
		older = append(older, "messages")
		h.Where = "/events?" + url.Values{"shop": {key.Shop}, "before": {strconv.FormatInt(events[mostHistory-1].ID, 10)}}.Encode()
	}
	decisions, err := v.Store.Decisions(ctx, key, mostHistory+1)
	if err != nil {
		return h, err
	}
	if more := len(decisions) - mostHistory; more > 0 {
		decisions = decisions[more:]
		older = append(older, "decisions")
	}
	tries, err := v.Store.Tries(ctx, store.TryFilter{Order: key, Limit: mostHistory + 1})
	if err != nil {
		return h, err
	}
	if len(tries) > mostHistory {
		tries = tries[:mostHistory]
		older = append(older, "calls to the ERP")
	}
	if len(older) > 0 {
		h.Older = fmt.Sprintf("There are older %s: this page goes back to the newest %d of each.", strings.Join(older, " and "), mostHistory)
	}
	h.All = append(v.heard(events, c), v.called(tries, said, c)...)
	for _, d := range decisions {
		if told, plain := decided(d, c); plain {
			h.All = append(h.All, told)
		}
	}
	for _, g := range gaps {
		steps, err := v.Store.GapSteps(ctx, g.ID)
		if err != nil {
			return h, err
		}
		for _, s := range steps {
			h.All = append(h.All, ofGap(g, s, c))
		}
	}
	slices.SortStableFunc(h.All, func(a, b happening) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.order, b.order)) })
	return h, nil
}

// heard are messages, the newest with what came.
func (v *visit) heard(events []store.Event, c clock) (all []happening) {
	space := room(mostWords)
	for i, e := range events {
		h := eventTold(e, c)
		if i < mostRaw && v.seesPeople() {
			h.Body = v.rawBody(e.ID)
			if !space.take(len(h.Body)) {
				h.Body, h.LinkText = "", h.LinkText+", with what came"
			}
		}
		all = append(all, h)
	}
	return all
}

// called are attempts, the newest with what was said.
func (v *visit) called(tries, said []store.Try, c clock) (all []happening) {
	space := room(mostWords)
	for i, t := range tries {
		h := done(t, c)
		if i < len(said) && said[i].Outcome != nil && v.seesPeople() {
			h.Calls = exchangesOf(said[i].Outcome.Exchanges)
			if !space.take(wordsOf(h.Calls)) {
				h.Calls, h.LinkText = nil, h.LinkText+", with what was said and heard"
			}
		}
		all = append(all, h)
	}
	return all
}

// ofGap is a step of one of the order's gaps.
func ofGap(g store.Gap, s store.GapStep, c clock) happening {
	h := gapHappening(s, c)
	h.What, h.Detail, h.order = report.KindText(g.Kind)+": "+strings.ToLower(h.What[:1])+h.What[1:], "", 3
	h.Link, h.LinkText = fmt.Sprintf("/gaps/%d", g.ID), "The gap"
	return h
}

// rawBody is what came with an event, made easy to read; empty where it is no
// longer kept.
func (v *visit) rawBody(id int64) string {
	e, err := v.Store.Event(v.Context(), id)
	if err != nil || len(e.Body) == 0 {
		return ""
	}
	return pretty(e.Body)
}

// pretty indents JSON; what is none stays as it is. Long texts are cut, and say so.
func pretty(raw []byte) string {
	text, cut := readable(raw)
	if cut {
		text += "\n… cut here"
	}
	return text
}

// readable is pretty, and tells whether it had to be cut.
func readable(raw []byte) (text string, cut bool) {
	var b bytes.Buffer
	if json.Indent(&b, raw, "", "  ") == nil {
		raw = b.Bytes()
	}
	if cut = len(raw) > mostShown; cut {
		raw = raw[:mostShown]
	}
	return strings.ToValidUTF8(string(raw), "\uFFFD"), cut
}

// topics say what a message from Shopify is about.
var topics = map[string]string{
	"orders/create": "the order was placed", "orders/updated": "the order changed", "orders/paid": "the order was paid", "orders/cancelled": "the order was cancelled",
	"orders/delete": "the order was deleted", "orders/edited": "the order was edited", "orders/fulfilled": "the order was fulfilled",
	"orders/partially_fulfilled": "part of the order was fulfilled", "refunds/create": "a refund was made", "gapless/order": "Gapless asked for the order",
	"gapless/bulk": "a backfill read it", "app/uninstalled": "the app was removed",
}

func topicText(topic string) string { return cmp.Or(topics[topic], topic) }

func eventTold(e store.Event, c clock) happening {
	h := happening{at: e.ReceivedAt, At: c.at(e.ReceivedAt), What: "Shopify told: " + topicText(e.Topic), Tone: "heard",
		Link: fmt.Sprintf("/events/%d", e.ID), LinkText: fmt.Sprintf("Message %d", e.ID), Key: fmt.Sprintf("event-%d", e.ID)}
	if e.Source == store.SourceRefetch {
		h.What = "Gapless asked Shopify for the order"
		if e.Topic == "gapless/bulk" {
			h.What = "A backfill read the order"
		}
		return h
	}
	if lag := e.ReceivedAt.Sub(e.TriggeredAt); !e.TriggeredAt.IsZero() {
		h.Detail = "Arrived " + span(lag) + " after it happened"
		if lag > lateFrom {
			h.Detail, h.Tone = "Came late: "+span(lag)+" after it happened", "warn"
		}
	}
	return h
}

// lateFrom is from when on a page calls a message late.
const lateFrom = 30e9 // 30 s

// decisionsTold says what was decided where the outcome alone would not be plain.
// What changed nothing is left out.
var decisionsTold = map[string]string{
	"new": "Taken in: first heard of", "newer": "Taken in: a newer version", "same": "", "older": "Passed over: a newer version is known", "parked": "Waits for a person",
	"excluded": "Left out", "unchanged": "The ERP holds it already", "replay": "Replayed by a person", "deleted": "Deleted in Shopify", "not found": "Shopify does not know it",
	"incomplete": "Passed over: Shopify withheld fields", "not about an order": "Nothing to do",
}

func decided(d store.Decision, c clock) (happening, bool) {
	what, known := decisionsTold[d.Outcome]
	if known && what == "" {
		return happening{}, false
	}
	if !known {
		what = strings.ToUpper(d.Outcome[:min(1, len(d.Outcome))]) + d.Outcome[min(1, len(d.Outcome)):]
	}
	h := happening{at: d.At, order: 1, At: c.at(d.At), What: what, Detail: c.tell(short(d.Detail, 600))}
	if d.Outcome == "parked" {
		h.Tone = "bad"
	}
	return h, true
}

// resultsTold says how a call to the ERP ended.
var resultsTold = map[string]badge{
	"created": {"Created in the ERP", "good"}, "updated": {"Brought up to date in the ERP", "good"}, "unchanged": {"The ERP holds it already", "good"},
	"rejected": {"The ERP refused it", "bad"}, "retry": {"The ERP could not take it; tried again later", "warn"}, "unknown": {"The ERP gave no answer; looked up before anything is repeated", "warn"},
	"found": {"Looked up: the ERP has it", ""}, "absent": {"Looked up: the ERP does not have it", ""},
}

func done(t store.Try, c clock) happening {
	h := happening{at: t.StartedAt, order: 2, At: c.at(t.StartedAt), What: "A call to the ERP is under way, or was cut off", Tone: "warn", Key: fmt.Sprintf("call-%d", t.ID),
		Link: fmt.Sprintf("/calls/%d", t.ID), LinkText: fmt.Sprintf("Call %d", t.ID)}
	o := t.Outcome
	if o == nil {
		return h
	}
	told := resultsTold[o.Result]
	h.What, h.Tone, h.Detail, h.Hint = cmp.Or(told.Text, o.Result), told.Tone, c.tell(short(o.Reason, 600)), c.tell(short(o.Hint, 400))
	if o.ERPRef != "" && told.Tone == "good" {
		h.What += " as " + short(o.ERPRef, 60)
	}
	h.By = "in " + span(o.Duration)
	if !o.Applied {
		h.Detail = strings.TrimSpace(h.Detail + " Another attempt had taken over by then.")
	}
	return h
}

// exchange is one request to the ERP and its answer, to be read.
type exchange struct {
	Head, Sent, Answered, Answer string
	Left                         bool // out, with what was sent and answered: too long
}

// wordsOf is how many bytes exchanges take.
func wordsOf(all []exchange) (n int) {
	for _, x := range all {
		n += len(x.Head) + len(x.Sent) + len(x.Answered) + len(x.Answer)
	}
	return n
}

func exchangesOf(raw json.RawMessage) []exchange {
	var told []struct {
		Request, Answer, Error string
		Status                 int
	}
	if json.Unmarshal(raw, &told) != nil {
		return nil
	}
	var all []exchange
	for _, t := range told {
		head, sent, _ := strings.Cut(t.Request, "\n")
		x := exchange{Head: head, Sent: pretty([]byte(sent)), Answered: "No answer: " + t.Error, Answer: pretty([]byte(t.Answer))}
		if t.Error == "" {
			x.Answered = fmt.Sprintf("Answer %d", t.Status)
		}
		all = append(all, x)
	}
	return all
}
