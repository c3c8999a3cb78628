package ordersync

import (
	"slices"
	"strings"
	"time"
)

// cycle is one of the engine's loops: a step, taken when the store has changed
// or a moment has come. Here new steps are added, in drive.
type cycle struct {
	*process
	name  string
	wakes []string // the store's methods after which it is due
	run   func(*task) (again time.Duration)

	at      time.Time // when it is due; zero: after a change
	running bool
	missed  bool // it became due while it ran
	rounds  int
}

// drive starts the loops, as Run and schedule do.
func (p *process) drive() {
	add := func(name string, run func(*task) time.Duration, wakes ...string) *cycle {
		c := &cycle{process: p, name: name, run: run, wakes: wakes}
		p.cycles = append(p.cycles, c)
		c.due(p.upTo(time.Second))
		return c
	}
	add("intake", p.intake, "Append", "AppendAnswer", "AppendFetched")
	add("books", p.deliver, "ApplyIntake", "Settle", "Replay", "Recover", "TakeBack", "ClockSetBack", "FoundGaps", "HealGaps")
	add("verify", p.verify, "Settle", "FoundGaps", "HealGaps", "ApplyIntake", "DropRefetch", "CheckedGap")
	p.takesBack = add("recover", p.recover)
	for _, shop := range p.shops {
		add("refetch "+shop.name, func(t *task) time.Duration { return p.refetch(t, shop.name) }, "ApplyIntake", "FoundGaps", "HealGaps", "Settle", "AskAgain")
		poller := &poller{Engine: p.engine, shop: p.engine.shops[shop.name], pace: p.mix.poll}
		add("poll "+shop.name, func(*task) time.Duration { return p.poll(poller) }, "ApplyIntake", "FoundGaps", "PollAgainFrom")
		add("compare "+shop.name, func(*task) time.Duration {
			p.tell(p.engine.reconcileDue(p.stop, p.engine.shops[shop.name]))
			return p.seldom(p.mix.compare)
		})
		backfiller := &backfiller{Engine: p.engine, shop: p.engine.shops[shop.name]}
		add("backfill "+shop.name, func(*task) time.Duration { return backfiller.step(p.stop) }, "BeginRun", "SaveRun")
		add("signs "+shop.name, func(*task) time.Duration {
			p.tell(p.engine.watchSigns(p.stop, p.engine.shops[shop.name]))
			_, err := p.engine.FindStuck(p.stop, shop.name)
			p.tell(err)
			return p.seldom(p.mix.span / 8)
		})
		if p.mix.webhooks {
			add("subscribe "+shop.name, func(*task) time.Duration {
				p.tell(p.engine.Subscribe(p.stop, shop.name))
				return time.Hour
			})
		}
	}
	if p.mix.keep > 0 {
		add("forget", func(*task) time.Duration {
			p.tell(p.engine.forget(p.stop))
			return time.Hour
		})
	}
}

// seldom is d, and longer once nothing more goes wrong.
func (p *process) seldom(d time.Duration) time.Duration {
	if p.finished {
		return max(d, 6*time.Hour)
	}
	return d
}

// poll takes a poller's step. The engine looks every second whether a sign calls
// for a poll; here it is enough to look when one may.
func (p *process) poll(poller *poller) time.Duration {
	planned := poller.next
	wait := poller.step(p.stop)
	shop, err := p.store.Shop(p.stop, poller.shop.Name)
	p.tell(err)
	if !poller.next.Equal(planned) && err == nil && shop.PollError == "" {
		p.looked[shop.Name]++
	}
	if len(p.engine.signs[shop.Name].holes) > 0 {
		return min(wait, p.mix.grace+time.Second)
	}
	return p.seldom(wait)
}

// verify asks the ERP about gaps. The engine looks every second for those whose
// order has come to rest; here it looks when one may have, and from time to time.
func (p *process) verify(*task) time.Duration {
	n, err := p.engine.VerifyGaps(p.stop)
	p.tell(err)
	if n > 0 && err == nil {
		return time.Second
	}
	return p.seldom(p.between(time.Minute, 15*time.Minute))
}

