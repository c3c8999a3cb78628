package ordersync

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/shopify"
	"gapless/store"
)

// secret signs the webhooks of the pretend shops.
const secret = "pretend-secret"

// deliverWebhooks sends everything the shops have to say, faults included.
func (a *appliance) deliverWebhooks() {
	a.Helper()
	for _, shop := range a.shops {
		require.NoError(a, shop.Flush(a.Context()))
	}
}

// hear lets the shops speak and takes in what they said.
func (a *appliance) hear() {
	a.Helper()
	a.deliverWebhooks()
	a.intake()
}

// intake decides all events.
func (a *appliance) intake() {
	a.Helper()
	for n := 1; n > 0; {
		var err error
		n, err = a.engine.Intake(a.Context())
		require.NoError(a, err)
	}
}

// refetch asks Shopify for everything in doubt, once, and takes the answers in.
func (a *appliance) refetch() (asked int) {
	a.Helper()
	for _, r := range a.doubts() {
		a.engine.Refetch(a.Context(), r) // a failure is kept with the refetch
		asked++
	}
	a.intake()
	return asked
}

// doubts are the orders to be asked for now.
func (a *appliance) doubts() (all []store.Refetch) {
	a.Helper()
	for name := range a.shops {
		due, err := a.store.DueRefetches(a.Context(), name, a.Now(), 1000)
		require.NoError(a, err)
		all = append(all, due...)
	}
	return all
}

// send claims everything that is due and works on it, one after the other.
func (a *appliance) send() (attempts int) {
	a.Helper()
	l := a.engine.lanes["books"]
	claims, _ := l.take(a.Context())
	for _, c := range claims {
		l.attempt(a.Context(), a.Context(), c)
	}
	return len(claims)
}

// settle takes steps until nothing is left to do at this moment.
func (a *appliance) settle() {
	a.Helper()
	a.hear()
	for a.refetch()+a.send() > 0 {
		a.hear()
	}
}

// settleLater moves the clock to whatever is due next, until all is at rest.
func (a *appliance) settleLater(most time.Duration) {
	a.Helper()
	until := a.Now().Add(most)
	for a.settle(); a.atRest() != "" && a.Now().Before(until); a.settle() {
		next, err := a.store.NextDue(a.Context(), "books")
		require.NoError(a, err)
		wait := next.Sub(a.Now())
		if next.IsZero() || a.stats().Refetching > 0 {
			wait = time.Second
		}
		closed := a.engine.Metrics().Circuits["books"].Until.Sub(a.Now()) // from when on attempts are made
		a.pass(max(wait, closed, time.Millisecond))
	}
	require.Empty(a, a.atRest())
}

// place makes one order and brings it to the ERP.
func (a *appliance) place() store.OrderKey {
	a.Helper()
	k := a.create()
	a.settle()
	require.Equal(a, store.StateDelivered, a.delivery(k).State, a.delivery(k).Reason)
	return k
}

// create makes one order in the first shop.
func (a *appliance) create() store.OrderKey {
	return store.OrderKey{Shop: "acme", ID: a.shop.Create()}
}

// post sends a signed webhook of our own making to the door.
func (a *appliance) post(topic string, body []byte, triggered time.Time) (status int) {
	a.Helper()
	r, err := http.NewRequestWithContext(a.Context(), http.MethodPost, a.door.URL, bytes.NewReader(body))
	require.NoError(a, err)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write(body)
	for name, value := range map[string]string{
		"Topic": topic, "Hmac-Sha256": base64.StdEncoding.EncodeToString(mac.Sum(nil)), "Shop-Domain": "acme.myshopify.com",
		"Webhook-Id": a.engine.stamp(), "Triggered-At": triggered.Format(time.RFC3339Nano),
	} {
		r.Header.Set("X-Shopify-"+name, value)
	}
	answer, err := http.DefaultClient.Do(r)
	require.NoError(a, err)
	answer.Body.Close()
	return answer.StatusCode
}

// tell posts a webhook that was triggered just now, and takes it in.
func (a *appliance) tell(topic string, body []byte) {
	a.Helper()
	require.Equal(a, http.StatusOK, a.post(topic, body, a.Now()))
	a.intake()
}

func (a *appliance) order(k store.OrderKey) store.Order {
	a.Helper()
	o, err := a.store.Order(a.Context(), k)
	require.NoError(a, err)
	return o
}

func (a *appliance) delivery(k store.OrderKey) store.Delivery {
	a.Helper()
	d, err := a.store.Delivery(a.Context(), k)
	require.NoError(a, err)
	return d
}

// history are the outcomes of the decisions about an order, oldest first.
func (a *appliance) history(k store.OrderKey) []string {
	a.Helper()
	decisions, err := a.store.Decisions(a.Context(), k, 1000)
	require.NoError(a, err)
	said := make([]string, len(decisions))
	for i, d := range decisions {
		said[i] = d.Outcome
	}
	return said
}

