package ordersync

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"gapless/shopify"
	"gapless/store"
)

// pair is a fault and the step it met.
type pair struct{ fault, step string }

// meets counts a pair.
func (w *world) meets(fault, step string) { w.met[pair{fault, step}]++ }

// simSteps are the steps of Gapless's process: what it writes, and whom it asks.
// A step that is taken and not named here fails the run.
var simSteps = []string{
	"Append", "AppendAnswer", "AppendFetched", "ApplyIntake", "AskAgain", "Began", "Begin", "BeginRun", "CauseOfGap", "CheckedGap", "Claim", "ClockSetBack", "CloseGap",
	"Complete", "DropRefetch", "ForgetBodies", "FoundGaps", "HealGaps", "IgnoreGap", "KeepOutcome", "LearnShop", "NumbersSeen", "PollAgainFrom", "Polled",
	"PostponeRefetch", "Recover", "Redact", "Replay", "SaveRun", "Settle", "StopRuns", "Subscribed", "TakeBack", "UnhealedGap",
	"erp GET", "erp POST", "erp PUT",
	"shop BulkOperation", "shop BulkOperations", "shop BulkRun", "shop Order", "shop OrderLines", "shop OrdersByIDs", "shop OrdersPage", "shop Refunds", "shop Shop", "shop file",
	"shop SubscriptionCreate", "shop SubscriptionDelete", "shop SubscriptionUpdate", "shop Subscriptions",
}

// perilousSteps are those at which most is at stake: the process is struck there
// more often.
var perilousSteps = []string{"Append", "AppendAnswer", "Claim", "Begin", "erp POST", "erp PUT", "Settle", "CloseGap"}

// rareSteps are those that few worlds take: they are aimed at more often.
var rareSteps = []string{
	"Began", "DropRefetch", "ForgetBodies", "HealGaps", "IgnoreGap", "PollAgainFrom", "PostponeRefetch", "Redact", "UnhealedGap",
	"shop BulkRun", "shop SubscriptionCreate", "shop SubscriptionDelete", "shop SubscriptionUpdate", "shop file",
}

// rarestSteps are taken so seldom that each world in which one is taken tries a
// trouble on it, in turn with the others.
var rarestSteps = []string{"AppendFetched", "CauseOfGap", "StopRuns", "UnhealedGap"}

// pairs are all that can meet: a run in which one of them never does has not
// tried it, and fails.
func pairs() map[pair]bool {
	all := map[pair]bool{}
	cross := func(faults, steps []string) {
		for _, f := range faults {
			for _, s := range steps {
				all[pair{f, s}] = true
			}
		}
	}
	for _, s := range simSteps {
		cross(troubleNames(processTroubles), []string{string(before) + s, string(after) + s})
		if isRequest(s) {
			cross(troubleNames(processTroubles), []string{string(during) + s})
		}
		switch {
		case s == "erp GET":
			cross(troubleNames(troublesAsking), []string{s})
		case strings.HasPrefix(s, "erp"):
			cross(append(troubleNames(troublesChanging), "article refused"), []string{s})
		case slices.Contains([]string{"shop SubscriptionCreate", "shop SubscriptionDelete", "shop SubscriptionUpdate"}, s):
			cross(troubleNames(troublesShopifyChanging), []string{s})
		case strings.HasPrefix(s, "shop"):
			cross(troubleNames(troublesShopify), []string{s})
		}
	}
	cross([]string{"dropped", "repeated", "twinned", "delayed", "reordered", "corrupted", "failed", "lost"}, orderTopics)
	cross([]string{"stale"}, []string{"orders/updated"})
	cross([]string{"subscription removed", "subscription spoilt", "subscription doubled"}, shopify.Topics)
	cross([]string{"replay", "double click", "dry run"}, states)
	cross([]string{"edited in the ERP", "cancelled in the ERP", "deleted in the ERP"}, states)
	cross([]string{"restore", "a night in which clocks change"}, []string{"any"})
	for p := range impossible {
		delete(all, p)
	}
	return all
}

// orderTopics are those that a shop sends when orders change.
var orderTopics = []string{
	"orders/create", "orders/updated", "orders/paid", "orders/cancelled", "orders/edited", "orders/fulfilled", "orders/partially_fulfilled",
	"orders/delete", "refunds/create",
}

var states = []string{store.StateDue, store.StateSending, store.StateDelivered, store.StateUnknown, store.StateParked, store.StateExcluded}

// impossible are the pairs that can't meet, each with the reason.
var impossible = map[pair]string{}

func troubleNames(troubles []trouble) (all []string) {
	for _, f := range troubles {
		all = append(all, f.name)
	}
	return all
}

// cover adds up what the worlds of a run met.
type cover struct {
	mu    sync.Mutex
	met   map[pair]int
	steps map[string]int
}

func (c *cover) add(w *world) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, n := range w.met {
		c.met[p] += n
	}
	for s, n := range w.taken {
		c.steps[s] += n
	}
}

// check fails the run for steps that nobody has named and, in a long one, for
// pairs that never met.
func (c *cover) check(t *testing.T, worlds uint64) {
	for _, s := range slices.Sorted(maps.Keys(c.steps)) {
		if !slices.Contains(simSteps, s) {
			t.Errorf("the step %q is new: name it in simSteps, so that every fault meets it", s)
		}
	}
	met, all := 0, pairs()
	var missed []string
	for p := range all {
		if c.met[p] > 0 {
			met++
		} else {
			missed = append(missed, p.fault+" × "+p.step)
		}
	}
	slices.Sort(missed)
	t.Logf("%d of %d pairs of fault and step met", met, len(all))
	switch {
	case len(missed) == 0:
	case worlds >= long:
		t.Errorf("never met:\n%s", strings.Join(missed, "\n"))
	case worlds >= long/10:
		t.Logf("not met yet:\n%s", strings.Join(missed, "\n"))
	}
}