// intake decides what was heard.
func (p *process) intake(*task) time.Duration { return p.engine.intakeAll(p.stop) }

// deliver claims what is due, and works on each claim in a task of its own.
func (p *process) deliver(t *task) time.Duration {
	next, err := p.store.NextDue(p.stop, "books")
	p.tell(err)
	if next.IsZero() {
		return 0
	}
	if wait := next.Sub(p.clock()); wait > 0 {
		return wait
	}
	l := p.engine.lanes["books"]
	claims, wait := l.take(p.stop)
	for _, c := range claims {
		p.oneAttemptEach(c)
		l.running++
		attempt := p.spawn(p, "attempt", func(t *task) { l.attempt(p.calls, p.stop, c) }, func() {
			l.running--
			if open, _ := l.circuit.state(); !open.IsZero() { // it waits for its probe
				p.changed("Settle")
			}
		})
		attempt.claim, attempt.disturbed = &c, t.disturbed // since the clock was read
		p.takesBack.due(p.between(10*time.Second, time.Minute))
	}
	if len(claims) > 0 {
		p.takenBack() // since they were claimed
		return time.Millisecond
	}
	return wait
}

// recover takes back attempts whose lease has run out. The engine looks every
// ten seconds; here it is enough to look while there are attempts.
func (p *process) recover(*task) time.Duration {
	p.tell(p.engine.takeBack(p.stop))
	p.engine.purge(p.stop)
	if slices.ContainsFunc(p.tasks, func(t *task) bool { return t.claim != nil }) {
		return p.between(10*time.Second, time.Minute)
	}
	return 0
}

// refetch asks a shop for what is in doubt, several orders at once.
func (p *process) refetch(t *task, shop string) time.Duration {
	asked, err := p.store.DueRefetches(p.stop, shop, p.clock().AddDate(1, 0, 0), 1000)
	p.tell(err)
	var next time.Time
	under := 0
	for _, r := range asked {
		switch {
		case r.NextAt.After(p.clock()):
			if next.IsZero() || r.NextAt.Before(next) {
				next = r.NextAt
			}
		case under < refetchBatch:
			under++
			p.spawn(p, "refetch", func(t *task) {
				t.asks = &r
				p.tell(p.engine.Refetch(p.stop, r))
			}, func() {
				if under--; under == 0 && !t.over {
					t.wakeIn(0)
				}
			})
		}
	}
	switch {
	case under > 0:
		t.park()
		return time.Millisecond
	case next.IsZero():
		return 0
	}
	return next.Sub(p.clock())
}

// changed makes the loops due that wait for what the method of the store did.
func (p *process) changed(method string) {
	for _, c := range p.cycles {
		if slices.Contains(c.wakes, method) {
			c.due(p.upTo(20 * time.Millisecond))
		}
	}
}

// due plans the next round, unless an earlier one is planned.
func (c *cycle) due(in time.Duration) {
	at := c.now.Add(in)
	if !c.at.IsZero() && !c.at.After(at) {
		return
	}
	c.at = at
	c.in(in, func() {
		if c.at.Equal(at) {
			c.at = time.Time{}
			c.round()
		}
	})
}

func (c *cycle) round() {
	switch {
	case c.dead || c.stop.Err() != nil:
	case c.running:
		c.missed = true
	default:
		c.running = true
		again := time.Duration(0)
		c.spawn(c.process, c.name, func(t *task) { again = c.run(t) }, func() {
			c.running = false
			c.rounds++
			if c.missed {
				c.missed, again = false, time.Millisecond
			}
			if again > 0 {
				c.due(again)
			}
		})
	}
}

// rounds is how often all loops of this kind have gone round.
func (p *process) rounds(kind string) int {
	least := -1
	for _, c := range p.cycles {
		if name, _, _ := strings.Cut(c.name, " "); name == kind && (least < 0 || c.rounds < least) {
			least = c.rounds
		}
	}
	return least
}
