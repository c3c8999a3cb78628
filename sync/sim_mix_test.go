package ordersync

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	_ "time/tzdata" // worlds have a zone, machines may not

	"gapless/erp"
	"gapless/shopify/shopifytest"
)

// mix is what a seed makes of a world: its ERP, its habits, and how often what
// goes wrong.
type mix struct {
	start time.Time
	span  time.Duration // of the faults
	acts  int           // of people, within it

	tier     erp.Tier
	erpLag   time.Duration // of the ERP's look-ups, tier C
	rules    []int
	shops    int
	webhooks bool
	hooks    shopifytest.Faults
	indexLag time.Duration // at most
	page     int           // orders, and lines, on one page
	body     string        // jq: what the ERP wants of an order
	poll     time.Duration // at most, between two
	overlap  time.Duration // of polls: more than the index lags
	grace    time.Duration // of webhooks, before a poll calls their change lost
	compare  time.Duration // between two comparisons
	window   time.Duration // of a comparison, at least
	settle   time.Duration // younger changes are not compared
	past     int           // orders placed before Gapless began
	keep     time.Duration // of bodies; 0: for ever

	asking, changing       odds // of requests to the ERP
	shopAsking, shopChange odds // and to the shops
	process                odds // of what befalls Gapless's process at each of its steps
	aims                   []aim
}

// odds are troubles by name, each with its probability.
type odds []chance

type chance struct {
	trouble
	p float64
}

// draw picks the trouble of one occasion, mostly none.
func (o odds) draw(r *rand.Rand, none trouble) trouble {
	if len(o) == 0 {
		return none
	}
	x := r.Float64()
	for _, f := range o {
		if x -= f.p; x < 0 {
			return f.trouble
		}
	}
	return none
}

// aim strikes the process at the first time that a step is reached after a while.
type aim struct {
	pair
	when moment
	from time.Time
}

// drawMix draws a world's mix.
func drawMix(r *rand.Rand) mix {
	m := mix{
		start: one(r, starts).Add(-time.Duration(r.Int64N(int64(2 * time.Hour)))),
		span:  one(r, []time.Duration{20 * time.Minute, time.Hour, 3 * time.Hour}),
		acts:  8 + r.IntN(16),
		tier:  one(r, []erp.Tier{erp.TierA, erp.TierB, erp.TierB, erp.TierC}),
		rules: one(r, [][]int{nil, nil, {0}, {1}, {0, 1}, {2}, {3}}),
		shops: one(r, []int{1, 1, 1, 1, 2}), webhooks: r.IntN(8) > 0,
		indexLag: one(r, []time.Duration{0, 3 * time.Second, 40 * time.Second, 5 * time.Minute}),
		page:     one(r, []int{1, 2, 3, 250}),
		keep:     one(r, []time.Duration{0, 0, time.Hour}),
		body:     one(r, []string{".", sparse}),
	}
	m.overlap = one(r, []time.Duration{10 * time.Minute, m.indexLag + 30*time.Second})
	m.poll = m.span / time.Duration(6+r.IntN(12))
	m.compare = m.span / time.Duration(1+r.IntN(5))
	m.grace = one(r, []time.Duration{0, 20 * time.Second, 2 * time.Minute})
	m.settle = one(r, []time.Duration{20 * time.Second, 2 * time.Minute})
	m.window = one(r, []time.Duration{10 * time.Minute, time.Hour, 24 * time.Hour})
	m.past = one(r, []int{0, 0, 1, 2, 3})
	if m.tier == erp.TierC {
		m.erpLag = one(r, []time.Duration{time.Minute, 10 * time.Minute, time.Hour})
	}
	m.hooks = drawHooks(r)
	m.asking, m.changing = drawOdds(r, troublesAsking), drawOdds(r, troublesChanging)
	if r.IntN(4) == 0 { // an effect behind an error is easily overlooked
		m.changing = append(odds{{madeAllTheSame, 0.3}}, m.changing...)
	}
	m.shopAsking, m.shopChange = drawOdds(r, troublesShopify), drawOdds(r, troublesShopifyChanging)
	m.process = drawOdds(r, processTroubles)
	for i := range m.process {
		m.process[i].p /= 50 // a world has hundreds of steps
	}
	for range 2 + r.IntN(6) {
		m.aims = append(m.aims, m.drawAim(r))
	}
	return m
}

// drawAim aims at some moment of some step; the rare ones have their turn more often.
func (m mix) drawAim(r *rand.Rand) aim {
	a := aim{
		pair: pair{one(r, processTroubles).name, one(r, one(r, [][]string{simSteps, simSteps, rareSteps}))}, when: one(r, moments),
		from: m.start.Add(time.Duration(r.Int64N(int64(m.span)))),
	}
	if a.when == during && !isRequest(a.step) {
		a.when = after
	}
	return a
}

// sparse is a mapping that leaves out most of an order, so that many changes
// change nothing in the ERP.
const sparse = `{ref, total, currency, cancelled_at, lines: [.lines[] | {sku, title, quantity, amount}]}`

// moments are all that a step has; only requests have one between.
var moments = []moment{before, during, after}

func isRequest(step string) bool {
	return strings.HasPrefix(step, "erp ") || strings.HasPrefix(step, "shop ")
}

// rareAim is a world's turn among the troubles on rare steps.
func rareAim(seed uint64, from time.Time) aim {
	turn := func(n int) int {
		i := seed % uint64(n)
		seed /= uint64(n)
		return int(i)
	}
	trouble, step := processTroubles[turn(len(processTroubles))], rarestSteps[turn(len(rarestSteps))]
	return aim{pair: pair{trouble.name, step}, when: []moment{before, after}[turn(2)], from: from}
}

// starts are moments before which worlds begin: a plain one, and the nights on
// which the shop's clocks change.
var starts = []time.Time{
	time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC),
	time.Date(2026, 11, 1, 6, 30, 0, 0, time.UTC), // New York sets its clocks back at 06:00 UTC
	time.Date(2027, 3, 14, 7, 30, 0, 0, time.UTC), // and forward at 07:00
}

// drawOdds makes some of the faults come with some frequency.
func drawOdds(r *rand.Rand, all []trouble) odds {
	level := one(r, []float64{0, 0.05, 0.2, 0.2, 0.5})
	some := 1 + r.IntN(len(all))
	var o odds
	for _, i := range r.Perm(len(all))[:some] {
		o = append(o, chance{all[i], level / float64(some)})
	}
	return o
}

// drawHooks makes webhooks go wrong in some ways.
func drawHooks(r *rand.Rand) shopifytest.Faults {
	p := func() float64 { return one(r, []float64{0, 0, 0.1, 0.4}) }
	return shopifytest.Faults{
		Drop: one(r, []float64{0, 0.1, 0.5, 1}), Repeat: p(), Twin: p() / 2, Delay: p(), Reorder: p(), Corrupt: p() / 2, CorruptLost: p(),
		Stale: p(), NewID: p(), MaxDelay: one(r, []time.Duration{time.Minute, time.Hour, 24 * time.Hour}),
	}
}

// String tells a mix on one line.
func (m mix) String() string {
	return fmt.Sprintf("%s for %s, tier %s, %d shops, lag %s and %s, webhooks %v, rules %v, %d acts", m.start.Format(time.DateTime), m.span, m.tier,
		m.shops, m.indexLag, m.erpLag, m.webhooks, m.rules, m.acts)
}
