package ordersync

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"syscall"
	"time"

	"gapless/shopify"
	"gapless/shopify/shopifytest"
	"gapless/store"
)

// mall is one shop of a world: the pretend shop, the way there, and the client.
type mall struct {
	*route
	name     string
	shop     *shopifytest.Shop
	zone     *time.Location
	oracle   *shopify.Client // asks past all trouble
	told     map[int64]newest
	couriers int       // webhooks under way
	next     time.Time // when the next courier is to go
}

const webhookURI = "https://gapless.example.com/webhooks/shopify"

func openMall(w *world, i int) *mall {
	m := &mall{name: []string{"acme", "beta"}[i], told: map[int64]newest{}}
	var err error
	if m.zone, err = time.LoadLocation([]string{"America/New_York", "America/Los_Angeles"}[i]); err != nil {
		panic(err)
	}
	m.shop = shopifytest.New(shopifytest.Options{
		Seed: w.seed, Domain: m.name + ".myshopify.com", Zone: m.zone, Now: func() time.Time { return w.now },
		IndexLag: w.mix.indexLag / 4, APIFaults: shopifytest.APIFaults{Lag: 0.5, MaxLag: max(w.mix.indexLag*3/4, time.Millisecond)}, // a later change may be shown first
		BucketSize: 2000, RestoreRate: 200, WebhookSecret: secret, Faults: w.mix.hooks, KeepLog: 1,
		Client: &http.Client{Transport: (*street)(m), Timeout: time.Hour}, // the street gives up by the world's clock
		Observer: func(e shopifytest.Event) {
			if e.Kind != shopifytest.Queued && e.Kind != shopifytest.Sent && e.Kind != shopifytest.Changed {
				w.meets(string(e.Kind), e.Topic)
			}
			w.note("%s: %s", m.name, e)
			if e.Kind == shopifytest.Queued && e.Topic == "bulk_operations/finish" { // the others follow what people do
				w.in(0, m.knock)
			}
		},
	})
	m.route = &route{world: w, serve: m.shop, odds: [2]odds{w.mix.shopAsking, w.mix.shopChange}, landing: map[string]int{}, call: shopifyCall, leaves: m.leaving, arrives: m.arriving}
	m.oracle = m.newClient(oracle{m.shop}, func() time.Time { return w.now }, func(context.Context, time.Duration) error { return nil })
	return m
}

// subscribe has the shop send webhooks from now on.
func (m *mall) subscribe() {
	m.shop.Subscribe(shopifytest.Subscription{Topic: "customers/redact", URI: webhookURI, FromTOML: true})
	if m.mix.webhooks {
		for _, topic := range shopify.Topics[m.rand.IntN(3):] { // what is missing Gapless sees to
			m.shop.Subscribe(shopifytest.Subscription{Topic: topic, URI: webhookURI})
		}
	}
}

// client is a client of a new process.
func (m *mall) client() *shopify.Client {
	return m.newClient(m, m.clock, func(ctx context.Context, d time.Duration) error { return m.current.wait(ctx, d) })
}

func (m *mall) newClient(way http.RoundTripper, now func() time.Time, wait func(context.Context, time.Duration) error) *shopify.Client {
	client, err := shopify.NewClient(shopify.ClientConfig{
		Domain: m.name + ".myshopify.com", AccessToken: "pretend-token", APIVersion: "2026-10", APIURL: "https://" + m.name,
		HTTP: &http.Client{Transport: way}, Now: now, Jitter: m.rand.Float64, Wait: wait,
	})
	if err != nil {
		panic(err)
	}
	return client
}

