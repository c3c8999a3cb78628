package ui

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

func TestLinksLeadToTheERPsDocument(t *testing.T) {
	d := store.Delivery{DeliveryKey: store.DeliveryKey{OrderKey: store.OrderKey{Shop: "acme", ID: 7}}, ERPRef: `S/1 "&=é`}
	require.Equal(t, "https://erp/?q=acme-7", documentLink("https://erp/?q={ref}", d))
	require.Equal(t, "https://erp/S%2F1%20%22%26%3D%C3%A9#acme-7", documentLink("https://erp/{id}#{ref}", d))
	d.ERPRef = ""
	require.Empty(t, documentLink("https://erp/{id}", d), "its number is not known")
	require.Empty(t, documentLink("", d))
}

func TestPagesLeadToTheERPsDocument(t *testing.T) {
	s := newPages(t)
	s.actions.connections.ERPs[0].Link = "https://erp.example.com/sales?ref={ref}&number={id}"
	link := `href="https://erp.example.com/sales?ref=acme-21&amp;number=SO-21"`
	for _, path := range []string{"/orders/acme/21", "/orders?state=delivered", "/gaps/1"} {
		require.NotContains(t, s.html("GET", path, "").body, "https://erp.example.com", "nothing was seen in the ERP yet")
	}
	claims, err := s.store.Claim(t.Context(), "books", 1, "token", time.Minute)
	require.NoError(t, err)
	require.Equal(t, int64(21), claims[0].ID)
	require.NoError(t, s.store.Settle(t.Context(), store.Settle{
		DeliveryKey: claims[0].DeliveryKey, Token: claims[0].Token, State: store.StateDelivered, Held: claims[0].Wanted, Present: true, ERPRef: "SO-21",
	}))
	_, err = s.store.FoundGaps(t.Context(), "reconcile", store.Fault{Gap: store.Gap{Shop: "acme", OrderID: 21, ERP: "books", Kind: store.GapMismatch, FoundBy: "reconcile"}})
	require.NoError(t, err)
	gaps, err := s.store.Gaps(t.Context(), store.GapFilter{OrderID: 21, Limit: 1})
	require.NoError(t, err)
	for _, path := range []string{"/orders/acme/21", "/orders?state=delivered", fmt.Sprintf("/gaps/%d", gaps[0].ID)} {
		require.Contains(t, s.html("GET", path, "").body, link, path)
	}
}
