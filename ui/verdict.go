package ui

import (
	"time"

	"gapless/store"
	"gapless/sync/report"
)

// sight is how far Gapless sees the two ends of a shop now.
type sight struct {
	removed bool   // the app, in Shopify
	silent  bool   // Shopify does not answer
	shut    string // the ERP that is not reachable; empty: it is
	old     bool   // the last whole comparison is too long ago to speak of now
}

// A comparison is old when several that were due since did not come about, and
// never within a few hours: an ERP may be shut down for that long.
const (
	oldAfter = 3 * time.Hour
	oldRuns  = 3
)

func (v *visit) sight(shop store.Shop) sight {
	s := sight{removed: !shop.UninstalledAt.IsZero(), silent: shop.PollError != ""}
	connected := v.Actions.Connections()
	var c ShopConnection
	for _, known := range connected.Shops {
		if known.Name == shop.Name {
			c = known
		}
	}
	for _, e := range connected.ERPs {
		if e.Name == c.ERP && !e.Until.IsZero() {
			s.shut = e.Name
		}
	}
	s.old = !shop.CompleteThrough.IsZero() && v.now.Sub(shop.CompleteThrough) > max(oldAfter, oldRuns*c.Compares)
	return s
}

// judge puts the shop's state in a sentence: gaps of all days first, then what is
// not known. What was never compared, or not for long, is not called complete.
func (t *shopToday) judge(b report.Balance, s sight) {
	t.note(b, s)
	missing := max(t.gaps.Missing, b.Missing.Orders) // figures that are old may hold more
	parked := max(t.gaps.Parked, b.Parked.Orders)    // one that parked just now has no gap yet
	off := b.Difference()
	switch {
	case missing > 0:
		t.say("bad", plural(missing, "order")+are(missing)+"missing in the ERP")
	case t.gaps.Wrong > 0:
		t.say("bad", plural(t.gaps.Wrong, "order")+are(t.gaps.Wrong)+"wrong in the ERP")
	case !off.Empty():
		t.say("bad", "Today does not add up")
		t.Left = off.String()
	case t.Complete == nil:
		t.say("unsure", "Not known yet")
	case s.old:
		t.say("unsure", "Not known since "+t.Complete.Text)
	case s.removed:
		t.say("unsure", "The app was removed in Shopify")
	case s.silent:
		t.say("unsure", "Shopify does not answer just now")
	case s.shut != "":
		t.say("unsure", "The ERP is not reachable just now")
	case t.gaps.Stuck > 0:
		t.say("unsure", plural(t.gaps.Stuck, "order")+are(t.gaps.Stuck)+"on the way for too long")
	case parked > 0:
		t.say("unsure", plural(parked, "order")+wait(parked)+"for you; nothing is missing")
	case t.gaps.Unheard > 0:
		t.say("unsure", "Nothing is missing, but Shopify's messages don't all come")
	default:
		t.say("good", "Nothing is missing")
	}
}

// say sets the sentence, whose icon goes by the name of its tone.
func (t *shopToday) say(tone, sentence string) { t.Tone, t.Icon, t.Sentence = tone, tone, sentence }

// note adds what else is to be known of the sentence.
func (t *shopToday) note(b report.Balance, s sight) {
	if earlier := t.gaps.Missing - b.Missing.Orders; earlier > 0 && t.Old.IsZero() { // old figures don't have today's yet
		t.Notes = append(t.Notes, number(earlier)+" of them"+were(earlier)+"placed before today.")
	}
	if s.old {
		t.Notes = append(t.Notes, "What changed since the last whole comparison is not known.")
	}
	switch {
	case s.removed:
		t.Notes = append(t.Notes, "Install the app in Shopify again, and Gapless goes on by itself.")
	case s.silent:
		t.Notes = append(t.Notes, "Gapless asks Shopify again and again; new changes may not be here yet.")
	}
	if s.shut != "" {
		t.Notes = append(t.Notes, "The ERP "+s.shut+" does not take orders now; they wait here and go on by themselves.")
	}
}

func are(n int64) string {
	if n == 1 {
		return " is "
	}
	return " are "
}

func were(n int64) string {
	if n == 1 {
		return " was "
	}
	return " were "
}

func wait(n int64) string {
	if n == 1 {
		return " waits "
	}
	return " wait "
}
