package httperp

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gapless/erp"
)

// Map runs the body program over the neutral order. Its result must be one JSON
// object.
func (a *Adapter) Map(o erp.Order) ([]byte, error) { return a.body.Make(o) }

// content is what is sent: the mapped body with the version and, on
// cancellation, its time at the top, unless the mapping set them.
func content(doc erp.Document) ([]byte, error) {
	var top map[string]json.RawMessage
	if err := json.Unmarshal(doc.Body, &top); err != nil || top == nil {
		return nil, fmt.Errorf("the mapped order is not a JSON object")
	}
	if _, set := top["version"]; !set {
		top["version"] = quoted(doc.Version)
	}
	if at := top["cancelled_at"]; doc.Cancelled && (at == nil || bytes.Equal(at, []byte("null"))) {
		top["cancelled_at"] = quoted(cancelledAt(doc.Order).Format(time.RFC3339Nano))
	}
	return json.Marshal(top)
}

// cancelledAt is when the order was cancelled. One that must leave the ERP for
// another reason was last changed then.
func cancelledAt(o erp.Order) time.Time {
	if o.CancelledAt != nil {
		return *o.CancelledAt
	}
	return o.UpdatedAt
}

func quoted(s string) json.RawMessage {
	text, _ := json.Marshal(s) // a string always encodes
	return text
}

// idempotencyKey is not in Go's canonical form on purpose. With the canonical
// one net/http takes a request for repeatable and sends it again by itself when
// the connection breaks, behind the engine's back.
const idempotencyKey = "idempotency-key"

// header are the headers of a write that hold no secret.
func header(doc erp.Document) http.Header {
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("X-Gapless-Version", doc.Version)
	h.Set(standardwebhooks.HeaderWebhookID, messageID(doc))
	h[idempotencyKey] = []string{doc.Ref + ":" + doc.Version}
	return h
}

// messageID names one version of one order. It is a hash, because the standard
// keeps dots out of ids.
func messageID(doc erp.Document) string {
	sum := sha256.Sum256([]byte(doc.Ref + "\x00" + doc.Version))
	return "msg_" + hex.EncodeToString(sum[:16])
}

// sign adds the headers that prove who sent the body, and when.
func (a *Adapter) sign(h http.Header, body []byte) error {
	at := a.now()
	h.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	if a.signer == nil {
		return nil
	}
	signature, err := a.signer.Sign(h.Get(standardwebhooks.HeaderWebhookID), at, body)
	if err != nil {
		return fmt.Errorf("signing the request: %w", err)
	}
	h.Set(standardwebhooks.HeaderWebhookSignature, signature)
	return nil
}
