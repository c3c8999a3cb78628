package erptest

import (
	"fmt"
	"math/rand"
	"slices"
	"sync"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"gapless/erp"
)

// Options shape a pretend ERP. The zero value is a Tier A ERP that knows every
// article and never fails.
type Options struct {
	// NoKey is for tiers B and C: POST makes a new document each time, even
	// under a reference that exists; PUT changes the newest one of that
	// reference and is 404 without one. Else PUT and POST create or update the
	// one document of the reference (Tier A).
	NoKey bool
	// Lag hides new documents from look-ups and lists for this long (Tier C).
	Lag time.Duration
	// Latency passes before each request is carried out.
	Latency time.Duration
	// Secret, "whsec_..." in base64: writes must be signed with it, else 401.
	Secret string
	// SKUs are the known articles, others are refused with 422; nil: all are known.
	SKUs []string
	// Seed of the faults that SetFaults draws.
	Seed int64
	// Now is the clock; nil: time.Now.
	Now func() time.Time
	// Wait passes d; nil: a timer.
	Wait func(d time.Duration)
}

// Document is one document in the pretend ERP's ledger.
type Document struct {
	erp.Found
	CreatedAt time.Time
	// Writes are all requests that made or changed it, in the order of their
	// effect. The last one is what it holds.
	Writes []Write
}

// Write is one request that took effect.
type Write struct {
	Version        string
	Total          erp.Amount
	Currency       string
	Cancelled      bool
	IdempotencyKey string
	At             time.Time
}

// Mix gives faults a probability each, together at most 1.
type Mix map[Fault]float64

// ERP is a pretend ERP that speaks the contract of the http adapter:
// PUT, POST and GET orders/{ref}, GET orders?since=RFC3339&cursor=. It keeps
// its ledger in memory. It is an http.Handler and safe for concurrent use.
type ERP struct {
	o      Options
	signer *standardwebhooks.Webhook
	closed chan struct{}

	mu      sync.Mutex
	random  *rand.Rand
	faults  Mix
	reads   Mix
	met     map[Fault]int
	docs    map[string][]*entry
	changes []changeAt // every write, oldest first
}

type entry struct {
	doc  Document
	last int // index of its newest change
}

type changeAt struct {
	at    time.Time
	entry *entry
}

// NewERP makes an empty ERP. A Secret that is not base64 is an error.
func NewERP(o Options) (*ERP, error) {
	e := &ERP{
		o: o, closed: make(chan struct{}), random: rand.New(rand.NewSource(o.Seed)),
		met: map[Fault]int{}, docs: map[string][]*entry{},
	}
	if o.Now == nil {
		e.o.Now = time.Now
	}
	if o.Wait == nil {
		e.o.Wait = time.Sleep
	}
	if o.Secret != "" {
		signer, err := standardwebhooks.NewWebhook(o.Secret)
		if err != nil {
			return nil, fmt.Errorf("reading the pretend ERP's secret: %w", err)
		}
		e.signer = signer
	}
	return e, nil
}

// SetFaults lets writing requests fail by this mix from now on; nil ends it.
func (e *ERP) SetFaults(m Mix) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = m
}

// SetReadFaults lets look-ups and lists fail by this mix from now on; nil ends it.
func (e *ERP) SetReadFaults(m Mix) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.reads = m
}

// Met counts the requests that met each fault, None included.
func (e *ERP) Met() map[Fault]int {
	e.mu.Lock()
	defer e.mu.Unlock()
	met := make(map[Fault]int, len(e.met))
	for f, n := range e.met {
		met[f] = n
	}
	return met
}

// Close releases requests that are held because of a timeout fault.
func (e *ERP) Close() { close(e.closed) }

// Documents are all documents under ref, cancelled ones included, oldest first.
func (e *ERP) Documents(ref string) []Document {
	e.mu.Lock()
	defer e.mu.Unlock()
	var docs []Document
	for _, entry := range e.docs[ref] {
		docs = append(docs, entry.doc.clone())
	}
	return docs
}

// Live are the documents under ref that are not cancelled.
func (e *ERP) Live(ref string) []Document {
	return slices.DeleteFunc(e.Documents(ref), func(d Document) bool { return d.Cancelled })
}

// All are all documents of the ledger by reference, oldest first.
func (e *ERP) All() map[string][]Document {
	e.mu.Lock()
	refs := make([]string, 0, len(e.docs))
	for ref := range e.docs {
		refs = append(refs, ref)
	}
	e.mu.Unlock()
	all := make(map[string][]Document, len(refs))
	for _, ref := range refs {
		all[ref] = e.Documents(ref)
	}
	return all
}

func (d Document) clone() Document {
	d.Writes = slices.Clone(d.Writes)
	return d
}
