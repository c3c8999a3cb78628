package ordersync

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"gapless/erp"
)

func TestPeopleHearOfComparisonsThatKeepFailingAndThatTheyWorkAgain(t *testing.T) {
	box := &postbox{}
	a := build(t, setup{})
	a.reconfigure(func(c *Config) { c.Alerts = AlertConfig{Channels: []Channel{box}, Remind: 24 * time.Hour} })
	require.NoError(t, a.byClock())
	meddled := a.meddle()
	meddled.list = func(time.Time, func(erp.Found) error) error { return errors.New("the list is broken") }
	hours := func(n int) int {
		for range n {
			a.byClock()
			require.NoError(t, a.engine.tellBlind(t.Context()))
			require.NoError(t, a.engine.sendLetters(t.Context(), "postbox"))
			a.pass(time.Hour)
		}
		return len(box.got)
	}
	require.Zero(t, hours(3), "it may be over soon")
	require.Equal(t, 1, hours(1))
	require.Contains(t, box.got[0].Subject, "acme can't be compared with books since 2026-11-23T")
	require.Contains(t, box.got[0].Text, "the list is broken")
	a.reconfigure(func(*Config) {}) // as after a restart
	require.Equal(t, 1, hours(23))
	require.Equal(t, 2, hours(1), "a day later, again")
	meddled.list = nil
	require.Equal(t, 3, hours(3))
	require.Equal(t, "Gapless: acme is compared with books again", box.got[2].Subject)
}
