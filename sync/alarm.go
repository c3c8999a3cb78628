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
var comparisons = []struct {
	kind  string
	after time.Duration // for so long it may fail before people hear of it
	of    string        // which part of a shop can't be compared
	text  string
}{
	{store.RunReconcile, blindFor, "", "The regular comparison fails. Until this is mended, nobody knows whether orders are missing."},
	{store.RunDeep, deepAgain + blindFor, "the last 60 days of ", "The comparison of the last 60 days fails, the regular one of recent orders does not. Until this is mended, nobody knows whether older orders are missing."},
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
	told, err := e.store.ToldBlind(ctx, shop.Name)
	if err != nil {
		return err
	}
	now, remind := e.now(), e.cfg.Alerts.Remind
	for _, c := range comparisons {
		first, last, err := e.store.FailedComparisons(ctx, shop.Name, c.kind, BySchedule)
		if errors.Is(err, store.ErrNotFound) {
			continue
		}
		since := first.StartedAt
		news := since.After(told) || remind > 0 && now.Sub(told) >= remind
		if err != nil || now.Sub(since) < c.after || !news {
			return err
		}
		return e.alarm(ctx, shop.Name, now, fmt.Sprintf("Gapless: %s%s can't be compared with %s since %s", c.of, shop.Name, shop.ERP, version(since)),
			c.text+" Gapless goes on trying. Why it failed last: "+last.Note)
	}
	if told.IsZero() {
		return nil
	}
	return e.alarm(ctx, shop.Name, time.Time{}, fmt.Sprintf("Gapless: %s is compared with %s again", shop.Name, shop.ERP),
		"The comparisons of Shopify and the ERP are complete again. What was lost meanwhile is told as gaps.")
}

// alarm has people told of a shop, and keeps since when they know; the zero time:
// it is over.
func (e *Engine) alarm(ctx context.Context, shop string, at time.Time, subject, text string) error {
	data, err := json.Marshal(map[string]any{"shop": shop, "failing": !at.IsZero(), "text": text})
	if err != nil {
		return err
	}
	letters := make([]store.Letter, len(e.cfg.Alerts.Channels))
	for i, c := range e.cfg.Alerts.Channels {
		letters[i] = store.Letter{Channel: c.Name(), Kind: letterChecks, Subject: subject, Text: text, Data: data}
	}
	return e.store.TellBlind(ctx, shop, at, letters)
}
