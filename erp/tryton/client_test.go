package tryton

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/erp/tryton/trytontest"
)

// counter counts log-ins on their way to the real Tryton and remembers the last
// session.
type counter struct {
	mu      sync.Mutex
	logins  int
	session string
}

func (c *counter) RoundTrip(r *http.Request) (*http.Response, error) {
	c.mu.Lock()
	if s := r.Header.Get("Authorization"); s == "" {
		c.logins++
	} else {
		c.session = s
	}
	c.mu.Unlock()
	return http.DefaultTransport.RoundTrip(r)
}

func TestAWrongPasswordDoesNotHammer(t *testing.T) {
	server := trytontest.Start(t)
	now := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	count := &counter{}
	s := settings(server, server.URL)
	s.User = "nobody" // so that the lock Tryton puts on it hurts no other test
	a, err := New(s, &http.Client{Transport: count}, func() time.Time { return now })
	require.NoError(t, err)
	doc := docOf(t, a, erptest.Order("acme-1"), "1")

	for _, wait := range []time.Duration{time.Minute, 2 * time.Minute} {
		before := count.logins
		var transcript erp.Transcript
		out := a.Deliver(t.Context(), doc, &transcript)
		require.Equal(t, erp.Retry, out.Result)
		require.Equal(t, wait, out.After)
		require.Contains(t, out.Reason, "password")
		require.NotContains(t, transcript.Exchanges()[0].Request, s.Password)
		_, err := a.Lookup(t.Context(), "acme-1", nil)
		require.Error(t, err)
		require.Equal(t, before+1, count.logins, "one log-in, then a pause")
		now = now.Add(wait)
	}
}

func TestAnEndedSessionIsRenewedOnce(t *testing.T) {
	server := trytontest.Start(t)
	count := &counter{}
	a, err := New(settings(server, server.URL), &http.Client{Transport: count}, time.Now)
	require.NoError(t, err)
	look := func() {
		_, err := a.Lookup(t.Context(), "acme-1", nil)
		require.NoError(t, err)
	}
	look()
	look()
	require.Equal(t, 1, count.logins, "one session for all calls")
	b := books{url: server.URL + "/" + server.Database + "/", session: count.session}
	b.post(t, nil, "common.db.logout")
	look()
	require.Equal(t, 2, count.logins)
}

// TestAWarningIsAnsweredAndTheCallRepeated: a stock count dated in the future is
// one of the few things Tryton only warns of.
func TestAWarningIsAnsweredAndTheCallRepeated(t *testing.T) {
	r := open(t, quotation)
	var counts []int64
	var rows []part
	r.books.rows(t, &rows, "stock.location", []any{[]any{"type", "=", "storage"}, []any{"parent.type", "=", "warehouse"}})
	require.NotEmpty(t, rows)
	c := r.conn(nil)
	require.NoError(t, c.write(t.Context(), &counts, ask("model.stock.inventory.create",
		[]any{values{"location": rows[0].ID, "date": date{time.Now().AddDate(0, 1, 0)}}})))
	confirm := ask("model.stock.inventory.confirm", counts)
	warning, err := c.call(t.Context(), nil, confirm, true)
	require.NoError(t, err)
	require.NotEmpty(t, warning, "Tryton no longer warns of this; find another warning")

	require.NoError(t, c.write(t.Context(), nil, confirm))
	var states []state
	r.books.rows(t, &states, "stock.inventory", []any{[]any{"id", "in", counts}}, "state")
	require.Equal(t, []state{{"done"}}, states)
}

func TestCheckNamesEverythingAtOnce(t *testing.T) {
	r := open(t, func(s *Settings) {
		s.Products.Tip, s.FallbackProduct = "NO-TIP", "NO-FALLBACK"
		s.Taxes = map[string]string{"IVA": "No such tax"}
	})
	err := r.Check(t.Context())
	for _, word := range []string{"products.tip", "NO-TIP", "fallback_product", "NO-FALLBACK", `taxes."iva"`, "No such tax"} {
		require.ErrorContains(t, err, word)
	}
	require.NotContains(t, err.Error(), "products.shipping")
}

func TestCheckWhereThereIsNoTryton(t *testing.T) {
	server := trytontest.Start(t)
	s := settings(server, server.URL)
	s.Database = "nowhere"
	require.ErrorContains(t, newAdapter(t, s).Check(t.Context()), "database")
	s.URL = "http://127.0.0.1:1"
	require.ErrorContains(t, newAdapter(t, s).Check(t.Context()), "reached")
}
