package shopify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// MaxBody is the largest webhook body a door takes unless told
// otherwise, in bytes. Shopify documents no limit; bodies of orders with
// hundreds of lines pass 100 KB.
const MaxBody = 10 << 20

// maxHeader bounds each header value the door keeps.
const maxHeader = 512

// Webhook is one delivery as Shopify sent it, its signature checked.
type Webhook struct {
	Shop        string // the shop's name in the config
	Topic       string // "orders/create"
	WebhookID   string // one per delivery, the same on a retry
	EventID     string // one per thing a merchant or buyer did, shared by its deliveries
	Headers     string // the other X-Shopify headers, a JSON object
	TriggeredAt time.Time
	ReceivedAt  time.Time
	Body        []byte // valid until Keep returns
}

// Refusal is a request the door turned away. Shop and Topic are what the
// request claimed, cut to a sane length.
type Refusal struct {
	Shop   string
	Topic  string
	Remote string
	Status int
	Reason string
	At     time.Time
}

// DoorShop is a shop that may send webhooks.
type DoorShop struct {
	Name    string
	Domain  string   // as X-Shopify-Shop-Domain names it
	Secrets []string // any of them may have signed; several while one is being replaced
}

// Door is the HTTP handler that Shopify posts webhooks to. It reads no more
// than MaxBody, checks the signature over the bytes as they came, and answers
// 200 only after Keep has made the webhook durable.
type Door struct {
	// Keep makes a webhook durable, or says that it was stored before. An
	// error is answered 503, so that Shopify sends it again.
	Keep func(context.Context, *Webhook) (duplicate bool, err error)
	// Refused is told of every request that was turned away.
	Refused func(Refusal)
	// RetryAfter is what a 503 asks for; whole seconds.
	RetryAfter time.Duration
	MaxBody    int64 // bytes
	Now        func() time.Time

	shops   map[string]*signer // by domain
	buffers sync.Pool
	taken   atomic.Int64 // bytes, by large bodies in hand
}

// NewDoor returns a door for these shops. An empty secret is an error: anybody
// can sign with it.
func NewDoor(shops []DoorShop) (*Door, error) {
	d := &Door{RetryAfter: 5 * time.Second, MaxBody: MaxBody, Now: time.Now, shops: map[string]*signer{}}
	d.Refused = func(Refusal) {}
	d.buffers.New = func() any { b := make([]byte, 0, 32<<10); return &b }
	for _, s := range shops {
		signer := &signer{name: s.Name}
		for _, secret := range s.Secrets {
			if secret == "" {
				return nil, fmt.Errorf("shop %s: an empty webhook secret would accept forged webhooks; set the app's client secret", s.Name)
			}
			signer.secrets = append(signer.secrets, newSecret(secret))
		}
		d.shops[strings.ToLower(s.Domain)] = signer
	}
	return d, nil
}

// refused is why a request is turned away.
type refused struct {
	status int
	reason string
}

func (r *refused) Error() string { return r.reason }

// ServeHTTP takes one webhook.
func (d *Door) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	buffer := d.buffers.Get().(*[]byte)
	defer d.release(buffer)
	hook, err := d.read(w, r, buffer)
	if err == nil {
		_, err = d.Keep(r.Context(), hook)
		if err != nil {
			err = &refused{http.StatusServiceUnavailable, "the webhook could not be stored: " + err.Error()}
		}
	}
	if err == nil {
		w.WriteHeader(http.StatusOK)
		return
	}
	d.turnAway(w, r, err)
}

func (d *Door) turnAway(w http.ResponseWriter, r *http.Request, err error) {
	no := &refused{http.StatusBadRequest, "the body could not be read"}
	errors.As(err, &no)
	d.Refused(Refusal{
		Shop:   cut(r.Header.Get("X-Shopify-Shop-Domain")),
		Topic:  cut(r.Header.Get("X-Shopify-Topic")),
		Remote: r.RemoteAddr,
		Status: no.status,
		Reason: no.reason,
		At:     d.Now().UTC(),
	})
	if no.status == http.StatusServiceUnavailable {
		w.Header().Set("Retry-After", fmt.Sprintf("%.0f", max(1, d.RetryAfter.Seconds())))
	}
	http.Error(w, http.StatusText(no.status), no.status) // the reason is for our log, not for a stranger
}

// admit checks what costs nothing to check, before any of the body is read, and
// returns who may have signed it, and the signature.
func (d *Door) admit(r *http.Request) (*signer, []byte, error) {
	if err := oneOfEach(r.Header); err != nil {
		return nil, nil, err
	}
	if r.Header.Get("Shopify-Hmac-Sha256") != "" && r.Header.Get("X-Shopify-Hmac-Sha256") == "" {
		return nil, nil, &refused{http.StatusUnauthorized, "this is Shopify's Events delivery, which Gapless does not take; remove it from the app's TOML and let Gapless subscribe to webhooks"}
	}
	shop, known := d.shops[strings.ToLower(r.Header.Get("X-Shopify-Shop-Domain"))]
	if !known {
		return nil, nil, &refused{http.StatusNotFound, "X-Shopify-Shop-Domain names no configured shop"}
	}
	given, err := givenSignature(r.Header)
	if err != nil {
		return nil, nil, err
	}
	if r.ContentLength > d.MaxBody {
		return nil, nil, d.tooLarge()
	}
	return shop, given, nil
}

