package ui

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/store"
)

func TestAnEmptyListOfGapsTellsOfThoseThatAreOpen(t *testing.T) {
	s := newSite(t, func(o *Options) { o.Open = true })
	for path, said := range map[string]string{"/gaps": "Nothing is waiting for you", "/gaps?kind=stale": "Nothing is waiting for you", "/gaps?state=closed": "none is open"} {
		require.Contains(t, s.html("GET", path, "").body, said, path)
	}
	s.lose(store.GapMissing, "erp_lost", keys("acme", 1, 1)...)
	for _, path := range []string{"/gaps?kind=stale", "/gaps?shop=beta", "/gaps?state=closed", "/gaps?state=ignored&kind=missing"} {
		page := s.html("GET", path, "").body
		require.Contains(t, page, `Another gap is open. <a href="/gaps">See what is open</a>`, path)
		require.NotContains(t, page, "Nothing is waiting", path)
	}
	s.lose(store.GapMissing, "erp_lost", keys("acme", 2, 2)...)
	require.Contains(t, s.html("GET", "/gaps?kind=stale", "").body, "2 other gaps are open")
}

func TestAnEmptyListOfRunsAsksForWhatCanBeDone(t *testing.T) {
	s := newSite(t)
	s.member("ann", "admin")
	s.member("vic", "viewer")
	ann, vic := s.visitor().logIn("ann"), s.visitor().logIn("vic")
	s.actions.connections.Shops = []ShopConnection{{Name: "acme", Compares: 2 * time.Hour}, {Name: "beta", Compares: 2 * time.Hour}}
	require.Contains(t, ann.open("/runs").body, "by itself every 2 h. Start a comparison above")
	require.Contains(t, vic.open("/runs").body, "by itself every 2 h.</p>", "there is no form above")
	s.actions.connections.Shops[1].Compares = time.Hour
	require.Contains(t, vic.open("/runs").body, "by itself.</p>")

	s.ran("acme", store.RunReconcile, store.RunDone, balanced)
	for _, path := range []string{"/runs?kind=backfill", "/runs?shop=beta"} {
		page := ann.open(path).body
		require.NotContains(t, page, "No runs yet", path)
		require.Contains(t, page, `<a href="/runs">See all runs</a>`, path)
	}
}

func TestNoticesNameThePlacesAsTheTabsDo(t *testing.T) {
	s := newPages(t)
	page := s.html("GET", "/gaps?did=ignored&n=1", "").body
	require.NotContains(t, page, "under Ignored")
	require.Contains(t, page, "Look for it under Left as they are.")
	require.Contains(t, page, ">Left as they are</a>")
}

func TestHealthSpeaksPlainly(t *testing.T) {
	page := newPages(t).html("GET", "/health", "").body
	require.NotContains(t, page, "write-ahead log")
	require.NotContains(t, page, "webhook")
}
