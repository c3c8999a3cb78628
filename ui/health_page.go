package ui

import (
	"runtime"
	"time"
)

type healthBody struct {
	Reasons []string
	Lines   []lineState
	Facts   []fact
	Letters string
	Refused []refusal
	Changes []fact
}

// refusal is a request that the door turned away.
type refusal struct {
	At                          *moment
	Shop, Topic, Reason, Remote string
}

// leastFree is how many bytes should be free on the store's disk.
const leastFree = 1 << 30

// healthPage tells how Gapless itself is.
func healthPage(v *visit) (view, error) {
	ctx := v.Context()
	var body healthBody
	var err error
	if body.Lines, err = v.lines(); err != nil {
		return view{}, err
	}
	first, err := v.firstClock()
	if err != nil {
		return view{}, err
	}
	if body.Reasons, err = v.unwell(first, body.Lines); err != nil {
		return view{}, err
	}
	backup, err := v.Store.LastBackup(ctx)
	if err != nil {
		return view{}, err
	}
	body.Facts = append(v.healthFacts(), backupFact(first, backup))
	refused, err := v.Store.Refusals(ctx, 20)
	if err != nil {
		return view{}, err
	}
	for _, r := range refused {
		body.Refused = append(body.Refused, refusal{first.at(r.At), short(r.Shop, 80), short(r.Topic, 60), short(r.Reason, 200), short(r.Remote, 60)})
	}
	changes, err := v.Store.SubscriptionChanges(ctx, 20)
	for _, c := range changes {
		body.Changes = append(body.Changes, fact{short(c.Shop+": "+c.Topic+" "+c.Change+", "+c.Detail, 300), "", first.at(c.At)})
	}
	return view{template: "health", title: "Health", body: body}, err
}

// unwell says all that is the matter, one sentence or two each; nothing: all is well.
func (v *visit) unwell(c clock, lines []lineState) (all []string, err error) {
	if failure := v.Store.Failing(); failure != nil {
		v.Log.Error("the last writes could not be stored", "err", failure)
		all = append(all, "Nothing could be stored just now, so messages from Shopify are turned away until it can. The log of Gapless says why.")
	}
	for _, l := range lines {
		if l.Tone == "bad" {
			all = append(all, l.Name+": "+l.State+". "+c.tell(l.What))
		}
	}
	n, why, err := v.Store.UnsentLetters(v.Context())
	if n > 0 {
		all = append(all, plural(n, "report or alert")+" could not be sent so far: "+short(why, 300))
	}
	if free := v.Actions.Connections().Free; free >= 0 && free < leastFree {
		all = append(all, "Only "+size(free)+" are free on the disk; make room for at least 1 GB.")
	}
	return all, err
}

func (v *visit) healthFacts() []fact {
	connected := v.Actions.Connections()
	database, wal := v.Store.Size()
	rows, bytes := v.Store.Queued()
	facts := []fact{{Label: "Gapless", Text: v.Version + ", " + runtime.Version()}}
	for _, s := range connected.Shops {
		text := "asked for " + s.APIVersion
		if s.APIAnswers != "" {
			text += ", Shopify answers with " + s.APIAnswers
		}
		facts = append(facts, fact{Label: "Shopify's API, " + s.Name, Text: text}, v.tokenFact(s))
		if s.Pace > 0 {
			facts = append(facts, fact{Label: "Asks for changes, " + s.Name, Text: "every " + span(s.Pace)})
		}
	}
	if connected.Free >= 0 {
		facts = append(facts, fact{Label: "Free on the disk", Text: size(connected.Free)})
	}
	return append(facts, fact{Label: "Store", Text: size(database)}, fact{Label: "Its newest writes", Text: size(wal)},
		fact{Label: "Waits to be stored", Text: plural(int64(rows), "write") + ", " + size(bytes)})
}

// backupFact says how much would be lost with the disk.
func backupFact(c clock, at time.Time) fact {
	if at.IsZero() {
		return fact{Label: "Last backup", Text: "none so far; gapless backup FILE makes one while Gapless runs"}
	}
	return fact{Label: "Last backup", At: c.at(at)}
}

// tokenFact says how long Gapless may ask a shop.
func (v *visit) tokenFact(s ShopConnection) fact {
	text := "does not expire"
	switch {
	case s.TokenRenewed && s.TokenExpires.IsZero():
		text = "asked for when it is needed"
	case s.TokenRenewed:
		text = "good for " + span(s.TokenExpires.Sub(v.Now())) + ", renewed before"
	}
	return fact{Label: "Access token, " + s.Name, Text: text}
}
