package shopifytest

import (
	"bytes"
	"container/heap"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"net/http"
	"sync"
	"time"
)

// retryWaits are the waits before the retries, 4 h in all.
var retryWaits = []time.Duration{
	time.Minute, 2 * time.Minute, 4 * time.Minute, 8 * time.Minute,
	15 * time.Minute, 30 * time.Minute, 60 * time.Minute, 120 * time.Minute,
}

// take removes the next delivery that is due at now, or, with all, the next of
// any. Where there is none it says how long until one is due (negative: none
// waits) and gives a channel that tells of changes.
func (s *Shop) take(all bool) (d *delivery, wait time.Duration, changed <-chan struct{}, busy bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	q := &s.sender.pending
	if q.Len() == 0 {
		return nil, -1, s.sender.changed, s.sender.inFlight > 0
	}
	if wait = (*q)[0].due.Sub(s.opt.Now()); wait > 0 && !all {
		return nil, wait, s.sender.changed, s.sender.inFlight > 0
	}
	s.sender.inFlight++
	return heap.Pop(q).(*delivery), 0, nil, true
}

// Step sends the next delivery that is due by the shop's clock, waits for its
// answer, and says whether there was one. Retries come due later.
func (s *Shop) Step(ctx context.Context) bool {
	d, _, _, _ := s.take(false)
	if d == nil {
		return false
	}
	s.attempt(ctx, d)
	return true
}

// NextDue is when the next delivery is due; false where none waits. A simulator
// moves its clock there and steps.
func (s *Shop) NextDue() (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.sender.pending.Len() == 0 {
		return time.Time{}, false
	}
	return s.sender.pending[0].due, true
}

// Flush sends everything that waits, now, in the order it would come due,
// retries included, and returns when nothing is pending or under way.
func (s *Shop) Flush(ctx context.Context) error {
	for ctx.Err() == nil {
		d, _, changed, busy := s.take(true)
		switch {
		case d != nil:
			s.attempt(ctx, d)
		case !busy:
			return nil
		default:
			select {
			case <-changed:
			case <-ctx.Done():
			}
		}
	}
	return ctx.Err()
}

// Run delivers what comes due, Options.Workers at a time, until ctx ends and
// all its goroutines have.
func (s *Shop) Run(ctx context.Context) {
	var workers sync.WaitGroup
	for range s.opt.Workers {
		workers.Go(func() { s.work(ctx) })
	}
	workers.Wait()
	s.Close()
}

// Close drops idle connections to receivers. The shop stays usable.
func (s *Shop) Close() { s.sender.client.CloseIdleConnections() }

func (s *Shop) work(ctx context.Context) {
	for ctx.Err() == nil {
		d, wait, changed, _ := s.take(false)
		if d != nil {
			s.attempt(ctx, d)
			continue
		}
		var due <-chan time.Time
		if wait > 0 {
			due = s.opt.After(wait)
		}
		select {
		case <-due:
		case <-changed:
		case <-ctx.Done():
		}
	}
}

// attempt sends a delivery once and decides what becomes of it.
func (s *Shop) attempt(ctx context.Context, d *delivery) {
	status := s.post(ctx, d)
	s.mu.Lock()
	events := s.settle(ctx, d, status)
	s.sender.inFlight--
	s.sender.signal()
	s.remember(events)
	s.mu.Unlock()
	s.tell(events)
}

// settle books the answer to one attempt. An attempt that we broke off
// ourselves counts for nothing.
func (s *Shop) settle(ctx context.Context, d *delivery, status int) (events []Event) {
	if status == 0 && ctx.Err() != nil {
		s.sender.push(d)
		return nil
	}
	d.Attempt++
	d.Status, d.At = status, s.opt.Now()
	corrupt := d.corrupt
	if corrupt {
		d.corrupt = false
		events = append(events, d.tells(Corrupted))
	}
	if status/100 == 2 {
		d.sub.lastSuccess = d.At
		return append(events, d.tells(Sent))
	}
	events = append(events, d.tells(Failed))
	if corrupt && d.lost {
		return append(events, d.tells(Lost))
	}
	return append(events, s.retry(d)...)
}

// retry queues the next attempt or gives up. A subscription made by the API is
// removed with a delivery that failed to its end, unless another delivery got
// through in the meantime.
func (s *Shop) retry(d *delivery) []Event {
	if d.Attempt == 1 {
		d.failing = d.At
	}
	if d.Attempt <= len(retryWaits) {
		wait := time.Duration(float64(retryWaits[d.Attempt-1]) * s.opt.RetryScale)
		d.due = d.At.Add(wait)
		if s.sender.dice.hit(s.sender.dice.NewID) {
			d.WebhookID = s.sender.dice.uuid()
		}
		s.sender.push(d)
		return nil
	}
	events := []Event{d.tells(Lost)}
	if !d.sub.FromTOML && d.sub.lastSuccess.Before(d.failing) && s.removeSubscription(d.sub.ID) {
		events = append(events, d.tells(Removed))
	}
	return events
}

// post makes the request and returns the status, 0 where no answer came.
func (s *Shop) post(ctx context.Context, d *delivery) int {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.uri, bytes.NewReader(d.body))
	if err != nil {
		return 0
	}
	signature := sign(s.opt.WebhookSecret, d.body)
	if d.corrupt {
		signature = sign(s.opt.WebhookSecret+"?", d.body)
	}
	for name, value := range map[string]string{
		"Content-Type": "application/json", "User-Agent": "Shopify-Captain-Hook",
		"X-Shopify-Topic": d.Topic, "X-Shopify-Hmac-Sha256": signature, "X-Shopify-Shop-Domain": s.opt.Domain,
		"X-Shopify-API-Version": s.opt.APIVersion, "X-Shopify-Webhook-Id": d.WebhookID, "X-Shopify-Event-Id": d.EventID,
		"X-Shopify-Triggered-At": d.triggered.UTC().Format("2006-01-02T15:04:05.000000000Z07:00"),
	} {
		req.Header.Set(name, value)
	}
	if d.name != "" {
		req.Header.Set("X-Shopify-Name", d.name)
	}
	resp, err := s.sender.client.Do(req)
	if err != nil {
		return 0
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)); err != nil {
		return 0
	}
	return resp.StatusCode
}

// sign is Shopify's signature: base64 of HMAC-SHA256 over the raw body.
func sign(secret string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
