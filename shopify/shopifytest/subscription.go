package shopifytest

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Subscription is one webhook subscription.
type Subscription struct {
	ID            int64
	Topic         string // as headers write it: "orders/create"
	URI           string
	Filter        string
	IncludeFields []string
	Name          string
	// FromTOML marks a subscription of the app's configuration: the API does
	// not list it, and failures do not remove it.
	FromTOML  bool
	CreatedAt time.Time
	UpdatedAt time.Time

	lastSuccess time.Time
}

// knownTopics are the topics that the Admin API has; compliance topics are not
// among them.
var knownTopics = []string{
	"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/fulfilled", "orders/partially_fulfilled",
	"orders/edited", "orders/delete", "refunds/create", "app/uninstalled", "bulk_operations/finish", "shop/update",
}

// enum is a topic as GraphQL writes it: "ORDERS_CREATE".
func enum(topic string) string { return strings.ToUpper(strings.ReplaceAll(topic, "/", "_")) }

// topicOf undoes enum; empty for a topic that the API does not have.
func topicOf(name string) string {
	for _, t := range knownTopics {
		if enum(t) == name {
			return t
		}
	}
	return ""
}

// Subscribe adds a subscription past the API and returns its id. Topics are
// written as in headers ("orders/create").
func (s *Shop) Subscribe(sub Subscription) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addSubscription(&sub).ID
}

func (s *Shop) addSubscription(sub *Subscription) *Subscription {
	s.sender.lastSubscription++
	sub.ID = 1_400_000_000_000 + s.sender.lastSubscription
	sub.CreatedAt = s.opt.Now().UTC()
	sub.UpdatedAt = sub.CreatedAt
	s.sender.subscriptions = append(s.sender.subscriptions, sub)
	return sub
}

// Subscriptions returns all subscriptions in the order of their making.
func (s *Shop) Subscriptions() []Subscription {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Subscription
	for _, sub := range s.sender.subscriptions {
		all = append(all, *sub)
	}
	return all
}

// Unsubscribe removes a subscription as if someone had done it by hand.
func (s *Shop) Unsubscribe(id int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.removeSubscription(id)
}

func (s *Shop) removeSubscription(id int64) bool {
	n := len(s.sender.subscriptions)
	s.sender.subscriptions = slices.DeleteFunc(s.sender.subscriptions, func(sub *Subscription) bool { return sub.ID == id })
	return len(s.sender.subscriptions) < n
}

// apiSubscriptions are those that the API made.
func (s *Shop) apiSubscriptions() []any {
	var all []any
	for _, sub := range s.sender.subscriptions {
		if !sub.FromTOML {
			all = append(all, sub)
		}
	}
	return all
}

func (s *Shop) subscription(id string) *Subscription {
	for _, sub := range s.sender.subscriptions {
		if !sub.FromTOML && gid("WebhookSubscription", sub.ID) == id {
			return sub
		}
	}
	return nil
}

// payload is what a subscription makes of a body; nil where its filter keeps
// the body back. A filter compares top-level fields for equality; as in the
// real shop, one on an unknown field lets nothing through.
func (sub *Subscription) payload(body []byte) []byte {
	if sub.Filter == "" && len(sub.IncludeFields) == 0 {
		return body
	}
	var doc map[string]json.RawMessage
	if json.Unmarshal(body, &doc) != nil {
		return nil
	}
	for _, want := range strings.Fields(strings.ReplaceAll(sub.Filter, " AND ", " ")) {
		key, value, _ := strings.Cut(want, ":")
		if strings.Trim(string(doc[key]), `"`) != strings.Trim(value, `'"`) {
			return nil
		}
	}
	if len(sub.IncludeFields) == 0 {
		return body
	}
	kept := object{}
	for _, key := range sub.IncludeFields {
		if v, ok := doc[key]; ok {
			kept[key] = v
		}
	}
	return encode(kept)
}

