package alert

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// Webhook posts JSON to a program of the operator's:
//
//	{"type": "gapless.KIND", "timestamp": "2026-11-22T13:10:00Z", "data": ...}
//
// with the headers of Standard Webhooks: webhook-id is the message's,
// webhook-timestamp the time of sending, and webhook-signature is there where a
// secret is set.
type Webhook struct {
	*poster
	signer *standardwebhooks.Webhook // nil: not signed
}

var _ Channel = (*Webhook)(nil)

// NewWebhook readies the channel; nothing is sent yet. address counts as a
// secret, so the error doesn't repeat it. secret is "whsec_" and base64; empty:
// unsigned. Of the client all is taken but the way it handles redirects; now is
// the clock for timestamps and Retry-After.
func NewWebhook(address, secret string, client *http.Client, now func() time.Time) (*Webhook, error) {
	p, err := newPoster("webhook", "alerts.webhook_url", address, client, now)
	if err != nil {
		return nil, err
	}
	w := &Webhook{poster: p}
	if secret != "" {
		if w.signer, err = standardwebhooks.NewWebhook(secret); err != nil {
			return nil, errors.New(`alerts.webhook_secret is not base64; write "whsec_" and the secret's bytes in base64`)
		}
	}
	return w, nil
}

type envelope struct {
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      any       `json:"data"`
}

// Send posts the message's data.
func (w *Webhook) Send(ctx context.Context, m Message) error {
	at := w.now().UTC()
	body, err := json.Marshal(envelope{"gapless." + m.Kind, at, m.Data})
	if err != nil {
		return &Error{Channel: w.channel, Reason: "the message can't be written as JSON", Permanent: true}
	}
	h := http.Header{}
	id := m.id(at)
	h.Set(standardwebhooks.HeaderWebhookID, id)
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	if w.signer != nil {
		signature, err := w.signer.Sign(id, at, body)
		if err != nil {
			return &Error{Channel: w.channel, Reason: "the message can't be signed; check alerts.webhook_secret", Permanent: true}
		}
		h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	}
	return w.post(ctx, h, body, func([]byte) string { return "" })
}
