package ui

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

// bought brings in an order of these people.
func (s *site) bought(shop string, id int64, people ...string) {
	s.Helper()
	require.NoError(s, s.store.ApplyIntake(s.Context(), store.Intake{At: epoch, Orders: []store.Wanted{{ERP: "books", Customer: people, Order: store.Order{
		OrderKey: store.OrderKey{Shop: shop, ID: id}, Name: "#A" + orderPath(shop, id), Version: "v1", Currency: "EUR", Total: "1.00", CreatedAt: epoch, UpdatedAt: epoch, Content: []byte(`{}`),
	}}}}))
}

func TestSearchFindsOrdersOfACustomer(t *testing.T) {
	s := newPages(t)
	s.bought("acme", 7001, "zoe@example.com", "Müller", "Zoë")
	s.bought("acme", 7002, "max@example.com", "Müller", "Max")
	s.bought("beta", 7003, "max@example.com", "Müller", "Max")
	require.Equal(t, "/orders/acme/7001", s.html("GET", "/orders?q=Zoe%40Example.com", "").header.Get("Location"))
	require.Equal(t, "/orders/acme/7001", s.html("GET", "/orders?q=zoe+muller", "").header.Get("Location"))
	page := s.html("GET", "/orders?q=MULLER", "").body
	for _, path := range []string{"/orders/acme/7001", "/orders/acme/7002", "/orders/beta/7003"} {
		require.Contains(t, page, path)
	}
	require.Equal(t, "/orders/beta/7003", s.html("GET", "/orders?shop=beta&q="+url.QueryEscape("müller"), "").header.Get("Location"))
	require.Contains(t, s.html("GET", "/orders?q=nobody%40example.com", "").body, "No order")
	for i := range int64(perPage) {
		s.bought("acme", 8000+i, "Tom")
	}
	require.Contains(t, s.html("GET", "/orders?q=tom", "").body, "These are the newest")
}

func TestTheAPIFindsOrdersOfACustomerForWhoMaySeeThem(t *testing.T) {
	s := newSite(t)
	s.tell(keys("acme", 1, 3)...)
	s.bought("acme", 7001, "zoe@example.com", "Müller", "Zoë")
	for query, want := range map[string]int{"zoe%40example.com": 1, "muller": 1, "7001": 1, "%233": 1, "3": 1, "acme-2": 1, "nobody": 0, "beta-2": 0} {
		require.Len(t, s.get("/api/v1/orders?q=" + query)["items"], want, query)
	}
	require.Empty(t, s.get("/api/v1/orders?shop=beta&q=muller")["items"])
	for query, found := range map[string]bool{"muller": false, "zoe%40example.com": false, "7001": true} {
		a := s.ask(http.MethodGet, "/api/v1/orders?q="+query, "", s.as("viewer")...)
		require.Equal(t, http.StatusOK, a.status)
		require.Equal(t, found, jsonHas(a.body, "id"), query)
	}
}

func TestAViewerCannotLookForPeople(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("vic", "viewer")
	s.bought("acme", 7001, "zoe@example.com", "Müller", "Zoë")
	viewer, admin := s.through("10.0.0.2").logIn("vic"), s.through("10.0.0.3").logIn("ann")
	require.Contains(t, viewer.open("/orders?q=muller").body, "No order")
	admin.leadsTo(admin.open("/orders?q=muller"), "/orders/acme/7001")
	viewer.leadsTo(viewer.open("/orders?q=7001"), "/orders/acme/7001")
	require.NotContains(t, viewer.open("/orders").body, "the customer")
}