// read takes the request apart. The webhook's body lives in buffer.
func (d *Door) read(w http.ResponseWriter, r *http.Request, buffer *[]byte) (*Webhook, error) {
	shop, given, err := d.admit(r)
	if err != nil {
		return nil, err
	}
	if err := d.readAll(http.MaxBytesReader(w, r.Body, d.MaxBody), buffer); err != nil {
		return nil, err
	}
	body := *buffer
	if err := shop.check(body, given); err != nil {
		return nil, err
	}
	return &Webhook{
		Shop:        shop.name,
		Topic:       strings.ToLower(r.Header.Get("X-Shopify-Topic")),
		WebhookID:   webhookID(r.Header, body),
		EventID:     r.Header.Get("X-Shopify-Event-Id"),
		Headers:     otherHeaders(r.Header),
		TriggeredAt: triggeredAt(r.Header),
		ReceivedAt:  d.Now().UTC(),
		Body:        body,
	}, nil
}

// oneOfEach refuses a header given twice (which of the two was meant?) and one
// of absurd length.
func oneOfEach(h http.Header) error {
	for name, values := range h {
		if !strings.HasPrefix(name, "X-Shopify-") {
			continue
		}
		if len(values) > 1 {
			return &refused{http.StatusUnauthorized, "the header " + cut(name) + " is repeated"}
		}
		if len(values[0]) > maxHeader {
			return &refused{http.StatusUnauthorized, "the header " + cut(name) + " is too long"}
		}
	}
	return nil
}

// webhookID is the delivery's own id or, where none was sent, one made of what
// was, so that a repeat is still known as one.
func webhookID(h http.Header, body []byte) string {
	if id := h.Get("X-Shopify-Webhook-Id"); id != "" {
		return id
	}
	sum := sha256.Sum256(append([]byte(h.Get("X-Shopify-Topic")+"\n"), body...))
	return "body-" + hex.EncodeToString(sum[:16])
}

// triggeredAt is RFC 3339 with up to nine decimals; zero where it is missing or odd.
func triggeredAt(h http.Header) time.Time {
	t, err := time.Parse(time.RFC3339Nano, h.Get("X-Shopify-Triggered-At"))
	if err != nil {
		return time.Time{}
	}
	return t.UTC()
}

// told are the headers that have a place of their own in a Webhook, or none.
var told = map[string]bool{
	"X-Shopify-Topic": true, "X-Shopify-Hmac-Sha256": true, "X-Shopify-Shop-Domain": true,
	"X-Shopify-Webhook-Id": true, "X-Shopify-Event-Id": true, "X-Shopify-Triggered-At": true,
}

func otherHeaders(h http.Header) string {
	others := map[string]string{}
	for name, values := range h {
		if strings.HasPrefix(name, "X-Shopify-") && !told[name] {
			others[name] = values[0]
		}
	}
	text, err := json.Marshal(others)
	if err != nil { // no map of strings fails
		return "{}"
	}
	return string(text)
}

// signer checks the signatures of one shop.
type signer struct {
	name    string
	secrets []*secret
}

// secret keeps HMAC states, whose set-up costs as much as a small body.
type secret struct{ states sync.Pool }

func newSecret(text string) *secret {
	key := []byte(text)
	return &secret{states: sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}}
}

func (s *secret) sign(body, into []byte) []byte {
	state := s.states.Get().(hash.Hash)
	defer s.states.Put(state)
	state.Reset()
	state.Write(body)
	return state.Sum(into)
}

// givenSignature is the signature that a request claims.
func givenSignature(h http.Header) ([]byte, error) {
	text := h.Get("X-Shopify-Hmac-Sha256")
	if text == "" {
		return nil, &refused{http.StatusUnauthorized, "the header X-Shopify-Hmac-Sha256 is missing"}
	}
	given, err := base64.StdEncoding.DecodeString(text)
	if err != nil || len(given) != sha256.Size {
		return nil, &refused{http.StatusUnauthorized, "the header X-Shopify-Hmac-Sha256 is not an HMAC-SHA256 in base64"}
	}
	return given, nil
}

// check compares in constant time against every secret, whichever matches.
func (s *signer) check(body, given []byte) error {
	if len(body) == 0 {
		return &refused{http.StatusUnauthorized, "the body is empty"}
	}
	good := false
	var sum [sha256.Size]byte
	for _, secret := range s.secrets {
		good = hmac.Equal(secret.sign(body, sum[:0]), given) || good
	}
	if !good {
		return &refused{http.StatusUnauthorized, "the signature fits none of the shop's webhook_secrets"}
	}
	return nil
}

func cut(s string) string {
	if len(s) > 100 {
		s = s[:100]
	}
	return strings.ToValidUTF8(s, "�")
}
