package pull_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/shopspring/decimal"
	"github.com/stretchr/testify/require"

	"gapless/erp"
	"gapless/erp/erptest"
	"gapless/erp/pull"
)

// The conformance suite runs where the real feed is: in the folder above erp.

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// counter is a feed of one reference, as far as the adapter sees it.
type counter struct {
	newest  *pull.Offer
	offered int
	failing error
}

// Offer takes the document, unless what stands is to stay.
func (c *counter) Offer(_ context.Context, doc erp.Document) (pull.Offer, error) {
	c.offered++
	if c.failing != nil {
		return pull.Offer{}, c.failing
	}
	if c.newest == nil || c.newest.Version < doc.Version {
		c.newest = &pull.Offer{Version: doc.Version, Hash: doc.Hash(), OfferedAt: noon}
	}
	return *c.newest, nil
}

// Newest is what stands.
func (c *counter) Newest(context.Context, string) (pull.Offer, error) {
	if c.newest == nil {
		return pull.Offer{}, pull.ErrNone
	}
	return *c.newest, nil
}

// Taken fails as the test says.
func (c *counter) Taken(context.Context, string) ([]erp.Found, error) { return nil, c.failing }

// TakenSince has nothing to tell.
func (c *counter) TakenSince(context.Context, time.Time, func(erp.Found) error) error {
	return c.failing
}

func adapter(t *testing.T, f pull.Feed, age time.Duration) *pull.Adapter {
	t.Helper()
	a, err := pull.New(pull.Settings{}, f, func() time.Time { return noon.Add(age) })
	require.NoError(t, err)
	return a
}

func document(t *testing.T, a *pull.Adapter, version string) erp.Document {
	t.Helper()
	o := erptest.Order("acme-1")
	body, err := a.Map(o)
	require.NoError(t, err)
	return erp.Document{Ref: o.Ref, Version: version, Order: o, Body: body}
}

func TestWhatIsOnOfferIsLookedAtLessAndLessOften(t *testing.T) {
	f := new(counter)
	for age, after := range map[time.Duration]time.Duration{0: time.Hour, 30 * time.Minute: time.Hour, 5 * time.Hour: 5 * time.Hour, 72 * time.Hour: 24 * time.Hour} {
		a := adapter(t, f, age)
		var said erp.Transcript
		out := a.Deliver(t.Context(), document(t, a, "1"), &said)
		require.Equal(t, []any{erp.Unknown, after}, []any{out.Result, out.After})
		require.Contains(t, out.Reason, "has not fetched and acknowledged it yet")
	}
	require.Equal(t, 1, f.offered, "offering again writes nothing")
	a := adapter(t, f, time.Hour)
	var said erp.Transcript
	a.Deliver(t.Context(), document(t, a, "1"), &said)
	require.Len(t, said.Exchanges(), 1)
	require.NotContains(t, said.Exchanges()[0].Request, "TSHIRT", "nor does its history hold the order again and again")
}

func TestAnswersOfTheERP(t *testing.T) {
	f := new(counter)
	a := adapter(t, f, 0)
	doc := document(t, a, "2")
	a.Deliver(t.Context(), doc, nil)
	total := erp.Amount{Decimal: decimal.RequireFromString("96.74")}
	f.newest.Answer, f.newest.ID, f.newest.Total = pull.Taken, "SO-1", &total
	require.Equal(t, erp.Outcome{Result: erp.Updated, ID: "SO-1", Total: &total}, a.Deliver(t.Context(), doc, nil))

	older := a.Deliver(t.Context(), document(t, a, "1"), nil)
	require.Equal(t, erp.Retry, older.Result)
	require.Contains(t, older.Reason, "newer version")

	f.newest.Answer, f.newest.Reason, f.newest.Field = pull.Refused, "no such article\nin the order of "+doc.Order.Email, "lines[0].sku"
	out := a.Deliver(t.Context(), doc, nil)
	require.Equal(t, []any{erp.Rejected, "lines[0].sku"}, []any{out.Result, out.Field})
	require.True(t, strings.HasPrefix(out.Reason, "the ERP refused the order: no such article in the order of "), out.Reason)
	require.NotContains(t, out.Reason, doc.Order.Email)
	f.newest.Reason = ""
	require.Equal(t, "the ERP refused the order without a reason", a.Deliver(t.Context(), doc, nil).Reason)
}

func TestAFeedThatFailsIsTriedAgain(t *testing.T) {
	f := &counter{failing: errors.New("the disk is full")}
	a := adapter(t, f, 0)
	out := a.Deliver(t.Context(), document(t, a, "1"), nil)
	require.Equal(t, erp.Retry, out.Result)
	require.Contains(t, out.Reason, "the disk is full")
	_, err := a.Lookup(t.Context(), "acme-1", nil)
	require.ErrorIs(t, err, f.failing)
	require.ErrorIs(t, a.List(t.Context(), noon, nil), f.failing)
}

func TestPlanNamesTheOfferThatIsLeftToMake(t *testing.T) {
	f := new(counter)
	a := adapter(t, f, 0)
	doc := document(t, a, "1")
	calls, err := a.Plan(t.Context(), doc)
	require.NoError(t, err)
	require.Equal(t, []erp.Call{{Method: "OFFER", URL: "feed:orders/acme-1", Body: string(doc.Body)}}, calls)
	a.Deliver(t.Context(), doc, nil)
	calls, err = a.Plan(t.Context(), doc)
	require.NoError(t, err)
	require.Empty(t, calls)
	doc.Cancelled = true
	calls, err = a.Plan(t.Context(), doc)
	require.NoError(t, err)
	require.Equal(t, "OFFER CANCELLED", calls[0].Method)
}

func TestABodyThatIsNoJQIsASettingToMend(t *testing.T) {
	_, err := pull.New(pull.Settings{Body: "{"}, new(counter), time.Now)
	var s *erp.SettingError
	require.ErrorAs(t, err, &s)
	require.Equal(t, "body", s.Key)
}