// last is the newest decision about an order.
func (a *appliance) last(k store.OrderKey) store.Decision {
	a.Helper()
	decisions, err := a.store.Decisions(a.Context(), k, 1000)
	require.NoError(a, err)
	require.NotEmpty(a, decisions)
	return decisions[len(decisions)-1]
}

// versions are those that the ERP was given for an order, in the order of
// their effect.
func (a *appliance) versions(k store.OrderKey) (all []string) {
	for _, doc := range a.erp.Documents(ref(k.Shop, k.ID)) {
		for _, w := range doc.Writes {
			all = append(all, w.Version)
		}
	}
	return all
}

// tries are the attempts at an order, oldest first.
func (a *appliance) tries(k store.OrderKey) []store.Try {
	a.Helper()
	newest, err := a.store.Tries(a.Context(), store.TryFilter{Order: k, Limit: 1000, Full: true})
	require.NoError(a, err)
	oldest := make([]store.Try, len(newest))
	for i, t := range newest {
		oldest[len(newest)-1-i] = t
	}
	return oldest
}

// writes counts the requests of k that would change the ERP.
func (a *appliance) writes(k store.OrderKey) (n int) {
	for _, call := range a.wire.said() {
		if method, reference, _ := strings.Cut(call, " "); method != http.MethodGet && (reference == ref(k.Shop, k.ID) || k.ID == 0) {
			n++
		}
	}
	return n
}

func (a *appliance) stats() store.Stats {
	a.Helper()
	st, err := a.store.Stats(context.Background(), a.Now().Add(-time.Hour))
	require.NoError(a, err)
	return st
}

// atRest says what is still under way, or "".
func (a *appliance) atRest() string {
	st, err := a.store.Stats(context.Background(), a.Now().Add(-time.Hour))
	if err != nil {
		return err.Error()
	}
	moving := st.PendingEvents + st.Refetching + st.States[store.StateDue] + st.States[store.StateSending] + st.States[store.StateUnknown]
	if moving > 0 {
		return fmt.Sprintf("%d events to decide, %d orders to fetch, deliveries %v", st.PendingEvents, st.Refetching, st.States)
	}
	return ""
}

// eventuallyBegun waits for the intent of an attempt.
func (a *appliance) eventuallyBegun(k store.OrderKey) {
	a.Helper()
	a.eventually("its intent is stored", func() string {
		if len(a.tries(k)) == 0 {
			return "no intent yet"
		}
		return ""
	})
}

// eventually waits until check is content, looking when the store has changed,
// ten times a second at most: a look costs more than most changes.
func (a *appliance) eventually(what string, check func() string) {
	a.Helper()
	deadline := time.NewTimer(3 * time.Minute)
	defer deadline.Stop()
	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for why := check(); why != ""; why = check() {
		select {
		case <-again.C:
		case <-deadline.C:
			a.Fatalf("%s: %s", what, why)
		}
	}
}

// reconfigure restarts the engine over the same store with a changed config.
func (a *appliance) reconfigure(change func(*Config)) {
	a.Helper()
	change(&a.config)
	var err error
	a.engine, err = New(a.store, a.config)
	require.NoError(a, err)
	require.NoError(a, a.engine.Recover(a.Context()))
}

// replay has an order verified in the ERP.
func (a *appliance) replay(k store.OrderKey) {
	a.Helper()
	n, err := a.engine.Replay(a.Context(), []store.OrderKey{k}, "test")
	require.NoError(a, err)
	require.EqualValues(a, 1, n)
}

// told is the order as Shopify tells it now.
func (a *appliance) told(k store.OrderKey) *shopify.Order {
	a.Helper()
	body, err := a.clients[k.Shop].Order(a.Context(), k.ID, shopify.Refetch)
	require.NoError(a, err)
	o, err := shopify.DecodeGraphQLOrder(body)
	require.NoError(a, err)
	return o
}

// enter puts one more document into the ERP, behind our back.
func (a *appliance) enter(k store.OrderKey, version string) { a.typeIn(http.MethodPost, k, version) }

// enterUpdate changes the ERP's document, behind our back.
func (a *appliance) enterUpdate(k store.OrderKey, version string) {
	a.typeIn(http.MethodPut, k, version)
}

func (a *appliance) typeIn(method string, k store.OrderKey, version string) {
	told, _ := a.shops[k.Shop].Order(k.ID)
	body := fmt.Sprintf(`{"ref": %q, "version": %q, "total": %q, "currency": %q}`, ref(k.Shop, k.ID), version, told.Total, told.Currency)
	answer := httptest.NewRecorder()
	a.erp.ServeHTTP(answer, httptest.NewRequest(method, "/orders/"+ref(k.Shop, k.ID), strings.NewReader(body)))
	require.Less(a, answer.Code, 300)
}
