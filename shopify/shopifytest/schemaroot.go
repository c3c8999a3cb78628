package shopifytest

import (
	"strconv"
	"strings"
	"time"
)

// newSchema puts the schema together.
func newSchema() schema {
	s := schema{
		"QueryRoot": queryFields(), "Mutation": mutationFields(),
		"Order": orderFields(), "Node": {"id": {}},
		"Shop": shopFields(), "ShopPlan": {
			"publicDisplayName": constant("Basic"), "partnerDevelopment": constant(true), "shopifyPlus": constant(false),
		},
		"ShopAddress":     {"countryCodeV2": constant("US")},
		"AppInstallation": {"id": constant(gid("AppInstallation", 1)), "app": to("App", theShop), "accessScopes": many("AccessScope", accessScopes)},
		"App": {
			"id": constant(gid("App", 1)), "title": constant("Gapless"),
			"apiKey": leaf(func(s *Shop) any { return s.opt.ClientID }),
		},
		"AccessScope": {"handle": leaf(func(h string) any { return h })},
		"ApiVersion": {
			"handle": leaf(func(v string) any { return v }), "displayName": leaf(func(v string) any { return v }),
			"supported": constant(true),
		},
	}
	for _, more := range []schema{moneyFields(), discountFields(), partFields(), refundFields(), subscriptionFields(), bulkFields()} {
		for name, f := range more {
			s[name] = f
		}
	}
	return s.addConnections()
}

func queryFields() fields {
	return fields{
		"order":  {typ: "Order", args: []string{"id"}, get: func(src any, a args) any { return src.(*Shop).node("Order", a.string("id")) }},
		"refund": {typ: "Refund", args: []string{"id"}, get: func(src any, a args) any { return src.(*Shop).node("Refund", a.string("id")) }},
		"nodes":  {typ: "Node", kind: list, args: []string{"ids"}, get: nodes},
		"node":   {typ: "Node", args: []string{"id"}, get: func(src any, a args) any { return src.(*Shop).typedNode(a.string("id")) }},
		"orders": {typ: "Order", kind: connection, args: []string{"first", "after", "query", "sortKey", "reverse"},
			get: func(src any, a args) any { return src.(*Shop).find(a) }},
		"ordersCount":         {typ: "Count", args: []string{"query", "limit"}, get: func(src any, a args) any { return src.(*Shop).count(a) }},
		"webhookSubscription": {typ: "WebhookSubscription", args: []string{"id"}, get: func(src any, a args) any { return orNil(src.(*Shop).subscription(a.string("id"))) }},
		"webhookSubscriptions": connect("WebhookSubscription", func(s *Shop) []any {
			return s.apiSubscriptions()
		}, "sortKey"),
		"bulkOperation": {typ: "BulkOperation", args: []string{"id"}, get: func(src any, a args) any { return orNil(src.(*Shop).bulkByID(a.string("id"))) }},
		"bulkOperations": {typ: "BulkOperation", kind: connection, args: []string{"first", "after", "query", "sortKey", "reverse"},
			get: func(src any, a args) any { return src.(*Shop).findBulk(a) }},
		"shop":                   to("Shop", theShop),
		"currentAppInstallation": to("AppInstallation", theShop),
		"publicApiVersions":      many("ApiVersion", func(s *Shop) []any { return []any{s.opt.APIVersion} }),
	}
}

func shopFields() fields {
	offset := func(s *Shop) int {
		_, seconds := s.opt.Now().In(s.opt.Zone).Zone()
		return seconds / 60
	}
	return fields{
		"id": leaf(func(s *Shop) any { return gid("Shop", s.opt.ID) }), "name": constant("Pretend Shop"), "email": constant("owner@example.com"),
		"myshopifyDomain":              leaf(func(s *Shop) any { return s.opt.Domain }),
		"currencyCode":                 leaf(func(s *Shop) any { return s.opt.Market.Currency }),
		"enabledPresentmentCurrencies": leaf((*Shop).currencies),
		"ianaTimezone":                 leaf(func(s *Shop) any { return zoneName(s.opt.Zone) }),
		"timezoneAbbreviation":         leaf(func(s *Shop) any { name, _ := s.opt.Now().In(s.opt.Zone).Zone(); return name }),
		"timezoneOffsetMinutes":        leaf(func(s *Shop) any { return offset(s) }),
		"taxesIncluded":                leaf(func(s *Shop) any { return s.opt.Market.Regions[0].Included }), "taxShipping": constant(true),
		"orderNumberFormatPrefix": constant("#"), "orderNumberFormatSuffix": constant(""),
		"unitSystem": constant("METRIC_SYSTEM"), "weightUnit": constant("GRAMS"),
		"plan": to("ShopPlan", theShop), "shopAddress": to("ShopAddress", theShop),
	}
}

// zoneName is an IANA name; a nameless fixed offset of whole hours has one too,
// whose sign counts the other way round.
func zoneName(zone *time.Location) string {
	if strings.Contains(zone.String(), "/") {
		return zone.String()
	}
	_, seconds := time.Unix(0, 0).In(zone).Zone()
	if seconds == 0 {
		return "Etc/UTC"
	}
	hours := strconv.Itoa(-seconds / 3600)
	if seconds < 0 {
		hours = "+" + hours
	}
	return "Etc/GMT" + hours
}

func (s *Shop) currencies() any {
	all := []string{s.opt.Market.Currency}
	for _, e := range s.opt.Market.Exchange {
		all = append(all, e.Currency)
	}
	return all
}

func theShop(s *Shop) any { return s }

func accessScopes(s *Shop) []any {
	all := make([]any, len(s.api.scopes))
	for i, scope := range s.api.scopes {
		all[i] = scope
	}
	return all
}

// nodes answers nodes(ids), null for what is not there.
func nodes(src any, a args) any {
	ids, _ := a["ids"].([]any)
	all := make([]any, len(ids))
	for i, id := range ids {
		text, _ := id.(string)
		all[i] = src.(*Shop).typedNode(text)
	}
	return all
}

func (s *Shop) typedNode(id string) any {
	for _, kind := range abstract["Node"] {
		if n := s.node(kind, id); n != nil {
			return typed{kind, n}
		}
	}
	return nil
}

// node finds an order or refund by its global id, past the search index.
func (s *Shop) node(kind, id string) any {
	text, ok := strings.CutPrefix(id, "gid://shopify/"+kind+"/")
	n, err := strconv.ParseInt(text, 10, 64)
	if !ok || err != nil {
		return nil
	}
	o := s.orders[n]
	if kind == "Refund" {
		o = s.orders[s.refunds[n]]
	}
	switch {
	case o == nil || !s.shows(o):
		return nil
	case kind == "Order":
		return o
	}
	for i := range o.Refunds {
		if r := &o.Refunds[i]; r.ID == n {
			return part[Refund]{o, r}
		}
	}
	return nil
}
