package ui

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"gapless/store"
)

type eventsBody struct {
	Topics  chooser
	Shop    *chooser
	Rows    []eventRow
	Older   string
	Filters bool // something is chosen
}

type eventRow struct {
	ID         int64
	Path       string
	What, Shop string
	Topic      string
	Lag        string
	Badge      badge
	Size       string
	At         *moment
}

// topicNames are the topics that can be chosen, as people know them.
var topicNames = []string{"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/edited", "orders/fulfilled", "orders/delete", "refunds/create", "gapless/order"}

// eventsPage lists what was heard, newest first.
func eventsPage(v *visit) (view, error) {
	f := store.EventFilter{Shop: v.shopChosen(), Topic: v.oneOf("topic", append([]string{""}, topicNames...)...), Before: v.beforeID(), Limit: perPage}
	events, err := v.Store.Events(v.Context(), f)
	if err != nil {
		return view{}, err
	}
	clocks, err := v.clocks()
	if err != nil {
		return view{}, err
	}
	body := eventsBody{Shop: v.shopChooser(), Topics: chooser{"About", "topic", []option{{"", "Everything", false}}}, Filters: f.Shop != "" || f.Topic != ""}
	for _, t := range topicNames {
		text := topicText(t)
		body.Topics.Options = append(body.Topics.Options, option{t, strings.ToUpper(text[:1]) + text[1:], t == f.Topic})
	}
	for _, e := range events {
		row := eventRowOf(e, clocks(e.Shop))
		row.Shop = v.shopShown(e.Shop)
		body.Rows = append(body.Rows, row)
	}
	if len(events) > 0 {
		body.Older = v.older(len(events), events[len(events)-1].ID)
	}
	return view{template: "events", title: "Messages", body: body}, nil
}

func eventRowOf(e store.Event, c clock) eventRow {
	r := eventRow{ID: e.ID, Path: fmt.Sprintf("/events/%d", e.ID), What: eventTold(e, c).What, Shop: e.Shop, Topic: short(e.Topic, 60), Size: size(e.Size), At: c.at(e.ReceivedAt), Badge: badge{"On time", "good"}}
	switch lag := e.ReceivedAt.Sub(e.TriggeredAt); {
	case e.Source == store.SourceRefetch:
		r.Badge = badge{"Asked for", ""}
	case e.TriggeredAt.IsZero():
		r.Badge = badge{"Time not told", ""}
	default:
		r.Lag = span(lag)
		if lag > lateFrom {
			r.Badge = badge{"Late", "warn"}
		}
	}
	return r
}

type eventBody struct {
	eventRow
	Facts   []fact
	Headers []fact
	Raw     string // made easy to read
	Cut     bool   // Raw is its begin alone
	File    string // what came, to the byte; empty: there is nothing
	Gone    bool
	Hidden  string // why Raw and Curl are not shown
	Curl    string
	NoCurl  string // why there is none
}

// eventPage shows one message.
func eventPage(v *visit) (view, error) {
	e, err := v.Store.Event(v.Context(), v.id())
	if err != nil {
		return view{}, err
	}
	shop, err := v.Store.Shop(v.Context(), e.Shop)
	if err != nil {
		return view{}, err
	}
	c := v.clock(shop)
	body := eventBody{eventRow: eventRowOf(e, c), Hidden: hidden}
	if v.seesPeople() {
		body.Hidden, body.Gone = "", e.Body == nil
		body.Raw, body.Cut = readable(e.Body)
		body.Curl, body.NoCurl = v.curl(e)
	}
	if v.seesPeople() && len(e.Body) > 0 {
		body.File = body.Path + "/raw"
	}
	body.Facts = []fact{{"Received", "", c.at(e.ReceivedAt)}, {"Happened in Shopify", "", c.at(e.TriggeredAt)}, {"Shop", e.Shop, nil}, {"About", e.Topic, nil}, {"Size", body.Size, nil}}
	for name, id := range map[string]string{"Message id": e.WebhookID, "Event id": e.EventID} {
		if id != "" {
			body.Facts = append(body.Facts, fact{Label: name, Text: short(id, 100)})
		}
	}
	slices.SortStableFunc(body.Facts[5:], func(a, b fact) int { return cmp.Compare(a.Label, b.Label) })
	headers := headersOf(e)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		body.Headers = append(body.Headers, fact{Label: short(name, 80), Text: short(headers[name], 300)})
	}
	return view{template: "event", title: fmt.Sprintf("Message %d", e.ID), body: body}, nil
}

