package ordersync

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"gapless/store"
)

// letterChecks is the kind of letters about comparisons that keep failing.
const letterChecks = "checks"

// blindFor is for how long the regular comparisons of a shop may fail before
// people hear of it: while they do, nobody knows what is missing.
const blindFor = 3 * time.Hour

// comparisons are those that the clock asks for, the graver first: while it
// fails, whether the other does is no news. What people ask for is not judged:
// they see how it ends, and it may be over some minutes only.
var comparisons = []comparisonKind{
	{store.RunReconcile, blindFor, "", "The regular comparison fails. Until this is mended, nobody knows whether orders are missing.",
		"The regular comparison of recent orders is complete again."},
	{store.RunDeep, deepAgain + blindFor, "the last 60 days of ", "The comparison of the last 60 days fails, the regular one of recent orders does not. Until this is mended, nobody knows whether older orders are missing.",
		"The comparison of the last 60 days is complete again."},
}

type comparisonKind struct {
	kind  string
	after time.Duration // for so long it may fail before people hear of it
	of    string        // which part of a shop it compares; empty: what is recent
	fails string
	works string
}

// tellBlind tells people of shops whose comparisons keep failing, again while
// they do, and once they work again.
func (e *Engine) tellBlind(ctx context.Context) error {
	if len(e.cfg.Alerts.Channels) == 0 {
		return nil
	}
	var errs error
	for _, shop := range e.shops {
		errs = errors.Join(errs, e.tellBlindShop(ctx, shop))
	}
	return errs
}

func (e *Engine) tellBlindShop(ctx context.Context, shop *Shop) error {
	for _, c := range comparisons {
		fails, err := e.tellBlindKind(ctx, shop, c)
		if err != nil || fails {
			return err
		}
	}
	return nil
}

func (e *Engine) tellBlindKind(ctx context.Context, shop *Shop, c comparisonKind) (fails bool, err error) {
	told, err := e.store.ToldBlind(ctx, shop.Name, c.kind)
	if err != nil {
		return false, err
	}
	first, last, err := e.store.FailedComparisons(ctx, shop.Name, c.kind, store.BySchedule)
	switch {
	case errors.Is(err, store.ErrNotFound) && told.IsZero():
		return false, nil
	case errors.Is(err, store.ErrNotFound):
		return false, e.alarm(ctx, shop.Name, c.kind, time.Time{}, fmt.Sprintf("Gapless: %s%s can be compared with %s again", c.of, shop.Name, shop.ERP),
			c.works+" What was lost meanwhile is told as gaps.")
	case err != nil:
		return false, err
	}
	now, since, remind := e.now(), first.StartedAt, e.cfg.Alerts.Remind
	if news := since.After(told) || remind > 0 && now.Sub(told) >= remind; !news || now.Sub(since) < c.after {
		return true, nil
	}
	return true, e.alarm(ctx, shop.Name, c.kind, now, fmt.Sprintf("Gapless: %s%s can't be compared with %s since %s", c.of, shop.Name, shop.ERP, version(since)),
		c.fails+" Gapless goes on trying. Why it failed last: "+last.Note)
}

// alarm has people told of a shop's comparisons of a kind, and keeps since when
// they know; the zero time: it is over.
func (e *Engine) alarm(ctx context.Context, shop, kind string, at time.Time, subject, text string) error {
	data, err := json.Marshal(map[string]any{"shop": shop, "kind": kind, "failing": !at.IsZero(), "text": text})
	if err != nil {
		return err
	}
	letters := lettersBy(e.cfg.Alerts.Channels, store.Letter{Kind: letterChecks, Subject: subject, Text: text, Data: data})
	return e.store.TellBlind(ctx, shop, kind, at, letters)
}
