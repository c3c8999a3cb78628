package shopify

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
)

// Topics are the webhooks Gapless listens to. The compliance topics
// (customers/redact and the like) are set in the app's own settings: the API
// does not know them.
var Topics = []string{
	"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/edited",
	"orders/fulfilled", "orders/partially_fulfilled", "orders/delete", "refunds/create",
	"app/uninstalled", "bulk_operations/finish",
}

// complianceTopics can't be subscribed to by API.
var complianceTopics = []string{"customers/data_request", "customers/redact", "shop/redact"}

// SubscriptionChange is one thing that Subscribe did.
type SubscriptionChange struct {
	Topic  string // orders/create
	Action string // created, updated, deleted
	ID     string // gid://shopify/WebhookSubscription/...
	Reason string
}

// subscription is a webhook subscription as Shopify keeps it.
type subscription struct {
	id, topic, uri, format, filter string
	includeFields                  []string
}

// deliverable says that Shopify can post to uri: https, or plain http to this
// very machine, where only a pretend shop can be.
func deliverable(uri string) bool {
	u, err := url.Parse(uri)
	if err != nil || u.Host == "" {
		return false
	}
	addr, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "https" || u.Scheme == "http" && (u.Hostname() == "localhost" || err == nil && addr.IsLoopback())
}

// Subscribe makes this app's subscriptions what they should be: for each topic
// exactly one to uri, whole bodies in JSON, without a filter. Missing ones are
// created, wrong ones set right (one that leads to another https address is
// led to uri), doubles deleted. It reports what it did; a second call does
// nothing. Shopify's refusals of single topics are joined into the error.
func (c *Client) Subscribe(ctx context.Context, uri string, topics []string) ([]SubscriptionChange, error) {
	if !deliverable(uri) {
		return nil, errors.New("shopify: webhooks need an https address; check public_url in the config")
	}
	have, err := c.subscriptions(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing webhook subscriptions: %w", err)
	}
	var changes []SubscriptionChange
	var faults []error
	for _, topic := range topics {
		if slices.Contains(complianceTopics, topic) {
			continue
		}
		var ours []subscription
		for _, s := range have {
			if s.topic == enumOf(topic) {
				ours = append(ours, s)
			}
		}
		done, err := c.subscribeTo(ctx, topic, uri, ours)
		changes = append(changes, done...)
		if err != nil {
			faults = append(faults, fmt.Errorf("subscribing to %s: %w", topic, err))
		}
	}
	return changes, errors.Join(faults...)
}

// Unsubscribed tells which of topics have no subscription to uri, or a wrong
// one. It changes nothing.
func (c *Client) Unsubscribed(ctx context.Context, uri string, topics []string) ([]string, error) {
	have, err := c.subscriptions(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing webhook subscriptions: %w", err)
	}
	var missing []string
	for _, topic := range topics {
		right := func(s subscription) bool { return s.topic == enumOf(topic) && s.fault(uri) == "" }
		if !slices.Contains(complianceTopics, topic) && !slices.ContainsFunc(have, right) {
			missing = append(missing, topic)
		}
	}
	return missing, nil
}

// subscribeTo sees to one topic, for which have exists already.
func (c *Client) subscribeTo(ctx context.Context, topic, uri string, have []subscription) ([]SubscriptionChange, error) {
	keep := slices.IndexFunc(have, func(s subscription) bool { return s.uri == uri })
	if keep < 0 { // ours under an old address; Pub/Sub and EventBridge are not ours
		keep = slices.IndexFunc(have, func(s subscription) bool { return strings.HasPrefix(s.uri, "https://") })
	}
	if keep < 0 {
		id, err := c.createSubscription(ctx, topic, uri)
		if err != nil {
			return nil, err
		}
		return []SubscriptionChange{{topic, "created", id, "there was none"}}, nil
	}
	var changes []SubscriptionChange
	if fault := have[keep].fault(uri); fault != "" {
		if err := c.updateSubscription(ctx, have[keep].id, uri); err != nil {
			return nil, err
		}
		changes = append(changes, SubscriptionChange{topic, "updated", have[keep].id, fault})
	}
	for i, s := range have {
		if i == keep || s.uri != uri {
			continue
		}
		if err := c.deleteSubscription(ctx, s.id); err != nil {
			return changes, err
		}
		changes = append(changes, SubscriptionChange{topic, "deleted", s.id, "it was there twice"})
	}
	return changes, nil
}

// fault says in what a subscription differs from what it should be.
func (s subscription) fault(uri string) string {
	switch {
	case s.uri != uri:
		return "it led to another address"
	case s.format != "JSON":
		return "its format was not JSON"
	case s.filter != "":
		return "it had a filter"
	case len(s.includeFields) > 0:
		return "it left fields out"
	}
	return ""
}

// enumOf is the name of a topic in GraphQL: orders/create is ORDERS_CREATE.
func enumOf(topic string) string { return strings.ToUpper(strings.ReplaceAll(topic, "/", "_")) }

// subscriptions lists all that this app made by API.
func (c *Client) subscriptions(ctx context.Context) ([]subscription, error) {
	nodes, err := c.list(ctx, subscriptionsList, "webhookSubscriptions", map[string]any{}, Heal)
	if err != nil {
		return nil, err
	}
	return each(nodes, func(n node) subscription {
		return subscription{
			id: n.text("id"), topic: n.text("topic"), uri: n.text("uri"), format: n.text("format"),
			filter: n.text("filter"), includeFields: n.texts("includeFields"),
		}
	}), nil
}

func (c *Client) createSubscription(ctx context.Context, topic, uri string) (id string, err error) {
	input := map[string]any{"uri": uri, "format": "JSON"}
	result, err := c.change(ctx, subscriptionCreation, "webhookSubscriptionCreate",
		map[string]any{"topic": enumOf(topic), "subscription": input})
	return result.object("webhookSubscription").text("id"), err
}

func (c *Client) updateSubscription(ctx context.Context, id, uri string) error {
	input := map[string]any{"uri": uri, "format": "JSON", "filter": "", "includeFields": []string{}}
	_, err := c.change(ctx, subscriptionUpdate, "webhookSubscriptionUpdate",
		map[string]any{"id": id, "subscription": input})
	return err
}

func (c *Client) deleteSubscription(ctx context.Context, id string) error {
	_, err := c.change(ctx, subscriptionDeletion, "webhookSubscriptionDelete", map[string]any{"id": id})
	return err
}
