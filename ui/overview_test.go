package ui

import (
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
	"gapless/sync/report"
)

// calm is a site with one shop that was compared a minute ago, and all is well.
func calm(t *testing.T) *site {
	t.Helper()
	s := newSite(t, func(o *Options) { o.Open, o.Shops = true, []string{"acme"} })
	s.actions.connections = Connections{
		Shops: []ShopConnection{{Name: "acme", Domain: "acme.myshopify.com", ERP: "books", Webhooks: true, Compares: time.Hour}},
		ERPs:  []ERPConnection{{Name: "books", Kind: "http", Tier: "A"}, {Name: "other"}},
	}
	s.compared(epoch.Add(-time.Minute))
	return s
}

func (s *site) compared(through time.Time) {
	s.Helper()
	require.NoError(s, s.store.Complete(s.Context(), "acme", through.Add(-24*time.Hour), through))
}

var (
	headed = regexp.MustCompile(`<div class="verdict (\w+)">.*?</svg><div>\s*<h1>([^<]*)</h1>\s*<p>((?s:.*?))</p>`)
	tags   = regexp.MustCompile(`<[^>]*>`)
)

// verdict is what the overview says at its top.
func (s *site) verdict() (tone, sentence, more string) {
	s.Helper()
	found := headed.FindStringSubmatch(s.html("GET", "/", "").body)
	require.NotNil(s, found)
	return found[1], found[2], tags.ReplaceAllString(found[3], "")
}

func TestTheVerdictIsOfAllDaysAndOfBothEnds(t *testing.T) {
	for name, c := range map[string]struct {
		happens              func(*site)
		tone, sentence, more string
	}{
		"all is well": {func(*site) {}, "good", "Nothing is missing", "compared through 08:59"},
		"a gap of an earlier day": {func(s *site) {
			s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 2)...)
			s.lose(store.GapDoubled, "erp_doubled", keys("acme", 3, 3)...)
			s.pass(72 * time.Hour)
			s.compared(s.now())
		}, "bad", "2 orders are missing in the ERP", "2 of them were placed before today."},
		"a document that is wrong": {func(s *site) {
			s.lose(store.GapDoubled, "erp_doubled", keys("acme", 1, 1)...)
			s.lose(store.GapMismatch, "erp_edited", keys("acme", 1, 1)...)
		}, "bad", "1 order is wrong in the ERP", ""},
		"no comparison for days":              {func(s *site) { s.pass(72 * time.Hour) }, "unsure", "Not known since 23 Nov, 08:59", "What changed since the last whole comparison is not known."},
		"not quite too old":                   {func(s *site) { s.pass(3*time.Hour - time.Minute) }, "good", "Nothing is missing", ""},
		"too old":                             {func(s *site) { s.pass(3 * time.Hour) }, "unsure", "Not known since 08:59", ""},
		"compared by a clock that was ahead":  {func(s *site) { s.pass(72 * time.Hour); s.compared(s.now()); s.pass(-48 * time.Hour) }, "unsure", "Not known yet", "How far Shopify and the ERP were compared is not known yet"},
		"a shop that is seldom compared":      {func(s *site) { s.actions.connections.Shops[0].Compares = 2 * time.Hour; s.pass(5 * time.Hour) }, "good", "Nothing is missing", ""},
		"Shopify does not answer":             {func(s *site) { s.polled("the token is not known") }, "unsure", "Shopify does not answer just now", "new changes may not be here yet"},
		"it answers again":                    {func(s *site) { s.polled("busy"); s.polled("") }, "good", "Nothing is missing", ""},
		"the ERP is away":                     {func(s *site) { s.actions.connections.ERPs[0].Until = epoch }, "unsure", "The ERP is not reachable just now", "The ERP books does not take orders now"},
		"another shop's ERP is away":          {func(s *site) { s.actions.connections.ERPs[1].Until = epoch }, "good", "Nothing is missing", ""},
		"the app was removed":                 {func(s *site) { s.removed() }, "unsure", "The app was removed in Shopify", "Install the app"},
		"an order is on the way for too long": {func(s *site) { s.lose(store.GapStuck, "erp_failed", keys("acme", 1, 1)...) }, "unsure", "1 order is on the way for too long", ""},
		"an order waits since an earlier day": {func(s *site) { s.lose(store.GapParked, "order_refused", keys("acme", 1, 1)...) }, "unsure", "1 order waits for you; nothing is missing", ""},
		"messages don't come":                 {func(s *site) { s.lose(store.GapSilence, "webhooks_fell_silent", store.OrderKey{Shop: "acme"}) }, "unsure", "Nothing is missing, but Shopify&#39;s messages don&#39;t all come", ""},
		"a gap that is left as it is": {func(s *site) {
			s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 1)...)
			_, err := s.store.IgnoreGap(t.Context(), 1, "ann", "paid in cash")
			require.NoError(s, err)
		}, "good", "Nothing is missing", ""},
		"all of it at once": {func(s *site) {
			s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 1)...)
			s.polled("no route")
			s.actions.connections.ERPs[0].Until = epoch
			s.pass(72 * time.Hour)
		}, "bad", "1 order is missing in the ERP", "What changed since the last whole comparison is not known. Gapless asks Shopify again and again"},
	} {
		t.Run(name, func(t *testing.T) {
			s := calm(t)
			c.happens(s)
			tone, sentence, more := s.verdict()
			require.Equal(t, c.tone, tone)
			require.Equal(t, c.sentence, sentence)
			require.Contains(t, more, c.more)
		})
	}
}

func TestWhatWasNeverComparedIsNotCalledComplete(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open, o.Shops = true, []string{"acme"} })
	tone, sentence, _ := s.verdict()
	require.Equal(t, []string{"unsure", "Not known yet"}, []string{tone, sentence})
}

func TestTheVerdictIsNoBetterThanTheFiguresBelowIt(t *testing.T) {
	shown := shopToday{Old: epoch, Complete: &moment{}} // the gaps are closed, which the figures don't show yet
	shown.judge(report.Balance{Shopify: tally(5, "EUR", "50"), Missing: tally(5, "EUR", "50")}, sight{})
	require.Equal(t, "5 orders are missing in the ERP", shown.Sentence)
	shown = shopToday{Old: epoch, Complete: &moment{}, gaps: store.ShopGaps{Missing: 2}}
	shown.judge(report.Balance{}, sight{})
	require.Equal(t, "2 orders are missing in the ERP", shown.Sentence)
	require.Empty(t, shown.Notes, "of which day they are the figures don't tell yet")
}

// polled notes a poll; one that failed says why.
func (s *site) polled(failure string) {
	s.Helper()
	require.NoError(s, s.store.Polled(s.Context(), "acme", s.now(), s.now(), failure))
}

// removed notes that the app was uninstalled.
func (s *site) removed() {
	s.Helper()
	require.NoError(s, s.store.ApplyIntake(s.Context(), store.Intake{At: s.now(), Uninstalled: []string{"acme"}}))
}