// RoundTrip lets pages be as short as the world has them, so that few orders
// make many.
func (m *mall) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodGet {
		return m.route.RoundTrip(r)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	for _, most := range []string{`"first":250`, `"lines":50`} {
		size, _, _ := strings.Cut(most, ":")
		body = bytes.Replace(body, []byte(most), fmt.Appendf(nil, "%s:%d", size, min(m.mix.page, 50)), 1)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return m.route.RoundTrip(r)
}

var askedFor = regexp.MustCompile(`(query|mutation) (\w+)`)

// shopifyCall names a request to a shop by its GraphQL operation.
func shopifyCall(_ *http.Request, body []byte) (step string, changes bool) {
	found := askedFor.FindSubmatch(body)
	if found == nil {
		return "shop file", false
	}
	return "shop " + string(found[2]), string(found[1]) == "mutation"
}

// leaving notes from when on a task asks for changes.
func (m *mall) leaving(t *task, _ *http.Request, body []byte) {
	if from := searchedFrom.FindSubmatch(body); from != nil {
		at, err := time.Parse(time.RFC3339, string(from[1]))
		if err != nil {
			m.fail("15: %s asks for changes from %s on", t.name, from[1])
		}
		t.searched = search{m.name, at}
	}
}

var searchedFrom = regexp.MustCompile(`updated_at:\\u003e='([^']+)'`)

// arriving lets an order be edited while it is fetched, and makes the shop leave
// a field out of its next answer.
func (m *mall) arriving(_ *http.Request, body []byte, f trouble) {
	m.edits(body)
	if f.name != partial {
		return
	}
	m.shop.Break(1, shopifytest.Outage{Deny: one(m.rand, []string{"email", "name", "note", "topic"})})
	for _, told := range m.shop.Orders() {
		m.withheld[store.OrderKey{Shop: m.name, ID: told.ID}] = true
		m.holes[ref(m.name, told.ID)] = true
	}
}

// street is the way from Shopify to the webhook door.
type street mall

// RoundTrip knocks at the door. Shopify waits five seconds.
func (s *street) RoundTrip(r *http.Request) (*http.Response, error) {
	courier, p := s.current, s.proc
	if !s.up() {
		return nil, syscall.ECONNREFUSED
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	a := &answer{ResponseRecorder: httptest.NewRecorder(), said: func(status int) { s.answered(r, body, status) }}
	waiting, finished := true, false
	s.spawn(p, "door", func(*task) {
		at := httptest.NewRequest(http.MethodPost, r.URL.String(), bytes.NewReader(body))
		at.Header = r.Header.Clone()
		p.door.ServeHTTP(a, at)
		finished = true
	}, func() {
		if waiting {
			courier.wakeIn(0)
		}
	})
	courier.sleep(5 * time.Second)
	waiting = false
	if !finished {
		return nil, syscall.ECONNRESET
	}
	return a.Result(), nil
}

// answer tells of the status as soon as it is written: the client may have it then.
type answer struct {
	*httptest.ResponseRecorder
	said func(status int)
}

// WriteHeader tells of the status.
func (a *answer) WriteHeader(status int) {
	a.said(status)
	a.ResponseRecorder.WriteHeader(status)
}

// knock sends couriers with the webhooks that are due.
func (m *mall) knock() {
	due, waits := m.shop.NextDue()
	if !waits || !m.next.IsZero() && !m.next.After(due) {
		return
	}
	m.next = due
	m.in(due.Sub(m.now), func() {
		if !m.next.Equal(due) {
			return
		}
		m.next = time.Time{}
		m.couriers++
		m.spawn(nil, "courier", func(*task) { m.shop.Step(context.Background()) }, func() {
			m.couriers--
			m.knock()
		})
		m.in(m.between(0, 50*time.Millisecond), m.knock)
	})
}

// oracle answers Shopify's API from the shop's ledger, past all trouble.
type oracle struct{ shop *shopifytest.Shop }

// RoundTrip answers one query.
func (o oracle) RoundTrip(r *http.Request) (*http.Response, error) {
	var ask struct {
		Query     string
		Variables map[string]any
	}
	if err := json.NewDecoder(r.Body).Decode(&ask); err != nil {
		return nil, err
	}
	a := httptest.NewRecorder()
	a.Write(o.shop.GraphQL(ask.Query, ask.Variables))
	return a.Result(), nil
}

// newest is an order as the shop tells it, of one of its versions.
type newest struct {
	version int64
	order   *shopify.Order
}

// tells is the order as the shop tells it now.
func (m *mall) tells(told shopifytest.Snapshot) *shopify.Order {
	if known := m.told[told.ID]; known.version == told.Version {
		return known.order
	}
	body, err := m.oracle.Order(context.Background(), told.ID, shopify.Refetch)
	if err != nil {
		panic(err)
	}
	order, err := shopify.DecodeGraphQLOrder(body)
	if err != nil {
		panic(err)
	}
	m.told[told.ID] = newest{told.Version, order}
	return order
}
