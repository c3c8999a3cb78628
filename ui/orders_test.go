package ui

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

var rowsShown = regexp.MustCompile(`<a class="row" href="([^"]+)"`)

// rows are the orders that a page lists.
func (s *site) rows(path string) (all []string) {
	s.Helper()
	a := s.html("GET", path, "")
	require.Equal(s, http.StatusOK, a.status, path)
	for _, r := range rowsShown.FindAllStringSubmatch(a.body, -1) {
		all = append(all, r[1])
	}
	return all
}

// moved brings the next orders that are due into a state.
func (s *site) moved(n int, state string) {
	s.Helper()
	claims, err := s.store.Claim(s.Context(), "books", n, "stamp", time.Minute)
	require.NoError(s, err)
	require.Len(s, claims, n)
	for _, c := range claims {
		to := store.Settle{DeliveryKey: c.DeliveryKey, Token: c.Token, State: state, NextAt: s.now()}
		switch state {
		case store.StateDelivered:
			to.Held, to.Present = c.Order.Version, true
		case store.StateParked:
			to.Reason = "unknown article"
		case store.StateExcluded:
			to.Rule = "a rule"
		}
		require.NoError(s, s.store.Settle(s.Context(), to))
	}
}

func TestASearchStaysAmongTheOrdersOfItsState(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	s.bought("acme", 1, "Tom")
	s.moved(1, store.StateExcluded)
	for id := range int64(perPage + 9) {
		s.bought("acme", 100+id, "Tom")
	}
	require.Equal(t, "/orders/acme/1", s.html("GET", "/orders?q=tom&state=excluded", "").header.Get("Location"), "the one, which is older than a page of others")
	require.Len(t, s.rows("/orders?q=tom&state=moving"), perPage)
	page := s.html("GET", "/orders?q=tom&state=parked", "").body
	require.Contains(t, page, "No order <bdi>tom</bdi> among these")
	require.Contains(t, page, `<a href="/orders?q=tom">Look among all orders</a>`)
	require.Contains(t, page, `<input type="hidden" name="state" value="parked">`, "the next search stays there too")
	for query, found := range map[string]bool{"1&state=excluded": true, "acme-1&state=excluded": true, "1&state=delivered": false, "acme-1&state=moving": false} {
		require.Equal(t, found, s.html("GET", "/orders?q="+query, "").status == http.StatusSeeOther, query)
	}
}

func TestTheTermsOfTodayLeadToWhatTheyCount(t *testing.T) {
	s := calm(t)
	s.tell(keys("acme", 1, 3)...)
	s.moved(3, store.StateDelivered)
	s.pass(24 * time.Hour)
	s.placed(keys("acme", 11, 14)...)
	s.moved(1, store.StateParked)
	s.compared(s.now())
	page := s.html("GET", "/", "").body
	terms := regexp.MustCompile(`<a class="term [^"]*" href="([^"]+)"><b>(\d+)</b><span>([^<]+)`).FindAllStringSubmatch(page, -1)
	require.Len(t, terms, 6)
	for _, term := range terms {
		require.Len(t, s.rows(strings.ReplaceAll(term[1], "&amp;", "&")), map[string]int{"0": 0, "1": 1, "2": 2, "3": 3, "4": 4}[term[2]], "%s: %s", term[3], term[1])
	}
	day := s.html("GET", "/orders?shop=acme&day=2026-11-24", "").body
	require.Contains(t, day, `Only what was placed today. <a href="/orders?shop=acme">Show all days</a>`)
	require.Contains(t, s.html("GET", "/orders?day=2026-11-23", "").body, "Only what was placed on 23 November 2026.")
	require.Len(t, s.rows("/orders?day=2026-11-23"), 3)
	require.Len(t, s.rows("/orders?day=rubbish"), 7)

	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 1)...)
	s.pass(time.Hour)
	require.NotContains(t, s.html("GET", "/", "").body, `href="/gaps?shop=acme&amp;kind=missing"`, "that list is of all days: 1, and none is of today")
}

// placed brings in orders that were placed now.
func (s *site) placed(orders ...store.OrderKey) {
	s.Helper()
	in := store.Intake{At: s.now()}
	for _, k := range orders {
		in.Orders = append(in.Orders, store.Wanted{ERP: "books", Order: store.Order{
			OrderKey: k, Name: "#P", Version: "v1", Currency: "EUR", Total: "1.00", CreatedAt: s.now(), UpdatedAt: s.now(), Content: []byte(`{}`),
		}})
	}
	require.NoError(s, s.store.ApplyIntake(s.Context(), in))
}

func TestAListThatAFilterLeavesEmptyLeadsToAllOrders(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	for path, filtered := range map[string]bool{"/orders": false, "/orders?state=parked": true, "/orders?shop=beta": true, "/orders?shop=beta&day=2026-11-23": true} {
		page := s.html("GET", path, "").body
		require.Equal(t, filtered, strings.Contains(page, `<a href="/orders">See all orders</a>`), path)
		require.Equal(t, !filtered, strings.Contains(page, "gapless backfill"), path)
	}
}

func TestACourseThatIsCutSaysWhatIsOlder(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	key := store.OrderKey{Shop: "acme", ID: 1}
	s.tell(key)
	in := store.Intake{At: epoch}
	for range mostHistory - 1 {
		in.Through = s.heardOf(key, []byte(`{}`), &in)
	}
	require.NoError(t, s.store.ApplyIntake(t.Context(), in))
	page := s.html("GET", "/orders/acme/1?all=yes", "").body
	require.Contains(t, page, `href="/events/1"`)
	require.NotContains(t, page, "There are older")

	in = store.Intake{At: epoch, Decisions: in.Decisions}
	in.Through = s.heardOf(key, []byte(`{}`), &in)
	in.Decisions = in.Decisions[len(in.Decisions)-1:]
	require.NoError(t, s.store.ApplyIntake(t.Context(), in))
	for _, path := range []string{"/orders/acme/1", "/orders/acme/1?all=yes"} {
		page = s.html("GET", path, "").body
		require.Contains(t, page, "There are older messages and decisions: this page goes back to the newest 200 of each.", path)
		require.Contains(t, page, `href="/events?before=2&amp;shop=acme"`, path)
		require.NotContains(t, page, `href="/events/1"`, path)
	}
	require.Contains(t, s.html("GET", "/events?before=2&shop=acme", "").body, `href="/events/1"`)

	for range mostHistory + 1 {
		s.says(1, func() string { return "" })
	}
	require.Contains(t, s.html("GET", "/orders/acme/1?all=yes", "").body, "There are older messages and decisions and calls to the ERP")
}