func subscriptionFields() schema {
	result := fields{
		"webhookSubscription": to("WebhookSubscription", func(r subscribed) any { return orNil(r.sub) }),
		"userErrors":          {typ: "UserError", kind: list, get: func(src any, _ args) any { return src.(subscribed).errors }},
	}
	return schema{
		"WebhookSubscription": {
			"id":               leaf(func(w *Subscription) any { return gid("WebhookSubscription", w.ID) }),
			"legacyResourceId": leaf(func(w *Subscription) any { return legacy(w.ID) }),
			"topic":            leaf(func(w *Subscription) any { return enum(w.Topic) }),
			"uri":              leaf(func(w *Subscription) any { return w.URI }), "format": constant("JSON"),
			"filter": leaf(func(w *Subscription) any { return orNull(w.Filter) }), "name": leaf(func(w *Subscription) any { return orNull(w.Name) }),
			"includeFields":       leaf(func(w *Subscription) any { return append([]string{}, w.IncludeFields...) }),
			"metafieldNamespaces": constant([]string{}), "metafields": many("WebhookSubscriptionMetafieldIdentifier", func(*Subscription) []any { return nil }),
			"apiVersion": to("ApiVersion", func(*Subscription) any { return "2026-10" }),
			"createdAt":  leaf(func(w *Subscription) any { return utc(w.CreatedAt) }), "updatedAt": leaf(func(w *Subscription) any { return utc(w.UpdatedAt) }),
		},
		"WebhookSubscriptionMetafieldIdentifier": {"namespace": null(""), "key": null("")},
		"WebhookSubscriptionCreatePayload":       result,
		"WebhookSubscriptionUpdatePayload":       result,
		"WebhookSubscriptionDeletePayload": {
			"deletedWebhookSubscriptionId": leaf(func(r subscribed) any { return r.deleted }),
			"userErrors":                   result["userErrors"],
		},
	}
}

func mutationFields() fields {
	return fields{
		"webhookSubscriptionCreate": change("WebhookSubscriptionCreatePayload", (*Shop).subscribeByAPI, "topic", "webhookSubscription"),
		"webhookSubscriptionUpdate": change("WebhookSubscriptionUpdatePayload", (*Shop).resubscribe, "id", "webhookSubscription"),
		"webhookSubscriptionDelete": change("WebhookSubscriptionDeletePayload", (*Shop).unsubscribeByAPI, "id"),
		"bulkOperationRunQuery":     change("BulkOperationRunQueryPayload", (*Shop).startBulk, "query", "groupObjects"),
		"bulkOperationCancel":       change("BulkOperationCancelPayload", (*Shop).cancelBulk, "id"),
	}
}

// change makes a field that changes the shop.
func change[R any](payload string, run func(*Shop, args) R, argNames ...string) field {
	return field{typ: payload, kind: mutation, args: argNames, get: func(src any, a args) any { return run(src.(*Shop), a) }}
}

// subscribed is the result of a mutation on subscriptions.
type subscribed struct {
	sub     *Subscription
	deleted any
	errors  []any
}

func refused(field []string, format string, a ...any) subscribed {
	return subscribed{errors: []any{userError{field, fmt.Sprintf(format, a...)}}}
}

func (s *Shop) subscribeByAPI(a args) subscribed {
	sub := &Subscription{Topic: topicOf(a.string("topic"))}
	if sub.Topic == "" {
		return refused([]string{"topic"}, "Topic is invalid")
	}
	if bad := s.setSubscription(sub, a); bad.errors != nil {
		return bad
	}
	return subscribed{sub: s.addSubscription(sub)}
}

func (s *Shop) resubscribe(a args) subscribed {
	old := s.subscription(a.string("id"))
	if old == nil {
		return refused([]string{"id"}, "Webhook subscription does not exist")
	}
	sub := *old
	if bad := s.setSubscription(&sub, a); bad.errors != nil {
		return bad
	}
	*old = sub
	old.UpdatedAt = s.opt.Now().UTC()
	return subscribed{sub: old}
}

func (s *Shop) unsubscribeByAPI(a args) subscribed {
	sub := s.subscription(a.string("id"))
	if sub == nil {
		return refused([]string{"id"}, "Webhook subscription does not exist")
	}
	s.removeSubscription(sub.ID)
	return subscribed{deleted: gid("WebhookSubscription", sub.ID)}
}

// setSubscription takes over the input of a mutation, or says what is wrong
// with it.
func (s *Shop) setSubscription(sub *Subscription, a args) subscribed {
	input, _ := a["webhookSubscription"].(map[string]any)
	for key, v := range input {
		text, _ := v.(string)
		switch key {
		case "uri", "callbackUrl":
			sub.URI = text
		case "filter":
			sub.Filter = text
		case "name":
			sub.Name = text
		case "includeFields":
			sub.IncludeFields = nil
			names, _ := v.([]any)
			for _, n := range names {
				sub.IncludeFields = append(sub.IncludeFields, fmt.Sprint(n))
			}
		}
	}
	field := []string{"webhookSubscription", "callbackUrl"}
	if !deliverable(sub.URI) {
		return refused(field, "Address is invalid")
	}
	for _, other := range s.sender.subscriptions {
		if other.ID != sub.ID && !other.FromTOML && other.Topic == sub.Topic && other.URI == sub.URI && other.Filter == sub.Filter {
			return refused(field, "Address for this topic has already been taken")
		}
	}
	return subscribed{}
}

// deliverable wants https. Plain http is taken on this machine only, where
// tests listen.
func deliverable(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || ip != nil && ip.IsLoopback())
}
