package ui

import (
	"database/sql"
	"regexp"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

var reasons = regexp.MustCompile(`<p class="notice[^"]*"><svg.*?</svg><span>([^<]*)</span></p>`)

// reasons are what the page of Gapless's own health says at its top.
func (s *site) reasons() (all []string) {
	s.Helper()
	for _, r := range reasons.FindAllStringSubmatch(s.html("GET", "/health", "").body, -1) {
		all = append(all, r[1])
	}
	return all
}

func TestHealthIsNotCalledWellOverALineThatIsBad(t *testing.T) {
	s := calm(t)
	s.actions.connections.Free = -1
	require.Equal(t, []string{"Gapless is well."}, s.reasons())

	s.polled("the token is not known")
	require.NoError(t, s.store.Subscribed(t.Context(), "acme", nil, "access denied"))
	s.actions.connections.ERPs[0].Until, s.actions.connections.ERPs[0].Reason = epoch.Add(time.Minute), "connection refused"
	require.Equal(t, []string{
		"Shopify shop acme: Does not answer. The token is not known",
		"Messages from acme: Not subscribed. Access denied",
		"ERP books: Not reachable. Connection refused. Orders wait here and go on by themselves.",
	}, s.reasons())

	s.removed()
	require.Contains(t, s.reasons()[0], "App removed")
}

func TestHealthSaysThatNothingCanBeStored(t *testing.T) {
	s := calm(t)
	s.actions.connections.Free = -1
	other, err := sql.Open("sqlite", "file:"+s.path)
	require.NoError(t, err)
	defer other.Close()
	_, err = other.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE INSERT ON meta BEGIN SELECT RAISE(ROLLBACK, 'no room'); END`)
	require.NoError(t, err)
	require.Error(t, s.store.Ready(t.Context()))
	require.Equal(t, []string{"Nothing could be stored just now, so messages from Shopify are turned away until it can. The log of Gapless says why."}, s.reasons())
	_, err = other.ExecContext(t.Context(), `DROP TRIGGER full`)
	require.NoError(t, err)
	require.NoError(t, s.store.Ready(t.Context()))
	require.Equal(t, []string{"Gapless is well."}, s.reasons())
}
