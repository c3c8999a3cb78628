package ordersync

// pair is a fault and the step it met.
type pair struct{ fault, step string }

// meets counts a pair.
func (w *world) meets(fault, step string) { w.met[pair{fault, step}]++ }

// simSteps are the steps of Gapless's process: what it writes, and whom it asks.
// One that is met and not named here fails the run.
var simSteps = []string{
	"Append", "AppendAnswer", "ApplyIntake", "AskAgain", "Begin", "Claim", "DropRefetch", "ForgetBodies", "KeepOutcome", "Polled",
	"PostponeRefetch", "Recover", "Replay", "Settle", "Subscribed",
	"erp GET", "erp POST", "erp PUT",
	"shop Order", "shop OrderLines", "shop OrdersPage", "shop Refunds",
	"shop SubscriptionCreate", "shop SubscriptionDelete", "shop SubscriptionUpdate", "shop Subscriptions",
}
