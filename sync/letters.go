package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"gapless/store"
	"gapless/sync/alert"
	"gapless/sync/report"
)

// Channel carries messages to people; those of package alert are.
type Channel = alert.Channel

// AlertConfig says who hears of gaps, and when.
type AlertConfig struct {
	Channels []Channel
	After    time.Duration // a gap younger than this alerts nobody
	Remind   time.Duration // while it stays open; 0: never again
}

// Kinds of letters.
const (
	letterReport = "report"
	letterGaps   = "gaps"
)

// How letters about gaps are grouped: what comes up within the pause goes into
// one letter.
const (
	alertPause = 5 * time.Minute
	mostGaps   = 500 // in one letter; the rest follows in the next
)

// tellGaps writes one letter a channel about all gaps that people should hear
// of: those that opened and stay, those that are still open, those that closed.
func (e *Engine) tellGaps(ctx context.Context) error {
	now := e.now()
	if len(e.cfg.Alerts.Channels) == 0 || now.Sub(e.lastAlert) < alertPause {
		return nil
	}
	again := time.Unix(0, 0)
	if e.cfg.Alerts.Remind > 0 {
		again = now.Add(-e.cfg.Alerts.Remind)
	}
	gaps, err := e.store.Untold(ctx, now.Add(-e.cfg.Alerts.After), again, mostGaps)
	if err != nil || len(gaps) == 0 {
		return err
	}
	letter, err := gapLetter(gaps)
	if err != nil {
		return err
	}
	if err := e.store.Told(ctx, lettersBy(e.cfg.Alerts.Channels, letter), gaps); err != nil {
		return err
	}
	e.lastAlert = now
	return nil
}

// lettersBy is the same letter by each of the channels.
func lettersBy(channels []Channel, letter store.Letter) []store.Letter {
	letters := make([]store.Letter, len(channels))
	for i, c := range channels {
		letters[i] = letter
		letters[i].Channel = c.Name()
	}
	return letters
}

// gapLetter says in plain words which gaps are new, still there, and closed.
func gapLetter(gaps []store.Gap) (store.Letter, error) {
	var opened, still, closed []store.Gap
	for _, g := range gaps {
		switch {
		case g.State == store.GapClosed:
			closed = append(closed, g)
		case g.AlertedAt.IsZero():
			opened = append(opened, g)
		default:
			still = append(still, g)
		}
	}
	var subject []string
	var text strings.Builder
	var all []report.Gap
	for _, part := range []struct {
		gaps  []store.Gap
		words string
	}{{opened, "new"}, {still, "still open"}, {closed, "closed"}} {
		if len(part.gaps) == 0 {
			continue
		}
		subject = append(subject, fmt.Sprintf("%d %s", len(part.gaps), part.words))
		fmt.Fprintf(&text, "%s:\n", strings.ToUpper(part.words[:1])+part.words[1:])
		for _, g := range part.gaps {
			told := gapTold(g)
			told.News = part.words
			all = append(all, told)
			fmt.Fprintf(&text, "- %s\n", told.Line())
		}
		text.WriteString("\n")
	}
	data, err := json.Marshal(map[string]any{"gaps": all})
	return store.Letter{Kind: letterGaps, Subject: "Gapless, orders to look at: " + strings.Join(subject, ", "), Text: text.String(), Data: data}, err
}

// channels are the names of those in the config, and of those that letters wait
// for still.
func (e *Engine) channels(ctx context.Context) ([]string, error) {
	names, err := e.store.WaitingChannels(ctx)
	for _, c := range slices.Concat(e.cfg.Alerts.Channels, e.cfg.Report.Channels) {
		names = append(names, c.Name())
	}
	slices.Sort(names)
	return slices.Compact(names), err
}

// sendAll sends what is due by one channel, and says when to look again.
func (e *Engine) sendAll(ctx context.Context, channel string) time.Duration {
	if err := e.sendLetters(ctx, channel); err != nil && ctx.Err() == nil {
		e.log.Warn("people could not be told; it is tried again", "err", err)
	}
	return time.Second
}

// sendLetters hands the letters that are due to their channel. One that is not
// taken, or not by all, is tried again later and later, for as long as it takes.
func (e *Engine) sendLetters(ctx context.Context, channel string) error {
	const atOnce = 20
	letters, err := e.store.DueLetters(ctx, channel, atOnce)
	if err != nil {
		return err
	}
	var errs error
	for _, l := range letters {
		if err := e.sendLetter(ctx, l); err != nil {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

func (e *Engine) sendLetter(ctx context.Context, l store.Letter) error {
	channel := e.channel(l.Kind, l.Channel)
	if channel == nil { // the other channels and the pages tell the same
		e.log.Warn("a letter is given up: its channel is not in the config any more", "channel", l.Channel, "kind", l.Kind)
		return e.store.GiveUpLetter(ctx, l.ID)
	}
	err := channel.Send(ctx, alert.Message{ID: letterID(l), Kind: l.Kind, Subject: l.Subject, Text: l.Text, HTML: l.HTML, Data: l.Data, To: l.To})
	noted := context.WithoutCancel(ctx) // who has it is known after a restart, too
	if err == nil {
		return e.store.LetterSent(noted, l.ID)
	}
	refusal := &alert.Error{}
	errors.As(err, &refusal)
	switch {
	case len(refusal.Left) > 0:
		l.To = refusal.Left // the others have it
	case ctx.Err() != nil:
		return ctx.Err()
	}
	wait := max(e.backoff(l.Tries, time.Minute, time.Hour), refusal.After)
	if refusal.Permanent {
		wait = time.Hour // until a person has mended it
	}
	return errors.Join(err, e.store.LetterFailed(noted, l.ID, l.To, e.now().Add(wait), err.Error()))
}

// letterID is the same whenever a letter is sent, and no other letter's: numbers
// alone come again in another store, and after a backup was restored.
func letterID(l store.Letter) string { return fmt.Sprintf("gapless-%d-%d", l.ID, l.MadeAt.UnixMicro()) }

// channel is the channel that takes letters of a kind.
func (e *Engine) channel(kind, name string) Channel {
	channels := e.cfg.Alerts.Channels
	if kind == letterReport {
		channels = e.cfg.Report.Channels
	}
	for _, c := range channels {
		if c.Name() == name {
			return c
		}
	}
	return nil
}
