package ordersync

import (
	"slices"

	"gapless/erp"
	"gapless/shopify"
)

// ruling is a rule with what it says in Go, by which the oracle judges.
type ruling struct {
	erp.Rule
	matches func(*shopify.Order) bool
}

// ruleBook are the rules that worlds pick from.
var ruleBook = []ruling{
	{erp.Rule{Name: "test orders", When: ".test", Then: erp.Exclude}, func(o *shopify.Order) bool { return o.Test }},
	{erp.Rule{Name: "wholesale", When: `.tags | index("wholesale")`, Then: erp.Exclude}, tagged("wholesale")},
	{erp.Rule{Name: "vip", When: `.tags | index("vip")`, Then: erp.Exclude}, tagged("vip")},
	{erp.Rule{Name: "fragile", When: `.tags | index("fragile")`, Then: erp.Hold}, tagged("fragile")},
}

func tagged(tag string) func(*shopify.Order) bool {
	return func(o *shopify.Order) bool { return slices.Contains(o.Tags, tag) }
}

// rule is what the rules in force say of an order; nil: it goes to the ERP.
func (w *world) rule(o *shopify.Order) *erp.Rule {
	for _, i := range w.rules {
		if ruleBook[i].matches(o) {
			return &ruleBook[i].Rule
		}
	}
	return nil
}

// config is the engine's, of this moment; each process has clients of its own.
func (w *world) config() Config {
	var rules []erp.Rule
	for _, i := range w.rules {
		rules = append(rules, ruleBook[i].Rule)
	}
	compiled, err := erp.CompileRules(rules)
	if err != nil {
		panic(err)
	}
	c := Config{ERPs: []ERP{w.books.config()}, Rules: compiled, WebhookURI: webhookURI, KeepBodies: w.mix.keep, Now: w.clock, Steady: w.steady, Random: w.rand}
	for _, m := range w.shops {
		c.Shops = append(c.Shops, Shop{
			Name: m.name, ERP: "books", Client: m.client(), Domain: m.name + ".myshopify.com", Webhooks: w.mix.webhooks, PollOverlap: w.mix.overlap,
			Poll:      PollPace{Active: w.mix.poll / 4, Idle: w.mix.poll, Grace: w.mix.grace},
			Reconcile: ReconcileConfig{Every: w.mix.compare, Window: w.mix.window, Settle: w.mix.settle},
		})
	}
	return c
}

func (w *world) doorShops() (all []shopify.DoorShop) {
	for _, m := range w.shops {
		all = append(all, shopify.DoorShop{Name: m.name, Domain: m.name + ".myshopify.com", Secrets: []string{secret}})
	}
	return all
}