func headersOf(e store.Event) map[string]string {
	headers := map[string]string{}
	if json.Unmarshal([]byte(e.Headers), &headers) != nil {
		return nil
	}
	return headers
}

// eventRaw hands over what came, to the byte.
func eventRaw(v *visit) (view, error) {
	e, err := v.Store.Event(v.Context(), v.id())
	if err != nil {
		return view{}, err
	}
	if len(e.Body) == 0 {
		return view{}, notFound("What came with this message is not kept here")
	}
	return view{file: &file{eventFile(e), "application/octet-stream", e.Body}}, nil
}

func eventFile(e store.Event) string { return fmt.Sprintf("gapless-message-%d.json", e.ID) }

// mostCurl is how long a body may be that stands in a command, in bytes: a shell
// takes no words of any length.
const mostCurl = 48 << 10

// curl is a command that sends a webhook once more, or why there is none. It signs
// with a secret that is not in it. A body that does not fit into a shell is read
// from its file.
func (v *visit) curl(e store.Event) (command, none string) {
	switch {
	case e.Source != store.SourceWebhook:
		return "", "Gapless asked Shopify for this by itself: there is no message that could be sent once more."
	case len(e.Body) == 0:
		return "", "What came is not kept here, so it can't be sent once more."
	}
	var b strings.Builder
	b.WriteString("# SECRET is the shop's webhook secret\n")
	data := `"$body"`
	if len(e.Body) <= mostCurl && utf8.Valid(e.Body) && !bytes.ContainsRune(e.Body, 0) {
		fmt.Fprintf(&b, "body=%s\n"+`sign=$(printf %%s "$body" | openssl dgst -sha256 -hmac "$SECRET" -binary | base64)`, quoted(string(e.Body)))
	} else {
		data = `"@$file"`
		fmt.Fprintf(&b, "# what came is too long for a command, or no text: download it first\nfile=%s\n"+`sign=$(openssl dgst -sha256 -hmac "$SECRET" -binary "$file" | base64)`, quoted(eventFile(e)))
	}
	fmt.Fprintf(&b, "\ncurl -sS -X POST %s", quoted(cmp.Or(v.publicURL(), "http://"+v.Host)+"/webhooks/shopify"))
	headers := v.curlHeaders(e)
	for _, name := range slices.Sorted(maps.Keys(headers)) {
		if headers[name] != "" && !strings.EqualFold(name, "X-Shopify-Hmac-Sha256") {
			fmt.Fprintf(&b, " \\\n  -H %s", quoted(name+": "+headers[name]))
		}
	}
	fmt.Fprintf(&b, " \\\n  -H \"X-Shopify-Hmac-Sha256: $sign\" \\\n  --data-binary %s\n", data)
	return b.String(), ""
}

// curlHeaders are those that the message came with, as far as they are kept.
func (v *visit) curlHeaders(e store.Event) map[string]string {
	headers := map[string]string{"Content-Type": "application/json", "X-Shopify-Topic": e.Topic, "X-Shopify-Webhook-Id": e.WebhookID, "X-Shopify-Event-Id": e.EventID}
	maps.Copy(headers, headersOf(e))
	for _, c := range v.Actions.Connections().Shops {
		if c.Name == e.Shop {
			headers["X-Shopify-Shop-Domain"] = c.Domain
		}
	}
	return headers
}

// quoted is one word of a shell.
func quoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
